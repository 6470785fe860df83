"""The extended Kalman filter of a leaky reservoir with covariances kept on r directions.

    P(t|t-1) ~ V Z[t] V' + P_open,   T V = I,  T P_open = 0
    Z[t+1]   = F[t] (Z[t] - G S^-1 G') F[t]' + T Q T',     F[t] = T A[t] V,   G = Z H',   H = C V
    S        = H Z H' + C P_open C' + R,                   gain = (V G + P_open C') S^-1

The mean runs in all n states through the nonlinear map, so that a step costs O(n^2 + n r^2) instead of O(n^3).
Outputs fed back must be measured; NaN in y is missing, entry by entry. T is `rows`, its transpose `dual` (n, r).
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec

LOG_2PI = float(np.log(2 * np.pi))


@helper
def _activate(kind, xi, h, slope):
    """s(xi) and s'(xi): 0 identity, 1 tanh, 2 relu, 3 sigmoid."""
    for i in range(xi.size):
        if kind == 1:
            h[i] = np.tanh(xi[i])
            slope[i] = 1.0 - h[i] * h[i]
        elif kind == 2:
            slope[i] = 1.0 if xi[i] > 0.0 else 0.0
            h[i] = slope[i] * xi[i]
        elif kind == 3:
            h[i] = 0.5 * (1.0 + np.tanh(0.5 * xi[i]))
            slope[i] = h[i] * (1.0 - h[i])
        else:
            h[i], slope[i] = xi[i], 1.0


@helper
def _dot(A, B, out):
    np.dot(A, B, out)


@helper
def _t_dot(A, B, out):
    np.dot(A.T, B, out)


@helper
def _dot_t(A, B, out):
    np.dot(A, B.T, out)


@helper
def _symmetric(A):
    for i in range(A.shape[0]):
        for j in range(i):
            A[j, i] = 0.5 * (A[i, j] + A[j, i])
            A[i, j] = A[j, i]


@helper
def _invert(S, y, L, inverse):
    """inverse = S^-1 on the measured rows, zero elsewhere; return log det, NaN where S is not definite."""
    p = y.size
    log_det = 0.0
    for i in range(p):
        for j in range(p):
            inverse[i, j] = 0.0
            L[i, j] = S[i, j] if not (np.isnan(y[i]) or np.isnan(y[j])) else (1.0 if i == j else 0.0)
    for j in range(p):
        for i in range(j, p):
            s = L[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                if not s > 0.0:
                    return np.nan
                L[j, j] = np.sqrt(s)
                log_det += np.log(s)
            else:
                L[i, j] = s / L[j, j]
    for c in range(p):
        if np.isnan(y[c]):
            continue
        for i in range(p):
            s = 1.0 if i == c else 0.0
            for k in range(i):
                s -= L[i, k] * inverse[k, c]
            inverse[i, c] = s / L[i, i]
        for i in range(p - 1, -1, -1):
            s = inverse[i, c]
            for k in range(i + 1, p):
                s -= L[k, i] * inverse[k, c]
            inverse[i, c] = s / L[i, i]
    return log_det


@helper
def _transition(leak, slope, F0, dual, WV, Y, F):
    """F = F0 + T diag(leak slope) scale W V, with WV scaled already and Y as workspace."""
    for i in range(Y.shape[0]):
        g = leak[i] * slope[i]
        for a in range(Y.shape[1]):
            Y[i, a] = g * WV[i, a]
    _t_dot(dual, Y, F)
    for a in range(F.shape[0]):
        for b in range(F.shape[1]):
            F[a, b] += F0[a, b]


@helper
def _condition(Z, H, inverse, G, K, Zf):
    """G = Z H', K = G S^-1, Zf = Z - K G'."""
    _dot_t(Z, H, G)
    _dot(G, inverse, K)
    _dot_t(K, G, Zf)
    for a in range(Z.shape[0]):
        for b in range(Z.shape[0]):
            Zf[a, b] = Z[a, b] - Zf[a, b]
    _symmetric(Zf)


@kernel(integer, mat, cube, mat, vec, real, vec, mat, vec, mat, vec, mat, mat, mat, mat, mat, mat, mat,
        out_vec, out_mat, out_cube, out_mat, out_mat, out_cube, out_mat, out_cube)
def reduced_filter(kind, y, drive, W, leak, scale, gains, C, d, R, m0, Z0, dual, V, WV, noise, open_output, open_gain,
                   log_density, means, covs, filtered, arguments, gain, weight, inverse):
    """Run the filter over one sequence and return its log-likelihood, NaN where an innovation covariance breaks down.

    As `reservoir_filter`, with Z0 (r, r), dual = T' (n, r), V (n, r), WV = W V (n, r), noise = T Q T' (r, r),
    open_output = C P_open C' (p, p), open_gain = P_open C' (n, p). Out: covs (T, r, r) = Z at every step.
    """
    T, p = y.shape
    n, r = V.shape
    m, Z, Zf, F, FZ = m0.copy(), Z0.copy(), np.empty((r, r)), np.empty((r, r)), np.empty((r, r))
    Y, H, G, K = np.empty((n, r)), np.empty((p, r)), np.empty((r, p)), np.empty((r, p))
    S, L, e = np.empty((p, p)), np.empty((p, p)), np.empty(p)
    h, slope, Wx, F0 = np.empty(n), np.empty(n), np.empty(n), np.empty((r, r))
    plain, readout, basis, dual_, WVs = W.copy(), C.copy(), V.copy(), dual.copy(), scale * WV
    _dot(readout, basis, H)
    _transition(1.0 - leak, np.ones(n), np.zeros((r, r)), dual_, basis, Y, F0)
    total = 0.0
    for t in range(T):
        covs[t] = Z
        means[t] = m
        _dot_t(Z, H, G)
        _dot(H, G, S)
        S += R
        S += open_output
        log_det = _invert(S, y[t], L, inverse[t])
        _condition(Z, H, inverse[t], G, K, Zf)
        quadratic, measured = 0.0, 0
        for a in range(p):
            e[a] = 0.0
            if not np.isnan(y[t, a]):
                measured += 1
                e[a] = y[t, a] - d[a] - np.dot(readout[a], m)
        for a in range(p):
            weight[t, a] = 0.0
            for b in range(p):
                weight[t, a] += inverse[t, a, b] * e[b]
            quadratic += weight[t, a] * e[a]
        log_density[t] = -0.5 * (log_det + quadratic + measured * LOG_2PI)
        total += log_density[t]
        if np.isnan(total):
            return total
        _dot(basis, K, gain[t])
        for i in range(n):
            for a in range(p):
                for b in range(p):
                    gain[t, i, a] += open_gain[i, b] * inverse[t, b, a]
            filtered[t, i] = m[i]
            for a in range(p):
                filtered[t, i] += gain[t, i, a] * e[a]
        np.dot(plain, filtered[t], Wx)
        for i in range(n):
            s = scale * Wx[i]
            for k in range(gains.size):
                s += gains[k] * drive[k, t, i]
            arguments[t, i] = s
        _activate(kind, arguments[t], h, slope)
        for i in range(n):
            m[i] = (1.0 - leak[i]) * filtered[t, i] + leak[i] * h[i]
        _transition(leak, slope, F0, dual_, WVs, Y, F)
        _dot(F, Zf, FZ)
        _dot_t(FZ, F, Z)
        Z += noise
        _symmetric(Z)
    return total
