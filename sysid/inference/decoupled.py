"""Decoupled processes: states and outputs that nothing ties together are filtered apart, at the cost of their own sizes.

A diagonal model whose outputs each see one state costs O(n) a step. Sharing an output couples states for good: with a dense
C the covariance of a diagonal model fills in, and no O(n) recursion for it exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..kernels._jit import as_float
from .linear_arrays import LinearArrays
from .trace import Stretch, Trace

LEAST_STATES = 12  # states below which one small filter is faster than several


def components(arrays: LinearArrays, cov: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """States and outputs (two index arrays) of each part that is tied to no other, one part if that saves nothing.

    Ties are nonzero entries of A, Q, the initial covariance, C and R at any time. What has no state or no output joins the first part.
    """
    p, n = arrays.C.shape[1:]
    whole = [(np.arange(n), np.arange(p))]
    if n < LEAST_STATES:
        return whole
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    states = arrays.AT.any(0) | arrays.Q.any(0) | (cov != 0)
    graph = np.block([[states, np.zeros((n, p), dtype=bool)], [arrays.C.any(0), arrays.R.any(0)]])
    count, label = connected_components(csr_array(graph), directed=False)
    if count == 1:
        return whole
    size = np.array([[np.count_nonzero(label[:n] == k), np.count_nonzero(label[n:] == k)] for k in range(count)])
    proper = np.flatnonzero(size.min(1) > 0)
    if not len(proper):
        return whole
    label = np.where(np.isin(label, proper), label, proper[0])
    parts = [(np.flatnonzero(label[:n] == k), np.flatnonzero(label[n:] == k)) for k in proper]
    return parts if sum(len(x) ** 3 for x, _ in parts) < 0.5 * n**3 else whole


def decoupled_pass(arrays: LinearArrays, stretch: Stretch, parts: list[tuple[np.ndarray, np.ndarray]],
                   run: Callable[[LinearArrays, Stretch], Trace], whole: Callable[[], Trace]) -> Trace:  # fmt: skip
    """Run every part by itself; the trace of all together. whole: the square-root run of all, for smoothers that need it."""
    traces = [run(*_part(arrays, stretch, x, y)) for x, y in parts]
    S, T, p = stretch.y.shape
    n, first = len(stretch.cov), traces[0]

    def means(name: str, width: int, which: int) -> np.ndarray:
        out = np.empty((S, getattr(first, name).shape[1], width))
        for part, trace in zip(parts, traces):
            out[..., part[which]] = getattr(trace, name)
        return out

    states = [x for x, _ in parts]
    index, chosen = shared_slots([t.index for t in traces])
    keep = first.Pf is not None
    Pp, Pf = (blocks(n, states, [getattr(t, name)[c] for t, c in zip(traces, chosen)]) if keep else None for name in ("Pp", "Pf"))
    mean = np.empty((S, n))
    for x, trace in zip(states, traces):
        mean[:, x] = trace.mean
    forms = ", ".join(sorted({t.form for t in traces}))
    return Trace(means("xp", n, 0), means("xf", n, 0), None if first.yp is None else means("yp", p, 1), Pp, Pf, index, arrays.AT, arrays.Q,
                 arrays.C, arrays.R, np.sum([t.log_density for t in traces], axis=0), mean, blocks(n, states, [t.cov[None] for t in traces])[0],
                 min(t.share for t in traces), f"{forms}, {len(parts)} parts", extra={"parts": (states, traces), "square root": whole})  # fmt: skip


def shared_slots(indices: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """One slot for each distinct combination of slots: index (T,), and for every part its own slot in each of them."""
    pairs, index = np.unique(np.stack(indices, axis=1), axis=0, return_inverse=True)
    return index.reshape(-1).astype(np.int64), list(pairs.T)


def blocks(n: int, states: list[np.ndarray], parts: list[np.ndarray]) -> np.ndarray:
    """(k, n, n) with each part (k, m, m) at its states."""
    out = np.zeros((len(parts[0]), n, n))
    for rows, part in zip(states, parts):
        out[:, rows[:, None], rows] = part
    return out


def _part(arrays: LinearArrays, stretch: Stretch, x: np.ndarray, y: np.ndarray) -> tuple[LinearArrays, Stretch]:
    AT, C, Q, R = (as_float(M[:, rows[:, None], columns]) for M, rows, columns in
                   ((arrays.AT, x, x), (arrays.C, y, x), (arrays.Q, x, x), (arrays.R, y, y)))  # fmt: skip
    small = LinearArrays(AT, C, Q, R, as_float(arrays.bx[..., x]), as_float(arrays.by[..., y]))
    return small, replace(stretch, y=as_float(stretch.y[..., y]), mean=as_float(stretch.mean[:, x]), cov=as_float(stretch.cov[np.ix_(x, x)]))
