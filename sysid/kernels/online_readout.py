"""One extended Kalman filter for the state of a reservoir and its readout together, sample by sample.

    theta = (C, d) row by row,   y[t] = C[t] x[t] + d[t] + v[t],   theta[t+1] = theta[t] + walk,   x[t+1] = f(x[t], drive[t]) + w[t]

Forgetting divides the readout's covariance by beta before each step. The walk's variance is `walk` plus `adapt` times the
running excess of the squared normalised innovation over one, so that the readout moves when predictions fail.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, integer, kernel, mat, out_mat, out_vec, real, vec


@helper
def _activate(kind, xi):
    """s(xi) and s'(xi): 0 identity, 1 tanh, 2 relu, 3 sigmoid."""
    if kind == 1:
        h = np.tanh(xi)
        return h, 1.0 - h * h
    if kind == 2:
        return (xi, 1.0) if xi > 0.0 else (0.0, 0.0)
    if kind == 3:
        h = 0.5 * (1.0 + np.tanh(0.5 * xi))
        return h, h * (1.0 - h)
    return xi, 1.0


@helper
def _condition(y, j, m, P, R, n, h, g):
    """Condition mean and covariance on one output with independent noise; return its innovation and variance."""
    at, size = n + j * (n + 1), m.size
    h[:] = 0.0
    predicted = m[at + n]
    h[at + n] = 1.0
    for k in range(n):
        predicted += m[at + k] * m[k]
        h[k] = m[at + k]
        h[at + k] = m[k]
    np.dot(P, h, g)
    e, s = y - predicted, R + np.dot(h, g)
    for k in range(size):
        m[k] += g[k] * e / s
        for l in range(k + 1):
            P[k, l] -= g[k] * g[l] / s
            P[l, k] = P[k, l]
    return e, s


@helper
def _predict(kind, W, drive, leak, q, m, P, A, corner, side):
    """Propagate the state's block and its covariance with the readout."""
    n = leak.size
    x = m[:n].copy()
    xi = np.dot(W, x) + drive
    for i in range(n):
        h, slope = _activate(kind, xi[i])
        m[i] = (1.0 - leak[i]) * x[i] + leak[i] * h
        for j in range(n):
            A[i, j] = leak[i] * slope * W[i, j]
        A[i, i] += 1.0 - leak[i]
    corner[:] = np.dot(A, np.dot(P[:n, :n].copy(), A.T))
    side[:] = np.dot(A, P[:n, n:].copy())
    for i in range(n):
        for j in range(i + 1):
            P[i, j] = corner[i, j]
            P[j, i] = corner[i, j]
        P[i, i] += q[i]
        for j in range(side.shape[1]):
            P[i, n + j] = side[i, j]
            P[n + j, i] = side[i, j]


@kernel(integer, mat, mat, mat, vec, vec, vec, real, real, real, real, out_vec, out_mat, out_mat, out_mat, out_vec)
def online_readout(kind, y, drive, W, leak, q, r, forgetting, walk, adapt, pace, m, P, predicted, variance, excess):
    """Run along one sequence; m (N,) and P (N, N), N = n + p (n + 1), begin as the prior and end as the last law.

    y (T, p) NaN where missing, drive (T, n), W (n, n), leak (n,), q (n,), r (p,) variances. pace: weight of the newest
    squared innovation in the running mean. Out: predicted, variance (T, p) before each measurement; excess (T,). O(T N^2 + T n^3).
    """
    T, p = y.shape
    n, size = leak.size, m.size
    plain, level = W.copy(), 1.0
    h, g, A = np.empty(size), np.empty(size), np.empty((n, n))
    corner, side = np.empty((n, n)), np.empty((n, size - n))
    root = np.sqrt(forgetting)
    for t in range(T):
        for j in range(p):
            at = n + j * (n + 1)
            predicted[t, j] = m[at + n] + np.dot(m[at:at + n], m[:n])
            h[:] = 0.0
            h[at + n] = 1.0
            for k in range(n):
                h[k] = m[at + k]
                h[at + k] = m[k]
            np.dot(P, h, g)
            variance[t, j] = r[j] + np.dot(h, g)
        squares, count = 0.0, 0
        for j in range(p):
            if not np.isnan(y[t, j]):
                e, s = _condition(y[t, j], j, m, P, r[j], n, h, g)
                squares += e * e / s
                count += 1
        if count > 0:
            level += pace * (squares / count - level)
        excess[t] = max(level - 1.0, 0.0)
        step = walk + adapt * excess[t]
        for k in range(n, size):
            for l in range(n):
                P[k, l] /= root
                P[l, k] /= root
            for l in range(n, size):
                P[k, l] /= forgetting
            P[k, k] += step
        _predict(kind, plain, drive[t], leak, q, m, P, A, corner, side)
    return level
