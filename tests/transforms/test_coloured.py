"""Coloured noise by a shaping filter: the augmented process has the law of the dense joint Gaussian."""

import numba
import numpy as np
import pytest

import sysid

A = np.array([[0.9, 0.2], [-0.1, 0.7]])
C = np.array([[1.0, 0.5], [0.0, 1.0]])


def autoregressive(poles, variances, sizes=None):
    """Independent AR(1) noises of given stationary variances."""
    poles, variances = np.array(poles), np.array(variances)
    return sysid.Process(sysid.LTI(np.diag(poles), None, np.eye(len(poles))), Q=np.diag((1 - poles**2) * variances), R=0.0)


def second_order(size):
    """A coloured noise with a white part of its own, correlated with what drives it, and an offset."""
    rng = np.random.default_rng(5)
    model = sysid.LTI([[1.2, -0.5], [1.0, 0.0]], None, rng.standard_normal((size, 2)), d=rng.standard_normal(size))
    joint = rng.standard_normal((2 + size, 2 + size))
    V = 0.1 * joint @ joint.T
    return sysid.Process(model, V[:2, :2], V[2:, 2:], S=V[:2, 2:])


def noise_covariance(noise, T):
    """Mean (size,) and covariance (T, size, T, size) of a shaping filter's output from its impulse response."""
    m = noise.model
    P = np.eye(m.n_states)
    for _ in range(4000):
        P = m.A @ P @ m.A.T + noise.Q
    S = np.zeros((m.n_states, m.n_outputs)) if noise.S is None else noise.S
    out = np.zeros((T, m.n_outputs, T, m.n_outputs))
    for lag in range(T):
        block = m.C @ np.linalg.matrix_power(m.A, lag) @ P @ m.C.T
        block = block + (noise.R if lag == 0 else m.C @ np.linalg.matrix_power(m.A, lag - 1) @ S)
        for t in range(T - lag):
            out[t + lag, :, t], out[t, :, t + lag] = block, block.T
    return m.C @ np.linalg.solve(np.eye(m.n_states) - m.A, m.c) + m.d, out


@pytest.mark.parametrize("which", ["process", "measurement", "both"])
@pytest.mark.parametrize("kind", ["first order", "second order"])
def test_smoothing_equals_conditioning_the_dense_joint_gaussian(which, kind):
    T, n, p = 12, 2, 2
    make = (lambda size: autoregressive([0.8, -0.6], [0.4, 0.3])) if kind == "first order" else second_order
    w = make(n) if which != "measurement" else None
    v = make(p) if which != "process" else None
    Q, R, law = 0.05 * np.eye(n), np.diag([0.2, 0.1]), sysid.Gaussian([1.0, -1.0], np.diag([0.5, 2.0]))
    process = sysid.Process(sysid.LTI(A, None, C, c=[0.1, 0.0]), Q, R, initial=law)
    whole = sysid.with_coloured_noise(process, process_noise=w, measurement_noise=v)
    y = np.random.default_rng(0).standard_normal((T, p))
    y[3, 0] = y[7] = np.nan
    s = sysid.smooth(whole, sysid.Data(y))

    cov_w, cov_v = np.zeros((T, n, T, n)), np.zeros((T, p, T, p))
    mean_w, mean_v = np.zeros(n), np.zeros(p)
    if w is not None:
        mean_w, cov_w = noise_covariance(w, T)
    if v is not None:
        mean_v, cov_v = noise_covariance(v, T)
    for t in range(T):
        cov_w[t, :, t] += Q
        cov_v[t, :, t] += R
    G = np.zeros((T, n, T, n))  # x[t] = A^t x0 + sum_k A^(t-1-k) w[k]
    X0, mean = np.zeros((T, n, n)), np.zeros((T, n))
    x = law.mean
    for t in range(T):
        X0[t] = np.linalg.matrix_power(A, t)
        for k in range(t):
            G[t, :, k] = np.linalg.matrix_power(A, t - 1 - k)
        mean[t] = x
        x = A @ x + [0.1, 0.0] + mean_w
    G, X0, big = G.reshape(T * n, T * n), X0.reshape(T * n, n), np.kron(np.eye(T), C)
    cov_x = X0 @ law.cov @ X0.T + G @ cov_w.reshape(T * n, T * n) @ G.T
    cov_y = big @ cov_x @ big.T + cov_v.reshape(T * p, T * p)
    seen = ~np.isnan(y.ravel())
    e = (y.ravel() - big @ mean.ravel() - np.tile(mean_v, T))[seen]
    K = np.linalg.solve(cov_y[np.ix_(seen, seen)], (cov_x @ big.T)[:, seen].T).T
    exact_mean = (mean.ravel() + K @ e).reshape(T, n)
    exact_cov = (cov_x - K @ (cov_x @ big.T)[:, seen].T).reshape(T, n, T, n)
    np.testing.assert_allclose(s.smoothed.mean[:, :n], exact_mean, atol=1e-9)
    for t in range(T):
        np.testing.assert_allclose(s.smoothed.cov[t, :n, :n], exact_cov[t, :, t], atol=1e-9)
    S = cov_y[np.ix_(seen, seen)]
    assert s.log_likelihood == pytest.approx(-0.5 * (len(e) * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + e @ np.linalg.solve(S, e)), abs=1e-9)


def test_a_noise_taken_for_white_is_found_out_and_its_shaping_filter_is_not():
    v = autoregressive([0.95], [1.0])
    process = sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=0.5, R=1e-6)
    whole = sysid.with_coloured_noise(process, measurement_noise=v)
    path = sysid.simulate(whole, n_steps=2000, rng=np.random.default_rng(0))
    white = sysid.Process(process.model, Q=0.5, R=1.0 + 1e-6)
    data = sysid.Data(path.y)
    right, wrong = sysid.filter(whole, data), sysid.filter(white, data)
    assert sysid.consistency(right).findings == [] and sysid.consistency(wrong).findings != []
    assert right.log_likelihood > wrong.log_likelihood
    assert np.mean((right.filtered.mean[:, 0] - path.x[:, 0]) ** 2) < np.mean((wrong.filtered.mean[:, 0] - path.x[:, 0]) ** 2)


@numba.njit
def bend(x, u, p, t):
    return np.array([0.9 * x[0] + 0.2 * x[1], -0.1 * x[0] + 0.7 * x[1]])


@numba.njit
def see(x, u, p, t):
    return np.array([x[0] + 0.5 * x[1], x[1]])


@pytest.mark.parametrize("compiled", [True, False])
def test_every_type_of_model_is_augmented_alike(compiled):
    w, v = autoregressive([0.8, -0.6], [0.4, 0.3]), autoregressive([0.5, 0.3], [0.2, 0.1])
    law = sysid.Gaussian([1.0, -1.0], np.diag([0.5, 2.0]))
    data = sysid.Data(np.random.default_rng(0).standard_normal((8, 2)))
    f, g = (bend, see) if compiled else (bend.py_func, see.py_func)
    models = [sysid.LTI(A, None, C), sysid.LTV(np.broadcast_to(A, (8, 2, 2)), None, C), sysid.Bilinear(A, np.zeros((2, 0)), np.zeros((0, 2, 2)), C),
              sysid.Nonlinear(f, g, 2, 0, 2)]  # fmt: skip
    runs = []
    for model in models:
        process = sysid.Process(model, 0.05, [0.2, 0.1], initial=law)
        runs.append(sysid.smooth(sysid.with_coloured_noise(process, process_noise=w, measurement_noise=v), data))
    for run in runs[1:]:
        np.testing.assert_allclose(run.smoothed.mean, runs[0].smoothed.mean, atol=1e-7)
        np.testing.assert_allclose(run.smoothed.cov, runs[0].smoothed.cov, atol=1e-7)
    assert [type(r.process.model) for r in runs] == [sysid.LTI, sysid.LTV, sysid.Bilinear, sysid.Nonlinear]


def test_starts_join():
    v = autoregressive([0.5, 0.3], [0.2, 0.1])

    def start(initial):
        return sysid.with_coloured_noise(sysid.Process(sysid.LTI(A, None, C), 0.1, 0.1, initial=initial), measurement_noise=v).initial

    assert isinstance(start(sysid.Stationary()), sysid.Stationary)
    assert isinstance(start(sysid.Gaussian(np.zeros(2), np.eye(2))), sysid.Gaussian)
    data = sysid.Data(np.random.default_rng(0).standard_normal((20, 2)))
    for law in (sysid.Diffuse(), sysid.Blocks(([0], sysid.Diffuse()), ([1], sysid.Gaussian([0.0], [[1.0]]))), sysid.Stationary()):
        process = sysid.with_coloured_noise(sysid.Process(sysid.LTI(A, None, C), 0.1, 0.1, initial=law), measurement_noise=v)
        assert np.isfinite(sysid.smooth(process, data).smoothed.mean).all()


@pytest.mark.parametrize(
    ("noise", "error", "words"),
    [
        ({}, ValueError, "received neither"),
        ({"process_noise": sysid.LTI([[0.5]], None, [[1.0]])}, TypeError, "Process around an LTI"),
        ({"process_noise": autoregressive([0.5], [1.0])}, ValueError, "2 outputs and no inputs; received 1 outputs"),
        ({"measurement_noise": sysid.Process(sysid.LTI([[0.5]], None, [[1.0], [0.0]], dt=0.5), 1.0, 0.0)}, ValueError, "dt = 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(noise, error, words):
    process = sysid.Process(sysid.LTI(A, None, C), 0.1, 0.1)
    with pytest.raises(error, match=words):
        sysid.with_coloured_noise(process, **noise)


def test_scheduled_noise_joins_and_is_used_step_by_step():
    """Q and R that change along t: the filter equals a hand-written one; twice the noise halves the trust at its step alone."""
    rng = np.random.default_rng(0)
    T = 15
    Q = np.array([s * np.eye(2) for s in rng.uniform(0.01, 1.0, T)])
    R = np.array([s * np.eye(2) for s in rng.uniform(0.01, 1.0, T)])
    law = sysid.Gaussian(np.zeros(2), np.eye(2))
    process = sysid.Process(sysid.LTI(A, None, C), Q, R, initial=law)
    y = rng.standard_normal((T, 2))
    x, P = law.mean, law.cov
    means = []
    for t in range(T):
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R[t])
        x, P = x + K @ (y[t] - C @ x), P - K @ C @ P
        means.append(x)
        x, P = A @ x, A @ P @ A.T + Q[t]
    for method in (sysid.Kalman(), sysid.Kalman("sqrt"), sysid.ExtendedKalman(), sysid.UnscentedKalman(), sysid.UnscentedKalman(form="sqrt"),
                   sysid.RobustKalman(sysid.Huber(1e6))):  # fmt: skip
        s = sysid.smooth(process, sysid.Data(y), method)
        np.testing.assert_allclose(s.filter.filtered.mean, means, atol=1e-9)
    whole = sysid.with_coloured_noise(process, measurement_noise=autoregressive([0.5, 0.3], [0.2, 0.1]))
    assert whole.Q.shape == (T, 4, 4) and np.isfinite(sysid.smooth(whole, sysid.Data(y)).log_likelihood)
    with pytest.raises(ValueError, match="must cover the data and the horizon"):
        sysid.forecast(process, sysid.Data(y), 3)
