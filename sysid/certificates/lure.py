"""Lur'e systems: a linear map with slope-bounded scalar nonlinearities in the loop, such as random-feature networks.

$$ x_{t+1} = A x_t + B\\, \\varphi(G x_t + \\cdot), \\qquad \\underline{s}_k \\le \\varphi_k' \\le \\overline{s}_k $$
contracts at rate kappa in the norm of P if, for some diagonal T >= 0,
$$ \\begin{bmatrix} A'PA - \\kappa^2 P - 2 G' \\underline{S} T \\overline{S} G & A'PB + G'(\\underline{S} + \\overline{S})T \\\\
   * & B'PB - 2T \\end{bmatrix} < 0 . $$
The printed condition [ESN-SSM, Eq. 34] lacks G altogether and holds for every network. With T fixed P solves a Riccati
equation, so no semidefinite program is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_are

from .. import _check
from .certificate import Certificate, Contraction
from .contraction import MULTIPLIERS, reason
from .enclosure import Enclosure, Exact, Number
from .pencil import spectral_radius


@dataclass(frozen=True, eq=False)
class LureSystem:
    """A linear map with N scalar nonlinearities in feedback.

    Parameters
    ----------
    A : (n, n), B : (n, N), G : (N, n)
    lower, upper : scalar or (N,), slope bounds of the nonlinearities; cosine features have -L to L
    Raises ValueError for shapes that do not fit or slopes out of order.
    """

    A: Any
    B: Any
    G: Any
    lower: Any
    upper: Any

    def __post_init__(self) -> None:
        A = _check.square(self.A, "A", "LureSystem")
        B = _check.matrix(self.B, "B", "LureSystem", (len(A), None), f"A is {len(A)} x {len(A)}")
        G = _check.matrix(self.G, "G", "LureSystem", (B.shape[1], len(A)), f"B has {B.shape[1]} columns")
        if not G.size:
            raise ValueError(f"LureSystem: expected at least one state and one nonlinearity; received G {G.shape}.")
        ends = []
        for name in ("lower", "upper"):
            slopes = _check.real_array(getattr(self, name), name, "LureSystem")
            if slopes.shape not in ((), (1,), (len(G),)):
                raise ValueError(f"LureSystem: expected {name} as a scalar or with shape ({len(G)},); received {slopes.shape}.")
            ends.append(_check.frozen(np.array(np.broadcast_to(slopes, (len(G),)))))
        if (ends[0] > ends[1]).any():
            raise ValueError("LureSystem: expected lower <= upper; received a lower slope above the upper one.")
        for name, value in zip(("A", "B", "G", "lower", "upper"), (A, B, G, *ends)):
            object.__setattr__(self, name, value)

    @property
    def n_states(self) -> int:
        """States n."""
        return len(self.A)

    def jacobian(self, slopes: np.ndarray) -> np.ndarray:
        """A + B diag(slopes) G, (n, n)."""
        return self.A + (self.B * slopes) @ self.G


def lure_matrix(system: LureSystem, P: np.ndarray, T: np.ndarray, rate: float, number: Number) -> Any:
    """The negative of the matrix above, (n + N, n + N), in the given arithmetic. [ESN-SSM, Eq. 34], corrected."""
    A, B, G, metric, k = (number.of(M) for M in (system.A, system.B, system.G, P, rate))
    t, low, up, two = (number.of(v) for v in (T[:, None], system.lower[:, None], system.upper[:, None], 2.0))
    LG, UG = low * G, up * G
    cross = LG.T @ (t * UG)
    corner = A.T @ (metric @ B) + (t * (LG + UG)).T
    weight = number.of(np.eye(len(T))) * (two * t)
    return number.block([[(k * k) * metric - A.T @ (metric @ A) + cross + cross.T, -corner],
                         [-corner.T, weight - B.T @ (metric @ B)]])


def lure_proved(system: LureSystem, P: Any, T: Any, rate: float, number: Number = Enclosure) -> bool:
    """Whether (P, T, rate) is proved for a Lur'e system."""
    P, T = np.asarray(P, dtype=np.float64), np.asarray(T, dtype=np.float64)
    if not (np.isfinite(P).all() and np.isfinite(T).all() and T.min(initial=0.0) >= 0 and np.isfinite(rate) and rate > 0):
        return False
    if not np.array_equal(P, P.T) or not number.of(P).positive_definite():
        return False
    return bool(lure_matrix(system, P, T, rate, number).positive_definite())


@dataclass(frozen=True)
class LureCircle:
    """The circle criterion of a Lur'e system with a diagonal multiplier, P from a Riccati equation.

    Parameters
    ----------
    multiplier : "identity", "balanced" (t_k = |B_k| / |G_k|) or "optimal" (coordinate search from balanced)
    sweeps : of the search

    Cost O((n + N)^3) a trial, about 40 trials a multiplier.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    multiplier: str = "balanced"
    sweeps: int = 2

    def __post_init__(self) -> None:
        _check.options(self, sweeps="whole")
        _check.choice(self.multiplier, "multiplier", "LureCircle", MULTIPLIERS)

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a LureSystem. Raises TypeError for another model."""
        wanted = wanted or Contraction()
        if not isinstance(model, LureSystem):
            raise TypeError(f"LureCircle: expected a LureSystem; received {type(model).__name__}.")
        t = np.ones(len(model.G))
        if self.multiplier != "identity":
            t = np.linalg.norm(model.B, axis=0) / np.maximum(np.linalg.norm(model.G, axis=1), 1e-12)
            t = np.maximum(t / max(t.max(), 1e-300), 1e-9)
        floor = lure_floor(model)
        rate = lure_rate(model, t, floor)
        if self.multiplier == "optimal":
            t, rate = self._searched(model, t, rate, floor)
        name = f"circle criterion of a Lur'e system, {self.multiplier} multiplier"
        words = "Lur'e system, any input"
        for delta in 1e-6 * 4.0 ** np.arange(9):
            k = rate * (1 + delta)
            P = _riccati(model, t, k, delta)
            if P is not None and lure_proved(model, P, t, k):
                exact = wanted.exact and lure_proved(model, P, t, k, Exact)
                return Certificate(k, _check.frozen(P), _check.frozen(t), True, name, words, reason(k, True), floor, floor,
                                   exact)
        return Certificate(rate, None, None, False, name, words, reason(rate, False), floor, floor)

    def _searched(self, model: LureSystem, t: np.ndarray, rate: float, floor: float) -> tuple[np.ndarray, float]:
        step = 1.0
        for _ in range(self.sweeps):
            for i in range(len(t)):
                for factor in (np.exp(step), np.exp(-step)):
                    trial = t.copy()
                    trial[i] *= factor
                    if lure_frequency_holds(model, trial, rate * (1 - 1e-5)):
                        t, rate = trial, lure_rate(model, trial, floor, rate)
                        break
            step /= 2
        return t, rate


def lure_frequency_holds(system: LureSystem, t: np.ndarray, k: float, count: int = 49) -> bool:
    """Whether the frequency inequality holds on a grid: Herm (I - S_low H)* T (S_up H - I) < 0, H = G (z - A)^-1 B."""
    if spectral_radius(system.jacobian((system.lower + system.upper) / 2)) >= k:
        return False
    eye = np.eye(len(t))
    for theta in np.linspace(0, np.pi, count):
        H = system.G @ np.linalg.solve(k * np.exp(1j * theta) * np.eye(system.n_states) - system.A, system.B)
        F = (eye - system.lower[:, None] * H).conj().T @ (t[:, None] * (eye - system.upper[:, None] * H))
        if np.linalg.eigvalsh(F + F.conj().T)[0] <= 0:
            return False
    return True


def lure_rate(system: LureSystem, t: np.ndarray, low: float, high: float | None = None) -> float:
    """Smallest rate that multiplier diag(t) reaches, by bisection of the frequency inequality."""
    high = high or max(1.0, 2 * low)
    while not lure_frequency_holds(system, t, high) and high < 1e6:
        low, high = high, 2 * high
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if lure_frequency_holds(system, t, middle) else (middle, high)
    return high


def lure_floor(system: LureSystem, searches: int = 20) -> float:
    """Largest spectral radius at sampled slope vertices: contraction cannot be faster. Computed, not proved."""
    rng, N = np.random.default_rng(0), len(system.G)
    picks = [np.ones(N), np.zeros(N), *((rng.random(N) < 0.5) * 1.0 for _ in range(searches))]
    return max(spectral_radius(system.jacobian(system.lower + p * (system.upper - system.lower))) for p in picks)


def _riccati(system: LureSystem, t: np.ndarray, k: float, delta: float) -> np.ndarray | None:
    A, B, G = system.A / k, system.B / k, system.G
    eps = 0.1 * delta
    size = np.linalg.norm((system.lower + system.upper)[:, None] * G, 2) ** 2 + 1e-300
    Q = 2 * (G.T * (system.lower * t * system.upper)) @ G / k**2 - eps * t.max() * min(1.0, size) * np.eye(len(A))
    S = -(G.T * ((system.lower + system.upper) * t)) / k**2
    R = 2 * np.diag(t) * (1 - eps) / k**2
    try:
        # k^2 P - A'PA + Q_ - (A'PB + S_)(R - B'PB)^-1 (.)' = 0 is the Riccati equation of -P.
        P = -solve_discrete_are(A, B, Q, R, s=S)
    except (np.linalg.LinAlgError, ValueError):
        return None
    P = (P + P.T) / 2
    return P if np.isfinite(P).all() else None
