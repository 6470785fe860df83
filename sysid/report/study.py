"""What the demonstration computes: a reservoir fitted to the yearly sunspot numbers, its proof, its analysis, its forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..certificates.certificate import Certificate
from ..certificates.certify import certify
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..datasets.shipped import sunspots
from ..identification.fit import fit
from ..inference.filter import filter
from ..inference.forecast import Forecast, forecast
from ..models.esn import ESN
from ..models.lti import LTI
from ..models.process import Process
from ..reservoirs.hyperparameters import ReservoirEM
from ..reservoirs.profile import Profile, profile_likelihood
from ..reservoirs.readout import Readout
from ..transforms.linearize import linearize

FIRST_UNSEEN = 1921
FREE_FROM = 1987
HORIZON = 44
SEED = 0
STARTS = (0.3, 1.0)
PROFILED = (0.4, 0.55, 0.7, 0.85, 1.0)
PRIOR = 1.4  # precision of the readout's Gaussian prior, where the evidence of the learnt years is largest


@dataclass(frozen=True)
class Score:
    """How one-step predictions did on the unseen years, in counts."""

    name: str
    nrmse: float
    coverage: float
    width: float

    @classmethod
    def of(cls, name: str, y: np.ndarray, median: np.ndarray, low: np.ndarray, high: np.ndarray) -> Score:
        """Scores of a path (T,) with a band: error over the spread of y, share inside the band, its mean width."""
        inside = (y >= low) & (y <= high)
        return cls(name, float(np.sqrt(np.mean((y - median) ** 2)) / y.std()), float(inside.mean()),
                   float((high - low).mean()))


@dataclass(frozen=True)
class Study:
    """Everything the page shows, computed when first asked for; y is the square root of the counts."""

    series: Data
    starts: dict[str, Any]
    method: ReservoirEM

    @classmethod
    def of(cls, n_states: int) -> Study:
        """Fit the reservoir to the years before FIRST_UNSEEN, from two starting leaks."""
        series = sunspots().map(np.sqrt, inverse=np.square)
        train = series[: FIRST_UNSEEN - 1700]
        method = ReservoirEM(estimate=("leak", "R", "readout"), readout_prior=PRIOR, max_iterations=40, tolerance=1e-6,
                             leak_scan=5, covariance_rank=24, standard_errors=False)
        return cls(series, {f"start {leak:g}": fit(train, method, start=_start(train, n_states, leak))
                            for leak in STARTS}, method)

    @cached_property
    def best(self) -> Any:
        """The fit of the highest likelihood."""
        return max(self.starts.values(), key=lambda f: f.objective)

    @cached_property
    def profile(self) -> Profile:
        """The log posterior over the leak, everything else that is free maximised."""
        train = self.series[: FIRST_UNSEEN - 1700]
        return profile_likelihood(train, replace(self.method, max_iterations=8, leak_scan=0), self.best, "leak", PROFILED)

    @cached_property
    def esn(self) -> ESN:
        """The fitted reservoir."""
        return self.best.model

    @cached_property
    def certificate(self) -> Certificate:
        """Of the driven map."""
        return certify(self.esn)

    @cached_property
    def driven(self) -> LTI:
        """The linearisation from the measured output to its prediction, at the mean level."""
        level = self.series.y.mean(0)
        model: Any = linearize(self.esn, x=self.esn.equilibrium(feedback=level), feedback=level)
        return model

    @cached_property
    def free(self) -> LTI:
        """The linearisation of the closed loop at its equilibrium."""
        closed = self.esn.closed_loop()
        model: Any = linearize(closed, x=closed.equilibrium(x0=self.esn.equilibrium(feedback=self.series.y.mean(0))))
        return model

    @cached_property
    def one_step(self) -> Any:
        """The filter over all years; its predictions use the past of each year only."""
        return filter(self.best.process, self.series)

    @cached_property
    def ahead(self) -> Forecast:
        """The free forecast from FREE_FROM."""
        return forecast(self.best.process, self.series[: FREE_FROM - 1700], HORIZON)

    def scores(self) -> tuple[Score, Score]:
        """Reservoir and AR(9) on the unseen years."""
        k = FIRST_UNSEEN - 1700
        y = self.series.original[k:, 0]
        low, high = (band[k:, 0] for band in self.one_step.interval())
        return (Score.of("reservoir", y, self.one_step.median[k:, 0], low, high),
                Score.of("AR(9)", y, *autoregression(self.series.y[:, 0], 9, k)))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies in cycles a year and the density of the closed loop driven by its own noise."""
        frequency = np.linspace(0.005, 0.5, 1500)
        A, C, R = self.free.A, self.free.C, self.best.process.R
        # An innovation of the output enters the state through the feedback as well as through w.
        gain = self.esn.leaks[:, None] * self._slope * self.esn.W_fb
        Q = self.best.process.Q + gain @ R @ gain.T
        z = np.exp(2j * np.pi * frequency)
        density = [((C @ (X := np.linalg.inv(zk * np.eye(len(A)) - A)) @ Q @ X.conj().T @ C.T) + R).real.item() for zk in z]
        return frequency, np.array(density)

    @cached_property
    def _slope(self) -> np.ndarray:
        x = self.esn.equilibrium(feedback=self.series.y.mean(0))
        return self.esn.act.derivative(self.esn.dense_W @ x + self.esn.W_fb @ self.series.y.mean(0) + self.esn.bias)[:, None]


def _start(train: Data, n_states: int, leak: float) -> Process:
    """A reservoir with a ridge readout, and the noise its residuals suggest.

    An orthogonal W of norm 0.9 keeps the past of some ten years and can be certified; state noise is held near zero,
    so that what is not predicted counts as noise of the measurement.
    """
    esn = ESN.random(n_states, 0, 1, topology="orthogonal", spectral_radius=0.9, leak=leak, input_scale=0.25,
                     bias_scale=0.5, rng=np.random.default_rng(SEED))
    first = fit(train, Readout(ridge=np.logspace(-3, 2, 11), washout=12), start=esn)
    law = first.process.initial
    return replace(first.process, Q=1e-6, initial=Gaussian(law.mean, law.cov + 1e-6 * np.eye(n_states)))


def autoregression(y: np.ndarray, order: int, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One-step predictions of the square root from `split` on by AR(order) with a constant: median, 95 % band, in counts."""
    rows = np.column_stack([np.ones(len(y) - order), *(y[order - k:len(y) - k] for k in range(1, order + 1))])
    seen = split - order
    weights = np.linalg.lstsq(rows[:seen], y[order:split], rcond=None)[0]
    residual = y[order:split] - rows[:seen] @ weights
    half = 1.959964 * np.sqrt(residual @ residual / (seen - order - 1))
    mean = rows[seen:] @ weights
    return mean**2, np.maximum(mean - half, 0) ** 2, (mean + half) ** 2
