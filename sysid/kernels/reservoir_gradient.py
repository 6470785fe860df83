"""The exact gradient of the reservoir filter's log-likelihood: one reverse pass over `reservoir_filter`."""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, kernel, mat, out_mat, out_vec, real, vec
from .matrices import dot, t_dot
from .reservoir_filter import inner


@helper
def _condition(P, C, gain, G, P_f):
    """G = C P and P_f = P - gain G."""
    for a in range(G.shape[0]):
        dot(P, C[a], G[a])
    for i in range(P.shape[0]):
        for j in range(P.shape[0]):
            P_f[i, j] = P[i, j]
        for a in range(G.shape[0]):
            for j in range(P.shape[0]):
                P_f[i, j] -= gain[i, a] * G[a, j]


@helper
def _reverse_propagation(leak, M, Z, side, bar_Pf):
    """bar_Pf = diag(1 - leak) Z + M'side, mirrored from the lower triangle."""
    t_dot(M, side, bar_Pf)
    for i in range(leak.size):
        for j in range(i + 1):
            bar_Pf[i, j] += (1.0 - leak[i]) * Z[i, j]
            bar_Pf[j, i] = bar_Pf[i, j]


@helper
def _fill(source, target):
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@helper
def _own_feedback(y, W_fb, feedback_gain, C, M):
    """Add the feedback of unmeasured outputs to M and tell whether there is any."""
    closed = False
    for j in range(W_fb.shape[1]):
        if np.isnan(y[j]):
            closed = True
            for i in range(M.shape[0]):
                for k in range(M.shape[0]):
                    M[i, k] += feedback_gain * W_fb[i, j] * C[j, k]
    return closed


@helper
def _reverse_own_feedback(y, W_fb, feedback_gain, R, factor, leak, slope, bar_P, g_leak, bar_slope, g_R, g_scales):
    """Adjoint of the noise term leak D F R F' D leak that unmeasured outputs add to Q."""
    n, p = W_fb.shape
    for j in range(p):
        if not np.isnan(y[j]):
            continue
        for l in range(p):
            if not np.isnan(y[l]):
                continue
            total = 0.0
            for i in range(n):
                s = 0.0
                for k in range(n):
                    s += bar_P[i, k] * leak[k] * slope[k] * W_fb[k, l]
                s *= feedback_gain * feedback_gain * W_fb[i, j]
                total += leak[i] * slope[i] * s
                g_leak[i] += 2.0 * factor * R[j, l] * slope[i] * s
                bar_slope[i] += 2.0 * factor * R[j, l] * leak[i] * s
            g_R[j, l] += factor * total
            g_scales[1] += 2.0 * factor * R[j, l] * total / feedback_gain


@helper
def _reverse_feedback_matrix(y, W_fb, feedback_gain, C, d, bar_M, bar_xi, g_C, g_d, g_scales):
    """Adjoint of M += F C and xi += F d over the unmeasured outputs."""
    n = bar_xi.size
    for j in range(W_fb.shape[1]):
        if np.isnan(y[j]):
            for i in range(n):
                f = W_fb[i, j]
                g_d[j] += feedback_gain * f * bar_xi[i]
                g_scales[1] += f * d[j] * bar_xi[i]
                for k in range(n):
                    g_C[j, k] += feedback_gain * f * bar_M[i, k]
                    g_scales[1] += f * C[j, k] * bar_M[i, k]


@helper
def _reverse_update(C, factor, m, P, G, K, gain, weight, inverse, bar_mf, bar_Pf, half, bar_G, bar_S, bar_e, PG,
                    g_C, g_d, g_R, bar_m, bar_P):
    """Adjoint of m_f = m + G S^-1 e, P_f = P - G S^-1 G' and log N(e; 0, S), with G = P C'."""
    n, p = gain.shape
    for a in range(p):
        for k in range(n):
            K[a, k] = gain[k, a]
        bar_e[a] = inner(K[a], bar_mf)
        dot(bar_Pf, K[a], half[a])
    for a in range(p):
        for b in range(p):
            s = 0.5 * (weight[a] * weight[b] - inverse[a, b] - bar_e[a] * weight[b] - weight[a] * bar_e[b])
            s += inner(K[a], half[b])
            bar_S[a, b] = s
            g_R[a, b] += factor * s
    for a in range(p):
        for k in range(n):
            s = bar_mf[k] * weight[a] - 2.0 * half[a, k]
            for b in range(p):
                s += C[b, k] * bar_S[b, a]
                g_C[a, k] += bar_S[a, b] * G[b, k]
            bar_G[a, k] = s
        dot(P, bar_G[a], PG)
        for k in range(n):
            g_C[a, k] += PG[k]
    for a in range(p):
        bar_e[a] -= weight[a]
        g_d[a] -= bar_e[a]
        for k in range(n):
            g_C[a, k] -= bar_e[a] * m[k]
    for k in range(n):
        bar_m[k] = bar_mf[k]
        for a in range(p):
            bar_m[k] -= C[a, k] * bar_e[a]
        for l in range(k + 1):
            bar_P[k, l] = bar_Pf[k, l]
        for a in range(p):
            for l in range(k + 1):
                bar_P[k, l] += 0.5 * (bar_G[a, k] * C[a, l] + bar_G[a, l] * C[a, k])
        for l in range(k):
            bar_P[l, k] = bar_P[k, l]


@kernel(mat, cube, mat, mat, vec, real, real, mat, vec, mat, mat, mat, cube, mat, mat, mat, mat, mat, mat, mat, cube, mat, cube,
        out_vec, out_mat, out_vec, out_vec, out_vec, out_mat, out_vec, out_mat, out_mat)
def reservoir_gradient(y, drive, W, W_fb, leak, scale, feedback_gain, C, d, R, factors,
                       means, covs, filtered, values, slopes, curves, value_bends, slope_bends, variances, gain, weight, inverse,
                       bar_m, bar_P, g_scales, g_gains, g_leak, g_C, g_d, g_R, g_Q):
    """Add the gradient of the log-likelihood of one stretch to the g_ arrays, from its last step to its first.

    Inputs as in `reservoir_filter`, and what it left: covs (T, n, n) at every step; values, slopes, curves (T, n) are
    s, s', s'' at its arguments, or averages, whose derivatives in the argument's `variances` are value_bends and slope_bends, (T, n)
    each or empty. bar_m (n,), bar_P (n, n): adjoints of the step after the last one in (zero at the
    end of a sequence) and of the first one out. g_scales (2,): scale and feedback_gain. O(T n^3): six n^3
    multiplications a step against the filter's four.
    """
    T, p = y.shape
    n = leak.size
    M, A, P, P_f = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    Z, bar_A, bar_Pf, side = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    averaged = value_bends.shape[0] > 0
    bar_mf, bar_xi, bar_slope = np.empty(n), np.empty(n), np.empty(n)
    G, K, half, bar_G = np.empty((p, n)), np.empty((p, n)), np.empty((p, n)), np.empty((p, n))
    bar_S, bar_e, PG, readout, plain = np.empty((p, p)), np.empty(p), np.empty(n), C.copy(), W.copy()
    for t in range(T - 1, -1, -1):
        slope = slopes[t]
        _fill(covs[t], P)
        _condition(P, readout, gain[t], G, P_f)
        for i in range(n):
            for j in range(n):
                M[i, j] = scale * plain[i, j]
        closed = _own_feedback(y[t], W_fb, feedback_gain, C, M)
        for i in range(n):
            for j in range(n):
                A[i, j] = leak[i] * slope[i] * M[i, j]
            A[i, i] += 1.0 - leak[i]
            bar_slope[i] = 0.0
        if closed:
            _reverse_own_feedback(y[t], W_fb, feedback_gain, R, factors[t, 0], leak, slope, bar_P, g_leak, bar_slope, g_R,
                                  g_scales)
        dot(bar_P, A, Z)
        dot(Z, P_f, bar_A)                  # half the adjoint of A
        if averaged and closed:
            dot(M, P_f, side)
        for i in range(n):
            through = 2.0 * inner(bar_A[i], M[i])
            bar_slope[i] += leak[i] * through
            g_leak[i] += bar_m[i] * (values[t, i] - filtered[t, i]) - 2.0 * bar_A[i, i] + slope[i] * through
            for j in range(n):
                g_Q[i, j] += factors[t, 1] * bar_P[i, j]
            bar_xi[i] = bar_m[i] * leak[i] * slope[i] + bar_slope[i] * curves[t, i]
            for k in range(g_gains.size):
                g_gains[k] += bar_xi[i] * drive[k, t, i]
            bar_mf[i] = (1.0 - leak[i]) * bar_m[i]
            bar_v = leak[i] * bar_m[i] * value_bends[t, i] + bar_slope[i] * slope_bends[t, i] if averaged else 0.0
            for j in range(n):
                # from here the adjoint of M
                bar_A[i, j] = 2.0 * leak[i] * slope[i] * bar_A[i, j] + bar_xi[i] * filtered[t, j]
                if averaged and closed:
                    bar_A[i, j] += 2.0 * bar_v * side[i, j]
                side[i, j] = leak[i] * slope[i] * Z[i, j] + bar_v * M[i, j]
            g_scales[0] += inner(bar_A[i], plain[i])
            if averaged and not closed:
                g_scales[0] += 2.0 * bar_v * variances[t, i] / scale        # M P_f M' has the argument's variances on its diagonal
        _reverse_propagation(leak, M, Z, side, bar_Pf)
        for i in range(n):
            for j in range(n):
                bar_mf[j] += M[i, j] * bar_xi[i]
        if closed:
            _reverse_feedback_matrix(y[t], W_fb, feedback_gain, C, d, bar_A, bar_xi, g_C, g_d, g_scales)
        _reverse_update(readout, factors[t, 0], means[t], P, G, K, gain[t], weight[t], inverse[t], bar_mf, bar_Pf, half, bar_G, bar_S,
                        bar_e, PG, g_C, g_d, g_R, bar_m, bar_P)
