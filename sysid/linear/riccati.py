"""Algebraic Riccati equations by the structure-preserving doubling algorithm [Chu, Fan, Lin & Wang 2004].

    discrete     X = A' X A - (A' X B + S)(R + B' X B)^-1 (A' X B + S)' + Q
    continuous   A' X + X A - (X B + S) R^-1 (X B + S)' + Q = 0

Each doubling squares the closed loop, so convergence is quadratic while the closed loop is stable; where it is not
(an undetectable or unstabilisable mode on the boundary) the result says so instead of returning a matrix in silence.
The filter's equation is the dual: `filter_riccati(A, C, Q, R, S)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy

from .equations import continuous_lyapunov, symmetric

__all__ = ["RiccatiSolution", "continuous_riccati", "discrete_riccati", "filter_riccati"]

_EPS = float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)
_MAX_DOUBLINGS = 60
_QUESTION = "; is every unstable or boundary mode both excited and observed?"


@dataclass(frozen=True)
class RiccatiSolution:
    """A stabilising solution, and whether it is one.

    X: (n, n) symmetric. gain: (m, n), so that A - B gain (control) or (n, p), so that A - gain C (filter) is
    `closed_loop` (n, n). residual: of the equation, relative to its largest term. iterations: doublings. converged:
    X is stabilising and the residual is rounding. message: the reason where it is not.
    """

    X: np.ndarray
    gain: np.ndarray
    closed_loop: np.ndarray
    residual: float
    iterations: int
    converged: bool
    message: str = ""

    def radius(self) -> float:
        """Return the spectral radius of the closed loop. Cost O(n^3)."""
        return float(np.max(np.abs(np.linalg.eigvals(self.closed_loop)), initial=0.0))


def discrete_riccati(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray | None = None,
                     ) -> RiccatiSolution:
    """Solve X = A'XA - (A'XB + S)(R + B'XB)^-1 (A'XB + S)' + Q for the stabilising X.

    A: (n, n). B: (n, m). Q: (n, n) positive semidefinite. R: (m, m) positive definite (a singular R goes through the
    extended pencil). S: (n, m) or None. Returns a RiccatiSolution with gain (m, n). Cost about 14 n^3 a doubling.
    [Chu, Fan, Lin & Wang 2004, Alg. SDA]
    """
    S = np.zeros(B.shape) if S is None else S
    factor = _cholesky(R)
    if factor is None:
        return _by_pencil(A, B, Q, R, S)
    shift = scipy.linalg.cho_solve(factor, S.T)
    G = symmetric(B @ scipy.linalg.cho_solve(factor, B.T))
    X, iterations, reason = _double(A - B @ shift, G, symmetric(Q - S @ shift))
    if reason:
        return RiccatiSolution(X, np.zeros(B.shape[::-1]), A, np.inf, iterations, False, reason)
    return _judge_discrete(A, B, Q, R, S, X, iterations)


def filter_riccati(A: np.ndarray, C: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray | None = None,
                   ) -> RiccatiSolution:
    """Solve P = A P A' - (A P C' + S)(C P C' + R)^-1 (A P C' + S)' + Q for the stabilising P.

    A: (n, n). C: (p, n). Q: (n, n), R: (p, p), S: (n, p) covariances of state and output noise. Returns a
    RiccatiSolution whose X is the covariance of the one-step prediction and whose gain (n, p) is the predictor's.
    [Anderson & Moore 1979, Eq. 4.4.3]
    """
    dual = discrete_riccati(A.T, C.T, Q, R, S)
    return replace(dual, gain=dual.gain.T, closed_loop=dual.closed_loop.T)


def continuous_riccati(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray | None = None,
                       ) -> RiccatiSolution:
    """Solve A'X + XA - (XB + S) R^-1 (XB + S)' + Q = 0 for the stabilising X.

    Shapes as in `discrete_riccati`; R must be positive definite. The Cayley transform with shift g turns the equation
    into a discrete one with the same solution. [Chu, Fan & Lin 2005, Eq. 2.9]
    """
    S = np.zeros(B.shape) if S is None else S
    factor = _cholesky(R)
    if factor is None:
        raise ValueError("continuous_riccati: expected R positive definite; received a singular or indefinite R.")
    shift = scipy.linalg.cho_solve(factor, S.T)
    G = symmetric(B @ scipy.linalg.cho_solve(factor, B.T))
    A0, H = A - B @ shift, symmetric(Q - S @ shift)
    n = len(A)
    g = max(np.linalg.norm(A0, 1), np.sqrt(np.linalg.norm(G, 1) * np.linalg.norm(H, 1)), _TINY) * 1.1
    shifted = A0 - g * np.eye(n)
    inverse = np.linalg.inv(shifted)
    W = shifted.T + H @ inverse @ G
    Winv = np.linalg.inv(W)
    X, iterations, reason = _double(np.eye(n) + 2 * g * Winv.T, symmetric(2 * g * inverse @ G @ Winv),
                                    symmetric(2 * g * Winv @ H @ inverse))
    if reason:
        return RiccatiSolution(X, np.zeros(B.shape[::-1]), A, np.inf, iterations, False, reason)
    for _ in range(2):  # Newton's step undoes the rounding of the Cayley transform [Kleinman 1968]
        gain = scipy.linalg.cho_solve(factor, B.T @ X + S.T)
        terms = A.T @ X
        residual = symmetric(terms + terms.T - gain.T @ R @ gain + Q)
        X = X + continuous_lyapunov((A - B @ gain).T, residual)
    scale = max(float(np.linalg.norm(terms)), float(np.linalg.norm(Q)), _TINY)
    return _judged(X, gain, A - B @ gain, float(np.linalg.norm(residual)) / scale, iterations)


def _double(A: np.ndarray, G: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, int, str]:
    """Run X = A' X (I + G X)^-1 A + H to its limit; return (X, doublings, why it is not a stabilising solution)."""
    n = len(A)
    if n == 0:  # LAPACK takes no matrix without rows, and says so on the terminal
        return H, 0, ""
    eye = np.eye(n)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, _MAX_DOUBLINGS + 1):
            lu, piv, info = scipy.linalg.lapack.dgetrf(eye + G @ H)
            right, _ = scipy.linalg.lapack.dgetrs(lu, piv, np.hstack((A, G)))
            step = A.T @ (H @ right[:, :n])
            H_next = symmetric(H + step)
            if info != 0 or not np.isfinite(H_next).all():
                return H, k, f"the doubling diverged after {k} steps{_QUESTION}"
            G = symmetric(G + A @ right[:, n:] @ A.T)
            A = A @ right[:, :n]  # [Chu, Fan, Lin & Wang 2004, Eq. 3.14]
            H = H_next
            if np.linalg.norm(step) <= _EPS * np.linalg.norm(H):
                size = np.linalg.norm(A)  # A has become the closed loop to the power 2^k
                if size < 1:
                    return H, k, ""
                if not size < 1e3 * n**0.5:
                    return H, k, f"the closed loop is not stable{_QUESTION}"
    return H, _MAX_DOUBLINGS, f"the closed loop has a mode on the stability boundary{_QUESTION}"


def _judge_discrete(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray, X: np.ndarray,
                    iterations: int) -> RiccatiSolution:
    AX = A.T @ X
    cross = AX @ B + S
    innovation = symmetric(R + B.T @ X @ B)
    gain = np.linalg.lstsq(innovation, cross.T, rcond=None)[0] if _cholesky(innovation) is None \
        else np.linalg.solve(innovation, cross.T)
    drift = AX @ A
    residual = drift - cross @ gain + Q - X
    scale = max(*(float(np.linalg.norm(term)) for term in (drift, Q, X)), _TINY)
    return _judged(X, gain, A - B @ gain, float(np.linalg.norm(residual)) / scale, iterations)


def _judged(X: np.ndarray, gain: np.ndarray, closed_loop: np.ndarray, residual: float, iterations: int,
            ) -> RiccatiSolution:
    message = "" if residual < 1e-8 else f"the relative residual is {residual:.2g}: too ill-conditioned a problem"
    return RiccatiSolution(X, gain, closed_loop, float(residual), iterations, not message, message)


def _by_pencil(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray, S: np.ndarray) -> RiccatiSolution:
    """Solve with a singular R through the extended symplectic pencil [Van Dooren 1981]."""
    with np.errstate(all="ignore"):  # its balancing casts what overflows; a residual that is not finite is no solution
        try:
            X = symmetric(scipy.linalg.solve_discrete_are(A, B, Q, R, s=S))
        except (np.linalg.LinAlgError, ValueError) as error:
            return RiccatiSolution(np.zeros(A.shape), np.zeros(B.shape[::-1]), A, np.inf, 0, False,
                                   f"R is singular and {error}")
        solution = _judge_discrete(A, B, Q, R, S, X, 0)
    if solution.converged and not solution.radius() < 1:
        return replace(solution, converged=False, message=f"the closed loop is not stable{_QUESTION}")
    return solution


def _cholesky(R: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """Cholesky factor of R, or None where R is not positive definite to rounding (scale-free)."""
    if len(R) == 0:
        return np.zeros((0, 0)), False
    scale = np.sqrt(np.abs(np.diag(R)))
    if not np.all(scale > 0):
        return None
    try:
        factor = np.linalg.cholesky(symmetric(R))
    except np.linalg.LinAlgError:
        return None
    if np.min(np.diag(factor) / scale) < 1e-7:
        return None
    return np.tril(factor), True
