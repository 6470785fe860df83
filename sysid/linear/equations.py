"""Linear matrix equations: Lyapunov and Sylvester, in discrete and continuous time.

    discrete     X = A X A' + Q         X = A X B + C
    continuous   A X + X A' + Q = 0     A X + X B = C

The discrete Lyapunov equation of a comfortably stable A is summed by squaring [Smith 1968]: three products a
doubling, no eigenvalues. Close to the unit circle, and for unstable A, the Cayley transform in a real Schur basis
takes over [Bartels & Stewart 1972]: it forms A - I exactly, which squaring cannot.
"""

from __future__ import annotations

import numpy as np
import scipy

from ..kernels import doubling

__all__ = ["continuous_lyapunov", "continuous_sylvester", "discrete_lyapunov", "discrete_sylvester", "smith_doubling",
           "smith_gramian", "symmetric"]

_EPS = float(np.finfo(float).eps)
_MAX_DOUBLINGS = 11
_HANDFUL = 12  # states up to which plain loops take a fraction of the time


def symmetric(X: np.ndarray) -> np.ndarray:
    """Return (X + X') / 2."""
    return (X + X.T) / 2


def discrete_lyapunov(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Solve X = A X A' + Q.

    A: (n, n), without two eigenvalues whose product is 1. Q: (n, n) symmetric. Returns X (n, n), symmetric.
    Raises ValueError where two eigenvalues are reciprocal, so that no unique solution exists. Cost O(n^3).
    [Smith 1968; Bartels & Stewart 1972]
    """
    if len(A) == 0:
        return np.zeros((0, 0))
    X = smith_doubling(A, Q)
    return _discrete_by_schur(A, Q) if X is None else X


def smith_doubling(A: np.ndarray, Q: np.ndarray) -> np.ndarray | None:
    """Sum X = Q + A Q A' + A^2 Q A'^2 + ... by squaring; None unless ||A^(2^k)|| < 1 shows early that A is stable.

    A: (n, n). Q: (n, n) symmetric. Returns X (n, n) or None. A returned X is also a proof that the spectral radius
    is below 1. Cost three products (n, n) a doubling. [Smith 1968]
    """
    return _double(symmetric(Q), A, 0)


def smith_gramian(A: np.ndarray, B: np.ndarray) -> np.ndarray | None:
    """Sum B B' + A B B' A' + ... as `smith_doubling` does, on the factor [B, A B, ...] while that is thin.

    A: (n, n). B: (n, m). Returns (n, n) or None. Saves two of three products a doubling while 2^k m < n / 3.
    """
    Z, power, count = B, A, 0
    with np.errstate(over="ignore", invalid="ignore"):
        while 0 < 2 * Z.shape[1] <= len(A) // 3 and count < _MAX_DOUBLINGS:
            Z = np.hstack((Z, power @ Z))
            power = power @ power
            count += 1
        return _double(Z @ Z.T, power, count)


def _double(X: np.ndarray, power: np.ndarray, done: int) -> np.ndarray | None:
    """Go on from X, the sum of the first 2^done terms, and power = A^(2^done)."""
    small, n = False, len(X)
    if n <= _HANDFUL:
        X, power = (np.array(a, dtype=np.float64, order="C") for a in (X, power))
        return X if doubling.sum_by_squaring(X, power, np.empty((n, n)), done, _MAX_DOUBLINGS) else None
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(done, _MAX_DOUBLINGS):
            if not small:
                step = power @ X @ power.T  # [Smith 1968, Eq. 8]
                X = X + step
                small = bool(np.linalg.norm(step) <= _EPS / 4 * np.linalg.norm(X))
            power = power @ power
            size = np.linalg.norm(power)
            if small and size < 1.0:
                return symmetric(X)
            hopeless = k >= 6 and size ** (2 ** (_MAX_DOUBLINGS - k - 1)) > 1e-6  # the last power would still be felt
            if hopeless or not size < 1e3 * n**0.5:
                return None
    return None


def _discrete_by_schur(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Solve X = A X A' + Q through M = (A - I)(A + I)^-1, for which M X + X M' + 2 (A+I)^-1 Q (A+I)^-T = 0."""
    T, U = scipy.linalg.schur(A, output="real")
    poles = quasi_triangular_eigenvalues(T)
    to_minus_one, to_plus_one = np.abs(poles + 1).min(), np.abs(poles - 1).min()
    if max(to_minus_one, to_plus_one) < 1e-6:
        return _discrete_by_columns(A, Q)
    if to_minus_one < to_plus_one:  # the equation does not change with the sign of A
        T = -T
    eye = np.eye(len(A))
    shifted = T + eye
    M = np.linalg.solve(shifted.T, (T - eye).T).T
    half = np.linalg.solve(shifted, U.T @ symmetric(Q) @ U)
    rhs = 2.0 * np.linalg.solve(shifted, half.T)
    # T is quasi-triangular with pivots of one form, so M is too: what stands below its pivots is rounding.
    below = np.tril(np.ones(T.shape, dtype=bool), -1)
    i = np.flatnonzero(np.diag(T, -1))
    below[i + 1, i] = False
    M[below] = 0.0
    return symmetric(U @ _triangular_lyapunov(M, symmetric(rhs), "discrete_lyapunov") @ U.T)


def _discrete_by_columns(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Solve X = A X A' + Q column by column in a complex Schur basis: eigenvalues may be near 1 and near -1 at once."""
    T, U = scipy.linalg.schur(A.astype(complex), output="complex")
    n = len(A)
    F = U.conj().T @ symmetric(Q) @ U
    X = np.zeros((n, n), dtype=complex)
    eye = np.eye(n)
    for j in range(n - 1, -1, -1):
        rhs = F[:, j] + T @ (X[:, j + 1:] @ T[j, j + 1:].conj())
        pivot = eye - T[j, j].conj() * T
        if np.abs(np.diag(pivot)).min() < 4 * n * _EPS * max(1.0, np.abs(np.diag(T)).max() ** 2):
            raise ValueError(_no_unique("discrete_lyapunov", "whose product is 1"))
        X[:, j] = scipy.linalg.solve_triangular(pivot, rhs)
    return symmetric((U @ X @ U.conj().T).real)


def quasi_triangular_eigenvalues(T: np.ndarray) -> np.ndarray:
    """Return the eigenvalues (n,) of a real Schur form (n, n) from its pivots. Cost O(n)."""
    values = np.diag(T).astype(complex)
    i = np.flatnonzero(np.diag(T, -1))
    mean, gap = (T[i, i] + T[i + 1, i + 1]) / 2, (T[i, i] - T[i + 1, i + 1]) / 2
    root = np.sqrt((gap**2 + T[i, i + 1] * T[i + 1, i]).astype(complex))
    values[i], values[i + 1] = mean + root, mean - root
    return values


def continuous_lyapunov(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Solve A X + X A' + Q = 0.

    A: (n, n), without two eigenvalues whose sum is 0. Q: (n, n) symmetric. Returns X (n, n), symmetric.
    Raises ValueError where no unique solution exists. Cost about 30 n^3. [Bartels & Stewart 1972]
    """
    if len(A) == 0:
        return np.zeros((0, 0))
    T, U = scipy.linalg.schur(A, output="real")
    return symmetric(U @ _triangular_lyapunov(T, U.T @ symmetric(Q) @ U, "continuous_lyapunov") @ U.T)


def _triangular_lyapunov(T: np.ndarray, F: np.ndarray, call: str) -> np.ndarray:
    """Solve T X + X T' + F = 0 for a real Schur form T."""
    Y, scale, info = scipy.linalg.lapack.dtrsyl(T, T, -F, trana="N", tranb="T")
    if info != 0 or not np.isfinite(Y).all():
        raise ValueError(_no_unique(call, "whose sum is 0" if call.startswith("cont") else "whose product is 1"))
    return Y / scale


def _no_unique(call: str, relation: str) -> str:
    return (f"{call}: no unique solution exists because A has two eigenvalues {relation} (to rounding). "
            "A stable A has none; for others ask for a finite horizon.")


def continuous_sylvester(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Solve A X + X B = C.

    A: (n, n). B: (m, m). C: (n, m). Returns X (n, m). Raises ValueError where A and -B share an eigenvalue.
    Cost O(n^3 + m^3). [Bartels & Stewart 1972]
    """
    if 0 in C.shape:
        return np.zeros(C.shape)
    T, U = scipy.linalg.schur(A, output="real")
    S, V = scipy.linalg.schur(B, output="real")
    Y, scale, info = scipy.linalg.lapack.dtrsyl(T, S, U.T @ C @ V)
    if info != 0 or not np.isfinite(Y).all():
        raise ValueError("continuous_sylvester: no unique solution exists because A and -B share an eigenvalue.")
    return U @ (Y / scale) @ V.T


def discrete_sylvester(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Solve X = A X B + C.

    A: (n, n). B: (m, m). C: (n, m). Returns X (n, m). Raises ValueError where an eigenvalue of A is the reciprocal
    of one of B. Cost O(n^3 + m^3 + m n^2). [Golub, Nash & Van Loan 1979]
    """
    if 0 in C.shape:
        return np.zeros(C.shape)
    T, U = scipy.linalg.schur(A.astype(complex), output="complex")
    S, V = scipy.linalg.schur(B.astype(complex), output="complex")
    F = U.conj().T @ C @ V
    X = np.zeros(C.shape, dtype=complex)
    eye = np.eye(len(A))
    for j in range(len(B)):
        pivot = eye - S[j, j] * T
        if np.abs(np.diag(pivot)).min() < 4 * max(C.shape) * _EPS:
            raise ValueError("discrete_sylvester: no unique solution exists because an eigenvalue of A is the "
                             "reciprocal of one of B.")
        X[:, j] = scipy.linalg.solve_triangular(pivot, F[:, j] + T @ (X[:, :j] @ S[:j, j]))
    return (U @ X @ V.conj().T).real
