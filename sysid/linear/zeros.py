"""Invariant zeros of a state-space model, from the system pencil after its singular part has been deflated.

    rank [[A - zI, B], [C, D]] < normal rank

The eigenvalues of the raw pencil hide the finite zeros among infinite ones that rounding makes finite. The reduction
below removes infinite zeros and non-minimal directions by orthogonal compressions first.
"""

from __future__ import annotations

import numpy as np
import scipy

__all__ = ["invariant_zeros"]


def invariant_zeros(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Compute the finite invariant zeros of (A, B, C, D), any number of inputs and outputs.

    A: (n, n). B: (n, m). C: (p, n). D: (p, m). Returns (k,) complex, sorted by modulus. Uncontrollable and unobservable
    modes are invariant zeros too. Cost O(n^3). [Emami-Naeini & Van Dooren 1982]
    """
    if 0 in D.shape or len(A) == 0:
        return np.zeros(0, dtype=complex)
    # One unit for states, inputs and outputs: rank decisions are made against the norm of the whole pencil.
    A, (scale, _) = scipy.linalg.matrix_balance(A, permute=False, separate=True)
    B, C = B / scale[:, None], C * scale
    B, C, D = _equalised(A, B, C, D)
    tolerance = 10 * np.finfo(float).eps * float(np.linalg.norm(np.block([[A, B], [C, D]]))) * max(A.shape)
    A, B, C, D = _compress(A, B, C, D, tolerance)
    A, C, B, D = (M.T for M in _compress(A.T, C.T, B.T, D.T, tolerance))
    n, m = B.shape
    if n == 0:
        return np.zeros(0, dtype=complex)
    if m == 0 or len(C) == 0:
        values = np.linalg.eigvals(A).astype(complex)
        return values[np.argsort(np.abs(values), kind="stable")]
    # D is square and regular now: rotate the columns so that [C D] = [0 Df], and read the zeros off the rest.
    Q = scipy.linalg.qr(np.hstack((C, D)).T)[0][:, ::-1]
    AB = np.hstack((A, B)) @ Q[:, :n]
    values = scipy.linalg.eigvals(AB, Q[:n, :n])
    values = values[np.isfinite(values)].astype(complex)
    return values[np.argsort(np.abs(values), kind="stable")]


def _equalised(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale each input and output so that its column or row of the pencil is of A's size; zeros do not change."""
    size = float(np.linalg.norm(A)) or 1.0
    columns = np.maximum(np.linalg.norm(B, axis=0), np.linalg.norm(D, axis=0))
    columns = np.where(columns > 0, size / np.where(columns > 0, columns, 1), 1.0)
    rows = np.maximum(np.linalg.norm(C, axis=1), np.linalg.norm(D * columns, axis=1))
    rows = np.where(rows > 0, size / np.where(rows > 0, rows, 1), 1.0)
    return B * columns, C * rows[:, None], D * columns * rows[:, None]


def _compress(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, tolerance: float) -> tuple:
    """Shrink the pencil to one with the same finite zeros and D of full row rank."""
    while True:
        n, p = len(A), len(C)
        U, values, _ = np.linalg.svd(D)
        rank = int(np.sum(values > tolerance))
        C, D = U.T @ C, U.T @ D
        D[rank:] = 0.0
        if rank == p or n == 0:
            return A, B, C[:rank], D[:rank]
        _, values, Vt = np.linalg.svd(C[rank:])
        removed = int(np.sum(values > tolerance))  # directions seen by an output without feed-through
        if removed == 0:
            return A, B, C[:rank], D[:rank]
        V = Vt.T[:, ::-1]  # C[rank:] V = [0 S]
        A, B, C = V.T @ A @ V, V.T @ B, C @ V
        kept = n - removed
        C, D = np.vstack((C[:rank, :kept], A[kept:, :kept])), np.vstack((D[:rank], B[kept:]))
        A, B = A[:kept, :kept], B[:kept]
