"""The extended Kalman filter in square-root form, plain or with an iterated update.

    With P = L L' and x = m + L z, z ~ N(0, I):   y ~ g(m) + (C L) z + v,   x+ ~ f(m) + (A L) z + w
    [A L, E] Theta = [L+, 0],  E E' = Q: covariances are formed from factors, never subtracted       [Kailath 1968]
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
    state_jacobian,
    triangular_step,
    types,
    update_step,
    vec,
)
from .factor_steps import lowered, measured
from .innovations import squared
from .matrices import copy, finite, product, square

mask_type = types.Array(types.boolean, 2, "C", readonly=True)


@helper
def joined(triangularise, left, right, wide, out):
    """out (n, n) with out out' = left left' + right right'; wide: (n, columns of both)."""
    n, k = out.shape[0], left.shape[1]
    for i in range(n):
        for j in range(k):
            wide[i, j] = left[i, j]
        for j in range(right.shape[1]):
            wide[i, k + j] = right[i, j]
    triangularise(wide, n)
    copy_corner(wide, out)


@helper
def copy_corner(source, target):
    """target = the upper left corner of source, what has left the range of squares set to zero."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            value = source[i, j] if j < source.shape[1] else 0.0
            target[i, j] = value if abs(value) > 1e-145 else 0.0


@helper
def innovation_covariance(M, R, S):
    """S = M M' + R."""
    for i in range(S.shape[0]):
        for j in range(i + 1):
            total = R[i, j]
            for k in range(M.shape[1]):
                total += M[i, k] * M[j, k]
            S[i, j] = total
            S[j, i] = total


@helper
def advance(L, kappa, e, start, about, zeta, step, P):
    """zeta = kappa e and about = start + L zeta; the largest move in standard deviations."""
    n, moved = len(about), 0.0
    for i in range(n):
        zeta[i] = 0.0
        for j in range(len(e)):
            zeta[i] += kappa[i, j] * e[j]
    for i in range(n):
        step[i] = start[i]
        for k in range(n):
            step[i] += L[i, k] * zeta[k]
        moved = max(moved, abs(step[i] - about[i]) / (np.sqrt(P[i, i]) + 1e-300))
        about[i] = step[i]
    return moved


@helper
def fed_back(fu, m, B, F, seen, e, M, x_next, AL, noise):
    """What a missing output fed back adds: its noise given that of measured ones, B e + F nu, enters through fu (n, m + p)."""
    n, p = AL.shape[0], B.shape[0]
    for i in range(n):
        for j in range(p):
            noise[i, j] = 0.0
        for a in range(p):
            if not seen[a]:
                for j in range(p):
                    noise[i, j] += fu[i, m + a] * F[a, j]
                    if seen[j]:
                        x_next[i] += fu[i, m + a] * B[a, j] * e[j]
                        for k in range(n):
                            AL[i, k] -= fu[i, m + a] * B[a, j] * M[j, k]


@kernel(condition_step, update_step, triangular_step, state_function, state_function, state_jacobian, state_jacobian, state_jacobian, mat, integer, vec,
        real, real, cube, cube, cube, cube, mat, mask_type, integer, vec, out_mat, out_mat, out_cube, out_mat, out_mat, *[out_cube] * 7, out_mat, out_vec, out_vec,
        nogil=True)  # fmt: skip
def extended(condition, update, triangularise, f, g, fx, gx, fu, U, m, p, t0, dt, FQ, R, B, F, Y, seen, iterations, x0, L, Yp, S, Xp, Xf, Pp, Pf, Lf, turn,
             ALs, E, At, zeta, L_out, x):  # fmt: skip
    """As `extended.extended`, on factors. FQ: (1 or T, n, n) with FQ FQ' = Q.

    B, F: (1 or T, q, q), the noise of missing outputs given that of measured ones, B e + F nu, where outputs are fed back.
    L: (n, n) the factor of P0, leaves as that at step T. S: (T, q, q) innovation covariances, or one. Pp, Pf, Lf, turn, ALs = A L(t|t),
    E, At = A: (T, n, n), or one where they are not to be kept; zeta: (T, n), or one. L_out: (T,) log-densities.
    Returns the step where a function was not finite (-1: none), and which one (0: g, 1: f).
    """
    T, n, q = len(Y), len(x0), Y.shape[1]
    size, kappa, W, M, V = max(n, q), np.empty((n, q)), np.empty((q, q)), np.empty((q, n)), np.empty((n, q))
    unit, work, spare, T2, root, info = np.empty((q, q)), np.empty((6, size)), np.empty((3, n, n)), np.empty((q, n)), np.empty((2, size)), np.empty(2)
    Z, tall, S2 = np.empty((n, n)), np.empty((2 * n, n)), np.empty((q, q))
    noise, narrow, wide = np.empty((n, q)), np.empty((n, n + q)), np.empty((n, 2 * n))
    e, about, step = np.empty(q), np.empty(n), np.empty(n)
    for i in range(n):
        x[i] = x0[i]
    for t in range(T):
        time = t0 + t * dt
        s, k, keep = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0, t if len(S) > 1 else 0
        r, b, w = t if len(R) > 1 else 0, t if len(B) > 1 else 0, t if len(FQ) > 1 else 0
        square(L, Pp[k])
        for i in range(n):
            Xp[s, i] = x[i]
            about[i] = x[i]
        for turns in range(iterations):
            y_hat, C = g(about, U[t], p, time), gx(about, U[t], p, time)
            if not finite(y_hat, C):
                return t, 0
            product(C, L, M)
            if turns == 0:
                innovation_covariance(M, R[r], S[keep])
                for j in range(q):
                    Yp[t, j] = y_hat[j]
            measured(condition, update, M, R[r], seen[t], kappa, W, turn[k], Z, unit, work, spare, T2, S2, V, root, info)
            for j in range(q):
                e[j] = Y[t, j] - y_hat[j] if seen[t, j] else 0.0
                if seen[t, j]:
                    for i in range(n):
                        e[j] -= C[j, i] * (Xp[s, i] - about[i])
            moved = advance(L, kappa, e, Xp[s], about, zeta[k], step, Pp[k])
            if moved < 1e-10:
                break
        L_out[t] = info[1] - 0.5 * squared(W, e, int(info[0]), Yp[t])
        lowered(triangularise, L, turn[k], tall)
        copy(tall[:n], Lf[k])
        square(Lf[k], Pf[k])
        following, A = f(about, U[t], p, time), fx(about, U[t], p, time)
        for i in range(n):
            Xf[s, i] = about[i]
            x[i] = following[i]
        if not finite(x, A):
            return t, 1
        copy(A, At[k])
        product(A, Lf[k], ALs[k])
        copy(FQ[w], E[k])
        if U.shape[1] > m and not seen[t].all():
            y_hat = g(about, U[t], p, time)
            for j in range(q):
                e[j] = Y[t, j] - y_hat[j] if seen[t, j] else 0.0
            product(C, Lf[k], M)
            fed_back(fu(about, U[t], p, time), m, B[b], F[b], seen[t], e, M, x, ALs[k], noise)
            joined(triangularise, FQ[w], noise, narrow, E[k])
        joined(triangularise, ALs[k], E[k], wide, L)
    return -1, 0
