"""The direct route: a reservoir's innovations likelihood maximised by its exact gradient, without EM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.data import Data
from ..core.status import Status
from ..identification.progress import Progress
from .climb import Climb
from .hyperparameters import ReservoirEM
from .likelihood import objective
from .polish import polish_rounds
from .reservoir_fit import ReservoirFit, reservoir_fit


@dataclass(frozen=True)
class ReservoirLikelihood(ReservoirEM):
    """Estimate a reservoir's hyperparameters by direct maximisation of the innovations likelihood.

        max_theta  sum_t log N(y[t]; C x(t|t-1) + d, C P(t|t-1) C' + R)

    Options as for `ReservoirEM`, whose polish this is; polish and accelerate have no effect. L-BFGS-B on exact gradients
    by one reverse pass through the extended Kalman filter: O(T n^3) each, two and a half times the filter itself.
    Both routes must meet: exactly for identity activation, within the error of smoothed moments for others.
    """

    def fit(self, data: Sequence[Data], start: Any) -> ReservoirFit:
        """Estimate from sequences of any lengths, NaN in y missing; `start` is a Process around an ESN with a readout."""
        target, p = objective(
            start, data, self.estimate, readout_prior=self.readout_prior, noise_floor=self.noise_floor, Q=self.Q, R=self.R,
            leak_groups=self.leak_groups, contraction=self.contraction, call="ReservoirLikelihood")
        climb = Climb(target)
        climb.start(p, "ReservoirLikelihood")
        status = Status(False, f"stopped after {self.max_iterations} iterations", self.max_iterations)
        with Progress("ReservoirLikelihood", self.max_iterations) as progress:
            done = polish_rounds(climb, self.max_iterations, self.tolerance, iter(progress), progress)
            status = Status(*done, progress.iteration)
        if progress.interrupted is not None:
            status = progress.interrupted
        return reservoir_fit(climb, start, status, self.standard_errors)
