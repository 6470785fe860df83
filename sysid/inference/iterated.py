"""The iterated smoother: Gauss-Newton on the path of states, each step a linear smoother about the last path.

    min_x |x_0 - m_0|^2_P0 + sum |x[t+1] - f(x[t])|^2_Q + sum |y[t] - g(x[t])|^2_R           [Bell 1994]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Diffuse, Gaussian
from ..core.initial import Blocks
from ..core.status import Status
from ..linear.covariances import covariance_inverse
from ..models.ltv import LTV
from ..models.process import Process
from ..models.protocol import Functions
from .filter import run
from .kalman import Kalman
from .rts import RTS, Backward
from .start import starting_law


@dataclass(frozen=True)
class IteratedSmoother:
    """The most probable path of a nonlinear process, by Gauss-Newton steps with backtracking.

    max_iterations: linearisations at most. tolerance: stop when no state moves by more than this many of its smoothed
    standard deviations. filtering: gives the first path; ExtendedKalman() if None.
    The smoothed means are the mode of the path; covariances are those of the last linearisation. Cost O(T n^3) each.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    max_iterations: int = 20
    tolerance: float = 1e-6
    filtering: Any = None

    def __post_init__(self) -> None:
        _check.options(self, tolerance="nonnegative")
        _check.count(self.max_iterations, "max_iterations", "IteratedSmoother")

    def refine(self, process: Process, data: Data, first: Backward) -> Backward:
        """From a first smoothed path of one sequence to the mode."""
        model = process.model
        fun = model.functions()
        u = np.ascontiguousarray(model.extended_input(data.inputs, data.y))
        cost = _Cost(process, data, fun, u)
        x, back = first.x[0], first
        value = cost(x)
        status = Status(False, f"states still moved after {self.max_iterations} linearisations", self.max_iterations)
        for turn in range(self.max_iterations):
            back = RTS().backward(run(_about(process, fun, u, x), Data(data.y, dt=data.dt), Kalman(), "all")[0])
            step, spread = back.x[0] - x, np.sqrt(np.diagonal(back.cov(), axis1=1, axis2=2))
            share = 1.0
            while share > 1e-4 and not (tried := cost(x + share * step)) <= value * (1 + 1e-12) + 1e-300:
                share /= 2
            if share <= 1e-4:
                at_rest = bool((np.abs(step) <= np.sqrt(self.tolerance) * spread).all())  # the cost is flat to rounding
                status = Status(at_rest, "no share of the Gauss-Newton step made the path more probable", turn + 1)
                break
            x, value = x + share * step, tried
            if (np.abs(share * step) <= self.tolerance * spread + 1e-300).all():
                status = Status(True, f"no state moved by more than {self.tolerance:g} standard deviations", turn + 1)
                break
        return Backward(x[None], back.P, back.place, back.share, back.GT, back.index, back.cross, back.infinite, status=status)


def _about(process: Process, fun: Functions, u: np.ndarray, x: np.ndarray) -> Process:
    """The process linearised along a path x (T, n)."""
    dt, p = float(process.model.dt), fun.p
    steps = range(len(x))
    A = np.array([fun.fx(x[t], u[t], p, t * dt) for t in steps])
    C = np.array([fun.gx(x[t], u[t], p, t * dt) for t in steps])
    c = np.array([fun.f(x[t], u[t], p, t * dt) for t in steps]) - (A @ x[:, :, None])[..., 0]
    d = np.array([fun.g(x[t], u[t], p, t * dt) for t in steps]) - (C @ x[:, :, None])[..., 0]
    return Process(LTV(A, None, C, dt=dt, c=c, d=d), process.Q, process.R, initial=_explicit_start(process))


def _explicit_start(process: Process) -> Gaussian | Blocks:
    """The initial law with stationary parts in numbers, as a model that varies in time takes it."""
    law = starting_law(process, "IteratedSmoother")
    infinite = law.diffuse.any(axis=1)
    if not infinite.any():
        return Gaussian(law.mean, law.cov)
    known = np.flatnonzero(~infinite)
    parts = [(known, Gaussian(law.mean[known], law.cov[np.ix_(known, known)]))] if len(known) else []
    return Blocks((np.flatnonzero(infinite), Diffuse()), *parts)


class _Cost:
    """Minus twice the log of the path's density, up to a constant; noise-free directions enter by a pseudo-inverse."""

    def __init__(self, process: Process, data: Data, fun: Functions, u: np.ndarray):
        self.fun, self.u, self.dt, self.y, self.law = fun, u, float(process.model.dt), data.y, starting_law(process, "IteratedSmoother")
        self.Q, self.P = covariance_inverse(process.Q), covariance_inverse(self.law.cov)  # nothing along diffuse states
        self.R = _measured_inverse(process.R, ~np.isnan(data.y))

    def __call__(self, x: np.ndarray) -> float:
        fun, T = self.fun, len(x)
        f = np.array([fun.f(x[t], self.u[t], fun.p, t * self.dt) for t in range(T - 1)]).reshape(T - 1, -1)
        g = np.array([fun.g(x[t], self.u[t], fun.p, t * self.dt) for t in range(T)])
        if not (np.isfinite(f).all() and np.isfinite(g).all()):
            return np.inf
        w, v, first = x[1:] - f, np.where(np.isnan(self.y), 0.0, self.y - g), x[0] - self.law.mean
        total = first @ self.P @ first
        for noise, inverse in ((w, self.Q), (v, self.R)):
            total += (noise @ inverse * noise).sum() if inverse.ndim == 2 else np.einsum("ti,tij,tj", noise, inverse[: len(noise)], noise)
        return float(total)  # [ESN-SSM, Eq. 80]


def _measured_inverse(R: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Inverse covariances (p, p) or (T, p, p) of the outputs seen (T, p), zero elsewhere."""
    if R.ndim == 2 and seen.all():
        return covariance_inverse(R)
    both = seen[:, :, None] & seen[:, None, :]
    return covariance_inverse(np.where(both, R if R.ndim == 2 else R[: len(seen)], 0.0))

