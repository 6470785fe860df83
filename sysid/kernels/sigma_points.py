"""Sigma-point filters (unscented, cubature, Gauss-Hermite) as statistical linear regression of f and g.

    x_i = m + L xi_i,  P = L L':   f ~ f^ + A (x - m) + r,  f^ = sum w_i f(x_i),  A L = sum w_i (f(x_i) - f^) xi_i',
    Omega = sum w_i r_i r_i',  r_i = f(x_i) - f^ - A L xi_i                        [Lefebvre et al. 2002; Sarkka 2013]

which gives the usual gain and covariances, P_xy S^-1 and A P A' + Omega + Q, as sums of positive semidefinite terms.
The points are drawn anew after each prediction, so g sees the process noise.
"""

from __future__ import annotations

import numpy as np

from ._jit import (
    absorb_step,
    condition_step,
    cube,
    flag,
    helper,
    kernel,
    mat,
    out_cube,
    out_mat,
    out_vec,
    propagate_step,
    real,
    state_function,  # fmt: skip
    types,
    values_step,
    vec,
)
from .innovations import squared
from .matrices import copy, finite

mask_type = types.Array(types.boolean, 2, "C", readonly=True)
EPS = 2.220446049250313e-16
HANDFUL = 6  # up to so many states mean and covariance are updated in one pass where that loses nothing


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


@helper(_nrt=False)
def place(x, L, xi, arm, points):
    """points[r] = x + L xi[r]; where the points are an optional zero and then all +-arm e_j (arm > 0), by columns of L."""
    n, first = len(x), len(xi) % 2
    for r in range(len(xi)):
        for i in range(n):
            points[r, i] = x[i]
    for j in range(n if arm > 0.0 else 0):
        for i in range(j, n):
            points[first + j, i] += arm * L[i, j]
            points[first + n + j, i] -= arm * L[i, j]
    for r in range(0 if arm > 0.0 else len(xi)):
        for i in range(n):
            for k in range(i + 1):
                points[r, i] += L[i, k] * xi[r, k]


@helper(_nrt=False)
def regress(F, xi, w, arm, about_first, excess, mean, slope, spread):
    """Mean (m,), slope in unit coordinates A L (m, n), and Omega added to spread (m, m), from values F (k, m) at xi (k, n).

    w: (k,) weights of the mean. arm: as for `place`, zero for other points. about_first: residuals are taken about the first point,
    the centre, whose weight may be negative; `excess` is what its weight for covariances exceeds the one for means by, less one.
    """
    (k, m), n = F.shape, xi.shape[1]
    for a in range(m):
        mean[a] = 0.0
        for r in range(k):
            mean[a] += w[r] * F[r, a]
    if arm > 0.0:  # the linear part passes through both ends of an axis: the residual is their mean's distance from the centre
        first = k % 2
        for j in range(n):
            up, down = first + j, first + n + j
            for a in range(m):
                centre = F[0, a] if about_first else mean[a]
                slope[a, j] = (F[up, a] - F[down, a]) * (0.5 / arm)
                F[up, a] = 0.5 * (F[up, a] - centre) + 0.5 * (F[down, a] - centre)
            for a in range(m):
                for b in range(a + 1):
                    spread[a, b] += 2.0 * w[up] * F[up, a] * F[up, b]
    else:
        project(F, xi, w, about_first, mean, slope, spread)
    for a in range(m):
        for b in range(a + 1):
            if about_first:
                spread[a, b] += excess * (mean[a] - F[0, a]) * (mean[b] - F[0, b])
            spread[b, a] = spread[a, b]


@helper(_nrt=False)
def project(F, xi, w, about_first, mean, slope, spread):
    """The slope and residuals of `regress` at any points."""
    (k, m), n = F.shape, xi.shape[1]
    for a in range(m):
        for j in range(n):
            total = 0.0
            for i in range(k):
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


@helper(_nrt=False)
def divided(slope, L, A):
    """A = slope L^-1, row by row; zero along directions that have vanished."""
    n = L.shape[0]
    for a in range(slope.shape[0]):
        for j in range(n - 1, -1, -1):
            total = slope[a, j]
            for i in range(j + 1, n):
                total -= A[a, i] * L[i, j]
            A[a, j] = total / L[j, j] if L[j, j] > 0.0 else 0.0


@helper(_nrt=False)
def update(condition, P, C, R, seen, K, W, M, S, V, work, root, info, e, Yp, x, out):
    """The update at any size and condition. Returns the log-density of e and the share left."""
    share = condition(P, C, R, seen, K, W, out, M, S, work, V, root, info)
    for i in range(len(x)):
        for j in range(len(e)):
            x[i] += K[i, j] * e[j]
    return info[1] - 0.5 * squared(W, e, int(info[0]), Yp), share


@kernel(mat, absorb_step, condition_step, propagate_step, values_step, values_step, state_function, state_function, mat, vec, real, flag, real, vec, real, real,
        cube, cube, mat, mask_type, out_mat, out_cube, out_cube, out_mat, out_mat, *[out_cube] * 4, out_vec, out_vec, out_mat,
        *[out_mat] * 13, *[out_vec] * 3, nogil=True, _nrt=False)  # counting the references of views would cost as much as a step  # fmt: skip
def sigma_filter(U, absorb, condition, propagate, values_f, values_g, f, g, xi, w, arm, about_first, excess, p, t0, dt, Q, R, Y, seen, Yp, Ct, Rt, Xp, Xf,
                 Pp, Pf, AT, Qt, L, x, P, points, G, F, slope, chol, A, K, W, M, S, V, work, root, info, e, xf):  # fmt: skip
    """The filter with points xi (k, n), weights w (k,), the length of their arms where they lie on axes, and the centre's part in covariances.

    values_f, values_g: `evaluation.values` for f and for g. Other arguments as `extended.extended`; Rt: (T, q, q) and Qt: (T, n, n)
    leave as R and Q with what f and g add. From `points` on: scratch, as `workspace` gives it.
    Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), and the smallest share left.
    """
    n, q, share = len(x), len(e), 1.0
    for t in range(len(Y)):
        time, ut = t0 + t * dt, U[t]
        s, k = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0
        copy(P, Pp[k])
        copy(R[t if len(R) > 1 else 0], Rt[k])
        factor(P, chol)
        for i in range(n):
            Xp[s, i] = x[i]
            xf[i] = x[i]
        place(x, chol, xi, arm, points)
        values_g(g, points, ut, p, time, G)
        if not finite(w, G):  # the weights are
            return t, 0, share
        regress(G, xi, w, arm, about_first, excess, Yp[t], slope[:q], Rt[k])
        divided(slope[:q], chol, Ct[k])
        for j in range(q):
            e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
        L[t] = absorb(P, Ct[k], Rt[k], seen[t], e, M, S, xf, Pf[k]) if n <= HANDFUL else np.nan
        if not L[t] == L[t]:
            for i in range(n):
                xf[i] = x[i]
            for j in range(q):
                e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
            L[t], left = update(condition, P, Ct[k], Rt[k], seen[t], K, W, M, S, V, work, root, info, e, Yp[t], xf, Pf[k])
            share = min(share, left)
        copy(Q[t if len(Q) > 1 else 0], Qt[k])
        factor(Pf[k], chol)
        for i in range(n):
            Xf[s, i] = xf[i]
        place(xf, chol, xi, arm, points)
        values_f(f, points, ut, p, time, F)
        if not finite(w, F):
            return t, 1, share
        regress(F, xi, w, arm, about_first, excess, x, slope[:n], Qt[k])
        divided(slope[:n], chol, A)
        copy(A.T, AT[k])
        if n > HANDFUL:
            share = min(share, propagate(AT[k], Pf[k], Qt[k], work, root, P))
            continue
        for i in range(n):  # A P A' as the square of A chol: a sum of squares loses nothing
            for j in range(i + 1):
                total = Qt[k, i, j]
                for a in range(n):
                    total += slope[i, a] * slope[j, a]
                P[i, j] = total
                P[j, i] = total
    return -1, 0, share


def workspace(n, q, k):
    """Scratch for n states, q outputs and k points."""
    shapes = ((k, n), (k, q), (k, n), (max(n, q), n), (n, n), (n, n), (n, q), (q, q), (q, n), (q, q), (n, q), (n, n), (2, max(n, q)), (2,), (q,), (n,))
    return [np.empty(shape) for shape in shapes]
