"""The extended Kalman filter of a leaky reservoir, leaving what its two backward passes need.

    x[t+1] = (1 - leak) x[t] + leak s(xi[t]) + w[t],   w[t] ~ N(0, factors[t, 1] Q)
    xi[t]  = scale W x[t] + sum_k gains[k] drive[k, t] + feedback_gain W_fb[:, own] y[t, own]
    y[t]   = C x[t] + d + v[t],                        v[t] ~ N(0, factors[t, 0] R)

`drive` holds what is known: inputs, measured outputs fed back, bias. `own` are the outputs not measured at t: there
the model's own output, noise included, is fed back. NaN in y is missing, entry by entry.
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, integer, kernel, mat, out_cube, out_mat, out_vec, real, vec
from .activations import activate
from .averaged import average
from .matrices import dot

BLOCKED = 48      # states from which half a product saves more than a second call costs
LOG_2PI = float(np.log(2 * np.pi))


@helper
def _invert(S, rows, r, L, inverse):
    """Invert the leading r x r block of S into the rows and columns `rows`; return log det, NaN where not definite."""
    log_det = 0.0
    for j in range(r):
        for i in range(j, r):
            s = S[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                if not s > 0.0:
                    return np.nan
                L[j, j] = np.sqrt(s)
                log_det += np.log(s)
            else:
                L[i, j] = s / L[j, j]
    for c in range(r):
        for i in range(r):
            s = 1.0 if i == c else 0.0
            for k in range(i):
                s -= L[i, k] * inverse[rows[k], rows[c]]
            inverse[rows[i], rows[c]] = s / L[i, i]
        for i in range(r - 1, -1, -1):
            s = inverse[rows[i], rows[c]]
            for k in range(i + 1, r):
                s -= L[k, i] * inverse[rows[k], rows[c]]
            inverse[rows[i], rows[c]] = s / L[i, i]
    return log_det


@helper
def _update(y, C, d, R, factor, m, P, rows, G, K, S, L, gain, weight, inverse, m_f, P_f):
    """Condition on the measured entries of y; return the log density of their innovation.

    gain = P C'S^-1 (n, p), weight = S^-1 e (p,) and inverse = S^-1 (p, p), zero where y is missing.
    """
    n, p = m.size, y.size
    r = 0
    for i in range(p):
        weight[i] = 0.0
        for j in range(p):
            inverse[i, j] = 0.0
        if not np.isnan(y[i]):
            rows[r] = i
            r += 1
    for a in range(r):
        dot(P, C[rows[a]], G[a])
        for b in range(a + 1):
            s = factor * R[rows[a], rows[b]]
            for k in range(n):
                s += C[rows[a], k] * G[b, k]
            S[a, b] = s
    log_det = _invert(S, rows, r, L, inverse)
    quadratic = 0.0
    for b in range(r):
        e = y[rows[b]] - d[rows[b]]
        for k in range(n):
            e -= C[rows[b], k] * m[k]
        for a in range(r):
            weight[rows[a]] += inverse[rows[a], rows[b]] * e
        S[0, b] = e
    for b in range(r):
        quadratic += weight[rows[b]] * S[0, b]
    for k in range(n):
        m_f[k] = m[k]
        for a in range(p):
            gain[k, a] = 0.0
        for a in range(r):
            m_f[k] += G[a, k] * weight[rows[a]]
            for b in range(r):
                gain[k, rows[a]] += G[b, k] * inverse[rows[b], rows[a]]
            K[a, k] = gain[k, rows[a]]
    for i in range(n):
        for j in range(n):
            P_f[i, j] = P[i, j]
        for a in range(r):
            # Two equal halves, so that rounding leaves the result symmetric.
            g, other = 0.5 * gain[i, rows[a]], 0.5 * G[a, i]
            for j in range(n):
                P_f[i, j] -= g * G[a, j] + other * K[a, j]
    return -0.5 * (log_det + quadratic + r * LOG_2PI)


@helper
def _own_feedback(y, W_fb, feedback_gain, C, d, R, M, xi, noise):
    """Add the feedback of unmeasured outputs to M and xi; noise = F R F', F the scaled feedback columns."""
    n, p = W_fb.shape
    closed = False
    for j in range(p):
        if np.isnan(y[j]):
            closed = True
            for i in range(n):
                f = feedback_gain * W_fb[i, j]
                xi[i] += f * d[j]
                for k in range(n):
                    M[i, k] += f * C[j, k]
    if closed:
        for i in range(n):
            for k in range(n):
                s = 0.0
                for j in range(p):
                    for l in range(p):
                        if np.isnan(y[j]) and np.isnan(y[l]):
                            s += W_fb[i, j] * R[j, l] * W_fb[k, l]
                noise[i, k] = feedback_gain * feedback_gain * s
    return closed


@helper
def _is_correlated(Q):
    for i in range(Q.shape[0]):
        for j in range(i):
            if Q[i, j] != 0.0:
                return True
    return False


@helper
def inner(a, b):
    """a'b by BLAS."""
    return np.dot(a, b)


@helper
def _diagonals(P_f, M, Y, out):
    """out (3, n): the diagonals of P_f, Y = M P_f and M P_f M'."""
    for i in range(M.shape[0]):
        out[0, i], out[1, i], out[2, i] = P_f[i, i], Y[i, i], inner(M[i], Y[i])


@helper
def _predict(P_f, Y, keep, g, M_t, corner_t, corner, P):
    """P = A P_f A' with A = diag(keep) + diag(g) M and Y = M P_f, its lower half by blocks, mirrored. Overwrites Y.

    M_t = M' and corner_t (n, h) its first columns; corner (h, h) is workspace.
    """
    n, h = corner_t.shape
    for i in range(n):
        for j in range(n):
            Y[i, j] = keep[i] * P_f[i, j] + g[i] * Y[i, j]
    np.dot(Y[h:], M_t, P[h:])
    if h:
        np.dot(Y[:h], corner_t, corner)
        for i in range(h):
            for j in range(h):
                P[i, j] = corner[i, j]
    for i in range(n):
        for j in range(i + 1):
            P[i, j] = keep[j] * Y[i, j] + g[j] * P[i, j]
        for j in range(i):
            P[j, i] = P[i, j]


@helper
def _turned(M, M_t, corner_t):
    """M_t = M' and corner_t (n, h) its first columns."""
    n, h = corner_t.shape
    for i in range(n):
        for j in range(n):
            M_t[j, i] = M[i, j]
        if i < h:
            for j in range(n):
                corner_t[j, i] = M[i, j]


@kernel(integer, mat, mat, cube, mat, mat, vec, real, vec, real, mat, vec, mat, mat, mat, vec, mat, integer,
        out_vec, out_mat, out_cube, out_mat, out_mat, out_cube, out_mat, out_cube, out_vec, out_mat, out_cube)
def reservoir_filter(kind, nodes, y, drive, W, W_fb, leak, scale, gains, feedback_gain, C, d, R, Q, factors, m0, P0, every,
                     log_density, means, covs, filtered, arguments, gain, weight, inverse, m_end, P_end, spread):
    """Run the extended Kalman filter over one stretch of a sequence and return its log-likelihood.

    nodes (2, k): points and weights of `averaged.average`, which value and slope then come from; (2, 0) for those at the mean.
    y (T, p), drive (K, T, n), W (n, n), W_fb (n, p) or (n, 0), leak (n,), gains (K,), C (p, n), d (p,), R (p, p),
    Q (n, n), factors (T, 2) on R and Q, prior m0 (n,) and P0 (n, n) of the first state. Out: log_density (T,); means (T, n) = x(t|t-1); covs
    its covariance at every `every`-th step; filtered (T, n) = x(t|t); arguments (T, n) = xi there; gain (T, n, p),
    weight (T, p), inverse (T, p, p) of `_update`; m_end, P_end the prior of the step after the last; spread (T, 3, n), or empty
    where neither wanted nor averaged over: at t|t the variances of x, its covariances with M x row by row, and the variances of M x, with M = scale W
    and the feedback of unmeasured outputs.
    NaN is returned where an innovation covariance is not positive definite. O(T n^3) time.
    """
    T, p = y.shape
    n = leak.size
    m, P, P_f, Y = m0.copy(), P0.copy(), np.empty((n, n)), np.empty((n, n))
    h = n // 2 if n >= BLOCKED else 0
    noise, M_t, corner_t, corner, keep, g = np.zeros((n, n)), np.empty((n, n)), np.empty((n, h)), np.empty((h, h)), 1.0 - leak, np.empty(n)
    value, slope, Mx, readout, recurrent = np.empty(n), np.empty(n), np.empty(n), C.copy(), scale * W
    M, closed = recurrent.copy(), False
    _turned(M, M_t, corner_t)
    rows, G, K, S, L = np.empty(p, np.int64), np.empty((p, n)), np.empty((p, n)), np.empty((p, p)), np.empty((p, p))
    total, correlated = 0.0, _is_correlated(Q)
    for t in range(T):
        if t % every == 0:
            for i in range(n):
                for j in range(n):
                    covs[t // every, i, j] = P[i, j]
        for i in range(n):
            means[t, i] = m[i]
        log_density[t] = _update(y[t], readout, d, R, factors[t, 0], m, P, rows, G, K, S, L, gain[t], weight[t], inverse[t], filtered[t], P_f)
        total += log_density[t]
        if np.isnan(total):
            return total
        x, xi = filtered[t], arguments[t]
        for i in range(n):
            xi[i] = 0.0
            for k in range(gains.size):
                xi[i] += gains[k] * drive[k, t, i]
        before = closed
        if before:
            M[:] = recurrent
        closed = _own_feedback(y[t], W_fb, feedback_gain, C, d, R, M, xi, noise)
        if closed or before:
            _turned(M, M_t, corner_t)
        dot(M, x, Mx)
        for i in range(n):
            xi[i] += Mx[i]
        dot(M, P_f, Y)
        if spread.shape[0]:
            _diagonals(P_f, M, Y, spread[t])
        if nodes.shape[1]:
            average(kind, nodes, xi, spread[t, 2], value, slope)
        else:
            activate(kind, xi, value, slope)
        for i in range(n):
            m[i] = keep[i] * x[i] + leak[i] * value[i]
            g[i] = leak[i] * slope[i]
        _predict(P_f, Y, keep, g, M_t, corner_t, corner, P)
        for i in range(n):
            if correlated:
                for j in range(n):
                    P[i, j] += factors[t, 1] * Q[i, j]
            else:
                P[i, i] += factors[t, 1] * Q[i, i]
            if closed:
                for j in range(n):
                    P[i, j] += factors[t, 0] * g[i] * noise[i, j] * g[j]
    for i in range(n):
        m_end[i] = m[i]
        for j in range(n):
            P_end[i, j] = P[i, j]
    return total
