"""Matrices that carry a proved bound on their rounding error, and Cholesky factorisation used as a proof.

An `Enclosure` is a midpoint and an entrywise radius: |true - mid| <= rad for the exact result of every operation.
`Exact` offers the same operations on rational numbers. A linear matrix inequality is written once and evaluated in
either arithmetic. Sources: [Rump 2006, BIT 46, Theorem 2.3]; [Higham 2002, Theorem 10.3 and section 3.5].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.linalg import lapack

UNIT = 2.0**-53
TINY = 2.0**-1000                                         # covers every underflow, gradual or flushed to zero


def _gamma(k: float) -> float:
    return k * UNIT / (1.0 - k * UNIT)


@dataclass(frozen=True, eq=False)
class Enclosure:
    """A real matrix known up to an entrywise radius.

    Parameters
    ----------
    mid, rad : (m, n) arrays; every true entry lies within `rad` of `mid`.
    """

    mid: np.ndarray
    rad: np.ndarray

    __array_priority__ = 1000

    @classmethod
    def of(cls, value: Any) -> Enclosure:
        """The exact double-precision numbers of `value` (scalars become (1, 1))."""
        mid = np.atleast_2d(np.asarray(value, dtype=np.float64))
        return cls(mid, np.zeros_like(mid))

    @classmethod
    def block(cls, rows: list[list[Enclosure]]) -> Enclosure:
        """Assemble blocks."""
        return cls(np.block([[b.mid for b in row] for row in rows]), np.block([[b.rad for b in row] for row in rows]))

    @property
    def T(self) -> Enclosure:
        """The transpose."""
        return Enclosure(self.mid.T, self.rad.T)

    def __neg__(self) -> Enclosure:
        return Enclosure(-self.mid, self.rad)

    def __add__(self, other: Enclosure) -> Enclosure:
        mid = self.mid + other.mid
        return Enclosure(mid, (self.rad + other.rad + UNIT * np.abs(mid)) * (1 + 8 * UNIT))

    def __sub__(self, other: Enclosure) -> Enclosure:
        return self + (-other)

    def __mul__(self, other: Enclosure) -> Enclosure:
        """Entrywise product with broadcasting: a column scales rows, a row scales columns, (1, 1) scales all."""
        mid = self.mid * other.mid
        a, b = np.abs(self.mid), np.abs(other.mid)
        rad = a * other.rad + self.rad * (b + other.rad) + UNIT * np.abs(mid)
        return Enclosure(mid, rad * (1 + 16 * UNIT) + TINY)

    def __matmul__(self, other: Enclosure) -> Enclosure:
        """Matrix product; the bound holds for every order of summation, with or without fused multiply-add."""
        inner = self.mid.shape[1]
        g = _gamma(2 * (inner + 8))
        a, b = np.abs(self.mid), np.abs(other.mid)
        rad = a @ (other.rad + g * b)                     # [Higham 2002, section 3.5]
        if self.rad.any():
            rad += self.rad @ (b + other.rad)
        return Enclosure(self.mid @ other.mid, rad * (1 + 4 * g) + inner * TINY)

    def positive_definite(self) -> bool:
        """Prove that every symmetric matrix within the enclosure is positive definite.

        If Cholesky runs to completion on B in floating point, then B + E = R'R with
        $$ |E_{ij}| \\le \\frac{\\gamma}{1-\\gamma} \\sqrt{B_{ii} B_{jj}}, $$
        so B - c I succeeding proves B > 0 once c exceeds that error. Rows and columns are first scaled by powers of
        two, which is exact, so a badly scaled matrix loses nothing. False means 'not proved'. Cost O(n^3).
        """
        return _proved_positive(self.mid, self.rad)


def _proved_positive(mid: np.ndarray, rad: np.ndarray) -> bool:
    n = len(mid)
    if not n:
        return True
    diagonal = np.diag(mid)
    if not (np.isfinite(mid).all() and np.isfinite(rad).all()) or diagonal.min() <= 0:
        return False
    if diagonal.max() > 2.0**600 or diagonal.min() < 2.0**-600:
        return False
    scale = 2.0 ** -np.round(np.log2(diagonal) / 2)
    B = (mid + mid.T) * 0.5
    B *= scale[:, None]
    B *= scale
    slop = (scale * ((rad + rad.T) @ scale)) * 0.5        # row sums bound the 2-norm of a symmetric nonnegative error
    g = _gamma(2 * (n + 8))
    trace = float(np.diag(B).sum())
    shift = (slop + (g / (1 - g)) * trace + 2 * UNIT * np.abs(B).sum(axis=1) + 4 * UNIT * np.diag(B).max())
    shift = shift * (1 + 4 * g) + n * TINY               # [Rump 2006, Theorem 2.3], per row
    B[np.diag_indices(n)] -= shift
    factor, info = lapack.dpotrf(B, lower=1, clean=0, overwrite_a=1)
    return info == 0 and bool(np.isfinite(np.diag(factor)).all())


@dataclass(frozen=True, eq=False)
class Exact:
    """The same operations on rational numbers; for small matrices.

    Parameters
    ----------
    mid : (m, n) object array of fractions.Fraction
    """

    mid: np.ndarray

    @classmethod
    def of(cls, value: Any) -> Exact:
        """The doubles of `value` as the rational numbers they are."""
        raw = np.atleast_2d(np.asarray(value, dtype=np.float64))
        return cls(np.array([[Fraction(float(x)) for x in row] for row in raw], dtype=object).reshape(raw.shape))

    @classmethod
    def block(cls, rows: list[list[Exact]]) -> Exact:
        """Assemble blocks."""
        return cls(np.block([[b.mid for b in row] for row in rows]))

    @property
    def T(self) -> Exact:
        """The transpose."""
        return Exact(self.mid.T)

    def __neg__(self) -> Exact:
        return Exact(-self.mid)

    def __add__(self, other: Exact) -> Exact:
        return Exact(self.mid + other.mid)

    def __sub__(self, other: Exact) -> Exact:
        return Exact(self.mid - other.mid)

    def __mul__(self, other: Exact) -> Exact:
        return Exact(self.mid * other.mid)

    def __matmul__(self, other: Exact) -> Exact:
        return Exact(self.mid @ other.mid)

    def positive_definite(self) -> bool:
        """Decide positive definiteness by fraction-free elimination: all leading minors positive [Bareiss 1968]."""
        common = max((x.denominator for x in self.mid.ravel()), default=1)     # dyadic, so the largest is common
        A = [[int(x * common) for x in row] for row in self.mid]
        n, previous = len(A), 1
        for k in range(n):
            pivot = A[k][k]
            if pivot <= 0:
                return False
            row = A[k]
            for i in range(k + 1, n):
                head, target = A[i][k], A[i]
                for j in range(k + 1, n):
                    target[j] = (target[j] * pivot - head * row[j]) // previous
            previous = pivot
        return True


Number = Any                                              # the class Enclosure or the class Exact
