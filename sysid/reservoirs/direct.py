"""The direct route: a reservoir's innovations likelihood maximised by its exact gradient, without EM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..identification.progress import Progress
from .climb import Climb
from .e_steps import GRADIENT
from .forced import Parameters
from .hyperparameters import ReservoirEM
from .likelihood import Objective
from .polish import polish_rounds


@dataclass(frozen=True)
class ReservoirLikelihood(ReservoirEM):
    """Estimate a reservoir's hyperparameters by direct maximisation of the innovations likelihood.

        max_theta  sum_t log N(y[t]; C x(t|t-1) + d, C P(t|t-1) C' + R)

    Options as for `ReservoirEM`, whose polish this is; polish and accelerate have no effect. L-BFGS-B on exact gradients
    by one reverse pass through the extended Kalman filter: O(T n^3) each, two and a half times the filter itself.
    Both routes must meet: exactly for identity activation, within the error of smoothed moments for others.
    """

    def _require(self, target: Objective, p: Parameters, call: str) -> None:
        if self.e_step not in GRADIENT:
            raise ValueError(f"{call}: expected e_step='extended' or 'statistical', the filters whose likelihood has a gradient; "
                             f"received {self.e_step!r}.")
        if self.covariance_rank is not None:
            super()._require(target, p, call)

    def _search(self, target: Objective, p: Parameters, climb: Climb, steps: Iterator[int], progress: Progress, limit: int,
                ) -> tuple[bool, str]:
        climb.start(p, type(self).__name__)
        return polish_rounds(climb, limit - progress.iteration, self.tolerance, steps, progress)
