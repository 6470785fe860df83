"""A model's functions evaluated into given arrays: at many points in one call, or one point with the Jacobian.

Filters take these as arguments next to the functions themselves. The two here serve any f that returns a fresh array; models
whose functions fill an array bring compiled versions of their own (`models/protocol.py`), which leave f and fx aside.
"""

from __future__ import annotations

import numpy as np

from ._jit import kernel, mat, out_mat, out_vec, real, state_function, state_jacobian, types, vec


@kernel(state_function, mat, vec, vec, real, out_mat, returns=types.void)
def values(f, X, u, p, t, out):
    """out[i] = f(X[i], u, p, t), NaN where f returns another shape."""
    for i in range(len(X)):
        value = f(X[i], u, p, t)
        for a in range(out.shape[1]):
            out[i, a] = value[a] if len(value) == out.shape[1] else np.nan


@kernel(state_function, state_jacobian, vec, vec, vec, real, out_vec, out_mat, returns=types.void)
def linearised(f, fx, x, u, p, t, value, slope):
    """value = f(x, u, p, t), slope = df/dx there, NaN where they return another shape."""
    fresh, matrix = f(x, u, p, t), fx(x, u, p, t)
    fits = len(fresh) == len(value) and matrix.shape == slope.shape
    for a in range(len(value)):
        value[a] = fresh[a] if fits else np.nan
    for a in range(slope.shape[0]):
        for i in range(slope.shape[1]):
            slope[a, i] = matrix[a, i] if fits else np.nan


@kernel(vec, vec, vec, real, returns=out_vec)
def no_value(x, u, p, t):
    """In place of f where it is left aside."""
    return np.empty(0)


@kernel(vec, vec, vec, real, returns=out_mat)
def no_slope(x, u, p, t):
    """In place of fx where it is left aside."""
    return np.empty((0, 0))
