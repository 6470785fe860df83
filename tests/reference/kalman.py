"""Textbook filter and smoother, and conditioning of the dense joint Gaussian: short, slow and obviously right."""

import numpy as np


def at(matrix, t, ndim=2):
    return matrix[t] if np.ndim(matrix) > ndim else matrix


def kalman_filter(A, C, Q, R, bx, by, y, m, P):
    """Means and covariances before and after each measurement, and the log-likelihood. bx: (T, n), by: (T, p)."""
    xp, Pp, xf, Pf, total = [], [], [], [], 0.0
    for t in range(len(y)):
        xp.append(m), Pp.append(P)
        seen = ~np.isnan(y[t])
        if seen.any():
            c = at(C, t)[seen]
            S = c @ P @ c.T + at(R, t)[np.ix_(seen, seen)]
            e = y[t, seen] - c @ m - by[t, seen]
            K = np.linalg.solve(S, c @ P).T
            total -= 0.5 * (len(e) * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + e @ np.linalg.solve(S, e))
            m, P = m + K @ e, P - K @ S @ K.T
        xf.append(m), Pf.append(P)
        m, P = at(A, t) @ m + bx[t], at(A, t) @ P @ at(A, t).T + at(Q, t)
    return [np.array(v) for v in (xp, Pp, xf, Pf)] + [total]


def dense_posterior(A, C, Q, R, bx, by, y, m, P, S=None):
    """Mean (T, n), covariance (T, n, T, n) of all states given all data, and log p(y), from one joint Gaussian."""
    T, n, p = len(y), len(m), y.shape[1]
    S = np.zeros((n, p)) if S is None else S
    # every state is linear in z = [x0, w0, .., w_{T-1}], every output in z and v
    size = n + T * n + T * p
    rows_x, mean_x = [np.eye(n, size)], [m]
    for t in range(T - 1):
        rows_x.append(at(A, t) @ rows_x[-1])
        rows_x[-1][:, n + t * n : n + (t + 1) * n] += np.eye(n)
        mean_x.append(at(A, t) @ mean_x[-1] + bx[t])
    cov = np.zeros((size, size))
    cov[:n, :n] = P
    for t in range(T):
        w, v = slice(n + t * n, n + (t + 1) * n), slice(n + T * n + t * p, n + T * n + (t + 1) * p)
        cov[w, w], cov[v, v], cov[w, v], cov[v, w] = at(Q, t), at(R, t), S, S.T
    rows_y = [at(C, t) @ rows_x[t] for t in range(T)]
    for t in range(T):
        rows_y[t][:, n + T * n + t * p : n + T * n + (t + 1) * p] += np.eye(p)
    X, Y = np.vstack(rows_x), np.vstack(rows_y)
    mx, my = np.concatenate(mean_x), np.concatenate([at(C, t) @ mean_x[t] + by[t] for t in range(T)])
    seen = ~np.isnan(y.ravel())
    Y, e = Y[seen], (y.ravel() - my)[seen]
    Syy, Sxy = Y @ cov @ Y.T, X @ cov @ Y.T
    G = np.linalg.solve(Syy, Sxy.T).T
    log_p = -0.5 * (len(e) * np.log(2 * np.pi) + np.linalg.slogdet(Syy)[1] + e @ np.linalg.solve(Syy, e))
    return (mx + G @ e).reshape(T, n), (X @ cov @ X.T - G @ Sxy.T).reshape(T, n, T, n), log_p
