"""Activations of a reservoir with their slopes: what linearisation and certificates need of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..kernels.reservoir import CODES


@dataclass(frozen=True)
class Activation:
    """A scalar activation s, its derivative, and the range [low, high] that the derivative never leaves.

    function, derivative: NumPy functions applied entry by entry to arrays (n,); under numba.njit they run compiled.
    slope: (low, high); a certificate holds for every slope in it, so it must be true on all reals.
    curvature: a bound on the absolute second derivative, None where there is none. name: shown in print.
    """

    function: Callable
    derivative: Callable
    slope: tuple[float, float]
    name: str = "user"
    curvature: float | None = None

    def __post_init__(self) -> None:
        low, high = (float(s) for s in self.slope)
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            raise ValueError(f"Activation: expected slope=(low, high) finite with low <= high; received {self.slope}.")
        object.__setattr__(self, "slope", (low, high))

    @property
    def code(self) -> int:
        """Number by which compiled kernels know a built-in activation; -1 for a user's."""
        return CODES.get(self.name, -1)

    @property
    def lipschitz(self) -> float:
        """Largest absolute slope."""
        return max(abs(s) for s in self.slope)


def _sigmoid(v: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * v))


# The last number bounds the second derivative: 4/(3 sqrt 3) for tanh, 1/(6 sqrt 3) for the logistic function.
BUILT_IN = {
    "identity": Activation(lambda v: v * 1.0, np.ones_like, (1.0, 1.0), "identity", 0.0),
    "tanh": Activation(np.tanh, lambda v: 1.0 - np.tanh(v) ** 2, (0.0, 1.0), "tanh", 4 / (3 * np.sqrt(3))),
    "relu": Activation(lambda v: np.maximum(v, 0.0), lambda v: (v > 0) * 1.0, (0.0, 1.0), "relu", None),
    "sigmoid": Activation(
        _sigmoid, lambda v: _sigmoid(v) * (1 - _sigmoid(v)), (0.0, 0.25), "sigmoid", 1 / (6 * np.sqrt(3))
    ),
}


def activation(value: str | Activation, call: str) -> Activation:
    """The activation by name, or the user's own."""
    if isinstance(value, Activation):
        return value
    if isinstance(value, str) and value in BUILT_IN:
        return BUILT_IN[value]
    raise ValueError(
        f"{call}: expected activation as one of {', '.join(BUILT_IN)} or a sysid.Activation(function, derivative, slope); "
        f"received {value!r}. A certificate needs the slopes, so a bare function is not enough."
    )
