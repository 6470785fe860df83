"""Counterexamples 23 to 27 of docs/corrections.md: smoother, M-step, readout; the correct form beside the printed one."""

import numpy as np
import pytest
from numpy.linalg import eigvalsh, inv, norm, solve
from scipy.linalg import block_diag, solve_sylvester
from scipy.optimize import minimize

import sysid


def joint_gaussian(A, C, Q, R, P0, T):
    """Mean-free joint covariance of x[0..T-1] and y[0..T-1] of a time-varying model, written out."""
    n = len(P0)
    paths = np.zeros((T * n, T * n))                      # x = paths @ (x0, w0, w1, ...)
    for t in range(T):
        paths[t * n:(t + 1) * n, t * n:(t + 1) * n] = np.eye(n)
        if t:
            paths[t * n:(t + 1) * n] += A[t - 1] @ paths[(t - 1) * n:t * n]
    X = paths @ block_diag(P0, *[Q] * (T - 1)) @ paths.T
    H = block_diag(*[C] * T)
    return X, H, H @ X @ H.T + block_diag(*[R] * T)


def test_23_the_lag_one_covariance_is_the_gain_times_the_next_covariance():
    rng = np.random.default_rng(0)
    n, T = 3, 6
    A = [0.9 * np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(T - 1)]
    C, Q, R, P0 = rng.normal(size=(2, n)), 0.3 * np.eye(n), 0.5 * np.eye(2), np.eye(n)
    X, H, Y = joint_gaussian(A, C, Q, R, P0, T)
    exact = X - X @ H.T @ solve(Y, H @ X)
    P, filtered = P0, []
    for t in range(T):
        P = P - P @ C.T @ solve(C @ P @ C.T + R, C @ P)
        filtered.append(P)
        P = A[t] @ P @ A[t].T + Q if t < T - 1 else P
    smoothed = filtered[-1]
    for t in reversed(range(T - 1)):
        ahead = A[t] @ filtered[t] @ A[t].T + Q
        J = filtered[t] @ A[t].T @ inv(ahead)
        now, later = slice(t * n, (t + 1) * n), slice((t + 1) * n, (t + 2) * n)
        np.testing.assert_allclose(J @ smoothed, exact[now, later], atol=1e-13)             # no further term
        smoothed = filtered[t] + J @ (smoothed - ahead) @ J.T


def exact_moments(rng, T=300, n=4):
    """Moments of a known path, so that the right Q is the sample covariance of its noise."""
    A, B = 0.8 * np.linalg.qr(rng.normal(size=(n, n)))[0], rng.normal(size=(n, 1))
    noise = rng.normal(size=(T, n)) * [0.05, 0.13, 0.24, 0.37]
    x, u = np.zeros((T + 1, n)), rng.normal(size=(T, 1))
    for t in range(T):
        x[t + 1] = A @ x[t] + B @ u[t] + noise[t]
    pair = lambda a, b: a.T @ b / T  # noqa: E731
    return A, B, pair(noise, noise), dict(X1=pair(x[1:], x[1:]), X10=pair(x[1:], x[:-1]), X0=pair(x[:-1], x[:-1]),
                                          x1u=pair(x[1:], u), x0u=pair(x[:-1], u), U=pair(u, u))


def test_24_the_printed_update_of_q_is_not_a_covariance():
    A, B, truth, m = exact_moments(np.random.default_rng(0))
    printed = (m["X1"] - A @ m["X0"] @ A.T - B @ m["x0u"].T @ A.T - A @ m["x0u"] @ B.T - B @ m["U"] @ B.T
               - m["X10"] @ A.T - A @ m["X10"].T)
    correct = (m["X1"] - m["X10"] @ A.T - A @ m["X10"].T + A @ m["X0"] @ A.T - m["x1u"] @ B.T - B @ m["x1u"].T
               + B @ m["x0u"].T @ A.T + A @ m["x0u"] @ B.T + B @ m["U"] @ B.T)
    np.testing.assert_allclose(correct, truth, atol=1e-12)
    assert eigvalsh(printed).min() < -1


def linear_toy(rng, q, n=4, T=400):
    """x+ = ((1 - leak) I + leak scale W) x + u, leak .4 and scale .8; returns the process family, data and the truth."""
    W = rng.normal(size=(n, n))
    W /= np.abs(np.linalg.eigvals(W)).max()
    C, u = rng.normal(size=(2, n)), rng.normal(size=(T, n))
    Q, R = np.diag(q), 0.2 * np.eye(2)

    def process(theta):
        model = sysid.LTI(theta[0] * np.eye(n) + theta[1] * W, np.eye(n), C, np.zeros((2, n)))
        return sysid.Process(model, Q, R, initial=sysid.Gaussian(np.zeros(n), np.eye(n)))

    truth = np.array([0.6, 0.32])
    y = sysid.simulate(process(truth), u, rng=rng).y
    return W, process, sysid.Data(y, u), truth


def climb(toy, rule, steps):
    """theta = (1 - leak, leak scale) and the log-likelihood after each step by one of three M-steps, from leak .9 and scale .5."""
    W, process, data, truth = toy
    n, Q_inv, theta, path = len(W), inv(process(truth).Q), np.array([0.1, 0.45]), []
    for _ in range(steps):
        s = sysid.smooth(process(theta), data)
        x, P = s.smoothed.mean, s.smoothed.cov
        X0 = np.einsum("ti,tj->ij", x[:-1], x[:-1]) + P[:-1].sum(axis=0)
        X10 = np.einsum("ti,tj->ij", x[1:], x[:-1])
        if rule != "printed":
            X10 = X10 + s.cross_cov.sum(axis=0)
        target = X10 - np.einsum("ti,tj->ij", data.u[:-1], x[:-1])
        basis = [np.eye(n), W]
        if rule == "weighted":
            H = [[np.trace(a.T @ Q_inv @ b @ X0) for b in basis] for a in basis]
            theta = solve(np.array(H), [np.trace(a.T @ Q_inv @ target) for a in basis])
        else:
            M = np.column_stack([b.ravel() for b in basis])
            theta = np.linalg.lstsq(M, (target @ inv(X0)).ravel(), rcond=None)[0]
        path.append(sysid.filter(process(theta), data).log_likelihood)
    return theta, np.array(path)


@pytest.mark.parametrize("seed", [0, 2])
def test_25_the_weighted_m_step_never_falls_and_ends_higher_than_the_printed_projection(seed):
    toy = linear_toy(np.random.default_rng(seed), [0.1, 0.3, 1.0, 3.0])
    (printed, low), (exact, high) = (climb(toy, rule, 60) for rule in ("printed", "weighted"))
    assert (np.diff(high) >= -1e-9).all()                  # others may climb faster at first, to a lower place
    assert low[-1] + 1 < high[-1]
    assert norm(exact - toy[-1]) < 0.5 * norm(printed - toy[-1])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_25_where_all_units_have_the_same_noise_one_step_already_gains_more_and_sixty_reach_the_maximum(seed):
    """The noise of the paper; which rule leads after one step depends on it, which ends higher does not."""
    toy = linear_toy(np.random.default_rng(seed), [0.05] * 4)
    (printed, low), (exact, high) = (climb(toy, rule, 60) for rule in ("printed", "weighted"))
    assert high[0] > low[0] and high[-1] > low[-1] + 10
    assert norm(exact - toy[-1]) < 0.5 * norm(printed - toy[-1])
    _, process, data, _ = toy
    best = -minimize(lambda theta: -sysid.filter(process(theta), data).log_likelihood, exact, method="Nelder-Mead").fun
    assert best - high[-1] < 0.05


def test_26_a_readout_with_weighted_noise_solves_a_sylvester_equation():
    rng = np.random.default_rng(0)
    x, R, ridge = rng.normal(size=(60, 5)), np.diag([0.1, 4.0]), 5.0
    y = x @ rng.normal(size=(5, 2)) + rng.normal(size=(60, 2)) * np.sqrt(np.diag(R))
    X, Y = x.T @ x, y.T @ x

    def objective(C):
        gap = y - x @ C.T
        return np.trace(gap @ inv(R) @ gap.T) + ridge / 2 * norm(C) ** 2

    printed = Y @ inv(X + ridge * np.eye(5))
    exact = solve_sylvester(ridge / 2 * R, X, Y)
    assert objective(exact) < objective(printed) - 1e-3
    np.testing.assert_allclose(2 * inv(R) @ (exact @ X - Y) + ridge * exact, 0, atol=1e-9)   # the gradient
    assert eigvalsh(np.kron(X, inv(R)) + ridge / 2 * np.eye(10)).min() > 0                   # and the only minimum


def test_27_the_norm_bound_certifies_at_every_leak_or_at_none():
    for size in (0.9, 1.0, 1.2):
        verdicts = {(1 - leak) + leak * size < 1 for leak in (0.01, 0.3, 1.0)}
        assert verdicts == {size < 1}
    W = 1.3 * np.random.default_rng(0).normal(size=(20, 20)) / np.sqrt(20) / 2
    assert norm(W, 2) > 1
    network = sysid.LeakyNetwork(W, 0.3, 0.0, 1.0)
    assert not sysid.NormBound().certify(network).holds
    assert sysid.CircleCriterion("identity").certify(network).holds


def test_33_the_second_derivative_of_tanh_is_bounded_as_printed():
    v = np.linspace(-4, 4, 400_001)
    second = -2 * np.tanh(v) * (1 - np.tanh(v) ** 2)
    assert abs(second).max() == pytest.approx(4 / (3 * np.sqrt(3)), abs=1e-9)
