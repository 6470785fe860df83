"""Gradient descent and gradient flow on x[t] = A x[t-1] + B u[t], y[t] = C x[t].

    descent:  theta <- theta - r dL/dtheta            flow:  tau dtheta/dt = -dL/dtheta           [LDSSM, Eq. flow]

theta is any of A, B, C (A diagonal if asked). Descent with rate r follows the flow at t = k r for tau = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import _check
from .._show import Shown
from ..core.status import Status
from ..models.lti import LTI
from .loss import LTIGradient


class Objective(Protocol):
    """A loss of an LTI with its gradient: PopulationLoss or SampleLoss."""

    def value(self, model: LTI) -> float: ...

    def gradient(self, model: LTI) -> tuple[float, LTIGradient]: ...


@dataclass(frozen=True, eq=False, repr=False)
class LearningCurve(Shown):
    """What training did. times (R,): iteration times rate, or flow time. losses (R,). A (R, n, n), B (R, n, m), C (R, p, n):
    the parameters at those times. model: the last recorded one as an LTI. status: why it stopped."""

    times: np.ndarray
    losses: np.ndarray
    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    status: Status

    @property
    def model(self) -> LTI:
        return LTI.from_undelayed(self.A[-1], self.B[-1], self.C[-1])

    @property
    def gain(self) -> np.ndarray:
        """C B along training (R, p, m)."""
        return self.C @ self.B

    def summary(self) -> dict[str, Any]:
        return {"first loss": float(self.losses[0]), "last loss": float(self.losses[-1]), "status": self.status.reason}

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss against training time."""
        from .. import plot
        ax = plot.axes(ax)
        ax.semilogy(self.times, self.losses, color=plot.COLOURS["model"])
        ax.set(xlabel="training time", ylabel="loss")
        return ax


class _Problem:
    """The flat vector of trained entries, and the objective on it in the undelayed parametrisation."""

    def __init__(self, objective: Objective, start: Sequence[Any], train: Sequence[str], diagonal: bool, call: str):
        _check.kind(objective, hasattr(objective, "gradient"), "a loss such as PopulationLoss(teacher)", call)
        if not isinstance(start, tuple | list) or len(start) != 3:
            raise TypeError(f"{call}: expected start as the three matrices (A, B, C); received {_check.received(start)}.")
        A = _check.square(start[0], "A", call)
        B = _check.matrix(start[1], "B", call, (len(A), None), f"A is {len(A)} x {len(A)}")
        C = _check.matrix(start[2], "C", call, (None, len(A)), f"A is {len(A)} x {len(A)}")
        if not isinstance(train, str | tuple | list):
            raise TypeError(f"{call}: expected train as names such as ('A', 'B', 'C'); received {_check.received(train)}.")
        for name in train:
            _check.choice(name, "train", call, ("A", "B", "C"))
        if not train:
            raise ValueError(f"{call}: expected at least one of A, B, C to train; received none.")
        if diagonal and np.count_nonzero(A - np.diag(np.diag(A))):
            raise ValueError(f"{call}: expected a diagonal A with diagonal=True; received off-diagonal entries.")
        self.objective, self.start = objective, (A, B, C)
        self.masks = [np.full(M.shape, name in train) for M, name in zip((A, B, C), "ABC")]
        if diagonal:
            self.masks[0] &= np.eye(len(A), dtype=bool)
        self.vector = np.concatenate([M[mask] for M, mask in zip(self.start, self.masks)])

    def unpack(self, vector: np.ndarray) -> list[np.ndarray]:
        out, at = [], 0
        for M, mask in zip(self.start, self.masks):
            filled, count = M.copy(), int(mask.sum())
            filled[mask] = vector[at:at + count]
            out.append(filled)
            at += count
        return out

    def gradient(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        A, B, C = self.unpack(vector)
        loss, g = self.objective.gradient(LTI.from_undelayed(A, B, C))
        # The delayed form has C A and C B for its C and D.
        chained = (g.A + C.T @ g.C, g.B + C.T @ g.D, g.C @ A.T + g.D @ B.T)
        return loss, np.concatenate([M[mask] for M, mask in zip(chained, self.masks)])

    def sharpness(self, vector: np.ndarray, most: int = 30) -> float:
        """Largest eigenvalue of the Hessian, 0 if none is positive: Lanczos' method on central differences of the gradient.

        The largest, not the largest in modulus: near a saddle the two differ.
        """
        gradient = self.gradient(vector)[1]
        direction = gradient / (float(np.linalg.norm(gradient)) or 1.0) + 0.3 * np.cos(np.arange(len(vector)))
        step = 1e-5 * max(1.0, float(np.linalg.norm(vector)))
        basis = np.empty((0, len(vector)))
        images, value = basis, 0.0
        for k in range(min(most, len(vector))):
            size = float(np.linalg.norm(direction))
            for _ in range(2):  # twice is enough
                direction = direction - basis.T @ (basis @ direction)
            rest = float(np.linalg.norm(direction))
            if rest <= 1e-7 * size:
                break
            basis = np.vstack([basis, direction / rest])
            direction = (self.gradient(vector + step * basis[-1])[1] - self.gradient(vector - step * basis[-1])[1]) / (2 * step)
            images = np.vstack([images, direction])
            small = basis @ images.T
            value, previous = float(np.linalg.eigvalsh((small + small.T) / 2)[-1]), value
            if k > 5 and abs(value - previous) < 1e-6 * abs(value):
                break
        return max(value, 0.0)


def gradient_descent(objective: Objective, start: Sequence[Any], learning_rate: float, n_iterations: int, *,
                     train: Sequence[str] = ("A", "B", "C"), diagonal: bool = False, every: int = 1) -> LearningCurve:
    """Train by gradient descent from start = (A, B, C).

    objective: PopulationLoss or SampleLoss. n_iterations: steps taken. train: which matrices move. diagonal: keep A
    diagonal. every: record each so-many-th iteration.
    Raises ValueError where learning_rate exceeds 2 / lambda_max of the Hessian at the start. Where curvature grows beyond it
    later and the loss rises, or the model turns unstable, the run stops there and `status` says so.
    """
    call = "gradient_descent"
    problem = _Problem(objective, start, train, diagonal, call)
    n_iterations, every = _check.count(n_iterations, "n_iterations", call), _check.count(every, "every", call)
    rate = float(_check.vector(learning_rate, "learning_rate", call, 1)[0])
    vector = problem.vector
    sharpness = problem.sharpness(vector)
    if rate <= 0 or rate * sharpness > 2:
        limit = f" and below the stability limit 2 / lambda_max = {2 / sharpness:.4g} at the start" if sharpness else ""
        raise ValueError(f"{call}: expected learning_rate > 0{limit}; received {rate:g}.")
    kept: list[np.ndarray] = []
    losses: list[float] = []
    status, previous = None, np.inf
    for k in range(n_iterations + 1):
        try:
            loss, gradient = problem.gradient(vector)
        except ValueError:  # the loss of an unstable model
            status = Status(False, f"the model became unstable at iteration {k}; lower learning_rate", k)
            break
        if not np.isfinite(loss) or (loss > previous * (1 + 1e-9) and rate * (sharpness := problem.sharpness(vector)) > 2):
            status = Status(False, f"stopped at iteration {k}: learning_rate {rate:g} exceeds the stability limit "
                                   f"{2 / sharpness if sharpness else 0:.4g} reached there and the loss rises", k)
            break
        if k % every == 0:
            losses.append(loss)
            kept.append(vector)
        previous, vector = loss, vector - rate * gradient
    status = status if status is not None else Status(False, f"ran all {n_iterations} iterations", n_iterations)
    return _curve(problem, rate * every * np.arange(len(losses)), np.array(losses), kept, status)


def gradient_flow(objective: Objective, start: Sequence[Any], times: Any, *, train: Sequence[str] = ("A", "B", "C"),
                  diagonal: bool = False, tau: float = 1.0, tolerance: float = 1e-10) -> LearningCurve:
    """Integrate tau dtheta/dt = -dL/dtheta from start = (A, B, C).

    objective: PopulationLoss or SampleLoss. times (R,): where to report, increasing from >= 0. train, diagonal: as in
    `gradient_descent`. tolerance: relative, of the integrator.
    Raises TypeError or ValueError for what is not a loss, times not increasing from 0, or an integration that
    fails.
    """
    from scipy.integrate import solve_ivp
    call = "gradient_flow"
    problem = _Problem(objective, start, train, diagonal, call)
    times, tau, tolerance = _check.vector(times, "times", call), _check.positive(tau, "tau", call), _check.positive(tolerance, "tolerance", call)
    if len(times) == 0 or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(f"{call}: expected increasing times >= 0; received times {times}.")
    solution = solve_ivp(lambda t, v: -problem.gradient(v)[1] / tau, (0.0, float(times[-1]) or 1.0), problem.vector,
                         t_eval=times, method="DOP853", rtol=tolerance, atol=tolerance * 1e-2)
    if not solution.success:
        raise ValueError(f"{call}: the integration failed: {solution.message}")
    losses = np.array([problem.gradient(v)[0] for v in solution.y.T])
    return _curve(problem, times, losses, list(solution.y.T), Status(True, "integrated to the last time", int(solution.nfev)))


def _curve(problem: _Problem, times: np.ndarray, losses: np.ndarray, kept: list[np.ndarray], status: Status) -> LearningCurve:
    A, B, C = (np.stack(part) for part in zip(*(problem.unpack(v) for v in kept)))
    return LearningCurve(times, losses, A, B, C, status)
