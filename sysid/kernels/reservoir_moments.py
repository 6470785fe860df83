"""Smoothed moments of a reservoir, summed as an EM step needs them and never stored.

Disturbance smoothing [de Jong 1989]: with L = A (I - K C), r and N of the step after t,

    x(t|T) = x(t|t) + P(t|t) A'r,        P(t|T) = P(t|t) - P(t|t) A'N A P(t|t)
    Cov(w[t]|T) = Q - Q N Q,             Cov(w[t], x[t]|T) = -Q N A P(t|t)
    r <- C'S^-1 e + (I - K C)'A'r,       N <- C'S^-1 C + (I - K C)'A'N A (I - K C)
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, flag, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec


@helper
def _slope(kind, xi):
    """s'(xi): 0 identity, 1 tanh, 2 relu, 3 sigmoid."""
    if kind == 1:
        h = np.tanh(xi)
        return 1.0 - h * h
    if kind == 2:
        return 1.0 if xi > 0.0 else 0.0
    if kind == 3:
        h = 0.5 * (1.0 + np.tanh(0.5 * xi))
        return h * (1.0 - h)
    return 1.0


@helper
def _dot(A, B, out):
    np.dot(A, B, out)


@helper
def _t_dot(A, B, out):
    np.dot(A.T, B, out)


@helper
def _smooth_cov(P_f, Z, NZ, V):
    """V = P_f - Z'N Z, mirrored from the lower triangle."""
    _t_dot(Z, NZ, V)
    for i in range(V.shape[0]):
        for j in range(i + 1):
            V[i, j] = P_f[i, j] - V[i, j]
            V[j, i] = V[i, j]


@helper
def _add_rows(W, scale, leak, slope_f, slope_s, q, N, NZ, V, WV, rows_cov):
    """Add the row-wise covariances ww, wx, wz, xx, xz, zz with z = s'(xi) W x.

    The filter linearised at x(t|t), the M-step does at x(t|T): w moves by leak scale (slope_f - slope_s) W x.
    """
    n = leak.size
    for i in range(n):
        wz, zz = 0.0, 0.0
        for j in range(n):
            wz -= NZ[i, j] * W[i, j]
            zz += WV[i, j] * W[i, j]
        wz *= q[i]
        shift = leak[i] * scale * (slope_f[i] - slope_s[i])
        rows_cov[i, 0] += q[i] - q[i] * N[i, i] * q[i] + 2.0 * shift * wz + shift * shift * zz
        rows_cov[i, 1] += shift * WV[i, i] - q[i] * NZ[i, i]
        rows_cov[i, 2] += slope_s[i] * (wz + shift * zz)
        rows_cov[i, 3] += V[i, i]
        rows_cov[i, 4] += slope_s[i] * WV[i, i]
        rows_cov[i, 5] += slope_s[i] * slope_s[i] * zz


@helper
def _filtered_cov(P, C, gain, G, P_f, V):
    """P_f = P - K G' with G = P C', into both P_f and V."""
    n, p = gain.shape
    for a in range(p):
        for k in range(n):
            s = 0.0
            for l in range(n):
                s += P[k, l] * C[a, l]
            G[k, a] = s
    for i in range(n):
        for j in range(n):
            s = P[i, j]
            for a in range(p):
                s -= gain[i, a] * G[j, a]
            P_f[i, j] = s
            V[i, j] = s


@helper
def _recurrent(y, W, W_fb, scale, feedback_gain, C, M):
    """M = scale W with the feedback of unmeasured outputs added; tell whether there is any."""
    closed = False
    for i in range(M.shape[0]):
        for j in range(M.shape[0]):
            M[i, j] = scale * W[i, j]
    for b in range(W_fb.shape[1]):
        if np.isnan(y[b]):
            closed = True
            for i in range(M.shape[0]):
                for j in range(M.shape[0]):
                    M[i, j] += feedback_gain * W_fb[i, b] * C[b, j]
    return closed


@helper
def _reverse_update(C, gain, weight, inverse, Nk, inner, r, N):
    """r and N before the measurement, in place of those after it."""
    n, p = gain.shape
    for i in range(n):
        for a in range(p):
            s = 0.0
            for j in range(n):
                s += N[i, j] * gain[j, a]
            Nk[i, a] = s
    for a in range(p):
        for b in range(p):
            inner[a, b] = inverse[a, b]
            for k in range(n):
                inner[a, b] += gain[k, a] * Nk[k, b]
    for i in range(n):
        for j in range(i + 1):
            s = N[i, j]
            for a in range(p):
                s -= Nk[i, a] * C[a, j] + C[a, i] * Nk[j, a]
                for b in range(p):
                    s += C[a, i] * inner[a, b] * C[b, j]
            N[i, j] = s
            N[j, i] = s
    for a in range(p):
        back = weight[a]
        for k in range(n):
            back -= gain[k, a] * r[k]
        Nk[0, a] = back
    for a in range(p):
        for k in range(n):
            r[k] += C[a, k] * Nk[0, a]


@kernel(integer, mat, mat, mat, vec, real, real, mat, vec, cube, mat, mat, mat, cube, mat, cube, flag, flag,
        out_vec, out_mat, out_mat, out_mat, out_cube, out_mat)
def reservoir_moments(kind, y, W, W_fb, leak, scale, feedback_gain, C, q, covs, filtered, arguments, slopes,
                      gain, weight, inverse, last, rows_wanted, r, N, smoothed, rows_cov, sum_cov, first_cov):
    """Smooth one stretch from its last step to its first, adding its sums to rows_cov and sum_cov.

    Inputs as in `reservoir_filter`, and what it left, with covs (T, n, n) at every step; `last`: the stretch ends its
    sequence, so no transition leaves its last step. r (n,), N (n, n) come from the stretch after it and are left for
    the one before. smoothed (T, n) = x(t|T); rows_cov (n, 6) see `_add_rows`, over transitions that feed no
    unmeasured output back, where wanted; sum_cov (p, n, n): sums of P(t|T) where output j is measured; first_cov
    (n, n) = P(t|T) of the first step. O(T n^3).
    """
    T, p = y.shape
    n = leak.size
    M, A, P_f, Z = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    NZ, V, WV, NA, plain = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    G, Nk, inner, back = np.empty((n, p)), np.empty((n, p)), np.empty((p, p)), np.empty(n)
    for i in range(n):
        for j in range(n):
            plain[i, j] = W[i, j]
    for t in range(T - 1, -1, -1):
        _filtered_cov(covs[t], C, gain[t], G, P_f, V)
        for i in range(n):
            smoothed[t, i] = filtered[t, i]
        if not (last and t == T - 1):
            closed = _recurrent(y[t], W, W_fb, scale, feedback_gain, C, M)
            for i in range(n):
                for j in range(n):
                    A[i, j] = leak[i] * slopes[t, i] * M[i, j]
                A[i, i] += 1.0 - leak[i]
            _dot(A, P_f, Z)
            _dot(N, Z, NZ)
            _smooth_cov(P_f, Z, NZ, V)
            for i in range(n):
                back[i] = 0.0
            for i in range(n):
                for j in range(n):
                    smoothed[t, j] += Z[i, j] * r[i]
                    back[j] += A[i, j] * r[i]
            if rows_wanted and not closed:
                for i in range(n):
                    xi = arguments[t, i]
                    for j in range(n):
                        xi += M[i, j] * (smoothed[t, j] - filtered[t, j])
                    r[i] = _slope(kind, xi)
                _dot(plain, V, WV)
                _add_rows(plain, scale, leak, slopes[t], r, q, N, NZ, V, WV, rows_cov)
            _dot(N, A, NA)
            _t_dot(A, NA, N)
            for i in range(n):
                r[i] = back[i]
        for a in range(p):
            if not np.isnan(y[t, a]):
                for i in range(n):
                    for j in range(n):
                        sum_cov[a, i, j] += V[i, j]
        _reverse_update(C, gain[t], weight[t], inverse[t], Nk, inner, r, N)
    for i in range(n):
        for j in range(n):
            first_cov[i, j] = V[i, j]
