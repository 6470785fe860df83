"""Conditioning of a covariance on a measurement, the update of every Gaussian filter.

    S = C P C' + R = L L',   V = P C' L^-T,   K = V L^-1,   P(t|t) = P - V V'        [Anderson & Moore 1979, Sec. 3.1]

Where cancellation leaves little of a variance, Joseph's form (I - K C) P (I - K C)' + K R K' takes the place of P - V V'.

Every comparison is relative to the covariances at hand, so a change of units changes nothing. Filters take this step
as a function argument (`condition_step`): compiled once, it serves them all.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mask_row, mat, out_mat, out_vec, real
from .gains import gain
from .handful import few, gained
from .matrices import mirror

SMALLEST = 1e-280  # variances below it have left double precision
AMPLE = 1e-3  # where this share of every variance is left, P - V V' has lost no more than three digits to cancellation


@helper
def plain(P, V, out):
    """out = P - V V'; returns the smallest share of a variance left, or -1 where one is not ample."""
    n, p = V.shape
    large = n * n * p > 400
    if large:
        np.dot(V, V.T, out)
    share = 1.0
    for i in range(n):
        total = 0.0
        if large:
            total = out[i, i]
        else:
            for k in range(p):
                total += V[i, k] * V[i, k]
        left = P[i, i] - total
        if left < share * P[i, i]:
            if not left > AMPLE * P[i, i]:
                return -1.0
            share = left / P[i, i]
        if P[i, i] > 0.0 and not left > SMALLEST:
            return -1.0
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            if large:
                total = out[i, j]
            else:
                for k in range(p):
                    total += V[i, k] * V[j, k]
            out[i, j] = P[i, j] - total
            out[j, i] = out[i, j]
    return share


@helper
def joseph(P, K, C, R, seen, M, T, V, out):
    """out = (I - K C) P (I - K C)' + K R K', M = C P; returns the smallest share of a variance left.

    A sum of positive semidefinite terms stays so to rounding. Where every output is free of noise, variances that
    vanish to rounding are set to zero.
    """
    n, p = K.shape
    exact = True
    for i in range(n):
        for j in range(n):
            T[i, j] = P[i, j]
        for k in range(p):
            a = K[i, k]
            if a != 0.0:
                for j in range(n):
                    T[i, j] -= a * M[k, j]
    for i in range(n):
        for k in range(p):
            total = 0.0
            if seen[k]:
                for j in range(p):
                    if seen[j]:
                        total += K[i, j] * R[j, k]
                for j in range(n):
                    total -= T[i, j] * C[k, j]
            V[i, k] = total
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = T[i, j]
        for k in range(p):
            a = V[i, k]
            if a != 0.0:
                for j in range(i + 1):
                    out[i, j] += a * K[j, k]
    for k in range(p):
        if seen[k] and R[k, k] > 0.0:
            exact = False
    share = 1.0
    for i in range(n):
        left = out[i, i] / P[i, i] if P[i, i] > 0.0 else 1.0
        if not out[i, i] > SMALLEST or (exact and left < 1e-13):
            for j in range(n):
                out[i, j] = 0.0
                out[j, i] = 0.0
        elif left < share:
            share = left
    mirror(out)
    return share


@helper(_nrt=True)
def careful(P, C, R, seen, K, W, out, M, S, T, V, root, info):
    """`condition` at any size and condition."""
    regular, rank, const, left = gain(P, C, R, seen, K, W, M, S, V, root)  # [ESN-SSM, Eq. 65]
    info[0], info[1] = rank, const
    if regular and left > AMPLE:
        share = plain(P, V, out)
        if share > 0.0:
            return left * share  # the error of an innovation's variance is divided once more
    return left * joseph(P, K, C, R, seen, M, T, V, out)


@kernel(mat, mat, mat, mask_row, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_vec,
        returns=real, _nrt=False)  # fmt: skip
def condition(P, C, R, seen, K, W, out, M, S, T, V, root, info):
    """Condition P (n, n) on the outputs seen: out (n, n), gain K (n, p), whitening W (p, p) with W S W' = I.

    Rows and columns of missing outputs are zero. M: (p, n), S: (p, p), T: (n, n), V: (n, p), root: (2, max(n, p)) are
    workspace. info leaves as [rank of S, constant of the log-density]. Where S is singular the gain is by pseudo-inverse
    and the last rows of W span its null space.
    Returns the smallest share that cancellation left of any variance, 1 if ample.
    """
    if few(P.shape[0]) and gained(P, C, R, seen, K, W, out, M, S, info):
        return 1.0
    return careful(P, C, R, seen, K, W, out, M, S, T, V, root, info)
