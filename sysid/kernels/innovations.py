"""What filters share of an innovation."""

from __future__ import annotations

import numpy as np

from ._jit import helper


@helper
def squared(W, e, rank, Yp):
    """|W e|^2, infinite where e has a part in the null space of a singular innovation covariance."""
    total = 0.0
    for j in range(len(e)):
        part, gross = 0.0, 0.0
        for i in range(len(e)):
            part += W[j, i] * e[i]
            gross += abs(W[j, i]) * (abs(e[i]) + abs(Yp[i]))
        if j < rank:
            total += part * part
        elif abs(part) > 1e-8 * gross:
            total = np.inf
    return total
