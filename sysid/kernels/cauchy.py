"""Gaussian elimination with complete pivoting on a scaled Cauchy matrix, without subtraction of entries.

For C[j, q] = r[q] / (z[j] - a[q]) the Schur complement after pivoting at (j0, q0) is again a product:

    C'[j, q] = C[j, q] (z[j] - z[j0]) (a[q0] - a[q]) / ((z[j] - a[q0]) (z[j0] - a[q]))

so every pivot and factor keeps its full relative accuracy [Demmel 1999, Accurate SVDs of structured matrices].
"""

from __future__ import annotations

import math

from numba import types

from ._jit import integer, kernel, mat, real, vec

_complex_mat = types.Array(types.complex128, 2, "C")
_complex_vec = types.Array(types.complex128, 1, "C")
_index_vec = types.Array(types.int64, 1, "C")


@kernel(vec, vec, mat, vec, integer, real, _complex_mat, _index_vec, _index_vec, _complex_vec, _complex_vec)
def cauchy_pivots(angle, gap, node_gap, row_scale, keep, cutoff, work, pivot_j, pivot_q, pivot, scratch):
    """Fill the pivots of the scaled Cauchy matrix and return how many were taken.

    angle (P,): z = exp(i angle); gap (Q,): 1 - a; node_gap (Q, Q): a[q0] - a[q]; row_scale (Q,).
    Elimination stops once a pivot falls below cutoff times the keep-th one. work (P, Q), scratch (Q,).
    """
    n_points, n_nodes = work.shape
    best, best_j, best_q = -1.0, 0, 0
    for j in range(n_points):
        for q in range(n_nodes):
            z_minus_a = complex(gap[q] - 2.0 * math.sin(angle[j] / 2) ** 2, math.sin(angle[j]))
            value = row_scale[q] / z_minus_a
            work[j, q] = value
            size = max(abs(value.real), abs(value.imag))
            if size > best:
                best, best_j, best_q = size, j, q
    rank = 0
    while rank < len(pivot) and best > 0.0:
        j0, q0 = best_j, best_q
        pivot_j[rank], pivot_q[rank], pivot[rank] = j0, q0, work[j0, q0]
        rank += 1
        if rank > keep and abs(pivot[rank - 1]) < cutoff * abs(pivot[keep - 1]):
            break
        s0, s1 = 2.0 * math.sin(angle[j0] / 2) ** 2, math.sin(angle[j0])
        for q in range(n_nodes):
            scratch[q] = node_gap[q0, q] / complex(gap[q] - s0, s1)
        best = -1.0
        for j in range(n_points):
            half, mean = (angle[j] - angle[j0]) / 2, (angle[j] + angle[j0]) / 2
            difference = 2.0 * math.sin(half) * complex(-math.sin(mean), math.cos(mean))
            factor = difference / complex(gap[q0] - 2.0 * math.sin(angle[j] / 2) ** 2, math.sin(angle[j]))
            for q in range(n_nodes):
                value = work[j, q] * (factor * scratch[q])
                work[j, q] = value
                size = max(abs(value.real), abs(value.imag))
                if size > best:
                    best, best_j, best_q = size, j, q
    return rank


@kernel(vec, vec, vec, _complex_mat)
def cauchy_left_factor(angle, pivot_angle, pivot_gap, out):
    """Fill out (L, r) with the left factor's columns up to one constant each, for all L angles.

    out[j, k] = exp(i angle[j]) prod_{m<k} (z[j] - z[m]) / (z[j] - a[m]) / (z[j] - a[k]).
    """
    rank = len(pivot_angle)
    for j in range(len(angle)):
        s0, s1 = 2.0 * math.sin(angle[j] / 2) ** 2, math.sin(angle[j])
        product = complex(math.cos(angle[j]), s1)
        for k in range(rank):
            value = product / complex(pivot_gap[k] - s0, s1)
            out[j, k] = value
            half, mean = (angle[j] - pivot_angle[k]) / 2, (angle[j] + pivot_angle[k]) / 2
            product = value * (2.0 * math.sin(half) * complex(-math.sin(mean), math.cos(mean)))
