"""The Rauch-Tung-Striebel smoother, as two passes: one over covariances and gains, one over means.

    G = P(t|t) A' P(t+1|t)^-1,    x(t|T) = x(t|t) + G (x(t+1|T) - x(t+1|t))            [Rauch, Tung & Striebel 1965]
    P(t|T) = P(t|t) + G (P(t+1|T) - P(t+1|t)) G',    Cov(x(t+1), x(t) | T) = P(t+1|T) G'

Where cancellation leaves little of a variance, the symmetric form (I - G A) P(t|t) (I - G A)' + G (Q + P(t+1|T)) G', a sum
of positive semidefinite terms, takes its place. Where P(t+1|t) is singular a generalised inverse serves, exactly.
Gains live in the filter's slots; smoothed covariances in slots of their own, named by `place[t]`.
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, kernel, mat, out_cube, out_mat, propagate_step, types
from .matrices import copy, indefinite, multiply, unchanged

index_type = types.Array(types.int64, 1, "C", readonly=True)
out_index = types.Array(types.int64, 1, "C")

EPS = 2.220446049250313e-16
AMPLE = 1e-3  # where this share of every variance is left, a difference has lost no more than three digits
STRIDE = 4  # steps between the covariances compared, which may differ by a rounding a step
DOUBTFUL = 1e-3  # once cancellation has left less than this of a variance, signs are looked at
BLAS = 3000  # products from which a library call is faster
SMALL = 14  # states up to which plain loops sum a difference faster
BLOCK = 24  # rows of the Cholesky factor taken at once


@helper
def factor_rows(P, gross, U, a, b):
    """Rows a..b-1 of U, P = U'U, less what the rows above account for; a direction that has vanished to rounding is left out.

    Returns the smallest share of a variance left.
    """
    n = P.shape[0]
    for i in range(a, b):
        for j in range(i, n):
            U[i, j] = P[i, j]
    if a > 0:
        known = np.dot(np.ascontiguousarray(U[:a, a:b]).T, np.ascontiguousarray(U[:a, a:]))
        for i in range(a, b):
            for j in range(i, n):
                U[i, j] -= known[i - a, j - a]
    share = 1.0
    for i in range(a, b):
        for k in range(a, i):
            u = U[k, i]
            if u != 0.0:
                for j in range(i, n):
                    U[i, j] -= u * U[k, j]
        left = U[i, i]
        if left > 16.0 * n * EPS * gross[i]:
            share = min(share, left / gross[i])
            root = 1.0 / np.sqrt(left)
            for j in range(i, n):
                U[i, j] *= root
        else:
            share = 0.0 if P[i, i] > 0.0 else share  # zero, or too small to be told from it
            for j in range(i, n):
                U[i, j] = 0.0
    return share


@helper
def solve(P, gross, U, X):
    """X <- P^- X for a positive semidefinite P, by a Cholesky factor in blocks of rows.

    gross: (n,) what each variance was summed from. Returns the smallest share of a variance left.
    """
    n, m = X.shape
    share = 1.0
    for a in range(0, n, BLOCK):
        b = min(n, a + BLOCK)
        share = min(share, factor_rows(P, gross, U, a, b))
        if a > 0:
            known = np.dot(np.ascontiguousarray(U[:a, a:b]).T, X[:a])
            for i in range(a, b):
                for j in range(m):
                    X[i, j] -= known[i - a, j]
        for i in range(a, b):
            pivot = 1.0 / U[i, i] if U[i, i] > 0.0 else 0.0
            for k in range(a, i):
                for j in range(m):
                    X[i, j] -= U[k, i] * X[k, j]
            for j in range(m):
                X[i, j] *= pivot
    for a in range((n - 1) // BLOCK * BLOCK, -1, -BLOCK):
        b = min(n, a + BLOCK)
        if b < n:
            known = np.dot(np.ascontiguousarray(U[a:b, b:]), X[b:])
            for i in range(a, b):
                for j in range(m):
                    X[i, j] -= known[i - a, j]
        for i in range(b - 1, a - 1, -1):
            pivot = 1.0 / U[i, i] if U[i, i] > 0.0 else 0.0
            for k in range(i + 1, b):
                for j in range(m):
                    X[i, j] -= U[i, k] * X[k, j]
            for j in range(m):
                X[i, j] *= pivot
    return share


@helper
def backward_gain(AT, Q, P, ahead, GT, work, factor, gross):
    """GT = G' from P = P(t|t) and ahead = P(t+1|t). gross leaves as what each variance of G P(t+1|t) G' is summed from."""
    n = P.shape[0]
    multiply(P, AT, work, BLAS)
    for i in range(n):
        total = 0.0
        for k in range(n):
            GT[i, k] = work[k, i]
            total += abs(AT[k, i]) * np.sqrt(P[k, k])
        gross[i] = total * total + Q[i, i]
    share = solve(ahead, gross, factor, GT)
    for i in range(n):
        gross[i] = 0.0
    for k in range(n):
        root = np.sqrt(ahead[k, k])
        for i in range(n):
            gross[i] += abs(GT[k, i]) * root
    for i in range(n):
        gross[i] *= gross[i]
    return share


@helper
def difference(GT, P, ahead, later, gross, work, change, out):
    """out = P + G (later - ahead) G'; the smallest share of a variance left, or -1 where one is not ample."""
    n = P.shape[0]
    for i in range(n):
        for j in range(n):
            change[i, j] = later[i, j] - ahead[i, j]
    multiply(change, GT, work, BLAS)
    if n > SMALL:
        np.dot(GT.T, work, change)
    share = 1.0
    for i in range(n):
        if n > SMALL:
            for j in range(i + 1):
                out[i, j] = P[i, j] + change[i, j]
        else:
            for j in range(i + 1):
                out[i, j] = P[i, j]
            for k in range(n):
                g = GT[k, i]
                for j in range(i + 1):
                    out[i, j] += g * work[k, j]
        if not out[i, i] >= AMPLE * (P[i, i] + gross[i]):
            return -1.0
        if out[i, i] < share * P[i, i]:
            share = out[i, i] / P[i, i]
        for j in range(i):
            out[j, i] = out[i, j]
    return share


@helper
def untold(propagate, AT, Q, P, GT, base, work, factor, zero, root):
    """base = (I - G A) P (I - G A)' + G Q G', what the future cannot tell of x(t)."""
    n = P.shape[0]
    multiply(AT, GT, factor, BLAS)
    for i in range(n):
        for j in range(n):
            factor[i, j] = (1.0 if i == j else 0.0) - factor[i, j]
            zero[i, j] = 0.0
    propagate(GT, Q, zero, work, root, base)
    copy(base, zero)
    propagate(factor, P, zero, work, root, base)


@kernel(propagate_step, cube, cube, cube, cube, index_type, mat, out_cube, out_cube, out_index, out_mat, nogil=True)
def covariances(propagate, AT, Q, Pp, Pf, index, last, GT, Ps, place, P):
    """Gains and smoothed covariances, backward from P(T-1|T-1).

    AT (A transposed), Q: one matrix, or one a step. Pp, Pf: (slots, n, n) predicted and filtered covariances, index: (T,)
    their slots. last: (n, n) the smoothed covariance at step T-1. GT: (slots, n, n) transposed gains, in the filter's slots.
    Ps: (slots, n, n), or one slot where they are not to be kept; place: (T,) their slots. P (n, n) leaves as P(0|T).
    Returns the number of slots used and the smallest share that cancellation left of any variance, -1 where one lost its sign.
    """
    T, n = len(index), Pf.shape[1]
    base, work, factor, root = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((2, n))
    before, zero, gross = np.empty((n, n)), np.empty((n, n)), np.empty(n)
    slot, streak, ahead, share = 0, 0, 0, 1.0
    frozen, direct = False, True
    copy(last, P)
    copy(P, Ps[0])
    place[T - 1] = 0
    for t in range(T - 2, -1, -1):
        j = index[t]
        same = j == index[t + 1]
        if frozen and same:
            place[t] = slot
            continue
        a, q = t if len(AT) > 1 else 0, t if len(Q) > 1 else 0
        if not same or t == T - 2:
            ahead = index[t + 1]
            share = min(share, backward_gain(AT[a], Q[q], Pf[j], Pp[ahead], GT[j], work, factor, gross))
            frozen, direct, streak = False, True, 0
        left = difference(GT[j], Pf[j], Pp[ahead], P, gross, work, factor, zero) if direct else -1.0
        if left < 0.0:
            if direct:
                untold(propagate, AT[a], Q[q], Pf[j], GT[j], base, work, factor, zero, root)
                direct = False
            share = min(share, propagate(GT[j], P, base, work, root, zero))
            for i in range(n):
                if Pf[j, i, i] > 0.0 and zero[i, i] > 0.0:
                    share = min(share, zero[i, i] / Pf[j, i, i])
        share = min(share, abs(left))
        copy(zero, P)
        if 0.0 < share < DOUBTFUL and indefinite(P, work):
            share = -1.0
        slot += 1
        copy(P, Ps[slot if len(Ps) > 1 else 0])
        place[t] = slot
        streak += 1
        if streak % STRIDE == 1:
            frozen = streak > 1 and unchanged(P, before, STRIDE)
            copy(P, before)
    return slot + 1, share


@kernel(cube, index_type, cube, cube, mat, out_cube, nogil=True)
def means(GT, index, Xf, Xp, last, Xs):
    """Smoothed means of S sequences that share their gains.

    GT: (slots, n, n), index: (T,). Xf, Xp: (S, T, n) filtered and predicted means. last: (S, n) at step T-1.
    """
    T, n = Xs.shape[1], Xs.shape[2]
    for s in range(len(Xs)):
        for i in range(n):
            Xs[s, T - 1, i] = last[s, i]
        for t in range(T - 2, -1, -1):
            g = index[t]
            for i in range(n):
                Xs[s, t, i] = Xf[s, t, i]
            for k in range(n):
                d = Xs[s, t + 1, k] - Xp[s, t + 1, k]
                for i in range(n):
                    Xs[s, t, i] += GT[g, k, i] * d
