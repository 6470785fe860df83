"""The E-step over all experiments, a sum that runs through joblib, and the process that it may start from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Diffuse, Gaussian, Stationary
from ..core.initial import Blocks
from ..inference.filter import run
from ..inference.kalman import Kalman
from ..inference.start import stationary_law
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.process import Process
from .em_step import Maximiser
from .moments import Expected, Moments, expect


@dataclass
class Expectation:
    """The E-step over all experiments, and the precisions that heavy-tailed noise carries from round to round.

    law: the initial law of every experiment where it stays as the start has it, in place of the processes' own; or None.
    """

    data: list[Data]
    degrees: float | None
    n_jobs: int | None
    maximise: Maximiser
    law: Any = None
    precisions: list[Any] = field(default_factory=list)

    def __call__(self, process: Process) -> tuple[float, Moments, list[Expected]]:
        """Objective (log likelihood or bound, plus log prior), the summed moments, and each experiment's part."""
        used = self.lawful(process)
        weights = self.precisions or [None] * len(self.data)
        if len(self.data) == 1:
            parts = [expect(used, self.data[0], weights[0], self.degrees)]
        else:
            from joblib import Parallel, delayed
            parts = Parallel(n_jobs=self.n_jobs)(delayed(expect)(used, d, w, self.degrees) for d, w in zip(self.data, weights))
        moments = reduce(add, (part.moments for part in parts))
        return moments.log_likelihood + self.maximise.log_prior(process), moments, parts

    def lawful(self, process: Process) -> Process:
        """The process under the initial law that is kept as it stands, where there is one."""
        return process if self.law is None else replace(process, initial=self.law)

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
    law = start.initial if isinstance(start.initial, Gaussian) else _proper_law(start, data, call)
    Q, R = start.Q, start.R
    if start.S is not None and start.S.any():
        # Without S the same output needs more process noise; a tenth of the innovations' part keeps Q regular.
        Q = Q + 0.1 * np.diag(np.diag(Q)) + 1e-3 * np.diag(np.diag(law.cov))
        notes.append("S was set to zero and Q enlarged at the start: the estimate has uncorrelated noises")
    return Process(start.model, Q, R, None, law), notes


def kept_law(start: Any, maximise: Maximiser, data: list[Data], notes: list[str], call: str) -> tuple[Any, Maximiser]:
    """The diffuse law of `start` where estimation may keep it, exactly, with a maximiser that holds it; else (None, maximise).

    A diffuse likelihood takes the unit of each diffuse state from A and C: it may be kept, and compared, where neither
    moves. Elsewhere the law becomes a Gaussian, which a note says.
    Raises ValueError where the data do not determine the diffuse states.
    """
    law = getattr(start, "initial", None)
    if law is None or isinstance(law, Gaussian):
        return None, maximise
    blocks = [block for _, block in law.blocks] if isinstance(law, Blocks) else [law]
    n, p = start.n_states, start.n_outputs
    still = isinstance(start.model, LTI) and not maximise.state.G[: n * n].any() and not maximise.output.G[: n * p].any()
    if not still or not all(isinstance(block, Diffuse | Gaussian) for block in blocks):
        why = "; hold A and C to keep it exactly" if any(isinstance(block, Diffuse) for block in blocks) else ""
        notes.append(f"the initial law {type(law).__name__}() was replaced by a Gaussian, which can be estimated{why}")
        return None, maximise
    for i, d in enumerate(data):
        if any("infinite filtered" in t.extra and t.extra["infinite filtered"].shape[0] == d.n_steps and t.extra["infinite filtered"][-1].any()
               for t in run(start, d, Kalman(), "all")):  # fmt: skip
            raise ValueError(f"{call}: expected data that determine the diffuse states; the measurements of experiment {i} leave some unknown. "
                             "Give initial=Gaussian(mean, cov) for them.")  # fmt: skip
    return law, replace(maximise, initial="fixed")


def _proper_law(start: Process, data: list[Data], call: str) -> Gaussian:
    if isinstance(start.initial, Stationary):
        return stationary_law(start, call)
    square = np.nanmean(np.concatenate([d.y - d.inputs @ start.model.D.T - start.model.d for d in data]) ** 2, 0)  # about zero: a level counts
    spread = square.sum() / max(np.linalg.norm(start.model.C) ** 2, 1e-300)
    return Gaussian(np.zeros(start.n_states), 10 * spread * np.eye(start.n_states))


def grouped(data: list[Data], process: Process, n_jobs: int | None) -> list[Data]:
    """Experiments of equal length without gaps as one batch, which shares its covariances; in order otherwise."""
    alone = isinstance(process.model, Bilinear) or n_jobs not in (None, 1)
    lengths = {d.n_steps for d in data}
    if alone or len(data) == 1 or len(lengths) > 1 or any(d.missing.any() for d in data):
        return data
    u = np.stack([d.inputs for d in data]) if data[0].n_inputs else None
    return [Data(np.stack([d.y for d in data]), u, data[0].dt)]
