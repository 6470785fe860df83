"""The two backward passes over `reduced_filter`: smoothed moments for an EM step, and the exact gradient.

Covariances live on r directions, P ~ V Z V' + P_open with T V = I and T P_open = 0; adjoints of the mean in all n states.
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec
from .activations import activate
from .matrices import dot, symmetrise, t_dot
from .reduced_steps import condition, transition


@helper
def _reverse_moments(H, K, inverse, N, NK, HK):
    """N before the measurement: H'(S^-1 + K'N K) H + N - H'K'N - N K H."""
    dot(N, K, NK)
    inner = inverse + np.dot(K.T, NK)
    dot(NK, H, HK)
    back = np.dot(H.T, np.dot(inner, H))
    for a in range(N.shape[0]):
        for b in range(N.shape[0]):
            N[a, b] += back[a, b] - HK[a, b] - HK[b, a]
    symmetrise(N)


@helper
def _add_rows(leak, scale, slope_f, slope_s, q, V, WV, WVZ, TNZ, open_rows, rows_cov):
    """Add the row-wise covariances ww, wx, wz, xz, zz with z = s'(xi) W x, as `reservoir_moments` does; xx and N come outside.

    WVZ = W V Z(t|T), TNZ = T'N F Z(t|t), both (n, r).
    """
    for i in range(leak.size):
        wx, wz, xz, zz = 0.0, 0.0, open_rows[i, 0], open_rows[i, 1]
        for a in range(V.shape[1]):
            wx -= TNZ[i, a] * V[i, a]
            wz -= TNZ[i, a] * WV[i, a]
            xz += WVZ[i, a] * V[i, a]
            zz += WVZ[i, a] * WV[i, a]
        wz *= q[i]
        shift = leak[i] * scale * (slope_f[i] - slope_s[i])
        rows_cov[i, 0] += q[i] + 2.0 * shift * wz + shift * shift * zz
        rows_cov[i, 1] += shift * xz + q[i] * wx
        rows_cov[i, 2] += slope_s[i] * (wz + shift * zz)
        rows_cov[i, 4] += slope_s[i] * xz
        rows_cov[i, 5] += slope_s[i] * slope_s[i] * zz


@kernel(integer, mat, mat, vec, real, mat, vec, mat, mat, mat, mat, cube, mat, mat, mat, cube, mat, cube,
        out_mat, out_mat, out_cube, out_cube)
def reduced_moments(kind, y, W, leak, scale, C, q, dual, V, WV, open_rows, covs, filtered, arguments, slopes, gain, weight,
                    inverse, smoothed, rows_cov, sum_cov, sum_moves):
    """Smooth one sequence from its last step to its first and add its sums, as `reservoir_moments` does.

    open_rows (n, 2): diagonals of W P_open and W P_open W'. sum_cov (p, r, r): sums of Z(t|T) where output j is
    measured; sum_moves (2, r, r): sums over transitions of Z(t|T) and of N[t+1], which give xx and ww outside.
    """
    T, p = y.shape
    n, r = V.shape
    plain, readout, basis, dual_, WV_ = W.copy(), C.copy(), V.copy(), dual.copy(), WV.copy()
    WVs, Zf, F, FZ, NF = scale * WV_, np.empty((r, r)), np.empty((r, r)), np.empty((r, r)), np.empty((r, r))
    Y, X, B1, B2, F0 = np.empty((n, r)), np.empty((n, r)), np.empty((n, r)), np.empty((n, r)), np.empty((r, r))
    H, G, K, NK = np.empty((p, r)), np.empty((r, p)), np.empty((r, p)), np.empty((r, p))
    Zs, HK, N, adjoint, back = np.empty((r, r)), np.empty((r, r)), np.zeros((r, r)), np.zeros(n), np.zeros(n)
    xi, h, slope_s = np.empty(n), np.empty(n), np.empty(n)
    dot(readout, basis, H)
    transition(1.0 - leak, np.ones(n), np.zeros((r, r)), dual_, basis, Y, F0)
    for t in range(T - 1, -1, -1):
        condition(covs[t].copy(), H, inverse[t].copy(), G, K, Zf)
        Zs[:] = Zf
        smoothed[t] = filtered[t]
        if t < T - 1:
            transition(leak, slopes[t], F0, dual_, WVs, Y, F)
            dot(F, Zf, FZ)
            dot(N, FZ, NF)
            t_dot(FZ, NF, Zs)
            for a in range(r):
                for b in range(r):
                    Zs[a, b] = Zf[a, b] - Zs[a, b]
            for i in range(n):
                back[i] = leak[i] * slopes[t, i] * adjoint[i]
                for a in range(r):
                    X[i, a] = (1.0 - leak[i]) * basis[i, a] + Y[i, a]
            move = np.dot(Zf, np.dot(X.T, adjoint))
            smoothed[t] += np.dot(basis, move)
            xi[:] = arguments[t] + np.dot(WVs, move)
            activate(kind, xi, h, slope_s)
            dot(WV_, Zs, B1)
            dot(dual_, NF, B2)
            _add_rows(leak, scale, slopes[t], slope_s, q, basis, WV_, B1, B2, open_rows, rows_cov)
            sum_moves[0] += Zs
            sum_moves[1] += N
            dot(N, F, NF)
            t_dot(F, NF, N)
            adjoint[:] = (1.0 - leak) * adjoint + scale * np.dot(plain.T, back)
        for a in range(p):
            if not np.isnan(y[t, a]):
                sum_cov[a] += Zs
        _reverse_moments(H, K, inverse[t].copy(), N, NK, HK)
        for a in range(p):
            s = weight[t, a]
            for i in range(n):
                s -= gain[t, i, a] * adjoint[i]
            G[0, a] = s
        for a in range(p):
            for i in range(n):
                adjoint[i] += readout[a, i] * G[0, a]


@helper
def _reverse_condition(Z, H, basis, C, m, gain, weight, inverse, K, bar_mf, bar_Zf, bar_Z, g_C, g_d, g_R, g_open, bar_m):
    """Adjoint of conditioning on one measurement and of its log density."""
    G = np.dot(Z, H.T)
    K[:] = np.dot(G, inverse)
    u = np.dot(gain.T, bar_mf)                                   # adjoint of the innovation through the mean
    bar_S = np.dot(K.T, np.dot(bar_Zf, K))
    p = weight.size
    for a in range(p):
        for b in range(p):
            bar_S[a, b] += 0.5 * (weight[a] * weight[b] - inverse[a, b] - u[a] * weight[b] - weight[a] * u[b])
    side = np.dot(basis.T, bar_mf)
    bar_G = np.dot(H.T, bar_S) - 2.0 * np.dot(bar_Zf, K)
    for k in range(side.size):
        for a in range(p):
            bar_G[k, a] += side[k] * weight[a]
    g_R += bar_S
    bar_H = np.dot(bar_S, G.T) + np.dot(bar_G.T, Z)
    g_C += np.dot(bar_H, basis.T)
    bar_Z[:] = bar_Zf + np.dot(bar_G, H)
    symmetrise(bar_Z)
    bar_m[:] = bar_mf
    for a in range(p):
        bar_e = u[a] - weight[a]
        g_d[a] -= bar_e
        for i in range(m.size):
            g_C[a, i] -= bar_e * m[i]
            bar_m[i] -= C[a, i] * bar_e
            g_open[i, a] += bar_mf[i] * weight[a]


@kernel(mat, cube, mat, vec, real, mat, mat, mat, mat, mat, cube, mat, mat, mat, mat, cube, mat, cube,
        out_vec, out_mat, out_vec, out_vec, out_vec, out_mat, out_vec, out_mat, out_mat, out_mat)
def reduced_gradient(y, drive, W, leak, scale, C, dual, V, WV, means, covs, filtered, values, slopes, curves,
                     gain, weight, inverse, bar_m, bar_Z, g_scale, g_gains, g_leak, g_C, g_d, g_R, g_noise,
                     g_open):
    """Add the gradient of one sequence's log-likelihood to the g_ arrays, T, V and P_open held.

    As `reservoir_gradient`; g_scale (1,), g_noise (r, r) with respect to T Q T',
    g_open (n, p) with respect to P_open C', bar_Z (r, r) of the first step. O(T (n^2 + n r^2)).
    """
    T = y.shape[0]
    n, r = V.shape
    p = C.shape[0]
    plain, readout, basis, dual_, WV_ = W.copy(), C.copy(), V.copy(), dual.copy(), WV.copy()
    WVs, Zf, F, Y, F0 = scale * WV_, np.empty((r, r)), np.empty((r, r)), np.empty((n, r)), np.empty((r, r))
    H, G, K = np.empty((p, r)), np.empty((r, p)), np.empty((r, p))
    BF, B, bar_F, bar_Zf = np.empty((r, r)), np.empty((n, r)), np.empty((r, r)), np.empty((r, r))
    bar_mf, bar_xi, Wx = np.empty(n), np.empty(n), np.empty(n)
    dot(readout, basis, H)
    transition(1.0 - leak, np.ones(n), np.zeros((r, r)), dual_, basis, Y, F0)
    for t in range(T - 1, -1, -1):
        Z, inv = covs[t].copy(), inverse[t].copy()
        condition(Z, H, inv, G, K, Zf)
        transition(leak, slopes[t], F0, dual_, WVs, Y, F)
        g_noise += bar_Z
        dot(bar_Z, F, BF)
        dot(BF, Zf, bar_F)
        t_dot(F, BF, bar_Zf)
        symmetrise(bar_Zf)
        dot(dual_, bar_F, B)
        np.dot(plain, filtered[t].copy(), Wx)
        for i in range(n):
            through, held = 0.0, 0.0
            for a in range(r):
                through += 2.0 * B[i, a] * WVs[i, a]
                held += 2.0 * B[i, a] * basis[i, a]
            g_leak[i] += bar_m[i] * (values[t, i] - filtered[t, i]) - held + slopes[t, i] * through
            g_scale[0] += leak[i] * slopes[t, i] * through / scale
            bar_xi[i] = leak[i] * (bar_m[i] * slopes[t, i] + through * curves[t, i])
            g_scale[0] += bar_xi[i] * Wx[i]
            for k in range(g_gains.size):
                g_gains[k] += bar_xi[i] * drive[k, t, i]
        bar_mf[:] = (1.0 - leak) * bar_m + scale * np.dot(plain.T, bar_xi)
        _reverse_condition(Z, H, basis, readout, means[t], gain[t].copy(), weight[t], inv, K, bar_mf, bar_Zf, bar_Z, g_C, g_d,
                           g_R, g_open, bar_m)
