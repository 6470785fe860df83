"""The circle inequality, proved without trusting whoever found the numbers; and the repair of numbers that fail.

$$ M = \\begin{bmatrix} k^2 P + \\underline{A}' T \\overline{A} + \\overline{A}' T \\underline{A} & -(\\underline{A} + \\overline{A})' T \\\\
   -T (\\underline{A} + \\overline{A}) & 2T - P \\end{bmatrix} > 0, \\qquad P > 0, \\; T \\ge 0 \\text{ diagonal} $$

For y = J x every factor (y - lower x)_i (upper x - y)_i is nonnegative, so
|y|_P^2 <= |y|_P^2 + 2 (y - lower x)' T (upper x - y) = k^2 |x|_P^2 - [x; y]' M [x; y] <= k^2 |x|_P^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh, solve_discrete_lyapunov

from .balance import balanced
from .enclosure import Enclosure, Exact, Number
from .network import LeakyNetwork
from .pencil import smallest_rate, times_transpose
from .reduction import metric

EXACT_LIMIT = 25
LEAST = 1e-9                                              # rates below it are proved as this one: a network without coupling has rate 0


def circle_matrix(network: LeakyNetwork, P: np.ndarray, T: np.ndarray, rate: float, number: Number) -> Any:
    """M (2n, 2n) in the given arithmetic. [ESN-SSM, Eq. 34], corrected."""
    low, up = network.endpoints_in(number)
    t, k, two = number.of(np.asarray(T)[:, None]), number.of(rate), number.of(2.0)
    metric_ = number.of(P)
    cross = low.T @ (t * up)                              # [ESN-SSM, Eq. 34], corrections #14
    corner = t * (low + up)
    weight = number.of(np.eye(len(P))) * (two * t)
    return number.block([[(k * k) * metric_ + cross + cross.T, -corner.T], [-corner, weight - metric_]])


def proved(network: LeakyNetwork, P: Any, T: Any, rate: float, exact: bool = False) -> bool:
    """Whether (P, T, rate) is proved to satisfy the circle inequality. Cost two Cholesky factorisations, O(n^3).

    False means 'not proved': NaN, a negative multiplier, a rate that is not a positive number, or too little slack.
    """
    P, T = np.asarray(P, dtype=np.float64), np.asarray(T, dtype=np.float64)
    n = network.n_states
    if P.shape != (n, n) or T.shape != (n,) or not (np.isfinite(P).all() and np.isfinite(T).all()):
        return False
    if not (np.isfinite(rate) and rate > 0) or T.min() < 0 or not np.array_equal(P, P.T):
        return False
    number: Number = Exact if exact else Enclosure
    if exact and n > EXACT_LIMIT:
        raise ValueError(f"certify: expected n <= {EXACT_LIMIT} for the exact check; received n = {n}. "
                         "The floating-point proof has no such limit.")
    if not number.of(P).positive_definite():
        return False
    return bool(circle_matrix(network, P, T, rate, number).positive_definite())


def certified(network: LeakyNetwork, t: np.ndarray, rate: float, start: float = 1e-7, stop: float = 0.1,
              ) -> tuple[np.ndarray, float] | None:
    """(P, rate) proved for multiplier t at a rate as little above the given one as double precision allows.

    The increase starts at `start` (relative) and grows fourfold until the proof goes through; None beyond `stop`.
    """
    n, rate = network.n_states, max(rate, LEAST)
    if not np.any(network.upper > network.lower):
        return _certified_linear(network, t, rate)
    low, up = network.endpoints()
    room = float(np.clip(rate - (1 - network.leak).max(), 0.01, 1.0)) ** 2
    delta = start * max(1.0, n / 100)
    while delta < stop:
        k = rate * (1 + delta)
        P = metric(low, up, t, k, 0.25 * delta * room)
        if P is not None and proved(network, P, t, k):
            return P, k
        delta *= 4
    return None


def roomy(network: LeakyNetwork, t: np.ndarray, rate: float) -> np.ndarray | None:
    """The best conditioned P found that is proved with multiplier t at a rate above what t reaches, or None.

    The largest slack the inequality bears keeps the smallest eigenvalue of P up. Cost a dozen cyclic reductions.
    """
    low, up = network.endpoints()
    slack, best, least = 1.0, None, np.inf
    while slack > 1e-8 and metric(low, up, t, rate, slack) is None:
        slack *= 0.6
    for share in (0.95, 0.6, 0.3):
        P = metric(low, up, t, rate, share * slack)
        if P is not None and proved(network, P, t, rate):
            values = np.linalg.eigvalsh(P)
            if values[-1] / values[0] < least:
                best, least = P, values[-1] / values[0]
    return best


def _certified_linear(network: LeakyNetwork, t: np.ndarray, rate: float) -> tuple[np.ndarray, float] | None:
    """Slopes that are known leave a linear map: P from Lyapunov's equation, small beside T."""
    A = network.endpoints()[0]
    for delta in (1e-6, 1e-4, 1e-3, 1e-2, 1e-1):
        k = rate * (1 + delta)
        P = solve_discrete_lyapunov((A / k).T, np.eye(len(A)))
        P *= 1e-6 * t.min() / np.abs(P).sum(axis=0).max()
        P = (P + P.T) / 2
        if proved(network, P, t, k):
            return P, k
    return None


def repaired(network: LeakyNetwork, P: Any, T: Any, rate: float) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Turn a solver's answer into a proved one, changing as little as it takes; None if nothing can be proved.

    1 symmetrise P, keep the rate; 2 keep P and T, raise the rate to what they satisfy; 3 keep T, rebuild P by cyclic
    reduction; 4 the balanced multiplier. Every answer returned has been proved.
    """
    n = network.n_states
    P, T = np.asarray(P, dtype=np.float64), np.asarray(T, dtype=np.float64)
    units = balanced(network.coupling) ** 2               # in which T is of order one
    usable = T.shape == (n,) and np.isfinite(T).all() and T.max(initial=0.0) > 0
    if usable:
        T = units * np.maximum(T / units, 1e-13 * (T / units).max())
    if usable and P.shape == (n, n) and np.isfinite(P).all():
        P = (P + P.T) / 2
        if proved(network, P, T, rate):
            return P, T, rate
        raised = _rate_of(network, P, T)
        if raised is not None and proved(network, P, T, raised) and raised < 1.02 * rate:
            return P, T, raised
    low, up = network.endpoints()
    for t in ([T] if usable else []) + [units]:
        found = certified(network, t, smallest_rate(low, up, t, network.leak))
        if found is not None:
            return found[0], t, found[1]
    return None


def _rate_of(network: LeakyNetwork, P: np.ndarray, T: np.ndarray) -> float | None:
    """The smallest rate that a given P and T satisfy, by a generalised eigenvalue."""
    low, up = network.endpoints()
    corner = T[:, None] * (low + up)
    try:
        gain = corner.T @ np.linalg.solve(2 * np.diag(T) - P, corner)
        cross = times_transpose(low, T[:, None] * up)
        value = eigh(gain - cross - cross.T, P, eigvals_only=True)[-1]
        np.linalg.cholesky(2 * np.diag(T) - P)
    except np.linalg.LinAlgError:
        return None
    return float(np.sqrt(value) * (1 + 1e-9)) if np.isfinite(value) and value > 0 else None
