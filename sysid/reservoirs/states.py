"""Teacher-forced states of a reservoir, and the rows [features, targets] a readout is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.data import Data
from ..inference.simulate import simulate
from ..models.esn_functions import readout_features
from ..models.names import check_names
from ..models.process import Process


def reservoir_of(start: Any, call: str) -> Any:
    """The reservoir in `start`: a model with `with_readout`, or a process around one."""
    model = start.model if isinstance(start, Process) else start
    if not hasattr(model, "with_readout"):
        raise TypeError(f"{call}: expected start=esn, a reservoir such as sysid.ESN.random(...); received "
                        f"{type(start).__name__}.")
    if model.dt is None:
        raise ValueError(f"{call}: expected a reservoir in discrete time; received dt=None (continuous time). "
                         "Sample it first: sysid.discretize(start, dt).")
    return model


def require_fit(model: Any, data: Data, call: str) -> None:
    """Refuse data whose channels or sampling interval are not the reservoir's."""
    if data.n_inputs != model.n_inputs:
        raise ValueError(f"{call}: expected data with {model.n_inputs} inputs as W_in has columns; received "
                         f"{data.n_inputs}.")
    if model.n_feedback and data.n_outputs != model.n_feedback:
        raise ValueError(f"{call}: expected data with {model.n_feedback} outputs as W_fb has columns; received "
                         f"{data.n_outputs}.")
    if abs(data.dt - model.dt) > 1e-9 * max(data.dt, model.dt):
        raise ValueError(f"{call}: expected data with dt = {model.dt:g} as in the reservoir; received {data.dt:g}. "
                         "Give the reservoir the data's dt, or resample the data.")


def driven_states(model: Any, data: Data, x0: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """States x (T, n) driven by one sequence, x[T] (n,); outputs fed back are the measured ones (teacher forcing).

    Gaps in outputs that are fed back are filled by straight lines between their neighbours.
    """
    check_names(model, data, "reservoir states")
    feedback = without_gaps(data.y) if model.n_feedback else None
    run = simulate(model, data.u, x0, n_steps=None if data.u is not None else data.n_steps, feedback=feedback)
    if run.diverged is not None:
        raise ValueError(f"reservoir states: the states left every bound at step {run.diverged} of {data.n_steps}. "
                         f"The activation {getattr(getattr(model, 'act', None), 'name', '?')} does not saturate: "
                         "lower the spectral radius or the input scale, or use tanh.")
    return run.x, run.final


def rows(model: Any, sequences: list[Data], washout: int, call: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features (T', k) and targets (T', p) of every sequence after its own washout; targets keep their NaN."""
    phi = readout_features(model)
    for i, data in enumerate(sequences):
        require_fit(model, data, call)
        if data.n_steps <= washout:
            raise ValueError(f"{call}: expected more than washout = {washout} samples in every sequence; sequence {i} "
                             f"has {data.n_steps}.")
        x, _ = driven_states(model, data)
        yield phi(x[washout:]), data.y[washout:]


def patterns(Y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Group outputs by which samples they miss: pairs (columns, rows that are measured)."""
    seen = ~np.isnan(Y)
    groups: list[tuple[list[int], np.ndarray]] = []
    for j in range(Y.shape[1]):
        for columns, keep in groups:
            if np.array_equal(keep, seen[:, j]):
                columns.append(j)
                break
        else:
            groups.append(([j], seen[:, j]))
    return [(np.array(columns), keep) for columns, keep in groups]


def without_gaps(y: np.ndarray) -> np.ndarray:
    """Outputs (T, p) as they are fed back: gaps filled by straight lines between their neighbours, zero where nothing was measured."""
    if not np.isnan(y).any():
        return y
    y, t = y.copy(), np.arange(len(y))
    for j in range(y.shape[1]):
        seen = ~np.isnan(y[:, j])
        y[:, j] = np.interp(t, t[seen], y[seen, j]) if seen.any() else 0.0
    return y
