"""Online linear regression: the prediction at t uses rows before t only."""

from __future__ import annotations

from ._jit import kernel, mat, out_mat, out_vec, real


@kernel(mat, mat, real, out_mat, out_mat)
def online_gradient(X, Y, rate, theta, predicted):
    """theta <- theta - rate / (M sqrt(t)) x (x' theta - y), M the largest |x|^2 so far.  X: (T, F). Y: (T, p). theta: (F, p)."""
    T, F = X.shape
    p = Y.shape[1]
    largest = 0.0
    for t in range(T):
        square = 0.0
        for i in range(F):
            square += X[t, i] * X[t, i]
        largest = max(largest, square)
        for r in range(p):
            total = 0.0
            for i in range(F):
                total += X[t, i] * theta[i, r]
            predicted[t, r] = total
        if largest > 0.0:
            step = rate / (largest * (t + 1.0) ** 0.5)
            for i in range(F):
                for r in range(p):
                    theta[i, r] -= step * X[t, i] * (predicted[t, r] - Y[t, r])


@kernel(mat, mat, out_mat, out_mat, out_mat, out_vec)
def online_newton(X, Y, P, theta, predicted, gain):
    """theta <- theta - P x (x' theta - y), P the inverse of ridge I + sum x x'.

    P: (F, F) starts as I / ridge and stays symmetric (triangle and mirror). gain: (F,) workspace.
    """
    T, F = X.shape
    p = Y.shape[1]
    for t in range(T):
        spread = 1.0
        for i in range(F):
            total = 0.0
            for j in range(F):
                total += P[i, j] * X[t, j]
            gain[i] = total
            spread += X[t, i] * total
        for r in range(p):
            total = 0.0
            for i in range(F):
                total += X[t, i] * theta[i, r]
            predicted[t, r] = total
        for i in range(F):
            for r in range(p):
                theta[i, r] -= gain[i] / spread * (predicted[t, r] - Y[t, r])
            for j in range(i + 1):
                P[i, j] -= gain[i] * gain[j] / spread
                P[j, i] = P[i, j]
