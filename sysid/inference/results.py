"""What filter, smooth and forecast return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..models.process import Process
from .laws import Banded, Given, States
from .trace import Trace


@dataclass(frozen=True, eq=False, repr=False)
class Filtered(Banded):
    """The filtered states and the one-step predictions of the outputs.

    predicted: law of x[t] given y[..t-1] (predicted[0] is the prior); filtered: law of x[t] given y[..t].
    y_mean, y_cov: law of y[t] given the past, (T, p), (T, p, p); interval() and plot() show it in original units.
    log_likelihoods: (T,) log-density of each measurement given the past with all 2 pi terms, -inf where impossible.
    process, data, method: what it was computed from.
    form: the recursion used. traces: the arrays that smoothers read.
    """

    process: Process
    data: Data
    method: Any
    predicted: States
    filtered: States
    y_mean: np.ndarray
    log_likelihoods: np.ndarray
    form: str
    traces: list[Trace] = field(repr=False)

    @cached_property
    def final(self) -> Gaussian | list[Gaussian]:
        """The law of x[T] given all data; a list of them for a batch."""
        finals = [Gaussian(x, t.cov) for t in self.traces for x in t.mean]
        return finals if self.data.is_batch else finals[0]

    @property
    def log_likelihood(self) -> Any:
        """Sum of `log_likelihoods` over time: a float, or (S,) for a batch."""
        total = self.log_likelihoods.sum(-1)
        return float(total) if np.ndim(total) == 0 else total

    @property
    def n_diffuse(self) -> int:
        """Measurements that went into resolving a diffuse start; each adds the constant -log(2 pi)/2 to the likelihood."""
        return self.traces[0].n_diffuse

    @property
    def log_likelihood_without_diffuse_constant(self) -> Any:
        """The other convention [Durbin & Koopman 2012, Sec. 7.2; KFAS]: without log(2 pi)/2 of each diffuse measurement."""
        return self.log_likelihood + 0.5 * np.log(2 * np.pi) * self.n_diffuse

    @cached_property
    def y_cov(self) -> np.ndarray:
        """Covariances of the outputs given the past (T, p, p), C P(t|t-1) C' + R."""
        return gather([t.innovation_cov() for t in self.traces], self.traces, self.data.is_batch)

    @property
    def innovations(self) -> np.ndarray:
        """y[t] minus its prediction (T, p), NaN where y is missing."""
        return self.data.y - self.y_mean

    @property
    def impossible(self) -> np.ndarray:
        """Steps whose measurement has no density under a singular innovation covariance."""
        return np.unique(np.nonzero(np.isneginf(self.log_likelihoods))[-1])

    @property
    def weights(self) -> np.ndarray | None:
        """Weights (T, p) that a robust method gave the measurements, NaN where missing; None from other methods."""
        if "weights" not in self.traces[0].extra:
            return None
        return gather([t.extra["weights"] for t in self.traces], self.traces, self.data.is_batch)

    def _title(self) -> str:
        return f"Filtered by {type(self.method).__name__}"

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"sequences": len(self.data.y)} if self.data.is_batch else {}
        out |= {"steps": self.data.n_steps, "states": self.process.n_states, "form": self.form,
                "log-likelihood": self.log_likelihood}  # fmt: skip
        if self.n_diffuse:
            out["diffuse measurements"] = self.n_diffuse
        if self.traces[0].end is not None and self.traces[0].end.shape[1]:
            out["never determined"] = f"{self.traces[0].end.shape[1]} directions of the state"
        if self.data.missing.any():
            out["missing"] = f"{100 * self.data.missing.mean():.3g} %"
        weights = self.weights
        if weights is not None:
            out["measurements of weight below 0.5"] = int((weights < 0.5).sum())
            if unsettled := sum(t.extra["unsettled"] for t in self.traces):
                out["updates not settled"] = f"{unsettled}: raise max_iterations"
        if len(self.impossible):
            out["impossible at steps"] = (", ".join(map(str, self.impossible[:5])) + (", ..." if len(self.impossible) > 5 else "")
                                          + " (singular innovation covariance: the data contradict the model)")  # fmt: skip
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Smoothed(Shown):
    """The states given all data.

    smoothed: law of x[t] given y[0..T-1], mean (T, n). filter: the forward run. method: the smoother.
    cross: gives cross_cov (T-1, n, n) on first access. passes: the arrays of the backward runs.
    """

    smoothed: States
    filter: Filtered
    cross: Callable[[], np.ndarray]
    method: Any
    passes: list[Any] = field(default_factory=list, repr=False)

    @property
    def weights(self) -> np.ndarray | None:
        """Weights (T, p) that a robust method gave the measurements, NaN where missing; None from other methods."""
        if not self.passes or self.passes[0].weights is None:
            return self.filter.weights
        return self.passes[0].weights if not self.data.is_batch else np.stack([b.weights for b in self.passes])

    @property
    def status(self) -> Any:
        """How an iterated smoother ended, a Status; None from other methods, a list for a batch."""
        ends = [b.status for b in self.passes]
        return ends if self.data.is_batch else (ends[0] if ends else None)

    @cached_property
    def cross_cov(self) -> np.ndarray:
        """Cov(x[t+1], x[t] | y): (T-1, n, n), exact also with missing entries."""
        return self.cross()

    def _stored(self) -> Smoothed:
        return replace(self, cross=Given.of(lambda: self.cross_cov))

    @property
    def output_disturbances(self) -> np.ndarray:
        """E[v | y] (T, p): measured outputs less those of the smoothed states, NaN where missing; one sequence."""
        fun, u = self._functions()
        steps = range(self.data.n_steps)
        dt = self.process.model.dt
        return self.data.y - np.array([fun.g(self.smoothed.mean[t], u[t], fun.p, t * dt) for t in steps])

    @property
    def state_disturbances(self) -> np.ndarray:
        """E[w | y] (T-1, n): what moves the smoothed states beyond the model; large ones date breaks. One sequence."""
        fun, u = self._functions()
        x, dt = self.smoothed.mean, self.process.model.dt
        return x[1:] - np.array([fun.f(x[t], u[t], fun.p, t * dt) for t in range(len(x) - 1)]).reshape(len(x) - 1, -1)

    @property
    def state_disturbance_cov(self) -> np.ndarray:
        """Cov(w[t] | y): (T-1, n, n), to judge `state_disturbances` by; of the linearisation for nonlinear models. One sequence."""
        from .disturbances import state_disturbance_covariances

        self._functions()
        return state_disturbance_covariances(self.process, self.data, self.filter.traces[0], self.passes[0])

    @property
    def output_disturbance_cov(self) -> np.ndarray:
        """Cov(v[t] | y): (T, p, p) of the measured entries, NaN elsewhere. One sequence."""
        from .disturbances import output_disturbance_covariances

        self._functions()
        return output_disturbance_covariances(self.filter.traces[0], self.passes[0], ~self.data.missing)

    def _functions(self) -> tuple[Any, np.ndarray]:
        if self.data.is_batch:
            raise ValueError("disturbances: expected one sequence; received a batch. Smooth each of data.sequences().")
        model = self.process.model
        return model.functions(), np.ascontiguousarray(model.extended_input(self.data.inputs, self.data.y))

    @property
    def log_likelihood(self) -> Any:
        """As of the filter."""
        return self.filter.log_likelihood

    @property
    def process(self) -> Process:
        """The process smoothed with."""
        return self.filter.process

    @property
    def data(self) -> Data:
        """The data smoothed."""
        return self.filter.data

    def _title(self) -> str:
        return f"Smoothed by {type(self.method).__name__}"

    def summary(self) -> dict[str, Any]:
        out = self.filter.summary()
        weights = self.weights
        if self.passes and self.passes[0].weights is not None and weights is not None:
            out["measurements of weight below 0.5"] = int((weights < 0.5).sum())
            out["log-likelihood is of"] = "the first pass, without weights"
        if self.passes and self.passes[0].status is not None:
            out["iteration"] = "; ".join(str(b.status) for b in self.passes[:5])
        return out

    def plot(self, ax: Any = None, level: float = 0.95) -> Any:
        """Draw the first states with their bands; return the axes."""
        from scipy.special import ndtri

        from .. import plot

        first = (0,) if self.data.is_batch else ()
        mean, std = self.smoothed.mean[first], self.smoothed.std[first]
        count = min(mean.shape[-1], 4)
        grid = np.atleast_1d(plot.axes(ax, count)).reshape(-1)
        for i in range(count):
            a = grid[min(i, len(grid) - 1)]
            half = ndtri(0.5 + level / 2) * std[:, i]
            a.plot(plot.times(self.data), mean[:, i], color=plot.COLOURS["model"], linewidth=1.2, label="smoothed state")
            plot.band(a, plot.times(self.data), mean[:, i] - half, mean[:, i] + half, label=f"{100 * level:g} % band")
            a.set_ylabel(f"x{i + 1}")
        plot.legend(grid[0])
        plot.time_axes(grid, plot.times(self.data))
        return grid[0] if len(grid) == 1 else grid


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Banded):
    """Outputs beyond the data. mean: (h, p), cov: (h, p, p) in the model's units; interval() and plot() in original units.

    states: laws of x[T..T+h-1]. data, process: what it was computed from. samples: (n_samples, h, p) sampled paths in the model's units, or None.
    diverged: first step after which a run without noise is not finite; its later outputs are NaN.
    """

    mean: np.ndarray
    cov: np.ndarray
    states: States
    data: Data
    process: Process
    samples: np.ndarray | None = None
    diverged: int | None = None
    _beyond = True

    @property
    def y_mean(self) -> np.ndarray:  # type: ignore[override]
        """The mean (h, p)."""
        return self.mean

    @property
    def y_cov(self) -> np.ndarray:
        """The covariance (h, p, p)."""
        return self.cov

    @property
    def time(self) -> np.ndarray:
        """Times of the forecast (h,)."""
        return self.data.t0 + self.data.dt * (self.data.n_steps + np.arange(self.mean.shape[-2]))

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Central interval of every output, (h, p) low and high, in original units, from the samples if any. Raises ValueError for a level outside (0, 1)."""
        if self.samples is None:
            return super().interval(level)
        _check.level(level, "interval")
        ends = [self.data.to_original(np.quantile(self.samples, q, axis=0)) for q in (0.5 - level / 2, 0.5 + level / 2)]
        return np.minimum(*ends), np.maximum(*ends)

    def plot(self, ax: Any = None, level: float = 0.95, history: int | None = None) -> Any:
        """Draw the forecast with its band behind the last `history` measurements, five horizons of them unless told; return the axes.

        Raises TypeError or ValueError for a history that is not a whole number from 0.
        """
        shown = max(5 * self.mean.shape[-2], 50) if history is None else _check.count(history, "history", "Forecast.plot", least=0)
        return self._drawn(ax, level, since=max(self.data.n_steps - shown, 0))

    def summary(self) -> dict[str, Any]:
        low, high = self.interval()
        out: dict[str, Any] = {"sequences": len(self.mean)} if self.mean.ndim == 3 else {}
        out |= {"horizon": self.mean.shape[-2], "outputs": self.mean.shape[-1]}
        if self.samples is None and not np.any(self.cov):
            shown = self.data.to_original(self.mean)
            out |= {"first": shown[..., 0, :].ravel(), "last": shown[..., -1, :].ravel(),
                    "bands": "none: the model has no noise; forecast a Process for bands"}  # fmt: skip
        else:
            out |= {"first, 95 %": [low[..., 0, :].ravel(), high[..., 0, :].ravel()],
                    "last, 95 %": [low[..., -1, :].ravel(), high[..., -1, :].ravel()],
                    "bands from": "Gaussian laws" if self.samples is None else f"{len(self.samples)} sampled paths"}  # fmt: skip
        return out if self.diverged is None else {**out, "diverged at step": self.diverged}


def gather(blocks: list[np.ndarray], traces: list[Trace], batch: bool) -> np.ndarray:
    """(T, ...) for one sequence; (S, T, ...) for a batch, a view without copies where sequences share."""
    if not batch:
        return blocks[0]
    if len(blocks) == 1:
        return np.broadcast_to(blocks[0], (traces[0].n_sequences, *blocks[0].shape))
    return np.stack(blocks)
