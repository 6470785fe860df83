"""Coloured noise: a shaping filter's states join the model's, and what is left is white.

    xi+ = A_s xi + w_s,  n = C_s xi + v_s + d_s;   x+ = f(x, u) + w + n   or   y = g(x, u) + v + n      [Anderson & Moore 1979, Sec. 11.1-11.2]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.gaussian import Gaussian, Stationary
from ..core.initial import Blocks
from ..linear.equations import discrete_lyapunov
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.names import names
from ..models.nonlinear import Nonlinear
from ..models.process import Process


def with_coloured_noise(process: Process, *, process_noise: Process | None = None, measurement_noise: Process | None = None) -> Process:
    """Augment a process with noises that are correlated in time, each the output of a shaping filter driven by white noise.

        z = [x; xi; eta]:   x+ = f(x, u) + C_xi xi + (w + v_xi),  xi+ = A_xi xi + w_xi,  eta+ = A_eta eta + w_eta,
                            y = g(x, u) + C_eta eta + (v + v_eta)

    process: LTI, LTV or Bilinear give a process of the same type; other models without output feedback give a Nonlinear one.
    process_noise: LTI process with n outputs, one a state of the model, that is added to w. measurement_noise: LTI process with p
    outputs, added to v. Neither has inputs; an AR(1) noise of pole a and variance s is
    Process(LTI([[a]], None, [[1.0]]), Q=(1 - a**2) * s, R=0.0), and its initial law, by default stationary, counts.
    Returns a Process with the states [x; xi; eta], exact for filters, smoothers, forecasts, simulation and likelihood: coloured
    measurement noise makes R singular where nothing white is left, which all forms of `Kalman` take.
    Raises ValueError where sizes or dt do not fit, TypeError for a shaping filter that is not LTI. Cost that of the larger state.
    [Anderson & Moore 1979, Sec. 11.1-11.2]
    """
    call = "with_coloured_noise"
    if not isinstance(process, Process):
        raise TypeError(f"{call}: expected sysid.Process(model, Q=..., R=...); received {type(process).__name__}.")
    parts = [_Shaping.of(process, process_noise, process.n_states, "process_noise"),
             _Shaping.of(process, measurement_noise, process.n_outputs, "measurement_noise")]  # fmt: skip
    if process_noise is None and measurement_noise is None:
        raise ValueError(f"{call}: expected process_noise or measurement_noise, a Process of type LTI; received neither.")
    w, v = parts
    Q = _blocks(process.Q + w.R, w.Q, v.Q)
    n, k = process.n_states, w.order
    Q[..., :n, n : n + k] = w.S.T  # v_xi enters x as w_xi enters xi
    Q[..., n : n + k, :n] = w.S
    S = np.vstack([np.zeros((n, process.n_outputs)) if process.S is None else process.S, np.zeros((k, process.n_outputs)), v.S])
    return Process(_augmented(process.model, w, v), Q, process.R + v.R, S=S if S.any() else None, initial=_initial(process, w, v))


@dataclass(frozen=True)
class _Shaping:
    """A shaping filter of one noise: A (k, k), C (size, k), Q, R, S, offsets c (k,) and d (size,), initial; k = 0 for none."""

    A: np.ndarray
    C: np.ndarray
    Q: np.ndarray
    R: np.ndarray
    S: np.ndarray
    c: np.ndarray
    d: np.ndarray
    initial: Any

    @property
    def order(self) -> int:
        return len(self.A)

    @staticmethod
    def of(process: Process, noise: Process | None, size: int, name: str) -> _Shaping:
        call = "with_coloured_noise"
        if noise is None:
            zero = np.zeros((0, 0))
            return _Shaping(zero, np.zeros((size, 0)), zero, np.zeros((size, size)), np.zeros((0, size)), np.zeros(0), np.zeros(size), None)
        if not isinstance(noise, Process) or not isinstance(noise.model, LTI):
            received = type(noise.model).__name__ if isinstance(noise, Process) else type(noise).__name__
            raise TypeError(f"{call}: expected {name} as a Process around an LTI shaping filter; received {received}.")
        model = noise.model
        if model.n_outputs != size or model.n_inputs:
            raise ValueError(f"{call}: expected {name} with {size} outputs and no inputs; received {model.n_outputs} outputs and "
                             f"{model.n_inputs} inputs. Give a row of zeros for what has no coloured noise.")  # fmt: skip
        if model.dt is None or model.dt != process.model.dt:
            raise ValueError(f"{call}: expected {name} with dt = {process.model.dt} as the process; received {model.dt}. "
                             "Discretize first: sysid.discretize(process, dt).")  # fmt: skip
        if noise.Q.ndim == 3 or noise.R.ndim == 3:
            raise ValueError(f"{call}: expected {name} with constant Q and R; received a schedule.")
        S = np.zeros((model.n_states, size)) if noise.S is None else noise.S
        return _Shaping(model.A, model.C, noise.Q, noise.R, S, model.c, model.d, noise.initial)


def _blocks(*parts: np.ndarray) -> np.ndarray:
    """Block-diagonal matrix, or one a step where a part has a time axis."""
    T = max((len(a) for a in parts if a.ndim == 3), default=0)
    size = sum(a.shape[-1] for a in parts)
    out, at = np.zeros((T, size, size) if T else (size, size)), 0
    for a in parts:
        k = a.shape[-1]
        out[..., at : at + k, at : at + k] = a
        at += k
    return out


def _augmented(model: Any, w: _Shaping, v: _Shaping) -> Any:
    if isinstance(model, LTI | LTV | Bilinear):
        return _linear(model, w, v)
    if model.n_feedback:
        raise ValueError("with_coloured_noise: expected a model without output feedback; received one that feeds outputs back, where "
                         "the coloured part of a measurement would act on the state.")  # fmt: skip
    return _nonlinear(model, w, v)


def _linear(model: Any, w: _Shaping, v: _Shaping) -> Any:
    k, l = w.order, v.order
    A = _blocks(model.A, w.A, v.A)
    n = A.shape[-1] - k - l
    A[..., :n, n : n + k] = w.C

    def rows(M: np.ndarray, count: int) -> np.ndarray:
        return np.concatenate([M, np.zeros((*M.shape[:-2], count, M.shape[-1]))], axis=-2)

    def widened(M: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.concatenate([M, np.broadcast_to(right, (*M.shape[:-1], right.shape[-1]))], axis=-1)

    p = model.C.shape[-2]
    C = widened(model.C, np.hstack([np.zeros((p, k)), v.C]))
    c = widened(model.c + w.d, np.concatenate([w.c, v.c]))
    B, D, d = rows(model.B, k + l), model.D, model.d + v.d
    if isinstance(model, Bilinear):
        N = np.stack([_blocks(M, np.zeros((k + l, k + l))) for M in model.N]) if len(model.N) else np.zeros((0, n + k + l, n + k + l))
        return Bilinear(A, B, N, C, D, model.dt, c=c, d=d, **names(model))
    return type(model)(A, B, C, D, dt=model.dt, c=c, d=d, **names(model))


def _nonlinear(model: Any, w: _Shaping, v: _Shaping) -> Nonlinear:
    fun, n, k = model.functions(), model.n_states, w.order
    A, Cw, Cv = (np.ascontiguousarray(M) for M in (_blocks(w.A, v.A), w.C, v.C))
    offset, dw, dv = np.concatenate([w.c, v.c]), w.d.copy(), v.d.copy()
    base_f, base_g = fun.f, fun.g

    def f(z, u, p, t):
        out = np.empty(len(z))
        out[:n] = base_f(z[:n].copy(), u, p, t) + Cw @ z[n : n + k].copy() + dw
        out[n:] = A @ z[n:].copy() + offset
        return out

    def g(z, u, p, t):
        return base_g(z[:n].copy(), u, p, t) + Cv @ z[n + k :].copy() + dv

    if fun.compiled:
        import numba

        f, g = numba.njit(f), numba.njit(g)
    size = n + k + v.order
    hold = getattr(model, "hold", "zoh")
    return Nonlinear(f, g, size, model.n_inputs, model.n_outputs, p=fun.p, dt=model.dt, hold=hold, **names(model))


def _initial(process: Process, w: _Shaping, v: _Shaping) -> Any:
    """The joint law of the start: stationary where all parts are, one Gaussian where all parts have one, else blocks."""
    n, k = process.n_states, w.order
    parts = [(np.arange(n, n + k), w), (np.arange(n + k, n + k + v.order), v)]
    named = [(states, part.initial) for states, part in parts if part.order]
    if isinstance(process.initial, Stationary):
        if all(isinstance(law, Stationary) for _, law in named):
            return Stationary()
        return Blocks((np.arange(n), process.initial), *named)
    laws = [(states, _gaussian(part)) for states, part in parts if part.order]
    if isinstance(process.initial, Gaussian) and all(isinstance(law, Gaussian) for _, law in laws):
        whole = [process.initial, *(law for _, law in laws)]
        return Gaussian(np.concatenate([law.mean for law in whole]), _blocks(*(law.cov for law in whole)))
    first = process.initial.blocks if isinstance(process.initial, Blocks) else [(np.arange(n), process.initial)]
    inner = [(states[s], law) for states, given in laws for s, law in (given.blocks if isinstance(given, Blocks) else [(np.arange(len(states)), given)])]
    return Blocks(*first, *inner)


def _gaussian(part: _Shaping) -> Any:
    """The initial law of a shaping filter, its stationary law as a Gaussian."""
    if not isinstance(part.initial, Stationary):
        return part.initial
    cov = discrete_lyapunov(part.A, part.Q)
    return Gaussian(np.linalg.solve(np.eye(part.order) - part.A, part.c), (cov + cov.T) / 2)
