"""Sigma-point filters (unscented, cubature, Gauss-Hermite) as statistical linear regression of f and g.

    x_i = m + L xi_i,  P = L L':   f ~ f^ + A (x - m) + r,  f^ = sum w_i f(x_i),  A L = sum w_i (f(x_i) - f^) xi_i',
    Omega = sum w_i r_i r_i',  r_i = f(x_i) - f^ - A L xi_i                        [Lefebvre et al. 2002; Sarkka 2013]

which gives the usual gain and covariances, P_xy S^-1 and A P A' + Omega + Q, as sums of positive semidefinite terms.
The points are drawn anew after each prediction, so g sees the process noise.
"""

from __future__ import annotations

import numpy as np

from ._jit import (
    condition_step,
    cube,
    helper,
    integer,
    kernel,
    mat,
    out_cube,
    out_mat,
    out_vec,
    propagate_step,
    real,
    state_function,
    types,
    vec,
)

mask_type = types.Array(types.boolean, 2, "C", readonly=True)
EPS = 2.220446049250313e-16


@helper(_nrt=False)
def factor(P, L):
    """Lower-triangular L with L L' = P; a direction that has vanished to rounding has a zero column."""
    n = P.shape[0]
    for j in range(n):
        for i in range(j):
            L[i, j] = 0.0
        total = P[j, j]
        for k in range(j):
            total -= L[j, k] * L[j, k]
        if not total > 8.0 * n * EPS * P[j, j]:
            for i in range(j, n):
                L[i, j] = 0.0
            continue
        L[j, j] = np.sqrt(total)
        for i in range(j + 1, n):
            total = P[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            L[i, j] = total / L[j, j]


@helper(_nrt=False)  # here and below: counting the references of views would cost as much as the work
def place(x, L, xi, r, point):
    """point = x + L xi[r]."""
    for i in range(len(x)):
        total = x[i]
        for k in range(i + 1):
            total += L[i, k] * xi[r, k]
        point[i] = total


@helper(_nrt=False)
def regress(F, xi, w, about_first, excess, L, mean, slope, spread):
    """Mean (m,), slope A (m, n) and Omega added to spread (m, m) from values F (k, m) at unit points xi (k, n).

    w: (k,) weights of the mean. about_first: residuals are taken about the first point, the centre, whose weight may be
    negative; `excess` is what its weight for covariances exceeds the one for means by, less one.
    """
    k, m = F.shape
    n = xi.shape[1]
    for a in range(m):
        total = 0.0
        for i in range(k):
            total += w[i] * F[i, a]
        mean[a] = total
        for j in range(n):
            total = 0.0
            for i in range(k):
                if xi[i, j] != 0.0:
                    total += w[i] * (F[i, a] - F[0, a]) * xi[i, j]
            slope[a, j] = total
    for i in range(1 if about_first else 0, k):
        for a in range(m):  # F is no longer needed: it becomes the residuals
            F[i, a] -= F[0, a] if about_first else mean[a]
            for j in range(n):
                F[i, a] -= slope[a, j] * xi[i, j]
        for a in range(m):
            for b in range(a + 1):
                spread[a, b] += w[i] * F[i, a] * F[i, b]
    for a in range(m):
        for b in range(a + 1):
            if about_first:
                spread[a, b] += excess * (mean[a] - F[0, a]) * (mean[b] - F[0, b])
            spread[b, a] = spread[a, b]
        for j in range(n - 1, -1, -1):  # slope L = the sum above
            for i in range(j + 1, n):
                slope[a, j] -= slope[a, i] * L[i, j]
            slope[a, j] = slope[a, j] / L[j, j] if L[j, j] > 0.0 else 0.0


@helper
def copy(source, target):
    """target = source for matrices; a slice assignment compiles to far more code."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@helper(_nrt=False)
def stored(value, F, r):
    """F[r] = value; whether all of it is finite."""
    finite = True
    for a in range(F.shape[1]):
        F[r, a] = value[a]
        finite = finite and abs(value[a]) <= 1.7e308
    return finite


@kernel(condition_step, propagate_step, state_function, state_function, mat, vec, integer, real, mat, vec, real, real,
        cube, cube, mat, mask_type, vec, mat, out_mat, out_cube, out_cube, out_mat, out_mat, *[out_cube] * 4, out_vec,
        out_vec, out_mat, nogil=True)  # fmt: skip
def sigma_filter(condition, propagate, f, g, xi, w, about_first, excess, U, p, t0, dt, Q, R, Y, seen, x0, P0, Yp, Ct, Rt, Xp,
                 Xf, Pp, Pf, AT, Qt, L, x, P):  # fmt: skip
    """The filter with points xi (k, n), weights w (k,) and the centre's part in covariances.

    Other arguments as `extended.extended`; Rt: (T, q, q) and Qt: (T, n, n) leave as R and Q with what f and g add.
    Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), and the smallest share left.
    """
    T, n, q = len(Y), len(x0), Y.shape[1]
    M, S, V, root, info = np.empty((q, n)), np.empty((q, q)), np.empty((n, q)), np.empty((2, max(n, q))), np.empty(2)
    K, W, e, chol, work = np.empty((n, q)), np.empty((q, q)), np.empty(q), np.empty((n, n)), np.empty((n, n))
    point, xf, share = np.empty(n), np.empty(n), 1.0
    G, F, A = np.empty((len(xi), q)), np.empty((len(xi), n)), np.empty((n, n))
    copy(P0, P)
    for i in range(n):
        x[i] = x0[i]
    for t in range(T):
        time, ut = t0 + t * dt, U[t]
        s, k = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0
        copy(P, Pp[k])
        copy(R[t if len(R) > 1 else 0], Rt[k])
        factor(Pp[k], chol)
        for i in range(len(xi)):
            place(x, chol, xi, i, point)
            if not stored(g(point, ut, p, time), G, i):
                return t, 0, share
        regress(G, xi, w, about_first > 0, excess, chol, Yp[t], Ct[k], Rt[k])
        share = min(share, condition(Pp[k], Ct[k], Rt[k], seen[t], K, W, Pf[k], M, S, work, V, root, info))
        square = 0.0
        for j in range(q):
            e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
        for j in range(q):
            part, gross = 0.0, 0.0
            for i in range(q):
                part += W[j, i] * e[i]
                gross += abs(W[j, i]) * (abs(e[i]) + abs(Yp[t, i]))
            if j < info[0]:
                square += part * part
            elif abs(part) > 1e-8 * gross:
                square = np.inf
        L[t] = info[1] - 0.5 * square
        for i in range(n):
            Xp[s, i] = x[i]
            xf[i] = x[i]
            for j in range(q):
                xf[i] += K[i, j] * e[j]
            Xf[s, i] = xf[i]
        copy(Q[t if len(Q) > 1 else 0], Qt[k])
        factor(Pf[k], chol)
        for i in range(len(xi)):
            place(xf, chol, xi, i, point)
            if not stored(f(point, ut, p, time), F, i):
                return t, 1, share
        regress(F, xi, w, about_first > 0, excess, chol, x, A, Qt[k])
        copy(A.T, AT[k])
        share = min(share, propagate(AT[k], Pf[k], Qt[k], work, root, P))
    return -1, 0, share
