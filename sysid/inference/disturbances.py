"""Smoothed disturbances with their covariances: what moved the state and the outputs beyond the model, given all data.

    E[w[t] | y] = J (x(t+1|T) - x(t+1|t)),   J = Q P(t+1|t)^-1,   Cov(w[t] | y) = Q - J Q + J P(t+1|T) J'
    E[v[t] | y] = y[t] - g(x(t|T)),          Cov(v[t] | y) = C P(t|T) C'             [Koopman 1993; de Jong & Penzer 1998]
"""

from __future__ import annotations

import numpy as np

from ..core.data import Data
from ..linear.covariances import covariance_inverse
from ..models.process import Process
from .diffuse import moved
from .linear_arrays import linear_arrays, scheduled
from .rts import Backward
from .trace import Trace


def state_disturbance_covariances(process: Process, data: Data, trace: Trace, back: Backward) -> np.ndarray:
    """Cov(w[t] | y): (T-1, n, n) of one sequence, as a sum of positive semidefinite terms.

    Where noises are correlated the filter ran on w~, with w = w~ + M x[t] + what is known and M = A~ - A.
    """
    (T, n), A, Q = trace.xf.shape[1:], trace.AT.swapaxes(1, 2), trace.Q
    own = scheduled(process.Q, 0, T, "Q")
    correlated = process.S is not None and bool(process.S.any())
    nominal = linear_arrays(process, data.inputs[None]).AT.swapaxes(1, 2) if correlated else A
    Pf, Pp, Ps, index, place, unseen = trace.Pf, trace.Pp, back.P, trace.index, back.place, _unseen(trace)
    assert Pf is not None and Pp is not None
    out, known = np.empty((T - 1, n, n)), {}
    for t in range(T - 1):
        a, q, o = (t if len(stack) > 1 else 0 for stack in (A, Q, own))
        key = (a, q, o, index[t], index[t + 1], place[t + 1], min(t, len(unseen)))
        if key not in known:
            M = A[a] - nominal[t if len(nominal) > 1 else 0]
            white = Q[q] if correlated else own[o]  # the rest of Q is what f adds beyond its linear part
            P = Pf[index[t]]
            J = (M @ P @ A[a].T + white) @ _inverse(Pp[index[t + 1]], unseen[t] if t < len(unseen) else np.zeros((n, 0)))
            left, right = M - J @ A[a], np.eye(n) - J
            cov = left @ P @ left.T + right @ white @ right.T + J @ (Q[q] - white + Ps[place[t + 1]]) @ J.T
            known[key] = (cov + cov.T) / 2
        out[t] = known[key]
    return out


def output_disturbance_covariances(trace: Trace, back: Backward, seen: np.ndarray) -> np.ndarray:
    """Cov(v[t] | y): (T, p, p), zero beside entries that are missing, which are NaN. seen: (T, p)."""
    C = trace.C if len(trace.C) > 1 else np.broadcast_to(trace.C, (len(seen), *trace.C.shape[1:]))
    cov = C @ back.P[back.place] @ C.swapaxes(1, 2)
    return np.where(seen[:, :, None] & seen[:, None, :], (cov + cov.swapaxes(1, 2)) / 2, np.nan)


def _unseen(trace: Trace) -> list[np.ndarray]:
    """Directions of infinite variance in x[t+1] given y[..t], for the steps that began diffuse."""
    prefix = trace.extra.get("prefix")
    return [] if prefix is None else [moved(A, X) for A, X in zip(prefix.A, prefix.X)]


def _inverse(P: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The limit of (P + kappa X X')^-1 for kappa to infinity: N (N' P N)^+ N', N spanning what X does not."""
    n, d = X.shape
    if d:
        U, s, _ = np.linalg.svd(X)
        N = U[:, (s > 64 * n * np.finfo(float).eps * s[0]).sum() :]
        return N @ _inverse(N.T @ P @ N, np.zeros((N.shape[1], 0))) @ N.T
    return covariance_inverse(P)
