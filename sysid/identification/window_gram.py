"""The Gram matrix of all windows of a record from its covariances at L lags.

With s[t] = [u[t]; y[t]] and windows starting at t in runs [b, e) of samples without a gap,

    G_ij = sum_t s[t+i] s[t+j]',    G_{i+1,j+1} = G_ij + sum_runs s[e+i] s[e+j]' - s[b+i] s[b+j]'

so only the first block row is summed over the record; every other block differs from the one up-left of it by what
enters and leaves at the ends of the runs. This is the displacement structure that fast subspace factorisations exploit
[Mastronardi, Kressner, Sima, Van Dooren & Van Huffel 2001].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .joint_regression import Record

_ROWS = 4096


@dataclass(frozen=True)
class WindowGram:
    """centred: (L (m + p), L (m + p)) of `count` windows [u lags | y lags] without their mean.

    lost: how much relative accuracy the entries of the weakest lag have lost to differences of larger numbers, >= 1.
    """

    centred: np.ndarray
    count: int
    lost: float


def window_gram(records: Sequence[Record], length: int) -> WindowGram:
    """Sum the windows of y (T, p), u (T, m) that no gap interrupts. Cost O(T L (m + p)^2), memory O((L (m + p))^2)."""
    w = sum(part.shape[1] for part in records[0])
    first, step, count = np.zeros((1 + w, length, w)), np.zeros((length - 1, w, length - 1, w)), 0
    for y, u in records:
        starts = _starts(y, u, length)
        count += int(starts.sum())
        for left, samples in _chunks(y, u, starts, length):
            for j in range(length):
                first[:, j] += left.T @ samples[j : j + len(left)]
        edges = np.diff(starts.astype(np.int8), prepend=0, append=0)
        for sign, at in ((1.0, np.flatnonzero(edges < 0)), (-1.0, np.flatnonzero(edges > 0))):
            for a in range(0, len(at), _ROWS):
                ends = (at[a : a + _ROWS, None] + np.arange(length - 1)).ravel()
                rows = np.hstack([u[ends], y[ends]]).reshape(len(at[a : a + _ROWS]), (length - 1) * w)
                step += sign * (rows.T @ rows).reshape(step.shape)
    return _assemble(first, step, count, records[0][1].shape[1])


def _assemble(first: np.ndarray, step: np.ndarray, count: int, m: int) -> WindowGram:
    """Walk down the diagonals from the first block row, take off the mean, sort the columns."""
    sums, (length, w) = first[0], first.shape[1:]
    G = np.zeros((length, w, length, w))
    G[0] = first[1:]
    for i in range(length - 1):
        G[i + 1, :, i + 1 :] = G[i, :, i : length - 1] + step[i, :, i:]
    raw = np.einsum("ikik->ik", G).copy()
    flat = G.reshape(length * w, length * w)
    upper = np.triu(flat)
    flat = upper + np.triu(upper, 1).T
    flat -= np.outer(sums, sums) / max(count, 1)
    weakest = np.diag(flat).reshape(length, w).min(0)
    order = np.arange(length * w).reshape(length, w)
    order = np.concatenate([order[:, :m].ravel(), order[:, m:].ravel()])
    lost = float((raw.max(0) / np.maximum(weakest, 1e-300)).max(initial=1.0))
    return WindowGram(flat[np.ix_(order, order)], count, lost)


def _starts(y: np.ndarray, u: np.ndarray, length: int) -> np.ndarray:
    """(T - L + 1,) whether the window that starts there has no gap."""
    if len(y) < length:
        return np.zeros(0, bool)
    whole = ~(np.isnan(y).any(1) | np.isnan(u).any(1))
    if whole.all():
        return np.ones(len(y) - length + 1, bool)
    seen = np.concatenate([[0], np.cumsum(whole)])
    return seen[length:] - seen[:-length] == length


def _chunks(y: np.ndarray, u: np.ndarray, starts: np.ndarray, length: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """[1 | s[t]] at the starts of windows (k, 1 + w), zero elsewhere, and the samples (k + L - 1, w) that they reach."""
    for a in range(0, len(starts), _ROWS):
        use = starts[a : a + _ROWS]
        reach = slice(a, a + len(use) + length - 1)
        samples = np.nan_to_num(np.hstack([u[reach], y[reach]]))
        left = np.hstack([np.ones((len(use), 1)), samples[: len(use)]])
        left[~use] = 0.0
        yield left, samples
