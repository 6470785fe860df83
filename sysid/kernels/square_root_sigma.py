"""Sigma-point filters (unscented, cubature, Gauss-Hermite) in square-root form.

    With P = L L' and points x_i = m + L xi_i:   x+ ~ f^ + (A L) z + r,  f^ = sum w_i f(x_i),  A L = sum w_i (f(x_i) - f^) xi_i',
    r_i = f(x_i) - f^ - A L xi_i,   [A L, sqrt(w_i) r_i, Q^1/2] Theta = [L+, 0]

No covariance is subtracted or factored: a negative central weight never enters, because residuals are taken about the
centre. The points are drawn anew after each prediction. [Van der Merwe & Wan 2001; Lefebvre et al. 2002]
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
    real,
    state_function,
    triangular_step,
    types,
    update_step,
    vec,
)
from .factor_steps import lowered, measured
from .innovations import squared
from .matrices import copy, square

mask_type = types.Array(types.boolean, 2, "C", readonly=True)


@helper
def placed(x, L, xi, point):
    """point = x + L xi."""
    for i in range(len(x)):
        point[i] = x[i]
        for k in range(len(x)):
            point[i] += L[i, k] * xi[k]


@helper
def regress(F, xi, w, about_first, excess, mean, slope):
    """Mean (m,) and slope A L (m, n) of values F (k, m) at unit points, whose first n columns count; F leaves as sqrt(w_i) r_i."""
    k, m = F.shape
    n = slope.shape[1]
    for a in range(m):
        mean[a] = 0.0
        for i in range(k):
            mean[a] += w[i] * F[i, a]
        for j in range(n):
            slope[a, j] = 0.0
            for i in range(k):
                slope[a, j] += w[i] * (F[i, a] - F[0, a]) * xi[i, j]
    for a in range(m):
        centre = F[0, a]
        for i in range(k):
            value = F[i, a] - (centre if about_first else mean[a])
            for j in range(n):
                value -= slope[a, j] * xi[i, j]
            F[i, a] = value * np.sqrt(max(w[i], 0.0))
        if about_first:  # the residual of the centre is zero: its place holds the excess of its weight for covariances
            F[0, a] = np.sqrt(max(excess, 0.0)) * (mean[a] - centre)


@helper
def stored(value, row):
    """row = value; whether all of it is finite."""
    finite = True
    for a in range(len(row)):
        row[a] = value[a]
        finite = finite and abs(value[a]) <= 1.7e308
    return finite


@helper
def spread(F, R, Rt):
    """Rt = R + F'F."""
    for a in range(Rt.shape[0]):
        for b in range(a + 1):
            total = R[a, b]
            for i in range(len(F)):
                total += F[i, a] * F[i, b]
            Rt[a, b] = total
            Rt[b, a] = total


@helper
def completed(B, F, seen, y, y_hat, nu, m, u):
    """u with the outputs fed back where they are missing: g(x) + B (y - g(x)) + F nu."""
    for a in range(len(y)):
        if not seen[a]:
            u[m + a] = y_hat[a]
            for j in range(len(y)):
                u[m + a] += F[a, j] * nu[j]
                if seen[j]:
                    u[m + a] += B[a, j] * (y[j] - y_hat[j])


@helper
def predicted(triangularise, residuals, FQ, AL, E, wide, L):
    """E E' = Q and what residuals (k, n) add, L L' = A L (A L)' + E E'."""
    n, k = L.shape[0], len(residuals)
    extra = np.empty((n, k + n))
    for i in range(n):
        for j in range(k):
            extra[i, j] = residuals[j, i]
        for j in range(n):
            extra[i, k + j] = FQ[i, j]
    triangularise(extra, n)
    for i in range(n):
        for j in range(n):
            E[i, j] = extra[i, j]
            wide[i, j] = AL[i, j]
            wide[i, n + j] = E[i, j]
    triangularise(wide, n)
    copy(wide[:, :n], L)


@kernel(condition_step, update_step, triangular_step, state_function, state_function, mat, vec, mat, vec, integer, real, mat, integer, vec,
        real, real, cube, cube, cube, cube, mat, mask_type, vec, out_mat, out_mat, out_cube, out_mat, out_mat, *[out_cube] * 6, out_mat, out_vec,
        out_vec, nogil=True)  # fmt: skip
def sigma_filter(condition, update, triangularise, f, g, xi, w, xi_wide, w_wide, about_first, excess, U, m, p, t0, dt, FQ, R, B, F, Y, seen, x0, L, Yp, S, Xp,
                 Xf, Pp, Pf, Lf, turn, ALs, E, zeta, L_out, x):  # fmt: skip
    """The filter with unit points xi (k, n), weights w (k,) of means; xi_wide (k', n + q), w_wide where a missing output is fed back.

    Other arguments as `square_root_extended.extended`.
    Returns the step where a function was not finite (-1: none), and which one (0: g, 1: f).
    """
    T, n, q = len(Y), len(x0), Y.shape[1]
    size, kappa, W, M, V = max(n, q), np.empty((n, q)), np.empty((q, q)), np.empty((q, n)), np.empty((n, q))
    unit, work, spare, T2, root, info = np.empty((q, q)), np.empty((6, size)), np.empty((3, n, n)), np.empty((q, n)), np.empty((2, size)), np.empty(2)
    Z, tall, wide, S2, Rt = np.empty((n, n)), np.empty((2 * n, n)), np.empty((n, 2 * n)), np.empty((q, q)), np.empty((q, q))
    e, point, u, G = np.empty(q), np.empty(n), U[0].copy(), np.empty((len(xi), q))
    for i in range(n):
        x[i] = x0[i]
    for t in range(T):
        time = t0 + t * dt
        s, k, keep = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0, t if len(S) > 1 else 0
        r, b, c = t if len(R) > 1 else 0, t if len(B) > 1 else 0, t if len(FQ) > 1 else 0
        square(L, Pp[k])
        for i in range(len(xi)):
            placed(x, L, xi[i], point)
            if not stored(g(point, U[t], p, time), G[i]):
                return t, 0
        regress(G, xi, w, about_first > 0, excess, Yp[t], M)
        spread(G, R[r], Rt)
        spread(M.T.copy(), Rt, S[keep])
        measured(condition, update, M, Rt, seen[t], kappa, W, turn[k], Z, unit, work, spare, T2, S2, V, root, info)
        for j in range(q):
            e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
        L_out[t] = info[1] - 0.5 * squared(W, e, int(info[0]), Yp[t])
        for i in range(n):
            zeta[k, i] = 0.0
            for j in range(q):
                zeta[k, i] += kappa[i, j] * e[j]
            Xp[s, i] = x[i]
        placed(x, L, zeta[k], point)
        for i in range(n):
            Xf[s, i] = point[i]
        lowered(triangularise, L, turn[k], tall)
        copy(tall[:n], Lf[k])
        square(Lf[k], Pf[k])
        latent = U.shape[1] > m and not seen[t].all()
        points, weights = (xi_wide, w_wide) if latent else (xi, w)
        values = np.empty((len(points), n))
        for i in range(len(points)):
            placed(Xf[s], Lf[k], points[i, :n], point)
            for j in range(len(u)):
                u[j] = U[t, j]
            if latent:
                completed(B[b], F[b], seen[t], Y[t], g(point, U[t], p, time), points[i, n:], m, u)
            if not stored(f(point, u, p, time), values[i]):
                return t, 1
        regress(values, points, weights, about_first > 0, excess, x, ALs[k])
        predicted(triangularise, values, FQ[c], ALs[k], E[k], wide, L)
    return -1, 0
