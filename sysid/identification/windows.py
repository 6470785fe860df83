"""The triangular factor of all windows of a record: everything that subspace methods need, in memory free of T.

A window is [u[t], ..., u[t+L-1], y[t], ..., y[t+L-1]]. With N windows as rows and a constant projected out, so that
offsets do no harm, W = Q R, and every projection of futures onto pasts follows from R alone, which has L (m + p)
columns. Windows with a missing output are left out, and none reaches from one experiment into the next.

R is the Cholesky factor of the Gram matrix of the windows (`window_gram.py`: a sum over lags, not over their pairs)
where that keeps eight digits, and Householder's where it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .joint_regression import Record
from .triangular import cholesky_factor, triangle
from .window_gram import window_gram

ENOUGH = 1.5        # windows a column that a horizon needs to be tried
_MAX_COLUMNS = 320  # of the window factor, where the horizon is chosen
_ROWS = 4096


@dataclass(frozen=True)
class Windows:
    """R (k, L (m + p)) with R'R the centred Gram matrix of N windows of length L; its rows serve as data of N windows.

    factorisation: "cholesky" of the Gram matrix or "householder" of the windows.
    """

    R: np.ndarray
    length: int
    n_inputs: int
    n_outputs: int
    count: int
    factorisation: str = "householder"

    @classmethod
    def compress(cls, records: Sequence[Record], length: int) -> Windows:
        """The factor of all windows of y (T, p), u (T, m). Cost O(T L (m + p)^2), with QR O(T (L (m + p))^2)."""
        m, p = records[0][1].shape[1], records[0][0].shape[1]
        found = window_gram(records, length)
        R = None if found.count < len(found.centred) else cholesky_factor(found.centred, found.lost)
        if R is not None:
            return cls(R, length, m, p, found.count, "cholesky")
        return cls(_householder(records, length), length, m, p, found.count)

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


def _householder(records: Sequence[Record], length: int) -> np.ndarray:
    """Triangularise the windows a few thousand rows at a time; without the constant's row and column."""
    R = np.zeros((0, 1 + length * sum(part.shape[1] for part in records[0])))
    for y, u in records:
        for a in range(0, len(y) - length + 1, _ROWS):
            rows = slice(a, min(a + _ROWS + length - 1, len(y)))
            slid = _slide(u[rows], length), _slide(y[rows], length)
            block = np.hstack([np.ones((len(slid[0]), 1)), *slid])
            R = triangle(np.vstack([R, block[~np.isnan(block).any(axis=1)]]))
    return R[1:, 1:]


def _slide(signal: np.ndarray, length: int) -> np.ndarray:
    """All windows of a signal (T, k) as rows (T - L + 1, L k)."""
    view = np.lib.stride_tricks.sliding_window_view(signal, length, axis=0)
    return view.transpose(0, 2, 1).reshape(len(view), length * signal.shape[1])
