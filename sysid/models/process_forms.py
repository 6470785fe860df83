"""Equivalent forms of a process: other coordinates, and the innovation form. The likelihood of the data stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..core.gaussian import Gaussian, Stationary
from ..linear.riccati import filter_riccati
from .lti import LTI
from .process import Process


def transform_process(process: Process, T: Any) -> Process:
    """Change the coordinates of an LTI process, x = T z: model, Q, S and the initial law.

        Q_z = T^-1 Q T^-T,   S_z = T^-1 S,   m_z = T^-1 m,   P_z = T^-1 P T^-T

    process: Process of an LTI with a Gaussian, Stationary or Diffuse initial law. T: (n, n) regular. The log-likelihood of
    any data stays what it was. Cost O(n^3). [Anderson & Moore 1979, Sec. 4.2]
    Raises ValueError for T of another size or singular, or an initial law in blocks.
    """
    model = _linear(process, "transform_process")
    T = _check.matrix(T, "T", "transform_process", (model.n_states, model.n_states), "the model has as many states")
    moved = model.transform(T)

    def both(cov: np.ndarray) -> np.ndarray:
        half = np.linalg.solve(T, cov)
        out = np.linalg.solve(T, np.swapaxes(half, -1, -2))
        return (out + np.swapaxes(out, -1, -2)) / 2

    initial = process.initial
    if isinstance(initial, Gaussian):
        initial = Gaussian(np.linalg.solve(T, initial.mean), both(initial.cov))
    elif hasattr(initial, "blocks"):
        raise ValueError("transform_process: expected one initial law for the whole state; received blocks, which other "
                         "coordinates would mix.")  # fmt: skip
    S = None if process.S is None else np.linalg.solve(T, process.S)
    return replace(process, model=moved, Q=both(process.Q), S=S, initial=initial)


def innovation_form(process: Process) -> tuple[Process, np.ndarray]:
    """Rewrite a stationary process with one noise, the innovation e[t] ~ N(0, R_e).

        x[t+1] = A x[t] + B u[t] + K e[t],   y[t] = C x[t] + D u[t] + e[t]

    process: Process of a stable discrete LTI, started in its stationary law. Returns the Process with Q = K R_e K',
    S = K R_e, R = R_e, and the predictor's gain K (n, p). The outputs have the same law: the log-likelihood of any data
    stays. Raises ValueError where the Riccati equation has no stabilising solution. Cost O(n^3).
    [Anderson & Moore 1979, Sec. 9.3]
    """
    model = _linear(process, "innovation_form")
    if model.dt is None:
        raise ValueError("innovation_form: expected a discrete-time process; received dt=None. Discretise it first.")
    if not isinstance(process.initial, Stationary) or process.Q.ndim != 2 or process.R.ndim != 2:
        raise ValueError("innovation_form: expected constant covariances and initial=sysid.Stationary(), so that the outputs "
                         "have one law for all time; received another.")  # fmt: skip
    S = np.zeros((model.n_states, model.n_outputs)) if process.S is None else process.S
    solution = filter_riccati(model.A, model.C, process.Q, process.R, S)
    if not solution.converged:
        raise ValueError(f"innovation_form: the Riccati equation has no stabilising solution: {solution.message}")
    R = model.C @ solution.X @ model.C.T + process.R
    R = (R + R.T) / 2
    K = solution.gain
    return replace(process, Q=K @ R @ K.T, R=R, S=K @ R), K


def _linear(process: Any, call: str) -> LTI:
    if not isinstance(process, Process) or not isinstance(process.model, LTI):
        received = type(process.model if isinstance(process, Process) else process).__name__
        raise TypeError(f"{call}: expected a Process of an LTI model; received {received}.")
    return process.model
