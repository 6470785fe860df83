"""Long impulse responses of structured models, and convolution with them.

    diagonal                 h_k = sum_i r_i lambda_i^(k-1)
    diagonal plus low rank   h_k = c (diag(lambda) + P Q^*)^(k-1) b

Both go through the generating function sum_k h_k z^-k at the N-th roots of unity, a sum of N x n simple fractions, and one
inverse FFT: O(N n + N log N). The truncation is exact, because there z^-N = 1 turns A^N into a constant.
[Gu, Goel & Re 2022, Thm 3; corrections #4 for the delay]
"""

from __future__ import annotations

import numpy as np

__all__ = ["diagonal_kernel", "low_rank_kernel", "overlap_add"]

_CHUNK = 1 << 20


def diagonal_kernel(poles: np.ndarray, B: np.ndarray, C: np.ndarray, n_steps: int) -> np.ndarray:
    """Compute h_k = C diag(poles)^(k-1) B for k = 1..n_steps.

    poles: (n,) complex, |pole| <= 1. B: (n, m). C: (p, n). Returns (n_steps, p, m) complex; take the real part where poles
    come in conjugate pairs. By powers in blocks, baby steps times giant steps: O(n n_steps p m) as matrix products, and no
    pole is too close to the unit circle. [ESN-SSM, Eq. 62]
    """
    n, m = B.shape
    p = len(C)
    small = max(1, int(np.ceil(np.sqrt(max(n_steps, 1)))))
    steps = poles[None, :] ** np.arange(small)[:, None]  # (small, n)
    giant = poles[None, :] ** (small * np.arange(-(-n_steps // small)))[:, None]
    weight = np.einsum("pi,im->ipm", C, B).reshape(n, p * m)
    out = np.empty((len(giant), small, p * m), dtype=complex)
    for column in range(p * m):
        out[:, :, column] = (giant * weight[:, column]) @ steps.T
    return out.reshape(-1, p, m)[:n_steps]


def low_rank_kernel(poles: np.ndarray, P: np.ndarray, Q: np.ndarray, B: np.ndarray, C: np.ndarray, n_steps: int,
                    ) -> np.ndarray:
    """Compute h_k = C A^(k-1) B, k = 1..n_steps, for A = diag(poles) + P Q^*.

    poles: (n,) complex, away from the n_steps-th roots of unity. P, Q: (n, r). B: (n, m). C: (p, n). Returns
    (n_steps, p, m) complex. The resolvent at each root of unity by the Woodbury identity, r x r systems only.
    Cost O(n_steps (n (p + r)(m + r) + r^3) + n_steps log n_steps), and one power A^n_steps O(n^3 log n_steps).
    [Gu, Goel & Re 2022, Prop. 3]
    """
    n, m = B.shape
    p, r = len(C), P.shape[1]
    A = np.diag(poles) + P @ Q.conj().T
    cut = C - C @ np.linalg.matrix_power(A, n_steps)  # C (I - A^N): the sum stops after N terms
    z = np.exp(2j * np.pi * np.arange(n_steps) / n_steps)
    left, right = np.vstack((cut, Q.conj().T)), np.hstack((B, P))
    generating = np.empty((n_steps, p, m), dtype=complex)
    chunk = max(1, _CHUNK // max(n, 1))
    for start in range(0, n_steps, chunk):
        part = z[start: start + chunk]
        fractions = 1 / (part[:, None] - poles)  # (F, n)
        core = np.einsum("ai,fi,ib->fab", left, fractions, right, optimize=True)
        low = np.linalg.solve(np.eye(r) - core[:, p:, m:], core[:, p:, :m]) if r else core[:, p:, :m]
        generating[start: start + chunk] = core[:, :p, :m] + core[:, :p, m:] @ low
    # generating(z_j) = sum_k h_k z_j^-k with k = 1..N, and z_j^-N = 1.
    h = np.fft.ifft(generating, axis=0)
    return np.roll(h, -1, axis=0)


def overlap_add(h: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Convolve an input with an impulse response, y[t] = sum_k h[k] u[t-k], by FFT in overlapping blocks.

    h: (L, p, m). u: (T, m). Returns (T + L - 1, p): what comes after T is what the input still causes when it has ended.
    Cost O((T + L) log L p m). [Oppenheim & Schafer 2010, Sec. 8.7.3]
    """
    from scipy import fft

    L, p, m = h.shape
    T = len(u)
    size = fft.next_fast_len(int(min(max(4 * L, 1 << 12), T + L - 1)), real=True)
    block = size - L + 1
    H = fft.rfft(h, size, axis=0)
    out = np.zeros((T + L - 1, p))
    for start in range(0, T, block):
        part = u[start: start + block]
        U = fft.rfft(part, size, axis=0)
        y = fft.irfft(np.einsum("fpm,fm->fp", H, U), size, axis=0)[: len(part) + L - 1]
        out[start: start + len(y)] += y
    return out
