r"""Settings of a reservoir for an autonomous series, chosen by the exact evidence of its Bayesian readout.

    log p(y | settings) = log int N(y; X c + d, 1/beta) N(c; 0, 1/alpha) dc,   alpha, beta at their maximum   [MacKay 1992]

With a state driven by measured outputs and next to no process noise the readout is a Bayesian linear regression on known
states: one decomposition a candidate, so that a hundred of them take seconds and no sample is held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..core.gaussian import Gaussian
from ..models.esn import ESN
from ..models.process import Process
from .autonomous import autonomous_start
from .bayesian import BayesianReadout

SETTINGS = ("radius", "leak", "feedback_scale", "bias_scale")


@dataclass(frozen=True, eq=False, repr=False)
class EvidenceStart(Shown):
    """The settings of the largest evidence, and all that were compared.

    process: a start for `ReservoirEM`. readout_prior: the precision found, in the units of `ReservoirEM(readout_prior=...)`.
    settings: name -> value. evidence (k,) and candidates (k, 4), columns as in `names`: the table, best first.
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
                   radius: Sequence[float] = (0.8, 0.9, 0.98), leak: Sequence[float] = (0.5, 0.7, 0.85, 1.0),
                   feedback_scale: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0), bias_scale: Sequence[float] = (0.1, 0.3, 1.0),
                   noise: float = 1e-6) -> EvidenceStart:
    """Draw one reservoir as `autonomous_start` does and choose its scales by the evidence of the data.

    data: outputs y (T, p) without inputs, of unit variance. radius below 1: the driven map contracts whatever is fed back.
    The defaults span short to long memory and nearly linear to saturated units. noise: variance of w.
    O(k (T n^2 + n^3)) for k candidates: seconds for 180 of n = 100, T = 220.
    """
    records = experiments(data, "evidence_start")
    axes = [_check.vector(v, name, "evidence_start") for v, name in zip((radius, leak, feedback_scale, bias_scale), SETTINGS)]
    base = autonomous_start(records, rng, n_states=n_states, radius=1.0, feedback_scale=1.0, bias_scale=1.0, leak=1.0)
    method = BayesianReadout(washout=min(20, records[0].n_steps // 5))
    rows: list[tuple[float, tuple[float, ...], Any]] = []
    for values in product(*axes):
        fit: Any = method.fit(records, _scaled(base.model, *values))
        rows.append((float(fit.log_likelihood), values, fit))
    rows.sort(key=lambda row: -row[0])
    _, values, fit = rows[0]
    n, variance = n_states, np.nanvar(np.concatenate([d.y for d in records]), 0)
    process = Process(fit.model, Q=np.full(n, noise), R=fit.process.R, initial=Gaussian(np.zeros(n), np.full(n, noise)))
    return EvidenceStart(process, float(np.exp(np.mean(np.log(fit.alpha * variance)))), dict(zip(SETTINGS, values)), SETTINGS,
                         np.array([v for _, v, _ in rows]), np.array([e for e, _, _ in rows]))


def _scaled(esn: ESN, radius: float, leak: float, feedback_scale: float, bias_scale: float) -> ESN:
    """The drawn reservoir with its scales set, untaught."""
    return replace(esn, W=radius * esn.dense_W, W_fb=feedback_scale * np.asarray(esn.W_fb), bias=bias_scale * esn.bias,
                   leak=float(leak), C=None, d=None)
