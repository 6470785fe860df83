"""Hyperparameters of a reservoir by expectation maximisation, polished by the direct likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.status import Status
from ..identification.progress import Progress
from .climb import Climb, acceptable
from .forced import GAINS, Parameters
from .likelihood import Objective, objective
from .m_step import Moments, maximize, smoothed_moments
from .polish import polish_rounds
from .reservoir_fit import ReservoirFit, reservoir_fit
from .scan import scanned


@dataclass(frozen=True)
class ReservoirEM:
    """Estimate leak, scales, noises and readout of an echo-state network by EM [ESN-SSM, Eq. 67-74].

        x[t+1] = (1 - leak) x[t] + leak s(scale W x[t] + W_in u[t] + W_fb y[t] + bias) + w[t],    y[t] = C x[t] + d + v[t]

    The E-step is the extended Kalman smoother, the M-step exact weighted least squares on its moments. Steps are damped
    until the innovations log-likelihood (plus the log prior of the readout, where it is estimated) does not fall,
    accelerated by extrapolation [Varadhan & Roland 2008, SQUAREM], and polished by the likelihood's own gradient.

    estimate: names among leak, scale, input_scale, feedback_scale, bias_scale, Q, R, readout, initial; the rest stays
    fixed. Scales multiply the start's W, W_in, W_fb and bias; leak is one number for every group of equal leaks in the
    start (or of `leak_groups`, (n,) whole numbers); initial is the mean of x[0].
    max_iterations: EM and gradient steps together. tolerance: relative change of the log-likelihood that ends them.
    polish: climb the likelihood by L-BFGS after EM, which alone is slow where noise or leak are badly started.
    accelerate: extrapolate after every two EM steps.
    leak_scan: how many leaks from 0.1 to 1 to try first, the readout taught anew at each: where the start's leak is a guess.
    readout_prior: precision of the Gaussian prior on readout weights, in units of 1 / variance of the output: 0 for none.
    Q: "scaled" keeps the ratios of the start's variances, "diagonal" frees them. R: "diagonal" or "scaled".
    contraction: a rate below 1 that every iterate is certified to contract at (circle criterion); the start is projected.
    noise_floor: Q does not fall below this share of the start's, R below this share of the output's variance.
    standard_errors: from the observed information of the hyperparameters.

    Valid for tanh, relu, sigmoid and identity reservoirs with diagonal Q and a readout of the state. One iteration costs
    O(T n^3) time; memory is O(T n) + 320 MB at most.
    """

    estimate: tuple[str, ...] = ("leak", "scale", "Q", "R")
    max_iterations: int = 200
    tolerance: float = 1e-9
    polish: bool = True
    accelerate: bool = True
    readout_prior: float = 1.0
    Q: str = "scaled"
    R: str = "diagonal"
    leak_groups: Any = None
    leak_scan: int = 0
    contraction: float | None = None
    noise_floor: float = 1e-8
    standard_errors: bool = True

    def __post_init__(self) -> None:
        estimate = (self.estimate,) if isinstance(self.estimate, str) else tuple(self.estimate)
        object.__setattr__(self, "estimate", estimate)
        _check.count(self.max_iterations, "max_iterations", "ReservoirEM")
        _check.count(self.leak_scan, "leak_scan", "ReservoirEM", least=0)
        _check.choice(self.Q, "Q", "ReservoirEM", ("scaled", "diagonal"))
        _check.choice(self.R, "R", "ReservoirEM", ("scaled", "diagonal"))
        for name in ("tolerance", "readout_prior", "noise_floor"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"ReservoirEM: expected {name} >= 0; received {getattr(self, name)!r}.")

    def fit(self, data: Sequence[Data], start: Any) -> ReservoirFit:
        """Estimate from sequences of any lengths, NaN in y missing; `start` is a Process around an ESN with a readout."""
        target, p = objective(
            start, data, self.estimate, readout_prior=self.readout_prior, noise_floor=self.noise_floor, Q=self.Q, R=self.R,
            leak_groups=self.leak_groups, contraction=self.contraction, call="ReservoirEM")
        if np.any(p.q <= 0) and set(self.estimate) & {"leak", "scale", *GAINS}:
            raise ValueError("ReservoirEM: expected Q with positive variances where the leak or a scale is estimated, because the "
                             "M-step weighs the state by them; received zeros. Start from a small positive Q, such as 1e-6.")
        climb = Climb(target)
        status = Status(False, f"stopped after {self.max_iterations} iterations", self.max_iterations)
        with Progress("ReservoirEM", self.max_iterations) as progress:
            steps = iter(progress)
            p = scanned(target, p, self.leak_scan, climb) if self.leak_scan and "leak" in self.estimate else p
            done = self._expectation_maximization(target, p, climb, steps, progress)
            if self.polish:
                done = polish_rounds(climb, self.max_iterations - progress.iteration, self.tolerance, steps, progress)
            status = Status(*done, progress.iteration)
        if progress.interrupted is not None:
            status = progress.interrupted
        return reservoir_fit(climb, start, status, self.standard_errors)

    def _expectation_maximization(self, target: Objective, p: Parameters, climb: Climb, steps: Iterator[int],
                                  progress: Progress) -> tuple[bool, str]:
        """EM steps until they gain little; each is accepted only where the objective does not fall."""
        moments = smoothed_moments(target.reservoir, p)
        value = climb.offer(moments.log_likelihood, p, "start")
        climb.check(value, "ReservoirEM")
        patience = max(self.tolerance, 1e-3 if self.polish else 0.0)
        path = [target.coordinates.pack(p)]
        for _ in steps:
            new, new_moments, new_value = self._step(target, p, moments, value)
            if new is p:
                return True, "no EM step raises the log-likelihood any more"
            path.append(target.coordinates.pack(new))
            if self.accelerate and len(path) == 3:
                leap = acceptable(target, _extrapolate(path), new_value)
                if leap is not None:
                    new, new_moments = leap, smoothed_moments(target.reservoir, leap)
                    new_value = new_moments.log_likelihood + target.log_prior(leap)
                path = [target.coordinates.pack(new)]
            gain, (p, moments, value) = new_value - value, (new, new_moments, new_value)
            climb.offer(moments.log_likelihood, p, "EM")
            progress.show(log_likelihood=moments.log_likelihood)
            if gain <= patience * (1 + abs(value)):
                return True, "the relative gain of an EM step fell below the tolerance"
        return False, f"stopped after {self.max_iterations} iterations"

    def _step(self, target: Objective, p: Parameters, moments: Moments, value: float,
              ) -> tuple[Parameters, Moments, float]:
        """One EM step, halved until the objective does not fall; p itself where no step of 1/1024 keeps it."""
        c = target.coordinates
        new = maximize(moments, p, c.names, c.groups, Q_diagonal=c.Q_diagonal, R_diagonal=c.R_diagonal,
                       prior=target.prior, floor_q=c.floor_q, floor_R=c.floor_R)
        new = c.certified(new)
        here, step = c.pack(p), c.pack(new) - c.pack(p)
        for halvings in range(11):
            if halvings:
                new = c.unpack(c.clip(here + step / 2**halvings))
            new_moments = smoothed_moments(target.reservoir, new)
            new_value = new_moments.log_likelihood + target.log_prior(new)
            if new_value >= value:
                return new, new_moments, new_value
        return p, moments, value


def _extrapolate(path: list[np.ndarray]) -> np.ndarray:
    """The squared extrapolation of three iterates [Varadhan & Roland 2008, scheme S3]."""
    r, v = path[1] - path[0], path[2] - 2 * path[1] + path[0]
    size = np.linalg.norm(v)
    if size == 0:
        return path[2]
    alpha = -max(1.0, float(np.linalg.norm(r) / size))
    return path[0] - 2 * alpha * r + alpha**2 * v
