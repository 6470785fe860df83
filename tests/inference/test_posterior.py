"""Posterior paths, smoothers with a fixed lag, without inverses and iterated; disturbances; consistency tests."""

import numba
import numpy as np
import pytest

import sysid
from tests.inference.test_kalman import problem
from tests.inference.test_nonlinear import pendulum_process
from tests.reference.kalman import dense_posterior


@pytest.mark.parametrize("diffuse", [False, True])
def test_posterior_paths_have_the_smoothed_moments(diffuse):
    process, data = problem(1, T=10)
    if diffuse:
        process = sysid.Process(process.model, process.Q, process.R, initial=sysid.Diffuse())
    paths = sysid.sample_posterior(process, data, 4000, np.random.default_rng(0))
    s = sysid.smooth(process, data)
    errors = np.abs(paths.mean(0) - s.smoothed.mean) / (s.smoothed.std / np.sqrt(4000))
    assert errors.max() < 4.5
    centred = paths - s.smoothed.mean
    np.testing.assert_allclose(np.einsum("sti,stj->tij", centred, centred) / 4000, s.smoothed.cov, atol=0.12 * s.smoothed.cov.max())
    lagged = np.einsum("sti,stj->tij", centred[:, 1:], centred[:, :-1]) / 4000
    np.testing.assert_allclose(lagged, s.cross_cov, atol=0.12 * s.smoothed.cov.max())


def lag_cases():
    process, data = problem(2, T=15)
    model, Q, R = process.model, process.Q, process.R
    shared = sysid.Data(np.random.default_rng(0).standard_normal((15, data.n_outputs)), data.u)
    y = data.y.copy()
    y[:3], y[1, 0] = np.nan, 1.0
    half = sysid.Blocks(([0, 1], sysid.Diffuse()), ([2], sysid.Gaussian([1.0], [[2.0]])))
    return {
        "proper": (process, data, sysid.Kalman()),
        "factors": (process, data, sysid.Kalman("sqrt")),
        "no gaps": (process, shared, sysid.Kalman("sqrt")),
        "diffuse": (sysid.Process(model, Q, R, initial=sysid.Diffuse()), data, sysid.Kalman()),
        "diffuse, late": (sysid.Process(model, Q, R, initial=sysid.Diffuse()), sysid.Data(y, data.u), sysid.Kalman()),
        "half diffuse, factors": (sysid.Process(model, Q, R, initial=half), data, sysid.Kalman("sqrt")),
        "singular": (sysid.Process(model, np.diag([1.0, 0.0, 0.0]), R, initial=sysid.Diffuse()), data, sysid.Kalman()),
        "extended on factors": (process, data, sysid.ExtendedKalman(form="sqrt")),
    }


@pytest.mark.parametrize("lag", [0, 1, 4, 100])
@pytest.mark.parametrize("case", lag_cases())
def test_fixed_lag_is_the_smoother_of_a_shorter_record(lag, case):
    process, data, method = lag_cases()[case]
    lagged = sysid.smooth(process, data, sysid.FixedLag(lag, method))
    for t in range(data.n_steps):
        short = sysid.smooth(process, data[: min(t + lag + 1, data.n_steps)], sysid.RTS(method))
        finite = np.isfinite(np.diag(short.smoothed.cov[t]))
        np.testing.assert_array_equal(np.isfinite(np.diag(lagged.smoothed.cov[t])), finite)
        if finite.all():
            np.testing.assert_allclose(lagged.smoothed.mean[t], short.smoothed.mean[t], atol=1e-9)
            np.testing.assert_allclose(lagged.smoothed.cov[t], short.smoothed.cov[t], atol=1e-9)
            if 0 < lag and t < data.n_steps - 1:
                np.testing.assert_allclose(lagged.cross_cov[t], short.cross_cov[t], atol=1e-9)


def test_bryson_frazier_equals_rauch_tung_striebel_also_where_covariances_are_singular():
    process, data = problem(3, T=30)
    singular = sysid.Process(process.model, Q=np.diag([1.0, 0.0, 0.0]), R=process.R,
                             initial=sysid.Gaussian(np.zeros(3), np.diag([1.0, 0.0, 2.0])))  # fmt: skip
    for p in (process, singular):
        one, two = sysid.smooth(p, data), sysid.smooth(p, data, sysid.BrysonFrazier())
        np.testing.assert_allclose(two.smoothed.mean, one.smoothed.mean, atol=1e-10)
        np.testing.assert_allclose(two.smoothed.cov, one.smoothed.cov, atol=1e-10)
        np.testing.assert_allclose(two.cross_cov, one.cross_cov, atol=1e-10)


def test_the_iterated_smoother_ends_where_no_path_is_more_probable():
    process = pendulum_process()
    path = sysid.simulate(process, n_steps=60, rng=np.random.default_rng(1))
    data = sysid.Data(path.y, dt=0.01)
    first, best = sysid.smooth(process, data, sysid.ExtendedKalman()), sysid.smooth(process, data, sysid.IteratedSmoother())
    Q, R, P = (np.linalg.inv(M) for M in (process.Q, process.R, process.initial.cov))
    f, g = process.model.f, process.model.g

    def cost(x):
        w = x[1:] - np.array([f(v, np.zeros(0), np.zeros(0), 0.0) for v in x[:-1]])
        v = data.y - np.array([g(z, np.zeros(0), np.zeros(0), 0.0) for z in x])
        d = x[0] - process.initial.mean
        return d @ P @ d + np.einsum("ti,ij,tj", w, Q, w) + np.einsum("ti,ij,tj", v, R, v)

    mode = best.smoothed.mean
    assert cost(mode) < cost(first.smoothed.mean)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = mode + 1e-3 * best.smoothed.std * rng.standard_normal(2)
        assert cost(mode) <= cost(other)


def test_disturbances_are_what_moves_the_smoothed_states():
    process, data = problem(4, T=12)
    s = sysid.smooth(process, data)
    model, x, u = process.model, s.smoothed.mean, data.inputs
    np.testing.assert_allclose(s.state_disturbances, x[1:] - x[:-1] @ model.A.T - u[:-1] @ model.B.T - model.c, atol=1e-12)
    np.testing.assert_allclose(s.output_disturbances, data.y - x @ model.C.T - u @ model.D.T - model.d, atol=1e-12)


@pytest.mark.parametrize("case", ["proper", "correlated", "missing", "factors", "singular"])
def test_disturbances_have_the_covariance_of_the_dense_joint_gaussian(case):
    """w and v are linear in the states given all data, so their covariance follows from that of all states together."""
    process, data = problem(4, T=8, missing=0.3 if case == "missing" else 0.0)
    model, Q, R, law = process.model, process.Q, process.R, process.initial
    n, p = model.n_states, model.n_outputs
    S = 0.3 * np.linalg.cholesky(Q) @ np.ones((n, p)) @ np.linalg.cholesky(R).T / np.sqrt(n * p) if case == "correlated" else None
    if case == "singular":
        Q = np.diag([1.0, 0.0, 0.0])[:n, :n]
    whole = sysid.Process(model, Q, R, S=S, initial=law)
    s = sysid.smooth(whole, data, sysid.Kalman("sqrt" if case == "factors" else "auto"))
    u = data.inputs
    bx, by = u @ model.B.T + model.c, u @ model.D.T + model.d
    mean, cov, _ = dense_posterior(model.A, model.C, Q, R, bx, by, data.y, law.mean, law.cov, S)
    for t in range(7):
        joint = np.block([[cov[t + 1, :, t + 1], cov[t + 1, :, t]], [cov[t, :, t + 1], cov[t, :, t]]])
        M = np.hstack([np.eye(n), -model.A])
        np.testing.assert_allclose(s.state_disturbance_cov[t], M @ joint @ M.T, atol=1e-9)
    seen = ~data.missing
    for t in range(8):
        rows = np.flatnonzero(seen[t])
        np.testing.assert_allclose(s.output_disturbance_cov[t][np.ix_(rows, rows)], (model.C @ cov[t, :, t] @ model.C.T)[np.ix_(rows, rows)], atol=1e-9)
    assert np.isnan(s.output_disturbance_cov[~seen]).all()
    assert np.linalg.eigvalsh(s.state_disturbance_cov).min() > -1e-12


def test_consistency_accepts_the_true_model_and_names_what_is_wrong():
    model = sysid.LTI([[0.9, 0.2], [0.0, 0.7]], None, [[1.0, 0.0]])
    true = sysid.Process(model, Q=0.3, R=0.5)
    path = sysid.simulate(true, n_steps=2000, rng=np.random.default_rng(0))
    data = sysid.Data(path.y)
    good = sysid.consistency(sysid.filter(true, data), path.x)
    assert good.findings == []
    small = sysid.consistency(sysid.filter(sysid.Process(model, Q=0.3, R=0.05), data))
    assert any("too small" in said or "not white" in said for said in small.findings)
    large = sysid.consistency(sysid.filter(sysid.Process(model, Q=3.0, R=5.0), data), path.x)
    assert any("too large" in said for said in large.findings)
    assert "findings" in repr(large)


def test_a_fast_function_of_the_user_runs_through_every_smoother():
    @numba.njit
    def f(x, u, p, t):
        return np.array([0.9 * x[0] + p[0] * u[0]])

    @numba.njit
    def g(x, u, p, t):
        return x**3 + x

    rng = np.random.default_rng(0)
    process = sysid.Process(sysid.Nonlinear(f, g, 1, 1, 1, p=[0.5]), 0.1, 0.1, initial=sysid.Gaussian([0.0], [[1.0]]))
    u = rng.standard_normal((80, 1))
    path = sysid.simulate(process, u, rng=rng)
    data = sysid.Data(path.y, u)
    for method in (sysid.ExtendedKalman(), sysid.CubatureKalman(), sysid.FixedLag(5), sysid.IteratedSmoother()):
        s = sysid.smooth(process, data, method)
        assert np.sqrt(np.mean((s.smoothed.mean - path.x) ** 2)) < 0.35


def test_the_bands_of_consistency_are_those_of_chi_square_for_short_series_too():
    from scipy.stats import chi2
    process = sysid.Process(sysid.LTI([[0.9]], None, [[1.0]]), 0.2, 0.5, initial=sysid.Gaussian([0.0], 1.0))
    rng, inside, white = np.random.default_rng(5), 0, 0
    for _ in range(400):
        y = sysid.simulate(process, n_steps=8, rng=rng).y
        y[3] = np.nan
        found = sysid.consistency(sysid.filter(process, sysid.Data(y)))
        inside += found.nis_band[0] <= found.nis_share <= found.nis_band[1]
    assert np.allclose(found.nis_band, chi2.ppf([0.025, 0.975], 7) / 7)
    assert 364 <= inside <= 394  # 380 expected, standard deviation 4.4
    for _ in range(200):
        y = sysid.simulate(process, n_steps=120, rng=rng).y
        y[rng.random(120) < 0.3] = np.nan
        white += sysid.consistency(sysid.filter(process, sysid.Data(y))).whiteness[0] > 0.05
    assert 180 <= white <= 200


def test_a_gap_does_not_hide_that_innovations_are_coloured():
    process = sysid.Process(sysid.LTI([[0.0]], None, [[1.0]]), 1.0, 1e-6, initial=sysid.Gaussian([0.0], 1.0))
    y = np.sin(np.pi * np.arange(400) / 2)  # a period of four, of which every fourth sample is missing
    y[::4] = np.nan
    assert sysid.consistency(sysid.filter(process, sysid.Data(y))).whiteness[0] < 1e-6
