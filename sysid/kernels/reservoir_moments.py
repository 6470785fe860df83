"""Smoothed moments of a reservoir, summed as an EM step needs them and never stored.

Disturbance smoothing [de Jong 1989]: with A of step t, r and N of the step after it and B = A'N A,

    x(t|T) = x(t|t) + P(t|t) A'r,        P(t|T) = P(t|t) - P(t|t) B P(t|t)
    Cov(w[t]|T) = Q - Q N Q,             Cov(w[t], x[t]|T) = -Q N A P(t|t)
    r <- C'S^-1 e + (I - K C)'A'r,       N <- C'S^-1 C + (I - K C)'B (I - K C)

N is carried as a factor, N = V'V: each measured output adds a row to V and contractions shrink the old ones, so that few rows
hold all of it to rounding where outputs are few and memory fades. With U = V A, G = U P(t|t) and H = G M', M the recurrent
matrix, B = U'U and everything the M-step needs of N is a sum over those rows: diagonals of N A P(t|t) from V and G, of
P(t|t) B P(t|t) from G, of products with M from H. r goes along as one more row. The filter left the diagonals without N.
A Q that correlates units needs these between rows too, and then P(t|t) M' and M P(t|t) M' in full.
"""
from __future__ import annotations

import numpy as np

from ._jit import cube, flag, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec
from .activations import slope_of
from .matrices import dot, dot_t, t_dot
from .rank_revealing import recompress


@helper
def _drop(P, C, y, inverse, L, CP, R):
    """R (p, n) with P_f = P - R'R, from R = L'C P and inverse = L L' on the measured entries of y, zero columns elsewhere."""
    p = y.size
    for j in range(p):
        for i in range(p):
            L[i, j] = 0.0
        if np.isnan(y[j]):
            continue
        for i in range(j, p):
            s = inverse[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[j, j] = np.sqrt(max(s, 0.0))
            elif L[j, j] > 0.0:
                L[i, j] = s / L[j, j]
    dot(C, P, CP)
    t_dot(L, CP, R)


@helper
def _through_transition(y, M, W_fb, feedback_gain, C, keep, g, V, side, U):
    """U = V A, A = diag(keep) + diag(g) (M + feedback of unmeasured outputs); tell whether there is any."""
    w, n = V.shape
    for c in range(w):
        for i in range(n):
            side[c, i] = V[c, i] * g[i]
    dot(side, M, U)
    for c in range(w):
        for i in range(n):
            U[c, i] += V[c, i] * keep[i]
    closed = False
    for b in range(W_fb.shape[1]):
        if np.isnan(y[b]):
            closed = True
            for c in range(w):
                through = 0.0
                for i in range(n):
                    through += side[c, i] * W_fb[i, b]
                for i in range(n):
                    U[c, i] += feedback_gain * through * C[b, i]
    return closed


@helper
def _less(V, coefficients, rows):
    """V -= coefficients rows, with few rows."""
    for c in range(V.shape[0]):
        for a in range(rows.shape[0]):
            v = coefficients[c, a]
            for i in range(V.shape[1]):
                V[c, i] -= v * rows[a, i]


@helper
def _add_rows(leak, scale, slope_f, slope_s, Q, factor, spread, V, G, H, sums, rows_cov):
    """Add the row-wise covariances ww, wx, wz, xx, xz, zz over factor, with z = s'(xi) W x.

    The filter linearised at x(t|t), the M-step does at x(t|T): w moves by leak (slope_f - slope_s) M x.
    """
    sums[:] = 0.0
    for c in range(V.shape[0]):
        for i in range(leak.size):
            sums[0, i] += V[c, i] * V[c, i]     # N, diagonal
            sums[1, i] += V[c, i] * G[c, i]     # N A P_f
            sums[2, i] += V[c, i] * H[c, i]     # N A P_f M'
            sums[3, i] += G[c, i] * G[c, i]     # P_f B P_f
            sums[4, i] += G[c, i] * H[c, i]     # P_f B P_f M'
            sums[5, i] += H[c, i] * H[c, i]     # M P_f B P_f M'
    weight = 1.0 / factor
    for i in range(leak.size):
        q = factor * Q[i, i]
        wz, xz, zz = -q * sums[2, i], spread[1, i] - sums[4, i], spread[2, i] - sums[5, i]
        shift, slope = leak[i] * (slope_f[i] - slope_s[i]), slope_s[i] / scale
        rows_cov[i, 0] += weight * (q - q * sums[0, i] * q + 2.0 * shift * wz + shift * shift * zz)
        rows_cov[i, 1] += weight * (shift * xz - q * sums[1, i])
        rows_cov[i, 2] += weight * slope * (wz + shift * zz)
        rows_cov[i, 3] += weight * (spread[0, i] - sums[3, i])
        rows_cov[i, 4] += weight * slope * xz
        rows_cov[i, 5] += weight * slope * slope * zz


@helper
def _add_cross(M, leak, scale, slope_f, slope_s, Q, factor, P_f, V, G, H, QV, work, cross):
    """Add what `_add_rows` does between all rows: the covariance (3n, 3n) of (w, x, z) over factor, its upper blocks alone."""
    n, weight = leak.size, 1.0 / factor
    xx, xz, zz, wx, wz, ww, part = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    dot_t(P_f, M, xz)
    dot(M, xz, zz)
    t_dot(G, G, xx)
    t_dot(G, H, part)
    for i in range(n):
        for j in range(n):
            xx[i, j] = P_f[i, j] - xx[i, j]
            xz[i, j] -= part[i, j]
    t_dot(H, H, part)
    dot(V, Q, QV)
    t_dot(QV, G, wx)
    t_dot(QV, H, wz)
    t_dot(QV, QV, ww)
    for i in range(n):
        for j in range(n):
            zz[i, j] -= part[i, j]
    for i in range(n):
        shift, slope = leak[i] * (slope_f[i] - slope_s[i]), slope_s[i] / scale
        for j in range(n):
            other, turned = leak[j] * (slope_f[j] - slope_s[j]), slope_s[j] / scale
            own = factor * Q[i, j] - factor * factor * ww[i, j] - factor * (wz[i, j] * other + shift * wz[j, i])
            cross[i, j] += weight * (own + shift * zz[i, j] * other)
            cross[i, n + j] += weight * (shift * xz[j, i] - factor * wx[i, j])
            cross[i, 2 * n + j] += weight * (shift * zz[i, j] - factor * wz[i, j]) * turned
            cross[n + i, n + j] += weight * xx[i, j]
            cross[n + i, 2 * n + j] += weight * xz[i, j] * turned
            cross[2 * n + i, 2 * n + j] += weight * slope * zz[i, j] * turned


@helper
def _settle(rows, work, total):
    """total -= rows'rows."""
    t_dot(rows, rows, work)
    for i in range(work.shape[0]):
        for j in range(work.shape[0]):
            total[i, j] -= work[i, j]


@helper
def _add_states(y, P, weight, rows, work, complete, sum_cov):
    """Add weight (P - rows'rows) for every measured output; where all are, weight P alone to `complete`: then the rows are due."""
    n, seen = P.shape[0], 0
    for a in range(y.size):
        seen += not np.isnan(y[a])
    if seen == y.size:
        for i in range(n):
            for j in range(n):
                complete[i, j] += weight * P[i, j]
        if weight != 1.0:
            for c in range(rows.shape[0]):
                for i in range(n):
                    rows[c, i] *= np.sqrt(weight)
        return True
    if seen:
        t_dot(rows, rows, work)
    for a in range(y.size):
        if not np.isnan(y[a]):
            for i in range(n):
                for j in range(n):
                    sum_cov[a, i, j] += weight * (P[i, j] - work[i, j])
    return False


@helper
def _reverse_update(y, C, weight, L, U, UR, UK, V):
    """V = U (I - K C), K = R'L', and a row of L'C for each measured output; weight'C to the first row, r. Return the number of rows."""
    w, n = U.shape
    dot_t(UR, L, UK)
    for c in range(w):
        for i in range(n):
            V[c, i] = U[c, i]
    _less(V[:w], UK, C)
    for a in range(y.size):
        if not np.isnan(y[a]):
            for i in range(n):
                V[0, i] += weight[a] * C[a, i]
                V[w, i] = 0.0
            for b in range(a, y.size):
                for i in range(n):
                    V[w, i] += L[b, a] * C[b, i]
            w += 1
    return w


@kernel(integer, mat, mat, mat, vec, real, real, mat, mat, mat, cube, mat, mat, mat, mat, cube, cube, flag, flag,
        out_vec, out_mat, out_mat, out_mat, out_mat, out_cube)
def reservoir_moments(kind, y, W, W_fb, leak, scale, feedback_gain, C, Q, factors, covs, filtered, arguments, slopes, weight,
                      inverse, spread, last, rows_wanted, r, root, smoothed, rows_cov, cross_cov, sum_cov):
    """Smooth one stretch from its last step to its first, adding its sums to rows_cov or cross_cov, and sum_cov.

    Inputs as in `reservoir_filter`, and what it left, with covs (T, n, n) at every step; `last`: the stretch ends its
    sequence, so no transition leaves its last step. r (n,) and root (n, n), N = root'root, come from the stretch after it and are
    left for the one before. smoothed (T, n) = x(t|T); rows_cov (n, 6) see `_add_rows`, over transitions that feed no
    unmeasured output back, where wanted, or where it is not empty cross_cov (3n, 3n), see `_add_cross`; sum_cov (p, n, n): sums of
    P(t|T) where output j is measured. Every term is divided by its step's factor on Q, or on R for sum_cov.
    O(T n^2 k) for the k rows of V, at most n + 9 + 3p; O(T n^3) where Q correlates units.
    """
    T, p = y.shape
    n = leak.size
    growth = 8 + 2 * p
    most = n + growth + p + 1
    V, U, H, held = np.empty((most, n)), np.empty((most, n)), np.empty((most, n)), np.empty((4 * most, n))
    P, N, work, complete, free, variances = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.zeros((n, n)), np.empty(n), np.empty(n)
    L, CP, R, UR, UK = np.empty((p, p)), np.empty((p, n)), np.empty((p, n)), np.empty((most, p)), np.empty((most, p))
    slope_s, g, keep, sums = np.empty(n), np.empty(n), 1.0 - leak, np.empty((6, n))
    M, readout, noise, across = scale * W, C.copy(), Q.copy(), scale * W.T.copy()
    between = cross_cov.shape[0] > 0
    pairs, QV = np.empty((7, n, n) if between else (0, 0, 0)), np.empty((most if between else 0, n))
    V[0] = r
    V[1:n + 1] = root
    width, kept, used = n + 1, 0, 0
    for t in range(T - 1, -1, -1):
        P[:] = covs[t]
        for i in range(n):
            variances[i], g[i] = P[i, i], leak[i] * slopes[t, i]
        if width > kept + growth or t == T - 1:
            width = kept = 1 + recompress(V[1:], width - 1, variances, N, free)
        if used + width + p > held.shape[0]:
            _settle(held[:used], work, complete)
            used = 0
        U_t, G, H_t, UR_t = U[:width], held[used:used + width], H[:width], UR[:width]
        closed = _through_transition(y[t], M, W_fb, feedback_gain, readout, keep, g, V[:width], H_t, U_t)
        _drop(P, readout, y[t], inverse[t], L, CP, R)
        dot(U_t, P, G)
        dot_t(U_t, R, UR_t)
        _less(G, UR_t, R)
        for i in range(n):
            smoothed[t, i] = filtered[t, i] + G[0, i]
        if rows_wanted and not closed and not (last and t == T - 1):
            dot(G, across, H_t)
            for i in range(n):
                slope_s[i] = slope_of(kind, arguments[t, i] + H[0, i])
            if between:
                t_dot(R, R, N)
                for i in range(n):
                    for j in range(n):
                        N[i, j] = P[i, j] - N[i, j]
                _add_cross(M, leak, scale, slopes[t], slope_s, noise, factors[t, 1], N, V[1:width], G[1:], H[1:width], QV[1:width],
                           pairs, cross_cov)
            else:
                _add_rows(leak, scale, slopes[t], slope_s, Q, factors[t, 1], spread[t], V[1:width], G[1:], H[1:width], sums, rows_cov)
        G[0] = 0.0
        held[used + width:used + width + p] = R
        if _add_states(y[t], P, 1.0 / factors[t, 0], held[used:used + width + p], work, complete, sum_cov):
            used += width + p
        width = _reverse_update(y[t], readout, weight[t], L, U_t, UR_t, UK[:width], V)
    _settle(held[:used], work, complete)
    for a in range(p):
        sum_cov[a] += complete
    r[:] = V[0]
    width = recompress(V[1:], width - 1, variances, N, free)
    root[:] = 0.0
    root[:width] = V[1:width + 1]
