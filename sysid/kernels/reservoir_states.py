"""State recursions of a leaky reservoir whose drive is known: x[t+1] = (1 - leak) x + leak s(W x[t] + V[t]).

V holds inputs, bias, measured outputs fed back and feeding layers, summed by one matrix product beforehand. tanh is
written so that the compiler turns it into vector instructions; a library call a unit would cost as much as W x.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ._jit import cube, helper, integer, kernel, mat, out_cube, out_mat, out_vec, vec

# Unsigned: an index that may be negative costs a comparison, and twice the time of the product.
_indices = types.Array(types.uint32, 1, "C", readonly=True)
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_SHIFT, _SHIFT_BITS = 6755399441055744.0, 0x4338000000000000  # 1.5 * 2^52: a sum with it rounds, and its bits count


# A checked division would keep the loop scalar, and so would separate roundings of a product and its sum.
@helper(error_model="numpy", fastmath={"contract"})
def _tanh(v, scale, bits):
    """v <- tanh(scale v) in place, scale > 0; bits: workspace of integers (n,).

    With e = expm1(-2 |v|), tanh |v| = -e/(e + 2); e by reduction to |r| <= ln(2)/2 and Taylor's polynomial of degree 13.
    Within 3 units in the last place of the library's.
    """
    powers = bits.view(np.float64)
    for i in range(len(v)):
        z = -2.0 * scale * abs(v[i])
        powers[i] = (z if z > -80.0 else -80.0) * _LOG2E + _SHIFT
    for i in range(len(v)):
        bits[i] = (bits[i] - _SHIFT_BITS + 1023) << 52
    for i in range(len(v)):
        z = -2.0 * scale * abs(v[i])
        z = z if not z < -80.0 else -80.0
        k = z * _LOG2E + _SHIFT - _SHIFT
        r = (z - k * _LN2_HIGH) - k * _LN2_LOW
        q = 1.0 / 6227020800.0
        q = q * r + 1.0 / 479001600.0
        q = q * r + 1.0 / 39916800.0
        q = q * r + 1.0 / 3628800.0
        q = q * r + 1.0 / 362880.0
        q = q * r + 1.0 / 40320.0
        q = q * r + 1.0 / 5040.0
        q = q * r + 1.0 / 720.0
        q = q * r + 1.0 / 120.0
        q = q * r + 1.0 / 24.0
        q = q * r + 1.0 / 6.0
        q = q * r + 0.5
        e = powers[i] * (r + q * r * r) + (powers[i] - 1.0)
        v[i] = np.copysign(-e / (e + 2.0), v[i])


@helper
def activate(code, v, bits):
    """v <- s(v) in place for the built-in activation `code`; bits: workspace of integers (n,)."""
    if code == 1:
        _tanh(v, 1.0, bits)
    elif code == 2:
        for i in range(len(v)):
            v[i] = v[i] if not v[i] < 0.0 else 0.0
    elif code == 3:
        _tanh(v, 0.5, bits)
        for i in range(len(v)):
            v[i] = 0.5 + 0.5 * v[i]


@kernel(mat, mat, vec, integer, vec, out_mat, out_vec)
def dense(W, V, leak, code, x0, X, final):
    """One sequence, W (n, n) full.  V, X: (T, n). X[t] = x[t], final = x[T]. O(T n^2) at the speed of W x."""
    T, n = X.shape
    v, bits = np.empty(n), np.empty(n, np.int64)
    X[0] = x0
    for t in range(T):
        np.dot(W, X[t], v)
        for i in range(n):
            v[i] += V[t, i]
        activate(code, v, bits)
        row = X[t + 1] if t + 1 < T else final
        for i in range(n):
            row[i] = (1.0 - leak[i]) * X[t, i] + leak[i] * v[i]


@kernel(_indices, _indices, vec, mat, vec, integer, vec, out_mat, out_vec)
def sparse(starts, columns, values, V, leak, code, x0, X, final):
    """One sequence, W in compressed rows. O(T edges)."""
    T, n = X.shape
    v, bits = np.empty(n), np.empty(n, np.int64)
    X[0] = x0
    for t in range(T):
        x = X[t]
        for i in range(n):
            total = V[t, i]
            for k in range(starts[i], starts[i + 1]):
                total += values[k] * x[columns[k]]
            v[i] = total
        activate(code, v, bits)
        row = X[t + 1] if t + 1 < T else final
        for i in range(n):
            row[i] = (1.0 - leak[i]) * x[i] + leak[i] * v[i]


@kernel(mat, cube, integer, vec, integer, out_mat, out_cube, nogil=True)
def batch(W, V, start, leak, code, Z, X):
    """S sequences at once.  V: (S, t, n), X: (S, T, n) gets x[start], ..., x[start + t - 1]. One product Z W' a step.

    Z: (S, n) holds x[start] and ends as x[start + t].
    """
    S, steps, n = V.shape
    P, bits = np.empty((S, n)), np.empty(n, np.int64)
    for t in range(steps):
        np.dot(Z, W.T, P)
        for s in range(S):
            v, z, x = P[s], Z[s], X[s, start + t]
            for i in range(n):
                v[i] += V[s, t, i]
            activate(code, v, bits)
            for i in range(n):
                x[i] = z[i]
                z[i] = (1.0 - leak[i]) * z[i] + leak[i] * v[i]
