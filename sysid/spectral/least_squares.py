"""Least squares from a stream of rows, by a triangular factor that is updated instead of a Gram matrix.

For rows (X, Y) the factor R of [X Y] = Q R holds all that least squares needs, for every subset of columns and every ridge,
without squaring the condition number. Cost O(rows F^2) an update, O(F^2) memory.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg


class LeastSquares:
    """Accumulate rows of regressors (F) and targets (p)."""

    def __init__(self, n_columns: int, n_targets: int):
        self.n_columns, self.n_targets = n_columns, n_targets
        self.n_rows = 0
        self.factor = np.zeros((0, n_columns + n_targets))

    def update(self, X: np.ndarray, Y: np.ndarray) -> None:
        """Add rows X (T, F), Y (T, p)."""
        self.n_rows += len(X)
        stacked = np.concatenate([self.factor, np.concatenate([X, Y], axis=1)])
        self.factor = scipy.linalg.qr(stacked, mode="r", check_finite=False)[0][:stacked.shape[1]]

    def merge(self, other: LeastSquares) -> None:
        """Add the rows that another one has seen."""
        n_rows = self.n_rows + other.n_rows
        self.update(other.factor[:, :self.n_columns], other.factor[:, self.n_columns:])
        self.n_rows = n_rows

    def solve(self, ridge: float = 0.0, columns: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        """Minimise |X theta - Y|^2 + ridge |theta|^2 over the named columns; returns theta (F, p), zero elsewhere, and the rank.

        Directions that the rows do not determine to working precision get the least-norm solution in scaled columns.
        """
        chosen = np.arange(self.n_columns) if columns is None else columns
        R, target = self.factor[:, chosen], self.factor[:, self.n_columns:]
        if ridge:
            R = np.concatenate([R, np.sqrt(ridge) * np.eye(len(chosen))])
            target = np.concatenate([target, np.zeros((len(chosen), self.n_targets))])
        scale = np.linalg.norm(R, axis=0)
        scale[scale == 0.0] = 1.0
        solution, _, rank, _ = scipy.linalg.lstsq(R / scale, target, cond=4e-16 * max(len(chosen), 1))
        theta = np.zeros((self.n_columns, self.n_targets))
        theta[chosen] = solution / scale[:, None]
        return theta, int(rank)

    def loss(self, theta: np.ndarray) -> np.ndarray:
        """Sum of squared residuals of each target (p,)."""
        residual = self.factor[:, :self.n_columns] @ theta - self.factor[:, self.n_columns:]
        return np.einsum("ij,ij->j", residual, residual)
