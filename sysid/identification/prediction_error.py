"""Prediction-error fits: gradient refinement of linear models and of nonlinear models with parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..core.status import Status
from ..linear.covariances import innovations_noise, mean_and_covariance
from ..models.lti import LTI
from ..models.nonlinear import Nonlinear
from ..models.process import Process
from .fit import Fit, measured_samples
from .linear_pem import LinearProblem, Optimum
from .records import DIVERGED, Scales, common_scales
from .robust_loss import ErrorLaw
from .structure import BLOCKS, Predictor, Structure
from .subspace import Subspace
from .uncertainty import Uncertainty


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PredictionErrorFit(Fit):
    """A prediction-error estimate: Fit (model, process, status, history, ...) with gain, errors' scale and uncertainty.

    gain: K (n, p), zero under focus "simulation". innovation_cov: (p, p), the scale matrix of the errors.
    uncertainty: covariance of the matrices and its bands for poles, step and frequency responses; None for nonlinear
    models, whose `parameter_cov` (k, k) it is.
    """

    gain: np.ndarray | None = None
    innovation_cov: np.ndarray
    uncertainty: Uncertainty | None = None
    parameter_cov: np.ndarray | None = None


@dataclass(frozen=True)
class PredictionError:
    """Minimise the prediction or simulation error by Gauss-Newton with analytic gradients [Ljung 1999, ch. 7 and 10].

        min_theta sum_t log p(e[t]; theta),   e = y - C x - D u - d,   x[t+1] = A x + B u + c + K e

    for linear models, every matrix, the offsets and the initial state of each experiment free; for a Nonlinear model
    its parameters p, under bounds and from several starts, with simulation errors.
    focus: "prediction" (one step, K estimated), "simulation" (K = 0), or "likelihood": the exact likelihood of the
    Kalman filter in A, B, C, D, d, Q, R and the initial mean, S = 0, as EM maximises it, by quasi-Newton steps; gaps
    are then treated exactly, and standard errors come from the observed information.
    bounds: pairs (low, high) for each parameter of a Nonlinear model, None for unbounded.
    starts: how many starting points; for linear models other subspace weightings, for nonlinear ones points between
    the bounds, drawn by rng.
    loss: "gaussian", "huber" or "student" (4 degrees of freedom), the last two for records with outliers.
    free: blocks of a linear model to estimate, {"A": mask or True, ...} or names ("A", ...), with masks of the blocks' shapes among
    A, B, c, K, C, D, d (under "likelihood" Q and R as True in place of K); None frees all (under "likelihood" all but c,
    which the choice of state coordinates makes whatever it is; P0 is then held by the spread of the first outputs).
    Held entries keep the values of `start`.
    feedthrough: whether D is free where `free` is None.
    n_states: order of the subspace start where no start is given.
    max_iterations, tolerance: stop after as many steps, or when a step would gain less in log likelihood.
    estimate_initial_states: else they stay zero (linear) or as the start has them.
    Missing outputs give no correction and no error; the gain after a gap is exact under "likelihood" only. Standard errors come from the information matrix, and under
    simulation focus, where errors are coloured, from sums of scores over blocks of samples.
    Raises TypeError or ValueError for options of another kind or out of range, and blocks that do not exist.
    """

    focus: str = "prediction"
    bounds: Sequence | None = None
    starts: int = 1
    max_iterations: int = 100
    tolerance: float = 1e-6
    loss: str = "gaussian"
    free: Any = None
    feedthrough: bool = True
    n_states: int | None = None
    estimate_initial_states: bool = True
    rng: np.random.Generator | None = None

    def __post_init__(self) -> None:
        _check.options(self, tolerance="nonnegative", feedthrough="flag", n_states="count",
                       estimate_initial_states="flag", rng="generator")  # fmt: skip
        _check.choice(self.focus, "focus", "PredictionError", ("prediction", "simulation", "likelihood"))
        _check.choice(self.loss, "loss", "PredictionError", ("gaussian", "huber", "student"))
        _check.count(self.starts, "starts", "PredictionError")
        _check.count(self.max_iterations, "max_iterations", "PredictionError")
        names = BLOCKS if self.focus != "likelihood" else ("A", "B", "c", "C", "D", "d", "Q", "R")
        if self.free is not None and not isinstance(self.free, Mapping):
            if isinstance(self.free, str) or not isinstance(self.free, tuple | list | set):
                raise TypeError('PredictionError: expected free as blocks such as {"A": mask, "B": True} or their names ("A", "B"); '
                                f"received {self.free!r}.")  # fmt: skip
            object.__setattr__(self, "free", dict.fromkeys(self.free, True))
        unknown = set(self.free or {}) - set(names)
        if unknown:
            raise ValueError(f"PredictionError: expected free to name blocks among {', '.join(names)}; "
                             f"received {', '.join(sorted(unknown))}.")  # fmt: skip

    def fit(self, data: list[Data], start: Any = None) -> PredictionErrorFit:
        """Refine `start`: an LTI, a Process around one, a Nonlinear model, or None for a subspace estimate.

        Raises TypeError or ValueError for another start, data that do not fit it, or bounds on a linear model.
        """
        model = start.model if isinstance(start, Process) else start
        if isinstance(model, Nonlinear):
            from .grey_box import fit_nonlinear
            return fit_nonlinear(self, data, model, start if isinstance(start, Process) else None)
        if start is not None and not isinstance(model, LTI):
            raise TypeError(f"fit(PredictionError): expected start as an LTI, a Process around one, a Nonlinear model or None; "
                            f"received {type(model).__name__}.")  # fmt: skip
        if self.bounds is not None:
            raise ValueError("fit(PredictionError): expected bounds only for the parameters p of a Nonlinear model; received "
                             "some for a linear one. Hold entries of a linear model with `free`.")  # fmt: skip
        if self.focus == "likelihood":
            from .likelihood_fit import fit_likelihood
            return fit_likelihood(self, data, start)
        return self._fit_linear(data, start)

    def _fit_linear(self, data: list[Data], start: Any) -> PredictionErrorFit:
        call = "fit(PredictionError)"
        scales = common_scales(data, call)
        found: list[tuple[Optimum, LinearProblem]] = []
        interrupted: Status | None = None
        try:
            for begin in self._starting_points(data, start):
                found.append(self._refine(data, begin, scales, call))
                interrupted = found[-1][0].interrupted
                if interrupted is not None:
                    break
        except KeyboardInterrupt:
            if not found:
                raise
            interrupted = Status(False, f"interrupted by the user after {len(found)} of {self.starts} starts: the best estimate so far is returned",
                                 found[-1][0].status.iterations)  # fmt: skip
        best, problem = min(found, key=lambda pair: pair[0].point.value)
        return self._result(best if interrupted is None else replace(best, status=interrupted), problem, scales, data)

    def _starting_points(self, data: list[Data], start: Any) -> Iterator[Any]:
        """The user's start, then subspace estimates of other weightings."""
        if start is not None:
            yield start
        if start is None or self.starts > 1:
            order = self.n_states or (None if start is None else start.n_states)
            # A simulation that diverges has no gradient to follow.
            subspace = Subspace(order, feedthrough=self.feedthrough, stable=self.focus == "simulation")
            clean = data if self.loss == "gaussian" else _cleaned(data, subspace, self.focus)
            weightings = ("auto",) if self.starts == 1 else ("moesp", "cva", "n4sid", "ivm")[: self.starts - (start is not None)]
            for weighting in weightings:
                yield replace(subspace, weighting=weighting).fit(clean)

    def _refine(self, data: list[Data], start: Any, scales: Scales, call: str) -> tuple[Optimum, LinearProblem]:
        begin = _scaled(start, scales, data, call, self.focus)
        if self.free is None:
            begin = begin.transform(_whitening(begin, scales.apply(data)))
            free = {b: True for b in BLOCKS if not (b == "K" and self.focus == "simulation") and not (b == "D" and not self.feedthrough)}
        else:
            free = dict(self.free)
        structure = Structure.of_free(begin, free)
        problem = LinearProblem(scales.apply(data), begin, structure, ErrorLaw(self.loss), self.estimate_initial_states)
        x0 = _initial_states(problem, begin) if self.estimate_initial_states else np.zeros((len(data), len(begin.A)))
        return problem.minimise(structure.theta(begin.vector()), x0, self.max_iterations, self.tolerance, call), problem

    def _result(self, found: Optimum, problem: LinearProblem, scales: Scales, data: list[Data]) -> PredictionErrorFit:
        P, point, ys = found.point.predictor, found.point, scales.y_scale
        restored = scales.restore(P.A, P.B, P.C, P.D, P.d)
        model = LTI(**(restored | {"c": P.c + restored["c"]}), dt=data[0].dt)
        gain, cov = P.K / ys, point.cov * np.outer(ys, ys)
        Q, R, S = innovations_noise(gain, cov)
        mean, spread = mean_and_covariance(np.concatenate(point.states))
        process = Process(model, Q, R, S if gain.any() else None, Gaussian(mean, spread + Q))
        seen = sum((~d.missing).sum(0) for d in data)
        covariance = found.covariance if self.focus == "prediction" and self.loss == "gaussian" else found.robust_covariance
        uncertainty = Uncertainty.of_linear(model, gain, problem.structure.M @ covariance @ problem.structure.M.T, scales)
        return PredictionErrorFit(
            model=model, process=process, status=found.status, initial_states=point.x0, gain=gain, innovation_cov=cov,
            log_likelihood=-point.value - float(seen @ np.log(ys)), history={"loss": found.history},
            n_parameters=found.n_parameters, n_samples=measured_samples(data),
            uncertainty=uncertainty, standard_errors={"poles": uncertainty.pole_deviations()}, notes=_notes(found, len(P.A)))  # fmt: skip


def _notes(found: Optimum, n: int) -> tuple[str, ...]:
    notes = []
    if np.abs(np.linalg.eigvals(found.point.predictor.A)).max(initial=0) >= 1:
        notes.append("the model is unstable: judge it by prediction, not by simulation")
    return tuple(notes)


def _scaled(start: Any, scales: Scales, data: Sequence[Data], call: str, focus: str) -> Predictor:
    """The start as a predictor on the common scale."""
    fitted_gain = getattr(start, "gain", None)
    process = getattr(start, "process", None) if isinstance(start, Fit) else start if isinstance(start, Process) else None
    model = start.model if isinstance(start, Fit | Process) else start
    _check.same_time_step(model.dt, data[0].dt, call)
    if (model.n_inputs, model.n_outputs) != (data[0].n_inputs, data[0].n_outputs):
        raise ValueError(f"{call}: expected a start with {data[0].n_inputs} inputs and {data[0].n_outputs} outputs as in the data; "
                         f"received {model.n_inputs} and {model.n_outputs}.")  # fmt: skip
    ys, us, um, ym = scales.y_scale, scales.u_scale, scales.u_mean, scales.y_mean
    K = np.zeros((model.n_states, model.n_outputs))
    if focus == "prediction":
        K = fitted_gain if fitted_gain is not None else _gain(process, model)
    return Predictor(model.A, model.B * us, model.c + model.B @ um, K * ys, model.C / ys[:, None], model.D * us / ys[:, None],
                     (model.d + model.D @ um - ym) / ys)  # fmt: skip


def _cleaned(data: list[Data], method: Subspace, focus: str) -> list[Data]:
    """Data whose one-step errors are cut at three robust deviations: a start that outliers do not ruin [Martin 1979]."""
    clean = data
    for _ in range(4):
        fit = method.fit(clean)
        scales = common_scales(clean, "fit(PredictionError)")
        P = _scaled(fit, scales, clean, "fit(PredictionError)", focus)
        assert fit.initial_states is not None
        problem = LinearProblem(scales.apply(clean), P, Structure.of_free(P, {"A": True}), ErrorLaw())
        errors = problem.evaluate(problem.structure.theta(P.vector()), fit.initial_states).errors
        stacked = np.concatenate(errors)
        if not np.nanmax(np.abs(stacked)) < DIVERGED:
            return clean  # an unstable predictor says nothing about outliers
        limit = 3 * 1.4826 * np.nanmedian(np.abs(stacked - np.nanmedian(stacked, 0)), 0)
        clean = [replace(d, y=d.y - (e - np.clip(e, -limit, limit)) * scales.y_scale) for d, e in zip(clean, errors)]
    return clean


def _gain(process: Process | None, model: LTI) -> np.ndarray:
    """The stationary Kalman gain of a process, zero where there is none."""
    from ..linear.riccati import filter_riccati
    if process is not None and process.Q.ndim == process.R.ndim == 2:
        found = filter_riccati(model.A, model.C, process.Q, process.R, process.S)
        if found.converged:
            return found.gain
    return np.zeros((model.n_states, model.n_outputs))


def _whitening(P: Predictor, records: Sequence) -> np.ndarray:
    """Coordinates in which the states of the data have unit covariance; the identity where that is not regular."""
    problem = LinearProblem(records, P, Structure.of_free(P, {"A": True}), ErrorLaw())
    states = np.concatenate(problem.evaluate(problem.structure.theta(P.vector()), np.zeros((len(records), len(P.A)))).states)
    states = states[np.abs(states).max(1, initial=0.0) < DIVERGED]
    if len(states) <= len(P.A):
        return np.eye(len(P.A))
    _, cov = mean_and_covariance(states)
    scale = np.sqrt(np.maximum(np.diag(cov), 1e-300))
    try:
        root = np.linalg.cholesky(cov / np.outer(scale, scale)) * scale[:, None]
    except np.linalg.LinAlgError:
        return np.eye(len(P.A))
    return root if np.isfinite(root).all() and np.linalg.cond(root) < 1e8 else np.eye(len(P.A))


def _initial_states(problem: LinearProblem, P: Predictor) -> np.ndarray:
    """Least-squares initial states for fixed matrices."""
    x0 = np.zeros((len(problem.records), len(P.A)))
    point = problem.evaluate(problem.structure.theta(P.vector()), x0)
    if not np.isfinite(point.value):
        return x0
    _, heads = problem._triangles(point)
    n = len(P.A)
    return np.stack([-np.linalg.lstsq(h[:, :n], h[:, -1], rcond=1e-8)[0] for h in heads])
