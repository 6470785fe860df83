"""The step of a covariance through a linear map, A P A' + Q, for every filter and smoother.

Filters take it as a function argument (`propagate_step`): compiled once, it serves them all.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mat, out_mat, real
from .handful import carried, few
from .matrices import multiply

EPS = 2.220446049250313e-16
SMALLEST = 1e-280  # variances below it have left double precision
BLAS = 200  # products from which a library call is faster
LARGE = 60  # from so many states on triangles are computed by blocks


@helper
def lower(Z, B, out):
    """The lower triangle of a symmetric Z B, without the block above the diagonal: a quarter of the work. Z is used up."""
    n = len(B)
    half = n // 2
    np.dot(Z[half:], B, out[half:])
    left, corner = out[:half].reshape(n, half), Z[half:].reshape(-1)[: half * half].reshape(half, half)  # memory not needed any more
    for k in range(n):
        for j in range(half):
            left[k, j] = B[k, j]
    np.dot(Z[:half], left, corner)
    for i in range(half):
        for j in range(i + 1):
            out[i, j] = corner[i, j]


@helper
def sandwich(B, P, work, out):
    """out = B' P B for a symmetric P: the lower triangle, whatever lies above."""
    n = B.shape[1]
    if n > LARGE:
        np.dot(B.T, P, work)
        lower(work, B, out)
        return
    multiply(P, B, work, BLAS)
    if not few(n):
        np.dot(B.T, work, out)
        return
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = 0.0
            for k in range(B.shape[0]):
                out[i, j] += B[k, i] * work[k, j]


@helper(_nrt=True)
def careful(AT, P, Q, work, root, out):
    """out = A P A' + Q; variances that vanish to rounding are zero. Returns the smallest share of a variance left."""
    n = P.shape[0]
    for i in range(n):
        root[0, i] = np.sqrt(P[i, i])
        root[1, i] = 0.0
    sandwich(AT, P, work, out)  # [ESN-SSM, Eq. 64]
    for i in range(n):
        for j in range(i + 1):
            out[i, j] += Q[i, j]
            out[j, i] = out[i, j]
    for k in range(n):
        for i in range(n):
            root[1, i] += abs(AT[k, i]) * root[0, k]
    share = 1.0
    for i in range(n):
        gross = root[1, i] * root[1, i] + Q[i, i]
        if not out[i, i] > max(8.0 * n * EPS * gross, SMALLEST):
            if out[i, i] != 0.0:
                for j in range(n):
                    out[i, j] = 0.0
                    out[j, i] = 0.0
        else:
            share = min(share, out[i, i] / gross)
    return share


@kernel(mat, mat, mat, out_mat, out_mat, out_mat, returns=real, _nrt=False)  # counting references would cost as much again
def propagate(AT, P, Q, work, root, out):
    """out = A P A' + Q from AT = A'; work: (n, n), root: (2, n). Returns the smallest share of a variance left, 1 if ample."""
    if few(P.shape[0]) and carried(AT, P, Q, work, out):
        return 1.0
    return careful(AT, P, Q, work, root, out)
