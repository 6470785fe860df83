"""Leading eigenpairs of the spectral-filtering Hankel matrices to high relative accuracy, never forming them.

Every matrix here is a moment matrix of a measure on (0, 1),

    Z[p, q] = int_0^1 (1-a)^2 a^(p+q-2+e) da,     p, q = 1..L,

with e = 0 for the standard matrix and e = -1/2, +1/2 for the odd and even rows of the alternating one.

1. The trapezoidal rule in s = log(a/(1-a)) gives Z = M M', M[p, q] = sqrt(w[q]) (1-a[q]) a[q]^(p-1), with a few
   hundred nodes; the eigenfunctions are smooth in s, so the rule is exact to rounding, relatively.
2. The discrete Fourier transform of M's columns is a Cauchy matrix, whose pivoted LDU factors are products and so
   lose no digits however small the pivots [Demmel 1999].
3. The singular values of the graded r x r core come from preconditioned one-sided Jacobi [Drmac & Veselic 2008].

A dense symmetric eigensolver has an absolute error of about 1e-16 |Z| and is wrong by orders of magnitude below it.
Cost O(L r^2) time and O(L r) memory with r about 3 K.
"""

from __future__ import annotations

import numpy as np

from ..kernels.cauchy import cauchy_left_factor, cauchy_pivots

_CUTOFF = 1e-14


def hankel_eigenpairs(size: int, count: int, exponent: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Compute the largest eigenvalues (count,), descending, and unit eigenvectors (count, size) of Z."""
    if size == 1:
        value = 2.0 / ((exponent + 1) * (exponent + 2) * (exponent + 3))
        return np.array([value]), np.ones((1, 1))
    left, pivot, right = _factor(size, count, exponent)
    first = _cholesky_factor(left)
    basis = left @ np.linalg.inv(first)
    second = _cholesky_factor(basis)
    _, right_core = np.linalg.qr(right)
    core = (second @ first * pivot) @ right_core.T
    singular, vectors = _jacobi(core)
    signals = np.fft.ifft(basis @ np.linalg.solve(second, vectors[:, :count]), axis=0)
    # Each column is a real vector times a common phase.
    phase = np.exp(-0.5j * np.angle(np.sum(signals * signals, axis=0)))
    filters = np.ascontiguousarray((signals * phase).real.T)
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    largest = filters[np.arange(count), np.argmax(np.abs(filters), axis=1)]
    filters *= np.sign(largest)[:, None]
    # Squares below the smallest normal number are kept positive: they enter as s**(1/4) and s**(-1/4).
    return np.maximum(singular[:count] ** 2, np.finfo(float).tiny), filters


def _cholesky_factor(matrix: np.ndarray) -> np.ndarray:
    """R with matrix' matrix = R' R. Done twice it orthonormalises a well-conditioned tall matrix (cond below 1e7) to
    rounding, at the price of products instead of a QR factorisation [Yamamoto et al. 2015]."""
    return np.linalg.cholesky(matrix.conj().T @ matrix).conj().T


def _nodes(size: int, count: int, exponent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes a, their distances 1 - a (both to full relative accuracy) and the factor sqrt(w) (1-a)."""
    step = min(0.1, 3.0 / max(count, 1))
    s = np.arange(-42.0 / (1 + exponent), np.log(size) + 16.0, step)
    a, gap = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s))
    return a, gap, np.sqrt(step * gap**3 * a ** (1 + exponent))


def _frequencies(size: int, count: int) -> np.ndarray:
    """Indices among which pivots are sought: dense near zero and then log-spaced, or all of them where that is few."""
    dense = max(65, 3 * count)
    if size <= 4 * dense:
        return np.arange(size)
    spaced = np.geomspace(dense, size // 2, int(np.log(size / (2 * dense)) / 0.05) + 2)
    half = np.unique(np.round(np.concatenate([np.arange(dense), spaced])).astype(int))
    return np.unique(np.concatenate([half, (size - half) % size]))


def _factor(size: int, count: int, exponent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return L (size, r), d (r,), R (Q, r) with the transformed quadrature factor equal to L diag(d) R'."""
    a, gap, weight = _nodes(size, count, exponent)
    decay = np.where(gap < 1, -np.expm1(size * np.log1p(-np.minimum(gap, 1 - 1e-16))), 1.0)  # 1 - a^L
    row_scale = weight * decay / np.sqrt(size)
    index = np.arange(size)
    angles = 2 * np.pi * np.where(index <= size // 2, index, index - size) / size
    points = _frequencies(size, count)
    angle = angles[points]
    node_gap = np.where((a < 0.5)[:, None], a[:, None] - a[None, :], gap[None, :] - gap[:, None])
    most = min(size, len(points), len(a))
    pivot_j, pivot_q = np.zeros(most, np.int64), np.zeros(most, np.int64)
    pivot, scratch = np.zeros(most, complex), np.zeros(len(a), complex)
    rank = cauchy_pivots(angle, gap, node_gap, row_scale, min(count, most), _CUTOFF,
                         np.empty((len(points), len(a)), complex), pivot_j, pivot_q, pivot, scratch)
    pivot_j, pivot_q, pivot = pivot_j[:rank], pivot_q[:rank], pivot[:rank]
    left = np.empty((size, rank), complex)
    cauchy_left_factor(angles, angle[pivot_j], gap[pivot_q], left)
    left *= np.exp(1j * angle[pivot_j]) / left[points[pivot_j], np.arange(rank)]
    return left, pivot, _right_factor(angle[pivot_j], pivot_q, gap, node_gap, row_scale)


def _right_factor(pivot_angle, pivot_q, gap, node_gap, row_scale) -> np.ndarray:
    point_gap = (gap[:, None] - 2 * np.sin(pivot_angle / 2) ** 2) + 1j * np.sin(pivot_angle)   # z[k] - a[q]
    ratio = node_gap[pivot_q].T / point_gap
    chain = np.ones_like(ratio)
    np.cumprod(ratio[:, :-1], axis=1, out=chain[:, 1:])
    right = chain / point_gap * row_scale[:, None]
    return right / right[pivot_q, np.arange(len(pivot_q))]


def _jacobi(core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and left vectors of a graded complex matrix, through its real form of twice the size."""
    from scipy.linalg import lapack
    r = len(core)
    real_form = np.block([[core.real, -core.imag], [core.imag, core.real]])
    values, left, _, work, _, info = lapack.dgejsv(real_form, joba=0, jobu=0, jobv=3, jobr=0, jobt=0, jobp=0)
    if info != 0:
        raise ValueError(f"spectral_filters: the Jacobi singular value decomposition did not converge (info = {info}).")
    # Every singular value comes twice, with vectors x and i x.
    return (values * (work[0] / work[1]))[::2], left[:r, ::2] + 1j * left[r:, ::2]
