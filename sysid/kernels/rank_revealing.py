"""Symmetric matrices of low numerical rank as products of factors."""

from __future__ import annotations

import numpy as np

from ._jit import helper
from .matrices import t_dot

EPS = 2.220446049250313e-16


@helper
def pivoted_cholesky(N, scale, free, V):
    """Rows V[:r] (r, n) with N = V[:r]'V[:r] to rounding; return r, at least 1. N positive semidefinite [Higham 1990].

    The largest remaining diagonal entry leads, in units where coordinate i is measured by the root of scale[i], and the rest is left
    out once it is below n eps of the first, as in LAPACK's dpstrf. free (n,) is workspace. O(n r^2).
    """
    n = scale.size
    first = 0.0
    for i in range(n):
        free[i] = N[i, i]
        first = max(first, N[i, i] * scale[i])
    for r in range(n):
        lead, largest = -1, n * EPS * first
        for i in range(n):
            if free[i] * scale[i] > largest:
                lead, largest = i, free[i] * scale[i]
        if lead < 0:
            break
        row, root = V[r], np.sqrt(free[lead])
        for j in range(n):
            row[j] = N[lead, j]
        for k in range(r):
            v = V[k, lead]
            for j in range(n):
                row[j] -= v * V[k, j]
        for j in range(n):
            row[j] = row[j] / root if free[j] > -np.inf else 0.0
            free[j] -= row[j] * row[j]
        row[lead], free[lead] = root, -np.inf
    else:
        return n
    if r == 0:
        V[0] = 0.0
    return max(r, 1)


@helper
def recompress(V, width, scale, N, free):
    """Replace the rows V[:width] by as few as V[:width]'V[:width] asks for, to rounding; return their number."""
    t_dot(V[:width], V[:width], N)
    return pivoted_cholesky(N, scale, free, V)
