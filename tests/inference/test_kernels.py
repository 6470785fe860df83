"""Fast paths equal the general ones: small steps, blocked gains, difference forms, frozen recursions, batches."""

import numba
import numpy as np
import pytest

import sysid
from sysid.kernels import conditioning, extended, handful, propagation, sigma_points, sigma_steps, smoothing


def covariance(rng, n):
    L = rng.standard_normal((n, n))
    return L @ L.T + 0.1 * np.eye(n)


def workspace(n, p):
    return [np.empty(shape) for shape in ((n, p), (p, p), (n, n), (p, n), (p, p), (n, n), (n, p), (2, max(n, p)), (2,))]


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (4, 2), (5, 3), (6, 4), (3, 8)])
def test_the_update_of_a_handful_of_states_is_the_general_one(n, p):
    rng = np.random.default_rng([n, p])
    for _ in range(20):
        P, C, R = covariance(rng, n), rng.standard_normal((p, n)), covariance(rng, p)
        seen = rng.random(p) < 0.7
        small, general = workspace(n, p), workspace(n, p)
        K, W, out, M, S, _T, _V, _root, info = small
        assert handful.gained(P, C, R, seen, K, W, out, M, S, info)
        conditioning.careful(P, C, R, seen, *general)
        for ours, theirs in zip((K, W, out, info), (general[0], general[1], general[2], general[8])):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max(initial=1e-300))
        assert (out == out.T).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_the_prediction_of_a_handful_of_states_is_the_general_one(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        A, P, Q = rng.standard_normal((n, n)), covariance(rng, n), covariance(rng, n)
        AT, small, general, work, root = np.ascontiguousarray(A.T), *(np.empty((n, n)) for _ in range(3)), np.empty((2, n))
        propagation.careful(AT, P, Q, work, root, general)
        assert handful.carried(AT, P, Q, work, small)
        np.testing.assert_allclose(small, general, rtol=0, atol=1e-13 * np.abs(general).max())
        np.testing.assert_allclose(small, A @ P @ A.T + Q, rtol=0, atol=1e-13 * np.abs(general).max())


@pytest.mark.parametrize(("n", "p"), [(1, 1), (4, 2), (6, 4), (3, 8)])
def test_the_joint_update_of_mean_and_covariance_is_the_textbook_one(n, p):
    rng = np.random.default_rng([n, p])
    for _ in range(20):
        P, C, R, x, e = covariance(rng, n), rng.standard_normal((p, n)), covariance(rng, p), rng.standard_normal(n), rng.standard_normal(p)
        seen = rng.random(p) < 0.7
        S = (C @ P @ C.T + R)[np.ix_(seen, seen)]
        K = P @ C[seen].T @ np.linalg.inv(S)
        moved, left = x + K @ e[seen], P - K @ S @ K.T
        density = -0.5 * (seen.sum() * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + e[seen] @ np.linalg.solve(S, e[seen]))
        out, V, factor = np.empty((n, n)), np.full((p, n), np.nan), np.full((p, p), np.nan)
        assert handful.absorb(P, C, R, seen, e, V, factor, x, out) == pytest.approx(density, rel=1e-10)
        np.testing.assert_allclose(x, moved, rtol=0, atol=1e-11 * np.abs(moved).max())
        np.testing.assert_allclose(out, left, rtol=0, atol=1e-12 * np.abs(P).max())
        assert (out == out.T).all()


@pytest.mark.parametrize("method", [sysid.UnscentedKalman(), sysid.UnscentedKalman(alpha=0.3), sysid.CubatureKalman()], ids=str)
@pytest.mark.parametrize(("n", "m"), [(4, 3), (sigma_steps.BLAS + 2, sigma_steps.BLAS + 1)])
def test_points_on_axes_give_the_regression_of_any_points(method, n, m):
    rng = np.random.default_rng(0)
    rule, P, LT, inverse = method.points(n), covariance(rng, n), np.empty((n, n)), np.empty(n)
    first, noise = len(rule.xi) % 2, covariance(rng, m)
    sigma_steps.factor(n, P, LT, inverse)
    np.testing.assert_allclose(LT.T @ LT, P, rtol=0, atol=1e-15 * n * np.abs(P).max())
    assert (np.tril(LT, -1) == 0).all()
    np.testing.assert_allclose(inverse, 1 / np.diag(LT), rtol=1e-14)
    x, at = np.arange(float(n)), np.empty_like(rule.xi)
    sigma_steps.place(x, LT, rule.xi, at)
    np.testing.assert_allclose(at, x + rule.xi @ LT, rtol=1e-13, atol=1e-14)
    on_axes = at.copy()
    sigma_steps.place_on_axes(n, x, LT, rule.arm, on_axes[first:])
    np.testing.assert_allclose(on_axes, at, rtol=1e-13, atol=1e-14)
    F = np.sin(at[:, :m]) + at[:, 1:] ** 2
    about, weights, general, axes = rule.about_first, rule.weights, *([np.empty(m), np.empty((n, m)), np.empty((m, m))] for _ in range(2))
    sigma_steps.regress(F.copy(), rule.xi, weights, about, rule.excess, noise, *general)
    values = F.copy()
    sigma_steps.regress_on_axes(m, n, values[0], values[first:], weights[-1], rule.arm, about, rule.excess, noise, *axes)
    for one, other in zip(axes, general):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * np.abs(other).max())
    mean, slope, spread = general
    np.testing.assert_allclose(mean, weights @ F, rtol=1e-12)
    centre_weight = weights.copy()
    centre_weight[0] += 1 + rule.excess if about else 0.0  # the covariance that these weights define: about the mean, all of it
    whole = (centre_weight[:, None] * (F - mean)).T @ (F - mean)
    np.testing.assert_allclose(slope.T @ slope + spread - noise, whole, rtol=0, atol=1e-9 * np.abs(whole).max())
    AT = np.empty((n, m))
    sigma_steps.divide(m, n, slope, LT, inverse, AT)
    np.testing.assert_allclose(LT @ AT, slope, rtol=0, atol=1e-12)
    square = np.empty((m, m))
    sigma_steps.add_square(m, slope[:m], noise, square)
    np.testing.assert_allclose(square, noise + slope[:m].T @ slope[:m], rtol=1e-13)


def test_a_vanished_direction_has_no_row_in_the_factor():
    P = np.array([[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 9.0]])
    LT, inverse = np.empty((3, 3)), np.empty(3)
    sigma_steps.factor(3, P, LT, inverse)
    assert (LT[1] == 0).all()
    assert inverse[1] == 0
    np.testing.assert_allclose(LT.T @ LT, P, rtol=1e-15)


@pytest.mark.parametrize("method", [sysid.UnscentedKalman(alpha=0.5), sysid.CubatureKalman(), sysid.ExtendedKalman()], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_filter_for_a_number_of_states_is_the_one_for_any(method, n, monkeypatch):
    rng = np.random.default_rng(n)
    A, C = rng.standard_normal((n, n)), rng.standard_normal((2, n))

    @numba.njit
    def f(x, u, p, t):
        return np.tanh(p[:n * n].copy().reshape((n, n)) @ x) + 0.1 * t % 1.0

    @numba.njit
    def g(x, u, p, t):
        return np.sin(p[n * n:].copy().reshape((2, n)) @ x)

    model = sysid.Nonlinear(f, g, n, 0, 2, p=np.r_[A.ravel(), C.ravel()])
    process = sysid.Process(model, 0.1, 0.2, initial=sysid.Gaussian(np.zeros(n), np.eye(n)))
    y = rng.standard_normal((60, 2))
    y[rng.random(y.shape) < 0.2] = np.nan
    data = sysid.Data(y)
    fast = sysid.filter(process, data, method)
    for module, name in ((sigma_points, "sigma_filter"), (extended, "extended")):
        any_number = getattr(module, name)(0)
        monkeypatch.setattr(module, name, lambda *_, whole=any_number: whole)
    slow = sysid.filter(process, data, method)
    assert fast.log_likelihood == pytest.approx(slow.log_likelihood, rel=1e-12)
    for one, other in ((fast.filtered, slow.filtered), (fast.predicted, slow.predicted)):
        np.testing.assert_allclose(one.mean, other.mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.cov, other.cov, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [propagation.LARGE, propagation.LARGE + 1, 100, 127])
def test_the_prediction_of_many_states_by_blocks_is_the_textbook_one(n):
    rng = np.random.default_rng(n)
    A, P, Q = rng.standard_normal((n, n)), covariance(rng, n), covariance(rng, n)
    AT, out, kept = np.ascontiguousarray(A.T), np.empty((n, n)), P.copy()
    assert propagation.propagate(AT, P, Q, np.empty((n, n)), np.empty((2, n)), out) > 0
    expected = A @ P @ A.T + Q
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert (out == out.T).all()
    assert (kept == P).all()


def test_small_steps_leave_to_the_general_form_what_cancels():
    n = 2
    P, C, R = np.eye(n), np.array([[1.0, 0.0]]), np.array([[1e-9]])  # a share of 1e-9 is left
    K, W, out, M, S, _T, _V, _root, info = workspace(n, 1)
    assert not handful.gained(P, C, R, np.ones(1, bool), K, W, out, M, S, info)
    A = np.array([[1.0, -1.0], [0.0, 1.0]])
    close = np.array([[1.0, 1.0 - 1e-7], [1.0 - 1e-7, 1.0]])
    assert not handful.carried(np.ascontiguousarray(A.T), close, np.zeros((n, n)), np.empty((n, n)), np.empty((n, n)))
    assert np.isnan(handful.absorb(P, C, R, np.ones(1, bool), np.zeros(1), M, S, np.zeros(n), out))


@pytest.mark.parametrize("n", [3, smoothing.BLOCK, smoothing.BLOCK + 1, 60])
def test_the_blocked_solve_solves(n):
    rng = np.random.default_rng(n)
    P, X = covariance(rng, n), rng.standard_normal((n, n))
    solved = X.copy()
    smoothing.solve(P, np.diag(P).copy(), np.empty((n, n)), solved)
    np.testing.assert_allclose(P @ solved, X, rtol=0, atol=1e-10)


def test_the_blocked_solve_leaves_out_vanished_directions():
    n = 40
    rng = np.random.default_rng(0)
    L = rng.standard_normal((n, n - 5))
    P = L @ L.T
    X = P @ rng.standard_normal((n, 3))
    solved = X.copy()
    assert smoothing.solve(P, np.diag(P).copy(), np.empty((n, n)), solved) == 0.0
    np.testing.assert_allclose(P @ solved, X, rtol=0, atol=1e-7)


def problem(n, p, T, missing=0.0, seed=0):
    rng = np.random.default_rng([n, p, seed])
    A = rng.standard_normal((n, n))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    C = rng.standard_normal((p, n))
    y = rng.standard_normal((T, p))
    y[rng.random((T, p)) < missing] = np.nan
    return A, C, 0.1 * covariance(rng, n), covariance(rng, p), sysid.Gaussian(rng.standard_normal(n), covariance(rng, n)), y


@pytest.mark.parametrize(("n", "p"), [(2, 1), (4, 2), (10, 2), (30, 5)])
def test_a_frozen_recursion_and_its_restart_at_a_gap_equal_the_one_that_never_stops(n, p):
    T = 300
    A, C, Q, R, start, y = problem(n, p, T)
    y[150, 0], y[220:224] = np.nan, np.nan
    stops = sysid.smooth(sysid.Process(sysid.LTI(A, None, C), Q, R, initial=start), sysid.Data(y))
    assert len(stops.filter.traces[0].Pf) < 280, "the recursion did not stop: the test shows nothing"
    every = sysid.LTV(np.broadcast_to(A, (T, n, n)), None, C)
    runs_on = sysid.smooth(sysid.Process(every, Q, R, initial=start), sysid.Data(y))
    for ours, theirs in ((stops.filter.predicted, runs_on.filter.predicted), (stops.filter.filtered, runs_on.filter.filtered),
                         (stops.smoothed, runs_on.smoothed)):  # fmt: skip
        scale = np.abs(theirs.cov).max()
        np.testing.assert_allclose(ours.cov, theirs.cov, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=0, atol=1e-11 * np.sqrt(scale))
    np.testing.assert_allclose(stops.filter.log_likelihoods, runs_on.filter.log_likelihoods, rtol=1e-11)


def test_the_frozen_likelihood_of_a_slow_model_is_exact():
    n, p, T = 4, 2, 20000
    A, C, Q, R, start, y = problem(n, p, T)
    A *= 0.9999 / 0.9
    frozen = sysid.filter(sysid.Process(sysid.LTI(A, None, C), Q, R, initial=start), sysid.Data(y), store="last")
    every = sysid.LTV(np.broadcast_to(A, (T, n, n)), None, C)
    exact = sysid.filter(sysid.Process(every, Q, R, initial=start), sysid.Data(y), store="last")
    assert abs(frozen.log_likelihood / exact.log_likelihood - 1) < 1e-12


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_a_batch_is_a_loop(missing):
    A, C, Q, R, start, _ = problem(4, 2, 1)
    rng = np.random.default_rng(3)
    u, y = rng.standard_normal((7, 80, 1)), rng.standard_normal((7, 80, 2))
    y[rng.random(y.shape) < missing] = np.nan
    process = sysid.Process(sysid.LTI(A, rng.standard_normal((4, 1)), C), Q, R, initial=start)
    batch = sysid.smooth(process, sysid.Data(y, u))
    for s in range(len(y)):
        alone = sysid.smooth(process, sysid.Data(y[s], u[s]))
        for ours, theirs in ((batch.filter.filtered, alone.filter.filtered), (batch.smoothed, alone.smoothed)):
            np.testing.assert_allclose(ours.mean[s], theirs.mean, rtol=0, atol=1e-13)
            np.testing.assert_allclose(ours.cov[s], theirs.cov, rtol=0, atol=1e-13)
        np.testing.assert_allclose(batch.filter.y_mean[s], alone.filter.y_mean, rtol=0, atol=1e-13)
        np.testing.assert_allclose(batch.filter.log_likelihoods[s], alone.filter.log_likelihoods, rtol=0, atol=1e-12)
        np.testing.assert_allclose(batch.filter.final[s].mean, alone.filter.final.mean, rtol=0, atol=1e-13)


def test_covariances_shown_cannot_be_changed_behind_the_smoother():
    A, C, Q, R, start, y = problem(2, 1, 30, missing=0.5)
    f = sysid.filter(sysid.Process(sysid.LTI(A, None, C), Q, R, initial=start), sysid.Data(y))
    if np.shares_memory(f.filtered.cov, f.traces[0].Pf):
        with pytest.raises(ValueError, match="read-only"):
            f.filtered.cov[0] = 0.0


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (4, 2), (5, 3), (9, 2)])
@pytest.mark.parametrize("store", ["all", "last"])
def test_the_mean_pass_under_one_gain_is_the_one_step_by_step(n, p, store):
    """The same model told once and told at every step, where the gain is never known to stay."""
    rng, T = np.random.default_rng([n, p]), 700
    A, B, C, D = rng.standard_normal((n, n)), rng.standard_normal((n, 2)), rng.standard_normal((p, n)), rng.standard_normal((p, 2))
    A *= 1.01 / np.abs(np.linalg.eigvals(A)).max()
    c, d, R = rng.standard_normal(n), rng.standard_normal(p), covariance(rng, p)
    y, u = rng.standard_normal((3, T, p)), rng.standard_normal((3, T, 2))
    y[:, 400, 0] = np.nan
    initial = sysid.Gaussian(rng.standard_normal(n), np.eye(n))
    once = sysid.Process(sysid.LTI(A, B, C, D, c=c, d=d), 0.1, R, initial=initial)
    told = sysid.Process(sysid.LTV(*(np.repeat(a[None], T, 0) for a in (A, B, C, D)), c=c, d=d), 0.1, R, initial=initial)
    ours, theirs = (sysid.filter(process, sysid.Data(y, u), store=store) for process in (once, told))
    assert len(np.unique(ours.traces[0].index)) < 600 < len(np.unique(theirs.traces[0].index))
    for get in (lambda f: f.predicted.mean, lambda f: f.filtered.mean, lambda f: f.y_mean, lambda f: f.log_likelihoods, lambda f: f.final[2].mean):
        np.testing.assert_allclose(get(ours), get(theirs), rtol=1e-9, atol=1e-10 * np.nanmax(np.abs(get(theirs)), initial=1e-300))
