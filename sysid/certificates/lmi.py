"""Matrix inequalities through cvxpy: small models, from a general-purpose solver.

This file and the affine form in gated.py are the only ones to use cvxpy, inside functions. No status of a solver is
believed: what it returns is proved or repaired, and otherwise refused.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .balance import balanced
from .certificate import Certificate, Contraction
from .contraction import CircleCriterion, reason, refused, result, words
from .network import LeakyNetwork
from .pairwise import PAIRS_LIMIT, pairwise_certificate, pairwise_form
from .polytope import CommonLyapunov, common_certificate, largest_ratio, matrices_of, product_floor
from .proof import repaired
from .registry import as_network, is_network

LIMIT = 30
VERTEX_LIMIT = 10


@dataclass(frozen=True)
class LMI:
    """The best quadratic certificate as a semidefinite program, bisecting the rate. [ESN-SSM, Eqs. 34, 49], corrected.

    For a leaky network the circle inequality in (P, T), for an LTI, LTV or Bilinear model a common P:
    $$ \\begin{bmatrix} k^2 P + \\underline{A}' T \\overline{A} + \\overline{A}' T \\underline{A} & * \\\\
       -T (\\underline{A} + \\overline{A}) & 2T - P \\end{bmatrix} \\succeq m I, \\quad P \\succeq m I, \\; t \\ge 0 $$

    Parameters
    ----------
    solver : "CLARABEL" or "SCS"
    multiplier : "diagonal", or "pairwise" for a full block for every pair of units (n <= 20): up to 1 % tighter
    force : try above n = 30 too; memory grows with n^4
    tolerance : width at which the bisection of the rate stops

    CircleCriterion("optimal") reaches the diagonal rate without a solver, hundreds of times faster.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    solver: str = "CLARABEL"
    multiplier: str = "diagonal"
    force: bool = False
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        _check.options(self, force="flag", tolerance="positive")
        _check.choice(self.multiplier, "multiplier", "LMI", ("diagonal", "pairwise"))
        _check.choice(self.solver, "solver", "LMI", ("CLARABEL", "SCS"))

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network or a linear, time-varying or bilinear model."""
        wanted = wanted or Contraction()
        if not is_network(model):
            return self._common(model, wanted)
        network = as_network(model)
        n, most = network.n_states, PAIRS_LIMIT if self.multiplier == "pairwise" else LIMIT
        cheap = CircleCriterion("balanced").certify(model, wanted)
        if n > most and not self.force:
            return Certificate(cheap.rate, cheap.P, cheap.T, cheap.verified, cheap.method, cheap.model,
                               f"{reason(cheap.rate, cheap.verified)}; the LMI was not tried above n = {most} "
                               "(LMI(force=True) does), use CircleCriterion('optimal')")
        low = float((1 - network.leak).max())
        if self.multiplier == "pairwise":
            return self._pairwise(network, model, low)
        d = balanced(network.coupling)                    # in balanced units P is far better conditioned
        endpoints = tuple(d[:, None] * A / d for A in network.endpoints())
        program = Program(n, {"T": n}, lambda P, m, square: _circle(endpoints, P, m["T"], square), self.solver)
        rate, best = program.bisect(low, self.tolerance, cheap.rate if cheap.verified else None)
        name = f"LMI, {self.solver}"
        proof = repaired(network, d[:, None] * best[0] * d, d**2 * best[1], rate) if best is not None else None
        if proof is None and cheap.verified and cheap.P is not None and cheap.T is not None:
            proof = (cheap.P, cheap.T, cheap.rate)
        if proof is None:
            return refused(rate, name, model, 0.0)
        out = result(network, proof[0], proof[1], proof[2], name, wanted, model, 0.0)
        out.details.update(solver_rate=rate, solver_failures=program.failures)
        return out

    def _pairwise(self, network: LeakyNetwork, model: Any, low: float) -> Certificate:
        pairs = list(itertools.combinations(range(network.n_states), 2))
        sizes = {f"pair {i} {j}": 4 for i, j in pairs}
        program = Program(network.n_states, sizes, lambda P, m, square: pairwise_form(network, P, m, square), self.solver,
                          full=True)
        rate, best = program.bisect(low, self.tolerance)
        return pairwise_certificate(network, rate, best, f"LMI with pairwise multipliers, {self.solver}", words(model),
                                    program.failures)

    def _common(self, model: Any, wanted: Contraction) -> Certificate:
        A, said = matrices_of(model, wanted)
        cheap = CommonLyapunov().certify(model, wanted)
        if A.shape[1] > LIMIT and not self.force:
            return cheap
        return _common_metric(A, cheap, self.solver, self.tolerance, f"common metric, LMI, {self.solver}", said, wanted)


@dataclass(frozen=True)
class VertexLMI:
    """One metric at all 2^n vertices of the slopes: exact for quadratic metrics, n <= 10.

    $$ \\kappa^2 P - J_v' P J_v \\succ 0, \\qquad J_v = (1-\\lambda) I + \\lambda\\, \\mathrm{diag}(v) W, \\;
       v_i \\in \\{\\underline{s}_i, \\overline{s}_i\\} $$
    Sufficient for all slopes between, because x' J' P J x is convex in J. [ESN-SSM, Eq. 50], corrected.

    Parameters
    ----------
    solver : "CLARABEL" or "SCS"; tolerance : width at which the bisection stops
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    solver: str = "CLARABEL"
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        _check.options(self, tolerance="positive")
        _check.choice(self.solver, "solver", "VertexLMI", ("CLARABEL", "SCS"))

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network. Raises ValueError above the size whose vertices can be listed."""
        wanted, network = wanted or Contraction(), as_network(model)
        n = network.n_states
        if n > VERTEX_LIMIT:
            raise ValueError(f"VertexLMI: expected n <= {VERTEX_LIMIT}, as there are 2^n vertices; received n = {n}.")
        A = vertices(network)
        circle = CircleCriterion("optimal").certify(model, wanted)
        start = circle if circle.verified else Certificate(np.inf, None, None, False, "")
        return _common_metric(A, start, self.solver, self.tolerance, f"vertex LMI, {self.solver}", words(model), wanted)


def vertices(network: LeakyNetwork) -> np.ndarray:
    """The Jacobians at all vertices of the slopes, (2^n, n, n)."""
    n = network.n_states
    picks = np.array(list(itertools.product((False, True), repeat=n)))
    return np.array([network.jacobian(np.where(p, network.upper, network.lower)) for p in picks])


def _common_metric(A: np.ndarray, start: Certificate, solver: str, tolerance: float, name: str, said: str,
                   wanted: Contraction) -> Certificate:
    n = A.shape[1]
    floor = product_floor(A, 2) if len(A) > 1 else product_floor(A, 1)

    def build(P: Any, m: dict, square: Any) -> Any:
        return [square * P - a.T @ P @ a for a in A]

    program = Program(n, {}, build, solver)
    rate, best = program.bisect(floor, tolerance, start.rate if start.verified else None)
    if best is not None:
        P = (best[0] + best[0].T) / 2
        if np.linalg.eigvalsh(P)[0] > 0:
            exact = largest_ratio(A, P)[0]
            out = common_certificate(A, P, exact, name, said, wanted, floor)
            out.details.update(solver_rate=rate, solver_failures=program.failures)
            if out.verified and out.rate <= (start.rate if start.verified else np.inf):
                return out
    return start if start.verified else Certificate(rate, None, None, False, name, said, reason(rate, False), floor, floor)


def _circle(endpoints: tuple[np.ndarray, ...], P: Any, t: Any, square: Any) -> list[Any]:
    import cvxpy as cp

    low, up = endpoints
    T = cp.diag(t)
    cross, corner = low.T @ T @ up, T @ (low + up)
    return [cp.bmat([[square * P + cross + cross.T, -corner.T], [-corner, 2 * T - P]])]


class Program:
    """Feasibility of a matrix inequality affine in (P, multipliers), with the square of the rate as a parameter.

    Parameters
    ----------
    n : size of P
    multipliers : {name: size}; nonnegative vectors, or symmetric matrices where `full`
    build : (P, multipliers, square) -> matrix or list of matrices that must be positive definite
    solver : name of an installed cvxpy solver
    """

    def __init__(self, n: int, multipliers: dict[str, int], build: Callable, solver: str, full: bool = False) -> None:
        import cvxpy as cp

        if solver not in cp.installed_solvers():
            raise ValueError(f"LMI: expected solver to be one of {', '.join(cp.installed_solvers())}; received {solver!r}.")
        self.solver, self.failures = solver, 0
        self.P = cp.Variable((n, n), symmetric=True)
        self.parts = {name: cp.Variable((size, size), symmetric=True) if full else cp.Variable(size, nonneg=True)
                      for name, size in multipliers.items()}
        self.square, self.margin = cp.Parameter(nonneg=True), cp.Variable()
        built = build(self.P, self.parts, self.square)
        matrices = built if isinstance(built, list) else [built]
        constraints = [(M + M.T) / 2 >> self.margin * np.eye(M.shape[0]) for M in matrices if not isinstance(M, tuple)]
        constraints += [M[0] for M in matrices if isinstance(M, tuple)]
        size = cp.trace(self.P) + (0 if full else sum(cp.sum(v) for v in self.parts.values()))
        self.problem = cp.Problem(cp.Maximize(self.margin), [
            *constraints, self.P >> self.margin * np.eye(n), size == n * (1 + len(multipliers) * (not full)),
            self.margin <= 1])

    def solve(self, rate: float) -> tuple | None:
        """(P, *multipliers) of the largest margin at this rate, or None where it is not positive or the solver fails."""
        import cvxpy as cp

        self.square.value = rate**2
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.problem.solve(solver=self.solver)
        except cp.error.SolverError:
            self.failures += 1
            return None
        if self.P.value is None or self.margin.value is None:
            self.failures += 1
            return None
        return (self.P.value, *(v.value for v in self.parts.values())) if self.margin.value > 0 else None

    def bisect(self, low: float, tolerance: float, high: float | None = None) -> tuple[float, tuple | None]:
        """The smallest feasible rate above `low`, and what the solver gave there (None if nothing was feasible)."""
        best = None
        if high is None:
            high = max(1.0, 1.2 * low)
            while (best := self.solve(high)) is None and high < 1e3:
                low, high = high, 2 * high
            if best is None:
                return high, None
        while high - low > tolerance * high:
            k = (low + high) / 2
            found = self.solve(k)
            low, high, best = (k, high, best) if found is None else (low, k, found)
        return high, best
