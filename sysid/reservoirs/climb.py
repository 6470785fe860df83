"""The path of a reservoir fit: every accepted point, and the best one, kept through an interruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .forced import Parameters
from .likelihood import Objective


@dataclass(eq=False)
class Climb:
    """The best parameters so far and the history of what was accepted."""

    target: Objective
    best: Parameters | None = None
    value: float = -np.inf
    log_likelihood: float = -np.inf
    rows: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    watchers: list[Callable[[Parameters], None]] = field(default_factory=list)

    def offer(self, log_likelihood: float, p: Parameters, stage: str) -> float:
        """Keep p where its objective is the highest yet; return that objective."""
        value = log_likelihood + self.target.log_prior(p)
        if value >= self.value:
            self.best, self.value, self.log_likelihood = p, value, log_likelihood
            self.rows.append((log_likelihood, value, float(p.leak.mean()), p.scale, stage))
            for watch in self.watchers:
                watch(p)
        return value

    def start(self, p: Parameters, call: str) -> None:
        """Take the start; raise ValueError where its filter breaks down."""
        self.check(self.offer(self.target.reservoir.log_likelihood(p), p, "start"), call)

    def check(self, value: float, call: str) -> None:
        """Raise ValueError for a start whose filter broke down."""
        if not np.isfinite(value):
            raise ValueError(f"{call}: expected a start whose filter runs; its innovation covariance is not positive definite. "
                             "Start from larger Q and R, or a smaller prior covariance.")

    def history(self) -> dict[str, np.ndarray]:
        """Arrays: log_likelihood, objective (with the readout's log prior), mean leak, scale, stage."""
        names = ("log_likelihood", "objective", "leak", "scale", "stage")
        return {name: np.array([row[i] for row in self.rows]) for i, name in enumerate(names)}


def acceptable(target: Objective, v: np.ndarray, value: float) -> Parameters | None:
    """The parameters at v, brought into bounds, where the objective is not below `value` there; else None."""
    with np.errstate(over="ignore"):  # a variance without bound is refused by its likelihood
        p = target.coordinates.unpack(target.coordinates.clip(v))
    return p if target.value(p) >= value else None
