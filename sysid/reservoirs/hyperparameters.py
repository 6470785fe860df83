"""Hyperparameters of a reservoir by expectation maximisation, polished by the direct likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.status import Status
from ..identification.progress import Progress
from ..models.process import Process
from .climb import Climb, acceptable
from .coordinates import NAMES
from .e_steps import CHOICES, GRADIENT, SmoothedReservoir
from .forced import GAINS, Parameters
from .likelihood import Objective, objective
from .m_step import Moments, maximize
from .polish import polish_rounds
from .process_noise import is_correlated
from .reduced import ReducedReservoir
from .reservoir_fit import ReservoirFit, reservoir_fit
from .scan import coarse_start, scanned
from .schedule import require_schedule
from .stacks import restacked, written_out


@dataclass(frozen=True)
class ReservoirEM:
    """Estimate leak, scales, noises and readout of an echo-state network by EM [ESN-SSM, Eq. 67-74].

        x[t+1] = (1 - leak) x[t] + leak s(scale W x[t] + W_in u[t] + W_fb y[t] + bias) + w[t],    y[t] = C x[t] + d + v[t]

    The E-step is the extended Kalman smoother, the M-step exact weighted least squares on its moments. Steps are damped
    until the innovations log-likelihood (plus the log prior of the readout, where it is estimated) does not fall,
    accelerated by extrapolation [Varadhan & Roland 2008, SQUAREM], and polished by the likelihood's own gradient.

    estimate: names among leak (or tau, its time constant -dt / log(1 - leak)), scale, input_scale, feedback_scale,
    bias_scale, Q, R, readout, initial; the rest stays fixed. Scales multiply the start's W, W_in, W_fb and bias; leak is one number for every group of equal leaks in the
    start (or of `leak_groups`, (n,) whole numbers); initial is the mean of x[0].
    max_iterations: EM and gradient steps together. tolerance: relative change of the log-likelihood that ends them.
    polish: climb the likelihood by L-BFGS after EM, which alone is slow where noise or leak are badly started.
    accelerate: extrapolate after every two EM steps.
    leak_scan: None looks over a coarse grid of leak and scale first where the readout is fixed (`scan.coarse_start`: at most
    80 passes over 1000 samples), since the likelihood has several tops, and trusts the start where it is estimated. A number:
    so many leaks from 0.1 to 1 to try first, the readout taught anew at each. 0: climb from the start.
    readout_prior: precision of the Gaussian prior on readout weights, in units of 1 / variance of the output: 0 for none.
    Q: "scaled" one factor on the start's Q, "diagonal" n variances, (n,) group numbers one factor a group, "full" all n (n + 1) / 2
    entries, ("full", groups) a full block a group, (n, r) float directions a full matrix along them and one variance across.
    The result says how many entries of full blocks the data determine.
    R: "diagonal", "scaled", or "full" where outputs are measured together.
    contraction: a rate below 1 that every iterate is certified to contract at (circle criterion); the start is projected.
    noise_floor: Q does not fall below this share of the start's, R below this share of the output's variance.
    standard_errors: from the observed information of the hyperparameters.
    e_step: "extended", slopes at the filtered mean; "statistical", values and slopes averaged over the filtered law of every unit's
    argument [Gelb 1974, section 6.3], at the same cost, the better likelihood where noise moves units over their range; "iterated" and "unscented" smoothers, or one model for all times, "linear" at the mean state or "lifted"
    (`lifted_step.py`, powers up to lift_degree of the preactivation beside the state): EM alone, no polish.
    covariance_rank: keep covariances on so many directions only (`reduced.py`), balanced at the start and once more at the end
    of a first fit; for large reservoirs of few outputs. The history is that of the second fit.

    schedule: a `NoiseSchedule`, one a sequence, or a forgetting factor: Q and R are then those that its factors multiply.

    Valid for tanh, relu, sigmoid and identity reservoirs, and stacks of them (`DeepESN`: one leak a layer, one scale for all its
    matrices), with a readout of the state. One iteration costs
    O(T n^3) time, O(T (n^2 + n r^2)) at covariance_rank r; memory is O(T n) + 800 MB at most, O(T (n + r^2)).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    estimate: tuple[str, ...] = ("leak", "scale", "Q", "R")
    max_iterations: int = 200
    tolerance: float = 1e-9
    polish: bool = True
    accelerate: bool = True
    readout_prior: float = 1.0
    Q: Any = "scaled"
    R: str = "diagonal"
    leak_groups: Any = None
    leak_scan: int | None = None
    contraction: float | None = None
    noise_floor: float = 1e-8
    standard_errors: bool = True
    e_step: str = "extended"
    covariance_rank: int | None = None
    schedule: Any = None
    lift_degree: int = 3

    def __post_init__(self) -> None:
        _check.options(self, tolerance="nonnegative", readout_prior="nonnegative", noise_floor="nonnegative", polish="flag",
                       accelerate="flag", standard_errors="flag", contraction="positive")  # fmt: skip
        if not isinstance(self.estimate, str | tuple | list):
            raise TypeError(f"{type(self).__name__}: expected estimate as names such as ('leak', 'scale', 'Q', 'R'); received {self.estimate!r}.")
        estimate = (self.estimate,) if isinstance(self.estimate, str) else tuple(self.estimate)
        object.__setattr__(self, "estimate", estimate)
        call = type(self).__name__
        for name in estimate:
            _check.choice(name, "estimate", call, (*NAMES, "tau"))
        _check.options(self, max_iterations="count", lift_degree="count", leak_scan="whole", covariance_rank="count")
        if isinstance(self.Q, str):
            _check.choice(self.Q, "Q", call, ("scaled", "diagonal", "full"))
        _check.choice(self.R, "R", call, ("scaled", "diagonal", "full"))
        require_schedule(self.schedule, call)
        _check.choice(self.e_step, "e_step", call, CHOICES)
        if self.covariance_rank is not None and self.e_step != "extended":
            raise ValueError(f"{call}: expected e_step='extended' with covariance_rank; other smoothers keep all covariances.")

    def fit(self, data: Sequence[Data], start: Any) -> ReservoirFit:
        """Estimate from sequences of any lengths, NaN in y missing; `start` is a Process around an ESN or a stack with a readout."""
        flat, layers = written_out(start)
        if layers is None:
            return self._fit(data, start, self.leak_groups)
        return restacked(self._fit(data, flat, layers if self.leak_groups is None else self.leak_groups), start.model)

    def _fit(self, data: Sequence[Data], start: Any, leak_groups: Any) -> ReservoirFit:
        call = type(self).__name__
        target, p = objective(
            start, data, self.estimate, readout_prior=self.readout_prior, noise_floor=self.noise_floor, Q=self.Q, R=self.R,
            leak_groups=leak_groups, contraction=self.contraction, schedule=self.schedule,
            averaged=self.e_step == "statistical", call=call)
        self._require(target, p, call)
        exact, climb, first = target, Climb(target), p
        status = Status(False, f"stopped after {self.max_iterations} iterations", self.max_iterations)
        with Progress(call, self.max_iterations) as progress:
            steps, rounds = iter(progress), 1 if self.covariance_rank is None else 2
            for again in range(rounds):
                limit = self.max_iterations * (again + 1) // rounds
                target = self._prepared(exact, p if climb.best is None else climb.best, start, data)
                p, climb = p if climb.best is None else climb.best, Climb(target)
                if not again:
                    p = self._first_look(target, p, climb)
                status = Status(*self._search(target, p, climb, islice(steps, limit - progress.iteration), progress, limit),
                                progress.iteration)
        if progress.interrupted is not None:
            status = progress.interrupted
        return reservoir_fit(climb, start, status, self.standard_errors, _moved(start, first, self.contraction))

    def _require(self, target: Objective, p: Parameters, call: str) -> None:
        """Refuse what the M-step or the approximation cannot do."""
        weighed = set(target.coordinates.names) & {"leak", "scale", *GAINS} or self.covariance_rank
        if weighed and (np.any(p.q <= 0) or (is_correlated(p.Q) and np.linalg.eigvalsh(p.Q)[0] <= 0)):
            raise ValueError(f"{call}: expected Q with positive variances in all directions where the leak or a scale is estimated, because "
                             "the M-step weighs the state by them; received zeros. Start from a small positive Q, such as 1e-6.")
        if self.covariance_rank and target.coordinates.between(p):
            raise ValueError(f"{call}: expected a diagonal Q with covariance_rank, whose recursion keeps no moments between units; received "
                             "one that correlates them. Leave covariance_rank out, or take Q='diagonal' or groups.")
        if self.covariance_rank and self.schedule is not None:
            raise ValueError(f"{call}: expected either covariance_rank or schedule; received both. The reduced recursion takes constant Q and R.")
        reservoir = target.reservoir
        if self.e_step == "lifted" and self.schedule is not None:
            raise ValueError(f"{call}: expected another e_step than 'lifted' with a schedule; the lift's own errors do not scale with Q.")
        if self.e_step in ("linear", "lifted") and reservoir.W_fb.shape[1] and any(np.isnan(s.y).any() for s in reservoir.sequences):
            raise ValueError(f"{call}: expected measured outputs throughout where they are fed back and e_step={self.e_step!r}, one model for "
                             "all times; received NaN. Take e_step='extended', or cut the series at the gaps.")
        if self.covariance_rank and reservoir.W_fb.shape[1] and any(np.isnan(s.y).any() for s in reservoir.sequences):
            raise ValueError(f"{call}: expected measured outputs throughout where they are fed back and covariance_rank is given; "
                             "received NaN. Leave covariance_rank out, or cut the series at the gaps.")

    def _prepared(self, exact: Objective, p: Parameters, start: Any, data: Sequence[Data]) -> Objective:
        """The objective with the moments asked for: all covariances, few directions, or another smoother."""
        if self.covariance_rank is not None and self.covariance_rank < len(p.leak):
            return replace(exact, reservoir=ReducedReservoir.about(exact.reservoir, p, self.covariance_rank))
        if self.e_step not in GRADIENT:
            return replace(exact, reservoir=SmoothedReservoir.of_kind(exact.reservoir, start, data, self.e_step, self.lift_degree))
        return exact

    def _first_look(self, target: Objective, p: Parameters, climb: Climb) -> Parameters:
        """The point to climb from."""
        names = target.coordinates.names
        if self.leak_scan and "leak" in names:
            return scanned(target, p, self.leak_scan, climb)
        if self.leak_scan is None and "readout" not in names and {"leak", "scale"} & set(names) and self.e_step in GRADIENT:
            climb.start(p, type(self).__name__)
            return coarse_start(target, p)
        return p

    def _search(self, target: Objective, p: Parameters, climb: Climb, steps: Iterator[int], progress: Progress, limit: int,
                ) -> tuple[bool, str]:
        """EM and its polish from p, up to iteration `limit`."""
        done = self._expectation_maximization(target, p, climb, steps, progress)
        if self.polish and self.e_step in GRADIENT:
            done = polish_rounds(climb, limit - progress.iteration, self.tolerance, steps, progress)
        return done

    def _expectation_maximization(self, target: Objective, p: Parameters, climb: Climb, steps: Iterator[int],
                                  progress: Progress) -> tuple[bool, str]:
        """EM steps until they gain little; each is accepted only where the objective does not fall."""
        moments = target.moments(p)
        value = climb.offer(moments.log_likelihood, p, "start")
        climb.check(value, type(self).__name__)
        patience = max(self.tolerance, 1e-3 if self.polish and self.e_step in GRADIENT else 0.0)
        path = [target.coordinates.pack(p)]
        for _ in steps:
            new, new_moments, new_value = self._step(target, p, moments, value)
            if new is p:
                return True, "no EM step raises the log-likelihood any more"
            path.append(target.coordinates.pack(new))
            if self.accelerate and len(path) == 3:
                leap = acceptable(target, _extrapolate(path), new_value)
                if leap is not None:
                    new, new_moments = leap, target.moments(leap)
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
        new = c.certified(maximize(moments, p, c, target.prior))
        here, step = c.pack(p), c.pack(new) - c.pack(p)
        for halvings in range(11):
            if halvings:      # the filter alone says whether to go on: a smoother costs several times as much
                new = c.unpack(c.clip(here + step / 2**halvings))
                if not target.value(new) >= value:
                    continue
            new_moments = target.moments(new)
            new_value = new_moments.log_likelihood + target.log_prior(new)
            if new_value >= value:
                return new, new_moments, new_value
        return p, moments, value


def _moved(start: Process, first: Parameters, contraction: float | None) -> tuple[str, ...]:
    """Say where the constraint moved the start before the first iteration."""
    if contraction is None or (abs(first.scale - 1.0) < 1e-9 and np.allclose(first.leak, start.model.leaks, atol=1e-9)):
        return ()
    return (f"the start was not certified to contract at {contraction:.4g}: it was first moved to leak {first.leak[0]:.4g} and "
            f"{first.scale:.4g} times its W",)


def _extrapolate(path: list[np.ndarray]) -> np.ndarray:
    """The squared extrapolation of three iterates [Varadhan & Roland 2008, scheme S3]."""
    r, v = path[1] - path[0], path[2] - 2 * path[1] + path[0]
    size = np.linalg.norm(v)
    if size == 0:
        return path[2]
    alpha = -max(1.0, float(np.linalg.norm(r) / size))
    return path[0] - 2 * alpha * r + alpha**2 * v
