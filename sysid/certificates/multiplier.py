"""The best diagonal multiplier, by following the path of analytic centres.

psi is linear in T, so at a fixed rate k the multipliers that certify k form a convex cone. Its analytic centre
minimises the self-concordant barrier
$$ F(T) = -\\sum_j \\log\\det \\psi(k, \\theta_j), \\qquad \\textstyle\\sum_i t_i = n, $$
and is found by a few Newton steps with an exact Hessian of n unknowns. The centre is then followed as k falls, along
its tangent, until the cone is empty. No semidefinite program: n unknowns instead of n (n + 1) / 2 + n.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from .. import _check
from .pencil import Pencil, cholesky, frequencies, is_diagonal, smallest_rate, start_rate, unit


@dataclass
class MultiplierSearch:
    """The best diagonal multiplier for a pair of endpoints.

    Parameters
    ----------
    lower, upper : (n, n) endpoints, best given balanced
    leak : (n,) leaks, which place the frequencies
    thetas : frequencies to watch; chosen from the leaks if None
    tolerance : relative accuracy of the rate
    expired : called between Newton steps; True ends the search with the best so far
    """

    lower: np.ndarray
    upper: np.ndarray
    leak: np.ndarray
    thetas: np.ndarray = _check.UNSET
    tolerance: float = 2e-5
    expired: Callable[[], bool] = lambda: False
    t: np.ndarray = field(init=False)
    rate: float = field(init=False)
    floor: float = field(init=False, default=0.0)
    steps: int = field(init=False, default=0)
    interrupted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.t = np.ones(len(self.lower))
        self._diagonal = is_diagonal(self.lower)
        self._upper_transposed = np.ascontiguousarray(self.upper.T)
        self._fixed = self.thetas is not None
        if not self._fixed:
            self.thetas = frequencies(self.leak, 17 if len(self.t) <= 100 else 13)
        self._fine = np.sort(frequencies(self.leak, 65))
        self._start = start_rate(Pencil(self.lower, self.upper, self.t))
        self.rate = self._grid_rate(self.t)

    def run(self) -> MultiplierSearch:
        """Follow the path; `t`, `rate` and `floor` hold the best found even when the user interrupts it, which `interrupted` says."""
        try:
            t, k = self._follow(0.3)
            for _ in range(2):                            # frequencies found wanting are added, and the path continued
                if self._fixed or self.expired() or not self._add_frequency():
                    break
                t, k = self._follow(0.02)
            self._bound(t, k)
        except KeyboardInterrupt:
            self.interrupted = True
        return self

    def _grid_rate(self, t: np.ndarray) -> float:
        if self._fixed:
            return Pencil(self.lower, self.upper, t).rate(self.thetas, self._start)
        return smallest_rate(self.lower, self.upper, t, self.leak, start=self._start)

    def _node_rate(self, t: np.ndarray) -> float:
        return Pencil(self.lower, self.upper, t).rate(self.thetas, self._start)

    def _follow(self, ahead: float) -> tuple[np.ndarray, float]:
        t, k = self.t.copy(), self._node_rate(self.t)
        k += ahead * (k - self._start) + 1e-4 * k
        for _ in range(60):
            t, centre = self._centred(t, k)
            if centre is None or self.expired():
                break
            tangent = self._tangent(t, k, centre)
            drop = self._drop(t, k, tangent)
            t, k = t - 0.9 * drop * tangent, k - 0.9 * drop
            self._prune(centre, drop, k)
            k = self._watched(t, k, drop)
            if 0.9 * drop < self.tolerance * k:
                break
        rate = self._grid_rate(t)
        if rate < self.rate:
            self.t, self.rate = t, rate
        return t, k

    def _centred(self, t: np.ndarray, k: float, weights: np.ndarray | None = None, accuracy: float = 0.3,
                 most: int = 30) -> tuple[np.ndarray, Centre | None]:
        weights = np.ones(len(t)) if weights is None else weights
        centre = None
        for _ in range(most):
            centre = self._derivatives(t, k, weights)
            self.steps += 1
            if centre is None or centre.decrement < accuracy or self.expired():
                break
            step, size = centre.newton, 1.0
            while (self._barrier(t + size * step, k) > centre.value - 0.1 * size * centre.decrement) and size > 1e-6:
                size *= 0.6
            t = t + size * step
        return t, centre

    def _drop(self, t: np.ndarray, k: float, tangent: np.ndarray) -> float:
        drop = k - self._start
        while drop > 1e-12 and not np.isfinite(self._barrier(t - drop * tangent, k - drop)):
            drop *= 0.7
        return drop

    def _prune(self, centre: Centre, drop: float, k: float) -> None:
        """Forget frequencies that carry no weight near the optimum."""
        if self._fixed or drop > 0.05 * k:
            return
        weight = np.array([np.trace(Z).real for Z in centre.inverses])
        self.thetas = self.thetas[weight > 3e-3 * weight.max()]

    def _watched(self, t: np.ndarray, k: float, drop: float) -> float:
        """Late on the path, look between the frequencies in use; add those found infeasible and step back to mend it."""
        if self._fixed or drop > 4e-3 * k:
            return k
        at = np.searchsorted(self._fine, self.thetas)
        near = np.unique(np.clip(at[:, None] + np.arange(-2, 3), 0, len(self._fine) - 1))
        pencil = Pencil(self.lower, self.upper, t)
        wanting = [theta for theta in self._fine[near] if not pencil.feasible(k, theta)]
        if not wanting:
            return k
        self.thetas = np.unique(np.concatenate([self.thetas, wanting]))
        return pencil.rate(wanting, k) * (1 + 2e-4)

    def _add_frequency(self) -> bool:
        """Add the worst frequency of the fine grid where it costs more than the tolerance."""
        node, grid = self._node_rate(self.t), self.rate
        if grid <= node * (1 + 5 * self.tolerance):
            return False
        pencil = Pencil(self.lower, self.upper, self.t)
        fine = frequencies(self.leak, 257 if len(self.t) <= 200 else 97)
        worst = [theta for theta in fine if not pencil.feasible(node + 0.2 * (grid - node), theta)]
        new = worst if len(worst) <= 8 else [worst[i] for i in np.linspace(0, len(worst) - 1, 8).astype(int)]
        self.thetas = np.unique(np.concatenate([self.thetas, new]))
        return True

    def _barrier(self, t: np.ndarray, k: float) -> float:
        if t.min() <= 0:
            return np.inf
        pencil, value = Pencil(self.lower, self.upper, t), 0.0
        for theta in self.thetas:
            factor = cholesky(pencil.at(k, theta))
            if factor is None:
                return np.inf
            value -= 2 * np.log(np.diag(factor).real).sum()
        return value

    def _derivatives(self, t: np.ndarray, k: float, weights: np.ndarray) -> Centre | None:
        """Barrier, its derivatives, and the Newton step on the slice weights't = const; None where psi is indefinite."""
        n, pencil = len(t), Pencil(self.lower, self.upper, t)
        value, gradient, hessian, dual, inverses = 0.0, np.zeros(n), np.zeros((n, n)), np.zeros(n), []
        for theta in self.thetas:
            psi = pencil.at(k, theta)
            factor = cholesky(psi)
            if factor is None:
                return None
            value -= 2 * np.log(np.diag(factor).real).sum()
            Z = _inverse(factor)
            BZ, outer, left, right = self._products(k * unit(theta), Z)
            U, V = left(right(Z)), right(BZ)
            hessian += 2 * (_real_product(V, V.T) + _real_product(outer(BZ), U, conjugate=True))
            gradient -= 2 * np.diag(V).real
            dual += np.diag(U).real
            inverses.append(Z)
        step = _on_slice(hessian, gradient, weights)
        return Centre(value, -step, float(step @ gradient), gradient, hessian, weights, dual, inverses)

    def _tangent(self, t: np.ndarray, k: float, centre: Centre) -> np.ndarray:
        """dt/dk along the path of centres: the Newton system with the derivative of the gradient in k."""
        pencil, cross = Pencil(self.lower, self.upper, t), np.zeros(len(t))
        for theta, Z in zip(self.thetas, centre.inverses):
            e = unit(theta)
            BZ, _, _, right = self._products(k * e, Z)
            RZ, (even, odd) = right(Z), pencil.parts
            slope = 4 * k * (BZ * t) - np.cos(theta) * _times(BZ, even)
            if np.iscomplexobj(Z):
                slope += 1j * np.sin(theta) * _times(BZ, odd)
            through = np.einsum("ij,ji->i", slope, RZ)
            cross += 2 * through.real - 2 * np.real(e * np.diag(RZ) + np.conj(e) * np.diag(BZ))
        return -_on_slice(centre.hessian, cross, centre.weights)

    def _products(self, z: complex | float, Z: np.ndarray) -> tuple[np.ndarray, Callable, Callable, Callable]:
        """(z I - upper) Z; multiplication by (z I - upper)' from the right; by z I - lower from the left, by its adjoint
        from the right."""
        BZ = z * Z - _times(self.upper, Z)

        def outer(R: np.ndarray) -> np.ndarray:
            return np.conj(z) * R - _times(R, self._upper_transposed)

        if self._diagonal:
            g = z - np.diag(self.lower)
            return BZ, outer, lambda R: g[:, None] * R, lambda R: R * g.conj()
        return (BZ, outer, lambda R: z * R - _times(self.lower, R),
                lambda R: np.conj(z) * R - _times(R, np.ascontiguousarray(self.lower.T)))

    def _bound(self, t: np.ndarray, k: float) -> None:
        """A rate that no diagonal multiplier can go below, from the barrier's multipliers Z_j = psi_j^-1.

        If some T certified k' < k, Harnack's inequality would give psi(k) >= 2 rho (.)* T (.) with
        rho = (k - k') / (k + k'); pairing with the Z_j contradicts it once rho exceeds the largest quotient below.
        """
        weights = np.ones(len(t))
        for _ in range(2):
            t, centre = self._centred(t, k, weights, 1e-2, 10)
            if centre is None or self.expired():
                return
            rho = float((-centre.gradient / (2 * centre.dual)).max())
            self.floor = max(self.floor, k * (1 - rho) / (1 + rho))
            weights = np.maximum(centre.dual, 1e-12 * centre.dual.max())
            weights = weights / weights.mean()
            t = t * (len(t) / (weights @ t))


@dataclass(frozen=True, eq=False)
class Centre:
    """Barrier and derivatives at one multiplier and rate."""

    value: float
    newton: np.ndarray
    decrement: float
    gradient: np.ndarray
    hessian: np.ndarray
    weights: np.ndarray
    dual: np.ndarray
    inverses: list[np.ndarray]


def _inverse(factor: np.ndarray) -> np.ndarray:
    inverse, _ = (lapack.zpotri if np.iscomplexobj(factor) else lapack.dpotri)(factor, lower=1)
    above = inverse.T                                     # the conjugate of Z, row by row, right above its diagonal
    return np.where(np.tri(len(above), dtype=bool), above.T, above.conj())


def _times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left @ right where one is real: half the work of a complex product."""
    if np.iscomplexobj(right):
        return (left @ np.ascontiguousarray(right).view(np.float64)).view(np.complex128)
    if np.iscomplexobj(left):
        out = np.empty(left.shape, dtype=np.complex128)
        out.real, out.imag = left.real.copy() @ right, left.imag.copy() @ right   # contiguous: BLAS wants it
        return out
    return left @ right


def _real_product(a: np.ndarray, b: np.ndarray, conjugate: bool = False) -> np.ndarray:
    """Real part of a b, entry by entry, or of a conj(b)."""
    if not np.iscomplexobj(a):
        return a * b
    imaginary = a.imag * b.imag
    return a.real * b.real + (imaginary if conjugate else -imaginary)


def _on_slice(hessian: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve H s = r up to a multiple of the weights, with weights's = 0."""
    s = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    scaled = hessian * s * s[:, None]
    for ridge in (1e-13, 1e-10, 1e-7, 1e-4):              # blocks that hardly see each other leave it singular to rounding
        try:
            factor = cho_factor(scaled + ridge * np.eye(len(s)), check_finite=False)
            break
        except np.linalg.LinAlgError:
            if ridge == 1e-4:
                raise
    solution = s[:, None] * cho_solve(factor, s[:, None] * np.column_stack([right, weights]), check_finite=False)
    return solution[:, 0] - solution[:, 1] * (weights @ solution[:, 0]) / (weights @ solution[:, 1])


def deadline(seconds: float | None) -> Callable[[], bool]:
    """A function that turns True when `seconds` have passed; never if None."""
    end = None if seconds is None else time.perf_counter() + seconds
    return lambda: end is not None and time.perf_counter() > end
