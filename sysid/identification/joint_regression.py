"""Joint least squares for what enters a linear predictor linearly: B, D, an output offset and the initial states.

Given A, C and a gain K, zero for simulation,

    x[t+1] = A x[t] + B u[t] + K e[t],    y[t] = C x[t] + D u[t] + d + e[t]

e is linear in (B, D, d, x[0] of every experiment). The rows are formed and triangularised in blocks, so that memory
does not grow with the record, and the initial states are eliminated experiment by experiment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels.sensitivity import input_responses, predict_linear, state_responses
from .triangular import extended

Record = tuple[np.ndarray, np.ndarray]  # y (T, p) with NaN for missing, u (T, m)
_ROWS = 4096


@dataclass(frozen=True)
class Regression:
    """B (n, m), D (p, m), output offset d (p,), initial states (S, n), mean squared error of each channel (p,).

    simulation_errors: (T, p) of each experiment, None where something else was minimised.
    """

    B: np.ndarray
    D: np.ndarray
    d: np.ndarray
    initial_states: np.ndarray
    mean_square: np.ndarray
    simulation_errors: Sequence[np.ndarray] | None = None


def joint_regression(A: np.ndarray, C: np.ndarray, records: Sequence[Record], gain: np.ndarray | None = None,
                     feedthrough: bool = True, offset: bool = True, starts: np.ndarray | None = None,
                     free: np.ndarray | None = None, errors: bool = True) -> Regression:  # fmt: skip
    """Estimate B, D, d and the initial states by least squares on the simulation (gain None) or prediction error.

    A: (n, n), C: (p, n), gain: (n, p). starts: (S, n) initial states where they are known. free: (n, m), which
    entries of B are free; the others are zero. errors: whether they are wanted, else their mean square is NaN. Missing outputs are left out; under a gain the filter bridges them linearly.
    Cost O(T p m n^2 + T p (m (n + p))^2), memory O((m (n + p))^2).
    """
    n, p, m = len(A), len(C), records[0][1].shape[1]
    keep = np.ones(m * n + feedthrough * m * p + offset * p, bool)
    if free is not None:
        keep[: m * n] = free.T.ravel()
    shared = int(keep.sum())
    K = np.zeros((n, p)) if gain is None else gain
    stack, heads = np.zeros((0, shared + 1)), []
    for k, (y, u) in enumerate(records):
        R = np.zeros((0, n + shared + 1))
        for rows in _rows(A, C, K, y, u, feedthrough, offset):
            if free is not None:
                rows = rows[:, np.r_[np.ones(n, bool), keep, True]]
            if starts is not None:
                rows = np.hstack([rows[:, n:-1], rows[:, -1:] - rows[:, :n] @ starts[k][:, None]])
            R = extended(R[:, -rows.shape[1] :], rows)
        heads.append(R[:n])
        stack = np.vstack([stack, R[n:, n:] if starts is None else R])
    reduced = scaled_least_squares(stack[:, :-1], stack[:, -1])
    x0 = starts if starts is not None else np.stack([scaled_least_squares(h[:, :n], h[:, -1] - h[:, n:-1] @ reduced) for h in heads])
    theta = np.zeros(len(keep))
    theta[keep] = reduced
    B = theta[: m * n].reshape(m, n).T
    D = theta[m * n : m * n + m * p].reshape(m, p).T if feedthrough else np.zeros((p, m))
    d = theta[len(theta) - p :] if offset else np.zeros(p)
    if not errors:
        return Regression(B.copy(), D.copy(), d.copy(), x0, np.full(p, np.nan))
    found = prediction_errors(A, B, C, D, d, K, x0, records)
    return Regression(B.copy(), D.copy(), d.copy(), x0, mean_square(found), found if gain is None else None)


def prediction_errors(A, B, C, D, d, K, x0, records: Sequence[Record]) -> list[np.ndarray]:
    """One-step (K given) or simulation (K = 0) errors (T, p) of each experiment from its initial state x0[s]."""
    matrices = [np.ascontiguousarray(M) for M in (A, B, C, D, K)]
    out = []
    for (y, u), x in zip(records, x0):
        states, errors = np.empty((len(y), len(A))), np.empty(y.shape)
        predict_linear(*matrices, np.ascontiguousarray(u), np.ascontiguousarray(y - d), x.copy(), states, errors)
        out.append(errors)
    return out


def mean_square(errors: Sequence[np.ndarray]) -> np.ndarray:
    """Mean squared error of each channel (p,) over the measured samples of all experiments."""
    stacked = errors[0] if len(errors) == 1 else np.concatenate(errors)
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.einsum("tk,tk->k", stacked, stacked) / max(len(stacked), 1)
        if np.isnan(value).any():
            value = np.nansum(stacked**2, 0) / np.maximum((~np.isnan(stacked)).sum(0), 1)
    return np.where(np.isfinite(value), value, np.inf)


def scaled_least_squares(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares of least norm after scaling every column to length one; null columns give zero."""
    length = np.linalg.norm(X, axis=0)
    length = np.where(length > 0, length, 1.0)
    return np.linalg.lstsq(X / length, y, rcond=1e-12)[0] / length


def _rows(A, C, K, y, u, feedthrough: bool, offset: bool) -> Iterator[np.ndarray]:
    """Rows [x0 | B | D | d | y] of one experiment, a few thousand samples at a time."""
    n, p, m = len(A), len(C), u.shape[1]
    F, C = np.ascontiguousarray(A - K @ C), np.ascontiguousarray(C)
    filtered = K.any()
    bridged = bridge(y) if filtered else np.zeros((len(y), 0))
    signals = np.hstack([u, np.ones((len(y), 1)), bridged]) if filtered else u
    X, O = np.zeros((signals.shape[1], p, n)), C.copy()
    for a in range(0, len(y), _ROWS):
        z, yb, ub = np.ascontiguousarray(signals[a : a + _ROWS]), y[a : a + _ROWS], u[a : a + _ROWS]
        T = len(yb)
        bank, initial = np.empty((T, p, z.shape[1] * n)), np.empty((T, p, n))
        input_responses(F, C, z, X, bank)
        state_responses(F, O, initial)
        # What enters y directly (D u, d, y itself) enters the state as -K times it.
        through = -(bank.reshape(T, p, -1, n) @ K) if filtered else None
        width = n * (1 + m) + m * p * feedthrough + p * offset
        rows = np.empty((T, p, width + 1))
        rows[:, :, :n], rows[:, :, n : n * (1 + m)] = initial, bank[:, :, : m * n]
        if feedthrough:
            direct = rows[:, :, n * (1 + m) : n * (1 + m) + m * p].reshape(T, p, m, p)
            direct[...] = np.einsum("tj,kl->tkjl", ub, np.eye(p)) + (0.0 if through is None else through[:, :, :m])
            rows[:, :, n * (1 + m) : n * (1 + m) + m * p] = direct.reshape(T, p, m * p)
        if offset:
            rows[:, :, width - p : width] = np.eye(p) + (0.0 if through is None else through[:, :, m])
        rows[:, :, width] = yb if through is None else yb + np.einsum("tkjj->tk", through[:, :, m + 1 :])
        missing = np.isnan(yb).ravel()
        flat = rows.reshape(T * p, -1)
        yield flat[~missing] if missing.any() else flat


def bridge(y: np.ndarray) -> np.ndarray:
    """Missing samples (T, p) filled linearly between their neighbours."""
    out = y.copy()
    t = np.arange(len(y))
    for channel in out.T:
        gaps = np.isnan(channel)
        if gaps.any() and not gaps.all():
            channel[gaps] = np.interp(t[gaps], t[~gaps], channel[~gaps])
    return np.nan_to_num(out)
