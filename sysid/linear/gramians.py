"""Gramians: dense, as factors, and over a finite horizon.

    discrete     W = sum_k A^k B B' A'^k             W = A W A' + B B'
    continuous   W = int_0^inf e^(At) B B' e^(A't) dt    A W + W A' + B B' = 0

The observability Gramian of (A, C) is the controllability Gramian of (A', C'), so every function here takes (A, B).
A factor Z with W = Z Z' keeps the small singular values that forming W squares away.
"""

from __future__ import annotations

import numpy as np
import scipy

from .equations import continuous_lyapunov, discrete_lyapunov, smith_gramian, symmetric
from .stability import refuse_unstable

__all__ = ["cayley", "finite_gramian", "gramian", "gramian_factor", "gramian_horizon"]

_EPS = float(np.finfo(float).eps)
_CURE = ("Over a finite horizon it exists for any model: controllability_gramian(model, horizon=T); "
         "or split off the stable part.")


def gramian(A: np.ndarray, B: np.ndarray, *, continuous: bool = False, call: str = "gramian") -> np.ndarray:
    """Compute the infinite-horizon Gramian W of (A, B).

    A: (n, n) stable. B: (n, m). Returns W (n, n), symmetric positive semidefinite. Raises ValueError for an unstable
    A, naming its spectral radius (or abscissa). Cost O(n^3). [Zhou, Doyle & Glover 1996, Lemma 3.18; 21.1]
    """
    Q = B @ B.T
    if len(A) == 0:
        return Q
    if not continuous:
        W = smith_gramian(A, B)  # a value is also a proof of stability
        if W is not None:
            return W
    refuse_unstable(A, call, "the Gramian", continuous=continuous, cure=_CURE)
    return continuous_lyapunov(A, Q) if continuous else discrete_lyapunov(A, Q)


def gramian_factor(A: np.ndarray, B: np.ndarray, *, continuous: bool = False, call: str = "gramian_factor",
                   ) -> np.ndarray:
    """Compute Z (n, r), r <= n, with W = Z Z' the Gramian of (A, B), without forming W.

    Squaring on the factor, Z <- [Z, A^(2^k) Z], compressed by QR whenever it grows wider than tall. In continuous
    time the Cayley transform with the shift that contracts most gives a discrete pair with the same Gramian.
    A: (n, n) stable. B: (n, m). Raises ValueError for an unstable A. Cost O(n^3 log(1/(1 - rho))).
    [Smith 1968; Benner, Quintana-Orti & Quintana-Orti 2000]
    """
    if len(A) == 0 or B.shape[1] == 0:
        return np.zeros((len(A), 0))
    poles = refuse_unstable(A, call, "the Gramian", continuous=continuous, cure=_CURE)
    if continuous:
        A, B = cayley(A, B, poles)
    Z, power = B, A
    for _ in range(60):
        step = power @ Z
        if np.linalg.norm(step) <= _EPS / 8 * np.linalg.norm(Z) and np.linalg.norm(power) < 1:
            break
        Z = compressed(np.hstack((Z, step)))
        power = power @ power
    return Z


def compressed(Z: np.ndarray) -> np.ndarray:
    """Return a factor of Z Z' with at most n columns (triangular), by QR of Z'."""
    if Z.shape[1] <= Z.shape[0]:
        return Z
    return scipy.linalg.qr(Z.T, mode="r", overwrite_a=True, check_finite=False)[0][: Z.shape[0]].T


def cayley(A: np.ndarray, B: np.ndarray, poles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map a stable continuous pair to a discrete one with the same Gramian: Ad = (aI - A)^-1 (aI + A).

    The shift a > 0 is the one on a logarithmic grid that makes the spectral radius of Ad smallest. Returns Ad (n, n)
    and Bd = sqrt(2 a) (aI - A)^-1 B (n, m). [Antoulas 2005, Sec. 4.3.3]
    """
    size = np.abs(poles)
    grid = np.geomspace(max(size.min(), _EPS * size.max()), size.max(), 200)
    shift = grid[np.argmin(np.max(np.abs((grid[:, None] + poles) / (grid[:, None] - poles)), axis=1))]
    eye = np.eye(len(A))
    solved = np.linalg.solve(shift * eye - A, np.hstack((shift * eye + A, np.sqrt(2 * shift) * B)))
    return solved[:, : len(A)], solved[:, len(A):]


def finite_gramian(A: np.ndarray, B: np.ndarray, horizon: float, *, continuous: bool = False) -> np.ndarray:
    """Compute W_T = sum_{k<T} A^k B B' A'^k, or int_0^T e^(At) B B' e^(A't) dt, for any A.

    A: (n, n), stable or not. B: (n, m). horizon: T steps (whole number) or T units of time, T > 0. By binary doubling,
    W_2T = W_T + A^T W_T A'^T, so the cost is O(n^3 log T). Returns W_T (n, n). [Van Loan 1978]
    """
    return _advance(A, B, horizon, continuous)[1]


def _advance(A: np.ndarray, B: np.ndarray, horizon: float, continuous: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return (A^T or e^(AT), W_T)."""
    if not continuous:
        return _discrete_sum(A, B @ B.T, int(horizon))
    halvings = max(0, int(np.ceil(np.log2(max(float(np.linalg.norm(A, 1)) * horizon, 1.0)))))
    step, W = noise_integral(A, B @ B.T, horizon / 2**halvings)
    for _ in range(halvings):
        W = symmetric(W + step @ W @ step.T)
        step = step @ step
    return step, W


def _discrete_sum(A: np.ndarray, Q: np.ndarray, T: int) -> tuple[np.ndarray, np.ndarray]:
    power, W = np.eye(len(A)), np.zeros_like(Q)
    for bit in bin(T)[2:]:
        W = W + power @ W @ power.T
        power = power @ power
        if bit == "1":
            W = A @ W @ A.T + Q
            power = A @ power
    return power, symmetric(W)


def noise_integral(A: np.ndarray, Q: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute e^(A dt) and int_0^dt e^(As) Q e^(A's) ds from one matrix exponential.

        exp([[-A, Q], [0, A']] dt) = [[., e^(-A dt) V], [0, e^(A' dt)]],   V the integral

    A, Q: (n, n). dt > 0, kept short against 1/||A|| by halving and doubling so that e^(-A dt) stays harmless.
    Returns (n, n) twice. Cost O(n^3). [Van Loan 1978, Eq. 1.4]
    """
    n = len(A)
    if n == 0:
        return np.zeros((0, 0)), np.zeros((0, 0))
    halvings = max(0, int(np.ceil(np.log2(max(float(np.linalg.norm(A, 1)) * dt, 1.0)))))
    block = np.block([[-A, Q], [np.zeros((n, n)), A.T]]) * (dt / 2**halvings)
    E = scipy.linalg.expm(block)
    step = E[n:, n:].T
    V = symmetric(step @ E[:n, n:])  # [Van Loan 1978, Eq. 1.4]
    for _ in range(halvings):
        V = symmetric(V + step @ V @ step.T)
        step = step @ step
    return step, V


def gramian_horizon(A: np.ndarray, B: np.ndarray, tolerance: float = 1e-8, *, continuous: bool = False) -> float:
    """Find a horizon T after which the truncated Gramian misses no more than `tolerance` of the full one.

        W - W_T = A^T W A'^T,   so   ||W - W_T||_F <= tolerance ||W||_F   is tested, not estimated

    The rate-only rule T = 5 / (1 - rho) is far too short for a non-normal A (corrections #37). A: (n, n) stable.
    Returns the smallest number of steps (discrete), or T within a factor of 2 (continuous). Cost O(n^3 log T).
    """
    W = gramian(A, B, continuous=continuous, call="gramian_horizon")
    limit = tolerance * np.linalg.norm(W)
    unit = 1 / max(float(np.linalg.norm(A, 1)), np.finfo(float).tiny) if continuous else 1.0
    step = scipy.linalg.expm(A * unit) if continuous else A

    def tail(power: np.ndarray) -> bool:
        return bool(np.linalg.norm(power @ W @ power.T) <= limit)

    if tail(np.eye(len(A))):
        return 0.0
    powers = [step]
    while not tail(powers[-1]):
        powers.append(powers[-1] @ powers[-1])
    if continuous:
        return unit * 2.0 ** (len(powers) - 1)
    # Bisect on the binary digits: keep the longest power whose tail is still too heavy.
    reached, count = np.eye(len(A)), 0
    for k in range(len(powers) - 2, -1, -1):
        longer = reached @ powers[k]
        if not tail(longer):
            reached, count = longer, count + 2**k
    return float(count + 1)
