"""Conditioning one output at a time: no matrix is factored but R, which is done once for outputs without correlation.

    s = c'P c + r,  k = P c / s,  x <- x + k (y - c'x),  P <- (I - k c') P (I - k c')' + r k k'    [Bierman 1977, Ch. III]
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mask_row, mat, out_mat, out_vec, real

EPS = 2.220446049250313e-16
LOG_2PI = 1.8378770664093453


@helper
def eliminate(j, S, M, W):
    """Take output j out of those after it, so that their noises are uncorrelated with its own."""
    p = S.shape[0]
    for i in range(j + 1, p):
        factor = S[i, j] / S[j, j]
        if factor != 0.0:
            for k in range(j + 1, p):
                S[i, k] -= factor * S[j, k]
            for k in range(M.shape[1]):
                M[i, k] -= factor * M[j, k]
            for k in range(p):
                W[i, k] -= factor * W[j, k]


@helper
def own_noise(j, S, R, W):
    """The variance of the combination W[j] of noises, zero where rounding of theirs could have made it."""
    gross = 0.0
    for k in range(j + 1):
        gross += abs(W[j, k]) * np.sqrt(R[k, k])
    return S[j, j] if S[j, j] > 8.0 * EPS * gross * gross else 0.0


@helper
def cleared(P, out):
    """Zero the variances that vanished; the smallest share left of any other."""
    n, share = P.shape[0], 1.0
    for i in range(n):
        if not out[i, i] > 1e-280:
            for k in range(n):
                out[i, k] = 0.0
                out[k, i] = 0.0
        elif P[i, i] > 0.0:
            share = min(share, out[i, i] / P[i, i])
    return share


@kernel(mat, mat, mat, mask_row, *[out_mat] * 8, out_vec, returns=real)
def condition(P, C, R, seen, K, W, out, M, S, T, V, root, info):
    """As `conditioning.condition`, sequentially; M (p, n), S (p, p), V (n, p), root (2, .) are workspace.

    R is taken apart as U D U' with unit lower-triangular U. An output without variance of its own is skipped; rank leaves
    below the number seen, and the caller turns to the pseudo-inverse.
    """
    n, p = P.shape[0], C.shape[0]
    for i in range(p):
        for k in range(n):
            M[i, k] = C[i, k]
        for k in range(p):
            S[i, k] = R[i, k] if seen[i] and seen[k] else 0.0
            W[i, k] = 1.0 if i == k and seen[i] else 0.0
    for i in range(n):
        for k in range(p):
            K[i, k] = 0.0
        for k in range(n):
            out[i, k] = P[i, k]
    share, log_det, count, skipped = 1.0, 0.0, 0, 0
    for j in range(p):
        if not seen[j]:
            continue
        r = own_noise(j, S, R, W)
        if r > 0.0:
            share = min(share, r / R[j, j])
            eliminate(j, S, M, W)
        s, gross = r, 0.0
        for i in range(n):
            total = 0.0
            for k in range(n):
                total += out[i, k] * M[j, k]
            root[0, i] = total
            s += M[j, i] * total
            gross += abs(M[j, i]) * np.sqrt(out[i, i])
        gross = gross * gross + r
        for k in range(p):
            total = W[j, k]
            for i in range(n):
                total -= M[j, i] * K[i, k]
            W[j, k] = total
        if not s > max(8.0 * (n + p) * EPS * gross, 1e-280):
            skipped += 1
            continue
        count += 1
        share = min(share, s / gross)
        log_det += np.log(s)
        for i in range(n):
            k_i = root[0, i] / s
            for k in range(p):
                K[i, k] += k_i * W[j, k]
            root[1, i] = k_i
            for k in range(n):
                T[i, k] = out[i, k] - k_i * root[0, k]
        for i in range(n):
            total = root[1, i] * r
            for k in range(n):
                total -= T[i, k] * M[j, k]
            for k in range(i + 1):
                out[i, k] = T[i, k] + total * root[1, k]
                out[k, i] = out[i, k]
        for k in range(p):
            W[j, k] /= np.sqrt(s)
    info[0], info[1] = p, -0.5 * (count * LOG_2PI + log_det)
    return -1.0 if skipped > 0 else share * cleared(P, out)  # an error of a gain is divided once more
