"""An echo-state network as functions (x, u, p, t): packed and compiled, or plain where the user's parts are plain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import reservoir as k
from ..kernels._jit import compiled
from .protocol import Functions


def pack(esn: Any) -> np.ndarray:
    """All weights in one flat vector, as `kernels.reservoir` reads them; an absent readout is zero."""
    n, q = esn.n_states, esn.n_outputs
    squares = esn.features == "squares" if isinstance(esn.features, str) else False
    C = esn.C if esn.C is not None else np.zeros((q, n * (2 if squares else 1)))
    d = esn.d if esn.d is not None else np.zeros(q)
    W_fb = esn.W_fb if esn.W_fb is not None else np.zeros((n, 0))
    header = [n, esn.n_inputs, esn.n_feedback, q, esn.act.code, squares]
    parts = [esn.leaks, esn.bias, d, esn.dense_W, esn.W_in, W_fb, C]
    return np.concatenate([np.asarray(header, dtype=float), *(np.ravel(part) for part in parts)])


def esn_functions(esn: Any) -> Functions:
    """Functions of an ESN. Built-in activations and readouts of x or [x, x^2] run compiled."""
    if esn.act.code < 0 or callable(esn.features):
        return _plain_functions(esn)
    jacobians = {"fx": k.esn_fx, "fu": k.esn_fu, "gx": k.esn_gx, "gu": k.esn_gu}
    for function in (k.esn_f, k.esn_g):
        compiled(function)
    for function in jacobians.values():
        compiled(function, "matrix")
    return Functions(k.esn_f, k.esn_g, pack(esn), True, jacobians)


def _plain_functions(esn: Any) -> Functions:
    """The same map in NumPy for a user's activation or features; Jacobians of features by differences."""
    W, leak, m, r = esn.dense_W, esn.leaks, esn.n_inputs, esn.n_feedback
    phi = readout_features(esn)
    C = np.zeros((esn.n_outputs, np.size(phi(np.zeros(esn.n_states))))) if esn.C is None else esn.C
    d = np.zeros(esn.n_outputs) if esn.d is None else esn.d

    def g(x, u, p, t):
        return C @ phi(x) + d

    def v(x, u):
        out = W @ x + esn.W_in @ u[:m] + esn.bias
        if r:
            out = out + esn.W_fb @ np.where(np.isnan(u[m:]), g(x, u, None, 0.0), u[m:])
        return out

    def f(x, u, p, t):
        return (1 - leak) * x + leak * esn.act.function(v(x, u))

    def gx(x, u, p, t):
        if esn.features is None:
            return C
        steps = 6e-6 * np.maximum(1.0, np.abs(x))
        return np.column_stack([(g(x + h * e, u, p, t) - g(x - h * e, u, p, t)) / (2 * h)
                                for h, e in zip(steps, np.eye(len(x)))])  # fmt: skip

    def fx(x, u, p, t):
        inner = W
        if r and np.isnan(u[m:]).any():
            own = np.isnan(u[m:])
            inner = W + esn.W_fb[:, own] @ gx(x, u, p, t)[own]
        return np.diag(1 - leak) + (leak * esn.act.derivative(v(x, u)))[:, None] * inner  # [ESN-SSM, Eq. 20]

    def fu(x, u, p, t):
        wide = esn.W_in if not r else np.hstack([esn.W_in, esn.W_fb])
        return (leak * esn.act.derivative(v(x, u)))[:, None] * wide  # [ESN-SSM, Eq. 20]

    def gu(x, u, p, t):
        return np.zeros((esn.n_outputs, m + r))

    return Functions(f, g, np.zeros(0), False, {"fx": fx, "fu": fu, "gx": gx, "gu": gu})


def readout_features(esn: Any) -> Any:
    """phi as a function of arrays (..., n)."""
    if esn.features is None:
        return lambda x: x
    if isinstance(esn.features, str):
        return lambda x: np.concatenate([x, x**2], axis=-1)
    return esn.features
