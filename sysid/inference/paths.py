"""The state recursion of each type of model along one path, from the inputs to states and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from ..kernels import rollout
from ..kernels._jit import as_float
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..transforms.lifted import LiftedModel


@dataclass(frozen=True)
class Drive:
    """What moves one path: inputs (T, m), start (n,), measured outputs to feed back, and noise (zeros if none)."""

    u: np.ndarray
    x0: np.ndarray
    feedback: np.ndarray | None
    w: np.ndarray | None
    v: np.ndarray | None


Path = tuple[np.ndarray, np.ndarray, np.ndarray | None, int]  # x, final, y, first step that diverged or -1


@singledispatch
def default_run(model: Any) -> Callable[[Any, Drive], Path]:
    """The recursion for a type of model; `reservoir_paths` and higher layers register their own types."""
    return run_nonlinear


@default_run.register
def _(model: LTI) -> Callable[[Any, Drive], Path]:
    return _run_linear


@default_run.register
def _(model: LTV) -> Callable[[Any, Drive], Path]:
    return _run_linear


@default_run.register
def _(model: Bilinear) -> Callable[[Any, Drive], Path]:
    return lambda model, drive: _run_linear(model.along(drive.u), drive)


@default_run.register
def _(model: LiftedModel) -> Callable[[Any, Drive], Path]:
    return lambda model, drive: default_run(model.core)(model.core, drive)


def _run_linear(model: Any, drive: Drive) -> Path:
    T = len(drive.u)
    A, B, C, D, c, d = (a if a.ndim == k else a[None] for a, k in
                        zip((model.A, model.B, model.C, model.D, model.c, model.d), (3, 3, 3, 3, 2, 2)))  # fmt: skip
    longest = max(len(a) for a in (A, B, C, D, c, d))
    if longest not in (1, T) and longest < T:
        raise ValueError(
            f"simulate: expected at most {longest} steps, as the LTV model has matrices for; received {T}."
        )
    cut = [a[:T] if len(a) > 1 else a for a in (A, B, C, D, c, d)]
    A, B, C, D, c, d = cut
    V = _apply(B, drive.u) + c + (0.0 if drive.w is None else drive.w)
    X, final = np.empty((T, model.n_states)), np.empty(model.n_states)
    rollout.linear(as_float(A), as_float(np.broadcast_to(V, X.shape)), drive.x0, X, final)
    Y = _apply(C, X) + _apply(D, drive.u) + d + (0.0 if drive.v is None else drive.v)
    bad = ~np.isfinite(X).all(1)
    diverged = int(np.argmax(bad)) - 1 if bad.any() else (-1 if np.isfinite(final).all() else T - 1)
    return X, final, Y, diverged


def _apply(matrices: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """M[t] signal[t], or M signal[t] for a constant M: (T, rows)."""
    if len(matrices) == 1:
        return signal @ matrices[0].T
    return (matrices @ signal[:, :, None])[:, :, 0]


def run_nonlinear(model: Any, drive: Drive) -> Path:
    fun = model.functions()
    T = len(drive.u)
    U = as_float(model.extended_input(drive.u, drive.feedback))
    V = np.zeros((T, model.n_states)) if drive.w is None else drive.w
    X, Y, final = np.empty((T, model.n_states)), np.empty((T, model.n_outputs)), np.empty(model.n_states)
    run = rollout.nonlinear if fun.compiled else rollout.nonlinear.py_func
    diverged = run(*fun.arguments("f", "g"), U, V, fun.p, 0.0, float(model.dt), drive.x0, X, Y, final)
    if drive.v is not None:
        Y = Y + drive.v
    return X, final, Y, diverged
