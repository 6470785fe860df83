"""Recursive least squares in square-root information form, one row at a time by Givens rotations."""

from __future__ import annotations

import numpy as np

from ._jit import flag, kernel, mat, out_mat, out_vec, real


@kernel(mat, mat, real, flag, out_mat, out_mat, out_mat, out_vec)
def square_root(X, Y, forgetting, track, R, Z, predicted, work):
    """Fold rows X (T, k), Y (T, p) into R (k, k) upper triangular and Z (k, p), with R C' = Z, weights forgetting^age.

    predicted (T, p): C x[t] with the C of before row t, where track is set. work (k + p): workspace. NaN rows of Y are
    forgotten over but not folded in. O(T k (k + p)).
    """
    T, k = X.shape
    p = Y.shape[1]
    root = np.sqrt(forgetting)
    C = np.zeros((k, p))
    for t in range(T):
        if track:
            for j in range(p):
                for i in range(k - 1, -1, -1):
                    total = Z[i, j]
                    for m in range(i + 1, k):
                        total -= R[i, m] * C[m, j]
                    C[i, j] = total / R[i, i] if R[i, i] != 0.0 else 0.0
                total = 0.0
                for i in range(k):
                    total += X[t, i] * C[i, j]
                predicted[t, j] = total
        missing = False
        for j in range(p):
            missing = missing or np.isnan(Y[t, j])
        for i in range(k):
            for m in range(i, k):
                R[i, m] *= root
            for j in range(p):
                Z[i, j] *= root
        if missing:
            continue
        for i in range(k):
            work[i] = X[t, i]
        for j in range(p):
            work[k + j] = Y[t, j]
        for i in range(k):
            if work[i] == 0.0:
                continue
            r = np.hypot(R[i, i], work[i])
            c, s = R[i, i] / r, work[i] / r
            R[i, i] = r
            for m in range(i + 1, k):
                a, b = R[i, m], work[m]
                R[i, m] = c * a + s * b
                work[m] = c * b - s * a
            for j in range(p):
                a, b = Z[i, j], work[k + j]
                Z[i, j] = c * a + s * b
                work[k + j] = c * b - s * a
