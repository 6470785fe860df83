"""Lyapunov's equation for a handful of states, where calls of library functions would cost thirty times the work.

    X = Q + A Q A' + A^2 Q A'^2 + ...,   X <- X + A^(2^k) X A'^(2^k)                                        [Smith 1968]
"""

from __future__ import annotations

import numpy as np

from ._jit import integer, kernel, out_mat
from .matrices import copy, product

EPS = 2.220446049250313e-16


@kernel(out_mat, out_mat, out_mat, integer, integer)
def sum_by_squaring(X, power, work, done, most):
    """As `linear.equations._double`: X (n, n), the sum of the first 2^done terms, leaves as all of it; whether it converged.

    power: (n, n), A^(2^done). work: (n, n). most: doublings after which none is tried. Cost O(n^3) a doubling.
    """
    n, small = len(X), False
    for k in range(done, most):
        if not small:
            step, total = 0.0, 0.0
            product(power, X, work)
            for i in range(n):
                for j in range(i + 1):
                    term = 0.0
                    for l in range(n):
                        term += work[i, l] * power[j, l]  # [Smith 1968, Eq. 8]
                    X[i, j] += term
                    X[j, i] = X[i, j]
                    twice = 1.0 if i == j else 2.0
                    step += twice * term * term
                    total += twice * X[i, j] * X[i, j]
            small = np.sqrt(step) <= EPS / 4 * np.sqrt(total)
        product(power, power, work)
        copy(work, power)
        size = 0.0
        for i in range(n):
            for j in range(n):
                size += power[i, j] * power[i, j]
        size = np.sqrt(size)
        if small and size < 1.0:
            return True
        hopeless = k >= 6 and size ** (2.0 ** (most - k - 1)) > 1e-6  # the last power would still be felt
        if hopeless or not size < 1e3 * np.sqrt(n):
            return False
    return False
