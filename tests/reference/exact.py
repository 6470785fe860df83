"""The Kalman filter and smoother in 50 digits (mpmath), for problems that double precision finds hard.

A singular covariance has, once rounded to double precision, an eigenvalue of some 1e-17 in place of its zero, as often below
zero as above; taken by the letter it would be none, or one that says of a combination of outputs that it is known to 17
digits. `as_read` takes such a covariance for the singular one that was meant, as the package does.
"""

import mpmath as mp
import numpy as np

DIGITS = 50
EPS = 2.0**-52


def _matrix(a):
    return mp.matrix(np.atleast_2d(a).tolist())


def _array(m):
    return np.array([[float(m[i, j]) for j in range(m.cols)] for i in range(m.rows)])


def as_read(cov):
    """A covariance in 50 digits without the eigenvalues of its correlations that rounding its entries could have made."""
    given = _matrix(cov)
    k = given.rows
    d = [mp.sqrt(given[i, i]) if given[i, i] > 0 else mp.mpf(1) for i in range(k)]
    values, vectors = mp.eigsy(mp.matrix([[given[i, j] / (d[i] * d[j]) for j in range(k)] for i in range(k)]))
    keep = [r for r in range(k) if values[r] > 4 * k * EPS]
    if len(keep) == k:
        return given
    return mp.matrix([[d[i] * d[j] * mp.fsum(vectors[i, r] * values[r] * vectors[j, r] for r in keep) for j in range(k)] for i in range(k)])


def exact_smoother(A, C, Q, R, y, m, P):
    """Filtered and smoothed means (T, n) and covariances (T, n, n), the log-likelihood, predicted covariances.

    Where an innovation covariance is singular, by the pseudo-inverse and the pseudo-determinant.
    """
    with mp.workdps(DIGITS):
        T, n = len(y), len(m)
        A, C, Q, R, x, P = _matrix(A), _matrix(C), as_read(Q), as_read(R), _matrix(m).T, as_read(P)
        total, runs = mp.mpf(0), []
        for t in range(T):
            xp, Pp = x, P
            seen = [j for j in range(y.shape[1]) if not np.isnan(y[t, j])]
            if seen:
                c = mp.matrix([[C[j, i] for i in range(n)] for j in seen])
                r = mp.matrix([[R[i, j] for j in seen] for i in seen])
                S = c * P * c.T + r
                e = mp.matrix([mp.mpf(float(y[t, j])) for j in seen]) - c * x
                gross = [abs_row_squared(c, P, j) + r[j, j] for j in range(len(seen))]
                inverse, rank, log_det = _pseudo_inverse(S, gross)
                K = P * c.T * inverse
                total -= (rank * mp.log(2 * mp.pi) + log_det + (e.T * inverse * e)[0]) / 2
                x, P = x + K * e, cleared(P - K * S * K.T, P)
            runs.append((xp, Pp, x, P))
            x, P = A * x, A * P * A.T + Q
        xs, Ps = [None] * T, [None] * T
        xs[-1], Ps[-1] = runs[-1][2], runs[-1][3]
        for t in range(T - 2, -1, -1):
            xf, Pf = runs[t][2:]
            Pp, xp = runs[t + 1][1], runs[t + 1][0]
            G = Pf * A.T * _generalised_inverse(Pp)
            xs[t], Ps[t] = xf + G * (xs[t + 1] - xp), Pf + G * (Ps[t + 1] - Pp) * G.T
        return (np.array([_array(r[2])[:, 0] for r in runs]), np.array([_array(r[3]) for r in runs]),
                np.array([_array(v)[:, 0] for v in xs]), np.array([_array(v) for v in Ps]), float(total),
                np.array([_array(r[1]) for r in runs]))  # fmt: skip


def cleared(P, before):
    """P with the variances at zero of which no more is left than the noise of 50 digits."""
    dead = [i for i in range(P.rows) if P[i, i] < before[i, i] * mp.mpf(10) ** -30]
    for i in dead:
        for j in range(P.rows):
            P[i, j] = P[j, i] = mp.mpf(0)
    return P


def abs_row_squared(c, P, j):
    """What the variance c P c' of output j is summed from."""
    return mp.fsum(abs(c[j, i]) * mp.sqrt(abs(P[i, i])) for i in range(c.cols)) ** 2


def _pseudo_inverse(S, gross):
    """Pseudo-inverse of S in units of sqrt(gross), its rank, and log of the product of its eigenvalues that are not zero."""
    p = S.rows
    d = [mp.sqrt(g) if g > 0 else mp.mpf(1) for g in gross]
    values, vectors = mp.eigsy(mp.matrix([[S[i, j] / (d[i] * d[j]) for j in range(p)] for i in range(p)]))
    keep = [r for r in range(p) if values[r] > mp.mpf(10) ** (-DIGITS + 12)]
    inverse = mp.matrix([[mp.fsum(vectors[i, r] * vectors[j, r] / values[r] for r in keep) / (d[i] * d[j]) for j in range(p)] for i in range(p)])
    if not keep:
        return inverse, 0, mp.mpf(0)
    wide = mp.matrix([[vectors[i, r] * d[i] for r in keep] for i in range(p)])
    return inverse, len(keep), mp.log(mp.det(wide.T * wide)) + mp.fsum(mp.log(values[r]) for r in keep)


def _generalised_inverse(P):
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
