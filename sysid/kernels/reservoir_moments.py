"""Smoothed moments of a reservoir, summed as an EM step needs them and never stored.

Disturbance smoothing [de Jong 1989]: with A of step t, r and N of the step after it and B = A'N A,

    x(t|T) = x(t|t) + P(t|t) A'r,        P(t|T) = P(t|t) - P(t|t) B P(t|t)
    Cov(w[t]|T) = Q - Q N Q,             Cov(w[t], x[t]|T) = -Q N A P(t|t)
    r <- C'S^-1 e + (I - K C)'A'r,       N <- C'S^-1 C + (I - K C)'B (I - K C)

Where Q is diagonal the M-step needs, row by row, diagonals of these and of their products with W alone: with Y = P(t|t) W' those
are sums over columns of N A, P, Y, B P and B Y, so that a step takes five products of n x n, and half of one more for sum_cov. A Q
that correlates units needs them between rows too: seven products more.
"""
from __future__ import annotations

import numpy as np

from ._jit import cube, flag, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec
from .activations import slope_of
from .matrices import dot

BLOCKED = 48      # states from which half a product saves more than a second call costs


@helper
def _column_sums(A, B, out):
    """out[j] = sum_k A[k, j] B[k, j]."""
    for j in range(A.shape[1]):
        out[j] = 0.0
    for k in range(A.shape[0]):
        for j in range(A.shape[1]):
            out[j] += A[k, j] * B[k, j]


@helper
def _symmetric_product(A, B, side, corner, out):
    """out = A B, known to be symmetric: its lower half by blocks, mirrored; side (n, h) and corner (h, h) are workspace."""
    n, h = side.shape
    np.dot(A[h:], B, out[h:])
    if h:
        for i in range(n):
            for j in range(h):
                side[i, j] = B[i, j]
        np.dot(A[:h], side, corner)
        for i in range(h):
            for j in range(h):
                out[i, j] = corner[i, j]
    for i in range(n):
        for j in range(i):
            out[j, i] = out[i, j]


@helper
def _add_rows(Wt, scale, leak, slope_f, slope_s, Q, factor, N, AN, P_f, Y, BY, drop, sums, rows_cov):
    """Add the row-wise covariances ww, wx, wz, xx, xz, zz over factor, with z = s'(xi) W x; drop is the diagonal of P_f B P_f.

    The filter linearised at x(t|t), the M-step does at x(t|T): w moves by leak scale (slope_f - slope_s) W x.
    """
    _column_sums(AN, P_f, sums[0])       # N A P_f, diagonal
    _column_sums(AN, Y, sums[1])         # N A P_f W'
    _column_sums(BY, P_f, sums[2])       # W P_f B P_f
    _column_sums(BY, Y, sums[3])         # W P_f B P_f W'
    _column_sums(Wt, Y, sums[4])         # W P_f W'
    weight = 1.0 / factor
    for i in range(leak.size):
        q = factor * Q[i, i]
        wz, xz, zz = -q * sums[1, i], Y[i, i] - sums[2, i], sums[4, i] - sums[3, i]
        shift = leak[i] * scale * (slope_f[i] - slope_s[i])
        rows_cov[i, 0] += weight * (q - q * N[i, i] * q + 2.0 * shift * wz + shift * shift * zz)
        rows_cov[i, 1] += weight * (shift * xz - q * sums[0, i])
        rows_cov[i, 2] += weight * slope_s[i] * (wz + shift * zz)
        rows_cov[i, 3] += weight * (P_f[i, i] - drop[i])
        rows_cov[i, 4] += weight * slope_s[i] * xz
        rows_cov[i, 5] += weight * slope_s[i] * slope_s[i] * zz


@helper
def _add_cross(Wt, scale, leak, slope_f, slope_s, Q, factor, N, AN, P_f, Y, BP, BY, work, cross):
    """Add what `_add_rows` does between all rows: the covariance (3n, 3n) of (w, x, z) over factor, its upper blocks alone."""
    n, weight = leak.size, 1.0 / factor
    Ps, V, WV, wx, wv, QN, QNQ = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    np.dot(P_f, BP, Ps)
    np.dot(P_f, BY, V)
    for i in range(n):
        for j in range(n):
            Ps[i, j] = P_f[i, j] - Ps[i, j]
            V[i, j] = Y[i, j] - V[i, j]
    np.dot(Wt.T, V, WV)
    np.dot(AN.T, P_f, QNQ)
    np.dot(Q, QNQ, wx)
    np.dot(AN.T, Y, QNQ)
    np.dot(Q, QNQ, wv)
    np.dot(Q, N, QN)
    np.dot(QN, Q, QNQ)
    for i in range(n):
        shift = leak[i] * scale * (slope_f[i] - slope_s[i])
        for j in range(n):
            other = leak[j] * scale * (slope_f[j] - slope_s[j])
            ww = factor * Q[i, j] - factor * factor * QNQ[i, j] - factor * (wv[i, j] * other + shift * wv[j, i])
            wz = shift * WV[i, j] - factor * wv[i, j]
            cross[i, j] += weight * (ww + shift * WV[i, j] * other)
            cross[i, n + j] += weight * (shift * V[j, i] - factor * wx[i, j])
            cross[i, 2 * n + j] += weight * wz * slope_s[j]
            cross[n + i, n + j] += weight * Ps[i, j]
            cross[n + i, 2 * n + j] += weight * V[i, j] * slope_s[j]
            cross[2 * n + i, 2 * n + j] += weight * slope_s[i] * WV[i, j] * slope_s[j]


@helper
def _add_states(y, P_f, drop, weight, sum_cov):
    """Add weight (P_f - drop) for every measured output."""
    for a in range(y.size):
        if not np.isnan(y[a]):
            for i in range(P_f.shape[0]):
                for j in range(P_f.shape[0]):
                    sum_cov[a, i, j] += weight * (P_f[i, j] - drop[i, j])


@helper
def _filtered_cov(P, C, inverse, G, K, P_f):
    """P_f = P - G'S^-1 G with G = C P; each rank-one part as two equal halves, so that rounding leaves it symmetric."""
    p, n = C.shape
    for a in range(p):
        np.dot(P, C[a], G[a])
    np.dot(inverse, G, K)
    for i in range(n):
        for j in range(n):
            P_f[i, j] = P[i, j]
        for a in range(p):
            k, g = 0.5 * K[a, i], 0.5 * G[a, i]
            for j in range(n):
                P_f[i, j] -= k * G[a, j] + g * K[a, j]


@helper
def transition(y, M, W_fb, feedback_gain, C, leak, slope, A, A_t):
    """A = I - diag(leak) + diag(leak s') M and A', M with the feedback of unmeasured outputs; tell whether there is any."""
    n, closed = leak.size, False
    for i in range(n):
        for k in range(n):
            A[i, k] = M[i, k]
    for b in range(W_fb.shape[1]):
        if np.isnan(y[b]):
            closed = True
            for i in range(n):
                for k in range(n):
                    A[i, k] += feedback_gain * W_fb[i, b] * C[b, k]
    for i in range(n):
        g = leak[i] * slope[i]
        for k in range(n):
            A[i, k] *= g
        A[i, i] += 1.0 - leak[i]
    for k in range(n):
        for i in range(n):
            A_t[k, i] = A[i, k]
    return closed


@helper
def _reverse_update(C, gain, weight, inverse, K, Nk, half, B, r, N):
    """r and N before the measurement from r and B = A'N A after it; N is symmetric term by term."""
    n, p = gain.shape
    for a in range(p):
        for i in range(n):
            K[a, i] = gain[i, a]
        np.dot(B, K[a], Nk[a])
    for a in range(p):
        for i in range(n):
            half[a, i] = -Nk[a, i]
        for b in range(p):
            inner = inverse[a, b]
            for k in range(n):
                inner += K[a, k] * Nk[b, k]
            for i in range(n):
                half[a, i] += 0.5 * inner * C[b, i]
    for i in range(n):
        for j in range(n):
            N[i, j] = B[i, j]
        for a in range(p):
            c, h = C[a, i], half[a, i]
            for j in range(n):
                N[i, j] += c * half[a, j] + h * C[a, j]
    for a in range(p):
        back = weight[a]
        for k in range(n):
            back -= K[a, k] * r[k]
        Nk[a, 0] = back
    for a in range(p):
        for k in range(n):
            r[k] += C[a, k] * Nk[a, 0]


@kernel(integer, mat, mat, mat, vec, real, real, mat, mat, mat, cube, mat, mat, mat, cube, mat, cube, flag, flag, flag,
        out_vec, out_mat, out_mat, out_mat, out_mat, out_cube)
def reservoir_moments(kind, y, W, W_fb, leak, scale, feedback_gain, C, Q, factors, covs, filtered, arguments, slopes,
                      gain, weight, inverse, last, rows_wanted, states_wanted, r, N, smoothed, rows_cov, cross_cov, sum_cov):
    """Smooth one stretch from its last step to its first, adding its sums to rows_cov or cross_cov, and sum_cov.

    Inputs as in `reservoir_filter`, and what it left, with covs (T, n, n) at every step; `last`: the stretch ends its
    sequence, so no transition leaves its last step. r (n,), N (n, n) come from the stretch after it and are left for
    the one before. smoothed (T, n) = x(t|T); rows_cov (n, 6) see `_add_rows`, over transitions that feed no
    unmeasured output back, where wanted, or where it is not empty cross_cov (3n, 3n), see `_add_cross`; sum_cov (p, n, n): sums of
    P(t|T) where output j is measured, where wanted. Every term is divided by its step's factor on Q, or on R for sum_cov. O(T n^3).
    """
    T, p = y.shape
    n = leak.size
    h = n // 2 if n >= BLOCKED else 0
    P, P_f, A, A_t, AN = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    B, Y, BP, BY, side, corner = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, h)), np.empty((h, h))
    G, K, Nk, half, S = np.empty((p, n)), np.empty((p, n)), np.empty((p, n)), np.empty((p, n)), np.empty((p, p))
    back, slope_s, move, drop, sums = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty((5, n))
    plain, across, M, readout, noise = W.copy(), W.T.copy(), scale * W, C.copy(), Q.copy()
    between = cross_cov.shape[0] > 0
    work = np.empty((7, n, n)) if between else np.empty((0, 0, 0))
    for t in range(T - 1, -1, -1):
        P[:] = covs[t]
        S[:] = inverse[t]
        _filtered_cov(P, readout, S, G, K, P_f)
        smoothed[t] = filtered[t]
        moved = not (last and t == T - 1)
        if moved:
            closed = transition(y[t], M, W_fb, feedback_gain, readout, leak, slopes[t], A, A_t)
            dot(A_t, N, AN)
            _symmetric_product(AN, A, side, corner, B)
            np.dot(A_t, r, back)
            r[:] = back
            np.dot(P_f, back, move)
            smoothed[t] += move
            dot(B, P_f, BP)
            if rows_wanted and not closed:
                np.dot(plain, move, slope_s)
                for i in range(n):
                    slope_s[i] = slope_of(kind, arguments[t, i] + scale * slope_s[i])
                dot(P_f, across, Y)
                dot(B, Y, BY)
                if between:
                    _add_cross(across, scale, leak, slopes[t], slope_s, noise, factors[t, 1], N, AN, P_f, Y, BP, BY, work, cross_cov)
                else:
                    _column_sums(BP, P_f, drop)
                    _add_rows(across, scale, leak, slopes[t], slope_s, Q, factors[t, 1], N, AN, P_f, Y, BY, drop, sums, rows_cov)
        else:
            B[:] = N
        if states_wanted:
            if moved:
                _symmetric_product(P_f, BP, side, corner, Y)
            else:
                Y[:] = 0.0
            _add_states(y[t], P_f, Y, 1.0 / factors[t, 0], sum_cov)
        _reverse_update(readout, gain[t], weight[t], inverse[t], K, Nk, half, B, r, N)
