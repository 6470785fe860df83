"""Diagonal scalings in closed or nearly closed form: balancing and Perron weights."""

from __future__ import annotations

import numpy as np

SPREAD = 1e6                                              # widest ratio of scalings d that balancing may use


def balanced(W: np.ndarray, sweeps: int = 30) -> np.ndarray:
    """Scalings d (n,) that make row and column norms of D W D^-1 equal [Osborne 1960].

    Minimises the Frobenius norm over diagonal D, coordinate by coordinate. Rows or columns that can be scaled away
    (a reducible W) stop at a ratio of 1e6. Cost O(n^2) a sweep.
    """
    S = np.asarray(W, dtype=np.float64) ** 2
    S = S - np.diag(np.diag(S))
    St = np.ascontiguousarray(S.T)
    n = len(S)
    scale = S.sum() / max(n, 1)
    if scale <= 0 or not np.isfinite(scale):
        return np.ones(n)
    square, inverse, small = np.ones(n), np.ones(n), 1e-4 * scale
    for _ in range(sweeps):
        change = 0.0
        for i in range(n):
            row, column = square[i] * (S[i] @ inverse), inverse[i] * (St[i] @ square)
            factor = np.sqrt((column + small) / (row + small))
            square[i] *= factor
            inverse[i] /= factor
            change = max(change, abs(np.log(factor)))
        if change < 1e-3:
            break
    d = np.sqrt(square)
    d /= np.exp(np.log(d).mean())
    return np.clip(d, SPREAD**-0.5, SPREAD**0.5)


def perron_vectors(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positive right and left vectors x, z (n,) of |W| for (nearly) its spectral radius.

    Power iteration on |W| plus a little of everything, so that a reducible |W| has positive vectors too.
    Any positive vectors give valid bounds; these give nearly the smallest.
    """
    M = abs(W)
    n = M.shape[0]
    total = float(M.sum())
    lift = 1e-9 * total / n if total > 0 else 1.0
    vectors = []
    for A in (M, M.T):
        x = np.ones(n)
        for _ in range(2000):
            y = A @ x + x * (total / n) + lift * x.mean()
            y /= y.max()
            if np.abs(y - x).max() < 1e-12:
                x = y
                break
            x = y
        vectors.append(np.maximum(x, 1e-14))
    return vectors[0], vectors[1]
