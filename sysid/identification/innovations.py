"""The noise of a subspace estimate: Q, R, S from the residuals and K from the Riccati equation, or K by regression.

The residuals of the state sequence give jointly PSD covariances and through the Riccati equation a gain. That
sequence is built from a finite past, which costs accuracy; so a second gain is found from the innovations e of a long
autoregression, by least squares on what the simulation leaves, s[t] = C (zI - A)^-1 K e + e. The gain with the
smaller one-step error on the estimation data is kept, and a few Gauss-Newton steps on K alone lower that error to its
minimum, for the model that stands. They end where the predictor A - K C would remember longer than a tenth of the record:
estimated zeros of the noise pile up on the unit circle, where the predictor never forgets its start [Sargan & Bhargava 1983].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels.sensitivity import input_responses
from ..linear.covariances import innovations_noise
from ..linear.riccati import filter_riccati
from .joint_regression import (
    Record,
    Regression,
    joint_regression,
    mean_square,
    prediction_errors,
    scaled_least_squares,
)
from .realization import Decomposition, noise_covariances
from .records import excerpt
from .triangular import extended
from .windows import Windows

_ROWS = 4096
_MEMORIES = 10.0  # of the predictor in the longest record, at least, unless A itself remembers longer


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
    found = [_gain_errors(K, A, C, rest, records) for K in tries]
    best = int(np.argmin([value for value, _ in found]))
    K, (value, errors) = tries[best], found[best]
    better, after = _refined_gain(K, found[best], A, C, rest, records)
    if after[0] < value:
        K, errors = better, after[1]
    elif solution.converged and best == 0:
        return Noise(Q, R, S, K, C @ solution.X @ C.T + R)
    stacked = np.concatenate(errors)
    stacked = stacked[~np.isnan(stacked).any(1)]
    cov = stacked.T @ stacked / max(len(stacked), 1)
    return Noise(*innovations_noise(K, cov), K, cov)


_Errors = tuple[float, Sequence[np.ndarray]]  # sum over the outputs of the log mean squared one-step errors; the errors


def _refined_gain(K: np.ndarray, start: _Errors, A, C, rest: Regression, records: Sequence[Record]) -> tuple[np.ndarray, _Errors]:
    """K at the minimum of the one-step error over (an excerpt of) the records, all else held: damped Gauss-Newton.

    de / dK_ij is the response of x+ = (A - K C) x to e_j in state i, seen through -C. Gaps are left out of the rows and
    bridged by zeros in the response, which only makes a step less apt: none that does not lower the error is taken.
    """
    part = excerpt(records)
    whole = sum(len(y) for y, _ in part) == sum(len(y) for y, _ in records)
    first = start if whole else _gain_errors(K, A, C, rest, part)
    begun = _radius(A - K @ C)
    if begun >= 1.0 or not len(A) or not np.isfinite(first[0]):
        return K, start
    within = min(max(1.0 - _MEMORIES / max(len(y) for y, _ in part), _radius(A), begun), 1.0 - np.finfo(float).eps)
    K, reached = _descend(K, first, A, C, rest, part, within)
    return K, reached if whole else _gain_errors(K, A, C, rest, records)


def _descend(K: np.ndarray, best: _Errors, A, C, rest: Regression, records: Sequence[Record], within: float) -> tuple[np.ndarray, _Errors]:
    """Steps that lower the error and keep the spectral radius of A - K C within a bound."""
    damping = 1e-6
    for _ in range(15):
        R = _gain_rows(K, A, C, best[1])
        for _ in range(10):
            weights = np.sqrt(damping) * np.linalg.norm(R[:, :-1], axis=0)
            step = scaled_least_squares(np.vstack([R[:, :-1], np.diag(weights)]), np.r_[R[:, -1], np.zeros(len(weights))])
            trial = K + step.reshape(K.shape[::-1]).T
            found = _gain_errors(trial, A, C, rest, records) if _radius(A - trial @ C) <= within else (np.inf, best[1])
            if found[0] < best[0]:
                break
            damping *= 10
        else:
            return K, best
        gained = best[0] - found[0]
        K, best, damping = trial, found, max(damping / 10, 1e-12)
        if gained < 1e-6:
            return K, best
    return K, best


def _gain_errors(K, A, C, rest: Regression, records: Sequence[Record]) -> _Errors:
    errors = prediction_errors(A, rest.B, C, rest.D, rest.d, K, rest.initial_states, records)
    return float(np.log(np.maximum(mean_square(errors), 1e-300)).sum()), errors


def _gain_rows(K: np.ndarray, A, C, errors: Sequence[np.ndarray]) -> np.ndarray:
    """Triangular R of [-de/dK | e], columns of K stacked, each output on the scale of its own errors."""
    n, p = K.shape
    F, C = np.ascontiguousarray(A - K @ C), np.ascontiguousarray(C)
    scale = np.sqrt(np.maximum(mean_square(errors), 1e-300))
    R = np.zeros((0, p * n + 1))
    for e in errors:
        X, z = np.zeros((p, p, n)), np.nan_to_num(e)
        for a in range(0, len(e), _ROWS):
            block = np.ascontiguousarray(z[a : a + _ROWS])
            J = np.empty((len(block), p, p * n))
            input_responses(F, C, block, X, J)
            rows = np.concatenate([J, block[:, :, None]], axis=2)
            rows /= scale[:, None]
            missing = np.isnan(e[a : a + _ROWS])
            R = extended(R, rows[~missing] if missing.any() else rows.reshape(-1, p * n + 1))
    return R


def _radius(A: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(A)).max(initial=0.0))


def _regressed_gain(windows: Windows, past: int, A, C, rest: Regression, records: Sequence[Record]) -> np.ndarray | None:
    """K from the innovations of an autoregression with `past` lags, None where the filter A - K C is not stable."""
    if windows.count < 2 * past * (windows.n_inputs + windows.n_outputs) or np.abs(np.linalg.eigvals(A)).max(initial=0) > 1.001:
        return None
    simulated = rest.simulation_errors
    if simulated is None:
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
    K = joint_regression(A, C, pairs, None, True, False, errors=False).B
    return K if _radius(A - K @ C) < 0.9999 else None


def _innovations(y: np.ndarray, u: np.ndarray, theta: np.ndarray, past: int) -> np.ndarray:
    """e[t] = y[t] - autoregression on the last `past` samples, t >= past."""
    m, p = u.shape[1], y.shape[1]
    e = y[past:].copy()
    for signal, taps in ((u, theta[: (past + 1) * m].reshape(past + 1, m, p)), (y, theta[(past + 1) * m :].reshape(past, p, p))):
        if len(taps):
            for j, k in np.ndindex(taps.shape[1:]):
                e[:, k] -= np.correlate(signal[: len(signal) - (past + 1 - len(taps)), j], taps[:, j, k], "valid")
    return e
