"""Carleman lift of a reservoir: monomials of the deviation up to a degree, with a bound on what is cut off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any

import numpy as np

from .. import _check
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.names import names
from .koopman import Polynomial
from .lifted import LiftedModel
from .monomials import exponents

_LIMIT = 3000  # observables: the lifted A has their square as entries
_TERMS = 60  # Taylor terms kept for the bound, or two more than the degree; the rest is bounded by Cauchy's estimate


@dataclass(frozen=True)
class Carleman:
    r"""Lift to the monomials of x - x0 of degree 1..degree.

    .. math:: \sigma(\xi_0 + \eta) = \sum_k a_k \eta^k, \quad \eta = W \delta x + U \delta u, \qquad
              (\delta x_{t+1})^\alpha = \text{a polynomial in } \delta x,\ \text{cut at the degree}

    degree : d; N = C(n + d, d) - 1 observables. inputs : "linear" keeps B u, "bilinear" also the terms u_i z. Both are
    first order in the input's deviation; terms in products of inputs are dropped (corrections #32).
    Activations: tanh, sigmoid, identity (exact). Inside the radius where the series converges, |eta_i| below the distance
    from xi_0 to the nearest pole of s (pi/2 at the origin for tanh), the error falls with the degree.
    Raises ValueError for relu, for more than 3000 observables, and for feedback that is not closed.
    """

    degree: int = 3
    inputs: str = "linear"

    def __post_init__(self) -> None:
        _check.count(self.degree, "degree", "Carleman")
        _check.choice(self.inputs, "inputs", "Carleman", ("linear", "bilinear"))

    def lift(self, model: Any, x: np.ndarray | None, u: np.ndarray | None) -> CarlemanModel:
        """Expand a reservoir around a state x (n,) and a constant input u (m,).

        Raises ValueError for output feedback, an operating point of another shape, or too many observables.
        """
        network = getattr(model, "flat", model)
        n, m = network.n_states, network.n_inputs
        if network.n_feedback:
            raise ValueError("Carleman: expected a reservoir without output feedback; close it first: esn.closed_loop().")
        count = comb(n + self.degree, self.degree) - 1
        if count > _LIMIT:
            raise ValueError(f"Carleman: expected at most {_LIMIT} observables; degree {self.degree} of {n} states has "
                             f"{count}. Lower the degree, or fit EDMD with the Preactivation dictionary.")
        u0 = np.zeros(m) if u is None else np.array(_check.vector(u, "u", "Carleman", m))
        x0 = network.equilibrium(u0) if x is None else np.array(_check.vector(x, "x", "Carleman", n))
        xi = np.asarray(network.W @ x0) + network.W_in @ u0 + network.bias
        taylor = taylor_coefficients(network.act.name, xi, max(_TERMS, self.degree + 2))
        A, B, N, c = _core(network, self, x0, u0, taylor)
        C = np.hstack([np.eye(n), np.zeros((n, count - n))])
        lifted: Any = LTI(A, B, C, None, network.dt, c, x0) if N is None else Bilinear(A, B, N, C, None, network.dt, c, x0)
        return CarlemanModel(Polynomial(self.degree, x0), lifted, network=network, x0=x0, u0=u0, taylor=taylor,
                             degree=self.degree, input_names=names(model)["input_names"])


@dataclass(frozen=True, eq=False, repr=False)
class CarlemanModel(LiftedModel):
    """A Carleman lift with what its bound needs: the reservoir, the point (x0, u0), and the Taylor coefficients (n, K)."""

    network: Any = None
    x0: Any = None
    u0: Any = None
    taylor: Any = None
    degree: int = 1

    @property
    def radius(self) -> float:
        """Largest |x - x0|_inf at u = u0 for which every unit's series converges."""
        gains = np.abs(self.network.dense_W).sum(1)
        with np.errstate(divide="ignore"):
            return float((self._reach / gains).min())

    @cached_property
    def _reach(self) -> np.ndarray:
        """Distance (n,) from each unit's operating point to the activation's nearest pole."""
        xi = np.asarray(self.network.W @ self.x0) + self.network.W_in @ self.u0 + self.network.bias
        return pole_distance(self.network.act.name, xi)

    def residual_bound(self, radius: float) -> float:
        """Bound the one-step residual |z[t+1] - (A z[t] + B u0 + c)| for |x - x0|_inf <= radius at the input u0.

        The coefficients' moduli make a majorant; its part above the degree is what the cut drops. Infinite outside the
        radius of convergence. O(N K). Raises TypeError or ValueError for a radius below 0.
        """
        radius = _check.positive(radius, "radius", "CarlemanModel.residual_bound", zero=True)
        n, leak = self.network.n_states, self.network.leaks
        gain = np.abs(self.network.dense_W).sum(1) * radius
        if (gain >= 0.999 * self._reach).any():
            return float("inf")
        K = self.taylor.shape[1]
        series = leak[:, None] * np.abs(self.taylor) * gain[:, None] ** np.arange(K)
        start = self.network.act.function(np.asarray(self.network.W @ self.x0) + self.network.W_in @ self.u0
                                          + self.network.bias)
        series[:, 0] = np.abs((1 - leak) * self.x0 + leak * start - self.x0)
        series[:, 1] += (1 - leak) * radius
        tail = leak * cauchy_tail(self.network.act.name, self._reach, gain, K)
        total = 0.0
        for alpha in exponents(n, self.degree):
            low, rest = np.ones(1), 0.0
            for j in np.flatnonzero(alpha):
                for _ in range(alpha[j]):
                    product = np.convolve(low, series[j])
                    rest = rest * (series[j].sum() + tail[j]) + low.sum() * tail[j] + product[self.degree + 1 :].sum()
                    low = product[: self.degree + 1]
            total += rest ** 2
        return float(np.sqrt(total))


def taylor_coefficients(name: str, at: np.ndarray, terms: int) -> np.ndarray:
    """Taylor coefficients a_k of a built-in activation at points (n,): (n, terms), from y' = 1 - y^2 for tanh."""
    a = np.zeros((len(at), terms))
    if name == "identity":
        a[:, 0], a[:, 1] = at, 1.0
        return a
    if name not in ("tanh", "sigmoid"):
        raise ValueError(f"Carleman: expected an analytic built-in activation (tanh, sigmoid, identity); received {name}.")
    scale = 1.0 if name == "tanh" else 0.5
    a[:, 0] = np.tanh(scale * at)
    for k in range(terms - 1):
        square = np.einsum("ni,ni->n", a[:, : k + 1], a[:, k::-1])
        a[:, k + 1] = ((1.0 if k == 0 else 0.0) - square) / (k + 1)
    a *= scale ** np.arange(terms)
    if name == "sigmoid":
        a *= 0.5
        a[:, 0] += 0.5
    return a


def pole_distance(name: str, at: np.ndarray) -> np.ndarray:
    """Distance (n,) from real points to the nearest pole: i pi/2 for tanh, i pi for the logistic function."""
    if name == "identity":
        return np.full(len(at), np.inf)
    return np.hypot(at, np.pi / 2 if name == "tanh" else np.pi)


def cauchy_tail(name: str, reach: np.ndarray, gain: np.ndarray, terms: int) -> np.ndarray:
    """Bound (n,) on sum_{k >= terms} |a_k| gain^k: |a_k| <= M/R^k with R between gain and the pole's distance."""
    if name == "identity":
        return np.zeros(len(reach))
    R = np.maximum(0.97 * reach, (gain + reach) / 2)
    # On a circle that stays (1 - R/reach) reach from the pole, |tanh| <= 1 + 1/(that distance) and |sigmoid| likewise.
    M = 1.0 + 2.0 / (reach - R)
    q = gain / R
    return M * q ** terms / (1 - q)


def _core(network: Any, options: Carleman, x0: np.ndarray, u0: np.ndarray, taylor: np.ndarray) -> tuple:
    """A (N, N), B (N, m), N (m, N, N) or None where no input multiplies, c (N,) of the truncated monomials, u in original units."""
    n, m, d = network.n_states, network.n_inputs, options.degree
    powers = exponents(n, d)
    place = {tuple(row): i for i, row in enumerate(np.vstack([np.zeros((1, n), int), powers]))}
    table = _product_table(np.vstack([np.zeros((1, n), int), powers]), place, d)
    leak, W = network.leaks, np.asarray(network.dense_W)
    size = len(place)
    first = [place[tuple(row)] for row in np.eye(n, dtype=int)]
    base, slopes = np.zeros((n, size)), np.zeros((m, n, size))
    for j in range(n):
        eta = np.zeros(size)
        eta[first] = W[j]
        power = np.zeros(size)
        power[0] = 1.0
        series, derivative = np.zeros(size), np.zeros(size)
        for k in range(d + 1):
            series += taylor[j, k] * power
            derivative += (k + 1) * taylor[j, k + 1] * power
            power = _times(power, eta, table, size)
        base[j] = leak[j] * series
        base[j, first[j]] += 1 - leak[j]
        base[j, 0] += (1 - leak[j]) * x0[j] - x0[j]
        slopes[:, j] = leak[j] * network.W_in[j][:, None] * derivative  # d/du_i: U_ji s'(xi_0 + eta)
    whole, change = _monomial_images(base, slopes, powers, place, table, size)
    A, c = whole[:, 1:], whole[:, 0]
    N, B = change[:, :, 1:], change[:, :, 0].T
    if options.inputs == "linear" or m == 0:
        return A, B, None, c - B @ u0
    back = np.tensordot(u0, N, axes=1)
    return A - back, B, N, c - B @ u0


def _monomial_images(base: np.ndarray, slopes: np.ndarray, powers: np.ndarray, place: dict, table: tuple, size: int) -> Any:
    """The image of every monomial and its derivative in each input, built up one variable at a time."""
    m, n = len(slopes), len(base)
    one = np.eye(n, dtype=int)
    whole, change = np.zeros((size, size)), np.zeros((m, size, size))
    whole[0, 0] = 1.0
    for alpha in powers:
        j = int(np.flatnonzero(alpha)[0])
        older = place[tuple(alpha - one[j])]
        here = place[tuple(alpha)]
        whole[here] = _times(whole[older], base[j], table, size)
        for i in range(m):
            change[i, here] = (_times(change[i, older], base[j], table, size)
                               + _times(whole[older], slopes[i, j], table, size))
    return whole[1:], change[:, 1:]


def _product_table(powers: np.ndarray, place: dict, degree: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of monomials whose product stays within the degree, and where it lies."""
    degrees = powers.sum(1)
    left, right = np.nonzero(degrees[:, None] + degrees[None] <= degree)
    target = np.array([place[tuple(row)] for row in powers[left] + powers[right]])
    return left, right, target


def _times(a: np.ndarray, b: np.ndarray, table: tuple, size: int) -> np.ndarray:
    left, right, target = table
    return np.bincount(target, a[left] * b[right], size)
