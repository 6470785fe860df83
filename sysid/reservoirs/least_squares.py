r"""Regularised least squares on centred data, held as a triangle: exact, mergeable, of constant memory.

    [X - 1 mean_x', Y - 1 mean_y'] = Q [[R, Z], [0, E]]           (Householder QR, chunk by chunk)
    min |Y - X C' - 1 d'|^2 + ridge |C|^2   =>   R = U S V',  C' = V diag(s/(s^2 + ridge)) U' Z,  d = mean_y - C mean_x

The normal equations are never formed: their condition number is the square of X's. The intercept carries no penalty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg

_CHUNK = 4096  # rows folded in at once: QR work grows by the share (k + p)/chunk, memory stays bounded


@dataclass
class Triangle:
    """Running statistics of rows [x, y]: count, means, and the triangular factor of the centred rows (k + p, k + p)."""

    n_features: int
    n_outputs: int
    count: float = 0.0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    factor: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        width = self.n_features + self.n_outputs
        if self.mean.size == 0:
            self.mean, self.factor = np.zeros(width), np.zeros((0, width))

    def add(self, X: np.ndarray, Y: np.ndarray) -> Triangle:
        """Fold in rows X (T, k), Y (T, p), without NaN. O(T (k + p)^2). Returns itself."""
        for a in range(0, len(X), _CHUNK):
            rows = np.hstack([X[a : a + _CHUNK], Y[a : a + _CHUNK]])
            mean = rows.mean(axis=0)
            self._fold(len(rows), mean, rows - mean)
        return self

    def merge(self, other: Triangle) -> Triangle:
        """Fold in the statistics of other rows. Returns itself."""
        if other.count:
            self._fold(other.count, other.mean, other.factor)
        return self

    def _fold(self, count: float, mean: np.ndarray, centred: np.ndarray) -> None:
        total = self.count + count
        shift = mean - self.mean
        between = np.sqrt(self.count * count / total) * shift[None]  # [Chan, Golub & LeVeque 1983, Eq. 1.5b]
        stack = np.vstack([self.factor, between, centred]) if self.count else centred
        width = stack.shape[1]
        if len(stack) > width:
            stack = linalg.qr(stack, mode="r", overwrite_a=True, check_finite=False)[0][:width]
        self.factor, self.mean = np.triu(stack) if len(stack) == width else stack, self.mean + shift * (count / total)
        self.count = total

    def path(self) -> RidgePath:
        """The whole ridge path by one singular value decomposition. O(k^3)."""
        if self.count < 2:
            raise ValueError(f"ridge regression: expected at least 2 rows; received {self.count:.0f}.")
        R = self.factor
        if len(R) < R.shape[1]:
            R = np.vstack([R, np.zeros((R.shape[1] - len(R), R.shape[1]))])
            R = linalg.qr(R, mode="r", check_finite=False)[0]
        k = self.n_features
        return RidgePath(R[:k, :k], R[:k, k:], R[k:, k:], self.mean[:k], self.mean[k:], self.count)


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge regression for every penalty at once, from the triangle of the centred rows.

    R (k, k), Z (k, p), E (p, p) : blocks of the triangle. count : rows N.
    """

    R: np.ndarray
    Z: np.ndarray
    E: np.ndarray
    mean_x: np.ndarray
    mean_y: np.ndarray
    count: float

    @cached_property
    def svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """U'Z (k, p), singular values (k,), V (k, k)."""
        try:
            U, s, Vt = linalg.svd(self.R, check_finite=False)
        except linalg.LinAlgError:
            U, s, Vt = linalg.svd(self.R, lapack_driver="gesvd", check_finite=False)
        return U.T @ self.Z, s, Vt.T

    def shrink(self, ridge: float) -> np.ndarray:
        """s/(s^2 + ridge) (k,), zero for directions below rounding where there is no ridge."""
        s = self.svd[1]
        if ridge == 0.0:
            floor = max(self.R.shape) * np.finfo(float).eps * s.max(initial=0.0)
            return np.where(s > floor, 1.0 / np.where(s > floor, s, 1.0), 0.0)
        return s / (s ** 2 + ridge)

    def solve(self, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        """Return C (p, k) and d (p,) for one penalty."""
        UZ, _, V = self.svd
        C = np.ascontiguousarray((V @ (self.shrink(ridge)[:, None] * UZ)).T)
        return C, self.mean_y - C @ self.mean_x

    def degrees(self, ridge: float) -> float:
        """Effective number of parameters, sum s^2/(s^2 + ridge), plus one for the intercept."""
        return float((self.svd[1] * self.shrink(ridge)).sum()) + 1.0

    def residual_scatter(self, ridge: float) -> np.ndarray:
        """Sum of outer products of the residuals (p, p)."""
        UZ = self.svd[0]
        rest = (1.0 - self.svd[1] * self.shrink(ridge))[:, None] * UZ
        return self.E.T @ self.E + rest.T @ rest

    def residual_covariance(self, ridge: float) -> np.ndarray:
        """Residual covariance (p, p), divided by the rows less the effective parameters."""
        return self.residual_scatter(ridge) / max(self.count - self.degrees(ridge), 1.0)

    def gcv(self, ridge: float) -> float:
        """Generalised cross-validation N |residual|^2/(N - degrees)^2 [Golub, Heath & Wahba 1979]."""
        free = max(self.count - self.degrees(ridge), 1e-12)
        return float(self.count * np.trace(self.residual_scatter(ridge)) / free ** 2)

    def leave_one_out(self, ridges: np.ndarray, rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Mean squared leave-one-out error of every penalty, from the rows X (T, k), Y (T, p) once more.

        The exact error of row t is its residual over 1 - 1/N - x_t' (X'X + ridge)^-1 x_t. O(N k^2) for all.
        """
        total = np.zeros(len(ridges))
        for X, Y in rows:
            for a in range(0, len(X), _CHUNK):
                P = (X[a : a + _CHUNK] - self.mean_x) @ self.svd[2]
                for i, ridge in enumerate(ridges):
                    total[i] += (self._deleted(P, Y[a : a + _CHUNK], float(ridge)) ** 2).sum()
        return total / (self.count * self.Z.shape[1])

    def deleted_residuals(self, ridge: float, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Residual (T, p) of every row of the training data under the readout trained without it."""
        return self._deleted((X - self.mean_x) @ self.svd[2], Y, ridge)

    def _deleted(self, P: np.ndarray, Y: np.ndarray, ridge: float) -> np.ndarray:
        UZ, s, _ = self.svd
        shrink = self.shrink(ridge)
        gain = np.divide(shrink, s, out=np.zeros_like(s), where=s > 0)
        leverage = (P ** 2) @ gain + 1.0 / self.count
        return (Y - self.mean_y - P @ (shrink[:, None] * UZ)) / np.maximum(1.0 - leverage, 1e-12)[:, None]


def penalties(ridge: Any, call: str) -> np.ndarray:
    """One penalty or a path of them as an array (r,); negative and non-finite ones are refused."""
    try:
        values = np.atleast_1d(np.asarray(ridge, dtype=float))
    except (TypeError, ValueError):
        raise TypeError(f"{call}: expected ridge as a number >= 0, or several to choose among; received {ridge!r}.") from None
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{call}: expected ridge as a number >= 0, or several to choose among; received {ridge!r}.")
    return values
