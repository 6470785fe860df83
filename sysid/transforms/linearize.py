"""The verb linearize: small deviations around a point or a trajectory, offsets kept so that units stay original."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from .. import _check
from ..kernels._jit import as_float
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.names import names
from ..models.protocol import Functions, is_model
from .bilinearize import bilinear_surrogate


@overload
def linearize(model: Any, x: None = None, u: Any = None, *, feedback: Any = None, order: Literal["linear"] = "linear") -> LTI: ...
@overload
def linearize(model: Any, x: Any = None, u: Any = None, *, feedback: Any = None, order: Literal["bilinear"]) -> Bilinear: ...
@overload
def linearize(model: Any, x: Any = None, u: Any = None, *, feedback: Any = None, order: str = "linear") -> Any: ...
def linearize(model: Any, x: Any = None, u: Any = None, *, feedback: Any = None, order: str = "linear") -> Any:
    """Linearise a model at a point, at its equilibrium, or along a trajectory.

        A = df/dx, B = df/du, C = dg/dx, D = dg/du, c = f - A x - B u, d = g - C x - D u           [ESN-SSM, Eqs. 19, 20, 51]

    x: (n,) a point, (T, n) a trajectory, None for the equilibrium at constant u. u: (m,) or (T, m), zero if None.
    A model that feeds outputs back is linearised as the driven map, with inputs [u, y]: B has m + r columns;
    feedback: (r,) or (T, r) operating outputs, the model's own if None. `closed_loop()` gives the other map.
    order: "linear", or "bilinear" at a point, which adds how A changes with each input (`Bilinear`).
    Returns an LTI at a point and an LTV along a trajectory; simulate, filter and forecast of it work in original units.
    Raises ValueError where no equilibrium is found or a Jacobian is not finite. Valid for small deviations only.
    Along a trajectory, spectral radii below 1 prove nothing: x+ = A[t] x may diverge all the same.
    """
    if not is_model(model):
        raise TypeError(f"linearize: expected a model such as ESN or Nonlinear; received {type(model).__name__}."
                        + _check.instead(model, "model"))  # fmt: skip
    if x is None:
        if np.ndim(u) > 1:
            raise ValueError("linearize: expected x (T, n) with a trajectory of inputs u (T, m); received no x. "
                             "sysid.simulate(model, u).x is the trajectory; a single u (m,) asks for the equilibrium.")  # fmt: skip
        extra = {} if feedback is None else {"feedback": feedback}
        if not hasattr(model, "equilibrium"):
            raise ValueError(f"linearize: expected a state x for a {type(model).__name__}; received none.")
        x = model.equilibrium(u, **extra)
    x = _check.real_array(x, "x", "linearize")
    if x.ndim not in (1, 2) or x.shape[-1] != model.n_states or not len(np.atleast_2d(x)):
        raise ValueError(
            f"linearize: expected x with shape ({model.n_states},) or (T, {model.n_states}); received {x.shape}."
        )
    _check.choice(order, "order", "linearize", ("linear", "bilinear"))
    if order == "bilinear" and (x.ndim == 2 or model.n_feedback):
        raise ValueError("linearize: expected a single state x (n,) and a model without output feedback for "
                         "order='bilinear'; received a trajectory or feedback.")  # fmt: skip
    if x.ndim == 2 and model.dt is None:
        raise ValueError("linearize: expected a discrete-time model along a trajectory; received dt=None. "
                         "Sample it first: sysid.discretize(model, dt).")
    T = len(x) if x.ndim == 2 else 1
    fun = model.functions()
    wide = _wide_input(model, fun, np.atleast_2d(x), u, feedback, T)
    parts = [_at(fun, xt, ut, t * (model.dt or 0.0)) for t, (xt, ut) in enumerate(zip(np.atleast_2d(x), wide))]
    A, B, C, D, c, d = (np.stack(block) for block in zip(*parts))
    labels = _names(model, B.shape[-1])
    if x.ndim == 2 and model.dt is not None:
        return LTV(A, B, C, D, model.dt, c, d, **labels)
    linear = LTI(A[0], B[0], C[0], D[0], model.dt, c[0], d[0], **labels)
    return linear if order == "linear" else bilinear_surrogate(fun, linear, as_float(x), wide[0])


def _names(model: Any, width: int) -> dict[str, Any]:
    """The model's names, for `width` inputs of the map that was linearised: [u, y] with feedback, [u[t], u[t+1]] under first-order hold."""
    labels = names(model)
    inputs, outputs = labels["input_names"], labels["output_names"]
    if inputs is None and not model.n_inputs:
        inputs = ()
    if model.n_feedback and inputs is not None and outputs is not None:
        inputs = (*inputs, *(f"{name} fed back" for name in outputs))
    return labels | {"input_names": inputs if inputs and len(inputs) == width else None}


def _at(fun: Functions, x: np.ndarray, u: np.ndarray, t: float) -> tuple[np.ndarray, ...]:
    x = as_float(x)
    A, B, C, D = (J(x, u, fun.p, t) for J in (fun.fx, fun.fu, fun.gx, fun.gu))
    if not all(np.isfinite(J).all() for J in (A, B, C, D)):
        raise ValueError(f"linearize: a Jacobian is not finite at x = {np.array2string(x, precision=4)}.")
    return A, B, C, D, fun.f(x, u, fun.p, t) - A @ x - B @ u, fun.g(x, u, fun.p, t) - C @ x - D @ u


def _wide_input(model: Any, fun: Functions, x: np.ndarray, u: Any, feedback: Any, T: int) -> np.ndarray:
    """Operating inputs (T, k) of the extended map."""
    m, r = model.n_inputs, model.n_feedback
    u = np.zeros((T, m)) if u is None else _check.real_array(u, "u", "linearize")
    u = u.reshape(-1, 1) if m == 1 and u.ndim == 1 else np.atleast_2d(u)
    if u.shape != (T, m):
        raise ValueError(
            f"linearize: expected u with shape ({m},){f' or ({T}, {m})' if T > 1 else ''}; received {u.shape}."
        )
    if not r:
        return as_float(model.extended_input(u))
    if feedback is None:
        if model.C is None:
            own = np.zeros((T, r))
        else:
            own = np.stack([fun.g(as_float(xt), np.zeros(m + r), fun.p, 0.0)[:r] for xt in x])
        return as_float(model.extended_input(u, own))
    feedback = np.atleast_2d(_check.real_array(feedback, "feedback", "linearize"))
    if feedback.shape != (T, r):
        raise ValueError(f"linearize: expected feedback with shape ({r},) or ({T}, {r}); received {feedback.shape}.")
    return as_float(model.extended_input(u, feedback))
