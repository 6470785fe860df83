"""The E-step over all experiments, a sum that runs through joblib, and the process that it may start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian, Stationary
from ..inference.start import stationary_law
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.process import Process
from .em_step import Maximiser
from .moments import Expected, Moments, expect


@dataclass
class Expectation:
    """The E-step over all experiments, and the precisions that heavy-tailed noise carries from round to round."""

    data: list[Data]
    degrees: float | None
    n_jobs: int | None
    maximise: Maximiser
    precisions: list[Any] = field(default_factory=list)

    def __call__(self, process: Process) -> tuple[float, Moments, list[Expected]]:
        """Objective (log likelihood or bound, plus log prior), the summed moments, and each experiment's part."""
        weights = self.precisions or [None] * len(self.data)
        if len(self.data) == 1:
            parts = [expect(process, self.data[0], weights[0], self.degrees)]
        else:
            from joblib import Parallel, delayed
            parts = Parallel(n_jobs=self.n_jobs)(delayed(expect)(process, d, w, self.degrees) for d, w in zip(self.data, weights))
        moments = reduce(add, (part.moments for part in parts))
        return moments.log_likelihood + self.maximise.log_prior(process), moments, parts

    def accept(self, parts: list[Expected]) -> None:
        """Carry the precisions on."""
        if self.degrees is not None:
            self.precisions = [part.weights for part in parts]


def gaussian_start(data: list[Data], start: Any, call: str) -> tuple[Process, list[str]]:
    """A process with S = 0, a regular Q and a Gaussian initial law, and what had to be changed for it."""
    notes: list[str] = []
    if start is None:
        from .subspace import Subspace
        start = Subspace().fit(data).process
    if not isinstance(start, Process) or not isinstance(start.model, LTI | Bilinear):
        kind = type(start.model).__name__ if isinstance(start, Process) else type(start).__name__
        raise TypeError(f"{call}: expected start as a Process around an LTI or Bilinear model, or None; received {kind}. "
                        "Give Q and R: sysid.Process(model, Q=..., R=...).")  # fmt: skip
    if start.Q.ndim == 3 or start.R.ndim == 3:
        raise ValueError(f"{call}: expected constant Q and R; received time-varying ones.")
    _check.same_time_step(start.model.dt, data[0].dt, call)
    if (start.model.n_inputs, start.n_outputs) != (data[0].n_inputs, data[0].n_outputs):
        raise ValueError(f"{call}: expected a start with {data[0].n_inputs} inputs and {data[0].n_outputs} outputs as in the data; "
                         f"received {start.model.n_inputs} and {start.n_outputs}.")  # fmt: skip
    law = start.initial if isinstance(start.initial, Gaussian) else None
    if law is None:
        law = _proper_law(start, data, call)
        notes.append(f"the initial law {type(start.initial).__name__}() was replaced by a Gaussian, which can be estimated")
    Q, R = start.Q, start.R
    if start.S is not None and start.S.any():
        # Without S the same output needs more process noise; a tenth of the innovations' part keeps Q regular.
        Q = Q + 0.1 * np.diag(np.diag(Q)) + 1e-3 * np.diag(np.diag(law.cov))
        notes.append("S was set to zero and Q enlarged at the start: the estimate has uncorrelated noises")
    return Process(start.model, Q, R, None, law), notes


def _proper_law(start: Process, data: list[Data], call: str) -> Gaussian:
    if isinstance(start.initial, Stationary):
        return stationary_law(start, np.arange(start.n_states), call)
    spread = np.nanvar(np.concatenate([d.y for d in data]), 0).sum() / max(np.linalg.norm(start.model.C) ** 2, 1e-300)
    return Gaussian(np.zeros(start.n_states), 10 * spread * np.eye(start.n_states))


def grouped(data: list[Data], process: Process, n_jobs: int | None) -> list[Data]:
    """Experiments of equal length without gaps as one batch, which shares its covariances; in order otherwise."""
    alone = isinstance(process.model, Bilinear) or n_jobs not in (None, 1)
    lengths = {d.n_steps for d in data}
    if alone or len(data) == 1 or len(lengths) > 1 or any(d.missing.any() for d in data):
        return data
    u = np.stack([d.inputs for d in data]) if data[0].n_inputs else None
    return [Data(np.stack([d.y for d in data]), u, data[0].dt)]
