"""Extended and sigma-point filters on factors: the numbers of the covariance form where it has digits, and digits where it has none."""

import numpy as np
import pytest

import sysid
from tests.inference.test_kalman import problem
from tests.inference.test_nonlinear import pendulum_process
from tests.reference.exact import exact_smoother

METHODS = [sysid.ExtendedKalman, sysid.IteratedKalman, sysid.UnscentedKalman, sysid.CubatureKalman, sysid.GaussHermiteKalman]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", ["linear", "pendulum"])
def test_both_forms_agree_where_the_covariance_form_has_digits(method, case):
    if case == "linear":
        process, data = problem(3, missing=0.2)
    else:
        process = pendulum_process()
        data = sysid.Data(sysid.simulate(process, n_steps=100, rng=np.random.default_rng(1)).y, dt=0.01)
    one, two = (sysid.smooth(process, data, method(form=form)) for form in ("covariance", "sqrt"))
    assert two.filter.form.endswith("square root")
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)
    for a, b in ((one.filter.predicted, two.filter.predicted), (one.filter.filtered, two.filter.filtered), (one.smoothed, two.smoothed)):
        np.testing.assert_allclose(b.mean, a.mean, atol=1e-10)
        np.testing.assert_allclose(b.cov, a.cov, atol=1e-10)
    np.testing.assert_allclose(two.cross_cov, one.cross_cov, atol=1e-10)
    np.testing.assert_allclose(two.filter.y_cov, one.filter.y_cov, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_factors_keep_what_cancellation_takes_from_the_covariance_form(method):
    """A prior of 1e8 against sensors of 1e-9 on combinations that nearly repeat: 50 digits say which form is right."""
    A = np.array([[0.9, 0.3, 0.0], [0.0, 0.8, 0.4], [0.1, 0.0, 0.95]])
    C = np.array([[1.0, 1.0, 1.0], [1.0, 1.0 + 1e-5, 1.0]])
    Q, R, P0 = 1e-12 * np.eye(3), 1e-9 * np.eye(2), 1e8 * np.eye(3)
    model = sysid.LTI(A, None, C)
    process = sysid.Process(model, Q, R, initial=sysid.Gaussian(np.zeros(3), P0))
    y = sysid.simulate(process, n_steps=6, x0=np.ones(3), rng=np.random.default_rng(0)).y
    Pf, Ps = (exact_smoother(A, C, Q, R, y, np.zeros(3), P0)[i] for i in (1, 3))
    runs = {form: sysid.smooth(process, sysid.Data(y), method(form=form)) for form in ("covariance", "sqrt", "auto")}

    def worst(cov, exact):
        d = np.sqrt(np.diagonal(exact, axis1=1, axis2=2))
        return np.abs((cov - exact) / d[:, :, None] / d[:, None, :]).max()

    assert worst(runs["covariance"].filter.filtered.cov, Pf) > 1e-3
    assert worst(runs["sqrt"].filter.filtered.cov, Pf) < 1e-5
    assert worst(runs["sqrt"].smoothed.cov, Ps) < 1e-5
    assert runs["auto"].filter.form == runs["sqrt"].filter.form  # found out and mended unasked
    for law in (runs["auto"].filter.filtered, runs["auto"].smoothed):
        assert np.array_equal(law.cov, law.cov.swapaxes(1, 2)) and np.linalg.eigvalsh(law.cov / law.cov.max()).min() > -1e-14


def feedback_process(activation="identity"):
    rng = np.random.default_rng(2)
    n, p = 4, 2
    esn = sysid.ESN(0.4 * rng.standard_normal((n, n)), rng.standard_normal((n, 1)), 0.1 * rng.standard_normal(n), 0.7, 0.5 * rng.standard_normal((p, n)), np.zeros(p),
                    activation, W_fb=0.4 * rng.standard_normal((n, p)))  # fmt: skip
    return sysid.Process(esn, Q=0.02, R=[[0.3, 0.1], [0.1, 0.2]], initial=sysid.Gaussian(np.zeros(n), 0.1 * np.eye(n)))


@pytest.mark.parametrize("method", [sysid.ExtendedKalman(form="sqrt"), sysid.UnscentedKalman(), sysid.CubatureKalman(form="sqrt"),
                                    sysid.GaussHermiteKalman(2)], ids=lambda m: type(m).__name__)  # fmt: skip
def test_missing_outputs_that_are_fed_back_are_latent_numbers(method):
    """On a linear reservoir all filters are exact; the noises of the two outputs are correlated."""
    process = feedback_process()
    rng = np.random.default_rng(3)
    u = rng.standard_normal((25, 1))
    y = sysid.simulate(process, u, rng=rng).y.copy()
    y[rng.random(y.shape) < 0.3] = np.nan
    y[10] = np.nan
    data = sysid.Data(y, u)
    one, two = sysid.smooth(process, data, sysid.ExtendedKalman(form="covariance")), sysid.smooth(process, data, method)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-8)
    for a, b in ((one.filter.filtered, two.filter.filtered), (one.smoothed, two.smoothed)):
        np.testing.assert_allclose(b.mean, a.mean, atol=1e-8)
        np.testing.assert_allclose(b.cov, a.cov, atol=1e-8)


def test_a_gap_of_fed_back_outputs_is_the_law_of_sampled_paths():
    """A tanh reservoir on its own for four steps: mean and covariance of the state after 200,000 sampled paths."""
    process = feedback_process("tanh")
    n_paths, steps = 200_000, 4
    rng = np.random.default_rng(0)
    esn, law = process.model, process.initial
    x = law.sample(rng, n_paths)
    chol_Q, chol_R = np.linalg.cholesky(process.Q), np.linalg.cholesky(process.R)
    fun = esn.functions()
    u = np.zeros((steps, 1))
    for _ in range(steps):
        y = x @ esn.C.T + esn.d + rng.standard_normal((n_paths, 2)) @ chol_R.T
        push = x @ np.asarray(esn.W).T + np.asarray(esn.bias) + y @ esn.W_fb.T
        x = (1 - esn.leak) * x + esn.leak * np.tanh(push) + rng.standard_normal(x.shape) @ chol_Q.T
    f = sysid.filter(process, sysid.Data(np.full((steps, 2), np.nan), u), sysid.UnscentedKalman())
    assert fun is not None and f.form == "unscented, square root"
    np.testing.assert_allclose(f.final.mean, x.mean(0), atol=0.01)
    np.testing.assert_allclose(f.final.cov, np.cov(x.T), atol=0.012)


@pytest.mark.parametrize("method", METHODS)
def test_a_schedule_shorter_than_the_data_is_refused_and_a_diffuse_start_too(method):
    model = sysid.LTI([[0.9]], None, [[1.0]])
    short = sysid.Process(model, Q=np.ones((5, 1, 1)), R=1.0, initial=sysid.Gaussian([0.0], [[1.0]]))
    for form in ("covariance", "sqrt"):
        with pytest.raises(ValueError, match="expected Q of the process for 9 steps; received 5"):
            sysid.filter(short, sysid.Data(np.zeros(9)), method(form=form))
    with pytest.raises(ValueError, match="diffuse"):
        sysid.filter(sysid.Process(model, 1.0, 1.0, initial=sysid.Diffuse()), sysid.Data(np.zeros(9)), method())
    with pytest.raises(ValueError, match="form"):
        method(form="cholesky")


def test_a_large_readout_process_stays_in_the_covariance_form_and_loses_nothing_that_shows():
    y = sysid.datasets.mackey_glass(500).y
    esn = sysid.ESN.random(80, 0, 1, leak=0.5, rng=np.random.default_rng(1))
    process = sysid.fit(sysid.Data(y), sysid.Readout(ridge=1e-8, washout=50), start=esn).process
    record = sysid.Data(y[:120])
    auto = sysid.filter(process, record)
    factors = sysid.filter(process, record, sysid.ExtendedKalman(form="sqrt"))
    assert auto.method != factors.method
    np.testing.assert_allclose(auto.filtered.mean, factors.filtered.mean, rtol=0, atol=1e-8)
    np.testing.assert_allclose(auto.log_likelihood, factors.log_likelihood, rtol=1e-8)
    ours, theirs = (np.diagonal(f.filtered.cov, 0, 1, 2) for f in (auto, factors))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
