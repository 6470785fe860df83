"""The verb filter: the law of the state given the measurements so far."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, overload

import numpy as np

from .. import _check
from ..core.data import Data
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.names import check_names
from ..models.process import Process
from ..models.protocol import wide_input
from .kalman import Kalman
from .laws import States
from .linear_arrays import broadcast_means
from .memory import empty
from .results import Filtered, gather
from .start import estimated_start, has_estimated, starting_law
from .trace import Stretch, Trace


@singledispatch
def default_method(model: Any) -> Any:
    """The filter for a model's type where none is given: the extended Kalman filter, Kalman for linear models."""
    from .ekf import ExtendedKalman

    return ExtendedKalman()


@default_method.register(LTI)
@default_method.register(LTV)
@default_method.register(Bilinear)
def _(model: Any) -> Kalman:
    return Kalman()


@overload
def filter(process: Process, data: Data, method: Any = None, *, store: str = "all") -> Filtered: ...
@overload
def filter(process: Process, data: list[Data], method: Any = None, *, store: str = "all") -> list[Filtered]: ...
def filter(process: Process, data: Data | list[Data], method: Any = None, *, store: str = "all") -> Filtered | list[Filtered]:
    """Filter measurements through a process.

        x(t|t) = E[x[t] | y[0..t]],    P(t|t) = Cov(x[t] | y[0..t]),    log p(y) = sum_t log p(y[t] | y[0..t-1])

    process: model, noise and initial law. data: y (T, p) with NaN where missing, u (T, m); a batch (S, T, .), or a list
    of Data of any lengths, which gives a list of results.
    method: Kalman(), ExtendedKalman(), UnscentedKalman(), ...; None for Kalman on linear models, else ExtendedKalman.
    store: "all" keeps means (T, n) and covariances (T, n, n); "mean" means; "last" the log-likelihoods and the end.
    Returns a Filtered. Raises ValueError where data and model do not fit in channels or dt, FloatingPointError where a
    function leaves the numbers. Cost O(T n^3).
    """
    if isinstance(data, list):
        return [filter(process, d, method, store=store) for d in data]
    method = chosen_method(process, method)
    return wrap(process, data, method, run(process, data, method, store))


def chosen_method(process: Process, method: Any, call: str = "filter") -> Any:
    """The method given, or the default of the process's model."""
    if not isinstance(process, Process):
        raise TypeError(f"{call}: expected sysid.Process(model, Q=..., R=..., initial=...); received {type(process).__name__}."
                        + _check.instead(process, "process"))  # fmt: skip
    if method is None:
        return default_method(process.model)
    if isinstance(method, type) or not hasattr(method, "trace"):
        smoother = " A smoother goes to sysid.smooth(process, data, method)." if hasattr(method, "filtering") else ""
        raise TypeError(f"{call}: expected a method such as sysid.Kalman() or sysid.UnscentedKalman(); "
                        f"received {_check.received(method)}.{smoother}")  # fmt: skip
    if isinstance(method, Kalman) and not isinstance(process.model, LTI | LTV | Bilinear):
        raise TypeError(f"{call}: expected a linear model for Kalman(); received {type(process.model).__name__}. "
                        "Take ExtendedKalman() or UnscentedKalman(), or linearise it: sysid.linearize(model, ...).")  # fmt: skip
    return method


def run(process: Process, data: Data, method: Any, store: str) -> list[Trace]:
    """Traces of all sequences from the process's initial law."""
    check_data(process, data, "filter")
    if has_estimated(process.initial):
        process = _with_estimated_start(process, data, method)
    _check.choice(store, "store", "filter", ("all", "mean", "last"))
    y = data.y if data.is_batch else data.y[None]
    u = np.empty((1, data.n_steps, 0)) if data.u is None else data.u if data.is_batch else data.u[None]
    law = starting_law(process, "filter")
    return method.trace(process, Stretch(u, y, broadcast_means(law.mean, len(y)), law.cov, store=store, diffuse=law.diffuse))


def _with_estimated_start(process: Process, data: Data, method: Any) -> Process:
    """Set estimated blocks of the start to the smoothed x[0] under an exact diffuse start."""
    from .rts import RTS

    if data.is_batch:
        raise ValueError("filter: expected one sequence for initial=Estimated(); received a batch. Give a list of Data: each "
                         "experiment then has a start of its own.")  # fmt: skip
    law = starting_law(process, "filter")
    stretch = Stretch(data.inputs[None], data.y[None], law.mean[None], law.cov, diffuse=law.diffuse)
    backward = RTS().backward(method.trace(process, stretch)[0])
    if backward.infinite is not None and backward.infinite[0].any():
        raise ValueError("filter: expected data that determine x[0] for initial=Estimated(); received a model of which states "
                         f"{np.flatnonzero(backward.infinite[0]).tolist()} are never seen.")  # fmt: skip
    return estimated_start(process, backward.x[0, 0])


def check_data(process: Process, data: Any, call: str) -> None:
    """Refuse data that do not fit the process."""
    if not isinstance(data, Data):
        raise TypeError(f"{call}: expected sysid.Data; received {type(data).__name__}. Did you mean sysid.Data(y, u, dt=...)?")
    model = process.model
    _check.same_time_step(model.dt, data.dt, call)
    if data.n_outputs != model.n_outputs:
        flipped = " Time is the first axis: did you pass the transpose?" if data.n_steps == model.n_outputs else ""
        raise ValueError(f"{call}: expected y with shape (T, {model.n_outputs}) because the model has {model.n_outputs} outputs; "
                         f"received {data.y.shape}.{flipped}")  # fmt: skip
    if data.n_inputs or model.n_inputs:
        u = data.inputs[0] if data.is_batch else data.inputs
        wide_input(u if data.n_inputs else None, data.n_steps, model.n_inputs, call)
    check_names(model, data, call)


def wrap(process: Process, data: Data, method: Any, traces: list[Trace]) -> Filtered:
    """Traces as the result shown to the user."""
    batch = data.is_batch

    def joined(name: str) -> np.ndarray:
        parts = [getattr(t, name) for t in traces]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts, out=empty((len(data.y), *parts[0].shape[1:])))
        return whole if batch else whole[0]

    def covariances(of: Any) -> Any:
        return lambda: gather([of(t) for t in traces], traces, batch)

    y_mean = np.full_like(data.y, np.nan) if traces[0].yp is None else joined("yp")
    return Filtered(process, data, method, States(joined("xp"), covariances(Trace.predicted_cov)), States(joined("xf"), covariances(Trace.filtered_cov)),
                    y_mean, joined("log_density"), traces[0].form, traces)  # fmt: skip
