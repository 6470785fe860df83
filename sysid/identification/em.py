"""Expectation maximisation for linear and bilinear Gaussian processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian, Stationary
from ..core.status import Status
from ..inference.start import stationary_law
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.process import Process
from .em_step import Maximiser
from .fit import Fit
from .moments import Expected, Moments, expect
from .progress import Progress


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EMFit(Fit):
    """An estimate by EM: Fit (model, process, status, history, initial_states, ...) and, for Student noise, precisions.

    precisions: (T,) of each experiment, the expected weight of every sample: outliers are small; None for Gaussian noise.
    """

    precisions: list[np.ndarray] | None = None


@dataclass(frozen=True)
class EM:
    """Maximise the likelihood of a linear or bilinear Gaussian process by EM [Shumway & Stoffer 1982; Holmes 2013].

        E: moments of x given y by the smoother;   M: [A B c] = xz zz^-1,  Q = (xx - [A B c] zx) / N,  and so for [C D d], R

    Every element of A, (N,) B, C, D, d, Q, R and the initial mean is estimated unless told; c is held, since d and the
    initial mean already carry every offset of a model without a pole at one. S is zero.
    structure: constraints by name. Matrices: an array of True (free), False or numbers (held), and expressions such as
    "a" or "1 + 2*a" (shared, tied). Q, R, P0: "full", "diagonal", "scalar", "fixed", a mask of blocks, or names and
    numbers for the diagonal.
    fixed: names held at the start, among A, N, B, c, C, D, d, Q, R, m0, P0.
    initial: "mean" (the covariance P0 is held), "both", "fixed", or None: "both" for five experiments or more. With one
    experiment P0 is never estimated with the mean, for it would go to zero.
    noise: "gaussian", or "student" with `degrees` of freedom for the outputs, which downweights outliers.
    prior: {"Q": (scale matrix, degrees), "R": ..., "A": (mean, precision)} for the posterior mode; inverse-Wishart and
    matrix-normal.
    acceleration: SQUAREM extrapolation [Varadhan & Roland 2008], kept only where it raises the likelihood.
    tolerance: stop when a step gains less in log likelihood. n_jobs: of joblib for the E-step over experiments; a
    joblib.parallel_config with another backend carries it to a cluster.
    Missing entries of y are handled in both steps. The likelihood never falls.
    """

    max_iterations: int = 200
    tolerance: float = 1e-5
    structure: Mapping[str, Any] = field(default_factory=dict)
    fixed: Sequence[str] = ("c",)
    initial: str | None = None
    noise: str = "gaussian"
    degrees: float = 4.0
    prior: Mapping[str, Any] = field(default_factory=dict)
    acceleration: bool = True
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        _check.count(self.max_iterations, "max_iterations", "EM")
        _check.choice(self.noise, "noise", "EM", ("gaussian", "student"))
        if self.initial is not None:
            _check.choice(self.initial, "initial", "EM", ("mean", "both", "fixed"))

    def fit(self, data: list[Data], start: Any = None) -> EMFit:
        """Refine `start`: a Process around an LTI or Bilinear model, or None for a subspace estimate."""
        process, notes = _start(data, start)
        initial = self.initial or ("both" if len(data) >= 5 else "mean")
        if initial == "both" and len(data) == 1:
            raise ValueError('fit(EM): expected initial="mean" or "fixed" for one experiment; received "both". The likelihood has no '
                             "maximum in mean and covariance of a state that is seen once.")  # fmt: skip
        maximise = Maximiser.of(process, self.structure, self.fixed, "fixed" if "m0" in self.fixed else initial, self.prior)
        process = maximise.project(process)
        expectation = _Expectation(_groups(data, process, self), self.degrees if self.noise == "student" else None, self.n_jobs, maximise)
        return _iterate(self, process, maximise, expectation, notes)


@dataclass
class _Expectation:
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


def _iterate(method: EM, process: Process, maximise: Maximiser, expectation: _Expectation, notes: list[str]) -> EMFit:
    value, moments, parts = expectation(process)
    if not np.isfinite(value):
        raise ValueError("fit(EM): expected a start under which the data have a finite likelihood; received one with a singular "
                         "innovation covariance or a diverging filter.")  # fmt: skip
    expectation.accept(parts)
    history, status, accelerate = [value], None, method.acceleration and method.noise == "gaussian"
    trail: list[tuple[Process, float]] = []
    with Progress("fit(EM)", method.max_iterations) as progress:
        for iteration in progress:
            trail = [*trail[-1:], (process, value)]
            proposal = maximise(process, moments)
            new = expectation(proposal)
            if not new[0] >= value - 1e-9 * max(1.0, abs(value)):
                status = _fell(value, new[0], iteration)
                break
            gain = new[0] - value
            if accelerate and len(trail) == 2 and iteration % 2 == 0:
                leap = _squarem(trail[0][0], process, proposal, expectation, new[0])
                if leap is not None:
                    proposal, new = leap
                    trail = []
            process, (value, moments, parts) = proposal, new
            expectation.accept(parts)
            history.append(value)
            progress.show(log_likelihood=value)
            if gain < method.tolerance:
                status = Status(True, f"the last step gained less than {method.tolerance:g} in log likelihood", iteration)
                break
    if status is None:
        status = Status(False, f"stopped after {method.max_iterations} iterations; the last step still gained "
                        f"{history[-1] - history[-2]:.3g} in log likelihood: raise max_iterations", method.max_iterations)  # fmt: skip
    status = status if progress.interrupted is None else progress.interrupted
    if method.noise == "student":
        notes.append("log_likelihood is the variational bound of the Student likelihood")
    states = np.concatenate([part.initial_states for part in parts])
    return EMFit(model=process.model, process=process, status=status, history={"log_likelihood": np.array(history)},
                 log_likelihood=value - maximise.log_prior(process), initial_states=states, notes=tuple(notes),
                 precisions=expectation.precisions or None)  # fmt: skip


def _fell(value: float, new: float, iteration: int) -> Status:
    small = value - new < 1e-6 * max(1.0, abs(value))
    return Status(small, "the likelihood has reached rounding" if small else
                  f"the likelihood fell by {value - new:.3g}, which EM cannot do but for rounding: the estimate before is returned; "
                  "scale the data or hold ill-determined elements", iteration)  # fmt: skip


def _squarem(first: Process, second: Process, third: Process, expectation: Callable, bar: float) -> tuple[Process, Any] | None:
    """theta = theta_0 - 2 a r + a^2 v with a = -|r| / |v| [Varadhan & Roland 2008, S3]; None where it does not help."""
    x0, x1, x2 = (_coordinates(p) for p in (first, second, third))
    r, v = x1 - x0, x2 - 2 * x1 + x0
    length = np.linalg.norm(v)
    if length == 0:
        return None
    a = min(-1.0, -float(np.linalg.norm(r) / length))
    for _ in range(3):
        try:
            process = _process(x0 - 2 * a * r + a * a * v, third)
            found = expectation(process)
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            found = (-np.inf,)
        if found[0] > bar:
            return process, found
        a = (a - 1) / 2
        if a > -1.05:
            break
    return None


def _coordinates(process: Process) -> np.ndarray:
    """Matrices as they are, covariances by Cholesky factors with logarithms on the diagonal: every point is a process."""
    model = process.model
    parts = [getattr(model, key).ravel() for key in _blocks(model)]
    for cov in (process.Q, process.R, process.initial.cov):
        scale = np.sqrt(np.maximum(np.diag(cov), 1e-300))
        L = np.linalg.cholesky(cov / np.outer(scale, scale) + 1e-13 * np.eye(len(cov))) * scale[:, None]
        L[np.diag_indices_from(L)] = np.log(np.maximum(np.diag(L), 1e-150))
        parts.append(L[np.tril_indices(len(L))])
    return np.concatenate([*parts, process.initial.mean])


def _process(vector: np.ndarray, like: Process) -> Process:
    model, at = like.model, 0
    blocks: dict[str, np.ndarray] = {}
    for key in _blocks(model):
        shape = getattr(model, key).shape
        size = int(np.prod(shape))
        blocks[key] = vector[at : at + size].reshape(shape)
        at += size
    covs = []
    for cov in (like.Q, like.R, like.initial.cov):
        n = len(cov)
        L = np.zeros((n, n))
        L[np.tril_indices(n)] = vector[at : at + n * (n + 1) // 2]
        at += n * (n + 1) // 2
        L[np.diag_indices(n)] = np.exp(np.minimum(np.diag(L), 300.0))
        covs.append(np.where(cov == 0, 0.0, L @ L.T))
    P0 = like.initial.cov if not like.initial.cov.any() else covs[2]
    return Process(replace(model, **blocks), covs[0], covs[1], None, Gaussian(vector[at:], P0))


def _blocks(model: Any) -> tuple[str, ...]:
    return ("A", "N", "B", "c", "C", "D", "d") if isinstance(model, Bilinear) else ("A", "B", "c", "C", "D", "d")


def _start(data: list[Data], start: Any) -> tuple[Process, list[str]]:
    """A process with S = 0, a regular Q and a Gaussian initial law, and what had to be changed for it."""
    notes: list[str] = []
    if start is None:
        from .subspace import Subspace
        start = Subspace().fit(data).process
    if not isinstance(start, Process) or not isinstance(start.model, LTI | Bilinear):
        kind = type(start.model).__name__ if isinstance(start, Process) else type(start).__name__
        raise TypeError(f"fit(EM): expected start as a Process around an LTI or Bilinear model, or None; received {kind}. "
                        "Give Q and R: sysid.Process(model, Q=..., R=...).")  # fmt: skip
    if start.Q.ndim == 3 or start.R.ndim == 3:
        raise ValueError("fit(EM): expected constant Q and R; received time-varying ones.")
    _check.same_time_step(start.model.dt, data[0].dt, "fit(EM)")
    if (start.model.n_inputs, start.n_outputs) != (data[0].n_inputs, data[0].n_outputs):
        raise ValueError(f"fit(EM): expected a start with {data[0].n_inputs} inputs and {data[0].n_outputs} outputs as in the data; "
                         f"received {start.model.n_inputs} and {start.n_outputs}.")  # fmt: skip
    law = start.initial if isinstance(start.initial, Gaussian) else None
    if law is None:
        law = _proper_law(start, data)
        notes.append(f"the initial law {type(start.initial).__name__}() was replaced by a Gaussian, which EM can estimate")
    Q, R = start.Q, start.R
    if start.S is not None and start.S.any():
        # Without S the same output needs more process noise; a tenth of the innovations' part keeps Q regular.
        Q = Q + 0.1 * np.diag(np.diag(Q)) + 1e-3 * np.diag(np.diag(law.cov))
        notes.append("S was set to zero and Q enlarged at the start: EM estimates processes with uncorrelated noises")
    return Process(start.model, Q, R, None, law), notes


def _proper_law(start: Process, data: list[Data]) -> Gaussian:
    if isinstance(start.initial, Stationary):
        return stationary_law(start, np.arange(start.n_states), "fit(EM)")
    spread = np.nanvar(np.concatenate([d.y for d in data]), 0).sum() / max(np.linalg.norm(start.model.C) ** 2, 1e-300)
    return Gaussian(np.zeros(start.n_states), 10 * spread * np.eye(start.n_states))


def _groups(data: list[Data], process: Process, method: EM) -> list[Data]:
    """Experiments of equal length without gaps as one batch, which shares its covariances; in order otherwise."""
    alone = isinstance(process.model, Bilinear) or method.noise != "gaussian" or method.n_jobs not in (None, 1)
    lengths = {d.n_steps for d in data}
    if alone or len(data) == 1 or len(lengths) > 1 or any(d.missing.any() for d in data):
        return data
    u = np.stack([d.u for d in data]) if data[0].n_inputs else None
    return [Data(np.stack([d.y for d in data]), u, data[0].dt)]
