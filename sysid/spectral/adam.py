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


def warm_cosine(step: int, total: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then a cosine to zero."""
    start = warmup * total
    if step < start:
        return (step + 1) / max(start, 1.0)
    return 0.5 * (1 + np.cos(np.pi * (step - start) / max(total - start, 1.0)))
