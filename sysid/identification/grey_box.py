"""Grey-box fits: the parameters of a Nonlinear model by least squares on its simulation error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..core.status import Status
from ..inference.simulate import simulate
from ..kernels import rollout
from ..kernels._jit import as_float
from ..linear.covariances import mean_and_covariance
from ..models.nonlinear import Nonlinear
from ..models.process import Process
from .fit import measured_samples
from .progress import Progress

if TYPE_CHECKING:
    from .prediction_error import PredictionError, PredictionErrorFit

_DIVERGED = 1e6  # in standard deviations of the output
_TURNED = " Did you pass (lows, highs)? Then it is list(zip(lows, highs))."


@dataclass(frozen=True)
class GreyBox:
    """Scaled simulation errors of a model over experiments as a function of [p, x0 of every experiment]."""

    model: Nonlinear
    data: Sequence[Data]
    scale: np.ndarray
    estimate_x0: bool
    x0: np.ndarray

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parameters (k,) and initial states (S, n)."""
        k = len(self.model.p)
        return theta[:k], theta[k:].reshape(self.x0.shape) if self.estimate_x0 else self.x0

    def errors(self, theta: np.ndarray) -> list[np.ndarray]:
        """Scaled errors (T, p) of each experiment, NaN where missing, a large number after a divergence."""
        p, x0 = self.split(theta)
        fun, out = self.model.functions(), []
        run = rollout.nonlinear if fun.compiled else rollout.nonlinear.py_func
        n, q, dt = self.model.n_states, self.model.n_outputs, float(self.model.dt or 1.0)
        for d, start in zip(self.data, x0):
            T = len(d)
            X, Y, final = np.empty((T, n)), np.full((T, q), np.nan), np.empty(n)
            U = as_float(self.model.extended_input(d.inputs))
            try:
                stop = run(*fun.arguments("f", "g"), U, np.zeros((T, n)), as_float(p), 0.0, dt, as_float(start), X, Y, final)
            except FloatingPointError:
                stop = 0
            e = (d.y - Y) / self.scale
            if stop >= 0:
                e[stop:] = _DIVERGED
            out.append(np.where(np.isnan(d.y), np.nan, np.clip(np.nan_to_num(e, nan=_DIVERGED), -_DIVERGED, _DIVERGED)))
        return out

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """All measured errors as one vector."""
        stacked = np.concatenate([e.ravel() for e in self.errors(theta)])
        return stacked[~np.isnan(stacked)]

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """Derivatives of the residuals by central differences."""
        columns = []
        for i, value in enumerate(theta):
            h = 6e-6 * max(abs(value), 1e-3)
            step = np.zeros(len(theta))
            step[i] = h
            columns.append((self.residuals(theta + step) - self.residuals(theta - step)) / (2 * h))
        return np.column_stack(columns)


def fit_nonlinear(method: PredictionError, data: list[Data], model: Nonlinear, process: Process | None) -> PredictionErrorFit:
    """Estimate p and the initial states; the best of several starts."""
    from .prediction_error import PredictionErrorFit
    call = "fit(PredictionError)"
    model = _sampled(model, data[0].dt, call)
    _check_start(model, data, call)
    y = np.concatenate([d.y for d in data])
    scale = np.nanstd(y, 0)
    scale = np.where(scale > 0, scale, 1.0)
    guess = process.initial.mean if process is not None and isinstance(process.initial, Gaussian) else np.zeros(model.n_states)
    problem = GreyBox(model, data, scale, method.estimate_initial_states, np.tile(guess, (len(data), 1)))
    low, high = _bounds(method.bounds, len(model.p), call)
    begins = _starting_points(method, model.p, low, high)
    extra = problem.x0.size if problem.estimate_x0 else 0
    free = np.full(extra, np.inf)
    limits = np.concatenate([low, -free]), np.concatenate([high, free])
    best: Any = None
    with Progress(call, len(begins)) as progress:
        for i in progress:
            theta = np.concatenate([begins[i - 1], problem.x0.ravel() if extra else []])
            found = _minimise(problem, theta, limits, method)
            if best is None or found.cost < best.cost:
                best = found
            progress.show(loss=best.cost)
    if best is None:
        raise KeyboardInterrupt
    status = Status(bool(best.status > 0), _reason(best, len(begins)), int(best.nfev))
    status = status if progress.interrupted is None else progress.interrupted
    return _result(PredictionErrorFit, problem, best, status, scale, data)


def _minimise(problem: GreyBox, theta: np.ndarray, limits: tuple[np.ndarray, np.ndarray], method: PredictionError) -> Any:
    from scipy.optimize import least_squares
    first = problem.residuals(theta)
    spread = 1.4826 * np.median(np.abs(first)) + 1e-12
    loss: Any = {"gaussian": "linear", "huber": "huber", "student": "cauchy"}[method.loss]
    found = None
    for _ in range(1 if loss == "linear" else 3):
        found = least_squares(problem.residuals, theta, problem.jacobian, limits, x_scale="jac", loss=loss,
                              f_scale=spread * (1.345 if loss == "huber" else 2.0), max_nfev=method.max_iterations,
                              ftol=1e-10, xtol=1e-10, gtol=1e-10)  # fmt: skip
        theta = found.x
        spread = 1.4826 * np.median(np.abs(found.fun)) + 1e-12
    return found


def _result(kind: Any, problem: GreyBox, best: Any, status: Status, scale: np.ndarray, data: list[Data]) -> PredictionErrorFit:
    p, x0 = problem.split(best.x)
    errors = [e * scale for e in problem.errors(best.x)]
    stacked = np.concatenate(errors)
    cov = np.diag(np.nanmean(stacked**2, 0))
    seen = (~np.isnan(stacked)).sum(0)
    fitted = replace(problem.model, p=p)
    notes, covariance = [], np.full((len(p), len(p)), np.nan)
    rank = np.linalg.matrix_rank(best.jac / np.maximum(np.linalg.norm(best.jac, axis=0), 1e-300), tol=1e-8)
    if rank == best.jac.shape[1]:
        covariance = _sandwich(best.jac, problem.residuals(best.x))[: len(p), : len(p)]
    else:
        notes.append(f"no standard errors: the data determine only {rank} of the {best.jac.shape[1]} parameters and initial "
                     "states near the optimum; fix some of them or record a richer input")
    at = [i for i in range(len(p)) if best.active_mask[i]]
    if at:
        notes.append(f"parameters {at} end on their bounds; their standard errors do not count that")
    n = problem.model.n_states
    process = Process(fitted, np.zeros((n, n)), cov, None, _prior(fitted, data, x0))
    value = float(-0.5 * (seen * (np.log(2 * np.pi * np.maximum(np.diag(cov), 1e-300)) + 1)).sum())
    return kind(model=fitted, process=process, status=status, initial_states=x0.copy(), innovation_cov=cov, log_likelihood=value,
                n_parameters=len(p) + len(cov) if rank == best.jac.shape[1] else None, n_samples=measured_samples(data),
                parameter_cov=covariance, standard_errors={"p": np.sqrt(np.diag(covariance))}, notes=tuple(notes),
                history={"loss": np.array([best.cost])})  # fmt: skip


def _prior(model: Nonlinear, data: list[Data], x0: np.ndarray) -> Gaussian:
    """The spread of the states along the records: what is known of where another record begins."""
    paths = [simulate(model, d.u, start, n_steps=None if d.n_inputs else d.n_steps).x for d, start in zip(data, x0)]
    states = np.concatenate(paths)
    return Gaussian(*mean_and_covariance(states))


def _sandwich(J: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Covariance of a least-squares estimate with coloured errors, from sums of scores over blocks of T^(1/2) samples."""
    length = max(20, int(np.sqrt(len(e))))
    sums = np.add.reduceat(J * e[:, None], np.arange(0, len(e), length), axis=0)
    size = np.linalg.norm(J, axis=0)
    inverse = np.linalg.inv((J / size).T @ (J / size)) / np.outer(size, size)
    return inverse @ (sums.T @ sums) @ inverse


def _sampled(model: Nonlinear, dt: float, call: str) -> Nonlinear:
    if model.dt is None:
        from ..transforms.discretize import discretize
        return discretize(model, dt=dt, method="rk4")
    _check.same_time_step(model.dt, dt, call)
    return model


def _check_start(model: Nonlinear, data: list[Data], call: str) -> None:
    if len(model.p) == 0:
        raise ValueError(f"{call}: expected a Nonlinear model with parameters p to estimate; received p of length 0.")
    if (model.n_inputs, model.n_outputs) != (data[0].n_inputs, data[0].n_outputs):
        raise ValueError(f"{call}: expected a start with {data[0].n_inputs} inputs and {data[0].n_outputs} outputs as in the data; "
                         f"received {model.n_inputs} and {model.n_outputs}.")  # fmt: skip


def _bounds(bounds: Any, k: int, call: str) -> tuple[np.ndarray, np.ndarray]:
    if bounds is None:
        return np.full(k, -np.inf), np.full(k, np.inf)
    want = f"{call}: expected bounds as one pair (low, high) for each of the {k} parameters p"
    pairs = [(None, None) if b is None else b for b in bounds] if isinstance(bounds, Sequence | np.ndarray) else None
    if pairs is None or not all(isinstance(b, Sequence | np.ndarray) and len(b) == 2 for b in pairs):
        raise TypeError(f"{want}; received {bounds!r}.")
    if len(pairs) != k:
        raise ValueError(f"{want}; received {len(pairs)}.{_TURNED if len(pairs) == 2 else ''}")
    low = np.array([-np.inf if a is None else a for a, _ in pairs], dtype=float)
    high = np.array([np.inf if b is None else b for _, b in pairs], dtype=float)
    if not (low < high).all():
        i = int(np.argmin(low < high))
        raise ValueError(f"{want}, low < high; received ({low[i]:g}, {high[i]:g}) for parameter {i}.{_TURNED if k == 2 else ''}")
    return low, high


def _starting_points(method: PredictionError, p: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    """The model's own p, then points between the bounds: uniform, or log-uniform where the bounds span decades."""
    if not ((p >= low) & (p <= high)).all():
        i = int(np.argmin((p >= low) & (p <= high)))
        raise ValueError(f"fit(PredictionError): expected start.p within the bounds; parameter {i} is {p[i]:g}, outside "
                         f"({low[i]:g}, {high[i]:g}).")  # fmt: skip
    points = [np.array(p)]
    if method.starts > 1:
        rng = _check.generator(method.rng, "PredictionError(starts > 1)")
        if not (np.isfinite(low) & np.isfinite(high)).all():
            raise ValueError("PredictionError: expected finite bounds for every parameter where starts > 1; received an open one.")
        wide = (low > 0) & (high > 100 * np.maximum(low, 1e-300))
        for _ in range(method.starts - 1):
            r = rng.random(len(p))
            uniform = low + r * (high - low)
            points.append(np.where(wide, np.exp(np.log(np.where(wide, low, 1)) * (1 - r) + np.log(np.where(wide, high, 1)) * r), uniform))
    return points


def _reason(found: Any, starts: int) -> str:
    best = "" if starts == 1 else f", the best of {starts} starts"
    words = {0: f"stopped after {found.nfev} evaluations, before the tolerance was met", 1: "the gradient is zero to tolerance",
             2: "the criterion no longer falls", 3: "the parameters no longer move", 4: "criterion and parameters no longer move"}
    return words.get(found.status, found.message) + best
