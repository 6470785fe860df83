"""Climbing a reservoir's likelihood by its exact gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..identification.progress import Progress
from .climb import Climb
from .forced import Parameters
from .likelihood import Objective


def polish_rounds(climb: Climb, budget: int, tolerance: float, steps: Iterator[int],
                  progress: Progress) -> tuple[bool, str]:
    """L-BFGS-B rounds from the best point, the readout whitened anew before each, until a round gains little."""
    done = (False, "stopped at max_iterations before the gradient step")
    for _ in range(8 if "readout" in climb.target.coordinates.names else 2):
        if budget <= 0 or climb.best is None:
            break
        before = climb.value
        target = whitened(climb.target, climb.best)
        used, done = _lbfgs(target, climb, budget, tolerance, steps, progress)
        budget -= used
        if climb.value - before <= max(tolerance, 1e-12) * (1 + abs(climb.value)) or \
                (done[0] and "readout" not in target.coordinates.names):
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
        else f"stopped after {out.nit} gradient steps: {out.message}"
    return int(out.nit), (bool(out.success), reason)


def readout_information(target: Objective, p: Parameters) -> list[np.ndarray]:
    """Information (n+1, n+1) of each output's readout row, prior included, the filter's gain taken as given.

    sum_t E[(x, 1)(x, 1)'] / S_jj with predicted means and innovation variances: the Gauss-Newton form.
    """
    k, n = p.C.shape
    out = [np.diag(np.append(np.full(n, a), 0.0)) for a in target.prior]
    for s in target.reservoir.sequences:
        run = target.reservoir.run(p, s)
        x1 = np.column_stack([run.means, np.ones(len(run.means))])
        for j in range(k):
            out[j] += (x1 * run.inverse[:, j, j][:, None]).T @ x1
    return out


def whitened(target: Objective, p: Parameters) -> Objective:
    """The objective with readout steps taken from p and scaled by the root of their covariance."""
    if "readout" not in target.coordinates.names:
        return target
    roots = []
    for H in readout_information(target, p):
        H[np.diag_indices_from(H)] += 1e-10 * np.trace(H) / len(H)
        roots.append(np.linalg.inv(np.linalg.cholesky(H)).T)
    reference = replace(target.coordinates.start, C=p.C, d=p.d)
    return replace(target, coordinates=replace(target.coordinates, start=reference, roots=np.stack(roots)))
