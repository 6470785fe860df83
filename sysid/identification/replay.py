"""A model on one measured record: run from a state that the first samples tell, and predicted along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.data import Data
from ..core.gaussian import Gaussian
from ..inference.filter import filter
from ..inference.predict import predict
from ..inference.smooth import smooth
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.nonlinear import Nonlinear
from ..models.process import Process
from .initial_state import initial_spread, initial_state, run

INITIAL = 50  # samples from which the state is found


@dataclass(frozen=True)
class Replay:
    """model, and process (None for a bare model) from the law that it starts with here; x0: the least-squares state.

    unscored: samples at the start from which nothing is judged.
    """

    model: Any
    process: Process | None
    data: Data
    x0: np.ndarray
    unscored: int

    @classmethod
    def of(cls, model: Any, process: Process | None, data: Data, unscored: int) -> Replay:
        """Find where the record starts, from its unscored samples, or from its first 50 where all are scored."""
        head = data[: max(unscored or INITIAL, model.n_states + 1)]
        guess = process.initial.mean if process is not None and isinstance(process.initial, Gaussian) else None
        x0 = initial_state(model, head, len(head), guess)
        return cls(model, None if process is None else _started(process, head, x0, unscored == 0), data, x0, unscored)

    def simulated(self) -> np.ndarray:
        """Outputs (T, p) without measurements after the unscored samples: from the filter's state behind them, or from x0."""
        process = self.process
        if process is not None and (self._is_certain or isinstance(self.model, LTI)) and (self.unscored or isinstance(process.initial, Gaussian)):
            return self._continued(process)
        return run(self.model, self.data, self.x0, taught=self.unscored)

    def predicted(self, steps: int) -> np.ndarray | None:
        """Outputs (T, p) `steps` ahead; None for a bare model, unless it feeds back the outputs measured up to then."""
        if self.process is None:
            taught = steps == 1 and getattr(self.model, "n_feedback", 0) > 0
            return run(self.model, self.data, self.x0, taught=len(self.data)) if taught else None
        if self._is_certain and steps == 1:
            return self._continued(self.process, taught=True)
        return predict(self.process, self.data, steps)

    @property
    def _is_certain(self) -> bool:
        """Whether a reservoir's states have no noise: once its filter has found them, it is a run with the measured outputs fed back."""
        known = self.process is not None and self.unscored > 0 and not self.process.Q.any()
        return known and not isinstance(self.model, LTI | Bilinear | Nonlinear)

    def _continued(self, process: Process, taught: bool = False) -> np.ndarray:
        """One-step predictions over the unscored samples, then a run from the state that the filter has reached.

        taught: the measured outputs are fed back all along.
        """
        head = filter(process, self.data[: self.unscored + 1], store="mean")
        rest = self.data[self.unscored :]
        behind = run(self.model, rest, head.predicted.mean[self.unscored], len(rest) if taught else 0)
        return np.concatenate([head.y_mean[: self.unscored], behind])


def _started(process: Process, head: Data, x0: np.ndarray, scored: bool) -> Process:
    """The process from its own initial law, or from one that reaches to x0 as well, whichever makes the first samples likelier.

    Its own may be that of another record; the least-squares x0 alone is far off in directions that a few samples hardly show.
    scored: the first samples are scored too: from the law that is known after them.
    """
    if not isinstance(process.model, LTI | Bilinear | Nonlinear) or not isinstance(process.initial, Gaussian):
        return process
    law = process.initial
    gap = x0 - law.mean
    # Around x0 a linear filter would count the first samples twice; a nonlinear one has to be linearised there.
    centre = x0 if isinstance(process.model, Nonlinear) else law.mean
    wider = replace(process, initial=Gaussian(centre, law.cov + np.outer(gap, gap) + initial_spread(process.model, head, x0)))
    best = max((process, wider), key=lambda begun: filter(begun, head).log_likelihood)
    if not scored or isinstance(process.model, Nonlinear):
        return best
    known = smooth(best, head).smoothed
    return replace(process, initial=Gaussian(known.mean[0], known.cov[0]))
