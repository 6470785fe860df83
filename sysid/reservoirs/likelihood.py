"""The objective of a reservoir fit: innovations log-likelihood and readout prior as a function of what is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..certificates.project import CertifiedSet
from ..core.data import Data
from ..models.esn import ESN
from ..models.process import Process
from .coordinates import NAMES, Coordinates
from .forced import GAINS, ForcedReservoir, Parameters
from .m_step import Moments, smoothed_moments
from .process_noise import NoiseForm
from .schedule import factors_of


@dataclass(frozen=True, eq=False)
class Objective:
    """Log-likelihood plus the log prior of the readout weights, up to constants, as a function of free parameters.

    prior (p,): precision of each output's weights, zero where the readout is not estimated.
    """

    reservoir: ForcedReservoir
    coordinates: Coordinates
    prior: np.ndarray

    def log_prior(self, p: Parameters) -> float:
        return -0.5 * float(self.prior @ np.sum(p.C**2, 1))

    def value(self, p: Parameters) -> float:
        """The objective; -inf where the filter breaks down."""
        return self.reservoir.log_likelihood(p) + self.log_prior(p)

    def moments(self, p: Parameters, *, rows: bool = True) -> Moments:
        """The E-step at p, with what the M-step needs of it."""
        return smoothed_moments(self.reservoir, p, rows=rows, between=rows and self.coordinates.between(p))

    def value_and_gradient(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its exact gradient at a vector of free parameters."""
        p = self.coordinates.unpack(v)
        value, g = self.reservoir.gradient(p)
        if not np.isfinite(value):
            return -np.inf, np.zeros_like(v)
        g["C"] -= self.prior[:, None] * p.C
        return value + self.log_prior(p), self.coordinates.pull_back(g, p)


def objective(start: Process, records: Sequence[Data], names: Sequence[str], *, readout_prior: float, noise_floor: float,
              Q: Any, R: str, leak_groups: np.ndarray | None, contraction: float | None = None,
              schedule: Any = None, averaged: bool = False, call: str) -> tuple[Objective, Parameters]:
    """Check what a fit is asked for and set its objective up; return it with the start, projected where asked."""
    p = Parameters.of(start, call)
    asked, clock = tuple(names), "tau" in names
    names = tuple("leak" if name == "tau" else name for name in asked)
    unknown = [name for name in names if name not in NAMES]
    if unknown or len(set(names)) != len(names) or not names:
        raise ValueError(f"{call}: expected estimate as different names among {', '.join(NAMES)}, or tau in place of leak; "
                         f"received {asked}.")
    _reachable(start, records, names, call)
    esn = start.model
    if records[0].n_outputs != len(esn.C) or records[0].n_inputs != esn.n_inputs:
        raise ValueError(f"{call}: expected data with {len(esn.C)} outputs and {esn.n_inputs} inputs as in the model; "
                         f"received {records[0].n_outputs} and {records[0].n_inputs}.")
    groups = _groups(p, leak_groups, call)
    y = np.concatenate([d.y for d in records])
    if np.isnan(y).all(0).any():
        raise ValueError(f"{call}: expected measured samples of every output; output {int(np.argmax(np.isnan(y).all(0)))} is NaN throughout.")
    variance = np.nanvar(y, 0)
    if np.any(variance <= 0):
        raise ValueError(f"{call}: expected outputs that vary; output {int(np.argmin(variance))} is constant.")
    prior = readout_prior / variance if "readout" in names else np.zeros(len(variance))
    form = "scaled" if R == "diagonal" and np.any(p.R != np.diag(np.diag(p.R))) else R
    if form == "full" and "R" in names and any((np.isnan(d.y).sum(1) % len(variance)).any() for d in records):
        raise ValueError(f"{call}: expected outputs measured together or not at all for R='full'; received rows of y measured "
                         "in part. R='diagonal' takes them entry by entry.")
    if "Q" in names and np.any(p.q <= 0):
        raise ValueError(f"{call}: expected Q with positive variances where Q is estimated; received zeros, which no "
                         "likelihood step leaves. Start from a small positive Q.")
    ordered = tuple(name for name in NAMES if name in names)
    region = None if contraction is None else _region(esn, ordered, groups, contraction, call)
    noise = NoiseForm.of(p.Q, Q, max(noise_floor, 1e-300), call) if "Q" in names else None
    c = Coordinates(ordered, p, groups, noise, form, noise_floor * variance, region=region,
                    time_unit=float(esn.dt) if clock else 0.0)
    _enough(records, c, prior, call)
    factors = factors_of(schedule, records, call)
    return Objective(ForcedReservoir.of(esn, records, factors, averaged), c, prior), c.unpack(c.clip(c.pack(c.certified(p))))


def _enough(records: Sequence[Data], c: Coordinates, prior: np.ndarray, call: str) -> None:
    """Refuse fewer measurements than parameters; a readout under a prior does not count."""
    labels = [label.split("[")[0] for label in c.labels()]
    free = sum(label != "readout" or not np.all(prior > 0) for label in labels)
    measured = sum(int(np.sum(~d.missing)) for d in records)
    if measured <= free:
        raise ValueError(f"{call}: expected more measurements than the {free} parameters to estimate; received {measured}. "
                         "The series is too short: estimate fewer, or give a longer one.")


def _reachable(start: Process, records: Sequence[Data], names: Sequence[str], call: str) -> None:
    """Refuse to estimate what the data cannot see."""
    esn = start.model
    sources = {"input_scale": esn.W_in, "feedback_scale": np.zeros(0) if esn.W_fb is None else esn.W_fb,
               "bias_scale": esn.bias, "scale": esn.dense_W}
    for name, source in sources.items():
        if name in names and not np.any(source):
            hint = " The outputs fed back are scaled by feedback_scale." if name == "input_scale" and esn.n_feedback else ""
            raise ValueError(f"{call}: expected something for {name} to multiply; the start's matrix is empty or zero.{hint}")
    moving = [name for name in names if name in ("leak", "scale", *GAINS)]
    if moving and "readout" not in names and not np.any(esn.C):
        raise ValueError(f"{call}: expected a readout that sees the state to estimate {', '.join(moving)}; C is zero, so the "
                         "state is unobservable. Train it first (sysid.Readout), or name 'readout' too.")
    if moving and esn.n_inputs and not np.any(esn.bias) and not esn.n_feedback \
            and all(not np.any(d.inputs) for d in records):
        raise ValueError(f"{call}: expected inputs that excite the reservoir; received zeros throughout, no bias and no "
                         f"feedback, so {', '.join(moving)} leave no trace in the outputs.")


def _region(esn: ESN, names: Sequence[str], groups: np.ndarray, rate: float, call: str) -> CertifiedSet:
    """Leaks and scales of this W that the circle criterion certifies; a hair inside, so that the proof succeeds."""
    if not 0 < rate < 1:
        raise ValueError(f"{call}: expected contraction as a rate in (0, 1); received {rate!r}.")
    if "scale" not in names or groups.max() > 0:
        raise ValueError(f"{call}: expected 'scale' in estimate and one leak for all units where contraction is given: the "
                         "constraint bounds the scale at every leak. sysid.scale_to_certified scales any other network.")
    return CertifiedSet.of(esn, rate * (1 - 1e-6))


def _groups(p: Parameters, leak_groups: np.ndarray | None, call: str) -> np.ndarray:
    if leak_groups is None:
        return np.unique(p.leak, return_inverse=True)[1].reshape(-1)
    groups = np.asarray(leak_groups)
    if groups.shape != p.leak.shape or groups.dtype.kind not in "iu" or set(groups) != set(range(groups.max() + 1)):
        raise ValueError(f"{call}: expected leak_groups as {len(p.leak)} whole numbers 0, 1, ... without gaps; "
                         f"received {leak_groups!r}.")
    return groups
