"""Validation: scores by their definition, tests that hold their level, verdicts that warn."""

import numpy as np
import pytest

import sysid
from sysid.identification.initial_state import initial_state
from sysid.identification.residuals import independence, whiteness
from tests.data import load
from tests.identification.systems import record, third_order


def test_a_true_model_scores_by_the_definition_from_an_unknown_state():
    rng = np.random.default_rng(0)
    model = third_order()
    u = rng.standard_normal((300, 2))
    x0 = np.array([5.0, -8.0, 3.0])
    clean = sysid.simulate(model, u, x0).y
    exact = sysid.validate(model, sysid.Data(clean, u))
    assert (exact.fit_simulation > 99.999).all() and exact.fit_prediction is None
    noisy = clean + 0.3 * rng.standard_normal((300, 2))
    val = sysid.validate(model, sysid.Data(noisy, u))
    e, y = (noisy - val.simulated[0])[50:], noisy[50:]
    want = 100 * (1 - np.linalg.norm(e, axis=0) / np.linalg.norm(y - y.mean(0), axis=0))
    assert np.allclose(val.fit_simulation, want)
    assert np.allclose(val.rms_simulation, np.sqrt((e**2).mean(0)))


def slow_plant():
    rng = np.random.default_rng(5)
    model = sysid.LTI(np.diag([0.99, 0.98, 0.95, 0.9]), [[0.1], [0.2], [-0.4], [0.5]], [[1.0, 1.0, 1.0, 1.0]])
    u = rng.standard_normal((300, 1))
    y = sysid.simulate(model, u, [1.0, -1.0, 0.5, 0.0]).y + 0.3 * rng.standard_normal((300, 1))
    return model, sysid.Data(y, u)


@pytest.mark.parametrize("unscored", [0, 50])
def test_the_residuals_of_the_true_process_are_white_though_fifty_samples_hardly_show_its_state(unscored):
    model, data = slow_plant()
    val = sysid.validate(sysid.Process(model, 0.0, 0.09, initial=sysid.Gaussian(np.zeros(4), 1.0)), data, unscored=unscored)
    assert val.unscored == unscored and val.whiteness.passed and val.cross_correlation.passed
    assert abs(val.rms_prediction - 0.3)[0] < 0.03 and val.fit_simulation[0] > 70


@pytest.mark.parametrize("unscored", [0, 50])
def test_a_diffuse_start_is_judged_like_one_that_is_found(unscored):
    model, data = slow_plant()
    val = sysid.validate(sysid.Process(model, 1e-6 * np.eye(4), 0.09, initial=sysid.Diffuse()), data, unscored=unscored)
    assert val.fit_simulation[0] > 50 and (unscored == 0 or abs(val.rms_prediction - 0.3)[0] < 0.03)


def test_a_prior_of_another_record_does_not_spoil_the_scores():
    model, data = slow_plant()
    away = sysid.Process(model, 0.0, 0.09, initial=sysid.Gaussian([30.0, 0.0, 0.0, -40.0], 1e-6))
    val = sysid.validate(away, data)
    assert val.whiteness.passed and abs(val.rms_prediction - 0.3)[0] < 0.03


def test_the_initial_state_of_a_nonlinear_model_is_found():
    def f(x, u, p, t):
        return np.array([x[0] + 0.1 * x[1], x[1] - 0.1 * np.sin(x[0]) - 0.02 * x[1]])

    def g(x, u, p, t):
        return np.array([x[0]])

    model = sysid.Nonlinear(f, g, 2, 0, 1)
    y = sysid.simulate(model, n_steps=80, x0=[0.4, -0.2]).y
    assert np.allclose(initial_state(model, sysid.Data(y)), [0.4, -0.2], atol=1e-6)


def test_white_residuals_pass_and_coloured_ones_fail():
    rng = np.random.default_rng(1)
    passed = [whiteness([rng.standard_normal((400, 2))], ("a", "b")).passed for _ in range(100)]
    assert 95 <= sum(passed) <= 100
    e = rng.standard_normal(401)
    assert not whiteness([(e[1:] + 0.4 * e[:-1])[:, None]], ("a",)).passed


def test_the_test_of_whiteness_is_that_of_ljung_and_box():
    from statsmodels.stats.diagnostic import acorr_ljungbox
    e = np.convolve(np.random.default_rng(3).standard_normal(161), [1.0, 0.15], "valid")
    e -= e.mean()  # the reference removes it
    ours = whiteness([e[:, None]], ("a",), n_lags=12)
    assert np.isclose(ours.p_value, acorr_ljungbox(e, lags=[12])["lb_pvalue"].iloc[0], rtol=1e-10)


def test_independence_keeps_its_level_for_coloured_signals_and_finds_a_missed_lag():
    rng = np.random.default_rng(2)

    def coloured(T):
        out = np.zeros(T)
        w = rng.standard_normal(T)
        for t in range(1, T):
            out[t] = 0.9 * out[t - 1] + w[t]
        return out[:, None]

    passed = [independence([coloured(600)], [coloured(600)], ("y, u",)).passed for _ in range(60)]
    assert sum(passed) >= 54
    u = coloured(600)
    assert not independence([0.3 * np.roll(u, 3, axis=0) + coloured(600)], [u], ("y, u",)).passed


def test_a_good_model_is_called_good_and_gaps_do_no_harm():
    rng = np.random.default_rng(3)
    model = third_order()
    data = record(model, 1200, rng, noise=0.3, process_noise=0.1)
    y = data.y.copy()
    y[rng.random(y.shape) < 0.1] = np.nan
    process = sysid.Process(model, 0.01 * np.eye(3), 0.09 * np.eye(2))
    val = sysid.validate(process, [sysid.Data(y[:500], data.u[:500]), sysid.Data(y[500:], data.u[500:])])
    assert "white and independent" in val.verdict and (val.fit_prediction >= val.fit_simulation - 1).all()
    assert val.simulation_is_meaningful and "verdict" in repr(val)
    val.plot(), val.whiteness.plot(), val.cross_correlation.plot()
    later = sysid.validate(process, data, steps=10)
    assert (later.fit_prediction <= val.fit_prediction + 2).all()


def test_unstable_and_diverging_models_are_not_to_be_simulated():
    record_ = load("daisy_ballbeam")
    (u, y), (ut, yt) = record_["train"][0], record_["test"]["test"]
    fit = sysid.fit(sysid.Data(y, u), sysid.Subspace(2))
    val = sysid.validate(fit, sysid.Data(yt, ut), steps=3)
    assert not val.simulation_is_meaningful and "Do not simulate" in val.verdict and "3 steps ahead" in val.verdict
    assert (val.fit_prediction > 85).all()
    rocket = sysid.LTI([[3.0]], [[1.0]], [[1.0]])
    gone = sysid.validate(rocket, sysid.Data(np.random.default_rng(0).standard_normal((2000, 1)), np.ones((2000, 1))))
    assert np.isneginf(gone.fit_simulation).all() and not gone.simulation_is_meaningful


def test_models_that_do_not_fit_the_data_are_refused():
    data = record(third_order(), 100, np.random.default_rng(0))
    with pytest.raises(ValueError, match="1 inputs and 1 outputs"):
        sysid.validate(sysid.LTI([[0.5]], [[1.0]], [[1.0]]), data)
    with pytest.raises(ValueError, match=r"dt = 0\.1"):
        sysid.validate(third_order(dt=0.1), data)
    with pytest.raises(TypeError, match="a Process, a model or a Fit"):
        sysid.validate("model", data)


def test_an_order_scan_finds_the_order_and_draws_what_it_saw():
    rng = np.random.default_rng(5)
    data = record(third_order(), 900, rng, noise=0.3)
    scan = sysid.order_scan(data, orders=range(1, 6))
    assert scan.best == 3 and scan.fit_simulation.shape == (5, 2) and scan.fits[2].model.n_states == 3
    assert scan.singular_values[2] > 2 * scan.singular_values[3] and len(scan.plot()) == 3
    few = sysid.order_scan(data[:100], data[100:], orders=[1, 2, 400])
    assert list(few.orders) == [1, 2]
    polynomial = sysid.order_scan(data, orders=[2, 3], method=sysid.PredictionError(max_iterations=20))
    assert polynomial.best == 3 and polynomial.singular_values is None
    polynomial.plot()
    with pytest.raises(TypeError, match="with n_states"):
        sysid.order_scan(data, method=sysid.EM())
    with pytest.raises(ValueError, match="expected at least one order"):
        sysid.order_scan(data, orders=[])


def test_a_long_run_of_an_unstable_model_is_warned_of():
    u = np.ones((400, 1))
    unstable = sysid.LTI([[1.1]], [[1.0]], [[1.0]])
    with pytest.warns(UserWarning, match="unstable.*Subspace\\(stable=True\\)"):
        sysid.simulate(unstable, u)
    sysid.simulate(unstable, u[:20])  # a short run is an answer
    sysid.simulate(sysid.LTI([[1.0, 1.0], [0.0, 1.0]], [[0.0], [1.0]], [[1.0, 0.0]]), u)  # so is an integrator's


def test_a_reservoir_that_feeds_back_is_taught_by_the_record_before_it_runs_alone():
    rng = np.random.default_rng(0)
    data = sysid.datasets.mackey_glass(1500)
    esn = sysid.ESN.random(60, 0, 1, leak=0.6, spectral_radius=0.9, bias_scale=0.3, rng=rng)
    fit = sysid.fit(data[:1000], sysid.Readout(1e-8, 100), start=esn)
    rest = data[1000:]
    bare = sysid.validate(fit.model, rest, unscored=150)
    assert bare.fit_prediction[0] > 95 and bare.fit_simulation[0] > sysid.validate(fit.model, rest, unscored=0).fit_simulation[0]
    assert np.allclose(bare.predicted[0], sysid.simulate(fit.model, feedback=rest.y).y)
    assert np.allclose(bare.simulated[0][:151], bare.predicted[0][:151])  # taught, and the first output of its own
    known = sysid.validate(fit, rest)
    exact = sysid.predict(fit.process, rest)
    assert np.abs(known.predicted[0] - exact)[150:].max() < 1e-3 * rest.y.std()  # the filter has forgotten its start by then
    assert known.fit_prediction[0] > 95
    assert "residuals, std" in repr(fit)
    with pytest.raises(ValueError, match="no history to draw"):
        fit.plot()
    with pytest.raises(ValueError, match=r"simulate\(model, feedback=y\)"):
        sysid.simulate(fit.model, rest.y)
    with pytest.raises(TypeError, match="feedback=y"):
        sysid.predict(fit.model, rest)
