"""The profile likelihood of a reservoir's hyperparameter: one value held, everything else that is free maximised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..models.process import Process
from .coordinates import LEAK_LOW
from .hyperparameters import ReservoirEM
from .reservoir_fit import ReservoirFit
from .stacks import written_out


@dataclass(frozen=True, eq=False, repr=False)
class Profile(Shown):
    """A profile likelihood: the objective, everything else maximised, over values of one parameter.

    values (k,), objective (k,), name; best: the value where it is highest; interval: the values within 1.92 nats of it
    (a 95 % interval by Wilks), NaN on a side where the grid ends before the profile has fallen.
    """

    name: str
    values: np.ndarray
    objective: np.ndarray

    @property
    def best(self) -> float:
        """The grid value of the highest objective."""
        return float(self.values[np.nanargmax(self.objective)])

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95 % likelihood interval, interpolated linearly; NaN where the grid does not reach."""
        fall = np.nanmax(self.objective) - self.objective - 1.92
        top = int(np.nanargmax(self.objective))
        left = [i for i in range(top) if fall[i] > 0]
        right = [i for i in range(top + 1, len(fall)) if fall[i] > 0]
        return (self._cross(fall, left[-1], left[-1] + 1) if left else np.nan,
                self._cross(fall, right[0] - 1, right[0]) if right else np.nan)

    def _cross(self, fall: np.ndarray, i: int, j: int) -> float:
        share = fall[i] / (fall[i] - fall[j])
        return float(self.values[i] + share * (self.values[j] - self.values[i]))

    def summary(self) -> dict[str, Any]:
        return {"parameter": self.name, "values": len(self.values), "best": self.best, "95 % interval": self.interval,
                "highest objective": np.nanmax(self.objective)}

    def plot(self, ax: Any = None) -> Any:
        """Draw the profile below its maximum, with the 95 % line; return the axes."""
        from .. import plot

        ax = plot.axes(ax)
        ax.plot(self.values, self.objective - np.nanmax(self.objective), marker="o", markersize=3, linewidth=1.2)
        ax.axhline(-1.92, linewidth=0.8, linestyle="--", color="grey", label="95 % interval, above -1.92")
        plot.legend(ax)
        ax.set_xlabel(self.name)
        ax.set_ylabel("profile log-likelihood less its maximum")
        return ax


def profile_likelihood(data: Data | Iterable[Data], method: ReservoirEM, start: Any, name: str, values: Sequence[float],
                       ) -> Profile:
    """Profile one of leak, scale, input_scale, feedback_scale or bias_scale over values (k,).

    data, method, start: as for `fit`; start may be a ReservoirFit, from which every value is reached by continuation.
    Values of a scale multiply the start's matrix. Each costs a fit, warm-started from its neighbour.
    Raises TypeError for a start that is no Process or another method, ValueError for another name, values outside its range, or nothing
    else to estimate.
    """
    records = experiments(data, "profile_likelihood")
    base, _ = written_out(start.process if isinstance(start, ReservoirFit) else start)
    _check.kind(start, isinstance(base, Process), "start=sysid.Process(esn, Q=..., R=...) or a ReservoirFit", "profile_likelihood")
    if name not in ("leak", "scale", "input_scale", "feedback_scale", "bias_scale"):
        raise ValueError(f"profile_likelihood: expected name as leak or one of the scales; received {name!r}.")
    _check.kind(method, isinstance(method, ReservoirEM), "a method such as sysid.ReservoirEM(('leak', 'scale', 'R'))", "profile_likelihood")
    grid = _check.vector(values, "values", "profile_likelihood")
    names = tuple(n for n in method.estimate if n != name and not (n == "tau" and name == "leak"))
    if not names:
        raise ValueError(f"profile_likelihood: expected a method that estimates more than {name}, which is held; received estimate={method.estimate!r}.")
    bounds = (LEAK_LOW, 1.0) if name == "leak" else (0.0, np.inf)
    if np.any(grid < bounds[0]) or np.any(grid > bounds[1]) or len(grid) == 0:
        raise ValueError(f"profile_likelihood: expected values of {name} within {bounds}; received {grid}.")
    contraction = method.contraction if "scale" in names else None
    held = replace(method, estimate=names, standard_errors=False, contraction=contraction, leak_scan=0)
    centre = float(np.mean(base.model.leak)) if name == "leak" else 1.0
    out = np.full(len(grid), np.nan)
    for side in (np.flatnonzero(grid >= centre)[np.argsort(grid[grid >= centre])],
                 np.flatnonzero(grid < centre)[np.argsort(-grid[grid < centre])]):
        process = base
        for i in side:
            fit = held.fit(records, _placed(process, base, name, float(grid[i])))
            process, out[i] = fit.process, fit.objective
    return Profile(name, grid, out)


def _placed(process: Process, base: Process, name: str, value: float) -> Process:
    """The process with one hyperparameter set; scales are relative to the base."""
    esn, first = process.model, base.model
    change = {"leak": {"leak": value}, "scale": {"W": first.W * value}, "input_scale": {"W_in": first.W_in * value},
              "feedback_scale": {"W_fb": None if first.W_fb is None else first.W_fb * value},
              "bias_scale": {"bias": first.bias * value}}[name]
    return Process(replace(esn, **change), Q=process.Q, R=process.R, initial=process.initial)
