"""Triangular factors of tall matrices: R with R'R = X'X, from the Gram matrix where that keeps enough digits.

Cholesky of X'X costs a quarter to an eighth of Householder's QR of X, but works with the square of the condition: of
sixteen digits it keeps those that the condition of X'X, with columns scaled to length one, leaves [Golub & Van Loan
2013, sec. 5.3.8]. Where fewer than eight would be left, and where X is rank deficient, QR is taken instead.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg as sla

EIGHT_DIGITS = 1e-8
_EPS = float(np.finfo(float).eps)


def triangle(rows: np.ndarray) -> np.ndarray:
    """The upper triangular R (min(k, q), q) of rows (k, q) = Q R, by Householder's reflections. Cost O(k q^2)."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def extended(R: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The triangular factor of [R; rows], up to signs of its rows: by Cholesky where the Gram matrix keeps eight digits."""
    found = cholesky_factor(R.T @ R + rows.T @ rows) if len(R) + len(rows) >= 2 * rows.shape[1] else None
    return triangle(np.vstack([R, rows])) if found is None else found


def cholesky_factor(gram: np.ndarray, lost: float = 1.0) -> np.ndarray | None:
    """Upper triangular R with R'R = gram (q, q), None where fewer than eight digits of its weakest direction are left.

    lost: by how much the entries of `gram` have lost relative accuracy before, 1 where they are exact to rounding.
    """
    squares = np.diag(gram)
    if not len(gram) or not (squares > 0).all() or not np.isfinite(squares).all():
        return None
    scale = np.sqrt(squares)
    R, failed = sla.lapack.dpotrf(gram / np.outer(scale, scale), lower=0, clean=1)
    if failed:
        return None
    # Columns of length one: the condition is within a factor q of the least that scaling can give. [Van der Sluis 1969]
    reciprocal, _ = sla.lapack.dpocon(R, np.abs(R.T @ R).sum(0).max())
    return R * scale if lost * _EPS <= EIGHT_DIGITS * reciprocal else None
