"""State recursions: linear and nonlinear, with any additive term (input, offset, noise) already summed in V."""

from __future__ import annotations

import numpy as np

from ._jit import cube, kernel, mat, out_mat, out_vec, real, state_function, vec

SMALL = 16  # below it plain loops beat the call of a matrix-vector product


@kernel(cube, mat, vec, out_mat, out_vec)
def linear(A, V, x0, X, final):
    """x[t+1] = A[t] x[t] + V[t] into X[t] = x[t], final = x[T].  A: (T or 1, n, n). V, X: (T, n). x0, final: (n,)."""
    T, n = X.shape
    final[:] = x0
    for t in range(T):
        k = t if len(A) > 1 else 0
        X[t] = final
        if n > SMALL:
            np.dot(A[k], X[t], final)
            final += V[t]
            continue
        for i in range(n):
            total = V[t, i]
            for j in range(n):
                total += A[k, i, j] * X[t, j]
            final[i] = total


@kernel(state_function, state_function, mat, mat, vec, real, real, vec, out_mat, out_mat, out_vec)
def nonlinear(f, g, U, V, p, t0, dt, x0, X, Y, final):
    """x[t+1] = f(x, U[t], p, t) + V[t], Y[t] = g(x, U[t], p, t).  U: (T, k). V, X: (T, n). Y: (T, p).

    Returns the first step whose state is not finite, or -1.
    """
    T = len(X)
    final[:] = x0
    for t in range(T):
        X[t] = final
        time = t0 + t * dt
        Y[t] = g(X[t], U[t], p, time)
        final[:] = f(X[t], U[t], p, time) + V[t]
        for i in range(len(final)):
            if not abs(final[i]) <= 1.7e308:
                return t
    return -1
