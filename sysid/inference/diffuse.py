"""The exact diffuse start: the first steps of a filter whose prior covariance is infinite in some directions.

    P = kappa X X' + P*,  kappa -> infinity.   For one measurement y = c'x + v:   q = X'c,  F = |q|^2
    F > 0:  K = X q / F,   P* <- (I - K c') P* (I - K c')' + r K K',   X <- X H,  X X' <- X (I - q q' / F) X'
    log-density -(log 2 pi + log F) / 2                                       [Durbin & Koopman 2012, Sec. 5.2, 6.4]

X loses one column with each measurement that sees it, so the rank is exact; what remains decides by relative size.
These are a handful of steps, in NumPy; once X is empty the compiled passes take over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .linear_arrays import LinearArrays
from .trace import Stretch, Trace

EPS = np.finfo(float).eps
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Prefix:
    """The steps that began diffuse: predicted and filtered means (k, S, n), finite covariances (k, n, n), factors X.

    log_density: (k, S). n_diffuse: measurements spent on diffuse directions. mean, cov, X: the law after the last step.
    A, Q, b: what the smoother needs of each step.
    """

    xp: np.ndarray
    xf: np.ndarray
    Pp: np.ndarray
    Pf: np.ndarray
    X: list[np.ndarray]
    log_density: np.ndarray
    n_diffuse: int
    mean: np.ndarray
    cov: np.ndarray
    end: np.ndarray
    A: np.ndarray
    Q: np.ndarray
    b: np.ndarray

    @property
    def n_steps(self) -> int:
        return len(self.xf)


def condition(P: np.ndarray, X: np.ndarray, c: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, bool]:
    """Condition on one measurement c'x + v, Var v = r. Returns K (n,), P, X, the variance and whether it was diffuse.

    A variance of zero says that the measurement is known already: K = 0.
    """
    n = len(c)
    q = X.T @ c
    gross = (np.abs(c) @ np.linalg.norm(X, axis=1)) if X.size else 0.0
    infinite = float(q @ q)
    if X.shape[1] and infinite > (64 * n * EPS * gross) ** 2:
        K = X @ q / infinite
        v = q.copy()
        v[0] += np.copysign(np.sqrt(infinite), q[0])  # Householder: q goes to the first axis
        left = (X - np.outer(X @ v, v) * (2 / (v @ v)))[:, 1:]
        return K, joseph(P, K, c, r), cleared(left, np.linalg.norm(X, axis=1)), infinite, True
    gross = (np.abs(c) @ np.sqrt(np.diag(P))) ** 2 + r
    F = float(c @ P @ c) + r
    if F <= 16 * n * EPS * gross:
        return np.zeros(n), P, X, 0.0, False
    K = P @ c / F
    return K, joseph(P, K, c, r), X, F, False


def cleared(X: np.ndarray, gross: np.ndarray) -> np.ndarray:
    """X with the rows at zero of which no more than rounding is left, gross (n,) what each was summed from.

    A row that is seen exactly vanishes; its last bit, alone in its row, would be taken for an infinite variance.
    """
    return np.where((np.linalg.norm(X, axis=1) > 64 * len(X) * EPS * gross)[:, None], X, 0.0)


def joseph(P: np.ndarray, K: np.ndarray, c: np.ndarray, r: float) -> np.ndarray:
    """(I - K c') P (I - K c')' + r K K', symmetric."""
    T = P - np.outer(K, c @ P)
    T = T - np.outer(T @ c, K) + r * np.outer(K, K)
    return symmetric(T)


def symmetric(P: np.ndarray) -> np.ndarray:
    """The mean of P and its transpose, variances not below zero."""
    P = (P + P.T) / 2
    dead = np.diag(P) <= 0
    P[dead, :] = P[:, dead] = 0.0
    return P


def decorrelated(R: np.ndarray, *rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """R = L D L' with unit lower-triangular L: returns D (p,) and L^-1 applied to each of `rows` (p, ...).

    D[j] is zero where rounding of the variances that it combines could have made it.
    """
    D, unit, deviation = R.copy(), np.eye(len(R)), np.sqrt(np.diag(R))
    rows = (unit, *(np.array(r, dtype=float) for r in rows))
    for j in range(len(R)):
        if D[j, j] <= 8 * EPS * (np.abs(unit[j]) @ deviation) ** 2:
            D[j:, j] = D[j, j:] = 0.0
            continue
        factor = D[j + 1 :, j] / D[j, j]
        D[j + 1 :, j + 1 :] -= np.outer(factor, D[j, j + 1 :])
        for r in rows:
            r[j + 1 :] -= np.multiply.outer(factor, r[j])
    return np.maximum(np.diag(D), 0.0), *rows[1:]


def run_prefix(arrays: LinearArrays, stretch: Stretch, X: np.ndarray) -> Prefix:
    """Filter from a diffuse start until every direction has been seen, or the data end."""
    S, T, _ = stretch.y.shape
    x, P = stretch.mean.copy(), stretch.cov.copy()
    rows: list[tuple] = []
    n_diffuse, t = 0, 0
    while X.shape[1] and t < T:
        A, Q, b = _pick(arrays.AT, t).T, _pick(arrays.Q, t), _row(arrays.bx, t)
        C, R, d = _pick(arrays.C, t), _pick(arrays.R, t), _row(arrays.by, t)
        before = x, P
        seen = ~np.isnan(stretch.y[0, t])
        e = (stretch.y[:, t] - d)[:, seen].T
        D, Cs, es = decorrelated(R[np.ix_(seen, seen)], C[seen], e)
        total = np.zeros(S)
        for r, c, y in zip(D, Cs, es):
            gap = y - x @ c
            K, P, X, F, spent = condition(P, X, c, r)
            n_diffuse += spent
            x = x + np.multiply.outer(gap, K)
            if F > 0:
                total -= 0.5 * (LOG_2PI + np.log(F) + (0.0 if spent else gap**2 / F))
            else:
                total[np.abs(gap) > 1e-8 * (np.abs(y) + np.abs(x) @ np.abs(c))] = -np.inf
        rows.append((*before, x, P, X, total, A, Q, b))
        x, P, X = x @ A.T + b, symmetric(A @ P @ A.T + Q), moved(A, X)
        t += 1
    xp, Pp, xf, Pf, Xs, L, As, Qs, bs = zip(*rows)
    return Prefix(np.array(xp), np.array(xf), np.array(Pp), np.array(Pf), list(Xs), np.array(L), n_diffuse, x, P, X,
                  np.array(As), np.array(Qs), np.array(bs))  # fmt: skip


def moved(A: np.ndarray, X: np.ndarray) -> np.ndarray:
    """A X without the directions that A takes to zero."""
    if not X.shape[1]:
        return X
    gross = np.abs(A) @ np.linalg.norm(X, axis=1)
    unit = np.where(gross > 0, gross, 1.0)
    following = cleared(A @ X, gross)
    U, s, _ = np.linalg.svd(following / unit[:, None], full_matrices=False)
    if s[-1] > 64 * len(A) * EPS:
        return following
    keep = s > 64 * len(A) * EPS
    return cleared(unit[:, None] * U[:, keep] * s[keep], unit)


@dataclass(frozen=True)
class PrefixBackward:
    """Smoothed means (k, S, n), covariances (k, n, n), transposed gains (k, n, n) and directions still undetermined."""

    x: np.ndarray
    P: np.ndarray
    GT: np.ndarray
    X: list[np.ndarray]


def reverse_step(prefix: Prefix, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x[t] given x[t+1] and y[..t]: its gain on x[t+1] (n, n), covariance (n, n), and directions still infinite (n, d).

    x[t] is conditioned on the n measurements x[t+1] = A x[t] + w one at a time.
    """
    n = prefix.xf.shape[2]
    D, rows, unit = decorrelated(prefix.Q[t], prefix.A[t], np.eye(n))
    G, C, X = np.zeros((n, n)), prefix.Pf[t], prefix.X[t]
    for i in range(n):
        K, C, X, _, _ = condition(C, X, rows[i], D[i])
        G = G - np.outer(K, rows[i] @ G)
        G[:, i] += K
    return G @ unit, C, X


def smooth_prefix(prefix: Prefix, x: np.ndarray, P: np.ndarray, X: np.ndarray) -> PrefixBackward:
    """Back through the diffuse steps from the smoothed law (x (S, n), P, X) of the step after them.

    x[t] given x[t+1] is x[t] conditioned on n measurements A x[t] + w, the exact limit of Rauch, Tung and Striebel's step.
    """
    k, S, n = prefix.xf.shape
    xs, Ps, GT, Xs = np.empty((k, S, n)), np.empty((k, n, n)), np.empty((k, n, n)), [X] * k
    for t in range(k - 1, -1, -1):
        G, C, Xc = reverse_step(prefix, t)
        x = prefix.xf[t] + (x - prefix.xf[t] @ prefix.A[t].T - prefix.b[t]) @ G.T
        P = symmetric(C + G @ P @ G.T)
        X = moved(np.eye(n), np.hstack([Xc, G @ X]))
        xs[t], Ps[t], GT[t], Xs[t] = x, P, G.T, X
    return PrefixBackward(xs, Ps, GT, Xs)


def _pick(stack: np.ndarray, t: int) -> np.ndarray:
    return stack[t if len(stack) > 1 else 0]


def _row(stack: np.ndarray, t: int) -> np.ndarray:
    """(S or 1, .) at step t."""
    return stack[:, t if stack.shape[1] > 1 else 0]


def after(arrays: LinearArrays, stretch: Stretch, prefix: Prefix) -> tuple[LinearArrays, Stretch]:
    """What is left to filter once the start has become proper."""
    k = prefix.n_steps

    def cut(a: np.ndarray) -> np.ndarray:
        return a[k:] if len(a) > 1 else a

    rest = LinearArrays(cut(arrays.AT), cut(arrays.C), cut(arrays.Q), cut(arrays.R),
                        *(b[:, k:] if b.shape[1] > 1 else b for b in (arrays.bx, arrays.by)))  # fmt: skip
    rest = replace(rest, bx=np.ascontiguousarray(rest.bx), by=np.ascontiguousarray(rest.by))
    return rest, replace(stretch, y=np.ascontiguousarray(stretch.y[:, k:]), mean=prefix.mean, cov=prefix.cov,
                         start=stretch.start + k, diffuse=None)  # fmt: skip


def joined(prefix: Prefix, rest: Trace | None, arrays: LinearArrays, stretch: Stretch) -> Trace:
    """The trace of the whole stretch: the diffuse steps, then the proper ones (None where the data ended before)."""
    k, keep = prefix.n_steps, stretch.store == "all"

    def means(first: np.ndarray, then: np.ndarray | None) -> np.ndarray:
        first = first.swapaxes(0, 1)
        return np.ascontiguousarray(first if then is None else np.concatenate([first, then], axis=1))

    xp = means(prefix.xp, None if rest is None else rest.xp)
    C = arrays.C[:k] if len(arrays.C) > 1 else arrays.C
    assert stretch.diffuse is not None
    X = [stretch.diffuse, *(moved(A, X) for A, X in zip(prefix.A[:-1], prefix.X[:-1]))]
    extra = {"prefix": prefix, "rest": rest,
             "infinite predicted": np.array([unresolved(np.eye(x.shape[0]), x) for x in X]),
             "infinite filtered": np.array([unresolved(np.eye(x.shape[0]), x) for x in prefix.X]),
             "infinite outputs": np.array([unresolved(C[t if len(C) > 1 else 0], x) for t, x in enumerate(X)])}  # fmt: skip
    law = (prefix.mean, prefix.cov) if rest is None else (rest.mean, rest.cov)
    covariances: tuple = (None, None)
    if keep:
        tails = (None, None) if rest is None else (rest.Pp, rest.Pf)
        covariances = tuple(a if b is None else np.concatenate([a, b]) for a, b in zip((prefix.Pp, prefix.Pf), tails))
    index = np.arange(k) if rest is None else np.concatenate([np.arange(k), k + rest.index])
    Pp, Pf = covariances
    return Trace(xp, means(prefix.xf, None if rest is None else rest.xf), None, Pp, Pf, index, arrays.AT, arrays.Q, arrays.C, arrays.R,
                 means(prefix.log_density, None if rest is None else rest.log_density), *law, 1.0 if rest is None else rest.share,
                 "covariance" if rest is None else rest.form, prefix.n_diffuse, prefix.end if rest is None else None,
                 extra)  # fmt: skip


def unresolved(M: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Which rows of M x still have infinite variance."""
    if not X.shape[1]:
        return np.zeros(len(M), dtype=bool)
    gross = np.abs(M) @ np.linalg.norm(X, axis=1)
    return np.linalg.norm(M @ X, axis=1) > 64 * len(X) * EPS * np.where(gross > 0, gross, 1.0)
