"""From windows of data to (A, C), the state sequence and the noise: the algebra that all subspace methods share.

[Van Overschee & De Moor 1996, ch. 4] with Y_f the future outputs, U_f the future inputs, Z_p the past inputs and
outputs, and everything projected on the complement of U_f:

    Y_f = Gamma x + H U_f + E_f,    G = regression of Y_f on Z_p,    W_1 G Z_p W_2 = U S V',    Gamma = W_1^-1 U_n S_n^1/2

    N4SID  W_1 = I                W_2 = I
    MOESP  W_1 = I                W_2 = projection on the complement of U_f
    CVA    W_1 = Cov(Y_f)^-1/2    W_2 = the same projection
    IVM    W_1 = Cov(Y_f)^-1/2    W_2 = Z_p' (Z_p Z_p')^-1/2 ahead of the inverse in G
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla

from .triangular import triangle
from .windows import Windows

WEIGHTINGS = ("n4sid", "moesp", "cva", "ivm", "ssarx")


@dataclass(frozen=True)
class Decomposition:
    """Singular values, Gamma for the full order (f p, k), and the state map J with x = J[:n] z_p (k, past (m + p))."""

    singular_values: np.ndarray
    gamma: np.ndarray
    state_map: np.ndarray
    weighting: str
    past: int
    future: int

    def observability(self, n: int) -> np.ndarray:
        """Gamma of order n, (future p, n)."""
        return self.gamma[:, :n]


def decompose(windows: Windows, past: int, future: int, weighting: str) -> Decomposition:
    """Weighted projection and singular value decomposition for one pair of horizons. Cost O((L (m + p))^3).

    The most recent past + future lags of the windows are used.
    """
    t = windows.length - future
    Zp = np.hstack([windows.u(t - past, t), windows.y(t - past, t)])
    Uf, Yf = windows.u(t, t + future), windows.y(t, t + future)
    if weighting == "ssarx":
        return _decompose(Zp, Yf - _future_terms(windows, past, future), "cva", past, future, label="ssarx")
    # Orthogonal to the future inputs, and (for N4SID and IVM) what the past shares with them.
    q = Uf.shape[1]
    R = triangle(np.hstack([Uf, Zp, Yf]))
    full = R[:, q : q + Zp.shape[1]]
    return _decompose(R[q:, q : q + Zp.shape[1]], R[q:, q + Zp.shape[1] :], weighting, past, future, shared=full)


def _decompose(Z: np.ndarray, Y: np.ndarray, weighting: str, past: int, future: int,
               shared: np.ndarray | None = None, label: str | None = None) -> Decomposition:  # fmt: skip
    """Z, Y: rows of past and future, future inputs projected out; shared: rows of the past before that projection, Z if None."""
    shared = Z if shared is None else shared
    Qz, sz, Vz = np.linalg.svd(Z, full_matrices=False)
    keep = sz > 1e-12 * sz.max(initial=0.0)
    Qz, sz, Vz = Qz[:, keep], sz[keep], Vz[keep]
    cross = Qz.T @ Y                                   # G Z_p Pi = cross' Qz', G' = Vz' sz^-1 cross
    if weighting in ("cva", "ivm"):
        root = triangle(np.vstack([Y, 1e-10 * np.linalg.norm(Y) * np.eye(Y.shape[1])]))
        left = sla.solve_triangular(root, cross.T, trans="T")
    else:
        root, left = np.eye(Y.shape[1]), cross.T
    if weighting == "n4sid":
        middle = (left / sz) @ (Vz @ shared.T)
    elif weighting == "ivm":
        _, s, V = np.linalg.svd(shared, full_matrices=False)
        ok = s > 1e-12 * s[0]
        middle = ((left * sz) @ Vz) @ (V[ok].T / s[ok])
    else:
        middle = left
    U, s, _ = np.linalg.svd(middle, full_matrices=False)
    scale = np.sqrt(np.where(s > 0, s, 1.0))
    gamma = root.T @ (U * scale)
    # (U S^-1/2)' W_1 is a left inverse of Gamma; applied to G it maps the past to the state.
    state_map = (((U / scale).T @ left) / sz) @ Vz
    return Decomposition(s, gamma, state_map, label or weighting, past, future)


def _future_terms(windows: Windows, past: int, future: int) -> np.ndarray:
    """What known inputs and outputs after time t add to Y_f, by a long ARX model [Jansson 2003]; no feedthrough.

    y[t+i] - sum_{k <= i} (Psi_u,k u[t+i-k] + Psi_y,k y[t+i-k]) = C (A - K C)^i x[t] + e[t+i], also in closed loop.
    """
    m, p, t = windows.n_inputs, windows.n_outputs, windows.length - future
    Z = np.hstack([windows.u(t - past, t), windows.y(t - past, t)])
    psi = np.linalg.lstsq(Z, windows.y(t, t + 1), rcond=1e-12)[0]
    psi_u, psi_y = psi[: past * m].reshape(past, m, p)[::-1], psi[past * m :].reshape(past, p, p)[::-1]
    known = np.zeros((len(windows.R), future * p))
    for i in range(1, future):
        for k in range(1, min(i, past) + 1):
            lag = t + i - k
            known[:, i * p : (i + 1) * p] += windows.u(lag, lag + 1) @ psi_u[k - 1] + windows.y(lag, lag + 1) @ psi_y[k - 1]
    return known


def shift_invariance(gamma: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """A and C from Gamma = [C; C A; C A^2; ...] by least squares between the block rows and the next ones."""
    return np.linalg.lstsq(gamma[:-p], gamma[p:], rcond=None)[0], gamma[:p].copy()


def state_rows(windows: Windows, part: Decomposition, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of x[t] (k, n), x[t+1] (k, n), u[t] (k, m), y[t] (k, p), the states mapped from the past by J."""
    t, J = windows.length - part.future, part.state_map[:n].T

    def state(at: int) -> np.ndarray:
        return np.hstack([windows.u(at - part.past, at), windows.y(at - part.past, at)]) @ J

    return state(t), state(t + 1), windows.u(t, t + 1), windows.y(t, t + 1)


def predictor_form(windows: Windows, part: Decomposition, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, C and K by regression on the state sequence and the innovations, unbiased in closed loop [Chiuso 2007]."""
    x, x_next, u, y = state_rows(windows, part, n)
    C = np.linalg.lstsq(x, y, rcond=1e-12)[0].T
    e = y - x @ C.T
    theta = np.linalg.lstsq(np.hstack([x, u, e]), x_next, rcond=1e-12)[0].T
    return theta[:, :n].copy(), C, theta[:, n + u.shape[1] :].copy()


def noise_covariances(windows: Windows, part: Decomposition, A, B, C, D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q (n, n), R (p, p), S (n, p) of the residuals w = x[t+1] - A x - B u and v = y - C x - D u; jointly PSD."""
    n = len(A)
    x, x_next, u, y = state_rows(windows, part, n)
    residuals = np.hstack([x_next - x @ A.T - u @ B.T, y - x @ C.T - u @ D.T])
    cov = residuals.T @ residuals / windows.count
    return cov[:n, :n], cov[n:, n:], cov[:n, n:]
