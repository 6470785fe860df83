"""The metric P of a multiplier by cyclic reduction, without a semidefinite program [Meini 2002, Math. Comp. 71].

With T fixed, the circle inequality for (P, T, k) is equivalent, through X = 2T - P, to
$$ X + A' X^{-1} A \\le Q, \\qquad Q = 2T + \\frac{\\underline{A}' T \\overline{A} + \\overline{A}' T \\underline{A}}{k^2},
   \\quad A = \\frac{T (\\underline{A} + \\overline{A})}{k}, $$
and the largest solution of the equation is the limit of a quadratically convergent iteration.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .pencil import times_transpose


def metric(lower: np.ndarray, upper: np.ndarray, t: np.ndarray, rate: float, slack: float) -> np.ndarray | None:
    """P (n, n) such that (P, diag(t), rate) satisfies the circle inequality with `slack` to spare, or None.

    None means that the rate is below what the multiplier reaches, or too close to it for double precision.
    Cost about 10 n^3 an iteration, 5 to 20 iterations.
    """
    d = np.sqrt(t)
    low, up = (d[:, None] * A / d for A in (lower, upper))
    A = (low + up) / rate
    Q = times_transpose(low, up)
    Q = (Q + Q.T) / rate**2
    Q[np.diag_indices(len(d))] += 2.0 - slack
    X = Q.copy()
    for _ in range(60):
        try:
            factor = cho_factor(Q, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return None
        F = cho_solve(factor, A, check_finite=False)
        B = A.T @ F
        G = A @ cho_solve(factor, A.T, check_finite=False)
        B, G = (B + B.T) / 2, (G + G.T) / 2
        X -= B
        Q = Q - B - G
        A = A @ F
        size = np.abs(B).sum(axis=0).max()
        if not np.isfinite(size):
            return None
        if size < 1e-14 * np.abs(X).sum(axis=0).max():
            P = -X
            P[np.diag_indices(len(d))] += 2.0
            P = d[:, None] * P * d
            return (P + P.T) / 2
    return None
