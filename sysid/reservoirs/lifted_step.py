r"""One linear model in lifted coordinates for a reservoir's E-step [ESN-SSM, Sec. 3.3 and 6.2].

    z = (x, eta^2, ..., eta^d),  eta = scale W (x - mean x),     z[t+1] = A z[t] + B v[t] + c + e[t],    y[t] = [C, 0] z[t] + d

v[t] = leak s(xi) at the mean state, so that the drives pass through the activation itself. A, B, c by least squares and Cov(e) from
its residuals, over sigma points of the filtered law of x[t] and of w[t]: what the lift cannot follow counts as noise. Measured
against slopes at the mean state (`"linear"`) this loses a few nats where that loses hundreds, and leaves the estimates' errors those
of the extended smoother. One matrix for all times cannot know how the drive bends the slopes, whatever the degree.
"""

from __future__ import annotations

import numpy as np

from ..core.data import Data
from ..core.gaussian import Gaussian
from ..kernels._jit import as_float
from ..linear.covariances import mean_and_covariance
from ..models.lti import LTI
from ..models.process import Process
from .forced import Driven, ForcedReservoir, Parameters, activation_derivatives

ROWS = 40        # samples for every unknown of a row, as far as the record has them


def lifted_problem(reservoir: ForcedReservoir, p: Parameters, s: Driven, degree: int, dt: float) -> tuple[Process, Data, float]:
    """The lifted linear process along one sequence, its data with inputs v, and the lift's own one-step error in x over the noise's
    variance, tr(Cov(e)_x - Q) / tr(Q). O(samples N^2 + T n^3)."""
    n = len(p.leak)
    N, known = n * degree, np.tensordot(p.gains, s.drive, 1)
    times = _times(len(s.y) - 1, ROWS * (N + n + 1) // (4 * n) + 1)
    mean, root = _law(reservoir, p, s, times)
    centre = mean.mean(0)
    v = p.leak * activation_derivatives(reservoir.code, p.scale * reservoir.W @ centre + known)[0]
    h, still = np.sqrt(2.0 * n), np.zeros((2 * n, n))
    noise = h * np.linalg.cholesky(p.Q + 1e-300 * np.eye(n)).T
    spread = h * np.swapaxes(root, 1, 2)
    x = mean[:, None] + np.concatenate([spread, -spread, np.broadcast_to(still, (len(times), 2 * n, n))], 1)
    xi = p.scale * x @ reservoir.W.T + known[times][:, None]
    after = (1.0 - p.leak) * x + p.leak * activation_derivatives(reservoir.code, xi)[0] + np.vstack([still, noise, -noise])

    def lift(x: np.ndarray) -> np.ndarray:
        eta = (x - centre) @ (p.scale * reservoir.W.T)
        return np.concatenate([x, *(eta**k for k in range(2, degree + 1))], -1).reshape(-1, N)

    rows = np.hstack([lift(x), np.repeat(v[times], 4 * n, 0), np.ones((x.shape[0] * 4 * n, 1))])
    target = lift(after)
    weights = np.linalg.lstsq(rows, target, rcond=1e-12)[0]
    residual = target - rows @ weights
    cov = residual.T @ residual / len(residual)
    C = np.hstack([p.C, np.zeros((len(p.C), N - n))])
    model = LTI(as_float(weights[:N].T), as_float(weights[N:-1].T), C, c=weights[-1], d=p.d, dt=dt)
    process = Process(model, Q=_definite(cov), R=p.R, initial=_first(p, lift))
    return process, Data(s.y, v, dt=dt), float(np.trace(cov[:n, :n] - p.Q) / np.trace(p.Q))


def _times(last: int, wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, last - 1, min(max(wanted, 2), last)).astype(int))


def _law(reservoir: ForcedReservoir, p: Parameters, s: Driven, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Filtered means (k, n) and roots of the filtered covariances (k, n, n) at some times."""
    total, backwards = ForcedReservoir.stretches(reservoir, p, s)
    if not np.isfinite(total):
        raise ValueError("lifted E-step: expected a filter that runs at these parameters; its innovation covariance is not positive definite.")
    end, means, covs = len(s.y), [], []
    for run in backwards:
        at = times[(times >= end - len(run.y)) & (times < end)] - (end - len(run.y))
        end -= len(run.y)
        P = run.covs[at]
        means.append(run.filtered[at])
        covs.append(P - np.einsum("tip,pj,tjk->tik", run.gain[at], p.C, P, optimize=True))
    cov = np.concatenate(covs[::-1])
    values, vectors = np.linalg.eigh((cov + np.swapaxes(cov, 1, 2)) / 2)
    return np.concatenate(means[::-1]), vectors * np.sqrt(np.maximum(values, 0.0))[:, None]


def _first(p: Parameters, lift) -> Gaussian:
    """The law of z[0] by sigma points of that of x[0]."""
    n = len(p.m0)
    values, vectors = np.linalg.eigh(p.P0)
    root = np.sqrt(n) * (vectors * np.sqrt(np.maximum(values, 0.0))).T
    z = lift(p.m0 + np.vstack([root, -root]))
    mean, cov = mean_and_covariance(z)
    return Gaussian(mean, _definite(cov))


def _definite(cov: np.ndarray) -> np.ndarray:
    """A covariance from few points, made definite by a trace of its own size times 1e-12."""
    return (cov + cov.T) / 2 + (1e-12 * np.trace(cov) / len(cov) + 1e-300) * np.eye(len(cov))
