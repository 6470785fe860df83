"""The extended Kalman filter with measurement noise of heavy tails: each update solved by reweighting the noise covariance.

    R_w = R / lambda (Student), or F diag(1/w) F' with R = F F' (Huber);   x, P by the Gaussian update with R_w
    lambda = (nu + p) / (nu + E |F^-1 (y - g(x))|^2),   w_j = min(1, k / |F^-1 (y - g(x))|_j)
                                                                    [Piche, Sarkka & Hartikainen 2012; Huber 1981, Sec. 7]
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
from .innovations import squared
from .matrices import copy, finite

mask_type = types.Array(types.boolean, 2, "C", readonly=True)


@helper
def moved_by(C, start, end, residual, seen, out):
    """The residual (p,) at `end` of the linear output that has `residual` at `start`."""
    for j in range(len(out)):
        out[j] = residual[j]
        if seen[j]:
            for i in range(len(start)):
                out[j] -= C[j, i] * (end[i] - start[i])


@helper
def cholesky(R, seen, F):
    """Lower-triangular F with F F' = R over the outputs seen; the unit matrix over the others."""
    p = len(seen)
    for i in range(p):
        for j in range(i + 1):
            total = R[i, j] if seen[i] and seen[j] else (1.0 if i == j else 0.0)
            for k in range(j):
                total -= F[i, k] * F[j, k]
            F[i, j] = np.sqrt(total) if i == j else total / F[j, j]
        for j in range(i + 1, p):
            F[i, j] = 0.0


@helper
def weighted(F, w, Rw):
    """Rw = F diag(1 / w) F'."""
    p = len(w)
    for i in range(p):
        for j in range(i + 1):
            total = 0.0
            for k in range(j + 1):
                total += F[i, k] * F[j, k] / w[k]
            Rw[i, j] = total
            Rw[j, i] = total


@helper
def reweigh(student, parameter, F, C, P, r, seen, white, row, w):
    """New weights w (p,) from the residuals r (p,) of the updated state; the largest relative change."""
    p, n = C.shape
    count, size = 0, 0.0
    for j in range(p):
        white[j] = r[j]
        for k in range(j):
            white[j] -= F[j, k] * white[k]
        white[j] /= F[j, j]
        if seen[j]:
            count += 1
            size += white[j] * white[j]
    if student:  # E |F^-1 (y - C x)|^2 has the state's own covariance too: |F^-1 C P^1/2|^2
        for i in range(n):
            for j in range(p):
                row[j] = 0.0
                if seen[j]:
                    for k in range(n):
                        row[j] += C[j, k] * P[k, i]
                for k in range(j):
                    row[j] -= F[j, k] * row[k]
                row[j] /= F[j, j]
            for j in range(p - 1, -1, -1):  # F'^-1 of it, against C
                for k in range(j + 1, p):
                    row[j] -= F[k, j] * row[k]
                row[j] /= F[j, j]
                if seen[j]:
                    size += row[j] * C[j, i]
    change = 0.0
    for j in range(p):
        new = 1.0
        if seen[j] and student:
            new = (parameter + count) / (parameter + size)
        elif seen[j] and abs(white[j]) > parameter:
            new = parameter / abs(white[j])
        new = max(new, 1e-200)
        change = max(change, abs(new - w[j]) / new)
        w[j] = new
    return change


@kernel(condition_step, propagate_step, state_function, state_function, state_jacobian, state_jacobian, mat, vec, real, real, cube, cube, mat, mask_type,
        integer, real, integer, vec, mat, out_mat, out_cube, out_mat, out_mat, out_cube, out_cube, out_cube, out_mat, out_vec, out_vec, out_mat, nogil=True)  # fmt: skip
def robust(condition, propagate, f, g, fx, gx, U, p, t0, dt, Q, R, Y, seen, student, parameter, iterations, x0, P0, Yp, Ct, Xp, Xf, Pp, Pf, AT, weights, L, x,
           P):  # fmt: skip
    """The reweighted filter. student: 1, and parameter nu; or 0, and parameter the threshold k. iterations: at most, in one update.

    weights: (T, q) leaves as the weight of each output, 1 where it is not seen. Other arguments as `extended.extended`.
    Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), the smallest share left, and the number
    of updates that had not settled to 1e-8.
    """
    T, n, q = len(Y), len(x0), Y.shape[1]
    size = max(n, q)
    M, S, V, root, info = np.empty((q, n)), np.empty((q, q)), np.empty((n, q)), np.empty((2, size)), np.empty(2)
    K, W, e, r, about, work = np.empty((n, q)), np.empty((q, q)), np.empty(q), np.empty(q), np.empty(n), np.empty((n, n))
    F, Rw, white, row = np.empty((q, q)), np.empty((q, q)), np.empty(q), np.empty(q)
    share, unsettled = 1.0, 0
    for i in range(n):
        x[i] = x0[i]
    copy(P0, P)
    for t in range(T):
        time = t0 + t * dt
        s, k = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0
        copy(P, Pp[k])
        cholesky(R[t if len(R) > 1 else 0], seen[t], F)
        for i in range(n):
            Xp[s, i] = x[i]
            about[i] = x[i]
        for j in range(q):
            weights[t, j] = 1.0
        left = 1.0
        for turn in range(iterations):
            y_hat, C = g(about, U[t], p, time), gx(about, U[t], p, time)
            if not finite(y_hat, C):
                return t, 0, share, unsettled
            if turn == 0:
                copy(C, Ct[k])
                for j in range(q):
                    Yp[t, j] = y_hat[j]
            weighted(F, weights[t], Rw)
            left = condition(Pp[k], C, Rw, seen[t], K, W, Pf[k], M, S, work, V, root, info)
            for j in range(q):
                r[j] = Y[t, j] - y_hat[j] if seen[t, j] else 0.0
            moved_by(C, about, Xp[s], r, seen[t], e)
            moved = 0.0
            for i in range(n):
                new = Xp[s, i]
                for j in range(q):
                    new += K[i, j] * e[j]
                moved = max(moved, abs(new - about[i]) / (np.sqrt(P[i, i]) + 1e-300))
                about[i] = new
            moved_by(C, Xp[s], about, e, seen[t], r)
            L[t] = info[1] - 0.5 * squared(W, e, int(info[0]), Yp[t])
            change = reweigh(student, parameter, F, C, Pf[k], r, seen[t], white, row, weights[t])
            if (turn > 0 and moved < 1e-8 and change < 1e-8) or (change == 0.0 and moved == 0.0):
                break
            if turn == iterations - 1:
                unsettled += 1
        following, A = f(about, U[t], p, time), fx(about, U[t], p, time)
        for i in range(n):
            Xf[s, i] = about[i]
            x[i] = following[i]
        if not finite(x, A):
            return t, 1, share, unsettled
        copy(A.T, AT[k])
        share = min(share, left, propagate(AT[k], Pf[k], Q[t if len(Q) > 1 else 0], work, root, P))
    return -1, 0, share, unsettled
