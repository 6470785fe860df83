"""Heavy tails: robust updates beat the Gaussian filter where there are outliers and equal it where there can be none."""

import numba
import numpy as np
import pytest
from scipy import integrate, stats

import sysid
from tests.inference.test_kalman import problem
from tests.inference.test_nonlinear import pendulum_process

METHODS = [sysid.RobustKalman(sysid.StudentT(3.0)), sysid.RobustKalman(sysid.Huber(1.345)),
           sysid.RobustSmoother(sysid.StudentT(3.0)), sysid.RobustSmoother(sysid.Huber(1.345))]  # fmt: skip
IDS = [f"{type(m).__name__} {type(m.tails).__name__}" for m in METHODS]


def contaminated(seed, T=300):
    """A slow oscillation, two outputs of correlated noise, one measurement in ten off by thirty deviations."""
    rng = np.random.default_rng(seed)
    A = 0.99 * np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    model = sysid.LTI(A, None, np.eye(2))
    process = sysid.Process(model, Q=0.01, R=[[0.5, 0.2], [0.2, 0.5]], initial=sysid.Gaussian(np.zeros(2), np.eye(2)))
    path = sysid.simulate(process, n_steps=T, rng=rng)
    y = path.y.copy()
    y[rng.random(y.shape) < 0.1] += 20.0 * rng.choice([-1.0, 1.0])
    y[rng.random(y.shape) < 0.05] = np.nan
    return process, sysid.Data(y), path.x


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_outliers_cost_the_robust_methods_little(method):
    for seed in range(3):
        process, data, x = contaminated(seed)
        gauss, robust = sysid.smooth(process, data), sysid.smooth(process, data, method)
        laws = [(gauss.smoothed, robust.smoothed)]
        if isinstance(method, sysid.RobustKalman):
            laws.append((gauss.filter.filtered, robust.filter.filtered))
        for a, b in laws:
            assert np.mean((b.mean - x) ** 2) < 0.5 * np.mean((a.mean - x) ** 2)
            assert np.array_equal(b.cov, b.cov.swapaxes(1, 2)) and np.linalg.eigvalsh(b.cov).min() > 0
        w = robust.weights
        off = np.abs(data.y - x) > 10
        assert w.shape == data.y.shape and np.array_equal(np.isnan(w), data.missing)
        assert np.nanmax(w[off]) < 0.5 < np.nanmedian(w[~off])
        assert robust.summary()["measurements of weight below 0.5"] >= off.sum()
        if isinstance(method, sysid.RobustKalman):
            assert robust.log_likelihood > gauss.log_likelihood


@pytest.mark.parametrize("tails", [sysid.StudentT(1e9), sysid.Huber(1e6)], ids=["StudentT", "Huber"])
@pytest.mark.parametrize("method", [sysid.RobustKalman, sysid.RobustSmoother])
def test_without_tails_they_are_the_gaussian_methods(tails, method):
    process, data = problem(3, missing=0.2)
    one, two = sysid.smooth(process, data), sysid.smooth(process, data, method(tails))
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-6)
    for a, b in ((one.filter.filtered, two.filter.filtered), (one.smoothed, two.smoothed)):
        np.testing.assert_allclose(b.mean, a.mean, atol=1e-6)
        np.testing.assert_allclose(b.cov, a.cov, atol=1e-6)


def scalar(value, tails, R=0.5, P=2.0):
    process = sysid.Process(sysid.LTI([[1.0]], None, [[1.0]]), Q=0.0, R=R, initial=sysid.Gaussian([0.0], [[P]]))
    return sysid.filter(process, sysid.Data([value]), sysid.RobustKalman(tails))


@pytest.mark.parametrize("value", [0.1, 1.0, 4.0, 30.0])
def test_the_huber_update_is_the_mode_and_its_likelihood_close_to_the_integral(value):
    k, R, P = 1.345, 0.5, 2.0

    def minus_log(x):
        e = abs(value - x) / np.sqrt(R)
        return 0.5 * x * x / P + (0.5 * e * e if e <= k else k * e - 0.5 * k * k)

    f = scalar(value, sysid.Huber(k))
    grid = np.linspace(f.filtered.mean[0, 0] - 0.01, f.filtered.mean[0, 0] + 0.01, 2001)
    assert abs(grid[np.argmin([minus_log(x) for x in grid])] - f.filtered.mean[0, 0]) < 2e-5
    mass = integrate.quad(lambda v: np.exp(-(0.5 * v * v if abs(v) <= k else k * abs(v) - 0.5 * k * k)), -np.inf, np.inf)[0] * np.sqrt(R)
    exact = np.log(integrate.quad(lambda x: np.exp(-minus_log(x)), -40, 40, points=[0, value], limit=200)[0] / mass / np.sqrt(2 * np.pi * P))
    assert f.log_likelihood == pytest.approx(exact, abs=0.35)


@pytest.mark.parametrize("value", [0.1, 1.0, 4.0, 30.0])
def test_the_student_likelihood_is_a_lower_bound_close_to_the_integral(value):
    nu, R, P = 4.0, 0.5, 2.0
    f = scalar(value, sysid.StudentT(nu))
    exact = np.log(integrate.quad(lambda x: stats.t.pdf((value - x) / np.sqrt(R), nu) / np.sqrt(R) * stats.norm.pdf(x, scale=np.sqrt(P)),
                                  -40, 60, points=[0, value], limit=200)[0])  # fmt: skip
    assert exact - 0.5 < f.log_likelihood <= exact + 1e-9
    w = f.weights[0, 0]
    mean, cov = f.filtered.mean[0, 0], f.filtered.cov[0, 0, 0]
    assert w == pytest.approx((nu + 1) / (nu + ((value - mean) ** 2 + cov) / R), rel=1e-6)  # the fixed point
    assert cov == pytest.approx(1 / (1 / P + w / R), rel=1e-6)


def test_the_robust_smoother_takes_a_diffuse_start_and_ends_at_rest():
    rng = np.random.default_rng(0)
    y = np.cumsum(rng.standard_normal(80)) + rng.standard_normal(80)
    y[[10, 40, 41]] += 50.0
    process = sysid.Process(sysid.LTI([[1.0]], None, [[1.0]]), Q=1.0, R=1.0, initial=sysid.Diffuse())
    s = sysid.smooth(process, sysid.Data(y), sysid.RobustSmoother(sysid.Huber()))
    assert s.status.converged and np.nanmax(s.weights[[10, 40, 41]]) < 0.1

    def cost(x):
        e = np.abs(y - x)
        return ((x[1:] - x[:-1]) ** 2).sum() + 2 * np.where(e <= 1.345, 0.5 * e * e, 1.345 * e - 0.5 * 1.345**2).sum()

    path = s.smoothed.mean[:, 0]
    for _ in range(20):
        assert cost(path) <= cost(path + 1e-3 * rng.standard_normal(80))
    few = sysid.smooth(process, sysid.Data(y), sysid.RobustSmoother(sysid.Huber(), max_iterations=2))
    assert not few.status.converged and "2 turns" in few.summary()["iteration"]


def test_a_nonlinear_model_and_plain_functions_are_taken_too():
    process = pendulum_process()
    path = sysid.simulate(process, n_steps=60, rng=np.random.default_rng(1))
    y = path.y.copy()
    y[::10] += 8.0
    data = sysid.Data(y, dt=0.01)
    robust, gauss = sysid.smooth(process, data, sysid.RobustKalman()), sysid.smooth(process, data)
    assert np.mean((robust.smoothed.mean - path.x)[:, 0] ** 2) < np.mean((gauss.smoothed.mean - path.x)[:, 0] ** 2)
    model = process.model
    plain = sysid.Process(sysid.Nonlinear(model.f.py_func, model.g.py_func, 2, 0, 1, dt=0.01), process.Q, process.R, initial=process.initial)
    np.testing.assert_allclose(sysid.filter(plain, data[:15], sysid.RobustKalman()).filtered.mean,
                               sysid.filter(process, data[:15], sysid.RobustKalman()).filtered.mean, rtol=1e-9)  # fmt: skip


def test_what_cannot_be_weighted_is_refused_in_a_sentence():
    process, data = problem(3)
    with pytest.raises(TypeError, match="StudentT"):
        sysid.RobustKalman("student")
    with pytest.raises(ValueError, match="degrees"):
        sysid.StudentT(0.0)
    with pytest.raises(ValueError, match="threshold"):
        sysid.Huber(-1.0)
    singular = sysid.Process(process.model, process.Q, 0.0, initial=process.initial)
    for method in METHODS:
        with pytest.raises(ValueError, match="regular R"):
            sysid.smooth(singular, data, method)
    missing = sysid.Data(np.full_like(data.y, np.nan), data.u)
    f = sysid.filter(process, missing, sysid.RobustKalman())
    assert f.log_likelihood == 0.0 and np.array_equal(f.filtered.cov, f.predicted.cov)

    @numba.njit
    def wild(x, u, p, t):
        return x * x * 1e200

    @numba.njit
    def see(x, u, p, t):
        return x.copy()

    bad = sysid.Process(sysid.Nonlinear(wild, see, 1, 0, 1), 1.0, 1.0, initial=sysid.Gaussian([1.0], [[1.0]]))
    for method in (sysid.RobustKalman(), sysid.ExtendedKalman(form="sqrt"), sysid.UnscentedKalman(form="sqrt")):
        with pytest.raises(FloatingPointError, match="time step"):
            sysid.filter(bad, sysid.Data(np.ones(50)), method)
