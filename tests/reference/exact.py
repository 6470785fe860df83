"""The Kalman filter and smoother in 50 digits (mpmath), for problems that double precision finds hard."""

import mpmath as mp
import numpy as np

DIGITS = 50


def _matrix(a):
    return mp.matrix(np.atleast_2d(a).tolist())


def _array(m):
    return np.array([[float(m[i, j]) for j in range(m.cols)] for i in range(m.rows)])


def exact_smoother(A, C, Q, R, y, m, P):
    """Filtered and smoothed means (T, n) and covariances (T, n, n), and the log-likelihood; S must be regular."""
    with mp.workdps(DIGITS):
        T, n = len(y), len(m)
        A, C, Q, R, x, P = _matrix(A), _matrix(C), _matrix(Q), _matrix(R), _matrix(m).T, _matrix(P)
        total, runs = mp.mpf(0), []
        for t in range(T):
            xp, Pp = x, P
            seen = [j for j in range(y.shape[1]) if not np.isnan(y[t, j])]
            if seen:
                c = mp.matrix([[C[j, i] for i in range(n)] for j in seen])
                r = mp.matrix([[R[i, j] for j in seen] for i in seen])
                S = c * P * c.T + r
                e = mp.matrix([mp.mpf(float(y[t, j])) for j in seen]) - c * x
                inverse = mp.inverse(S)
                K = P * c.T * inverse
                total -= (len(seen) * mp.log(2 * mp.pi) + mp.log(mp.det(S)) + (e.T * inverse * e)[0]) / 2
                x, P = x + K * e, P - K * S * K.T
            runs.append((xp, Pp, x, P))
            x, P = A * x, A * P * A.T + Q
        xs, Ps = [None] * T, [None] * T
        xs[-1], Ps[-1] = runs[-1][2], runs[-1][3]
        for t in range(T - 2, -1, -1):
            xf, Pf = runs[t][2:]
            Pp, xp = runs[t + 1][1], runs[t + 1][0]
            G = Pf * A.T * _pseudo_inverse(Pp)
            xs[t], Ps[t] = xf + G * (xs[t + 1] - xp), Pf + G * (Ps[t + 1] - Pp) * G.T
        # The real part: an S that is singular may become indefinite when its problem is moved by a rounding.
        return (np.array([_array(r[2])[:, 0] for r in runs]), np.array([_array(r[3]) for r in runs]),
                np.array([_array(v)[:, 0] for v in xs]), np.array([_array(v) for v in Ps]), float(mp.re(total)),
                np.array([_array(r[1]) for r in runs]))  # fmt: skip


def _pseudo_inverse(P):
    """A generalised inverse of a positive semidefinite P by Cholesky, leaving out dependent directions."""
    n = P.rows
    d = [mp.sqrt(P[i, i]) if P[i, i] > 0 else mp.mpf(1) for i in range(n)]
    M = mp.matrix([[P[i, j] / (d[i] * d[j]) for j in range(n)] for i in range(n)])
    keep, L = [], []
    for i in range(n):
        row = []
        for k, j in enumerate(keep):
            row.append((M[i, j] - sum(row[a] * L[k][a] for a in range(k))) / L[k][k])
        left = M[i, i] - sum(v * v for v in row)
        if left > mp.mpf(10) ** (-DIGITS + 12):
            keep.append(i)
            L.append([*row, mp.sqrt(left)])
    small = mp.inverse(mp.matrix([[M[i, j] for j in keep] for i in keep])) if keep else mp.zeros(0)
    out = mp.zeros(n, n)
    for a, i in enumerate(keep):
        for b, j in enumerate(keep):
            out[i, j] = small[a, b] / (d[i] * d[j])
    return out
