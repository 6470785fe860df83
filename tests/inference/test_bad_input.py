"""Bad input to the estimation verbs gets one clear sentence."""

import numpy as np
import pytest

import sysid

LAW = sysid.Gaussian(np.zeros(2), np.eye(2))
MODEL = sysid.LTI(0.5 * np.eye(2), np.ones((2, 1)), np.ones((2, 2)), dt=0.1)
PROCESS = sysid.Process(MODEL, 0.1, 0.1, initial=LAW)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sysid.filter(MODEL, sysid.Data(np.zeros((5, 2)), dt=0.1)), TypeError, "sysid.Process"),
        (lambda: sysid.filter(PROCESS, np.zeros((5, 2))), TypeError, "sysid.Data"),
        (lambda: sysid.filter(PROCESS, sysid.Data(np.zeros((2, 500)), np.zeros((2, 1)), dt=0.1)), ValueError, "transpose"),
        (lambda: sysid.filter(PROCESS, sysid.Data(np.zeros((5, 2)), dt=0.1)), ValueError, "inputs u"),
        (lambda: sysid.filter(PROCESS, sysid.Data(np.zeros((5, 2)), np.zeros((5, 1)), dt=0.2)), ValueError, "dt = 0.1"),
        (lambda: sysid.filter(PROCESS, sysid.Data(np.zeros((5, 2)), np.zeros((5, 1)), dt=0.1), sysid.Kalman), TypeError, "method"),
        (lambda: sysid.Kalman(form="fast"), ValueError, "form"),
        (lambda: sysid.forecast(PROCESS, sysid.Data(np.zeros((5, 2)), np.zeros((5, 1)), dt=0.1), 3), ValueError, "future inputs"),
        (lambda: sysid.forecast(PROCESS, sysid.Data(np.zeros((5, 2)), np.zeros((5, 1)), dt=0.1), 3, u=np.zeros((4, 1))),
         ValueError, "one row a step"),
    ],
)
def test_one_clear_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_an_unstable_model_has_no_stationary_start():
    process = sysid.Process(sysid.LTI([[1.1]], None, [[1.0]]), 1.0, 1.0, initial=sysid.Stationary())
    with pytest.raises(ValueError, match=r"modulus up to 1\.1"):
        sysid.filter(process, sysid.Data(np.zeros(5)))


def test_all_missing_returns_the_prior_propagated():
    data = sysid.Data(np.full((4, 2), np.nan), np.ones((4, 1)), dt=0.1)
    f = sysid.filter(PROCESS, data)
    assert f.log_likelihood == 0.0
    np.testing.assert_allclose(f.filtered.mean[:, 0], [0.0, 1.0, 1.5, 1.75])
    np.testing.assert_array_equal(f.filtered.cov, f.predicted.cov)


def test_a_function_that_leaves_the_numbers_is_named_with_its_time():
    import numba

    @numba.njit
    def f(x, u, p, t):
        return x * x * 1e200

    @numba.njit
    def g(x, u, p, t):
        return x.copy()

    model = sysid.Nonlinear(f, g, 1, 0, 1)
    process = sysid.Process(model, 1.0, 1.0, initial=sysid.Gaussian([1.0], [[1.0]]))
    with pytest.raises(FloatingPointError, match="time step"):
        sysid.filter(process, sysid.Data(np.ones(50)))


def test_a_forecast_of_a_bare_reservoir_names_what_is_missing_or_misshaped():
    rng = np.random.default_rng(0)
    esn = sysid.ESN.random(5, 0, 1, rng=rng)
    with pytest.raises(ValueError, match="expected an ESN with a readout"):
        sysid.forecast(sysid.ESN.random(5, 1, rng=rng), sysid.Data(np.ones((10, 1)), np.ones((10, 1))), 5)
    with pytest.raises(ValueError, match=r"forecast: expected y with shape \(T, 1\)"):
        sysid.forecast(esn.with_readout(np.ones((1, 5))), sysid.Data(np.ones((10, 2))), 5)


NEW = [sysid.RobustKalman(), sysid.RobustKalman(sysid.Huber()), sysid.RobustSmoother(), sysid.RobustSmoother(sysid.Huber()), sysid.FixedLag(3),
       sysid.ExtendedKalman(form="sqrt"), sysid.UnscentedKalman(form="sqrt"), sysid.CubatureKalman(form="sqrt")]  # fmt: skip


@pytest.mark.parametrize("method", NEW, ids=repr)
def test_every_method_returns_the_prior_propagated_where_all_is_missing(method):
    data = sysid.Data(np.full((4, 2), np.nan), np.ones((4, 1)), dt=0.1)
    s, plain = sysid.smooth(PROCESS, data, method), sysid.smooth(PROCESS, data)
    assert s.log_likelihood == 0.0
    np.testing.assert_allclose(s.smoothed.mean, plain.smoothed.mean, atol=1e-12)
    np.testing.assert_allclose(s.smoothed.cov, plain.smoothed.cov, atol=1e-12)


@pytest.mark.parametrize("method", [sysid.ExtendedKalman(), *NEW], ids=repr)
@pytest.mark.parametrize("fault", ["raises", "shape", "nan"])
def test_a_fault_of_a_users_function_is_reported_with_its_time_and_arguments(method, fault):
    def f(x, u, p, t):
        if t < 2:
            return x.copy()
        if fault == "raises":
            raise RuntimeError("no such table")
        return np.zeros(5) if fault == "shape" else x * np.nan

    def g(x, u, p, t):
        return x[:1].copy()

    process = sysid.Process(sysid.Nonlinear(f, g, 2, 0, 1), 1.0, 1.0, initial=sysid.Gaussian(np.zeros(2), np.eye(2)))
    error, words = {"raises": (RuntimeError, "no such table"), "shape": (ValueError, r"expected shape \(2,\); received \(5,\)"),
                    "nan": (FloatingPointError, "not finite")}[fault]  # fmt: skip
    with pytest.raises(error, match=rf"f\(x=\[.*\], u=\[\], p, t=2\).*{words}"):
        sysid.smooth(process, sysid.Data(np.zeros(6)), method)


def test_an_indefinite_covariance_is_named_with_its_time_and_eigenvalue():
    with pytest.raises(ValueError, match="Q at time 1 positive semidefinite; received an eigenvalue -1"):
        sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=np.array([[[1.0]], [[-1.0]]]), R=1.0)
