"""Filter and smoother in square-root form: every covariance as L L', so that none can lose its sign or half its digits.

    measurement, one decorrelated output c'x + v, Var v = r at a time:  phi = L'c,  s = phi'phi + r,
        K = L phi / s,  L <- L - K phi' / (1 + sqrt(r / s))                                  [Potter 1963; Bierman 1977]
    time:      [A L, Q^1/2] Theta = [L+, 0]                                                  [Kailath 1968]
    With L(t|t) = L(t|t-1) Gamma and A L(t|t) = L(t+1|t) Theta1', Theta = [Theta1, Theta2] orthonormal rows, the smoothed
    law x(t|T) = x(t|t) + L rho, P(t|T) = L M L' obeys a recursion without any inverse:
    rho = Theta1 (kappa e + Gamma rho+),   M = N N',  N = [Theta2, Theta1 Gamma N+] Theta'
where kappa e, Gamma are those of the next measurement; derived from the square-root form of [Park & Kailath 1995].
"""

from __future__ import annotations

import numpy as np

from ._jit import condition_step, cube, flag, helper, kernel, mat, out_cube, out_mat, out_vec, types

mask_type = types.Array(types.boolean, 2, "C", readonly=True)
index_type = types.Array(types.int64, 1, "C", readonly=True)
out_index = types.Array(types.int64, 1, "C")

EPS = 2.220446049250313e-16
LOG_2PI = 1.8378770664093453
LEAST = 1e-26  # a variance below this share of what it was before the measurements of its step is not told from zero
SMALLEST = 1e-280  # variances below it have left double precision


@helper
def copy(source, target):
    """target = source for matrices; a slice assignment compiles to far more code."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@helper
def triangularise(M, rows):
    """Householder reflections from the right take the first rows of M (k, m) to a lower staircase, in place.

    A row that depends on those above to rounding takes no column of its own.
    """
    k, m = M.shape
    column = 0
    for i in range(rows):
        gross, rest = 0.0, 0.0
        for j in range(m):
            gross = max(gross, abs(M[i, j]))
        for j in range(column, m):
            rest = max(rest, abs(M[i, j]))
        if not rest > 8.0 * m * EPS * gross:
            for j in range(column, m):
                M[i, j] = 0.0
            continue
        norm = 0.0
        for j in range(column, m):  # the reflection is formed from the row scaled to 1: nothing can underflow
            M[i, j] /= rest
            norm += M[i, j] * M[i, j]
        norm = np.sqrt(norm)
        head = M[i, column]
        alpha = -norm if head > 0.0 else norm
        v0 = head - alpha
        for r in range(i + 1, k):
            total = M[r, column] * v0
            for j in range(column + 1, m):
                total += M[r, j] * M[i, j]
            total /= -alpha * v0
            M[r, column] -= total * v0
            for j in range(column + 1, m):
                M[r, j] -= total * M[i, j]
        M[i, column] = abs(alpha) * rest
        for j in range(column + 1, m):
            M[i, j] = 0.0
        if alpha < 0.0:  # a positive diagonal makes the factor unique, so that a converged one repeats
            for r in range(i + 1, k):
                M[r, column] = -M[r, column]
        column += 1


@helper
def product(A, B, out):
    """out = A B into the upper left corner."""
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            out[i, j] = 0.0
        for k in range(A.shape[1]):
            a = A[i, k]
            if a != 0.0:
                for j in range(B.shape[1]):
                    out[i, j] += a * B[k, j]


@helper
def square(L, P):
    """P = L L'."""
    for i in range(P.shape[0]):
        for j in range(i + 1):
            total = 0.0
            for k in range(L.shape[1]):
                total += L[i, k] * L[j, k]
            P[i, j] = total
            P[j, i] = total
        if not P[i, i] > SMALLEST:
            for j in range(i + 1):
                P[i, j] = 0.0
                P[j, i] = 0.0


@helper
def lengths(L):
    """The standard deviations (n,) behind L."""
    out = np.zeros(L.shape[0])
    for i in range(L.shape[0]):
        for k in range(L.shape[1]):
            out[i] += L[i, k] * L[i, k]
        out[i] = np.sqrt(out[i])
    return out


@helper
def decorrelate(R, seen, D, unit):
    """R = U D U' with unit lower-triangular U over the rows seen: the diagonal of D, and unit = U^-1."""
    p = len(seen)
    work = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            work[i, j] = R[i, j] if seen[i] and seen[j] else 0.0
            unit[i, j] = 1.0 if i == j and seen[i] else 0.0
    for j in range(p):
        D[j] = max(work[j, j], 0.0)
        if not work[j, j] > 8.0 * EPS * R[j, j]:
            D[j] = 0.0
            continue
        for i in range(j + 1, p):
            factor = work[i, j] / work[j, j]
            if factor != 0.0:
                for k in range(j + 1, p):
                    work[i, k] -= factor * work[j, k]
                for k in range(j + 1):
                    unit[i, k] -= factor * unit[j, k]


@helper
def update(L, C, seen, K, W, kappa, turn, D, unit, phi, gain, info):
    """Potter's update of L by the outputs seen, D and unit as `decorrelate` leaves them; K (n, p), W (p, p) act on the innovation as it is measured.

    With L0 the factor before, K = L0 kappa (n, p) and L = L0 turn (n, n).

    Returns whether an innovation had no variance; info leaves as [rank, constant of the log-density].
    """
    n, p = L.shape[0], len(seen)
    for i in range(n):
        for j in range(p):
            K[i, j] = 0.0
            kappa[i, j] = 0.0
        for j in range(n):
            turn[i, j] = 1.0 if i == j else 0.0
    rank, missing, log_det = p, 0, 0.0
    c, w, root = np.empty(n), np.empty(p), lengths(L)
    for j in range(p):
        if not seen[j]:
            missing += 1
            for k in range(p):
                W[j, k] = 0.0
            continue
        for i in range(n):
            c[i] = 0.0
            for k in range(j + 1):
                c[i] += unit[j, k] * C[k, i]
        for k in range(p):
            w[k] = unit[j, k]
            for i in range(n):
                w[k] -= c[i] * K[i, k]
        s, known, gross = D[j], 0.0, D[j]
        for k in range(n):
            phi[k] = 0.0
            size = 0.0
            known += abs(c[k]) * root[k]
            for i in range(n):
                phi[k] += c[i] * L[i, k]
                size += abs(c[i] * L[i, k])
            if abs(phi[k]) <= 4.0 * n * EPS * size:
                phi[k] = 0.0
            s += phi[k] * phi[k]
        gross += known * known
        if not s > max(LEAST * gross, SMALLEST):
            rank -= 1
            continue
        for i in range(n):
            gain[i] = 0.0
            for k in range(n):
                gain[i] += L[i, k] * phi[k]
        for i in range(n):
            for k in range(n):
                L[i, k] -= gain[i] / (s * (1.0 + np.sqrt(D[j] / s))) * phi[k]
            for k in range(p):
                K[i, k] += gain[i] / s * w[k]
        for i in range(n):
            total = 0.0
            for k in range(n):
                total += turn[i, k] * phi[k]
            for k in range(p):
                kappa[i, k] += total / s * w[k]
            for k in range(n):
                turn[i, k] -= total / (s * (1.0 + np.sqrt(D[j] / s))) * phi[k]
        log_det += np.log(s)
        for k in range(p):
            W[j, k] = w[k] / np.sqrt(s)
    info[0], info[1] = p, -0.5 * ((p - missing) * LOG_2PI + log_det)
    return rank < p


@helper
def unchanged(P, before, largest):
    """Whether P moved by no more than rounding, each entry relative to its own variances."""
    n = P.shape[0]
    for i in range(n):
        largest[i] = max(largest[i], P[i, i])
        for j in range(i + 1):
            allowed = 64.0 * np.sqrt(n) * EPS * np.sqrt(P[i, i] * P[j, j]) + 1e-30 * np.sqrt(largest[i] * largest[j])
            if abs(P[i, j] - before[i, j]) > allowed:
                return False
    return True


@kernel(condition_step, cube, cube, cube, cube, mask_type, mat, flag, *[out_cube] * 7, out_vec, out_index, out_index, out_mat, nogil=True)  # fmt: skip
def covariances(condition, A, C, FQ, R, seen, L0, may_stop, Pp, Pf, Lf, K, W, kappa, turn, const, rank, index, L):
    """As `filtering.covariances`, on factors. A: (k, n, n). FQ: (k, n, n) with FQ FQ' = Q. L0: (n, n) with L0 L0' = P0.

    Lf: (slots, n, n) factors of the filtered covariances, or one slot. kappa (slots, n, p), turn
    (slots, n, n): K and L(t|t) in the basis L(t|t-1), for the smoother. L (n, n) leaves as the factor at step T.
    Returns the number of slots.
    """
    T, n, p = len(seen), L.shape[0], C.shape[1]
    M, S, V, T2 = np.empty((p, n)), np.empty((p, p)), np.empty((n, p)), np.empty((n, n))
    root, info, D, unit = np.empty((2, max(n, p))), np.empty(2), np.empty(p), np.empty((p, p))
    phi, gain, wide = np.empty(n), np.empty(n), np.empty((n, 2 * n))
    before, largest, spare = np.zeros((n, n)), np.zeros(n), np.empty((n, n))
    copy(L0, L)
    slot, streak, frozen = -1, 0, False
    for t in range(T):
        complete = may_stop
        for j in range(p):
            complete = complete and seen[t, j]
        if frozen and complete:
            index[t] = slot
            continue
        frozen = False
        slot += 1
        a, c = t if len(A) > 1 else 0, t if len(C) > 1 else 0
        q, r = t if len(FQ) > 1 else 0, t if len(R) > 1 else 0
        keep = slot if len(Pp) > 1 else 0
        index[t] = slot
        square(L, Pp[keep])
        decorrelate(R[r], seen[t], D, unit)
        if update(L, C[c], seen[t], K[slot], W[slot], kappa[keep], turn[keep], D, unit, phi, gain, info):
            condition(Pp[keep], C[c], R[r], seen[t], K[slot], W[slot], spare, M, S, T2, V, root, info)
        rank[slot], const[slot] = int(info[0]), info[1]
        square(L, Pf[keep])
        copy(L, Lf[keep])
        product(A[a], L, wide)
        for i in range(n):
            for j in range(n):
                wide[i, n + j] = FQ[q, i, j]
        triangularise(wide, n)
        for i in range(n):
            for j in range(n):
                L[i, j] = wide[i, j] if abs(wide[i, j]) > 1e-145 else 0.0
        streak = streak + 1 if complete else 0
        if streak % 16 == 1:
            square(L, before)
        elif streak > 16 and streak % 16 == 0:
            square(L, spare)
            frozen = unchanged(spare, before, largest)
    return slot + 1


@helper
def rotation(A, FQ, L, wide):
    """wide[n:] = [Theta1, Theta2], the orthonormal rows with A L = L+ Theta1' and FQ = L+ Theta2' in part."""
    n = L.shape[0]
    product(A, L, wide)
    for i in range(n):
        for j in range(n):
            wide[i, n + j] = FQ[i, j]
            wide[n + i, j] = 1.0 if i == j else 0.0
            wide[n + i, n + j] = 0.0
    triangularise(wide, n)


@kernel(cube, cube, cube, cube, index_type, out_cube, out_cube, out_cube, out_index, nogil=True)
def smoothed(A, FQ, Lf, turn, index, Theta, Ps, cross, place):
    """Smoothed covariances backward from the filter's factors.

    Lf, turn: (slots, n, n), index: (T,). Theta: (slots, n, n) leaves as Theta1 of each slot. Ps: (T, n, n) and
    cross: (T, n, n), Cov(x[t+1], x[t]), in slots place (T,). Returns the slots used.
    """
    T, n = len(index), Lf.shape[1]
    wide, N, Z, array = np.empty((2 * n, 2 * n)), np.eye(n), np.empty((n, n)), np.empty((n, 2 * n))
    X, Y, before, largest = np.empty((n, n)), np.empty((n, n)), np.empty((n, n)), np.zeros(n)
    square(Lf[index[T - 1]], Ps[0])
    place[T - 1] = 0
    slot, streak, frozen = 0, 0, False
    for t in range(T - 2, -1, -1):
        j = index[t]
        same = j == index[t + 1]
        if frozen and same:
            place[t] = slot
            continue
        if not same or t == T - 2:
            rotation(A[t if len(A) > 1 else 0], FQ[t if len(FQ) > 1 else 0], Lf[j], wide)
            for r in range(n):
                for k in range(n):
                    Theta[j, r, k] = wide[n + r, k]
            frozen, streak = False, 0
        slot += 1
        # x(t+1) - its prediction = L+ Z z, x(t) = L (Theta1 Z z + Theta2 z'), z and z' of unit covariance
        product(turn[index[t + 1]], N, Z)
        product(Theta[j], Z, array)
        product(Lf[j], array[:, :n], X)
        product(wide[:n, :n], Z, Y)
        for r in range(n):
            for k in range(n):
                array[r, n + k] = wide[n + r, n + k]
                cross[slot, r, k] = 0.0
                for i in range(n):
                    cross[slot, r, k] += Y[r, i] * X[k, i]
        triangularise(array, n)
        copy(array[:, :n], N)
        product(Lf[j], N, X)
        square(X, Ps[slot])
        place[t] = slot
        streak += 1
        if streak % 16 == 1:
            square(N, before)
        elif streak > 16 and streak % 16 == 0:
            square(N, Z)
            frozen = unchanged(Z, before, largest)
    return slot + 1


@kernel(cube, cube, cube, cube, index_type, cube, cube, out_cube, nogil=True)
def smoothed_means(Theta, Lf, turn, kappa, index, E, Xf, Xs):
    """Smoothed means of S sequences. E: (S, T, p) innovations, zero where missing. Xf, Xs: (S, T, n)."""
    T, n, p = Xf.shape[1], Xf.shape[2], E.shape[2]
    rho, ahead = np.empty(n), np.empty(n)
    for s in range(len(Xf)):
        for i in range(n):
            rho[i] = 0.0
            Xs[s, T - 1, i] = Xf[s, T - 1, i]
        for t in range(T - 2, -1, -1):
            j, k = index[t], index[t + 1]
            for i in range(n):
                ahead[i] = 0.0
                for r in range(p):
                    ahead[i] += kappa[k, i, r] * E[s, t + 1, r]
                for r in range(n):
                    ahead[i] += turn[k, i, r] * rho[r]
            for i in range(n):
                rho[i] = 0.0
                for r in range(n):
                    rho[i] += Theta[j, i, r] * ahead[r]
            for i in range(n):
                Xs[s, t, i] = Xf[s, t, i]
                for r in range(n):
                    Xs[s, t, i] += Lf[j, i, r] * rho[r]
