"""The verbs discretize and to_continuous: sampling of models and of their noise, and back."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any, overload

import numpy as np

from .. import _check
from ..linear import sampling
from ..linear.gramians import noise_integral
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.names import names
from ..models.nonlinear import Nonlinear
from ..models.process import Process
from .rollforward import integrate


@overload
def discretize(model: LTI, dt: float, method: str | None = None) -> LTI: ...
@overload
def discretize(model: Process, dt: float, method: str | None = None, **options: Any) -> Process: ...
@overload
def discretize(model: Any, dt: float, method: str | None = None, **options: Any) -> Any: ...
def discretize(model: Any, dt: float, method: str | None = None, **options: Any) -> Any:
    """Sample a continuous-time model at interval dt.

        zoh: x+ = e^(A dt) x + int_0^dt e^(As) ds B u        foh: the same for an input linear between samples
        tustin: s = (2/dt) (z-1)/(z+1)                       euler: x+ = x + dt (A x + B u)

    model, and what comes back:
    LTI -> LTI; method "zoh" (default), "foh", "tustin" or "euler"; offsets are inputs held constant.
    Process of an LTI -> Process; "zoh", "foh" or "euler"; Q becomes the exact noise integral (dt Q for euler), R is the
    covariance of a sampled measurement and stays. Of any other model: its own way, with dt Q, right to first order.
    Bilinear -> Bilinear; "zoh" is exact to first order in u, "euler" adds dt; `model.along(u, dt)` is exact.
    Nonlinear -> Nonlinear; "rk4" (default) or "euler", with substeps=1 and hold="zoh" or "foh", for which f takes
    [u[t], u[t+1]]; compiled where f is; a given Jacobian is carried through.
    A model with a `discretize` method of its own, as ContinuousESN has, is sampled by it.
    dt: interval > 0, in the model's unit of time. Raises ValueError for a model that is discrete already, for dt <= 0 and
    for an unknown method. Cost O(n^3). [ESN-SSM, Eq. 40; Franklin, Powell & Workman 1998, Ch. 6]
    """
    interval = _check.time_step(dt, "discretize")
    if interval is None:
        raise ValueError("discretize: expected an interval dt > 0; received None.")
    base = model.model.dt if isinstance(model, Process) else getattr(model, "dt", None)
    if base is not None:
        raise ValueError(f"discretize: expected a continuous-time model (dt=None); received one with dt = {base:g}. "
                         "sysid.to_continuous(model) comes first.")  # fmt: skip
    return sampled(model, interval, method, **options)


@singledispatch
def sampled(model: Any, dt: float, method: str | None, **options: Any) -> Any:
    """How one type of model is sampled; a model may bring its own `discretize(dt, method, **options)`."""
    own = getattr(model, "discretize", None)
    if own is None:
        raise TypeError(f"discretize: expected an LTI, Process, Bilinear or Nonlinear model, or one with a way of its own; "
                        f"received {type(model).__name__}." + _check.instead(model, "model"))  # fmt: skip
    return own(dt, *(() if method is None else (method,)), **options)


def _no_options(options: dict) -> None:
    if options:
        raise TypeError(f"discretize: expected no further options for this model; received {', '.join(options)}.")


@sampled.register
def _(model: LTI, dt: float, method: str | None, **options: Any) -> LTI:
    _no_options(options)
    method = _check.choice("zoh" if method is None else method, "method", "discretize", sampling.METHODS)
    # The offset c is an input held at 1; what it adds to the output under foh and tustin joins d.
    inputs = np.column_stack((model.B, model.c))
    through = np.column_stack((model.D, np.zeros(model.n_outputs)))
    if method == "tustin" and model.n_states and not np.linalg.cond(np.eye(model.n_states) - dt / 2 * model.A) < 1e14:
        raise ValueError(f"discretize: expected no pole at 2/dt = {2 / dt:.6g} for method='tustin'; received one. "
                         "Change dt or the method.")  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):  # of a fast unstable pole: LTI refuses the result
        A, B, C, D = sampling.sample(model.A, inputs, model.C, through, dt, method)
    return LTI(A, B[:, :-1], C, D[:, :-1], dt, B[:, -1], model.d + D[:, -1], **names(model))


@sampled.register
def _(process: Process, dt: float, method: str | None, **options: Any) -> Process:
    model = process.model
    if not isinstance(model, LTI):
        discrete = sampled(model, dt, method, **options)
        raise_if_correlated(process)
        return replace(process, model=discrete, Q=process.Q * dt)
    method = _check.choice("zoh" if method is None else method, "method", "discretize of a process", ("zoh", "foh", "euler"))
    raise_if_correlated(process)
    if process.Q.ndim != 2:
        raise ValueError("discretize: expected a constant noise intensity Q; received a time-varying one.")
    Q = process.Q * dt if method == "euler" else noise_integral(model.A, process.Q, dt)[1]
    return replace(process, model=sampled(model, dt, method, **options), Q=Q)


def raise_if_correlated(process: Process) -> None:
    """A sampled measurement has no common noise with a continuous state."""
    if process.S is not None and process.S.any():
        raise ValueError("discretize: expected no cross covariance S in a continuous-time process; received one. "
                         "Sample first, then set S.")  # fmt: skip


@sampled.register
def _(model: Bilinear, dt: float, method: str | None, **options: Any) -> Bilinear:
    _no_options(options)
    method = _check.choice("zoh" if method is None else method, "method", "discretize of a Bilinear", ("zoh", "euler"))
    linear = sampled(model.linear, dt, method)
    if method == "euler":
        N = dt * model.N
    else:
        import scipy.linalg as sla

        # d/du e^((A + u N) dt) at u = 0 [Van Loan 1978, Thm 1]
        n = model.n_states
        N = np.array([sla.expm(np.block([[model.A, Ni], [np.zeros((n, n)), model.A]]) * dt)[:n, n:] for Ni in model.N])
        N = N.reshape(model.N.shape)
    return Bilinear(linear.A, linear.B, N, linear.C, linear.D, dt, linear.c, linear.d, **names(model))


@sampled.register
def _(model: Nonlinear, dt: float, method: str | None, **options: Any) -> Nonlinear:
    return integrate(model, dt, "rk4" if method is None else method, **options)


def to_continuous(model: LTI | Process, method: str = "zoh") -> LTI | Process:
    """Find the continuous-time model that `discretize` with the same method samples to this one.

    model: LTI, or Process of one (zoh: the intensity Q whose exact integral is the given covariance). method: "zoh",
    "foh", "tustin" or "euler". Poles come back with |Im s| < pi / dt: faster ones cannot be told apart.
    Raises ValueError for a continuous model, and where no real one exists: a pole at zero or real and negative (zoh, foh),
    a noise covariance that is no integral of a white one. Cost O(n^3). [Van Loan 1978]
    """
    if isinstance(model, Process):
        return _process_to_continuous(model, method)
    return _lti_to_continuous(model, method)


def _lti_to_continuous(model: Any, method: str) -> LTI:
    if not isinstance(model, LTI):
        raise TypeError(f"to_continuous: expected an LTI model or a Process of one; received {type(model).__name__}.")
    if model.dt is None:
        raise ValueError("to_continuous: expected a discrete-time model; received dt=None, which is continuous already.")
    method = _check.choice(method, "method", "to_continuous", sampling.METHODS)
    inputs = np.column_stack((model.B, model.c))
    through = np.column_stack((model.D, np.zeros(model.n_outputs)))
    A, B, C, D = sampling.unsample(model.A, inputs, model.C, through, model.dt, method)
    return LTI(A, B[:, :-1], C, D[:, :-1], None, B[:, -1], model.d + D[:, -1], **names(model))


def _process_to_continuous(process: Process, method: str) -> Process:
    if method != "zoh":
        raise ValueError(f"to_continuous: expected method='zoh' for a process; received {method!r}.")
    raise_if_correlated(process)
    model = _lti_to_continuous(process.model, method)
    Q = sampling.intensity(model.A, process.model.A, process.Q)
    smallest = np.linalg.eigvalsh(Q)[0] if len(Q) else 0.0
    if smallest < -1e-9 * np.abs(Q).max(initial=0.0):
        raise ValueError(f"to_continuous: no white noise integrates to this Q over dt = {process.model.dt:g}: the intensity "
                         f"would have an eigenvalue {smallest:.3g}.")  # fmt: skip
    if smallest < 0:
        values, vectors = np.linalg.eigh(Q)
        Q = (vectors * np.maximum(values, 0)) @ vectors.T
    return replace(process, model=model, Q=Q)


def leak_from_time_constant(tau: Any, dt: float, method: str = "exact") -> Any:
    """Find the leak of a sampled ESN, x+ = (1 - leak) x + leak s, from the time constant of tau dx/dt = -x + s.

        exact   leak = 1 - e^(-dt/tau)                  s held over the step
        euler   leak = dt/tau                           needs dt <= tau
        tustin  leak = (dt/tau) / (1 + dt/(2 tau))      with s averaged over the step's ends: 1 - leak is the pole

    tau: time constant(s) > 0, a scalar or (n,). dt: interval > 0. Returns a leak in (0, 1] of the same shape.
    Held at s[t], the tustin leak is only first-order accurate; true second order needs (s[t] + s[t+1]) / 2, which is implicit
    in an ESN (corrections #18). At dt = tau the poles 1 - leak are 0 (euler), .333 (tustin) and .368 (exact)
    (corrections #19). Raises ValueError for dt > tau with euler (corrections #20), or a leak above 1. [ESN-SSM, Eq. 38, 41, 42]
    method : 'exact', 'euler' or 'tustin', as in `ContinuousESN.leaks`
    """
    method = _check.choice(method, "method", "leak_from_time_constant", ("exact", "euler", "tustin"))
    step = _check.positive(dt, "dt", "leak_from_time_constant")
    given = _check.real_array(tau, "tau", "leak_from_time_constant")
    if not (given > 0).all():
        raise ValueError(f"leak_from_time_constant: expected tau > 0; received {given.min():g}.")
    ratio = step / given
    if method == "exact":
        leak = -np.expm1(-ratio)
    elif method == "tustin":
        leak = ratio / (1 + ratio / 2)  # [ESN-SSM, Eq. 41, 42]
    else:
        leak = ratio  # [ESN-SSM, Eq. 38]
    if (leak > 1).any():
        bound = "dt <= tau" if method == "euler" else "dt <= 2 tau"
        raise ValueError(f"leak_from_time_constant: expected {bound} with method={method!r}; received dt / tau = "
                         f"{ratio.max():.4g}, a leak above 1. method='exact' holds for any dt.")  # fmt: skip
    return float(leak) if leak.ndim == 0 else leak
