"""Readouts that learn on line: against the textbook joint filter, against regression, and after a change."""

import numpy as np
import pytest

import sysid
from tests.reservoirs.problems import simulated


def joint_filter(process, data, beta, prior):
    """Ten-line extended Kalman filter of (x, C, d) for one output."""
    esn, n, out = process.model, process.model.n_states, []
    m = np.concatenate([process.initial.mean, esn.C[0], esn.d])
    P = np.zeros((2 * n + 1, 2 * n + 1))
    P[:n, :n], P[n:, n:] = process.initial.cov, prior * np.eye(n + 1)
    D = np.diag(np.concatenate([np.ones(n), np.full(n + 1, beta**-0.5)]))
    for y, u in zip(data.y[:, 0], data.inputs):
        h = np.concatenate([m[n:2 * n], m[:n], [1.0]])
        mean, s = m[n:2 * n] @ m[:n] + m[-1], h @ P @ h + process.R[0, 0]
        out.append((mean, s))
        if not np.isnan(y):
            m, P = m + P @ h * (y - mean) / s, P - np.outer(P @ h, P @ h) / s
        P = D @ P @ D
        xi = esn.W @ m[:n] + esn.W_in @ u + esn.bias
        F = np.eye(2 * n + 1)
        F[:n, :n] = np.diag(1 - esn.leaks) + (esn.leaks * (1 - np.tanh(xi) ** 2))[:, None] * esn.W
        m = np.concatenate([(1 - esn.leaks) * m[:n] + esn.leaks * np.tanh(xi), m[n:]])
        P = F @ P @ F.T
        P[:n, :n] += process.Q
    return np.array(out)


@pytest.mark.parametrize("beta", [1.0, 0.97])
def test_joint_filter_equals_textbook(beta):
    process, data = simulated(n=4, p=1, T=50, seed=1, missing=0.1)
    fit = sysid.fit(data, sysid.OnlineReadout(forgetting=beta, prior=0.3), start=process)
    expected = joint_filter(process, data, beta, 0.3)
    assert np.allclose(fit.predictions[0].y_mean[:, 0], expected[:, 0], atol=1e-9)
    assert np.allclose(fit.predictions[0].variance[:, 0], expected[:, 1], rtol=1e-8)


def test_on_known_states_it_is_ridge_regression():
    process, data = simulated(n=5, p=2, T=200, seed=2)
    esn = process.model
    blind = sysid.Process(esn.with_readout(np.zeros((2, 5)), np.zeros(2)), Q=0.0, R=0.01, initial=sysid.Gaussian(np.zeros(5), 0.0))
    fit = sysid.fit(data, sysid.OnlineReadout(prior=4.0), start=blind)
    X = np.column_stack([sysid.simulate(esn, data.u).x, np.ones(200)])
    rows = np.linalg.solve(X.T @ X + 0.01 / 4.0 * np.eye(6), X.T @ data.y).T
    assert np.allclose(np.column_stack([fit.model.C, fit.model.d]), rows, atol=1e-7)


def changed(seed=3, T=600):
    """Two reservoirs of the same W that differ in their readouts: the second takes over at T."""
    process, data = simulated(n=12, p=1, T=2 * T, seed=seed, q=1e-6, r=1e-3)
    rng, esn = np.random.default_rng(seed), process.model
    other = esn.with_readout(rng.standard_normal((1, 12)) / np.sqrt(12), esn.d)
    y = sysid.simulate(other, data.u).y + np.sqrt(1e-3) * rng.standard_normal((2 * T, 1))
    late = sysid.Process(other, Q=process.Q, R=process.R, initial=process.initial)
    return process, late, sysid.Data(np.vstack([data.y[:T], y[T:]]), data.u)


def test_online_readouts_and_switching_recover_after_a_change():
    early, late, data = changed()
    error = lambda mean: np.sqrt(np.mean((data.y - mean)[700:] ** 2))  # noqa: E731
    static = error(sysid.filter(early, data).y_mean)
    online = {name: error(sysid.fit(data, method, start=early).predictions[0].y_mean) for name, method in {
        "forgetting": sysid.OnlineReadout(forgetting=0.98, prior=1e-3), "scheduled": sysid.OnlineReadout(adapt=1e-2, prior=1e-3)}.items()}
    switched = sysid.switch_reservoirs(data, {"early": early, "late": late})
    assert max(online.values()) < 0.5 * static
    assert error(switched.prediction.y_mean) < 0.5 * static
    assert switched.weights[500, 0] > 0.9 and switched.weights[-1, 1] > 0.9
    low, high = switched.prediction.interval(0.95)
    assert 0.8 < np.mean((data.y >= low) & (data.y <= high)) and "mean weight of late" in repr(switched)


def test_a_measurement_beyond_all_densities_leaves_the_weights_as_they_are():
    process, data = simulated(n=4, p=1, T=30, seed=3)
    y = data.y.copy()
    y[20] = 1e200
    mixed = sysid.switch_reservoirs(sysid.Data(y, data.u), {"a": process, "b": sysid.Process(process.model, Q=process.Q, R=2 * process.R, initial=process.initial)})
    assert np.array_equal(mixed.weights[21], mixed.weights[20]) and np.isfinite(mixed.weights).all() and mixed.log_likelihood == -np.inf


def test_refusals():
    process, data = simulated(n=4, p=1, T=30, seed=3)
    with pytest.raises(TypeError, match="dict of label -> Process"):
        sysid.switch_reservoirs(data, [process, process])
    process, data = simulated(n=4, p=1, T=50, seed=1)
    with pytest.raises(ValueError, match="forgetting"):
        sysid.OnlineReadout(forgetting=0.0)
    with pytest.raises(ValueError, match="number of processes"):
        sysid.switch_reservoirs(data, {"one": process})
    with pytest.raises(ValueError, match="outputs"):
        sysid.fit(sysid.Data(np.ones((5, 2)) * np.arange(5)[:, None], np.ones((5, 1))), sysid.OnlineReadout(), start=process)
