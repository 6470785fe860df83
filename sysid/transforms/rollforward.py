"""One sampling step of dx/dt = f(x, u, p, t) by a fixed-step integrator, compiled where f is.

    rk4    k1 = f(x, u0), k2 = f(x + h/2 k1, u1/2), k3 = f(x + h/2 k2, u1/2), k4 = f(x + h k3, u1)
           x + h/6 (k1 + 2 k2 + 2 k3 + k4)                                         fourth order in h = dt / substeps
    euler  x + h f(x, u0)                                                          first order

Under first-order hold the stages see the input on the line from u[t] to u[t+1]; the discrete f then takes both.
A given Jacobian is carried through the stages by the chain rule, so that the discrete Jacobian is exact as well.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import _check
from ..models.names import names
from ..models.nonlinear import Nonlinear


def integrate(model: Nonlinear, dt: float, method: str = "rk4", hold: str = "zoh", substeps: int = 1) -> Nonlinear:
    """Discretise a continuous-time Nonlinear model.

    dt: interval > 0. method: "rk4" or "euler". hold: "zoh" or "foh". substeps: integrator steps in one interval.
    Returns a Nonlinear with that dt and hold; compiled where the given one is. [Hairer, Norsett & Wanner 1993, Ch. II.1]
    """
    _check.choice(method, "method", "discretize of a Nonlinear", ("rk4", "euler"))
    _check.choice(hold, "hold", "discretize", ("zoh", "foh"))
    substeps = _check.count(substeps, "substeps", "discretize")
    wrap = _compiler(model)
    m = model.n_inputs
    foh = hold == "foh"
    step = (_rk4 if method == "rk4" else _euler)(model.f, m, dt, substeps, foh)
    jacobians: dict[str, Callable] = {}
    given = dict(model.jacobians or {})
    if "fx" in given:
        jacobians["fx"] = wrap(_state_jacobian(model.f, given["fx"], model.n_states, m, dt, substeps, foh, method == "rk4"))
    for key in ("gx", "gu"):
        if key in given:
            jacobians[key] = wrap(_output(given[key], m, key == "gu")) if foh else given[key]
    g = wrap(_output(model.g, m, False)) if foh else model.g
    return Nonlinear(wrap(step), g, model.n_states, m, model.n_outputs, model.p, dt, jacobians, hold, **names(model))


def _compiler(model: Nonlinear) -> Callable[[Callable], Callable]:
    """numba.njit where the whole model is compiled, else the function itself."""
    if not model.is_compiled:
        return lambda function: function
    import numba

    return lambda function: numba.njit(function)


def _rk4(f: Callable, m: int, dt: float, substeps: int, foh: bool) -> Callable:
    h = dt / substeps

    def step(x, u, p, t):
        rise = (u[m:] - u[:m]) / substeps if foh else np.zeros(m)
        start = u[:m].copy()
        z = x.copy()
        for k in range(substeps):
            low = start + k * rise
            middle, high = low + 0.5 * rise, low + rise
            s = t + k * h
            k1 = f(z, low, p, s)
            k2 = f(z + 0.5 * h * k1, middle, p, s + 0.5 * h)
            k3 = f(z + 0.5 * h * k2, middle, p, s + 0.5 * h)
            k4 = f(z + h * k3, high, p, s + h)
            z = z + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)  # [Hairer, Norsett & Wanner 1993, Table II.1.2]
        return z

    return step


def _euler(f: Callable, m: int, dt: float, substeps: int, foh: bool) -> Callable:
    h = dt / substeps

    def step(x, u, p, t):
        rise = (u[m:] - u[:m]) / substeps if foh else np.zeros(m)
        start = u[:m].copy()
        z = x.copy()
        for k in range(substeps):
            z = z + h * f(z, start + k * rise, p, t + k * h)
        return z

    return step


def _state_jacobian(f: Callable, fx: Callable, n: int, m: int, dt: float, substeps: int, foh: bool, rk4: bool) -> Callable:
    """The Jacobian of the step in x: each stage's derivative by the chain rule, J = dz/dx from I."""
    h = dt / substeps

    def jacobian(x, u, p, t):
        rise = (u[m:] - u[:m]) / substeps if foh else np.zeros(m)
        start = u[:m].copy()
        z = x.copy()
        J = np.eye(n)
        for k in range(substeps):
            low = start + k * rise
            middle, high = low + 0.5 * rise, low + rise
            s = t + k * h
            k1 = f(z, low, p, s)
            J1 = fx(z, low, p, s) @ J
            if rk4:
                z2 = z + 0.5 * h * k1
                J2 = fx(z2, middle, p, s + 0.5 * h) @ (J + 0.5 * h * J1)
                k2 = f(z2, middle, p, s + 0.5 * h)
                z3 = z + 0.5 * h * k2
                J3 = fx(z3, middle, p, s + 0.5 * h) @ (J + 0.5 * h * J2)
                k3 = f(z3, middle, p, s + 0.5 * h)
                z4 = z + h * k3
                J4 = fx(z4, high, p, s + h) @ (J + h * J3)
                k4 = f(z4, high, p, s + h)
                z = z + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
                J = J + h / 6.0 * (J1 + 2.0 * J2 + 2.0 * J3 + J4)
            else:
                z = z + h * k1
                J = J + h * J1
        return J

    return jacobian


def _output(function: Callable, m: int, by_input: bool) -> Callable:
    """An output function or its Jacobian that sees u[t] only; the columns of u[t+1] are zero."""
    if not by_input:

        def output(x, u, p, t):
            return function(x, u[:m].copy(), p, t)

        return output

    def wide(x, u, p, t):
        J = function(x, u[:m].copy(), p, t)
        out = np.zeros((J.shape[0], 2 * m))
        out[:, :m] = J
        return out

    return wide
