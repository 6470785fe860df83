"""Low-rank Gramians of large sparse models by the alternating-direction-implicit iteration, in real arithmetic.

    continuous   A X + X A' + B B' = 0        discrete   X = A X A' + B B',   by M = (A - I)(A + I)^-1

X is never formed: its factor Z grows by one block a shift, and the residual stays a product of thin matrices, W W',
so that it is known exactly at every step. Shifts are Ritz values on the newest blocks of Z; where A falls apart into small
blocks, as modal models do, they are its own eigenvalues, the heaviest first.
[Li & White 2002; Benner, Kurschner & Saak 2013, 2014]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from .gramians import compressed

__all__ = ["LowRankGramian", "low_rank_gramian"]


@dataclass(frozen=True, eq=False, repr=False)
class LowRankGramian(Shown):
    """A Gramian X = Z Z' by its factor.

    Z: (n, r). residual: spectral norm of the equation's residual relative to that of B B'. n_solves: sparse factorisations.
    converged: the residual is within the tolerance asked for.
    """

    Z: np.ndarray
    residual: float
    n_solves: int
    converged: bool

    def summary(self) -> dict[str, Any]:
        return {"states": len(self.Z), "rank": self.Z.shape[1], "relative residual": self.residual,
                "sparse factorisations": self.n_solves, "converged": self.converged}  # fmt: skip


def low_rank_gramian(A: Any, B: np.ndarray, *, dt: float | None = 1.0, tolerance: float = 1e-9, max_solves: int = 2000,
                     compress: float = 1e-12) -> LowRankGramian:
    """Compute a low-rank factor of the controllability Gramian of a large sparse stable model.

    A: (n, n) sparse array (or ndarray), stable. B: (n, m), m small; for the observability Gramian pass A.T and C.T. dt:
    None for continuous time. tolerance: on the relative residual. max_solves: one sparse LU a shift, a complex pair is one.
    compress: singular values of Z below this share of the largest are dropped at the end.
    Returns a LowRankGramian; `.converged` says whether the tolerance was met. Raises ValueError where the iteration diverges,
    as it does for an unstable A. Cost O(max_solves (sparse LU + n m)). [Benner, Kurschner & Saak 2014]
    """
    from scipy import sparse

    if not hasattr(A, "shape") or len(A.shape) != 2 or A.shape[0] != A.shape[1]:
        raise ValueError(f"low_rank_gramian: expected A as a square matrix; received shape {np.shape(A)}.")
    n = A.shape[0]
    A = sparse.csc_array(A, dtype=float)
    if not np.isfinite(A.data).all():
        raise ValueError("low_rank_gramian: expected finite A; received NaN or an infinity.")
    B = _check.matrix(B, "B", "low_rank_gramian", (n, None), f"A is {n} x {n}")
    _check.positive(tolerance, "tolerance", "low_rank_gramian")
    if B.shape[1] == 0 or not B.any():
        return LowRankGramian(np.zeros((n, 0)), 0.0, 0, True)
    flow = _Continuous(A) if _check.time_step(dt, "low_rank_gramian") is None else _Discrete(A)
    start = flow.start(B)
    known = _block_poles(A, start)
    shifts = _shifts(flow, start) if known is None else _mirrored(flow.rates(known))
    blocks, residual, solves = _iterate(flow, start, shifts, float(np.linalg.norm(B, 2)) ** 2, tolerance, max_solves)
    Z = np.hstack(blocks) if blocks else np.zeros((n, 0))
    return LowRankGramian(_compressed(Z, compress), residual, solves, residual <= tolerance)


class _Continuous:
    """F = A."""

    def __init__(self, A: Any):
        from scipy import sparse

        self._A: Any = A
        self._eye: Any = sparse.eye_array(A.shape[0], format="csc")

    def start(self, B: np.ndarray) -> np.ndarray:
        return np.array(B)

    def rates(self, poles: np.ndarray) -> np.ndarray:
        return poles

    def apply(self, V: np.ndarray) -> np.ndarray:
        return self._A @ V

    def solve(self, shift: complex, W: np.ndarray) -> np.ndarray:
        return _lu_solve(self._A + shift * self._eye, W)

    def residual(self, W: np.ndarray) -> float:
        return float(np.linalg.norm(W, 2)) ** 2


class _Discrete:
    """F = (A - I)(A + I)^-1, with the start sqrt(2) (A + I)^-1 B: the continuous equation of the same Gramian."""

    def __init__(self, A: Any):
        from scipy import sparse

        self._A: Any = A
        self._eye: Any = sparse.eye_array(A.shape[0], format="csc")
        self._plus = (A + self._eye).tocsc()
        self._solve_plus = _factor(self._plus)

    def start(self, B: np.ndarray) -> np.ndarray:
        return np.sqrt(2.0) * self._solve_plus(B)

    def rates(self, poles: np.ndarray) -> np.ndarray:
        return (poles - 1) / (poles + 1)

    def apply(self, V: np.ndarray) -> np.ndarray:
        solved = self._solve_plus(V)
        return self._A @ solved - solved

    def solve(self, shift: complex, W: np.ndarray) -> np.ndarray:
        return self._plus @ _lu_solve((1 + shift) * self._A + (shift - 1) * self._eye, W)

    def residual(self, W: np.ndarray) -> float:
        return float(np.linalg.norm(self._plus @ W, 2)) ** 2 / 2


def _factor(matrix: Any) -> Any:
    """Factor a sparse matrix once; returns the function that solves with it."""
    from scipy.sparse.linalg import splu

    try:
        lu = splu(matrix.tocsc())
    except RuntimeError:
        raise ValueError("low_rank_gramian: a shifted matrix is singular; is A stable?") from None
    return lambda rhs: lu.solve(np.ascontiguousarray(rhs, dtype=matrix.dtype))


def _lu_solve(matrix: Any, rhs: np.ndarray) -> np.ndarray:
    return _factor(matrix)(rhs)


def _iterate(flow: _Continuous | _Discrete, W: np.ndarray, shifts: list[complex], size: float, tolerance: float,
             max_solves: int) -> tuple[list[np.ndarray], float, int]:
    """Run the iteration; return (blocks of Z, relative residual, factorisations)."""
    blocks: list[np.ndarray] = []
    residual, best = flow.residual(W) / size, np.inf
    for solves in range(max_solves):
        if residual <= tolerance:
            return blocks, residual, solves
        if not shifts:
            shifts = _shifts(flow, np.hstack(blocks[-6:]))
        shift = shifts.pop(0)
        if shift.imag == 0:
            V = flow.solve(shift.real, W)
            W = W - 2 * shift.real * V  # [Benner, Kurschner & Saak 2013, Alg. 3.2]
            blocks.append(np.sqrt(-2 * shift.real) * V)
        else:
            V = flow.solve(shift, W)
            slope = shift.real / shift.imag
            rotated = V.real + slope * V.imag
            W = W - 4 * shift.real * rotated
            gain = 2 * np.sqrt(-shift.real)
            blocks += [gain * rotated, gain * np.sqrt(slope**2 + 1) * V.imag]
        residual = flow.residual(W) / size
        best = min(best, residual)
        if not np.isfinite(residual) or residual > 1e8 * max(best, 1.0):
            raise ValueError("low_rank_gramian: the iteration diverges, as it does for an unstable A. A finite horizon, or "
                             "the stable part, has a Gramian.")  # fmt: skip
    return blocks, residual, max_solves


def _shifts(flow: _Continuous | _Discrete, basis: np.ndarray) -> list[complex]:
    """Ritz values on the span of `basis`, mirrored into the left half plane, one of each conjugate pair."""
    U, values, _ = np.linalg.svd(basis, full_matrices=False)
    Q = U[:, values > 1e-10 * values[0]]
    ritz = np.linalg.eigvals(Q.T @ flow.apply(Q)).astype(complex)
    kept = _mirrored(ritz[np.argsort(np.abs(ritz))])
    return kept or [-complex(max(float(np.abs(ritz).max(initial=0.0)), 1.0))]


def _mirrored(values: np.ndarray) -> list[complex]:
    """Values (k,) in the open left half plane, one of each conjugate pair, in the given order."""
    values = -np.abs(values.real) + 1j * np.abs(values.imag)
    size = np.abs(values)
    values = np.where(np.abs(values.imag) < 1e-8 * size, values.real, values)
    values = values[values.real < -1e-14 * size.max(initial=0.0)]
    kept: list[complex] = []
    for value in values:
        if not kept or abs(value - kept[-1]) > 1e-9 * abs(value):
            kept.append(complex(value))
    return kept


def _block_poles(A: Any, W: np.ndarray, largest: int = 50) -> np.ndarray | None:
    """The poles of a matrix that falls apart into blocks, those that put most into the Gramian first; else None."""
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(A, directed=False)
    sizes = np.bincount(label, minlength=count)
    if count == 1 or sizes.max() > largest:
        return None
    order = np.argsort(label, kind="stable")
    poles, weights = [], []
    for members in np.split(order, np.cumsum(sizes)[:-1]):
        values, V = np.linalg.eig(A[members][:, members].toarray())
        held = np.linalg.lstsq(V, W[members].astype(complex), rcond=None)[0]
        poles.append(values)
        weights.append(np.linalg.norm(held, axis=1) * np.linalg.norm(V, axis=0))
    every = np.concatenate(poles).astype(complex)
    return every[np.argsort(-np.concatenate(weights), kind="stable")]


def _compressed(Z: np.ndarray, share: float) -> np.ndarray:
    """Drop directions of Z that carry less than `share` of the largest singular value; at most n columns stay."""
    if Z.shape[1] > Z.shape[0] // 2:
        return compressed(Z)
    U, values, _ = np.linalg.svd(Z, full_matrices=False)
    keep = values > share * values[0]
    return U[:, keep] * values[keep]
