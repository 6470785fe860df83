"""Gaussian laws along time, as results show them: of states, and of outputs with bands in the user's units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..core.dates import following
from ..models.names import labelled


@dataclass(frozen=True)
class Given:
    """What was computed when first asked for, as it is stored; `absent` says why it cannot be had."""

    value: np.ndarray | None
    absent: str = ""

    @classmethod
    def of(cls, compute: Callable[[], np.ndarray]) -> Given:
        """The value, or the reason why there is none."""
        try:
            return cls(np.asarray(compute()))
        except (ValueError, TypeError) as error:
            return cls(None, str(error))

    def __call__(self) -> np.ndarray:
        if self.value is None:
            raise ValueError(self.absent)
        return self.value


@dataclass(frozen=True, eq=False, repr=False)
class States(Shown):
    """Gaussian laws of the state through time. mean: (T, n), or (S, T, n) for a batch.

    covariances: gives `cov` when first asked for.
    """

    mean: np.ndarray
    covariances: Callable[[], np.ndarray]

    @cached_property
    def cov(self) -> np.ndarray:
        """Covariances (T, n, n), or (S, T, n, n)."""
        return self.covariances()

    @property
    def std(self) -> np.ndarray:
        """Standard deviations (T, n)."""
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))

    def __len__(self) -> int:
        return self.mean.shape[-2]

    def _stored(self) -> States:
        return States(self.mean, Given.of(lambda: self.cov))

    def summary(self) -> dict[str, Any]:
        return {"steps": len(self), "states": self.mean.shape[-1]}


class Banded(Shown):
    """Outputs with a Gaussian law in the model's units and bands in the user's: needs `y_mean`, `y_cov`, `data`, `time`."""

    y_mean: np.ndarray
    data: Data
    _beyond = False  # whether the outputs lie behind the data

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Central interval of every output, (T, p) low and high, in original units.

        Quantiles of the Gaussian law mapped through `data.inverse`, which is exact for a monotone map.
        """
        from scipy.special import ndtri

        _check.level(level, "interval")
        half = ndtri(0.5 + level / 2) * np.sqrt(np.diagonal(self.y_cov, axis1=-2, axis2=-1))
        ends = self.data.to_original(self.y_mean - half), self.data.to_original(self.y_mean + half)
        return np.minimum(*ends), np.maximum(*ends)

    @property
    def y_cov(self) -> np.ndarray:
        """Covariances of the outputs (T, p, p), the model's units."""
        raise NotImplementedError

    @property
    def median(self) -> np.ndarray:
        """Median of every output (T, p) in original units; the mean where no map was applied."""
        return self.data.to_original(self.y_mean)

    @property
    def time(self) -> np.ndarray:
        """Times of the outputs (T,)."""
        return self.data.time

    @property
    def dates(self) -> np.ndarray | None:
        """Dates of the outputs (T,), where the data have them; of a forecast, where theirs go on evenly."""
        known = self.data.dates
        return following(known, self.y_mean.shape[-2]) if known is not None and self._beyond else known

    def to_frame(self, level: float = 0.95) -> Any:
        """A pandas DataFrame in original units: of each output its median and the ends of its interval, by date or time.

        Raises ValueError for a batch, and ImportError without pandas.
        """
        import pandas

        if self.y_mean.ndim != 2:
            raise ValueError(f"{type(self).__name__}.to_frame: expected one sequence; received a batch. Take one of data.sequences().")
        low, high = self.interval(level)
        names = labelled(self.data, getattr(self, "process", None)).output_names or ["y"]
        columns = {f"{name}{part}": values[:, i] for i, name in enumerate(names) for part, values in (("", self.median), (" low", low), (" high", high))}
        return pandas.DataFrame(columns, index=pandas.Index(self.time, name="time") if self.dates is None else pandas.DatetimeIndex(self.dates))

    def plot(self, ax: Any = None, level: float = 0.95) -> Any:
        """Draw measured outputs, their predictions and the band, in original units; return the axes."""
        return self._drawn(ax, level)

    def _drawn(self, ax: Any, level: float, since: int = 0) -> Any:
        """The figure, with the measurements from sample `since` on."""
        from .. import plot

        dates = self.dates
        t = self.time if dates is None else dates
        p = self.y_mean.shape[-1]
        labels = labelled(self.data, getattr(self, "process", None)).output_names or ["y"] * p
        grid = np.atleast_1d(plot.axes(ax, p)).reshape(-1)
        low, high = self.interval(level)
        first = (0,) if self.y_mean.ndim == 3 else ()
        for i in range(p):
            a = grid[min(i, len(grid) - 1)]
            a.plot((self.data.time if dates is None else plot.times(self.data))[since:], self.data.original[first][since:, i], ".", markersize=3, color=plot.COLOURS["data"], label="measured")
            known = np.isfinite(low[first][:, i]) & np.isfinite(high[first][:, i])  # not before a diffuse start is resolved
            a.plot(t, np.where(known, self.median[first][:, i], np.nan), color=plot.COLOURS["model"], linewidth=1.2, label="predicted")
            if np.nanmax(high[first][:, i] - low[first][:, i], initial=0.0) > 0:  # a model without noise has no band
                plot.band(a, t, low[first][:, i], high[first][:, i], label=f"{100 * level:g} % band")
            a.set_ylabel(labels[i])
        plot.legend(grid[0])
        plot.time_axes(grid, t)
        return grid[0] if len(grid) == 1 else grid
