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


@helper(_nrt=False)  # counting the references of its views would cost as much as the update
def update(condition, turn, t, s, k, r, P, R, Y, seen, y_hat, C, K, W, M, S, V, work, root, info, e, about, Yp, Ct, Xp, Pp, Pf):
    """One linearisation of the update: about moves to the filtered mean. Returns by how many deviations, and the share left."""
    n, q = P.shape[0], len(e)
    if turn == 0:
        copy(P, Pp[k])
        copy(C, Ct[t if len(Ct) > 1 else 0])
        for i in range(n):
            Xp[s, i] = about[i]
        for j in range(q):
            Yp[t, j] = y_hat[j]
    left = condition(Pp[k], C, R[r], seen[t], K, W, Pf[k], M, S, work, V, root, info)
    for j in range(q):
        e[j] = 0.0
        if seen[t, j]:
            e[j] = Y[t, j] - y_hat[j]
            for i in range(n):
                e[j] -= C[j, i] * (Xp[s, i] - about[i])
    moved = 0.0
    for i in range(n):
        new = Xp[s, i]
        for j in range(q):
            new += K[i, j] * e[j]
        moved = max(moved, abs(new - about[i]) / (np.sqrt(P[i, i]) + 1e-300))
        about[i] = new
    return moved, left


@helper(_nrt=False)
def turned(A, Q, t, a, k, AT, Qt):
    """AT[a] = A', Qt[k] = Q of step t."""
    q = t if len(Q) > 1 else 0
    for i in range(A.shape[0]):
        for j in range(A.shape[0]):
            AT[a, j, i] = A[i, j]
            Qt[k, i, j] = Q[q, i, j]


@helper(_nrt=False)
def predict(propagate, a, k, b, AT, Pf, Qt, work, root, P):
    return propagate(AT[a], Pf[k], Qt[b], work, root, P)


@helper(_nrt=False)
def density(W, e, info, t, seen, Y, Yp):
    """log p(y[t] | past)."""
    return info[1] - 0.5 * squared(W, e, int(info[0]), seen[t], Y[t], Yp[t])


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
        ut = U[t]
        for i in range(n):
            about[i] = x[i]
        left = 1.0
        for turn in range(iterations):
            y_hat, C = g(about, ut, p, time), gx(about, ut, p, time)
            if not finite(y_hat, C):
                for i in range(n):
                    Xp[mean_slot, i] = x[i]
                return t, 0, share
            moved, left = update(condition, turn, t, mean_slot, keep, r, P, R, Y, seen, y_hat, C, K, W, M, S, V, work, root, info, e, about,
                                 Yp, Ct, Xp, Pp, Pf)  # fmt: skip
            if moved < 1e-10:
                break
        share = min(share, left)
        L[t] = density(W, e, info, t, seen, Y, Yp)
        following = f(about, ut, p, time)
        for i in range(n):
            Xf[mean_slot, i] = about[i]
            x[i] = following[i]
        A = fx(about, ut, p, time)
        if not finite(x, A):
            return t, 1, share
        turned(A, Q, t, line, noise, AT, Qt)
        if U.shape[1] > m and not seen[t].all():
            y_hat, slopes = g(about, ut, p, time), fu(about, ut, p, time)
            fed_back(slopes, m, R[r], seen[t], Y[t], y_hat, C, x, AT[line], Qt[noise])
        share = min(share, predict(propagate, line, keep, noise, AT, Pf, Qt, work, root, P))
    return -1, 0, share
