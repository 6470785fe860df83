"""The noise of a subspace estimate: Q, R, S from the residuals and K from the Riccati equation, or K by regression.

The residuals of the state sequence give jointly PSD covariances and through the Riccati equation a gain. That
sequence is built from a finite past, which costs accuracy; so a second gain is found from the innovations e of a long
autoregression, by least squares on what the simulation leaves, s[t] = C (zI - A)^-1 K e + e. The gain with the
smaller one-step error on the estimation data is kept, and a few Gauss-Newton steps on K alone lower that error to its
minimum, for the model that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..linear.riccati import filter_riccati
from .joint_regression import Record, Regression, joint_regression, mean_square, prediction_errors
from .linear_pem import LinearProblem
from .realization import Decomposition, noise_covariances
from .records import excerpt
from .robust_loss import ErrorLaw
from .structure import Predictor, Structure
from .windows import Windows


@dataclass(frozen=True)
class Noise:
    """Q (n, n), R (p, p), S (n, p); the gain K (n, p) and innovations covariance (p, p); why there is no K, or ""."""

    Q: np.ndarray
    R: np.ndarray
    S: np.ndarray
    gain: np.ndarray | None
    innovation_cov: np.ndarray
    failure: str = ""


def noise_model(windows: Windows, part: Decomposition, A: np.ndarray, C: np.ndarray, rest: Regression,
                records: Sequence[Record]) -> Noise:  # fmt: skip
    """The better of the Riccati gain and the regressed one, by the one-step error over the records."""
    Q, R, S = noise_covariances(windows, part, A, rest.B, C, rest.D)
    solution = filter_riccati(A, C, Q, R, S)
    tries = [solution.gain] if solution.converged else []
    regressed = _regressed_gain(windows, part.past, A, C, rest, records)
    if regressed is not None:
        tries.append(regressed)
    if not tries:
        return Noise(Q, R, S, None, R, solution.message)
    errors = [prediction_errors(A, rest.B, C, rest.D, rest.d, K, rest.initial_states, records) for K in tries]
    losses = [np.log(np.maximum(mean_square(e), 1e-300)).sum() for e in errors]
    best = int(np.argmin(losses))
    K = _refined_gain(tries[best], A, C, rest, records)
    after = prediction_errors(A, rest.B, C, rest.D, rest.d, K, rest.initial_states, records)
    if not np.log(np.maximum(mean_square(after), 1e-300)).sum() < losses[best]:
        K, after = tries[best], errors[best]
        if solution.converged and best == 0:
            return Noise(Q, R, S, K, C @ solution.X @ C.T + R)
    stacked = np.concatenate(after)
    stacked = stacked[~np.isnan(stacked).any(1)]
    cov = stacked.T @ stacked / max(len(stacked), 1)
    return Noise(K @ cov @ K.T, cov, K @ cov, K, cov)


def _refined_gain(K: np.ndarray, A, C, rest: Regression, records: Sequence[Record]) -> np.ndarray:
    """K at the minimum of the one-step error over (an excerpt of) the records, all else held."""
    if np.abs(np.linalg.eigvals(A - K @ C)).max(initial=0.0) >= 1.0 or not len(A):
        return K
    part = excerpt(records)
    start = Predictor(A, rest.B, np.zeros(len(A)), K, C, rest.D, rest.d)
    problem = LinearProblem(part, start, Structure.of_free(start, {"K": True}), ErrorLaw(), estimate_x0=False)
    x0 = rest.initial_states[: len(part)]
    theta = problem.structure.theta(start.vector())
    if not np.isfinite(problem.evaluate(theta, x0).value):
        return K
    return problem.minimise(theta, x0, 15, 1e-2, "fit(Subspace)").point.predictor.K


def _regressed_gain(windows: Windows, past: int, A, C, rest: Regression, records: Sequence[Record]) -> np.ndarray | None:
    """K from the innovations of an autoregression with `past` lags, None where the filter A - K C is not stable."""
    if windows.count < 2 * past * (windows.n_inputs + windows.n_outputs) or np.abs(np.linalg.eigvals(A)).max(initial=0) > 1.001:
        return None
    simulated = prediction_errors(A, rest.B, C, rest.D, rest.d, np.zeros((len(A), len(C))), rest.initial_states, records)
    L = windows.length
    lags = np.hstack([windows.u(L - 1 - past, L), windows.y(L - 1 - past, L - 1)])
    theta = np.linalg.lstsq(lags, windows.y(L - 1, L), rcond=1e-10)[0]
    pairs = []
    for (y, u), s in zip(records, simulated):
        if len(y) <= past + 1 or np.isnan(y).any():
            continue
        pairs.append((s[past:], _innovations(y, u, theta, past)))
    if not pairs:
        return None
    K = joint_regression(A, C, pairs, None, True, False).B
    return K if np.abs(np.linalg.eigvals(A - K @ C)).max(initial=0) < 0.9999 else None


def _innovations(y: np.ndarray, u: np.ndarray, theta: np.ndarray, past: int) -> np.ndarray:
    """e[t] = y[t] - autoregression on the last `past` samples, t >= past."""
    m, p = u.shape[1], y.shape[1]
    e = y[past:].copy()
    T = len(e)
    for k in range(past + 1):
        e -= u[k : k + T] @ theta[k * m : (k + 1) * m]
        if k < past:
            at = (past + 1) * m + k * p
            e -= y[k : k + T] @ theta[at : at + p]
    return e
