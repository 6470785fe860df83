"""Forecasts of a model without noise: run along the data, then on its own. No covariance is propagated."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.data import Data
from .simulate import simulate


def free_run(model: Any, data: Data, horizon: int, inputs: np.ndarray, x0: Any = None) -> tuple[np.ndarray, np.ndarray, Any]:
    """Outputs (S, h, p), states (S, h, n) after the data, and the first step that diverged (None if none).

    Outputs fed back are the measured ones along the data, the model's own in their gaps and after it. inputs: (S or 1, h, m)
    future inputs. The state starts at x0, rest if None. After a divergence the outputs are NaN; what came before stays.
    Cost O((T + h) n^2).
    """
    y = data.y if data.is_batch else data.y[None]
    u = data.inputs if data.is_batch else data.inputs[None]
    S, T = y.shape[:2]
    taught = y if model.n_feedback else None
    past = simulate(model, u, x0, feedback=taught) if model.n_inputs else simulate(
        model, None, np.zeros((S, model.n_states)) if x0 is None else x0, n_steps=T, feedback=taught)
    if past.diverged is not None:
        raise ValueError(f"forecast: the model diverged at step {past.diverged} of the {T} samples of history; "
                         "there is no state to forecast from.")
    start = np.broadcast_to(past.final, (S, model.n_states))
    future = np.broadcast_to(inputs, (S, horizon, model.n_inputs))
    means, states, stop = np.full((S, horizon, model.n_outputs), np.nan), np.full((S, horizon, model.n_states), np.nan), None
    # One by one, so that a sequence that diverges does not cut the others short.
    for s in range(S):
        run = simulate(model, future[s] if model.n_inputs else None, start[s], n_steps=horizon)
        k = len(run.x)
        means[s, :k], states[s, :k] = run.y, run.x
        if run.diverged is not None:
            stop = run.diverged if stop is None else min(stop, run.diverged)
    return means, states, stop
