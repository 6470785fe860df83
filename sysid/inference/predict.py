"""The verb predict: outputs k steps ahead along the data."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from .. import _check
from ..core.data import Data
from ..kernels._jit import as_float
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.process import Process
from .filter import chosen_method, filter
from .linear_arrays import linear_arrays
from .means import outputs


@overload
def predict(process: Process, data: Data, steps: int = 1, method: Any = None) -> np.ndarray: ...
@overload
def predict(process: Process, data: list[Data], steps: int = 1, method: Any = None) -> list[np.ndarray]: ...
def predict(process: Process, data: Data | list[Data], steps: int = 1, method: Any = None) -> np.ndarray | list[np.ndarray]:
    """Predict each output from the measurements up to `steps` samples before it.

        y(t | t-k) = g(f(...f(x(t-k+1 | t-k)))),    k = steps; from the prior where t < k

    process, data, method: as for `filter`; a list of Data gives a list. The inputs up to t are taken as known.
    Returns means (T, p), or (S, T, p) for a batch, in the model's units; the law one step ahead, with bands, is
    `filter(process, data).interval()`. Raises as `filter`, and ValueError for
    steps below 1. Cost that of the filter and O(steps T n^2).
    """
    if isinstance(data, list):
        return [predict(process, d, steps, method) for d in data]
    steps = _check.count(steps, "steps", "predict")
    past = filter(process, data, chosen_method(process, method, "predict"), store="mean")
    if steps == 1:
        return past.y_mean
    if not data.is_batch:
        return _ahead(process, data, past.predicted.mean, steps)
    return np.stack([_ahead(process, d, x, steps) for d, x in zip(data.sequences(), past.predicted.mean)])


def _ahead(process: Process, data: Data, x: np.ndarray, steps: int) -> np.ndarray:
    """Outputs (T, p) `steps` ahead, from x (T, n) the states one ahead."""
    model, T = process.model, data.n_steps
    z = x.copy()
    if isinstance(model, LTI | LTV | Bilinear):
        arrays = linear_arrays(process, data.inputs[None])
        for _ in range(steps - 1):
            moved = z[:-1] @ arrays.AT[0] if len(arrays.AT) == 1 else (z[:-1, None, :] @ arrays.AT[:-1])[:, 0]
            z[1:] = moved + (arrays.bx[0] if arrays.bx.shape[1] == 1 else arrays.bx[0, :-1])
        return outputs(arrays, z[None])[0]
    fun = model.functions()
    u = as_float(model.extended_input(data.inputs, None if not model.n_feedback else np.full_like(data.y, np.nan)))
    for _ in range(steps - 1):
        for t in range(T - 1, 0, -1):
            z[t] = fun.f(z[t - 1], u[t - 1], fun.p, (t - 1) * model.dt)
    return np.array([fun.g(z[t], u[t], fun.p, t * model.dt) for t in range(T)])
