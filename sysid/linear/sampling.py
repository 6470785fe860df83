"""Sampling of dx/dt = A x + B u, y = C x + D u, and back.

    zoh     u held over a step: exact          foh     u linear over a step: exact, state shifted to stay causal
    tustin  trapezoid rule, s = (2/dt)(z-1)/(z+1)       euler   forward difference, s = (z-1)/dt
"""

from __future__ import annotations

import numpy as np
import scipy

from .equations import discrete_lyapunov

__all__ = ["METHODS", "intensity", "sample", "unsample"]

METHODS = ("zoh", "foh", "tustin", "euler")
Matrices = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sample(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, dt: float, method: str) -> Matrices:
    """Turn continuous matrices into discrete ones.

    A: (n, n). B: (n, m). C: (p, n). D: (p, m). dt > 0. method: one of METHODS. Returns (A, B, C, D). With foh and
    tustin the discrete state is x - G u, so that y[t] needs no u[t+1]. Cost O(n^3). [Franklin, Powell & Workman 1998, Ch. 6]
    """
    eye = np.eye(len(A))
    if method == "euler":
        return eye + dt * A, dt * B, C, D
    if method == "tustin":
        shifted = eye - dt / 2 * A
        Bd = np.linalg.solve(shifted, dt * B)
        Cd = np.linalg.solve(shifted.T, C.T).T
        return np.linalg.solve(shifted, eye + dt / 2 * A), Bd, Cd, D + C @ Bd / 2
    step, hold, ramp = _hold_integrals(A, dt)
    if method == "zoh":
        return step, hold @ B, C, D
    G = ramp @ B
    return step, hold @ B + step @ G - G, C, D + C @ G


def _hold_integrals(A: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return e^(A dt), int_0^dt e^(As) ds and (1/dt) int_0^dt e^(As) (dt - s) ds, each (n, n).

    x[t+1] = e^(A dt) x[t] + hold B u[t] + ramp B (u[t+1] - u[t]) is exact for an input that is linear in between.
    [Van Loan 1978, Thm 1]
    """
    n = len(A)
    if n == 0:
        return A, A, A
    eye, zero = np.eye(n), np.zeros((n, n))
    E = scipy.linalg.expm(np.block([[A * dt, eye * dt, zero], [zero, zero, eye], [zero, zero, zero]]))
    return E[:n, :n], E[:n, n: 2 * n], E[:n, 2 * n:]


def unsample(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, dt: float, method: str) -> Matrices:
    """Invert `sample` with the same method.

    Raises ValueError where no real continuous model samples to this one: a pole that is zero or real and negative
    (zoh, foh), or at -1 (tustin). Poles come back in the strip |Im s| < pi / dt. Cost O(n^3).
    """
    n, eye = len(A), np.eye(len(A))
    if method == "euler":
        return (A - eye) / dt, B / dt, C, D
    if method == "tustin":
        shifted = A + eye
        if n and not np.linalg.cond(shifted) < 1e14:
            raise ValueError("to_continuous: expected no pole at -1 for method='tustin'; received one.")
        Ac = 2 / dt * np.linalg.solve(shifted.T, (A - eye).T).T
        Bc = 2 / dt * np.linalg.solve(shifted, B)
        Cc = 2 * np.linalg.solve(shifted.T, C.T).T
        return Ac, Bc, Cc, D - Cc @ B / 2
    Ac = _real_logarithm(A) / dt
    _, hold, ramp = _hold_integrals(Ac, dt)
    if method == "zoh":
        return Ac, np.linalg.solve(hold, B), C, D
    Bc = np.linalg.solve(hold + A @ ramp - ramp, B)
    return Ac, Bc, C, D - C @ ramp @ Bc


def _real_logarithm(A: np.ndarray) -> np.ndarray:
    """The principal logarithm of a real matrix, which must be real."""
    if len(A) == 0:
        return A
    poles = np.linalg.eigvals(A)
    size = np.abs(poles).max()
    bad = np.flatnonzero((np.abs(poles) <= 1e-14 * size) | ((poles.real < 0) & (np.abs(poles.imag) <= 1e-10 * np.abs(poles))))
    if len(bad):
        where = poles[bad[0]]
        kind = "zero" if abs(where) <= 1e-14 * size else f"real and negative ({where.real:.6g})"
        raise ValueError(f"to_continuous: no continuous model of this order samples to a pole that is {kind}. "
                         "Use method='tustin', or a model without that pole.")
    L = scipy.linalg.logm(A)
    if np.iscomplexobj(L):
        L = L.real
    # One Newton step on e^L = A undoes the rounding of the inverse scaling and squaring.
    E = scipy.linalg.expm(L)
    change = np.linalg.solve(E, A - E)
    if np.linalg.norm(change) < 1e-6 and np.linalg.norm(L @ change - change @ L) <= 1e-8 * np.linalg.norm(L):
        L = L + change
    if not np.linalg.norm(scipy.linalg.expm(L) - A) <= 1e-8 * np.linalg.norm(A):
        raise ValueError("to_continuous: the matrix logarithm of A is too ill-conditioned to be trusted. "
                         "Use method='tustin', or reduce the model first.")
    return L


def intensity(A: np.ndarray, A_step: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Find the white-noise intensity Q with int_0^dt e^(As) Q e^(A's) ds = V.

        Q = e^(A dt) Q e^(A' dt) - (A V + V A')

    A: (n, n) continuous. A_step: (n, n) its exponential. V: (n, n). Returns Q (n, n), not necessarily semidefinite:
    not every discrete noise is the integral of a continuous one. Cost O(n^3). [Van Loan 1978]
    """
    return discrete_lyapunov(A_step, -(A @ V + V @ A.T))
