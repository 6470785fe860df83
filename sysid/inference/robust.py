"""Filter and smoother for measurements with outliers: Student's t or Huber's contaminated noise, by reweighting.

    v = F e,  F F' = R:   e ~ t_nu, one weight a step, or  -log p(e_j) = rho_k(e_j), one weight an output
                                            [Piche, Sarkka & Hartikainen 2012; Aravkin, Burke & Pillonetto 2013]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy.special import digamma, gammaln, ndtr

from .. import _check
from ..core.data import Data
from ..core.status import Status
from ..kernels import conditioning, propagation
from ..kernels import robust as kernels
from ..kernels._jit import as_float
from ..models.process import Process
from .ekf import check_start, each_sequence, not_finite
from .filter import default_method, run
from .linear_arrays import scheduled
from .rts import RTS, Backward
from .trace import Stretch, Trace


class Tails(Protocol):
    """A law of measurement noise that reweighting solves."""

    @property
    def parameter(self) -> float: ...

    def weights(self, white: np.ndarray, extra: np.ndarray, seen: np.ndarray) -> np.ndarray: ...

    def correction(self, weights: np.ndarray, seen: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class StudentT:
    """Measurement noise of Student's law, scale matrix R, with one weight for all outputs of a step.

        v ~ t_nu(0, R):   v | lambda ~ N(0, R / lambda),  lambda ~ Gamma(nu/2, nu/2),   weight = E[lambda | y]

    degrees: nu > 0; small ones mean more and larger outliers, infinity none. The covariance of v is R nu / (nu - 2).
    The posterior is the variational one; log-likelihoods are its lower bounds, exact as nu grows. [Piche et al. 2012]
    Raises TypeError or ValueError for degrees not above 0.
    """

    degrees: float = 4.0

    def __post_init__(self) -> None:
        _check.positive(self.degrees, "degrees", "StudentT")

    @property
    def parameter(self) -> float:
        """nu."""
        return float(self.degrees)

    def weights(self, white: np.ndarray, extra: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """(nu + p) / (nu + E|e|^2) at each step, from white residuals (T, p) and what the state's covariance adds (T, p)."""
        size = ((white**2 + extra) * seen).sum(1)
        w = (self.degrees + seen.sum(1)) / (self.degrees + size)
        return np.where(seen, w[:, None], 1.0)

    def correction(self, weights: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """What the bound adds to log N(e; 0, C P C' + R / weight): E log N(.; lambda) - log N(.; E lambda) - KL(q(lambda) | prior)."""
        count, half = seen.sum(1), self.degrees / 2
        w = np.where(count > 0, np.max(np.where(seen, weights, 0.0), axis=1, initial=0.0), 1.0)
        a = half + count / 2
        b = a / w
        expected = digamma(a) - np.log(b)
        divergence = (a - half) * digamma(a) - gammaln(a) + gammaln(half) + half * (np.log(b) - np.log(half)) + a * (half - b) / b
        return np.where(count > 0, count / 2 * (expected - np.log(w)) - divergence, 0.0)


@dataclass(frozen=True)
class Huber:
    """Measurement noise that is Gaussian in the middle and Laplacian beyond a threshold, one weight an output.

        rho_k(e) = e^2/2 for |e| <= k,  k |e| - k^2/2 beyond;   weight_j = min(1, k / |e_j|),   e = F^-1 v,  R = F F'

    threshold: k > 0 in standard deviations; 1.345 keeps 95 % of the efficiency under Gaussian noise, infinity all of it.
    The state is the mode of each update; log-likelihoods are Laplace's approximation, exact as k grows. [Huber 1981]
    Raises TypeError or ValueError for a threshold not above 0.
    """

    threshold: float = 1.345

    def __post_init__(self) -> None:
        _check.positive(self.threshold, "threshold", "Huber")

    @property
    def parameter(self) -> float:
        """k."""
        return float(self.threshold)

    def weights(self, white: np.ndarray, extra: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """min(1, k / |e|), from white residuals (T, p)."""
        return np.where(seen, np.minimum(1.0, self.threshold / np.maximum(np.abs(white), 1e-300)), 1.0)

    def correction(self, weights: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """What Laplace's approximation adds to log N(e; 0, C P C' + F diag(1/w) F')."""
        k = self.threshold
        mass = np.sqrt(2 * np.pi) * (2 * ndtr(k) - 1) + 2 * np.exp(-0.5 * k * k) / k
        beyond = np.where(weights < 1, 0.5 * k * k * (1 - 1 / weights) - 0.5 * np.log(weights), 0.0)
        return np.where(seen, 0.5 * np.log(2 * np.pi) - np.log(mass) + beyond, 0.0).sum(1)


def checked_tails(tails: Any, call: str) -> Tails:
    if not isinstance(tails, StudentT | Huber):
        raise TypeError(f"{call}: expected tails as sysid.StudentT(degrees) or sysid.Huber(threshold); received {tails!r}.")
    return tails


def regular_noise(R: np.ndarray, call: str) -> np.ndarray:
    """R (k, p, p), refused where it has no Cholesky factor."""
    for t, block in enumerate(R):
        try:
            np.linalg.cholesky(block)
        except np.linalg.LinAlgError:
            raise ValueError(f"{call}: expected a regular R, against which outliers are measured; received a singular one"
                             f"{f' at time {t}' if len(R) > 1 else ''}.") from None  # fmt: skip
    return R


@dataclass(frozen=True)
class RobustKalman:
    """The extended Kalman filter under measurement noise of heavy tails, exact linearisation on linear models.

        x(t|t), P(t|t):  the Gaussian update with R / weight, weight and state in turn until both rest

    tails: StudentT(degrees) or Huber(threshold). max_iterations: turns in one update at most; it ends when nothing moves by 1e-8.
    The result has `weights` (T, p), 1 for a measurement taken at its word; `innovations` and `y_cov` are those of R. Smoothing it
    keeps the filter's weights; `RobustSmoother` finds those of all data. Needs a regular R, a proper start, S = None.
    Cost O(T n^3) a turn, mostly 1 to 10 turns. [Piche, Sarkka & Hartikainen 2012]
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    tails: StudentT | Huber = StudentT()
    max_iterations: int = 100

    def __post_init__(self) -> None:
        checked_tails(self.tails, "RobustKalman")
        _check.count(self.max_iterations, "max_iterations", "RobustKalman", least=2)

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own weights and covariances."""
        return each_sequence(process, stretch, lambda part: self._sequence(process, part))

    def _sequence(self, process: Process, stretch: Stretch) -> Trace:
        model, y = process.model, stretch.y[0]
        check_start(stretch, "RobustKalman")
        if process.S is not None and process.S.any():
            raise ValueError("RobustKalman: expected S = None; received a cross covariance, which a reweighted noise does not keep.")
        if model.n_feedback and np.isnan(y).any():
            raise ValueError("RobustKalman: expected every output measured for a model that feeds outputs back; received missing ones. "
                             "ExtendedKalman() and UnscentedKalman() carry their noise.")  # fmt: skip
        fun, (T, q), n = model.functions(), y.shape, model.n_states
        keep = stretch.store == "all"
        k, kept = (T if keep else 1), (1 if stretch.store == "last" else T)
        Q, R = (scheduled(a, stretch.start, T, name) for a, name in ((process.Q, "Q"), (process.R, "R")))
        regular_noise(R, "RobustKalman")
        Yp, Ct, Xp, Xf, weights = np.empty((T, q)), np.empty((k, q, n)), np.empty((kept, n)), np.empty((kept, n)), np.empty((T, q))
        Pp, Pf, AT = (np.empty((k, n, n)) for _ in range(3))
        L, x, P = np.empty(T), np.empty(n), np.empty((n, n))
        u, seen = as_float(model.extended_input(stretch.u[0], y)), ~np.isnan(y)
        call = kernels.robust if fun.compiled else kernels.robust.py_func
        bad, which, share, unsettled = call(
            conditioning.condition.as_argument(), propagation.propagate.as_argument(), *fun.arguments("f", "g", "fx", "gx"), u, fun.p,
            stretch.start * model.dt, model.dt, Q, R, y, seen, int(isinstance(self.tails, StudentT)), self.tails.parameter,
            self.max_iterations, stretch.mean[0], stretch.cov, Yp, Ct, Xp, Xf, Pp, Pf, AT, weights, L, x, P)  # fmt: skip
        if bad >= 0:
            raise FloatingPointError(not_finite(stretch.start + bad, which, Xp, Xf, bad, u))
        L += self.tails.correction(weights, seen)
        extra = {"weights": np.where(seen, weights, np.nan), "unsettled": unsettled}
        return Trace(Xp[None], Xf[None], Yp[None], Pp if keep else None, Pf if keep else None, np.arange(T), AT, Q, Ct, R, L[None],
                     x[None], P, share, "robust", extra=extra)  # fmt: skip


@dataclass(frozen=True)
class RobustSmoother:
    """The smoother under measurement noise of heavy tails, its weights those of all data.

        min over paths of |x[0] - m|^2_P0 + sum |w|^2_Q + sum 2 rho(F^-1 v)     (Huber: the mode; StudentT: the variational law)

    tails, max_iterations: as for RobustKalman, the turns being whole smoother runs. tolerance: end when no weight changes by more
    than this share. filtering: the filter run with the reweighted R; None for the model's default, which for linear models takes
    any start. The result's `weights` (T, p) are those of the last turn; its `filter` and log-likelihood are of the Gaussian run that
    it began with. Cost O(T n^3) a turn.
    [Piche, Sarkka & Hartikainen 2012; Aravkin, Burke & Pillonetto 2013]
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    tails: StudentT | Huber = StudentT()
    max_iterations: int = 200
    tolerance: float = 1e-6
    filtering: Any = None

    def __post_init__(self) -> None:
        checked_tails(self.tails, "RobustSmoother")
        _check.count(self.max_iterations, "max_iterations", "RobustSmoother")
        _check.positive(self.tolerance, "tolerance", "RobustSmoother")

    def refine(self, process: Process, data: Data, first: Backward) -> Backward:
        """From the Gaussian smoother's path of one sequence to the robust one."""
        method = default_method(process.model) if self.filtering is None else self.filtering
        seen, T = ~data.missing, data.n_steps
        R = regular_noise(scheduled(process.R, 0, T, "R"), "RobustSmoother")
        F = np.broadcast_to(_seen_factor(R, seen), (T, *R.shape[1:]))
        back, w = first, np.ones(seen.shape)
        status = Status(False, f"weights still moved after {self.max_iterations} turns", self.max_iterations)
        for turn in range(self.max_iterations):
            new = self._weights(process, data, back, F, seen)
            change = np.abs(new - w).max() / max(new.min(), 1e-300)
            w = new
            scaled = F / np.sqrt(w)[:, None, :]
            now = replace(process, R=scaled @ scaled.swapaxes(1, 2))
            back = RTS().backward(run(now, data, method, "all")[0])
            if change <= self.tolerance:
                status = Status(True, f"weights moved by less than {self.tolerance:g} of themselves", turn + 1)
                break
        return replace(back, weights=np.where(seen, w, np.nan), status=status)

    def _weights(self, process: Process, data: Data, back: Backward, F: np.ndarray, seen: np.ndarray) -> np.ndarray:
        fun, dt = process.model.functions(), float(process.model.dt)
        u = np.ascontiguousarray(process.model.extended_input(data.inputs, data.y))
        x, P = back.x[0], back.P[back.place]
        e = data.y - np.array([fun.g(x[t], u[t], fun.p, t * dt) for t in range(len(x))])
        C = np.array([fun.gx(x[t], u[t], fun.p, t * dt) for t in range(len(x))]) * seen[:, :, None]
        white = np.linalg.solve(F, np.where(seen, e, 0.0)[..., None])[..., 0]
        G = np.linalg.solve(F, C)
        return self.tails.weights(white, np.einsum("tji,tik,tjk->tj", G, P, G), seen)


def _seen_factor(R: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """F (T, p, p), F F' = R over the outputs seen and the unit matrix over the others."""
    both = seen[:, :, None] & seen[:, None, :]
    return np.linalg.cholesky(np.where(both, R, np.eye(R.shape[1])))
