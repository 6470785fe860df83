"""The covariance pass of the Kalman filter in square-root form: every covariance as L L', so that none can lose its sign or half its digits.

    [A L, Q^1/2] Theta = [L+, 0]                                                              [Kailath 1968]
"""

from __future__ import annotations

import numpy as np

from ._jit import (
    condition_step,
    cube,
    flag,
    kernel,
    mat,
    out_cube,
    out_mat,
    out_vec,
    triangular_step,
    types,
    update_step,
)
from .matrices import copy, product, square, unchanged

mask_type = types.Array(types.boolean, 2, "C", readonly=True)
out_index = types.Array(types.int64, 1, "C")
ROUNDINGS = 64.0  # by which a covariance that has settled may still move


@kernel(condition_step, update_step, triangular_step, cube, cube, cube, cube, mask_type, mat, flag, *[out_cube] * 7, out_vec, out_index, out_index, out_mat, nogil=True)  # fmt: skip
def covariances(condition, update, triangularise, A, C, FQ, R, seen, L0, may_stop, Pp, Pf, Lf, K, W, kappa, turn, const, rank, index, L):
    """As `filtering.covariances`, on factors. A: (k, n, n). FQ: (k, n, n) with FQ FQ' = Q. L0: (n, n) with L0 L0' = P0.

    Lf: (slots, n, n) factors of the filtered covariances, or one slot. kappa (slots, n, p), turn
    (slots, n, n): K and L(t|t) in the basis L(t|t-1), for the smoother. L (n, n) leaves as the factor at step T.
    Returns the number of slots.
    """
    T, n, p = len(seen), L.shape[0], C.shape[1]
    M, S, V, T2 = np.empty((p, n)), np.empty((p, p)), np.empty((n, p)), np.empty((n, n))
    root, info, unit, work, wide = np.empty((2, max(n, p))), np.empty(2), np.empty((p, p)), np.empty((6, max(n, p))), np.empty((n, 2 * n))
    before, spare = np.zeros((n, n)), np.empty((n, n))
    copy(L0, L)
    slot, streak, frozen = -1, 0, False
    for t in range(T):
        complete = may_stop
        for j in range(p):
            complete = complete and seen[t, j]
        if frozen and complete:
            index[t] = slot
            continue
        frozen = False
        slot += 1
        a, c = t if len(A) > 1 else 0, t if len(C) > 1 else 0
        q, r = t if len(FQ) > 1 else 0, t if len(R) > 1 else 0
        keep = slot if len(Pp) > 1 else 0
        index[t] = slot
        square(L, Pp[keep])
        if update(L, C[c], R[r], seen[t], K[slot], W[slot], kappa[keep], turn[keep], unit, work, info):
            condition(Pp[keep], C[c], R[r], seen[t], K[slot], W[slot], spare, M, S, T2, V, root, info)
        rank[slot], const[slot] = int(info[0]), info[1]
        square(L, Pf[keep])
        copy(L, Lf[keep])
        product(A[a], L, wide)
        for i in range(n):
            for j in range(n):
                wide[i, n + j] = FQ[q, i, j]
        triangularise(wide, n)
        for i in range(n):
            for j in range(n):
                L[i, j] = wide[i, j] if abs(wide[i, j]) > 1e-145 else 0.0
        streak = streak + 1 if complete else 0
        if streak % 16 == 1:
            square(L, before)
        elif streak > 16 and streak % 16 == 0:
            square(L, spare)
            frozen = unchanged(spare, before, ROUNDINGS)
    return slot + 1
