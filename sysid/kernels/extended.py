"""The extended Kalman filter, plain or with an iterated update, for any functions f and g with Jacobians.

    x(t+1|t) = f(x(t|t), u),  P(t+1|t) = A P A' + Q,  A = df/dx at x(t|t);   e = y - g(x(t|t-1), u),  C = dg/dx
                                                                                       [Jazwinski 1970, Sec. 8.3]
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
    state_jacobian,
    types,
    vec,
)

mask_type = types.Array(types.boolean, 2, "C", readonly=True)


@helper
def copy(source, target):
    """target = source for matrices; a slice assignment compiles to far more code."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@helper
def fed_back(G, m, R, seen, y, y_hat, C, x_next, AT, Q):
    """Noise that enters through outputs fed back while they are missing: x+ gains G e, e the measurement noise.

    G: (n, m + p), the derivative in the extended input, whose columns from m on are outputs fed back. e of missing entries is conditioned on that of measured ones,
    e_o = y_o - C_o x; its mean moves x_next (n,) and A, its covariance adds to Q.
    """
    n, p = C.shape[1], C.shape[0]
    D, mean, slope, column = np.empty((p, p)), np.zeros(p), np.zeros((p, n)), np.empty(p)
    copy(R, D)
    for j in range(p):
        if seen[j] and D[j, j] > 1e-14 * R[j, j]:
            gap = y[j] - y_hat[j] - mean[j]
            for i in range(p):
                column[i] = D[i, j] / D[j, j]
                mean[i] += column[i] * gap
            for k in range(n):
                line = -C[j, k] - slope[j, k]
                for i in range(p):
                    slope[i, k] += column[i] * line
            for k in range(p):
                row = D[j, k]
                for i in range(p):
                    D[i, k] -= column[i] * row
    for i in range(n):
        for a in range(p):
            if not seen[a]:
                x_next[i] += G[i, m + a] * mean[a]
                for k in range(n):
                    AT[k, i] += G[i, m + a] * slope[a, k]
                for j in range(i + 1):
                    for b in range(p):
                        if not seen[b]:
                            Q[i, j] += G[i, m + a] * D[a, b] * G[j, m + b]
    for i in range(n):
        for j in range(i):
            Q[j, i] = Q[i, j]


@helper
def finite(vector, matrix):
    for i in range(len(vector)):
        if not abs(vector[i]) <= 1.7e308:
            return False
        for j in range(matrix.shape[1]):
            if not abs(matrix[i, j]) <= 1.7e308:
                return False
    return True


@helper
def squared(W, e, rank, seen, y, y_hat):
    """|W e|^2, infinite where e has a part in the null space of a singular innovation covariance."""
    total = 0.0
    for k in range(len(e)):
        part, gross = 0.0, 0.0
        for j in range(len(e)):
            part += W[k, j] * e[j]
            if seen[j]:
                gross += abs(W[k, j]) * (abs(y[j]) + abs(y_hat[j]))
        if k < rank:
            total += part * part
        elif abs(part) > 1e-8 * gross:
            return np.inf
    return total


@kernel(condition_step, propagate_step, state_function, state_function, state_jacobian, state_jacobian, state_jacobian, mat, integer, vec, real, real,
        cube, cube, mat, mask_type, integer, vec, mat, out_mat, out_cube, out_mat, out_mat, out_cube, out_cube, out_cube, out_cube, out_vec,
        out_vec, out_mat, nogil=True)  # fmt: skip
def extended(condition, propagate, f, g, fx, gx, fu, U, m, p, t0, dt, Q, R, Y, seen, iterations, x0, P0, Yp, Ct, Xp, Xf, Pp, Pf, AT, Qt, L, x, P):
    """The extended Kalman filter: f about the filtered mean, g about the predicted one, or about the update's own.

    U: (T, k) extended inputs, the user's m first, then outputs fed back with NaN where the model's own are used.
    Y: (T, q), seen: (T, q). iterations: Gauss-Newton steps of the update, 1 for the plain filter.
    Yp: (T, q) predicted outputs, Ct: (T, q, n) dg/dx there, or one. Xp, Xf: (T, n), or one. Pf, AT: (T, n, n), or one where they
    are not to be kept; Qt: (T, n, n) process covariance with what enters through the feedback, or one. L: (T,). x, P leave as the prediction of step T.
    Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), and the smallest share left.
    """
    T, n, q = len(Y), len(x0), Y.shape[1]
    M, S, V, root, info = np.empty((q, n)), np.empty((q, q)), np.empty((n, q)), np.empty((2, max(n, q))), np.empty(2)
    K, W, e, about, work = np.empty((n, q)), np.empty((q, q)), np.empty(q), np.empty(n), np.empty((n, n))
    for i in range(n):
        x[i] = x0[i]
    copy(P0, P)
    share = 1.0
    for t in range(T):
        time = t0 + t * dt
        mean_slot, keep = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0
        line, noise = t if len(AT) > 1 else 0, t if len(Qt) > 1 else 0
        r = t if len(R) > 1 else 0
        copy(P, Pp[keep])
        for i in range(n):
            Xp[mean_slot, i] = x[i]
            about[i] = x[i]
        left = 1.0
        for turn in range(iterations):
            y_hat, C = g(about, U[t], p, time), gx(about, U[t], p, time)
            if not finite(y_hat, C):
                return t, 0, share
            if turn == 0:
                copy(C, Ct[t if len(Ct) > 1 else 0])
                for j in range(q):
                    Yp[t, j] = y_hat[j]
            left = condition(Pp[keep], C, R[r], seen[t], K, W, Pf[keep], M, S, work, V, root, info)
            moved = 0.0
            for j in range(q):
                e[j] = 0.0
                if seen[t, j]:
                    e[j] = Y[t, j] - y_hat[j]
                    for i in range(n):
                        e[j] -= C[j, i] * (Xp[mean_slot, i] - about[i])
            for i in range(n):
                new = Xp[mean_slot, i]
                for j in range(q):
                    new += K[i, j] * e[j]
                moved = max(moved, abs(new - about[i]) / (np.sqrt(P[i, i]) + 1e-300))
                about[i] = new
            if moved < 1e-10:
                break
        share = min(share, left)
        L[t] = info[1] - 0.5 * squared(W, e, int(info[0]), seen[t], Y[t], Yp[t])
        following = f(about, U[t], p, time)
        for i in range(n):
            Xf[mean_slot, i] = about[i]
            x[i] = following[i]
        A = fx(about, U[t], p, time)
        if not finite(x, A):
            return t, 1, share
        copy(A.T, AT[line])
        copy(Q[t if len(Q) > 1 else 0], Qt[noise])
        if U.shape[1] > m and not seen[t].all():
            y_hat, slopes = g(about, U[t], p, time), fu(about, U[t], p, time)
            fed_back(slopes, m, R[r], seen[t], Y[t], y_hat, C, x, AT[line], Qt[noise])
        share = min(share, propagate(AT[line], Pf[keep], Qt[noise], work, root, P))
    return -1, 0, share
