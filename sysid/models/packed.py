"""Linear and bilinear models as functions (x, u, p, t): all matrices in one flat p, so that nothing recompiles."""

from __future__ import annotations

import numpy as np

from ..kernels._jit import compiled, helper
from .protocol import Functions

_HEADER = 11  # n, m, p, dt, then the number of steps in A, B, C, D, c, d, and whether N is there


def linear_functions(model) -> Functions:
    """Functions of an LTI, LTV or Bilinear model, compiled. p holds a header and the matrices, time-varying ones whole."""
    stacks = [a if a.ndim == k else a[None] for a, k in
              zip((model.A, model.B, model.C, model.D, model.c, model.d), (3, 3, 3, 3, 2, 2))]  # fmt: skip
    N = getattr(model, "N", None)
    header = [model.n_states, model.n_inputs, model.n_outputs, 1.0 if model.dt is None else model.dt,
              *(len(s) for s in stacks), 0.0 if N is None else 1.0]  # fmt: skip
    parts = [np.asarray(header, dtype=float), *(s.ravel() for s in stacks)]
    if N is not None:
        parts.append(N.ravel())
    for function in (_f, _g):
        compiled(function)
    jacobians = {"fx": _fx, "fu": _fu, "gx": _gx, "gu": _gu}
    for function in jacobians.values():
        compiled(function, "matrix")
    return Functions(_f, _g, np.concatenate(parts), True, jacobians)


@helper
def _block(p, t, which):
    """Where block `which` (A B C D c d N: 0..6) at time t begins, its rows and columns."""
    n, m, q, dt = int(p[0]), int(p[1]), int(p[2]), p[3]
    step = int(np.rint(t / dt))
    start = _HEADER
    for i in range(which + 1):
        rows = n if i in (0, 1, 4, 6) else q
        columns = n if i in (0, 2) else (m if i in (1, 3) else 1)
        if i == 6:
            columns = n
        if i == which:
            if i < 6 and int(p[4 + i]) > 1:
                start += min(step, int(p[4 + i]) - 1) * rows * columns
            return start, rows, columns
        start += int(p[4 + i]) * rows * columns
    return start, 0, 0


@helper
def _matrix(p, t, which):
    start, rows, columns = _block(p, t, which)
    return p[start : start + rows * columns].reshape((rows, columns))


@helper
def _affine(x, u, p, t, of_state, of_input, offset):
    A, B = _matrix(p, t, of_state), _matrix(p, t, of_input)
    start, rows, _ = _block(p, t, offset)
    out = np.empty(rows)
    for i in range(rows):
        total = p[start + i]
        for j in range(A.shape[1]):
            total += A[i, j] * x[j]
        for j in range(B.shape[1]):
            total += B[i, j] * u[j]
        out[i] = total
    return out


@helper(inner=False)
def _f(x, u, p, t):
    out = _affine(x, u, p, t, 0, 1, 4)
    if p[10] > 0:
        n = len(x)
        start, _, _ = _block(p, t, 6)
        for k in range(len(u)):
            N = p[start + k * n * n : start + (k + 1) * n * n].reshape((n, n))
            for i in range(n):
                for j in range(n):
                    out[i] += u[k] * N[i, j] * x[j]
    return out


@helper(inner=False)
def _g(x, u, p, t):
    return _affine(x, u, p, t, 2, 3, 5)


@helper(inner=False)
def _fx(x, u, p, t):
    out = _matrix(p, t, 0).copy()
    if p[10] > 0:
        n = len(x)
        start, _, _ = _block(p, t, 6)
        for k in range(len(u)):
            out += u[k] * p[start + k * n * n : start + (k + 1) * n * n].reshape((n, n))
    return out


@helper(inner=False)
def _fu(x, u, p, t):
    out = _matrix(p, t, 1).copy()
    if p[10] > 0:
        n = len(x)
        start, _, _ = _block(p, t, 6)
        for k in range(len(u)):
            N = p[start + k * n * n : start + (k + 1) * n * n].reshape((n, n))
            for i in range(n):
                for j in range(n):
                    out[i, k] += N[i, j] * x[j]
    return out


@helper(inner=False)
def _gx(x, u, p, t):
    return _matrix(p, t, 2).copy()


@helper(inner=False)
def _gu(x, u, p, t):
    return _matrix(p, t, 3).copy()
