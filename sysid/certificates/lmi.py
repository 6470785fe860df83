"""Matrix inequalities through cvxpy: the full circle criterion for small n, from a general-purpose solver.

This file and nothing else imports cvxpy, inside the functions that need it. No status of a solver is believed: what it
returns is proved or repaired, and otherwise refused.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .certificate import Certificate, Contraction
from .contraction import CircleCriterion, reason, refused, result
from .network import LeakyNetwork
from .proof import repaired
from .registry import as_network

LIMIT = 30


@dataclass(frozen=True)
class LMI:
    """The circle inequality in (P, T) solved as a semidefinite program, bisecting the rate. [ESN-SSM, Eq. 34], corrected.

    $$ \\begin{bmatrix} k^2 P + \\underline{A}' T \\overline{A} + \\overline{A}' T \\underline{A} & * \\\\
       -T (\\underline{A} + \\overline{A}) & 2T - P \\end{bmatrix} \\succeq m I, \\quad P \\succeq m I, \\; t \\ge 0 $$

    Parameters
    ----------
    solver : "CLARABEL" or "SCS"
    force : try above n = 30 too; memory grows with n^4
    tolerance : width at which the bisection of the rate stops

    CircleCriterion("optimal") reaches the same rate without a solver, hundreds of times faster; this is the check.
    """

    solver: str = "CLARABEL"
    force: bool = False
    tolerance: float = 1e-4

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        name = f"LMI, {self.solver}"
        if network.n_states > LIMIT and not self.force:
            cheap = CircleCriterion("balanced").certify(model, wanted)
            return Certificate(cheap.rate, cheap.P, cheap.T, cheap.verified, cheap.method, cheap.model,
                               f"{reason(cheap.rate, cheap.verified)}; LMI was not tried above n = {LIMIT} "
                               "(LMI(force=True)), use CircleCriterion('optimal')")
        cheap = CircleCriterion("balanced").certify(model, wanted)
        answer = CircleProgram(network, self.solver)
        low, high, best = float((1 - network.leak).max()), cheap.rate, None
        while high - low > self.tolerance * high:
            k = (low + high) / 2
            found = answer.solve(k)
            if found is None:
                low = k
            else:
                high, best = k, found
        proof = repaired(network, best[0], best[1], high) if best is not None else None
        if proof is None or (cheap.verified and cheap.rate <= proof[2]):
            proof = (cheap.P, cheap.T, cheap.rate) if cheap.verified else None
        if proof is None:
            return refused(network, high, name, model, 0.0)
        out = result(network, proof[0], proof[1], proof[2], name, wanted, model, 0.0)
        out.details.update(solver_rate=high, solver_failures=answer.failures)
        return out


class CircleProgram:
    """The feasibility program with the rate as a parameter, compiled once.

    Parameters
    ----------
    network : the leaky network
    solver : name of an installed cvxpy solver
    """

    def __init__(self, network: LeakyNetwork, solver: str) -> None:
        import cvxpy as cp

        if solver not in cp.installed_solvers():
            raise ValueError(f"LMI: expected solver to be one of {', '.join(cp.installed_solvers())}; received {solver!r}.")
        n = network.n_states
        low, up = network.endpoints()
        self.solver, self.failures = solver, 0
        self.P, self.t = cp.Variable((n, n), symmetric=True), cp.Variable(n, nonneg=True)
        self.square, self.margin = cp.Parameter(nonneg=True), cp.Variable()
        T = cp.diag(self.t)
        cross, corner = low.T @ T @ up, T @ (low + up)
        M = cp.bmat([[self.square * self.P + cross + cross.T, -corner.T], [-corner, 2 * T - self.P]])
        eye = np.eye(2 * n)
        self.problem = cp.Problem(cp.Maximize(self.margin), [
            (M + M.T) / 2 >> self.margin * eye, self.P >> self.margin * eye[:n, :n], cp.sum(self.t) == n,
            self.margin <= 1])

    def solve(self, rate: float) -> tuple[np.ndarray, np.ndarray] | None:
        """(P, t) of the largest margin at this rate, or None where it is not positive or the solver fails."""
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
        return (self.P.value, self.t.value) if self.margin.value > 0 else None
