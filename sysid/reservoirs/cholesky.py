"""A positive definite matrix as a vector without constraints: its Cholesky factor row by row, logarithms on the diagonal.

    M = L L',    v = (log L_11, ..., log L_nn, L_21, L_31, L_32, ...)
"""

from __future__ import annotations

import numpy as np


def entries(M: np.ndarray) -> np.ndarray:
    """The vector (n (n + 1) / 2,) of a positive definite matrix (n, n)."""
    L = np.linalg.cholesky(M)
    return np.concatenate([np.log(np.diag(L)), L[np.tril_indices(len(L), -1)]])


def matrix(v: np.ndarray, n: int) -> np.ndarray:
    """The matrix (n, n) of a vector."""
    L = np.diag(np.exp(v[:n]))
    L[np.tril_indices(n, -1)] = v[n:]
    return L @ L.T


def pull_back(gradient: np.ndarray, M: np.ndarray) -> np.ndarray:
    """Gradient in the matrix (n, n) -> gradient in its vector."""
    L = np.linalg.cholesky(M)
    step = (gradient + gradient.T) @ L
    return np.concatenate([np.diag(step) * np.diag(L), step[np.tril_indices(len(L), -1)]])
