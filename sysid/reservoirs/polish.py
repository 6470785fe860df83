"""Climbing a reservoir's likelihood by its exact gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..identification.progress import Progress
from .climb import Climb
from .likelihood import Objective
from .sensitivity import whitened

ROUND = 12     # gradient steps before the readout is whitened anew


def polish_rounds(climb: Climb, budget: int, tolerance: float, steps: Iterator[int],
                  progress: Progress) -> tuple[bool, str]:
    """L-BFGS-B rounds from the best point, the readout whitened anew before each, until a round gains little.

    A search that says it is done is begun once more without its memory: in a narrow valley a short step may end it early.
    """
    done = (False, "stopped at max_iterations before the gradient step")
    readout = "readout" in climb.target.coordinates.names
    while budget > 0 and climb.best is not None:
        before = climb.value
        target = whitened(climb.target, climb.best)
        used, done = _lbfgs(target, climb, min(budget, ROUND) if readout else budget, tolerance, steps, progress)
        budget -= max(used, 1)
        if climb.value - before <= max(tolerance, 1e-12) * (1 + abs(climb.value)):
            return done if done[0] else (True, "a round of gradient steps gained less than the tolerance")
    return done


def _lbfgs(target: Objective, climb: Climb, budget: int, tolerance: float, steps: Iterator[int],
           progress: Progress) -> tuple[int, tuple[bool, str]]:
    from scipy.optimize import minimize

    c = target.coordinates
    assert climb.best is not None
    start = c.clip(c.pack(climb.best))
    rounds = [0]

    def negative(v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = target.value_and_gradient(v)
        if not np.isfinite(value):
            return 1e10 + abs(climb.value), np.zeros_like(v)
        p = c.unpack(v)
        climb.offer(value - target.log_prior(p), p, "gradient")
        return -value, -gradient

    def step(_: np.ndarray) -> None:
        rounds[0] += 1
        next(steps, None)
        progress.show(log_likelihood=climb.log_likelihood)

    options = {"maxiter": budget, "maxcor": 30, "ftol": tolerance * 0.1, "gtol": 1e-7, "maxls": 30}
    settings: dict[str, Any] = {"method": "L-BFGS-B", "bounds": c.bounds(), "callback": step, "options": options}
    out = minimize(negative, start, jac=True, **settings)
    reason = "the log-likelihood's relative change fell below the tolerance" if out.success \
        else f"stopped after {out.nit} gradient steps: " + ("max_iterations is spent, raise it" if out.status == 1 else str(out.message))
    return int(out.nit), (bool(out.success), reason)
