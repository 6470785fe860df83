"""The Adam update on one flat vector of parameters [Kingma & Ba 2015], and what a training run returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..identification.fit import Fit


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TrainingFit(Fit):
    """A Fit with `snapshots`, the models after the steps asked for by `snapshot_every`."""

    snapshots: Mapping[int, Any] = field(default_factory=dict)


class Adam:
    """Keep the two moments; `step(gradient)` returns the change to add."""

    def __init__(self, size: int, learning_rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8):
        self.first, self.second = np.zeros(size), np.zeros(size)
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.count = 0

    def step(self, gradient: np.ndarray, rate: float = 1.0) -> np.ndarray:
        """rate scales the learning rate, for schedules."""
        self.count += 1
        self.first += (1 - self.beta1) * (gradient - self.first)
        self.second += (1 - self.beta2) * (gradient * gradient - self.second)
        first = self.first / (1 - self.beta1**self.count)
        second = self.second / (1 - self.beta2**self.count)
        return -self.learning_rate * rate * first / (np.sqrt(second) + self.epsilon)


class Constant:
    """The learning rate as given. A schedule takes each step's loss and returns the factor of the rate."""

    reached = False

    def __call__(self, step: int, loss: float) -> float:
        return 1.0


class WarmCosine(Constant):
    """Linear warm-up over a share of the steps, then a cosine to zero."""

    def __init__(self, total: int, warmup: float = 0.1):
        self.total, self.start = total, warmup * total

    def __call__(self, step: int, loss: float) -> float:
        if step <= self.start:
            return step / max(self.start, 1.0)
        return 0.5 * (1 + np.cos(np.pi * (step - 1 - self.start) / max(self.total - self.start, 1.0)))


class Plateau(Constant):
    """A rate halved whenever the loss has stopped falling, and `reached` after six halvings that no longer helped.

    The loss has stopped when its median over `patience` steps is not 5 % below the lowest such median before.
    """

    def __init__(self, patience: int, halvings: int = 6):
        self.patience, self.left = patience, halvings
        self.factor, self.lowest = 1.0, np.inf
        self._window: list[float] = []

    def __call__(self, step: int, loss: float) -> float:
        self._window.append(loss)
        if len(self._window) == self.patience:
            median, self._window = float(np.median(self._window)), []
            if median > 0.95 * self.lowest:
                self.factor, self.left, self.reached = self.factor / 2, self.left - 1, self.left == 0
            self.lowest = min(self.lowest, median)
        return self.factor


def schedule(name: str, n_steps: int, patience: int) -> Constant:
    """The schedule of that name."""
    return {"constant": Constant, "cosine": lambda: WarmCosine(n_steps), "plateau": lambda: Plateau(patience)}[name]()
