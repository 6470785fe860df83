"""The two steps of a filter for a handful of states, in one pass of plain loops.

The loops are written once for n states and unrolled for 2, 3 and 4: with n known they take half the time.
They are for covariances that keep ample shares of every variance; where one does not, they say so and are not to be used: `conditioning`
and `propagation` then take over. Nonlinear filters take `absorb` as a function argument (`absorb_step`).
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mask_row, mat, out_mat, out_vec, real

LOG_2PI = 1.8378770664093453
SMALLEST = 1e-280  # variances below it have left double precision
AMPLE = 1e-3  # where this share of every variance is left, cancellation has cost no more than three digits


@helper(_nrt=False)
def few(n):
    """Whether plain loops, and this file's steps where they lose nothing, are faster for n states than library calls."""
    return n <= 6


@helper
def gained(P, C, R, seen, K, W, out, M, S, info):
    """As `conditioning.condition`: gain, whitening and covariance; whether ample shares are left of all variances."""
    n, p = P.shape[0], C.shape[0]
    missing, det = 0, 1.0
    for j in range(p):
        here = seen[j]
        gross = 0.0
        for i in range(n):
            total = 0.0
            for k in range(n if here else 0):
                total += C[j, k] * P[k, i]
            M[j, i] = total
            gross += C[j, i] * C[j, i] * P[i, i]
        for i in range(j + 1):
            both = here and seen[i]
            total = R[j, i] if both else 0.0
            for k in range(n if both else 0):
                total += M[j, k] * C[i, k]
            for k in range(i):
                total -= S[j, k] * S[i, k]
            if i < j:
                S[j, i] = total * S[i, i]
            elif not here:
                missing += 1
                S[j, j] = 1.0
            elif total > max(AMPLE * (n * gross + R[j, j]), SMALLEST):  # n gross bounds (sum |c| sqrt(P))^2
                det *= total
                S[j, j] = 1.0 / np.sqrt(total)  # L in S, with inverses on the diagonal
            else:
                return False
        for i in range(j):  # W = L^-1, row by row
            total = 0.0
            for k in range(i, j):
                total -= S[j, k] * W[k, i]
            W[j, i] = total * S[j, j]
            W[i, j] = 0.0
        W[j, j] = S[j, j]
    if not 1e-250 < det < 1e250:
        return False
    for i in range(n):
        for j in range(p - 1, -1, -1):  # column i of M becomes that of V' = W C P
            total = 0.0
            for k in range(j + 1):
                total += W[j, k] * M[k, i]
            M[j, i] = total
        for j in range(p):
            total = 0.0
            for k in range(j, p):
                total += M[k, i] * W[k, j]
            K[i, j] = total
        for j in range(i + 1):
            total = P[i, j]
            for k in range(p):
                total -= M[k, i] * M[k, j]
            out[i, j] = total
            out[j, i] = total
        if not out[i, i] > max(AMPLE * P[i, i], SMALLEST):
            return False
    info[0], info[1] = p, -0.5 * ((p - missing) * LOG_2PI + np.log(det))
    return True


@helper(inline="always", _nrt=False)
def absorb_of(n, P, C, R, seen, e, V, S, x, out):
    q = len(e)
    det, square, missing = 1.0, 0.0, 0
    for j in range(q):
        gross, pivot = R[j, j], R[j, j]
        for i in range(n):
            total = 0.0
            for k in range(n):
                total += C[j, k] * P[i, k]
            V[j, i] = total if seen[j] else 0.0
            pivot += C[j, i] * total
            gross += n * C[j, i] * C[j, i] * P[i, i]  # bounds R + (sum |c| sqrt(P))^2
        if not seen[j]:
            missing += 1
            e[j] = 0.0
            continue
        for k in range(j):  # S holds L below its diagonal, times L_kk until row j reaches k
            total = R[j, k]
            for i in range(n):
                total += V[j, i] * C[k, i]
            for i in range(k):
                total -= S[j, i] * S[k, i]
            S[j, k] = total * S[k, k] if seen[k] else 0.0
            pivot -= S[j, k] * S[j, k]
        if not pivot > max(AMPLE * gross, SMALLEST):
            return np.nan
        det *= pivot
        S[j, j] = 1.0 / np.sqrt(pivot)
        for k in range(j):
            e[j] -= S[j, k] * e[k]
            for i in range(n):
                V[j, i] -= S[j, k] * V[k, i]
        e[j] *= S[j, j]
        square += e[j] * e[j]
        for i in range(n):
            V[j, i] *= S[j, j]
    if not 1e-250 < det < 1e250:
        return np.nan
    for i in range(n):
        for k in range(i + 1):
            total = P[i, k]
            for j in range(q):
                total -= V[j, i] * V[j, k]
            out[i, k] = total
            out[k, i] = total
        if not out[i, i] > max(AMPLE * P[i, i], SMALLEST):
            return np.nan
        for j in range(q):
            x[i] += V[j, i] * e[j]
    return -0.5 * ((q - missing) * LOG_2PI + np.log(det) + square)


@kernel(mat, mat, mat, mask_row, out_vec, out_mat, out_mat, out_vec, out_mat, returns=real, _nrt=False)
def absorb(P, C, R, seen, e, V, S, x, out):
    """The update of mean and covariance, row by row of S = L L': V = L^-1 C P, out = P - V'V, e <- L^-1 e, x <- x + V'e.

    Returns the log-density of e, or NaN where less than AMPLE is left of a variance: then nothing but P is to be used.
    """
    n = P.shape[0]
    if n == 2:
        return absorb_of(2, P, C, R, seen, e, V, S, x, out)
    if n == 3:
        return absorb_of(3, P, C, R, seen, e, V, S, x, out)
    if n == 4:
        return absorb_of(4, P, C, R, seen, e, V, S, x, out)
    return absorb_of(n, P, C, R, seen, e, V, S, x, out)


@helper(inline="always", _nrt=False)
def carried_of(n, AT, P, Q, work, out):
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += P[i, k] * AT[k, j]
            work[i, j] = total
    for i in range(n):
        gross = 0.0
        for k in range(n):
            gross += AT[k, i] * AT[k, i] * P[k, k]
        for j in range(i + 1):
            total = Q[i, j]
            for k in range(n):
                total += AT[k, i] * work[k, j]
            out[i, j] = total
            out[j, i] = total
        # n sum a^2 P bounds (sum |a| sqrt(P))^2, what the variance was summed from
        if not out[i, i] > max(AMPLE * (n * gross + Q[i, i]), SMALLEST):
            return False
    return True


@helper(_nrt=False)
def carried(AT, P, Q, work, out):
    """out = A P A' + Q; whether ample shares are left of all variances."""
    n = P.shape[0]
    if n == 2:
        return carried_of(2, AT, P, Q, work, out)
    if n == 3:
        return carried_of(3, AT, P, Q, work, out)
    if n == 4:
        return carried_of(4, AT, P, Q, work, out)
    return carried_of(n, AT, P, Q, work, out)
