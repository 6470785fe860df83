"""Expectation maximisation for linear and bilinear Gaussian processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..core.status import Status
from ..models.bilinear import Bilinear
from ..models.process import Process
from .elements import gauge, unseen
from .em_step import Maximiser
from .exact_likelihood import Coordinates
from .expectation import Expectation, gaussian_start, grouped, kept_law
from .fit import Fit, measured_samples
from .observed_information import INTERRUPTED, ObservedInformation, n_parameters, unknown
from .progress import Progress
from .uncertainty import Uncertainty


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EMFit(Fit):
    """An estimate by EM: Fit (model, process, status, history, initial_states, ...) and, for Student noise, precisions.

    precisions: (T,) of each experiment, the expected weight of every sample: outliers are small; None for Gaussian noise.
    uncertainty: covariance of the matrices with bands for poles, step and frequency responses, for an LTI model
    estimated with standard_errors=True; else None.
    """

    precisions: list[np.ndarray] | None = None
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True)
class EM:
    """Maximise the likelihood of a linear or bilinear Gaussian process by EM [Shumway & Stoffer 1982; Holmes 2013].

        E: moments of x given y by the smoother;   M: [A B c] = xz zz^-1,  Q = (xx - [A B c] zx) / N,  and so for [C D d], R

    Every element of A, (N,) B, C, D, d, Q, R and the initial mean is estimated unless told; c is held unless `structure`
    names it, since d and the initial mean already carry every offset of a model without a pole at one. S is zero.
    structure: constraints by name. Matrices: "full", "fixed", or an array of True (free), False or numbers (held), and
    expressions such as "a" or "1 + 2*a" (shared, tied). Q, R, P0: "full", "diagonal", "scalar", "fixed", a mask of blocks,
    or names and numbers for the diagonal. A variance that is zero in `start` stays zero.
    fixed: names held at the start, among A, N, B, c, C, D, d, Q, R, m0, P0.
    initial: "mean" (the covariance P0 is held), "both", "fixed", or None: a diffuse law of `start` is kept, exactly, where A
    and C are held; else "both" for five experiments or more. With one experiment P0 is never estimated with the mean, for
    it would go to zero.
    noise: "gaussian", or "student" with `degrees` of freedom for the outputs, which downweights outliers.
    prior: {"Q": (scale matrix, degrees), "R": ..., "A": (mean, precision)} for the posterior mode; inverse-Wishart and
    matrix-normal.
    accelerate: by SQUAREM extrapolation [Varadhan & Roland 2008], kept only where it raises the likelihood.
    tolerance: stop when a step gains less in log likelihood, or after max_iterations. n_jobs: of joblib for the E-step over experiments; a
    joblib.parallel_config with another backend carries it to a cluster.
    standard_errors: of every estimated element and of the poles, from the observed information at the end, which costs
    two E-steps a parameter: zero where an element is held, NaN with a reason in `notes` where the data do not determine
    it, as in a full A, B, C, Q whose state coordinates are free (the poles are determined all the same).
    Missing entries of y are handled in both steps. The likelihood never falls.
    """

    max_iterations: int = 200
    tolerance: float = 1e-5
    structure: Mapping[str, Any] = field(default_factory=dict)
    fixed: Sequence[str] = ()
    initial: str | None = None
    noise: str = "gaussian"
    degrees: float = 4.0
    prior: Mapping[str, Any] = field(default_factory=dict)
    accelerate: bool = True
    n_jobs: int | None = None
    standard_errors: bool = False

    def __post_init__(self) -> None:
        _check.options(self, tolerance="nonnegative", degrees="positive", accelerate="flag", standard_errors="flag")
        _check.count(self.max_iterations, "max_iterations", "EM")
        _check.choice(self.noise, "noise", "EM", ("gaussian", "student"))
        if self.initial is not None:
            _check.choice(self.initial, "initial", "EM", ("mean", "both", "fixed"))

    def fit(self, data: list[Data], start: Any = None) -> EMFit:
        """Refine `start`: a Process around an LTI or Bilinear model, or None for a subspace estimate.

        Raises TypeError or ValueError for a start that is no linear Process, names it does not know, or
        initial="both" with one experiment.
        """
        process, notes = gaussian_start(data, start, "fit(EM)")
        initial = self.initial or ("both" if len(data) >= 5 else "mean")
        if initial == "both" and len(data) == 1:
            raise ValueError('fit(EM): expected initial="mean" or "fixed" for one experiment; received "both". The likelihood has no '
                             "maximum in mean and covariance of a state that is seen once.")  # fmt: skip
        held = self.fixed if "c" in self.structure else {*self.fixed, "c"}
        maximise = Maximiser.of(process, self.structure, sorted(held), "fixed" if "m0" in self.fixed else initial, self.prior)
        law = None
        if self.initial in (None, "fixed"):
            law, maximise = kept_law(start, maximise, data, notes, "fit(EM)")
        process = maximise.project(process)
        still = np.flatnonzero(np.diag(process.Q) <= 0)
        if len(still):
            notes.append(f"states {still.tolist()} start without process noise, which EM cannot leave, nor what their rows of A and B say: "
                         "give them a small variance in start.Q to have these estimated")  # fmt: skip
        expectation = Expectation(grouped(data, process, self.n_jobs if self.noise == "gaussian" else 2), self.degrees if self.noise == "student" else None, self.n_jobs, maximise, law)
        return _iterate(self, process, maximise, expectation, notes)


def _iterate(method: EM, process: Process, maximise: Maximiser, expectation: Expectation, notes: list[str]) -> EMFit:
    value, moments, parts = expectation(process)
    if not np.isfinite(value):
        raise ValueError("fit(EM): expected a start under which the data have a finite likelihood; received one with a singular "
                         "innovation covariance or a diverging filter.")  # fmt: skip
    expectation.accept(parts)
    history, status, accelerate = [value], None, method.accelerate and method.noise == "gaussian"
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
    errors = None
    if method.standard_errors:
        errors = ObservedInformation.at(process, maximise, expectation).errors() if progress.interrupted is None else unknown(process, INTERRUPTED)
    if errors is not None:
        notes += errors.notes
    if method.noise == "student":
        notes.append("log_likelihood is the variational bound of the Student likelihood")
    states = np.concatenate([part.initial_states for part in parts])
    count = None
    if method.noise == "gaussian" and not method.prior:  # a maximum of the likelihood, and not of a bound or a posterior
        count = n_parameters(Coordinates.of(maximise, process), gauge if isinstance(process.model, Bilinear) else unseen)
    return EMFit(model=process.model, process=expectation.lawful(process), status=status, history={"log_likelihood": np.array(history)},
                 log_likelihood=value - maximise.log_prior(process), n_parameters=count, n_samples=measured_samples(expectation.data),
                 initial_states=states, notes=tuple(notes), precisions=expectation.precisions or None,
                 standard_errors=None if errors is None else errors.deviations, uncertainty=None if errors is None else errors.uncertainty)  # fmt: skip


def _fell(value: float, new: float, iteration: int) -> Status:
    small = value - new < 1e-6 * max(1.0, abs(value))
    return Status(small, "the likelihood has reached rounding" if small else
                  f"the likelihood fell by {value - new:.3g}, which EM cannot do but for rounding: the estimate before is returned; "
                  "scale the data or hold ill-determined elements", iteration)  # fmt: skip


def _squarem(first: Process, second: Process, third: Process, expectation: Callable, bar: float) -> tuple[Process, Any] | None:
    """theta = theta_0 - 2 a r + a^2 v with a = -|r| / |v| [Varadhan & Roland 2008, S3]; None where it does not help."""
    try:
        x0, x1, x2 = (_coordinates(p) for p in (first, second, third))
    except np.linalg.LinAlgError:  # a covariance singular along no axis has no such coordinates
        return None
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
