"""The steps on square-root factors that nonlinear filters share."""

from __future__ import annotations

from ._jit import helper
from .matrices import copy, product


@helper
def measured(condition, update, M, R, seen, kappa, W, turn, Z, unit, work, spare, T2, S2, V, root, info):
    """The measurement in the basis of the predicted factor, where the state is N(0, I): kappa (n, p), turn (n, n), W (p, p)."""
    n = Z.shape[0]
    for i in range(n):
        for k in range(n):
            Z[i, k] = 1.0 if i == k else 0.0
    if update(Z, M, R, seen, kappa, W, V, turn, unit, work, info):  # an output without variance: by pseudo-inverse
        for i in range(n):
            for k in range(n):
                spare[0, i, k] = 1.0 if i == k else 0.0
        condition(spare[0], M, R, seen, kappa, W, spare[1], T2, S2, spare[2], V, root, info)
    copy(Z, turn)


@helper
def lowered(triangularise, L, turn, tall):
    """L turn as a lower triangle in the upper rows of tall (2n, n), and the turn that takes L to it in the lower ones."""
    n = L.shape[0]
    product(L, turn, tall)
    for i in range(n):
        for k in range(n):
            tall[n + i, k] = turn[i, k]
    triangularise(tall, n)
    for i in range(n):
        for k in range(n):
            turn[i, k] = tall[n + i, k]
