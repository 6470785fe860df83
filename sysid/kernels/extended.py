"""The extended Kalman filter, plain or with an iterated update, for any functions f and g with Jacobians.

    x(t+1|t) = f(x(t|t), u),  P(t+1|t) = A P A' + Q,  A = df/dx at x(t|t);   e = y - g(x(t|t-1), u),  C = dg/dx
                                                                                       [Jazwinski 1970, Sec. 8.3]
"""

from __future__ import annotations

import numpy as np

from ._jit import (
    Kernel,
    absorb_step,
    condition_step,
    cube,
    family,
    helper,
    integer,
    kernel,
    linear_step,
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
from .handful import absorb_of, carried_of, few
from .innovations import squared
from .matrices import copy, finite

mask_type = types.Array(types.boolean, 2, "C", readonly=True)
ARGUMENTS = (mat, absorb_step, condition_step, propagate_step, linear_step, linear_step, state_function, state_function, state_jacobian,
             state_jacobian, state_jacobian, integer, vec, real, real, cube, cube, mat, mask_type, integer, out_mat, out_cube, out_mat, out_mat,
             *[out_cube] * 4, out_vec, out_vec, out_mat, *[out_mat] * 10, *[out_vec] * 5)  # fmt: skip


@helper(_nrt=True)
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


@helper(_nrt=False)
def update(condition, P, R, Y, seen, y_hat, C, K, W, M, S, V, work, root, info, e, x, about, Pf):
    """One linearisation of the update about `about`, which moves to the filtered mean. Returns the share left."""
    n, q = P.shape[0], len(e)
    left = condition(P, C, R, seen, K, W, Pf, M, S, work, V, root, info)
    for j in range(q):
        e[j] = 0.0
        if seen[j]:
            e[j] = Y[j] - y_hat[j]
            for i in range(n):
                e[j] -= C[j, i] * (x[i] - about[i])
    for i in range(n):
        about[i] = x[i]
        for j in range(q):
            about[i] += K[i, j] * e[j]
    return left


@helper(_nrt=False)
def moved(x, before, P):
    """By how many standard deviations x moved; `before` follows."""
    most = 0.0
    for i in range(len(x)):
        most = max(most, abs(x[i] - before[i]) / (np.sqrt(P[i, i]) + 1e-300))
        before[i] = x[i]
    return most


@family
def extended(states: int) -> Kernel:
    """The extended Kalman filter for so many states, 0 for any: f about the filtered mean, g about the predicted one, or about the update's own.

    An iterated update has no kernel by number: take 0.
    U: (T, k) extended inputs, the user's m first, then outputs fed back with NaN where the model's own are used.
    linear_f, linear_g: `evaluation.linearised` for f, fx and for g, gx.
    Y: (T, q), seen: (T, q). iterations: Gauss-Newton steps of the update, 1 for the plain filter.
    Yp: (T, q) predicted outputs, Ct: (T, q, n) dg/dx there, or one. Xp, Xf: (T, n), or one. Pf, AT: (T, n, n), or one where they
    are not to be kept; Qt: (T, n, n) process covariance with what enters through the feedback, or one. L: (T,).
    x, P: the law of the first state, leave as the prediction of step T. The rest, `workspace`, is scratch.
    Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), and the smallest share left.
    """
    counted = states > 0

    @kernel(*ARGUMENTS, nogil=True, _nrt=False)  # counting the references of views would cost as much as a step
    def run(U, absorb, condition, propagate, linear_f, linear_g, f, g, fx, gx, fu, m, p, t0, dt, Q, R, Y, seen, iterations, Yp, Ct, Xp, Xf, Pp, Pf, AT, Qt, L, x, P,
            C, A, G, K, W, M, S, V, work, root, info, y_hat, e, about, before):  # fmt: skip
        n, q, share = states if counted else len(x), len(e), 1.0
        for t in range(len(Y)):
            time, ut = t0 + t * dt, U[t]
            k, s, r, c = t if len(Pp) > 1 else 0, t if len(Xp) > 1 else 0, t if len(R) > 1 else 0, t if len(Q) > 1 else 0
            line, noise = t if len(AT) > 1 else 0, t if len(Qt) > 1 else 0
            for i in range(n):
                Xp[s, i] = x[i]
                about[i] = x[i]
                before[i] = x[i]
                for j in range(n):
                    Pp[k, i, j] = P[i, j]
            linear_g(g, gx, about, ut, p, time, y_hat, C)
            if not finite(y_hat, C):
                return t, 0, share
            for j in range(q):
                Yp[t, j] = y_hat[j]
                for i in range(n):
                    Ct[t if len(Ct) > 1 else 0, j, i] = C[j, i]
                e[j] = Y[t, j] - y_hat[j] if seen[t, j] else 0.0
            L[t] = absorb_of(states, Pp[k], C, R[r], seen[t], e, M, S, about, Pf[k]) if counted else np.nan
            if not counted and few(n) and iterations == 1:
                L[t] = absorb(Pp[k], C, R[r], seen[t], e, M, S, about, Pf[k])
            if not L[t] == L[t]:
                left = 1.0
                for i in range(n):
                    about[i] = x[i]
                for turn in range(iterations):
                    if turn > 0:
                        linear_g(g, gx, about, ut, p, time, y_hat, C)
                        if not finite(y_hat, C):
                            return t, 0, share
                    left = update(condition, Pp[k], R[r], Y[t], seen[t], y_hat, C, K, W, M, S, V, work, root, info, e, x, about, Pf[k])
                    if iterations == 1 or moved(about, before, P) < 1e-10:
                        break
                share = min(share, left)
                L[t] = info[1] - 0.5 * squared(W, e, int(info[0]), Yp[t])
            linear_f(f, fx, about, ut, p, time, x, A)
            for i in range(n):
                Xf[s, i] = about[i]
                for j in range(n):
                    AT[line, j, i] = A[i, j]
            if not finite(x, A):
                return t, 1, share
            if U.shape[1] > m:
                copy(Q[c], Qt[noise])
                if not seen[t].all():
                    linear_f(f, fu, about, ut, p, time, before, G)
                    linear_g(g, gx, about, ut, p, time, y_hat, M)
                    fed_back(G, m, R[r], seen[t], Y[t], y_hat, C, x, AT[line], Qt[noise])
                share = min(share, propagate(AT[line], Pf[k], Qt[noise], work, root, P))
            elif not counted or not carried_of(states, AT[line], Pf[k], Q[c], work, P):
                share = min(share, propagate(AT[line], Pf[k], Q[c], work, root, P))
        return -1, 0, share

    return run


def workspace(n, q, k):
    """Scratch for n states, q outputs and k extended inputs."""
    shapes = ((q, n), (n, n), (n, k), (n, q), (q, q), (q, n), (q, q), (n, q), (n, n), (2, max(n, q)), (2,), (q,), (q,), (n,), (n,))
    return [np.empty(shape) for shape in shapes]
