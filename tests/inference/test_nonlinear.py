"""Nonlinear filters: exact on linear models, close to a grid on a nonlinear one, stable on long runs, plain = compiled."""

import numba
import numpy as np
import pytest

import sysid
from tests.inference.test_kalman import problem

METHODS = [sysid.ExtendedKalman(), sysid.IteratedKalman(), sysid.UnscentedKalman(), sysid.UnscentedKalman(alpha=1e-3),
           sysid.CubatureKalman(), sysid.GaussHermiteKalman(3)]  # fmt: skip


@numba.njit
def pendulum(x, u, p, t):
    return np.array([x[0] + 0.01 * x[1], x[1] - 9.81 * 0.01 * np.sin(x[0])])


@numba.njit
def sine(x, u, p, t):
    return np.array([np.sin(x[0])])


def pendulum_process(f=pendulum, g=sine):
    model = sysid.Nonlinear(f, g, n_states=2, n_inputs=0, n_outputs=1, dt=0.01)
    Q = 0.01 * np.array([[0.01**3 / 3, 0.01**2 / 2], [0.01**2 / 2, 0.01]])
    return sysid.Process(model, Q=Q, R=0.1, initial=sysid.Gaussian([1.6, 0.0], np.diag([0.1, 0.1])))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_every_filter_and_its_smoother_is_exact_on_a_linear_model(method):
    process, data = problem(3, missing=0.2)
    linear, other = sysid.smooth(process, data), sysid.smooth(process, data, method)
    assert other.log_likelihood == pytest.approx(linear.log_likelihood, rel=1e-8)
    for a, b in ((other.filter.filtered, linear.filter.filtered), (other.smoothed, linear.smoothed)):
        np.testing.assert_allclose(a.mean, b.mean, atol=1e-8)
        np.testing.assert_allclose(a.cov, b.cov, atol=1e-8)
    np.testing.assert_allclose(other.cross_cov, linear.cross_cov, atol=1e-8)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_the_pendulum_is_tracked_and_smoothing_helps(method):
    process = pendulum_process()
    path = sysid.simulate(process, n_steps=500, rng=np.random.default_rng(1))
    s = sysid.smooth(process, sysid.Data(path.y, dt=0.01), method)
    filtered = np.sqrt(np.mean((s.filter.filtered.mean - path.x)[:, 0] ** 2))
    smoothed = np.sqrt(np.mean((s.smoothed.mean - path.x)[:, 0] ** 2))
    assert smoothed < filtered < 0.2
    for law in (s.filter.filtered, s.smoothed):
        assert np.array_equal(law.cov, law.cov.swapaxes(1, 2)) and np.linalg.eigvalsh(law.cov).min() > 0


@pytest.mark.parametrize("method", METHODS[:3], ids=lambda m: type(m).__name__)
def test_plain_functions_give_the_numbers_of_compiled_ones(method):
    path = sysid.simulate(pendulum_process(), n_steps=15, rng=np.random.default_rng(1))
    data = sysid.Data(path.y, dt=0.01)
    fast = sysid.filter(pendulum_process(), data, method)
    plain = sysid.filter(pendulum_process(pendulum.py_func, sine.py_func), data, method)
    np.testing.assert_allclose(plain.filtered.cov, fast.filtered.cov, rtol=1e-12)
    assert plain.log_likelihood == pytest.approx(fast.log_likelihood, rel=1e-12)


def test_gauss_hermite_integrates_a_square_exactly_and_linearisation_does_not():
    """y = x^2/2 + v from x ~ N(1, .3): E y = .65, Var y = (2 .3^2 + 4 .3)/4 + R."""

    @numba.njit
    def stay(x, u, p, t):
        return x.copy()

    @numba.njit
    def square(x, u, p, t):
        return 0.5 * x * x

    model = sysid.Nonlinear(stay, square, 1, 0, 1)
    process = sysid.Process(model, Q=0.1, R=0.05, initial=sysid.Gaussian([1.0], [[0.3]]))
    data = sysid.Data([0.9])
    for method in (sysid.GaussHermiteKalman(3), sysid.UnscentedKalman(alpha=1.0, kappa=2.0)):
        f = sysid.filter(process, data, method)
        assert f.y_mean[0, 0] == pytest.approx(0.65, rel=1e-12)
    assert sysid.filter(process, data, sysid.GaussHermiteKalman(3)).y_cov[0, 0, 0] == pytest.approx(0.345 + 0.05, rel=1e-12)
    assert sysid.filter(process, data, sysid.ExtendedKalman()).y_mean[0, 0] == 0.5


def test_time_enters_functions_and_wrong_shapes_are_said():
    @numba.njit
    def ramp(x, u, p, t):
        return np.array([t])

    @numba.njit
    def see(x, u, p, t):
        return x.copy()

    model = sysid.Nonlinear(ramp, see, 1, 0, 1, dt=0.5)
    process = sysid.Process(model, Q=1e-6, R=1.0, initial=sysid.Gaussian([0.0], [[1e-9]]))
    f = sysid.filter(process, sysid.Data(np.full(4, np.nan), dt=0.5))
    np.testing.assert_allclose(f.predicted.mean[:, 0], [0.0, 0.0, 0.5, 1.0])
    ahead = sysid.forecast(process, sysid.Data(np.full(4, np.nan), dt=0.5), 2)
    np.testing.assert_allclose(ahead.mean[:, 0], [1.5, 2.0])

    def two(x, u, p, t):
        return np.zeros(2)

    wrong = sysid.Process(sysid.Nonlinear(two, see.py_func, 1, 0, 1), 1.0, 1.0)
    with pytest.raises(ValueError, match="expected shape"):
        sysid.filter(wrong, sysid.Data([1.0, 2.0]))


def test_missing_outputs_of_a_fed_back_reservoir_carry_their_noise():
    """With identity activation the closed loop is linear: x+ = A x + G (C x + e) where y is missing."""
    rng = np.random.default_rng(0)
    n = 4
    esn = sysid.ESN(0.3 * rng.standard_normal((n, n)), None, leak=1.0, activation="identity",
                    W_fb=0.3 * rng.standard_normal((n, 1)), C=rng.standard_normal((1, n)))  # fmt: skip
    law = sysid.Gaussian(np.zeros(n), np.eye(n))
    process = sysid.Process(esn, Q=0.1, R=0.5, initial=law)
    y = rng.standard_normal(20)
    ahead = sysid.forecast(process, sysid.Data(y), horizon=6)
    last = sysid.filter(process, sysid.Data(y)).final
    A, G, C = esn.W, esn.W_fb, esn.C
    x, P = last.mean, last.cov
    for t in range(6):
        np.testing.assert_allclose(ahead.mean[t], C @ x, atol=1e-12)
        np.testing.assert_allclose(ahead.cov[t], C @ P @ C.T + 0.5, atol=1e-12)
        x, P = (A + G @ C) @ x, (A + G @ C) @ P @ (A + G @ C).T + 0.1 * np.eye(n) + 0.5 * G @ G.T


@pytest.mark.parametrize("method", METHODS[:1] + METHODS[2:3], ids=lambda m: type(m).__name__)
def test_a_long_run_neither_drifts_nor_breaks(method):
    process = pendulum_process()
    path = sysid.simulate(process, n_steps=20000, rng=np.random.default_rng(1))
    f = sysid.filter(process, sysid.Data(path.y, dt=0.01), method, store="last")
    assert np.isfinite(f.log_likelihoods).all() and np.linalg.eigvalsh(f.final.cov).min() > 0


@pytest.mark.parametrize("initial", [sysid.Diffuse(), sysid.Stationary(), sysid.Blocks(([0], sysid.Diffuse()), ([1], sysid.Stationary()))], ids=["diffuse", "stationary", "both"])  # fmt: skip
def test_the_iterated_smoother_takes_any_start_and_missing_entries_of_correlated_outputs(initial):
    """On a linear model it is the Rauch-Tung-Striebel smoother, in one step; outputs in units far apart."""
    rng = np.random.default_rng(3)
    unit = np.diag([1.0, 1e-7])
    model = sysid.LTI([[0.9, 0.0], [0.0, 0.5]], None, unit @ np.array([[1.0, 1.0], [0.3, -1.0]]))
    y = rng.standard_normal((20, 2)) @ unit
    y[4, 0] = y[9, 1] = y[12] = np.nan
    process = sysid.Process(model, Q=[0.1, 0.2], R=unit @ np.array([[1.0, 0.8], [0.8, 1.0]]) @ unit, initial=initial)
    exact, iterated = sysid.smooth(process, sysid.Data(y)), sysid.smooth(process, sysid.Data(y), sysid.IteratedSmoother())
    assert iterated.status.converged
    np.testing.assert_allclose(iterated.smoothed.mean, exact.smoothed.mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(iterated.smoothed.cov, exact.smoothed.cov, rtol=1e-6, atol=1e-9)
