"""The triangular factor of all windows of a record: everything that subspace methods need, in memory free of T.

A window is [u[t], ..., u[t+L-1], y[t], ..., y[t+L-1]]. With N windows as rows and a constant projected out, so that
offsets do no harm, W = Q R, and every projection of futures onto pasts follows from R alone, which has L (m + p)
columns. Windows with a missing output are left out, and none reaches from one experiment into the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .joint_regression import Record, triangle

ENOUGH = 1.5        # windows a column that a horizon needs to be tried
_MAX_COLUMNS = 320  # of the window factor, where the horizon is chosen
_ROWS = 4096


@dataclass(frozen=True)
class Windows:
    """R (k, L (m + p)) with R'R the centred Gram matrix of N windows of length L; its rows serve as data of N windows."""

    R: np.ndarray
    length: int
    n_inputs: int
    n_outputs: int
    count: int

    @classmethod
    def compress(cls, records: Sequence[Record], length: int) -> Windows:
        """Triangularise all windows of y (T, p), u (T, m), a few thousand rows at a time. Cost O(T (L (m + p))^2)."""
        p, m = records[0][0].shape[1], records[0][1].shape[1]
        R, count = np.zeros((0, 1 + length * (m + p))), 0
        for y, u in records:
            for a in range(0, len(y) - length + 1, _ROWS):
                rows = slice(a, min(a + _ROWS + length - 1, len(y)))
                slid = _slide(u[rows], length), _slide(y[rows], length)
                block = np.hstack([np.ones((len(slid[0]), 1)), *slid])
                block = block[~np.isnan(block).any(axis=1)]
                count += len(block)
                R = triangle(np.vstack([R, block]))
        # Without the first row and column what is left is orthogonal to the constant.
        return cls(R[1:, 1:], length, m, p, count)

    def u(self, start: int, stop: int) -> np.ndarray:
        """Inputs of lags start..stop-1 (k, (stop - start) m), oldest first."""
        return self.R[:, start * self.n_inputs : stop * self.n_inputs]

    def y(self, start: int, stop: int) -> np.ndarray:
        """Outputs of lags start..stop-1 (k, (stop - start) p), oldest first."""
        at = self.length * self.n_inputs
        return self.R[:, at + start * self.n_outputs : at + stop * self.n_outputs]


def longest_horizon(records: Sequence[Record], windows_per_column: float = ENOUGH) -> int:
    """Largest h, at most 40 and a third of the longest record, whose windows of 2 h samples outnumber their entries so."""
    width = records[0][0].shape[1] + records[0][1].shape[1]
    lengths = np.array([len(y) for y, _ in records])
    h = min(_MAX_COLUMNS // (2 * width), 40, int(lengths.max()) // 3)
    while h > 1 and np.maximum(lengths - 2 * h + 1, 0).sum() < windows_per_column * 2 * h * width:
        h -= 1
    return max(h, 1)


def _slide(signal: np.ndarray, length: int) -> np.ndarray:
    """All windows of a signal (T, k) as rows (T - L + 1, L k)."""
    view = np.lib.stride_tricks.sliding_window_view(signal, length, axis=0)
    return view.transpose(0, 2, 1).reshape(len(view), length * signal.shape[1])
