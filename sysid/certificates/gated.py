"""Gated reservoirs: the input multiplies part of the recurrence, v = W x + P Gamma(u) W_gate x.

The gate signals gamma = G u lie in a box when the input does. Two certificates:
vertices, one metric and one multiplier for the network at every vertex of the input box (P, T are common, the circle
inequality is affine in the coupling when slopes start at 0), no solver needed; and an inequality of size 2 n + r with
separate multipliers for slopes and gates, by cvxpy. [ESN-SSM, Eqs. 86-87], sharpened: eq. 87 adds norms.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..models.gated_esn import GatedESN
from .certificate import Certificate, Contraction
from .contraction import MULTIPLIERS, multiplier_of, reason
from .enclosure import Enclosure, Number
from .floors import contraction_floor
from .network import LeakyNetwork
from .pencil import smallest_rate
from .proof import _rate_of, proved
from .reduction import metric

MOST_INPUTS = 8


@dataclass(frozen=True)
class GateVertices:
    """One metric and multiplier for all vertices of the input box, without a solver.

    Parameters
    ----------
    multiplier : as for CircleCriterion
    n_iterations : the multiplier is tuned at the worst vertex, in turn
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    multiplier: str = "optimal"
    n_iterations: int = 6

    def __post_init__(self) -> None:
        _check.options(self, n_iterations="count")
        _check.choice(self.multiplier, "multiplier", "GateVertices", MULTIPLIERS)

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a GatedESN with input_bound."""
        wanted = wanted or Contraction()
        networks, words = vertex_networks(model, wanted)
        floor = max(contraction_floor(net, 1) for net in networks)
        best: tuple[float, np.ndarray, np.ndarray] | None = None
        centre = _mean(networks)
        for _ in range(self.n_iterations):
            found = self._try(networks, centre)
            if found is not None and (best is None or found[0] < best[0]):
                best = found[:3]
            if found is None:
                break
            worst = networks[found[3]]
            centre = LeakyNetwork(0.6 * centre.coupling + 0.4 * worst.coupling, worst.leak, worst.lower, worst.upper)
        if best is not None:
            for delta in (1e-9, 1e-7, 1e-5, 1e-3):
                k = best[0] * (1 + delta)
                if all(proved(net, best[1], best[2], k) for net in networks):
                    return Certificate(k, _check.frozen(best[1]), _check.frozen(best[2]), True, "gate vertices", words,
                                       reason(k, True), floor, floor)
        rate = best[0] if best is not None else np.inf
        return Certificate(rate, None, None, False, "gate vertices", words, reason(rate, False), floor, floor)

    def _try(self, networks: list[LeakyNetwork], centre: LeakyNetwork,
             ) -> tuple[float, np.ndarray, np.ndarray, int] | None:
        t = multiplier_of(centre, self.multiplier).t
        low, up = centre.endpoints()
        least = smallest_rate(low, up, t, centre.leak)
        best: tuple[float, np.ndarray, np.ndarray, int] | None = None
        for extra in (0.7, 0.4, 0.2, 0.1, 0.03):          # a metric with room to spare serves its neighbours better
            k, slack = least + extra * max(1 - least, 0.1), 1.0
            while slack > 1e-6 and metric(low, up, t, k, slack) is None:
                slack *= 0.6
            for share in (0.9, 0.5, 0.2):
                P = metric(low, up, t, k, share * slack)
                rates = [r for r in (_rate_of(net, P, t) for net in networks) if r is not None] if P is not None else []
                if P is None or len(rates) < len(networks):
                    continue
                i = int(np.argmax(rates))
                if best is None or rates[i] < best[0]:
                    best = (float(rates[i]), P, t, i)
        return best


def vertex_networks(model: Any, wanted: Contraction) -> tuple[list[LeakyNetwork], str]:
    """The leaky networks at the vertices of the input box, and the model in words."""
    bound = gate_bound(model, wanted)
    m = model.n_inputs
    if m > MOST_INPUTS:
        raise ValueError(f"certify: expected at most {MOST_INPUTS} inputs for the vertices of the gate; received {m}. "
                         "Use GatedLMI(), whose size does not depend on the inputs.")
    lower, upper = model.slope_bounds()
    if lower.min() < 0:
        raise ValueError("certify: expected slopes that are not negative for a gated reservoir; received a negative bound.")
    zero = np.zeros_like(lower)                           # with slopes from 0 the inequality is affine in the coupling
    networks = [LeakyNetwork(model.effective_W(bound * np.array(sign)), model.leak, zero, upper)
                for sign in itertools.product((-1.0, 1.0), repeat=m)]
    return networks, f"driven map, inputs within +-{np.array2string(bound, precision=3)}"


def gate_bound(model: Any, wanted: Contraction) -> np.ndarray:
    """Bound of each input, (m,)."""
    if not isinstance(model, GatedESN):
        raise TypeError(f"certify: expected a GatedESN for this method; received {type(model).__name__}.")
    if wanted.input_bound is None:
        raise ValueError("certify: expected Contraction(input_bound=...) for a gated reservoir, whose contraction depends "
                         "on the size of its input; received none.")
    return wanted.input_box(model.n_inputs)


def gated_matrix(model: GatedESN, gate: np.ndarray, P: np.ndarray, T: np.ndarray, S: np.ndarray, rate: float,
                 number: Number) -> Any:
    """The inequality in (x, r, q), (2n + r, 2n + r): q = slopes of W x + P_g r, r = gates of W_gate x, |gamma| <= gate.

    k^2 |x|_P^2 - |a x + l q|_P^2 - 2 (q - s v)' T (L v - q) - 2 (r + g w)' S (g w - r), v = W x + P_g r, w = W_gate x.
    """
    n, r = model.n_states, len(gate)
    lower, upper = model.slope_bounds()
    of, eye = number.of, np.eye(model.n_states)
    zero = lambda a, b: np.zeros((a, b))                  # noqa: E731
    leak = of(np.asarray(model.leaks)[:, None])
    decay = of(eye) * (of(1.0) - leak)
    J = number.block([[decay, of(zero(n, r)), of(eye) * leak]])
    V = of(np.hstack([model.W, model.P, zero(n, n)]))
    q = of(np.hstack([zero(n, n), zero(n, r), eye]))
    w = of(gate[:, None]) * of(np.hstack([model.W_gate, zero(r, r), zero(r, n)]))
    g = of(np.hstack([zero(r, n), np.eye(r), zero(r, n)]))
    X = of(np.hstack([eye, zero(n, r), zero(n, n)]))
    metric_, k = of(P), of(rate)
    slopes = (q - of(lower[:, None]) * V).T @ (of(T[:, None]) * (of(upper[:, None]) * V - q))
    gates = (g + w).T @ (of(S[:, None]) * (w - g))
    body = X.T @ (((k * k) * metric_) @ X) - J.T @ (metric_ @ J)
    return body - slopes - slopes.T - gates - gates.T


@dataclass(frozen=True)
class GatedLMI:
    """Slopes and gates with a multiplier each, as a semidefinite program of size 2 n + r; n <= 30.

    Parameters
    ----------
    solver : "CLARABEL" or "SCS"; tolerance : width at which the bisection of the rate stops

    Tighter than adding norms [ESN-SSM, Eq. 87]; independent gates, whatever the number of inputs.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    solver: str = "CLARABEL"
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        _check.options(self, tolerance="positive")
        _check.choice(self.solver, "solver", "GatedLMI", ("CLARABEL", "SCS"))

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a GatedESN with input_bound.

        Raises ValueError without a bound on the input, or above the size that the program can take.
        """
        from .lmi import LIMIT, Program

        wanted = wanted or Contraction()
        gate = np.abs(model.G) @ gate_bound(model, wanted) if isinstance(model, GatedESN) else gate_bound(model, wanted)
        n, r = model.n_states, len(gate)
        if n > LIMIT:
            raise ValueError(f"GatedLMI: expected n <= {LIMIT}; received n = {n}. Use GateVertices().")
        corners = [LeakyNetwork(model.W + (model.P * (gate * s)) @ model.W_gate, model.leak, *model.slope_bounds())
                   for s in (np.ones(r), -np.ones(r), np.zeros(r))]
        floor = max(contraction_floor(net, 1) for net in corners)
        program = Program(n, {"T": n, "S": r}, lambda P, m, k: _affine(model, gate, P, m["T"], m["S"], k), self.solver)
        words = f"driven map, gates within +-{np.array2string(gate.max(), precision=3)}, independent"
        rate, best = program.bisect(floor, self.tolerance)
        if best is not None:
            P, T, S = best
            for delta in (1e-9, 1e-6, 1e-4, 1e-3, 1e-2):
                k = rate * (1 + delta)
                if Enclosure.of(P).positive_definite() and gated_matrix(model, gate, P, T, S, k,
                                                                        Enclosure).positive_definite():
                    return Certificate(k, _check.frozen(P), _check.frozen(T), True, f"gated LMI, {self.solver}", words,
                                       reason(k, True), floor, floor, details={"gate_multiplier": S,
                                                                               "solver_failures": program.failures})
        return Certificate(rate, None, None, False, f"gated LMI, {self.solver}", words, reason(rate, False), floor, floor,
                           details={"solver_failures": program.failures})


def _affine(model: GatedESN, gate: np.ndarray, P: Any, T: Any, S: Any, square: Any) -> Any:
    """The same matrix for cvxpy: affine in P, T and S for a given square of the rate."""
    import cvxpy as cp

    n, r = model.n_states, len(gate)
    lower, upper = model.slope_bounds()
    leak = np.asarray(model.leaks)
    eye, zero = np.eye(n), np.zeros
    J = np.hstack([np.diag(1 - leak), zero((n, r)), np.diag(leak)])
    V, q = np.hstack([model.W, model.P, zero((n, n))]), np.hstack([zero((n, n + r)), eye])
    w, g = np.hstack([gate[:, None] * model.W_gate, zero((r, r + n))]), np.hstack([zero((r, n)), np.eye(r), zero((r, n))])
    X = np.hstack([eye, zero((n, r + n))])
    slopes = (q - lower[:, None] * V).T @ cp.diag(T) @ (upper[:, None] * V - q)
    gates = (g + w).T @ cp.diag(S) @ (w - g)
    return X.T @ (square * P) @ X - J.T @ P @ J - slopes - slopes.T - gates - gates.T


def _mean(networks: list[LeakyNetwork]) -> LeakyNetwork:
    first = networks[0]
    return LeakyNetwork(np.mean([net.coupling for net in networks], axis=0), first.leak, first.lower, first.upper)
