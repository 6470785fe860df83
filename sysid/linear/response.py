"""Responses of x+ = A x + B u, y = C x + D u: Markov parameters, transfer functions, partial fractions."""

from __future__ import annotations

import numpy as np
import scipy

from .equations import quasi_triangular_eigenvalues

__all__ = ["Resolvent", "markov_parameters", "residues", "transfer_at", "transfer_polynomials"]

_BLOCK = 24
_CHUNK_BYTES = 8_000_000


def markov_parameters(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, count: int) -> np.ndarray:
    """Compute h_0 = D, h_k = C A^(k-1) B for k < count.

    A: (n, n). B: (n, m). C: (p, n). D: (p, m). Returns (count, p, m). Baby steps C, CA, ..., CA^(s-1) and giant steps
    A^(js) B with s = sqrt(count): O(sqrt(count) n^2 (p + m) + count n p m). [ESN-SSM, Eq. 60; corrections #4]
    """
    n, m = B.shape
    p = len(C)
    h = np.zeros((count, p, m))
    if count == 0:
        return h
    h[0] = D
    if count == 1 or n == 0 or 0 in (m, p):
        return h
    small = max(1, int(np.ceil(np.sqrt(count - 1))))
    rows = np.empty((small, p, n))
    rows[0] = C
    for i in range(1, small):
        rows[i] = rows[i - 1] @ A
    giant = np.linalg.matrix_power(A, small)
    column, flat = B, rows.reshape(small * p, n)
    for start in range(1, count, small):
        block = (flat @ column).reshape(small, p, m)
        h[start: start + small] = block[: count - start]
        column = giant @ column
    return h


def transfer_at(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Evaluate H(s) = C (sI - A)^-1 B + D at complex points.

    A: (n, n). B: (n, m). C: (p, n). D: (p, m). points: (F,) complex, none of them a pole. Returns (F, p, m) complex.
    A few points are solved one by one; many go through one `Resolvent`. Raises ValueError where a point is a pole.
    """
    points = np.asarray(points, dtype=complex)
    if len(points) > max(2, len(A) // 60):
        return Resolvent(A, B, C, D).at(points)
    out = np.empty((len(points), *D.shape), dtype=complex)
    for k, s in enumerate(points):
        out[k] = D + C @ _solve_once(s * np.eye(len(A)) - A, B, s)
    return out


class Resolvent:
    """H(s) = C (sI - A)^-1 B + D, prepared for evaluation at many points.

    A: (n, n). B: (n, m). C: (p, n). D: (p, m). One real Schur form after balancing, O(n^3); then back-substitution for
    all points at once in blocks of rows, which is matrix products: O(n^2 min(m, p)) a point.
    [Laub 1981, with a Schur form in place of the Hessenberg one]
    """

    def __init__(self, A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray):
        self._dual = len(C) < B.shape[1]
        if self._dual:
            A, B, C, D = A.T, C.T, B.T, D.T
        self._D = D
        if len(A):
            balanced, (scale, _) = scipy.linalg.matrix_balance(A, permute=False, separate=True)
            self._T, U = scipy.linalg.schur(balanced, output="real")
            self._left, self._right = (C * scale) @ U, U.T @ (B / scale[:, None])
        else:
            self._T, self._left, self._right = A, C, B

    def poles(self) -> np.ndarray:
        """Return the eigenvalues (n,) of A; conjugate pairs are exact pairs."""
        return quasi_triangular_eigenvalues(self._T)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Evaluate at complex points (F,); returns (F, p, m). Raises ValueError where a point is a pole."""
        points = np.asarray(points, dtype=complex)
        n, m = self._right.shape
        p = len(self._left)
        out = np.empty((len(points), p, m), dtype=complex)
        out[:] = self._D
        if n and out.size:
            chunk = max(16, _CHUNK_BYTES // (16 * n * m))
            for start in range(0, len(points), chunk):
                part = points[start: start + chunk]
                X = _back_substitute(self._T, self._right, part).view(np.float64).reshape(n, -1)
                product = (self._left @ X).view(complex).reshape(p, m, len(part))
                out[start: start + chunk] += product.transpose(2, 0, 1)
        return np.ascontiguousarray(out.transpose(0, 2, 1)) if self._dual else out


def _solve_once(pencil: np.ndarray, B: np.ndarray, s: complex) -> np.ndarray:
    try:
        return np.linalg.solve(pencil, B)
    except np.linalg.LinAlgError:
        raise ValueError(_at_pole(s)) from None


def _at_pole(s: complex) -> str:
    return (f"frequency response: expected points that are not poles; received {s:.6g}, "
            "where the response is infinite.")


def _back_substitute(T: np.ndarray, B: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Solve (s_f I - T) X_f = B for a real Schur form T and every point; returns X (n, m, F) complex.

    T is real, so the products run on the real view of X: half the work of complex ones.
    """
    n, m = B.shape
    width = m * len(s)
    X = np.zeros((n, width), dtype=complex)
    real = X.view(np.float64)
    points = np.tile(s, m)
    X[:] = np.repeat(B, len(s), axis=1)
    coupled = np.diag(T, -1) != 0
    end = n
    while end > 0:
        start = max(0, end - _BLOCK)
        if start > 0 and coupled[start - 1]:
            start -= 1
        if end < n:
            real[start:end] += T[start:end, end:] @ real[end:]
        i = end - 1
        while i >= start:
            pair = i > 0 and coupled[i - 1]
            first = i - 1 if pair else i
            if i + 1 < end:
                real[first: i + 1] += T[first: i + 1, i + 1: end] @ real[i + 1: end]
            if pair:
                _solve_pair(T[first: i + 1, first: i + 1], X[first], X[i], points)
            else:
                pivot = points - T[i, i]
                _refuse_zero(pivot, points)
                X[i] /= pivot
            i = first - 1
        end = start
    return X.reshape(n, m, len(s))


def _solve_pair(block: np.ndarray, top: np.ndarray, bottom: np.ndarray, s: np.ndarray) -> None:
    """Solve the 2x2 pivot (sI - block) [x; y] = [top; bottom] in place."""
    (a, b), (c, d) = block
    determinant = (s - a) * (s - d) - b * c
    _refuse_zero(determinant, s)
    determinant = 1 / determinant
    x = ((s - d) * top + b * bottom) * determinant
    bottom[:] = (c * top + (s - a) * bottom) * determinant
    top[:] = x


def _refuse_zero(pivot: np.ndarray, points: np.ndarray) -> None:
    if not pivot.all():
        raise ValueError(_at_pole(points[np.flatnonzero(pivot == 0)[0]]))


def transfer_polynomials(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write H as num / den with one common denominator.

        den(z) = det(zI - A),   num_k = sum_j den_j h_(k-j),   k = 0..n

    Returns num (p, m, n+1) and den (n+1,), descending powers. Meant for small n: the coefficients of a polynomial
    determine its roots ever worse as n grows, so the caller checks the result. Cost O(n^3 + n^2 p m).
    [Kailath 1980, Sec. 2.1]
    """
    n = len(A)
    den = np.poly(scipy.linalg.eigvals(A)).real if n else np.ones(1)
    h = markov_parameters(A, B, C, D, n + 1)
    num = np.zeros((len(C), B.shape[1], n + 1))
    for k in range(n + 1):
        num[:, :, k] = np.tensordot(den[k::-1], h[: k + 1], axes=1)
    return num, den


def residues(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Expand C (zI - A)^-1 B = sum_i R_i / (z - lambda_i).

    Returns the poles (n,), the residues R (n, p, m), complex, and the condition number of the eigenvector matrix,
    which multiplies every rounding error: beyond 1e8 A is defective to working precision. Cost O(n^3 + n p m).
    [Kailath 1980, Sec. 1.2]
    """
    poles, V = np.linalg.eig(A)
    condition = float(np.linalg.cond(V)) if len(A) else 1.0
    if not np.isfinite(condition) or condition > 1 / np.finfo(float).eps:
        return poles, np.full((len(A), len(C), B.shape[1]), np.nan + 0j), np.inf
    left = np.linalg.solve(V, B)
    return poles, np.einsum("pi,im->ipm", C @ V, left), condition
