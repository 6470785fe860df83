"""Conditioning of a covariance on a measurement, the update of every Gaussian filter.

    S = C P C' + R = L L',   V = P C' L^-T,   K = V L^-1,   P(t|t) = P - V V'        [Anderson & Moore 1979, Sec. 3.1]

Where cancellation leaves little of a variance, Joseph's form (I - K C) P (I - K C)' + K R K' takes the place of P - V V'.

Every comparison is relative to the covariances at hand, so a change of units changes nothing. Filters take this step
as a function argument (`condition_step`): compiled once, it serves them all.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper, kernel, mask_row, mat, out_mat, out_vec, real

EPS = 2.220446049250313e-16
LOG_2PI = 1.8378770664093453
SMALLEST = 1e-280  # variances below it have left double precision
HANDFUL = 6  # up to so many states plain loops are faster than BLAS
AMPLE = 1e-3  # where this share of every variance is left, P - V V' has lost no more than three digits to cancellation


@helper
def multiply(A, B, out):
    """out = A B, by rows so that the inner loop runs along memory; zeros of A cost nothing."""
    if A.shape[0] * A.shape[1] * B.shape[1] > 200:
        np.dot(A, B, out)
        return
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            out[i, j] = 0.0
        for k in range(A.shape[1]):
            a = A[i, k]
            if a != 0.0:
                for j in range(B.shape[1]):
                    out[i, j] += a * B[k, j]


@helper
def mirror(P):
    for i in range(P.shape[0]):
        for j in range(i):
            P[j, i] = P[i, j]


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
    multiply(C, P, M)
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
    large = n * p * p > 3000
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
    if n * p * p > 3000:
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


@helper
def plain(P, V, out):
    """out = P - V V'; returns the smallest share of a variance left, or -1 where one is not ample."""
    n, p = V.shape
    large = n * n * p > 400
    if large:
        np.dot(V, V.T, out)
    share = 1.0
    for i in range(n):
        total = 0.0
        if large:
            total = out[i, i]
        else:
            for k in range(p):
                total += V[i, k] * V[i, k]
        left = P[i, i] - total
        if left < share * P[i, i]:
            if not left > AMPLE * P[i, i]:
                return -1.0
            share = left / P[i, i]
        if P[i, i] > 0.0 and not left > SMALLEST:
            return -1.0
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            if large:
                total = out[i, j]
            else:
                for k in range(p):
                    total += V[i, k] * V[j, k]
            out[i, j] = P[i, j] - total
            out[j, i] = out[i, j]
    return share


@helper
def joseph(P, K, C, R, seen, M, T, V, out):
    """out = (I - K C) P (I - K C)' + K R K', M = C P; returns the smallest share of a variance left.

    A sum of positive semidefinite terms stays so to rounding. Where every output is free of noise, variances that
    vanish to rounding are set to zero.
    """
    n, p = K.shape
    exact = True
    for i in range(n):
        for j in range(n):
            T[i, j] = P[i, j]
        for k in range(p):
            a = K[i, k]
            if a != 0.0:
                for j in range(n):
                    T[i, j] -= a * M[k, j]
    for i in range(n):
        for k in range(p):
            total = 0.0
            if seen[k]:
                for j in range(p):
                    if seen[j]:
                        total += K[i, j] * R[j, k]
                for j in range(n):
                    total -= T[i, j] * C[k, j]
            V[i, k] = total
    for i in range(n):
        for j in range(i + 1):
            out[i, j] = T[i, j]
        for k in range(p):
            a = V[i, k]
            if a != 0.0:
                for j in range(i + 1):
                    out[i, j] += a * K[j, k]
    for k in range(p):
        if seen[k] and R[k, k] > 0.0:
            exact = False
    share = 1.0
    for i in range(n):
        left = out[i, i] / P[i, i] if P[i, i] > 0.0 else 1.0
        if not out[i, i] > SMALLEST or (exact and left < 1e-13):
            for j in range(n):
                out[i, j] = 0.0
                out[j, i] = 0.0
        elif left < share:
            share = left
    mirror(out)
    return share


@helper
def swift(P, C, R, seen, K, W, out, M, S, info):
    """As `condition` for a handful of states: whether ample shares are left of all variances, else nothing is to be used."""
    n, p = P.shape[0], C.shape[0]
    missing, det = 0, 1.0
    for j in range(p):
        here = seen[j]
        gross = 0.0
        for i in range(n):
            total = 0.0
            for k in range(n if here else 0):
                total += C[j, k] * P[k, i]
            M[j, i] = total
            gross += C[j, i] * C[j, i] * P[i, i]
        for i in range(j + 1):
            both = here and seen[i]
            total = R[j, i] if both else 0.0
            for k in range(n if both else 0):
                total += M[j, k] * C[i, k]
            for k in range(i):
                total -= S[j, k] * S[i, k]
            if i < j:
                S[j, i] = total * S[i, i]
            elif not here:
                missing += 1
                S[j, j] = 1.0
            elif total > max(AMPLE * (n * gross + R[j, j]), SMALLEST):  # n gross bounds (sum |c| sqrt(P))^2
                det *= total
                S[j, j] = 1.0 / np.sqrt(total)  # L in S, with inverses on the diagonal
            else:
                return False
        for i in range(j):  # W = L^-1, row by row
            total = 0.0
            for k in range(i, j):
                total -= S[j, k] * W[k, i]
            W[j, i] = total * S[j, j]
            W[i, j] = 0.0
        W[j, j] = S[j, j]
    if not 1e-250 < det < 1e250:
        return False
    for i in range(n):
        for j in range(p - 1, -1, -1):  # column i of M becomes that of V' = W C P
            total = 0.0
            for k in range(j + 1):
                total += W[j, k] * M[k, i]
            M[j, i] = total
        for j in range(p):
            total = 0.0
            for k in range(j, p):
                total += M[k, i] * W[k, j]
            K[i, j] = total
        for j in range(i + 1):
            total = P[i, j]
            for k in range(p):
                total -= M[k, i] * M[k, j]
            out[i, j] = total
            out[j, i] = total
        if not out[i, i] > max(AMPLE * P[i, i], SMALLEST):
            return False
    info[0], info[1] = p, -0.5 * ((p - missing) * LOG_2PI + np.log(det))
    return True


@helper(_nrt=True)
def careful(P, C, R, seen, K, W, out, M, S, T, V, root, info):
    """`condition` at any size and condition."""
    regular, rank, const, left = gain(P, C, R, seen, K, W, M, S, V, root)  # [ESN-SSM, Eq. 65]
    info[0], info[1] = rank, const
    if regular and left > AMPLE:
        share = plain(P, V, out)
        if share > 0.0:
            return left * share  # the error of an innovation's variance is divided once more
    return left * joseph(P, K, C, R, seen, M, T, V, out)


@kernel(mat, mat, mat, mask_row, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_mat, out_vec,
        returns=real, _nrt=False)  # fmt: skip
def condition(P, C, R, seen, K, W, out, M, S, T, V, root, info):
    """Condition P (n, n) on the outputs seen: out (n, n), gain K (n, p), whitening W (p, p) with W S W' = I.

    Rows and columns of missing outputs are zero. M: (p, n), S: (p, p), T: (n, n), V: (n, p), root: (2, max(n, p)) are
    workspace. info leaves as [rank of S, constant of the log-density]. Where S is singular the gain is by pseudo-inverse
    and the last rows of W span its null space.
    Returns the smallest share that cancellation left of any variance, 1 if ample.
    """
    if P.shape[0] <= HANDFUL and swift(P, C, R, seen, K, W, out, M, S, info):
        return 1.0
    return careful(P, C, R, seen, K, W, out, M, S, T, V, root, info)
