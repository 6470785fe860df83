"""A linear process along its input as the arrays that kernels take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..kernels._jit import as_float
from ..linear.covariances import covariance_inverse
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.process import Process


@dataclass(frozen=True)
class LinearArrays:
    """AT (k, n, n) transposed A, C (k, p, n), Q (k, n, n), R (k, p, p) with k = 1 or T; bx, by (S or 1, T or 1, .) offsets."""

    AT: np.ndarray
    C: np.ndarray
    Q: np.ndarray
    R: np.ndarray
    bx: np.ndarray
    by: np.ndarray

    @property
    def is_invariant(self) -> bool:
        """Whether matrices and covariances are constant in time."""
        return max(len(a) for a in (self.AT, self.C, self.Q, self.R)) == 1

    def sequences(self, which: slice) -> LinearArrays:
        """The arrays of some sequences alone."""
        bx, by = (b if len(b) == 1 else b[which] for b in (self.bx, self.by))
        return LinearArrays(self.AT, self.C, self.Q, self.R, bx, by)


def linear_arrays(process: Process, u: np.ndarray, start: int = 0) -> LinearArrays:
    """The arrays of steps start..start+T-1 along inputs u (S or 1, T, m).

    A Bilinear model takes one sequence at a time, u (1, T, m).
    """
    model, T = process.model, u.shape[1]
    if isinstance(model, LTI) and process.Q.ndim == process.R.ndim == 2:
        bx, by = _offset(model.B[None], u, model.c[None]), _offset(model.D[None], u, model.d[None])
        return LinearArrays(as_float(model.A.T)[None], model.C[None], process.Q[None], process.R[None], bx, by)
    if isinstance(model, Bilinear):
        model = model.along(u[0])
        A, C = model.A, _cut(model.C, 3, start, T, "C")
    else:
        A, C = (_cut(a, 3, start, T, k) for a, k in ((model.A, "A"), (model.C, "C")))
    B, D = (_cut(a, 3, start, T, k) for a, k in ((model.B, "B"), (model.D, "D")))
    c, d = (_cut(a, 2, start, T, k) for a, k in ((model.c, "c"), (model.d, "d")))
    Q, R = (_cut(a, 3, start, T, k) for a, k in ((process.Q, "Q"), (process.R, "R")))
    AT = as_float(A.swapaxes(1, 2))
    return LinearArrays(AT, as_float(C), as_float(Q), as_float(R), _offset(B, u, c), _offset(D, u, d))


def scheduled(cov: np.ndarray, start: int, T: int, name: str) -> np.ndarray:
    """A covariance of the process for steps start..start+T-1: (1 or T, k, k)."""
    return as_float(_cut(cov, 3, start, T, name))


def _cut(array: np.ndarray, ndim: int, start: int, T: int, name: str) -> np.ndarray:
    """Steps start..start+T-1, or the constant, with a time axis."""
    if array.ndim < ndim or len(array) == 1:
        return array if array.ndim == ndim else array[None]
    if len(array) < start + T:
        raise ValueError(
            f"expected {name} of the process for {start + T} steps; received {len(array)}. A model that varies in time must "
            "cover the data and the horizon."
        )
    return array[start : start + T]


def _offset(M: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """M[t] u[t] + b[t]: (S or 1, T or 1, rows)."""
    if u.shape[2] == 0 or not M.any():
        return as_float(b[None])
    product = u @ M[0].T if len(M) == 1 else (M @ u[..., None])[..., 0]
    return as_float(product + b)


def decorrelate(arrays: LinearArrays, S: np.ndarray | None, y: np.ndarray) -> LinearArrays:
    """Rewrite a process whose noises are correlated, Cov(w, v) = S, as one whose noises are not.

        w = S R^+ v + w~,   v = y - C x - D u - d:    A~ = A - S R^+ C,   b~ = b + S R^+ (y - D u - d),   Q~ = Q - S R^+ S'

    with the rows measured at each step. y: (T, p). Exact also for a singular R. [Anderson & Moore 1979, Sec. 5.5]
    """
    if S is None or not S.any():
        return arrays
    T, n, p = len(y), *S.shape
    seen = ~np.isnan(y)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(patterns) == 1 and arrays.is_invariant:
        which = np.zeros(1, dtype=int)
    steps = len(which)
    gains = np.zeros((steps, n, p))
    for k, pattern in enumerate(patterns):
        rows = np.flatnonzero(pattern)
        for r in range(len(arrays.R)) if len(arrays.R) > 1 else [0]:
            G = S[:, rows] @ covariance_inverse(arrays.R[r][np.ix_(rows, rows)])
            here = which == k if len(arrays.R) == 1 else (which == k) & (np.arange(steps) == r)
            gains[np.ix_(np.flatnonzero(here), np.arange(n), rows)] = G
    residual = np.where(seen, y - np.broadcast_to(arrays.by[0], (T, p)), 0.0)
    A = arrays.AT.swapaxes(1, 2) - gains @ arrays.C
    drop = gains @ S.T
    Q = arrays.Q - (drop + drop.swapaxes(1, 2)) / 2
    floor = 1e-14 * np.abs(np.diagonal(arrays.Q, axis1=1, axis2=2))
    small = np.diagonal(Q, axis1=1, axis2=2) <= floor
    Q = np.where(small[:, :, None] | small[:, None, :], 0.0, Q)
    b = arrays.bx[0] + (gains @ residual[..., None])[..., 0]
    return replace(arrays, AT=as_float(A.swapaxes(1, 2)), Q=as_float(Q), bx=as_float(b[None]))


def broadcast_means(value: Any, S: int) -> np.ndarray:
    """(S, n) from (n,) or (S, n)."""
    value = np.asarray(value, dtype=float)
    means = np.empty((S, value.shape[-1]))
    means[:] = value
    return means
