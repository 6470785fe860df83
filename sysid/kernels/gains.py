"""The gain of a measurement and what whitens its innovation, by Cholesky or, where that fails, by pseudo-inverse.

    S = C P C' + R = L L',   W = L^-1,   V = P C' W',   K = V W        [Anderson & Moore 1979, Sec. 3.1]

Every comparison is relative to the covariances at hand, so a change of units changes nothing.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper
from .matrices import multiply

EPS = 2.220446049250313e-16
LOG_2PI = 1.8378770664093453
BLAS = 200  # products from which a library call is faster
LARGE = 3000  # the same for sums over a symmetric half, n p^2


@helper
def eigen(S, vectors):
    """Cyclic Jacobi on a symmetric S, overwritten: its diagonal holds the eigenvalues, `vectors` the columns."""
    p = S.shape[0]
    for i in range(p):
        for j in range(p):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(30):
        rest = 0.0
        for i in range(p):
            for j in range(i + 1, p):
                if abs(S[i, j]) > 1e-300 + 1e-17 * (abs(S[i, i]) + abs(S[j, j])):
                    rest = 1.0
                    theta = 0.5 * (S[j, j] - S[i, i]) / S[i, j]
                    tangent = 1.0 / (abs(theta) + np.sqrt(1.0 + theta * theta))
                    if theta < 0.0:
                        tangent = -tangent
                    c = 1.0 / np.sqrt(1.0 + tangent * tangent)
                    s = c * tangent
                    for k in range(p):
                        a, b = S[k, i], S[k, j]
                        S[k, i], S[k, j] = c * a - s * b, s * a + c * b
                        a, b = vectors[k, i], vectors[k, j]
                        vectors[k, i], vectors[k, j] = c * a - s * b, s * a + c * b
                    for k in range(p):
                        a, b = S[i, k], S[j, k]
                        S[i, k], S[j, k] = c * a - s * b, s * a + c * b
        if rest == 0.0:
            break


@helper
def singular_gain(S, M, scale, seen, tiny, K, W):
    """Gain by pseudo-inverse where S has no Cholesky factor; the last rows of W span its null space.

    Returns the rank, and log pdet S, the product of its nonzero eigenvalues.
    """
    n, p = K.shape
    for i in range(p):
        for j in range(p):
            S[i, j] /= scale[i] * scale[j]
    vectors, basis = np.empty((p, p)), np.empty((p, p))
    eigen(S, vectors)
    rank, null, log_det = 0, p, 0.0
    for r in range(p):
        regular = S[r, r] > tiny
        if regular:
            row, size = rank, 1.0 / np.sqrt(S[r, r])
            rank += 1
            log_det += np.log(S[r, r])
        else:
            null -= 1
            row, size = null, 1.0
        for j in range(p):
            W[row, j] = vectors[j, r] / scale[j] * size if seen[j] else 0.0
            basis[row, j] = vectors[j, r] * scale[j]
    # pdet(D U L U' D) = det L det(U' D^2 U), the latter from the lengths that Gram-Schmidt leaves.
    for r in range(rank):
        for k in range(r):
            along = 0.0
            for j in range(p):
                along += basis[r, j] * basis[k, j]
            for j in range(p):
                basis[r, j] -= along * basis[k, j]
        length = 0.0
        for j in range(p):
            length += basis[r, j] * basis[r, j]
        length = np.sqrt(length)
        log_det += 2.0 * np.log(length)
        for j in range(p):
            basis[r, j] /= length
    for i in range(n):
        for j in range(p):
            K[i, j] = 0.0
        for r in range(rank):
            v = 0.0
            for j in range(p):
                v += W[r, j] * M[j, i]
            for j in range(p):
                K[i, j] += v * W[r, j]
    return rank, log_det


@helper
def whiten(S, scale, tiny, W):
    """W = L^-1 from the Cholesky factor S = L L'. scale^2: what each diagonal entry of S was summed from.

    Returns whether S is regular, the smallest share of such a sum left by cancellation, and log det S.
    """
    p = S.shape[0]
    share, log_det = 1.0, 0.0
    # W holds L in its lower triangle until it is inverted in place.
    for j in range(p):
        for i in range(j, p):
            total = S[i, j]
            for k in range(j):
                total -= W[i, k] * W[j, k]
            if i == j:
                left = total / (scale[j] * scale[j]) if scale[j] > 1e-140 else 0.0
                if not left > tiny:
                    return False, share, log_det
                share = min(share, left)
                W[j, j] = np.sqrt(total)
                log_det += np.log(total)
            else:
                W[i, j] = total / W[j, j]
    for j in range(p):
        W[j, j] = 1.0 / W[j, j]
        for i in range(j + 1, p):
            total = 0.0
            for k in range(j, i):
                total -= W[i, k] * W[k, j]
            W[i, j] = total / W[i, i]
        for i in range(j):
            W[i, j] = 0.0
    return True, share, log_det


@helper
def innovation(P, C, R, seen, M, S, root):
    """M = C P and S = C P C' + R for the outputs seen, one on the diagonal for the others; returns how many are missing.

    root leaves as [square roots of P's variances, of what each variance of S was summed from].
    """
    n, p = P.shape[0], C.shape[0]
    scale = root[1]
    for i in range(n):
        root[0, i] = np.sqrt(P[i, i])
    multiply(C, P, M, BLAS)
    missing = 0
    for j in range(p):
        if not seen[j]:
            missing += 1
            for i in range(n):
                M[j, i] = 0.0
            scale[j] = 1.0
        else:
            total = 0.0
            for i in range(n):
                total += abs(C[j, i]) * root[0, i]
            scale[j] = np.sqrt(total * total + R[j, j])
    large = n * p * p > LARGE
    if large:
        np.dot(M, C.T, S)
    for i in range(p):
        for j in range(i + 1):
            total = 0.0
            if seen[i] and seen[j]:
                total = R[i, j]
                if large:
                    total += S[i, j]
                else:
                    for k in range(n):
                        total += M[i, k] * C[j, k]
            elif i == j:
                total = 1.0
            S[i, j] = total
            S[j, i] = total
    return missing


@helper
def gain(P, C, R, seen, K, W, M, S, V, root):
    """K (n, p), whitening W (p, p) with W S W' = I, V = P C' W' (n, p), and M = C P; rows of missing outputs are zero.

    Returns whether S is regular, its rank, the constant of the log-density, and the smallest share of a variance left.
    """
    n, p = P.shape[0], C.shape[0]
    scale = root[1]
    missing = innovation(P, C, R, seen, M, S, root)
    tiny = 8.0 * (n + p) * EPS
    regular, share, log_det = whiten(S, scale, tiny, W)
    if not regular:
        for j in range(p):
            if not scale[j] > 1e-140:
                scale[j] = 1.0
        rank, log_det = singular_gain(S, M, scale, seen, tiny, K, W)
        return False, rank, -0.5 * ((rank - missing) * LOG_2PI + log_det), share
    if n * p * p > LARGE:
        np.dot(M.T, W.T, V)
        np.dot(V, W, K)
        return True, p, -0.5 * ((p - missing) * LOG_2PI + log_det), share
    for i in range(n):
        for j in range(p):
            K[i, j] = 0.0
        for k in range(p):
            v = 0.0
            for j in range(k + 1):
                v += W[k, j] * M[j, i]
            V[i, k] = v
            for j in range(k + 1):
                K[i, j] += v * W[k, j]
    return True, p, -0.5 * ((p - missing) * LOG_2PI + log_det), share
