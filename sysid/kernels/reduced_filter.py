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
from .activations import activate
from .matrices import dot, dot_t, symmetrise
from .reduced_steps import condition, transition

LOG_2PI = float(np.log(2 * np.pi))


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
    dot(readout, basis, H)
    transition(1.0 - leak, np.ones(n), np.zeros((r, r)), dual_, basis, Y, F0)
    total = 0.0
    for t in range(T):
        covs[t] = Z
        means[t] = m
        dot_t(Z, H, G)
        dot(H, G, S)
        S += R
        S += open_output
        log_det = _invert(S, y[t], L, inverse[t])
        condition(Z, H, inverse[t], G, K, Zf)
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
        dot(basis, K, gain[t])
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
        activate(kind, arguments[t], h, slope)
        for i in range(n):
            m[i] = (1.0 - leak[i]) * filtered[t, i] + leak[i] * h[i]
        transition(leak, slope, F0, dual_, WVs, Y, F)
        dot(F, Zf, FZ)
        dot_t(FZ, F, Z)
        Z += noise
        symmetrise(Z)
    return total
