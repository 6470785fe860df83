"""The way back from standardised outputs to original units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from .._show import Shown
from .signals import moments

if TYPE_CHECKING:
    from .data import Data


@dataclass(frozen=True, eq=False, repr=False)
class Scaling(Shown):
    """The affine map of `Data.standardize` and its way back: scaled = (original - mean) / scale, channel by channel.

    y_mean, y_scale: (p,). u_mean, u_scale: (m,). Constant channels keep scale 1.
    """

    y_mean: np.ndarray
    y_scale: np.ndarray
    u_mean: np.ndarray
    u_scale: np.ndarray

    def summary(self) -> dict[str, Any]:
        out = {"outputs, mean": self.y_mean, "outputs, scale": self.y_scale}
        return out | ({"inputs, mean": self.u_mean, "inputs, scale": self.u_scale} if len(self.u_mean) else {})

    def apply(self, data: Data) -> Data:
        """Put other data, such as a test half, on the same scale. Raises TypeError or ValueError for what is no Data, or has other channels."""
        if not hasattr(data, "n_outputs"):
            raise TypeError(f"Scaling.apply: expected sysid.Data; received {_check.received(data)}. Arrays come back by inverse_y and inverse_u.")
        if data.n_outputs != len(self.y_mean) or data.n_inputs not in (0, len(self.u_mean)):
            raise ValueError(f"Scaling.apply: expected data with {len(self.y_mean)} outputs and {len(self.u_mean)} inputs, as those the scaling "
                             f"was taken from; received {data.n_outputs} and {data.n_inputs}.")  # fmt: skip
        u = None if data.u is None else (data.u - self.u_mean) / self.u_scale
        inverse = None if data.inverse is None else Composed(data.inverse, self.inverse_y)
        return replace(data, y=(data.y - self.y_mean) / self.y_scale, u=u, inverse=inverse)

    def inverse_y(self, y: np.ndarray) -> np.ndarray:
        """Outputs (..., p) in the original units. Raises ValueError for another number of channels."""
        return _channels(y, len(self.y_mean), "inverse_y") * self.y_scale + self.y_mean

    def inverse_u(self, u: np.ndarray) -> np.ndarray:
        """Inputs (..., m) in the original units. Raises ValueError for another number of channels."""
        return _channels(u, len(self.u_mean), "inverse_u") * self.u_scale + self.u_mean


def _channels(values: Any, count: int, call: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim and values.shape[-1] != count:
        raise ValueError(f"Scaling.{call}: expected {count} channels along the last axis; received shape {values.shape}.")
    return values


@dataclass(frozen=True, eq=False)
class WayBack:
    """The way back of `Data.map`, y -> inverse(y), where forward reaches y, and the end of its range where it does not.

    A band on the scale of square roots may reach below zero; its square would rise again, and the band would lie above
    what it should hold. inside: (p,) values that forward reaches. scale: (p,) their spread.
    """

    forward: Callable
    inverse: Callable
    inside: np.ndarray
    scale: np.ndarray

    def __call__(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            y = np.asarray(y, dtype=float)
            beyond = ~(self._reached(y) | np.isnan(y))
            if beyond.any():
                y = np.where(beyond, self._end(np.clip(y, self.inside - 1e6 * self.scale, self.inside + 1e6 * self.scale)), y)
            return np.asarray(self.inverse(y), dtype=float)

    def _reached(self, y: np.ndarray) -> np.ndarray:
        again = np.asarray(self.forward(np.asarray(self.inverse(y), dtype=float)), dtype=float)
        return (again == y) | (np.isfinite(y) & (np.abs(again - y) <= 1e-6 * (np.abs(y) + self.scale)))

    def _end(self, y: np.ndarray) -> np.ndarray:
        """The last value towards y that forward reaches, by bisection."""
        near, far = np.broadcast_to(self.inside, y.shape), y
        for _ in range(60):
            middle = (near + far) / 2
            reached = self._reached(middle)
            near, far = np.where(reached, middle, near), np.where(reached, far, middle)
        return near


@dataclass(frozen=True)
class Composed:
    """y -> outer(inner(y)), the way back through two maps."""

    outer: Callable
    inner: Callable

    def __call__(self, y: np.ndarray) -> np.ndarray:
        return self.outer(self.inner(y))


def mapped_outputs(y: np.ndarray, forward: Callable, inverse: Callable) -> tuple[np.ndarray, WayBack]:
    """forward(y) (.., T, p) and the way back, checked on the data. Raises ValueError where they do not go together."""
    seen = ~np.isnan(y)
    with np.errstate(all="ignore"):
        mapped = np.asarray(forward(y), dtype=float)
    if mapped.shape != y.shape:
        raise ValueError(f"Data.map: expected forward(y) with y's shape {y.shape}, entry by entry; received {mapped.shape}.")
    if not np.isfinite(mapped[seen]).all():
        lost = seen & ~np.isfinite(mapped)
        raise ValueError(f"Data.map: expected forward(y) finite on every measured entry; received {mapped[lost][0]} for y = {y[lost][0]:g}. "
                         "Is y outside its domain (square root or log of a negative)?")
    back = np.asarray(inverse(mapped), dtype=float)
    if not np.allclose(back[seen], y[seen], rtol=1e-6, atol=1e-6 * np.abs(y[seen]).max(initial=0.0)):
        raise ValueError(
            "Data.map: expected inverse(forward(y)) = y; received a map that does not return to the data."
        )
    flat = mapped.reshape(-1, mapped.shape[-1])
    inside = np.array([next(iter(channel[~np.isnan(channel)]), 0.0) for channel in flat.T])
    way = WayBack(forward, inverse, inside, moments(mapped)[1])
    return mapped, way
