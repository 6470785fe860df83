r"""Settings of a reservoir chosen by the exact evidence of its Bayesian readout: a grid, then a climb from its best point.

    log p(y | settings) = log int N(y; X c + d, 1/beta) N(c; 0, 1/alpha) dc,   alpha, beta at their maximum   [MacKay 1992]
    log settings ~ N(log middle of the grid, width^2)

With a state driven by measured outputs and next to no process noise the readout is a Bayesian linear regression on known
states: one decomposition a candidate, so that a hundred of them take a second or two and no sample is held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..core.gaussian import Gaussian
from ..models.esn import ESN
from ..models.process import Process
from ..models.topology import orthogonal
from .bayesian import BayesianReadout

SETTINGS = ("radius", "leak", "feedback_scale", "bias_scale", "input_scale")
SHARE = 1e-2          # of R that the first process noise makes at the output
BEYOND = 30.0         # times below the grid that a climb may go
CONTRACTING = 0.99    # largest radius of a climb that starts below 1


@dataclass(frozen=True, eq=False, repr=False)
class EvidenceStart(Shown):
    """The settings of the largest evidence, and all that were compared.

    process: a start for `ReservoirEM`. readout_prior: the precision found, in the units of `ReservoirEM(readout_prior=...)`.
    settings: name -> value. evidence (k,) and candidates (k, settings), columns as in `names`: the table, best first.
    """

    process: Process
    readout_prior: float
    settings: dict[str, float]
    names: tuple[str, ...]
    candidates: np.ndarray
    evidence: np.ndarray

    def summary(self) -> dict[str, Any]:
        return {**self.settings, "readout prior": self.readout_prior, "log evidence": float(self.evidence[0]),
                "candidates": len(self.evidence), "ahead of the second": float(self.evidence[0] - self.evidence[1:2].max(initial=-np.inf))}


def evidence_start(data: Data | Iterable[Data], rng: np.random.Generator, *, n_states: int = 100,
                   radius: Sequence[float] = (0.6, 0.9), leak: Sequence[float] = (0.4, 1.0),
                   feedback_scale: Sequence[float] = (0.1, 0.3, 1.0), bias_scale: Sequence[float] = (0.1, 1.0),
                   input_scale: Sequence[float] = (0.1, 0.3, 1.0), climb: int = 80, width: float = 1.0,
                   noise: float | None = None) -> EvidenceStart:
    """Draw one reservoir that feeds measured outputs back, choose its scales by the evidence of the data, and teach it.

        x[t+1] = (1 - leak) x[t] + leak tanh(W x[t] + W_in u[t] + W_fb y[t] + bias) + w[t],    y[t] = C x[t] + d + v[t]

    data: outputs y (T, p) and inputs u (T, m) or none, all of about unit variance. rng: draws W, an orthogonal matrix times radius,
    and the entries of bias, W_fb and W_in, uniform on [-1, 1] times their scale.
    radius, leak, feedback_scale, bias_scale, input_scale: values to compare; one value alone is held.
    climb: evaluations of a simplex search from the best candidate, 0 for none; it may leave the grid, but keeps leak <= 1 and
    a radius below 1, at which the driven map contracts whatever is fed back. width: standard deviation of the settings' log-normal
    prior around the middle of their values, which matters where the record is short.
    noise: variance of w. None: as much as makes 1 % of R at the output, and x[0] drawn from the states along the record; a
    guess that |C|^2 carries above R is where climbs of the likelihood get stuck. A number: that, and x[0] at rest.
    O(k (T n^2 + n^3)) for k candidates: a second for 100 of n = 60, T = 1000.
    Raises TypeError or ValueError for options of another kind, grids with values out of range, or an output that never moves.
    """
    call = "evidence_start"
    records = experiments(data, call)
    climb, width = _check.count(climb, "climb", call, least=0), _check.positive(width, "width", call)
    if noise is not None:
        noise = _check.positive(noise, "noise", call)
    y = np.concatenate([d.y for d in records])
    variance = np.nanvar(y, 0) if not np.isnan(y).all(0).any() else np.zeros(1)
    if not np.all(variance > 0):
        raise ValueError(f"{call}: expected outputs that are measured and vary; received one that does not. Leave the channel out.")
    names = SETTINGS if records[0].n_inputs else SETTINGS[:-1]
    values = [_check.vector(v, name, call) for v, name in zip((radius, leak, feedback_scale, bias_scale, input_scale), names)]
    for name, v in zip(names, values):
        if not len(v) or np.any(v <= 0) or (name == "leak" and np.any(v > 1)):
            raise ValueError(f"{call}: expected values of {name} above 0{' and at most 1' if name == 'leak' else ''}; received {v.tolist()}.")
    search = _Search(records, _drawn(records[0], n_states, rng, call), names)
    for point in product(*values):
        search.evidence_at(np.array(point))
    if climb:
        search.climb(values, climb, width)
    settings, fit, order = search.best, search.fit, np.argsort(-np.array(search.evidence), kind="stable")
    return EvidenceStart(ready(fit, noise), float(np.exp(np.mean(np.log(fit.alpha * variance)))), dict(zip(names, map(float, settings))),
                         names, np.array(search.points)[order], np.array(search.evidence)[order])


def ready(fit: Any, noise: float | None = None) -> Process:
    """The process of a taught readout as a start for inference: a little process noise, and a law of x[0] to go with it."""
    n = fit.model.n_states
    if noise is not None:
        return Process(fit.model, Q=np.full(n, noise), R=fit.process.R, initial=Gaussian(np.zeros(n), np.full(n, noise)))
    weight = np.maximum(np.sum(fit.model.C**2, 1), 1e-12)
    q, law = SHARE * float(np.min(np.diag(fit.process.R) / weight)), fit.process.initial
    return Process(fit.model, Q=np.full(n, q), R=fit.process.R,
                   initial=Gaussian(law.mean, law.cov + 1e-8 * max(float(np.trace(law.cov)) / n, 1e-8) * np.eye(n)))


def _drawn(data: Data, n_states: int, rng: np.random.Generator, call: str) -> ESN:
    """The reservoir with all scales at 1."""
    rng, n = _check.generator(rng, call), _check.count(n_states, "n_states", call)
    W, bias = np.asarray(orthogonal(n, rng=rng)), rng.uniform(-1, 1, n)
    W_fb = rng.uniform(-1, 1, (n, data.n_outputs))
    W_in = rng.uniform(-1, 1, (n, data.n_inputs)) if data.n_inputs else None
    return ESN(W, W_in, bias, 1.0, W_fb=W_fb, dt=data.dt)


@dataclass
class _Search:
    """All settings tried so far, and the best of them by evidence plus log prior (flat until a climb)."""

    records: list[Data]
    base: ESN
    names: tuple[str, ...]
    points: list[np.ndarray] = field(default_factory=list)
    evidence: list[float] = field(default_factory=list)
    best: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fit: Any = None
    top: float = -np.inf

    def evidence_at(self, point: np.ndarray, log_prior: float = 0.0) -> float:
        """The log posterior of settings, up to a constant."""
        method = BayesianReadout(washout=min(20, self.records[0].n_steps // 5))
        fit: Any = method.fit(self.records, self._scaled(*point))
        value = float(fit.log_likelihood) + log_prior
        self.points.append(point)
        self.evidence.append(float(fit.log_likelihood))
        if value > self.top:
            self.best, self.fit, self.top = point, fit, value
        return value

    def _scaled(self, radius: float, leak: float, feedback: float, bias: float, inward: float = 1.0) -> ESN:
        b = self.base
        return replace(b, W=radius * b.dense_W, W_in=inward * b.W_in, W_fb=feedback * np.asarray(b.W_fb), bias=bias * b.bias,
                       leak=float(leak))

    def climb(self, values: list[np.ndarray], evaluations: int, width: float) -> None:
        """Nelder-Mead in the logarithms of the settings that were given more than one value, from the best so far."""
        from scipy.optimize import minimize

        free = [i for i, v in enumerate(values) if len(v) > 1]
        if not free:
            return
        start, middle = self.best.copy(), np.array([np.log(values[i]).mean() for i in free])
        low, high = (np.log([_ends(self.names[i], values[i])[k] for i in free]) for k in (0, 1))

        def negative(v: np.ndarray) -> float:
            point = start.copy()
            point[free] = np.exp(v)
            return -self.evidence_at(point, -0.5 * float(np.sum(((v - middle) / width) ** 2)))

        first = np.log(start[free])
        self.top -= 0.5 * float(np.sum(((first - middle) / width) ** 2))
        inward = np.where(first - np.log(2.0) / 1.4 > low, -0.5, 0.5)
        simplex = np.clip(np.vstack([first, first + np.diag(inward)]), low, high)
        minimize(negative, first, method="Nelder-Mead", bounds=list(zip(low, high)),
                 options={"maxfev": evaluations, "initial_simplex": simplex, "xatol": 1e-2, "fatol": 1e-2})


def _ends(name: str, values: np.ndarray) -> tuple[float, float]:
    """How far a climb may take a setting."""
    low, high = float(values.min()) / BEYOND, 3.0 * float(values.max())
    if name == "leak":
        return max(low, 1e-2), 1.0
    if name == "radius":
        return low, CONTRACTING if values.max() < 1 else high
    return low, high
