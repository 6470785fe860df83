"""The leaky reservoir: its functions (x, u, p, t) for filters, and its state recursions.

    x[t+1] = (1 - leak) x[t] + leak s(W x[t] + W_in u[t] + W_fb y[t] + bias),  y[t] = C phi(x[t]) + d     [ESN-SSM, Eq. 2]

The extended input is [u, y]; a NaN entry of y stands for the model's own output. phi(x) = x, or [x, x^2] where squares is set.
The flat p is [n, m, r, q, code, squares, leak (n), bias (n), d (q), W (n n), W_in (n m), W_fb (n r), C (q n or q 2n)].
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mat, out_mat, out_vec, vec
from .activations import slope_of, value_of

CODES = {"identity": 0, "tanh": 1, "relu": 2, "sigmoid": 3}
HEADER = 6


@helper
def weights(p):
    """Views of p: leak, bias, d, W, W_in, W_fb, C."""
    n, m, r, q = int(p[0]), int(p[1]), int(p[2]), int(p[3])
    k = n * (2 if p[5] > 0 else 1)
    a = HEADER
    leak = p[a : a + n]
    bias = p[a + n : a + 2 * n]
    a += 2 * n
    d = p[a : a + q]
    a += q
    W = p[a : a + n * n].reshape((n, n))
    a += n * n
    W_in = p[a : a + n * m].reshape((n, m))
    a += n * m
    W_fb = p[a : a + n * r].reshape((n, r))
    a += n * r
    return leak, bias, d, W, W_in, W_fb, p[a : a + q * k].reshape((q, k))


@helper
def output(x, C, d, squares):
    """C phi(x) + d."""
    n = len(x)
    out = np.empty(len(d))
    for i in range(len(d)):
        total = d[i]
        for j in range(n):
            total += C[i, j] * x[j]
            if squares:
                total += C[i, n + j] * x[j] * x[j]
        out[i] = total
    return out


@helper
def preactivation(x, u, p):
    """W x + W_in u + W_fb y + bias (n,), y_i being the model's own where u holds NaN."""
    leak, bias, d, W, W_in, W_fb, C = weights(p)
    m, r = W_in.shape[1], W_fb.shape[1]
    v = np.dot(W, x)
    for i in range(len(v)):
        v[i] += bias[i]
        for j in range(m):
            v[i] += W_in[i, j] * u[j]
    if r > 0:
        own = output(x, C, d, p[5] > 0)
        for j in range(r):
            y = u[m + j] if not np.isnan(u[m + j]) else own[j]
            for i in range(len(v)):
                v[i] += W_fb[i, j] * y
    return v


@helper(inner=False)
def esn_f(x, u, p, t):
    """Next state (n,)."""
    v = preactivation(x, u, p)
    code = int(p[4])
    for i in range(len(v)):
        leak = p[HEADER + i]
        v[i] = (1.0 - leak) * x[i] + leak * value_of(code, v[i])
    return v


@helper
def output_jacobian(x, C, squares):
    """dy/dx (q, n)."""
    n = len(x)
    out = C[:, :n].copy()
    if squares:
        for i in range(len(out)):
            for j in range(n):
                out[i, j] += 2.0 * C[i, n + j] * x[j]
    return out


@helper(inner=False)
def esn_fx(x, u, p, t):
    """df/dx = (1 - leak) I + leak J W (n, n), J the slopes; own outputs fed back add leak J W_fb dy/dx."""
    leak, bias, d, W, W_in, W_fb, C = weights(p)
    n, m, r = len(x), W_in.shape[1], W_fb.shape[1]
    v = preactivation(x, u, p)
    out = W.copy()
    if r > 0:
        own = output_jacobian(x, C, p[5] > 0)
        for k in range(r):
            if np.isnan(u[m + k]):
                for i in range(n):
                    for j in range(n):
                        out[i, j] += W_fb[i, k] * own[k, j]
    for i in range(n):
        slope = leak[i] * slope_of(int(p[4]), v[i])
        for j in range(n):
            out[i, j] *= slope
        out[i, i] += 1.0 - leak[i]
    return out


@helper(inner=False)
def flow_f(x, u, p, t):
    """dx/dt (n,) of the continuous-time network, with 1/tau in the leak's place."""
    return esn_f(x, u, p, t) - x


@helper(inner=False)
def flow_fx(x, u, p, t):
    """Its Jacobian (n, n)."""
    out = esn_fx(x, u, p, t)
    for i in range(len(x)):
        out[i, i] -= 1.0
    return out


@helper(inner=False)
def esn_fu(x, u, p, t):
    """df/d[u, y] = leak J [W_in, W_fb] (n, m + r)."""
    leak, bias, d, W, W_in, W_fb, C = weights(p)
    n, m, r = len(x), W_in.shape[1], W_fb.shape[1]
    v = preactivation(x, u, p)
    out = np.empty((n, m + r))
    for i in range(n):
        slope = leak[i] * slope_of(int(p[4]), v[i])
        for j in range(m):
            out[i, j] = slope * W_in[i, j]
        for j in range(r):
            out[i, m + j] = slope * W_fb[i, j]
    return out


@helper(inner=False)
def esn_g(x, u, p, t):
    """Output (q,)."""
    leak, bias, d, W, W_in, W_fb, C = weights(p)
    return output(x, C, d, p[5] > 0)


@helper(inner=False)
def esn_gx(x, u, p, t):
    """dy/dx (q, n)."""
    leak, bias, d, W, W_in, W_fb, C = weights(p)
    return output_jacobian(x, C, p[5] > 0)


@helper(inner=False)
def esn_gu(x, u, p, t):
    """dy/d[u, y] = 0 (q, m + r)."""
    return np.zeros((int(p[3]), int(p[1]) + int(p[2])))


@kernel(vec, mat, mat, mat, vec, out_mat, out_mat, out_vec)
def packed(p, U, V, E, x0, X, Y, final):
    """Any reservoir of packed p along extended inputs U (T, m + r), with state noise V (T, n) and output noise E (T, q).

    Own outputs are fed back with their noise.  Returns the first step whose state is not finite, or -1.
    """
    T, n = X.shape
    m, r = int(p[1]), int(p[2])
    final[:] = x0
    u = np.empty(m + r)
    for t in range(T):
        X[t] = final
        Y[t] = esn_g(final, u, p, 0.0) + E[t]
        u[:] = U[t]
        for j in range(r):
            if np.isnan(u[m + j]):
                u[m + j] = Y[t, j]
        final[:] = esn_f(final, u, p, 0.0) + V[t]
        for i in range(n):
            if not abs(final[i]) <= 1.7e308:
                return t
    return -1
