"""The verb forecast: outputs beyond the data, with bands."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..kernels._jit import as_float
from ..models.ltv import LTV
from ..models.process import Process
from ..models.protocol import is_model, wide_input
from .filter import check_data, chosen_method, filter
from .free_run import free_run
from .laws import States
from .results import Forecast, gather
from .simulate import simulate
from .trace import Stretch


def forecast(process: Any, data: Data, horizon: int, u: Any = None, method: Any = None, *, n_samples: int | None = None,
             rng: np.random.Generator | None = None) -> Forecast:  # fmt: skip
    """Forecast outputs after the last sample of the data.

        E[y[T+k] | y[0..T-1]],   Cov(y[T+k] | y[0..T-1]) = C P(T+k|T-1) C' + R,    k = 0..h-1       [ESN-SSM, Eq. 91]

    process: a Process; or a bare model, such as a trained reservoir, which is run along the data (teacher forcing where
    it feeds outputs back) and then on its own, without bands.
    data: past y (T, p) and u (T, m), or a batch. horizon: h. u: (h, m) future inputs, (S, h, m) for a batch.
    A model that feeds outputs back gets its own, and the band carries their noise.
    method: the filter, as for `filter`. n_samples, rng: draw paths, from which `interval` is then taken.
    Returns a Forecast; a run of a bare model that diverges ends there, its later outputs NaN and `diverged` the step.
    Raises ValueError for missing or misshaped future inputs. Cost O((T + h) n^3).
    """
    horizon = _check.count(horizon, "horizon", "forecast")
    if not isinstance(process, Process) and is_model(process):
        n, p = process.n_states, process.n_outputs
        still = Gaussian(np.zeros(n), np.zeros((n, n)))
        process = Process(process, Q=np.zeros((n, n)), R=np.zeros((p, p)), initial=still)
        if hasattr(process.model, "with_readout") and method is None and n_samples is None:
            return _run_on(process, data, horizon, u)
    method = chosen_method(process, method, "forecast")
    past = filter(process, data, method, store="last")
    S = len(data.y) if data.is_batch else 1
    inputs = _future(process, u, horizon, S, data.is_batch)
    y = np.full((S, horizon, process.n_outputs), np.nan)
    traces = []
    for s, end in enumerate(past.traces):
        own = slice(None) if len(past.traces) == 1 else slice(s, s + 1)
        future = Stretch(inputs if len(inputs) == 1 else inputs[own], y[own], as_float(end.mean), end.cov, data.n_steps,
                         diffuse=end.end)  # fmt: skip
        traces += method.trace(process, future)
    mean = np.concatenate([t.yp for t in traces])
    x = np.concatenate([t.xp for t in traces])
    cov = gather([t.innovation_cov() for t in traces], traces, data.is_batch)
    states = States(x if data.is_batch else x[0], lambda: gather([t.predicted_cov() for t in traces], traces, data.is_batch))
    paths = None if n_samples is None else _paths(process, past.final, inputs, horizon, n_samples, rng, data)
    return Forecast(mean if data.is_batch else mean[0], cov, states, data, process, paths)


def _run_on(process: Process, data: Data, horizon: int, u: Any) -> Forecast:
    """A reservoir without noise: taught along the data, then on its own."""
    model = process.model
    if hasattr(model, "require_readout"):
        model.require_readout("forecast")
    check_data(process, data, "forecast")
    S = len(data.y) if data.is_batch else 1
    mean, x, diverged = free_run(model, data, horizon, _future(process, u, horizon, S, data.is_batch))
    n, p = model.n_states, model.n_outputs
    lead = (S, horizon) if data.is_batch else (horizon,)
    if not data.is_batch:
        mean, x = mean[0], x[0]
    states = States(x, lambda: np.broadcast_to(np.zeros((n, n)), (*lead, n, n)))
    return Forecast(mean, np.zeros((*lead, p, p)), states, data, process, diverged=diverged)


def _future(process: Process, u: Any, horizon: int, S: int, batch: bool) -> np.ndarray:
    """Future inputs (S or 1, h, m)."""
    m = process.model.n_inputs
    if u is None:
        if m:
            raise ValueError(f"forecast: expected future inputs u with shape ({horizon}, {m}); received none. "
                             "The model has inputs: what will be applied over the horizon?")  # fmt: skip
        return np.zeros((1, horizon, 0))
    u = _check.real_array(u, "u", "forecast")
    u = u[:, None] if u.ndim == 1 else u
    if u.ndim < 2:
        raise ValueError(f"forecast: expected u with shape ({horizon}, {m}), one row a step of the horizon; received one number.")
    if u.ndim == 3 and (not batch or len(u) != S):
        raise ValueError(f"forecast: expected u with shape ({horizon}, {m}); received {u.shape}.")
    if u.shape[-2] != horizon:
        raise ValueError(f"forecast: expected u with shape ({horizon}, {m}), one row a step of the horizon; received {u.shape}.")
    wide_input(u[0] if u.ndim == 3 else u, horizon, m, "forecast")
    return as_float(u if u.ndim == 3 else u[None])


def _paths(process: Process, law: Any, inputs: np.ndarray, horizon: int, n_samples: int, rng: Any, data: Data) -> np.ndarray:
    """Sampled outputs (n_samples, h, p) from the law of x[T] on."""
    rng = _check.generator(rng, "forecast")
    if data.is_batch or isinstance(process.model, LTV):
        raise ValueError("forecast: expected one sequence and a model that does not vary in time for n_samples; "
                         "received a batch or an LTV. Leave n_samples out: the Gaussian bands are exact for an LTV.")  # fmt: skip
    x0 = law.sample(rng, _check.count(n_samples, "n_samples", "forecast"))
    u = np.broadcast_to(inputs[0], (n_samples, *inputs[0].shape)) if process.model.n_inputs else None
    if u is None:
        return np.stack([simulate(process, x0=x, n_steps=horizon, rng=rng).y for x in x0])
    return simulate(process, u, x0=x0, rng=rng).y
