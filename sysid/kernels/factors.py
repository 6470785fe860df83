"""Two steps on a factor L of a covariance P = L L', for every square-root filter and smoother.

    measurement, one decorrelated output c'x + v, Var v = r at a time:  phi = L'c,  s = phi'phi + r,
        K = L phi / s,  L <- L - K phi' / (1 + sqrt(r / s))                                  [Potter 1963; Bierman 1977]
    compression:  M Theta = [L, 0], Theta orthogonal, so that L L' = M M'                    [Kailath 1968]

Filters take them as function arguments (`update_step`, `triangular_step`): compiled once, they serve them all.
"""

from __future__ import annotations

import numpy as np

from ._jit import flag, helper, integer, kernel, mask_row, mat, out_mat, out_vec, real

EPS = 2.220446049250313e-16
LOG_2PI = 1.8378770664093453
LEAST = 1e-26  # a variance below this share of what it was before the measurements of its step is not told from zero
SMALLEST = 1e-280  # variances below it have left double precision


@kernel(out_mat, integer, returns=real)
def triangularise(M, rows):
    """Householder reflections from the right take the first rows of M (k, m) to a lower staircase, in place.

    A row that depends on those above to rounding takes no column of its own. Returns the rank found.
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
    return float(column)


@helper
def lengths(L, out):
    """The standard deviations (n,) behind L."""
    for i in range(L.shape[0]):
        out[i] = 0.0
        for k in range(L.shape[1]):
            out[i] += L[i, k] * L[i, k]
        out[i] = np.sqrt(out[i])


@helper
def decorrelate(R, seen, D, unit, work):
    """R = U D U' with unit lower-triangular U over the rows seen: the diagonal of D, and unit = U^-1.

    D[j] is the variance of the combination unit[j] of the outputs: zero where rounding of theirs could have made it.
    """
    p = len(seen)
    for i in range(p):
        for j in range(p):
            work[i, j] = R[i, j] if seen[i] and seen[j] else 0.0
            unit[i, j] = 1.0 if i == j and seen[i] else 0.0
    for j in range(p):
        D[j], gross = max(work[j, j], 0.0), 0.0
        for k in range(j + 1):
            gross += abs(unit[j, k]) * np.sqrt(R[k, k])
        if not work[j, j] > 8.0 * EPS * gross * gross:
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
def seen_along(c, L, phi):
    """phi = L'c without what is rounding; returns phi'phi."""
    n, total = L.shape[0], 0.0
    for k in range(n):
        phi[k] = 0.0
        size = 0.0
        for i in range(n):
            phi[k] += c[i] * L[i, k]
            size += abs(c[i] * L[i, k])
        if abs(phi[k]) <= 4.0 * n * EPS * size:
            phi[k] = 0.0
        total += phi[k] * phi[k]
    return total


@helper
def project(M, phi, s):
    """M <- M (I - phi phi' / s), s = phi'phi, as a reflection of phi to one axis, whose column goes: the rank falls by one, exactly."""
    q = 0
    for k in range(M.shape[1]):
        q = k if abs(phi[k]) > abs(phi[q]) else q
    head = phi[q] + np.copysign(np.sqrt(s), phi[q])
    for i in range(M.shape[0]):
        along = M[i, q] * head
        for k in range(M.shape[1]):
            along += M[i, k] * phi[k] if k != q else 0.0
        along /= np.sqrt(s) * abs(head)
        for k in range(M.shape[1]):
            M[i, k] -= along * phi[k]
        M[i, q] = 0.0


@kernel(out_mat, mat, mat, mask_row, *[out_mat] * 6, out_vec, returns=flag)
def update(L, C, R, seen, K, W, kappa, turn, unit, work, info):
    """Potter's update of L (n, n) by the outputs seen; K (n, p) and W (p, p) act on the innovation as it is measured.

    With L0 the factor before, K = L0 kappa (n, p) and L = L0 turn (n, n). W S W' = I, S the innovation covariance.
    unit: (p, p) and work: (6, max(n, p)) are workspace. info leaves as [rank, constant of the log-density].
    Returns whether an innovation had no variance: the caller then turns to the pseudo-inverse.
    """
    n, p = L.shape[0], len(seen)
    D, phi, gain, c, w, root = work[0], work[1], work[2], work[3], work[4], work[5]
    decorrelate(R, seen, D, unit, W)
    lengths(L, root)
    for i in range(n):
        for j in range(p):
            K[i, j] = 0.0
            kappa[i, j] = 0.0
        for j in range(n):
            turn[i, j] = 1.0 if i == j else 0.0
    rank, missing, log_det, exact = p, 0, 0.0, True
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
        s, exact = D[j] + seen_along(c, L, phi), exact and D[j] == 0.0
        known = 0.0
        for k in range(n):
            known += abs(c[k]) * root[k]
        if not s > max(LEAST * (D[j] + known * known), SMALLEST):
            rank -= 1
            continue
        for i in range(n):
            gain[i] = 0.0
            for k in range(n):
                gain[i] += L[i, k] * phi[k]
        for i in range(n):
            total = 0.0
            for k in range(n):
                total += turn[i, k] * phi[k]
            for k in range(p):
                K[i, k] += gain[i] / s * w[k]
                kappa[i, k] += total / s * w[k]
            share = 1.0 / (s * (1.0 + np.sqrt(D[j] / s)))
            for k in range(n if D[j] > 0.0 else 0):
                L[i, k] -= gain[i] * share * phi[k]
                turn[i, k] -= total * share * phi[k]
        if D[j] == 0.0:
            project(L, phi, s)
            project(turn, phi, s)
        log_det += np.log(s)
        for k in range(p):
            W[j, k] = w[k] / np.sqrt(s)
    info[0], info[1] = p, -0.5 * ((p - missing) * LOG_2PI + log_det)
    lengths(L, gain)
    for i in range(n):
        if exact and gain[i] < 1e-13 * root[i]:  # free of noise: what is left is rounding
            for k in range(n):
                L[i, k] = 0.0
    return rank < p
