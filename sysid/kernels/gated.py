"""The gated reservoir as functions (x, u, p, t).

    x+ = (1 - leak) x + leak s(W x + P ((G u) * (V x)) + W_in u + bias),  y = C x + d                   [ESN-SSM, Eq. 86]

The flat p is [n, m, q, code, r, leak (n), bias (n), d (q), W (n n), P (n r), G (r m), V (r n), W_in (n m), C (q n)].
"""

from __future__ import annotations

import numpy as np

from ._jit import helper
from .activations import slope_of, value_of

HEADER = 5


@helper
def parts(p):
    """Views of p: leak, bias, d, W, P, G, V, W_in, C."""
    n, m, q, r = int(p[0]), int(p[1]), int(p[2]), int(p[4])
    a = HEADER
    leak, bias = p[a : a + n], p[a + n : a + 2 * n]
    a += 2 * n
    d = p[a : a + q]
    a += q
    W = p[a : a + n * n].reshape((n, n))
    a += n * n
    P = p[a : a + n * r].reshape((n, r))
    a += n * r
    G = p[a : a + r * m].reshape((r, m))
    a += r * m
    V = p[a : a + r * n].reshape((r, n))
    a += r * n
    W_in = p[a : a + n * m].reshape((n, m))
    a += n * m
    return leak, bias, d, W, P, G, V, W_in, p[a : a + q * n].reshape((q, n))


@helper
def preactivation(x, u, p):
    """W x + P ((G u) * (V x)) + W_in u + bias (n,)."""
    leak, bias, d, W, P, G, V, W_in, C = parts(p)
    return np.dot(W, x) + np.dot(P, np.dot(G, u) * np.dot(V, x)) + np.dot(W_in, u) + bias


@helper(inner=False)
def f(x, u, p, t):
    """Next state (n,)."""
    v = preactivation(x, u, p)
    code = int(p[3])
    for i in range(len(v)):
        leak = p[HEADER + i]
        v[i] = (1.0 - leak) * x[i] + leak * value_of(code, v[i])
    return v


@helper(inner=False)
def fx(x, u, p, t):
    """df/dx = (1 - leak) I + leak J (W + P diag(G u) V) (n, n)."""
    leak, bias, d, W, P, G, V, W_in, C = parts(p)
    v = preactivation(x, u, p)
    gate = np.dot(G, u)
    scaled = P.copy()
    for j in range(len(gate)):
        for i in range(len(v)):
            scaled[i, j] *= gate[j]
    out = W + np.dot(scaled, V)
    for i in range(len(v)):
        slope = leak[i] * slope_of(int(p[3]), v[i])
        for j in range(len(v)):
            out[i, j] *= slope
        out[i, i] += 1.0 - leak[i]
    return out


@helper(inner=False)
def fu(x, u, p, t):
    """df/du = leak J (W_in + P diag(V x) G) (n, m)."""
    leak, bias, d, W, P, G, V, W_in, C = parts(p)
    v = preactivation(x, u, p)
    inner = np.dot(V, x)
    scaled = P.copy()
    for j in range(len(inner)):
        for i in range(len(v)):
            scaled[i, j] *= inner[j]
    out = W_in + np.dot(scaled, G)
    for i in range(len(v)):
        slope = leak[i] * slope_of(int(p[3]), v[i])
        for j in range(out.shape[1]):
            out[i, j] *= slope
    return out


@helper(inner=False)
def g(x, u, p, t):
    """Output (q,)."""
    leak, bias, d, W, P, G, V, W_in, C = parts(p)
    return np.dot(C, x) + d


@helper(inner=False)
def gx(x, u, p, t):
    """dy/dx (q, n)."""
    leak, bias, d, W, P, G, V, W_in, C = parts(p)
    return C.copy()


@helper(inner=False)
def gu(x, u, p, t):
    """dy/du = 0 (q, m)."""
    return np.zeros((int(p[2]), int(p[1])))
