"""Values and slopes averaged over the law of their argument: against the textbook, differences and particles, and as an option of the fit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

import sysid
from sysid.reservoirs.averaged import NODES, averaged_derivatives
from sysid.reservoirs.forced import ForcedReservoir, Parameters
from tests.reservoirs.problems import gradient_equals_differences, moved, simulated

KINDS = {"tanh": dict(), "sigmoid": dict(activation="sigmoid"), "relu": dict(activation="relu"), "gaps": dict(missing=0.3),
         "feedback and gaps": dict(feedback=True, missing=0.2), "two leaks": dict(leak=np.array([0.3, 0.3, 0.9, 0.9, 0.9]))}
FREE = dict(n=6, p=2, q=0.05, n_inputs=0, radius=1.5)       # noise alone moves the units over their range


def problem(T=40, **kind):
    process, data = simulated(**{**dict(n=5, T=T, seed=2, q=0.05), **kind})
    return process, data, ForcedReservoir.of(process.model, [data], averaged=True), Parameters.of(process, "test")


def test_averages_are_those_of_the_gaussian():
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    xi, v = (a.ravel() for a in np.meshgrid(np.linspace(-3, 3, 25), [1e-3, 0.01, 0.1, 0.3]))
    at = xi[:, None] + np.sqrt(v)[:, None] * points
    for code, s in ((1, np.tanh), (3, lambda a: 1 / (1 + np.exp(-a)))):
        h, slope, *_ = averaged_derivatives(code, xi, v)
        assert np.abs(h - s(at) @ weights).max() < 1e-5
        assert np.abs(slope - (s(at) * points) @ weights / np.sqrt(v)).max() < 1e-4      # Stein's identity
    h, slope, *_ = averaged_derivatives(2, xi, v)
    fine = np.linspace(-8, 8, 200001)
    density = np.exp(-fine**2 / 2) / np.sqrt(2 * np.pi) * (fine[1] - fine[0])
    for i in range(0, len(xi), 7):
        value = xi[i] + np.sqrt(v[i]) * fine
        assert abs(h[i] - np.sum(np.maximum(value, 0) * density)) < 1e-8
        assert abs(slope[i] - np.sum((value > 0) * density)) < 1e-4
    for code in (0, 1, 2, 3):
        h, slope, curve, h_v, slope_v = averaged_derivatives(code, xi, v)
        for step, k in ((1e-6, 0), (1e-7, 1)):
            up, down = (averaged_derivatives(code, xi + s * step * (k == 0), v + s * step * (k == 1)) for s in (1, -1))
            for a, b, derivative in ((up[0], down[0], (slope, h_v)[k]), (up[1], down[1], (curve, slope_v)[k])):
                assert np.allclose((a - b) / (2 * step), derivative, rtol=1e-5, atol=1e-6)


def textbook(process, p, data):
    """The filter of statistical linearisation, one step a line [Gelb 1974, section 6.3]."""
    esn, m, P, total = process.model, p.m0, p.P0, 0.0
    relu = esn.act.code == 2
    for y, u in zip(data.y, data.inputs):
        k = ~np.isnan(y)
        C, e, R = esn.C[k], (y - esn.C @ m - esn.d)[k], process.R[np.ix_(k, k)]
        S = C @ P @ C.T + R
        K = P @ C.T @ np.linalg.inv(S)
        total -= 0.5 * (np.linalg.slogdet(2 * np.pi * S)[1] + e @ np.linalg.solve(S, e))
        m, P = m + K @ e, P - K @ S @ K.T
        xi = esn.W @ m + esn.W_in @ u + esn.bias
        s = np.sqrt(np.diag(esn.W @ P @ esn.W.T))
        at = xi + np.outer(NODES[0], s)
        h, slope = NODES[1] @ esn.act.function(at), NODES[1] @ esn.act.derivative(at)
        if relu:
            slope = ndtr(xi / s)
            h = xi * slope + s * np.exp(-0.5 * (xi / s) ** 2) / np.sqrt(2 * np.pi)
        A = np.diag(1 - esn.leaks) + (esn.leaks * slope)[:, None] * esn.W
        m, P = (1 - esn.leaks) * m + esn.leaks * h, A @ P @ A.T + process.Q
    return total


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "relu", "gaps", "two leaks"])
def test_log_likelihood_equals_the_textbook(kind):
    process, data, reservoir, p = problem(**KINDS[kind])
    expected = textbook(process, p, data)
    assert abs(reservoir.log_likelihood(p) - expected) < 1e-9 * (1 + abs(expected))


def test_nothing_changes_for_identity_activation_or_without_noise():
    process, data, reservoir, p = problem(activation="identity")
    extended = ForcedReservoir.of(process.model, [data])
    assert reservoir.log_likelihood(p) == pytest.approx(extended.log_likelihood(p), rel=1e-14)
    process, data, reservoir, p = problem(q=1e-12)
    p = replace(p, P0=1e-12 * p.P0)
    assert reservoir.log_likelihood(p) == pytest.approx(ForcedReservoir.of(process.model, [data]).log_likelihood(p), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_equals_differences(kind):
    _, _, reservoir, p = problem(T=25, **KINDS[kind])
    gradient_equals_differences(reservoir, p)


def particles(process, data, count, rng):
    """Log-likelihood by a bootstrap particle filter, whose estimate of the likelihood is unbiased [Gordon et al. 1993]."""
    esn, total = process.model, 0.0
    x = rng.multivariate_normal(process.initial.mean, process.initial.cov, count)
    r = np.diag(process.R)
    for y in data.y:
        w = -0.5 * np.sum((y - x @ esn.C.T - esn.d) ** 2 / r + np.log(2 * np.pi * r), 1)
        total += w.max() + np.log(np.mean(np.exp(w - w.max())))
        w = np.exp(w - w.max())
        x = x[np.searchsorted(np.cumsum(w) / w.sum(), (np.arange(count) + rng.random()) / count)]
        x = (1 - esn.leak) * x + esn.leak * esn.act.function(x @ esn.W.T + esn.bias)
        x += rng.standard_normal(x.shape) * np.sqrt(np.diag(process.Q))
    return total


def test_the_likelihood_is_nearer_to_that_of_particles():
    gaps = []
    for seed in range(4):
        process, data = simulated(n=2, p=2, T=100, seed=seed, q=0.1, r=0.05, n_inputs=0, radius=1.5)
        p, rng = Parameters.of(process, "test"), np.random.default_rng(seed)
        exact = np.mean([particles(process, data, 4000, rng) for _ in range(4)])
        gaps.append([ForcedReservoir.of(process.model, [data], averaged=a).log_likelihood(p) - exact for a in (False, True)])
    extended, averaged = np.abs(gaps).T
    assert averaged.sum() < 0.5 * extended.sum()


def test_a_fit_climbs_the_averaged_likelihood_and_predicts_with_it():
    process, data = simulated(T=300, seed=1, **FREE)
    fits = {e: sysid.fit(data, sysid.ReservoirEM(e_step=e), start=moved(process, leak=0.7, scale=0.8)) for e in ("extended", "statistical")}
    fit = fits["statistical"]
    assert fit.converged and fit.averaged and np.all(np.diff(fit.history["objective"]) >= 0)
    assert fit.log_likelihood > fits["extended"].log_likelihood + 3
    reservoir, p = ForcedReservoir.of(fit.model, [data], averaged=True), Parameters.of(fit.process, "test")
    assert fit.log_likelihood == pytest.approx(reservoir.log_likelihood(p), rel=1e-10)
    run = reservoir.run(p, reservoir.sequences[0])
    assert np.allclose(fit.predict(data).y_mean, run.means @ p.C.T + p.d)
    direct = sysid.fit(data, sysid.ReservoirLikelihood(e_step="statistical"), start=moved(process, leak=0.7, scale=0.8))
    assert abs(direct.log_likelihood - fit.log_likelihood) < 1e-3


def test_few_directions_have_no_average():
    with pytest.raises(ValueError, match="covariance_rank"):
        sysid.ReservoirEM(e_step="statistical", covariance_rank=3)
