"""Activations of a reservoir with their slopes: what linearisation and certificates need of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..kernels.reservoir import CODES

BUILT_IN: dict[str, Activation] = {}


@dataclass(frozen=True)
class Activation:
    """A scalar activation s, its derivative, and the range [low, high] that the derivative never leaves.

    function, derivative: NumPy functions applied entry by entry to arrays (n,); under numba.njit they run compiled.
    slope: (low, high); a certificate holds for every slope in it, so it must be true on all reals.
    curvature: a bound on the absolute second derivative, None where there is none. name: shown in print; kernels and
    certificates know the built-in activations by theirs, so those names are taken.
    Raises TypeError for what is not a function, ValueError for slopes not in order or the name of a built-in one.
    """

    function: Callable
    derivative: Callable
    slope: tuple[float, float]
    name: str = "user"
    curvature: float | None = None

    def __post_init__(self) -> None:
        for name in ("function", "derivative"):
            if not callable(getattr(self, name)):
                raise TypeError(f"Activation: expected {name} as a function of an array; received {getattr(self, name)!r}.")
        pair = np.asarray(self.slope).tolist()
        low, high = pair if isinstance(pair, list) and len(pair) == 2 else (np.nan, np.nan)
        if not (isinstance(low, int | float) and isinstance(high, int | float) and -np.inf < low <= high < np.inf):
            raise ValueError(f"Activation: expected slope=(low, high), two finite numbers with low <= high; received {self.slope!r}.")
        low, high = float(low), float(high)
        if self.name in BUILT_IN and self.function is not BUILT_IN[self.name].function:
            raise ValueError(f"Activation: expected a name of its own; received {self.name!r}, which is built in and compiled "
                             f"under that name. Pass activation={self.name!r} for the built-in one.")
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
BUILT_IN |= {
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
