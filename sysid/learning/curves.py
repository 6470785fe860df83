"""The three questions of the learning-dynamics paper as calls that return curves: data covariance, latent size, start.

Each curve is the closed form `mode_gain` at one pole; the statistics come from a teacher and an input spectrum. [LDSSM]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..models.lti import LTI
from .modes import _times, mode_gain, mode_rate
from .statistics import population_statistics


@dataclass(frozen=True, eq=False, repr=False)
class GainCurves(Shown):
    """Gains under training for several settings. times (n,); labels, k of them; gains (k, n); targets (k,), eta / sigma;
    rates (k,), lambda; times_to_fit (k,), first time within 1 % of the target, infinite where not reached."""

    times: np.ndarray
    labels: tuple[str, ...]
    gains: np.ndarray
    targets: np.ndarray
    rates: np.ndarray

    @property
    def times_to_fit(self) -> np.ndarray:
        near = np.abs(self.gains - self.targets[:, None]) <= 0.01 * np.abs(self.targets[:, None])
        return np.where(near.any(axis=1), self.times[np.argmax(near, axis=1)], np.inf)

    def summary(self) -> dict[str, Any]:
        return {label: f"rate {rate:.4g}, fitted at {time:.4g}" for label, rate, time in
                zip(self.labels, self.rates, self.times_to_fit)}

    def plot(self, ax: Any = None) -> Any:
        """Draw gain / target against training time, one line a setting."""
        from .. import plot
        ax = plot.axes(ax)
        for label, gain, target in zip(self.labels, self.gains, self.targets):
            ax.plot(self.times, gain / (target or 1.0), label=label)  # towards a target of zero the gain itself
        ax.axhline(1.0, color=plot.COLOURS["grid"])
        ax.set(xlabel="training time", ylabel="gain / target")
        ax.legend(frameon=False)
        return ax


def data_covariance_curves(t: Any, pole: float, teacher: LTI, inputs: Mapping[str, LTI | None], s0: float = 1e-2,
                           tau: float = 1.0) -> GainCurves:
    """Show how the input's spectrum changes learning at one pole from a balanced start of gain s0.

    t (n,): training times. teacher: a stable LTI. inputs: shaping filters by label, each a stable LTI driven by unit white noise, or None for white input.
    tau : time constant of the flow, in the unit of t
    """
    _mapping(inputs, "inputs as a dict of label -> shaping filter, such as {'white': None}", "data_covariance_curves")
    settings = {}
    for label, shaping in inputs.items():
        G, h = population_statistics([pole], teacher, shaping)
        settings[label] = (G[0, 0], h[0], _balanced(s0, 1, "data_covariance_curves"))
    return _curves(t, settings, tau, "data_covariance_curves")


def latent_size_curves(t: Any, sigma: float, eta: float, sizes: Any, *, start: str = "unit", s0: float = 1e-2,
                       variance: float = 1.0, rng: np.random.Generator | None = None, tau: float = 1.0) -> GainCurves:
    """Show what N latent copies of one pole change, N in sizes.

    t (n,): training times; sigma, eta: statistics of the data; sizes: the N.
    start: "unit" balanced with gain s0 a copy, so S(0) = N s0: the rate stays and time falls by tau log(N) / (2 eta);
    "total" balanced with S(0) = s0 whatever N: no change at all; "independent" weights N(0, variance) drawn with rng: rate about
    2 N variance sigma / tau; "scaled" the same with variance / N: rate independent of N.
    Raises TypeError or ValueError for another start, sizes that are not whole numbers, or a missing rng.
    """
    call = "latent_size_curves"
    _check.choice(start, "start", call, ("unit", "total", "independent", "scaled"))
    variance, s0, settings = _check.positive(variance, "variance", call), _check.positive(s0, "s0", call, zero=True), {}
    for size in np.atleast_1d(sizes).tolist():
        n = _check.count(size, "sizes", call)
        if start in ("unit", "total"):
            weights = _balanced(s0 * n if start == "unit" else s0, n, call)
        else:
            spread = np.sqrt(variance / (n if start == "scaled" else 1))
            draws = _check.generator(rng, call).normal(size=(2, n)) * spread
            weights = (draws[0], draws[1])
        settings[f"N = {n}"] = (sigma, eta, weights)
    return _curves(t, settings, tau, call)


def initialisation_curves(t: Any, sigma: float, eta: float, starts: Mapping[str, tuple[Any, Any]], tau: float = 1.0) -> GainCurves:
    """Show what the start changes.

    t (n,): training times; sigma, eta: statistics of the data; starts: pairs (b0, c0), each (N,), by label.
    tau : time constant of the flow, in the unit of t
    """
    _mapping(starts, "starts as a dict of label -> (b0, c0)", "initialisation_curves")
    return _curves(t, {label: (sigma, eta, pair) for label, pair in starts.items()}, tau, "initialisation_curves")


def _balanced(total: float, n: int, call: str) -> tuple[np.ndarray, np.ndarray]:
    if not _check.positive(total, "s0", call, zero=True):
        raise ValueError(f"{call}: expected s0 > 0; received {total!r}. From zero weights nothing is learnt.")
    b = np.full(n, np.sqrt(total / n))
    return b, b


def _mapping(value: Any, wanted: str, call: str) -> None:
    _check.kind(value, isinstance(value, Mapping), wanted, call)


def _curves(t: Any, settings: Mapping[str, tuple], tau: float, call: str) -> GainCurves:
    if not settings:
        raise ValueError(f"{call}: expected at least one setting; received none.")
    times = _times(t, call)
    gains = np.stack([mode_gain(times, sigma, eta, b, c, tau) for sigma, eta, (b, c) in settings.values()])
    return GainCurves(times, tuple(settings), gains, np.array([eta / sigma for sigma, eta, _ in settings.values()]),
                      np.array([mode_rate(sigma, eta, b, c, tau) for sigma, eta, (b, c) in settings.values()]))
