"""A linear predictor and its responses to its parameters: what subspace regression and prediction-error fits need.

    x[t+1] = A x[t] + B u[t] + K e[t],    e[t] = y[t] - C x[t] - D u[t]

With F = A - K C every parameter acts as an input of the linear recursion in F: entry (i, j) of A, B or K as the
signal z_j (a component of x, u or e) in state i, entry (k, j) of C or D as -K e_k z_j. One matrix-valued state
X_j[t+1] = F X_j[t] + z_j[t] I serves them all.
"""

from __future__ import annotations

from ._jit import kernel, mat, out_cube, out_mat, out_vec


@kernel(mat, mat, mat, mat, mat, mat, mat, out_vec, out_mat, out_mat)
def predict_linear(A, B, C, D, K, u, y, x, states, errors):
    """Run the predictor over u (T, m), y (T, p) with NaN for missing: states (T, n), errors (T, p), NaN where missing.

    x (n,): the state, carried from call to call. Missing entries give no correction. Cost O(T n (n + m + 2 p)).
    """
    n, m, p = A.shape[0], u.shape[1], C.shape[0]
    for t in range(u.shape[0]):
        for k in range(p):
            s = y[t, k]
            for l in range(n):
                s -= C[k, l] * x[l]
            for j in range(m):
                s -= D[k, j] * u[t, j]
            errors[t, k] = s
        for i in range(n):
            states[t, i] = x[i]
        for i in range(n):
            s = 0.0
            for l in range(n):
                s += A[i, l] * states[t, l]
            for j in range(m):
                s += B[i, j] * u[t, j]
            for k in range(p):
                if errors[t, k] == errors[t, k]:
                    s += K[i, k] * errors[t, k]
            x[i] = s


@kernel(mat, mat, mat, out_cube, out_cube)
def input_responses(F, C, z, X, out):
    """out[t, k, j n + i]: what signal j, put into state i, has done to output k, in a run of x[t+1] = F x[t].

    It is sum_s z[t-1-s, j] (C_k F^s)_i: one row of states r_jk[t+1] = r_jk[t] F + z[t, j] C_k for each signal and output.
    F (n, n), C (p, n), z (T, q), X (q, p, n) the rows, carried from call to call, out (T, p, q n). Cost O(T q p n^2).
    """
    n, p, q = F.shape[0], C.shape[0], z.shape[1]
    for t in range(z.shape[0]):
        for j in range(q):
            for k in range(p):
                for i in range(n):
                    out[t, k, j * n + i] = X[j, k, i]
                    X[j, k, i] = z[t, j] * C[k, i]
                for l in range(n):
                    r = out[t, k, j * n + l]
                    for i in range(n):
                        X[j, k, i] += r * F[l, i]


@kernel(mat, out_mat, out_cube)
def state_responses(F, O, out):
    """out[t] = C F^t: the responses (T, p, n) to the initial state. O (p, n): C at first, carried from call to call."""
    p, n = O.shape
    for t in range(out.shape[0]):
        for k in range(p):
            for i in range(n):
                # Subnormal numbers would make a long run crawl.
                out[t, k, i] = O[k, i] if abs(O[k, i]) > 1e-200 else 0.0
                O[k, i] = 0.0
            for l in range(n):
                r = out[t, k, l]
                for i in range(n):
                    O[k, i] += r * F[l, i]


@kernel(mat, mat, mat, mat, mat, out_cube, out_cube, out_mat, out_cube)
def error_jacobian(A, C, K, z, errors, X, V, work, out):
    """out[t, k, :] = d e[t, k] / d theta for the predictor of `predict_linear` over a block of samples.

    z (T, q): [x, u, 1]. errors (T, p): NaN where missing. Columns of out (T, p, (q + p + 1) n + q p): for every signal
    j of [z, e] the n entries of column j of [A B c K], then x[0], then for every z_j the p entries of column j of
    [C D d]. X (q + p + 1, n, n) and V (q, p, n): the sensitivities of the state, carried from call to call, X[-1]
    starting from the identity, the rest from zero. work (n, n). Cost O(T (q + p) n^3).
    """
    n, p, q = A.shape[0], C.shape[0], z.shape[1]
    for t in range(z.shape[0]):
        for j in range(q + p + 1):
            for k in range(p):
                for i in range(n):
                    out[t, k, j * n + i] = 0.0
                for l in range(n):
                    for i in range(n):
                        out[t, k, j * n + i] -= C[k, l] * X[j, l, i]
        for j in range(q):
            for h in range(p):
                for k in range(p):
                    s = -z[t, j] if h == k else 0.0
                    for l in range(n):
                        s -= C[k, l] * V[j, h, l]
                    out[t, k, (q + p + 1) * n + j * p + h] = s
        # dx[t+1] = A dx + K M de + what enters directly; M drops the missing entries.
        for j in range(q + p + 1):
            for i in range(n):
                for h in range(n):
                    work[i, h] = X[j, i, h]
                    X[j, i, h] = 0.0
            for i in range(n):
                for l in range(n):
                    for h in range(n):
                        X[j, i, h] += A[i, l] * work[l, h]
                for k in range(p):
                    if errors[t, k] == errors[t, k]:
                        for h in range(n):
                            X[j, i, h] += K[i, k] * out[t, k, j * n + h]
                if j < q:
                    X[j, i, i] += z[t, j]
                elif j < q + p:
                    if errors[t, j - q] == errors[t, j - q]:
                        X[j, i, i] += errors[t, j - q]
                else:
                    for h in range(n):
                        X[j, i, h] = X[j, i, h] if abs(X[j, i, h]) > 1e-200 else 0.0  # as in state_responses
        for j in range(q):
            for h in range(p):
                for i in range(n):
                    work[0, i] = V[j, h, i]
                for i in range(n):
                    s = 0.0
                    for l in range(n):
                        s += A[i, l] * work[0, l]
                    for k in range(p):
                        if errors[t, k] == errors[t, k]:
                            s += K[i, k] * out[t, k, (q + p + 1) * n + j * p + h]
                    V[j, h, i] = s
