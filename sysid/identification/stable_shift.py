"""The stable solution of the shift equation by convex least squares, never by moving eigenvalues."""

from __future__ import annotations

import numpy as np


def stable_shift(gamma: np.ndarray, p: int, radius: float = 0.999) -> np.ndarray:
    """A (n, n) with spectral radius below `radius` closest to the shift equation [Lacy & Bernstein 2003].

        min |(Gamma_+ P - Gamma_- M) W|   over P > 0, M = A P   with   [[r^2 P - eps I, M'], [M, P]] >= 0,  trace P = n

    gamma: (f p, n). Gamma_- drops the last block row, Gamma_+ the first. Weighting by P makes the problem convex.
    Cost that of a semidefinite program of size 2 n.
    """
    import cvxpy as cp

    n = gamma.shape[1]
    Q, R = np.linalg.qr(gamma[:-p])
    target = Q.T @ gamma[p:]
    scale = np.abs(target).max()
    P, M = cp.Variable((n, n), symmetric=True), cp.Variable((n, n))
    block = cp.bmat([[radius**2 * P - 1e-6 * np.eye(n), M.T], [M, P]])
    problem = cp.Problem(cp.Minimize(cp.norm((target @ P - R @ M) / scale, "fro")), [(block + block.T) / 2 >> 0, cp.trace(P) == n])
    problem.solve(solver=cp.CLARABEL)
    if P.value is None:
        raise ValueError(f"Subspace(stable=True): the constrained least squares was not solved ({problem.status}); "
                         "lower n_states or use another horizon.")
    return np.linalg.solve(P.value.T, M.value.T).T
