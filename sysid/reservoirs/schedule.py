r"""Covariances that change along a record: Q and R times known factors, for the filter and for the fit [ESN-SSM, Sec. 7.2].

    w[t] ~ N(0, q[t] Q),    v[t] ~ N(0, r[t] R)

A larger q where a model errs lets the state follow the measurements; equal factors that grow into the past are exponential
forgetting: every innovation counts by 1 / r[t].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..inference.filter import filter
from ..models.process import Process

LARGEST = 1e8     # factor; a sample that counts less than 1e-8 counts for nothing


@dataclass(frozen=True, eq=False, repr=False)
class NoiseSchedule(Shown):
    """Factors on the noise covariances along one sequence.

    q (T,): on Q, for the step from t to t + 1. r (T,): on R, for the measurement at t. Positive; 1 leaves a covariance as it is.
    `apply(process)` gives the process to filter with; `ReservoirEM(schedule=...)` estimates the Q and R that they multiply.
    Raises ValueError for factors that are not positive, or of different lengths.
    """

    q: np.ndarray
    r: np.ndarray

    def __post_init__(self) -> None:
        for name in ("q", "r"):
            value = _check.vector(getattr(self, name), name, "NoiseSchedule")
            if np.any(value <= 0):
                raise ValueError(f"NoiseSchedule: expected positive factors {name}; received {value.min():g}.")
            object.__setattr__(self, name, value)
        if len(self.q) != len(self.r):
            raise ValueError(f"NoiseSchedule: expected q and r of one length, the samples of the sequence; received {len(self.q)} and {len(self.r)}.")

    @classmethod
    def forgetting(cls, n_steps: int, factor: float) -> NoiseSchedule:
        """Let sample t of T count by factor^(T-1-t), down to 1e-8; factor in (0, 1], 1 / (1 - factor) samples count.

        Raises TypeError or ValueError for n_steps that is not a whole number, or a factor outside (0, 1].
        """
        _check.count(n_steps, "n_steps", "NoiseSchedule.forgetting")
        if not _check.positive(factor, "factor", "NoiseSchedule.forgetting") <= 1:
            raise ValueError(f"NoiseSchedule.forgetting: expected factor in (0, 1]; received {factor!r}.")
        grown = np.exp(np.minimum(-np.log(factor) * np.arange(n_steps - 1, -1, -1.0), np.log(LARGEST)))
        return cls(grown, grown)

    @classmethod
    def matching(cls, process: Process, data: Data, *, pace: float = 0.05) -> NoiseSchedule:
        r"""Raise Q where the process predicts worse than it claims, by matching covariances [Mehra 1972].

        .. math:: q_t = \max\left(1, \frac{\bar\nu_t - \rho_t}{1 - \rho_t}\right), \quad \nu_t = e_t' S_t^{-1} e_t / p,
                  \quad \rho_t = \operatorname{tr}(S_t^{-1} R) / p

        with nu-bar the running mean of weight `pace`: the factor on C P C' that would explain the innovations of the unscheduled
        filter. It uses nothing after t, so one-step predictions with it remain predictions. process: any with constant Q and R.
        data: one sequence; missing outputs leave the factor as it is. One filter pass.
        Raises TypeError or ValueError for what is not a Process with constant Q and R and one sequence, or a
        pace outside (0, 1].
        """
        call = "NoiseSchedule.matching"
        if not isinstance(process, Process) or process.Q.ndim != 2 or process.R.ndim != 2:
            raise TypeError(f"{call}: expected a sysid.Process with constant Q and R; received {type(process).__name__}.")
        if not isinstance(data, Data) or data.is_batch:
            raise TypeError(f"{call}: expected one sequence as sysid.Data; received {type(data).__name__}. Take data.sequences() one by one.")
        if not _check.positive(pace, "pace", call) <= 1:
            raise ValueError(f"{call}: expected pace in (0, 1]; received {pace!r}.")
        run = filter(process, data)
        q, mean, share = np.empty(data.n_steps), 1.0, 0.0
        for t, (y, m, S) in enumerate(zip(data.y, run.y_mean, run.y_cov)):
            seen = ~np.isnan(y)
            if seen.any():
                e, S, R = (y - m)[seen], S[np.ix_(seen, seen)], process.R[np.ix_(seen, seen)]
                mean = (1 - pace) * mean + pace * float(e @ np.linalg.solve(S, e)) / len(e)
                share = float(np.trace(np.linalg.solve(S, R))) / len(e)
            q[t] = 1.0 if mean <= 1.0 else min((mean - share) / max(1.0 - share, 1.0 / LARGEST), LARGEST)
        return cls(q, np.ones(data.n_steps))

    @property
    def n_steps(self) -> int:
        """Samples."""
        return len(self.q)

    @property
    def factors(self) -> np.ndarray:
        """Columns r, q (T, 2)."""
        return np.column_stack([self.r, self.q])

    def apply(self, process: Process) -> Process:
        """The process with Q (T, n, n) and R (T, p, p), for `filter`, `smooth` and what builds on them.

        Raises TypeError or ValueError for what is not a Process with constant, uncorrelated noises.
        """
        if not isinstance(process, Process) or process.Q.ndim != 2 or process.R.ndim != 2:
            raise TypeError(f"NoiseSchedule.apply: expected a sysid.Process with constant Q and R; received {type(process).__name__}.")
        if process.S is not None and np.any(process.S):
            raise ValueError("NoiseSchedule.apply: expected uncorrelated noises; received S different from zero, which two factors do not scale.")
        return Process(process.model, Q=self.q[:, None, None] * process.Q, R=self.r[:, None, None] * process.R, initial=process.initial)

    def summary(self) -> dict[str, Any]:
        return {"steps": self.n_steps, **{f"factor on {name}": f"{v.min():.3g} to {v.max():.3g}, median {np.median(v):.3g}"
                                          for name, v in (("Q", self.q), ("R", self.r))}}


def require_schedule(schedule: Any, call: str) -> None:
    """Refuse what is neither a schedule, nor several, nor a forgetting factor."""
    several = schedule if isinstance(schedule, list | tuple) and len(schedule) else [schedule]
    number = isinstance(schedule, int | float | np.integer | np.floating) and not isinstance(schedule, bool)
    if number and not 0 < schedule <= 1:
        raise ValueError(f"{call}: expected schedule as a forgetting factor in (0, 1], or a NoiseSchedule; received {schedule!r}.")
    if schedule is not None and not number and not all(isinstance(s, NoiseSchedule) for s in several):
        raise TypeError(f"{call}: expected schedule as a NoiseSchedule, one for every sequence, or a forgetting factor in (0, 1]; "
                        f"received {schedule!r}.")


def factors_of(schedule: Any, records: Sequence[Data], call: str) -> list[np.ndarray] | None:
    """The (T, 2) factors of every sequence from a schedule, one a sequence, or a forgetting factor; None where all are 1."""
    require_schedule(schedule, call)
    if schedule is None:
        return None
    if not isinstance(schedule, list | tuple | NoiseSchedule):
        return [NoiseSchedule.forgetting(d.n_steps, float(schedule)).factors for d in records]
    found = [schedule] if isinstance(schedule, NoiseSchedule) else list(schedule)
    lengths = [s.n_steps for s in found], [d.n_steps for d in records]
    if lengths[0] != lengths[1]:
        raise ValueError(f"{call}: expected a schedule as long as its sequence for every sequence; received lengths {lengths[0]} for data of {lengths[1]}.")
    return [s.factors for s in found]
