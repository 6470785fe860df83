"""The mean pass of a linear filter: states and log-densities of any number of sequences along given gains.

    e = y - C x(t|t-1) - D u - d,   x(t|t) = x(t|t-1) + K e,   x(t+1|t) = A x(t|t) + B u + c
    log p(y[t] | past) = const - |W e|^2 / 2,   W S W' = I                    [Anderson & Moore 1979, Sec. 3.1]
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, kernel, mat, out_cube, out_mat, types, vec

rank_type, index_type = (types.Array(types.int64, d, "C", readonly=True) for d in (1, 2))


@helper
def is_diagonal(A):
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            if i != j and A[i, j] != 0.0:
                return False
    return True


@kernel(cube, cube, cube, cube, cube, cube, vec, rank_type, index_type, cube, mat, out_cube, out_cube, out_cube,
        out_mat, out_mat, nogil=True)  # fmt: skip
def linear_means(AT, C, bx, by, K, W, const, rank, index, Y, M0, Xp, Xf, Yp, L, final):
    """Means and log-densities of S sequences along gains in slots: index (1, T) where they share them, else (S, T).

    bx: (S or 1, T or 1, n), by: (S or 1, T or 1, p): what inputs and offsets add to states and outputs. Y: (S, T, p), NaN where missing.
    M0: (S, n). Xp, Xf: (S, T, n) means before and after the measurement, Yp: (S, T, p) of the outputs; or one step where they
    are not to be kept. A constant diagonal A costs O(n) a step, so that all of it is O(n p).
    L: (S, T) log-density of each measurement given the past, -inf where it is impossible. final: (S, n), the mean at T.
    """
    T, p, n = Y.shape[1], Y.shape[2], final.shape[1]
    e, x, diagonal = np.empty(p), np.empty(n), len(AT) == 1 and is_diagonal(AT[0])
    for s in range(len(Y)):
        b, d = s if len(bx) > 1 else 0, s if len(by) > 1 else 0
        for i in range(n):
            final[s, i] = M0[s, i]
        for t in range(T):
            keep = t if Xp.shape[1] > 1 else 0
            slot = index[s if len(index) > 1 else 0, t]
            a, c = t if len(AT) > 1 else 0, t if len(C) > 1 else 0
            u, v = t if bx.shape[1] > 1 else 0, t if by.shape[1] > 1 else 0
            for j in range(p):
                predicted = by[d, v, j]
                for i in range(n):
                    predicted += C[c, j, i] * final[s, i]
                Yp[s, keep, j] = predicted
                e[j] = Y[s, t, j] - predicted if Y[s, t, j] == Y[s, t, j] else 0.0
            square = 0.0
            for k in range(rank[slot]):
                total = 0.0
                for j in range(p):
                    total += W[slot, k, j] * e[j]
                square += total * total
            for k in range(rank[slot], p):
                total, gross = 0.0, 0.0
                for j in range(p):
                    total += W[slot, k, j] * e[j]
                    if Y[s, t, j] == Y[s, t, j]:
                        size = abs(Y[s, t, j]) + abs(by[d, v, j])
                        for i in range(n):
                            size += abs(C[c, j, i] * final[s, i])
                        gross += abs(W[slot, k, j]) * size
                if abs(total) > 1e-8 * gross:
                    square = np.inf
            L[s, t] = const[slot] - 0.5 * square
            for i in range(n):
                Xp[s, keep, i] = final[s, i]
                x[i] = final[s, i]
                for j in range(p):
                    x[i] += K[slot, i, j] * e[j]
                Xf[s, keep, i] = x[i]
                final[s, i] = bx[b, u, i]
            if diagonal:
                for i in range(n):
                    final[s, i] += AT[a, i, i] * x[i]
                continue
            for k in range(n):
                for i in range(n):
                    final[s, i] += AT[a, k, i] * x[k]
