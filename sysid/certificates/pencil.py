"""The frequency form of the circle criterion: which rate a diagonal multiplier T reaches, frequency by frequency.

$$ \\psi(k,\\theta) = 2\\,\\mathrm{Herm}\\,(k e^{i\\theta} I - \\underline{A})^* T (k e^{i\\theta} I - \\overline{A}) $$

Multiplier T certifies rate k if and only if psi is positive definite on the whole circle (and the mean endpoint is
stable at rate k). psi is linear in T, and quadratic in k along every vector, which makes the smallest k cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh, lapack

_LANCZOS_FROM = 400


@dataclass(frozen=True, eq=False)
class Pencil:
    """psi for one pair of endpoints and one multiplier.

    Parameters
    ----------
    lower, upper : (n, n) endpoint matrices
    t : (n,) positive diagonal of T
    """

    lower: np.ndarray
    upper: np.ndarray
    t: np.ndarray

    @cached_property
    def first(self) -> np.ndarray:
        """T (lower + upper), the coefficient of -k exp(-i theta)."""
        return self.t[:, None] * (self.lower + self.upper)

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Symmetric and skew parts of `first`, doubled: psi is real in one and imaginary in the other."""
        return self.first + self.first.T, self.first - self.first.T

    @cached_property
    def last(self) -> np.ndarray:
        """2 Herm lower' T upper, the constant term."""
        half = times_transpose(self.lower, self.t[:, None] * self.upper)
        return half + half.T

    def at(self, k: float, theta: float) -> np.ndarray:
        """psi(k, theta), (n, n): real at 0 and pi, complex between; a new array."""
        even, odd = self.parts
        real = self.last - (k * np.cos(theta)) * even
        real[np.diag_indices(len(self.t))] += 2 * k * k * self.t
        if isinstance(unit(theta), float):
            return real.T
        psi = np.empty(real.shape, dtype=complex)
        psi.real, psi.imag = real, (-k * np.sin(theta)) * odd
        return psi.T                                      # in the order LAPACK wants; the transpose turns the sign of odd

    def feasible(self, k: float, theta: float) -> bool:
        """Whether psi(k, theta) is positive definite, by Cholesky."""
        return cholesky(self.at(k, theta)) is not None

    def raised(self, k: float, theta: float) -> float:
        """The smallest rate not below k at which this frequency is feasible, from below.

        The eigenvector v of a negative eigenvalue gives a quadratic v* psi v in k whose larger root no rate of this
        multiplier can be below; repeating converges quadratically.
        """
        for _ in range(60):
            v = self._bottom(k, theta)
            a = 2 * float(self.t @ np.abs(v) ** 2)
            b = 2 * float(np.real(unit(theta).conjugate() * np.vdot(v, self.first @ v)))
            c = float(np.vdot(v, self.last @ v).real)
            gap = b * b - 4 * a * c
            root = (b + np.sqrt(gap)) / (2 * a) if gap >= 0 else 0.0
            if root <= k * (1 + 1e-9):
                return max(k, root)
            k = root
        return k

    def rate(self, thetas: Iterable[float], start: float) -> float:
        """The smallest rate, not below `start`, feasible at every one of `thetas`."""
        k = start
        for theta in thetas:
            if not self.feasible(k * (1 + 1e-8), theta):
                k = self.raised(k, theta)
        return k

    def _bottom(self, k: float, theta: float) -> np.ndarray:
        s = 1 / np.sqrt(self.t)
        psi = s[:, None] * self.at(k, theta) * s
        if len(s) < _LANCZOS_FROM:
            return s * eigh(psi, subset_by_index=[0, 0])[1][:, 0]
        from scipy.sparse.linalg import ArpackNoConvergence, eigsh

        try:
            vector = eigsh(psi, k=1, which="SA", tol=1e-7, v0=np.ones(len(s), dtype=psi.dtype), maxiter=400)[1]
        except ArpackNoConvergence:
            vector = eigh(psi, subset_by_index=[0, 0])[1]
        return s * vector[:, 0]


def unit(theta: float) -> complex | float:
    """exp(i theta), real where it is real."""
    return 1.0 if theta == 0 else (-1.0 if theta == np.pi else complex(np.cos(theta), np.sin(theta)))


def cholesky(psi: np.ndarray) -> np.ndarray | None:
    """The lower factor, or None where there is none; psi is overwritten where it is in Fortran order."""
    factor, info = (lapack.zpotrf if np.iscomplexobj(psi) else lapack.dpotrf)(psi, lower=1, clean=0, overwrite_a=1)
    return factor if info == 0 and np.isfinite(factor[-1, -1]) else None


def is_diagonal(A: np.ndarray) -> bool:
    """Whether A has no entry off its diagonal."""
    return np.count_nonzero(A) == np.count_nonzero(np.diag(A))


def times_transpose(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A' B, in O(n^2) where A is diagonal."""
    return np.diag(A)[:, None] * B if is_diagonal(A) else A.T @ B


def frequencies(leak: np.ndarray, count: int) -> np.ndarray:
    """Angles theta in [0, pi] that look from 1 - leak in equal directions, (count,) or more where leaks differ.

    A slow unit sees the circle from near its rim: its critical frequencies crowd towards 0, and equal steps in theta
    would miss them.
    """
    phi = np.linspace(0, np.pi, count)
    grids = []
    for a in {float(1 - leak.max()), float(1 - leak.min()), float(1 - np.median(leak))}:
        radius = np.sqrt(1 - (a * np.sin(phi)) ** 2) - a * np.cos(phi)
        grids.append(np.arctan2(radius * np.sin(phi), a + radius * np.cos(phi)))
    theta = np.concatenate(grids)
    theta = np.unique(np.round(theta[(theta > 1e-9) & (theta < np.pi - 1e-9)], 9))
    return np.concatenate([[0.0, np.pi], theta])


def smallest_rate(lower: np.ndarray, upper: np.ndarray, t: np.ndarray, leak: np.ndarray, count: int | None = None,
                  start: float = 0.0) -> float:
    """The rate that multiplier diag(t) reaches, on a grid of frequencies refined around nothing: a computed value.

    Between grid points it may be low by about 1e-5; the proof that follows does not rely on it.
    Cost O(count n^3 / 3).
    """
    n = len(t)
    pencil = Pencil(lower, upper, t)
    count = count or (257 if n <= 200 else 97 if n <= 600 else 49 if n <= 1200 else 25)
    if start <= 0:
        start = start_rate(pencil)
    k = pencil.rate(frequencies(leak, 9), start)
    return pencil.rate(frequencies(leak, count), k)


def start_rate(pencil: Pencil) -> float:
    """A lower bound on the rate from which raising may begin."""
    n = len(pencil.t)
    if n <= 500:
        return max(spectral_radius(A) for A in (pencil.lower, pencil.upper, (pencil.lower + pencil.upper) / 2))
    # The roots of v* psi v at any v are lower bounds; a far rate gives good vectors without an eigenvalue solve.
    s = np.sqrt(pencil.t)
    far = max(float(np.abs(s[:, None] * A / s).sum(axis=1).max()) for A in (pencil.lower, pencil.upper))
    best = 1e-3
    for theta in (0.0, np.pi):
        v = pencil._bottom(far, theta)
        a = 2 * float(pencil.t @ v**2)
        b = 2 * float(np.cos(theta)) * float(v @ (pencil.first @ v))
        c = float(v @ (pencil.last @ v))
        if b * b >= 4 * a * c:
            best = max(best, float(b + np.sqrt(b * b - 4 * a * c)) / (2 * a))
    return best


def spectral_radius(A: np.ndarray) -> float:
    """Largest modulus of an eigenvalue."""
    if is_diagonal(A):
        return float(np.abs(np.diag(A)).max(initial=0.0))
    return float(np.abs(np.linalg.eigvals(A)).max(initial=0.0))
