"""The figure by which an order is chosen: singular values and an information criterion side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import plot


def draw_order(singular_values: np.ndarray, criterion: np.ndarray | None, chosen: int, ax: Any = None) -> Any:
    """Draw singular values (k,) and the criterion of orders 0, 1, ... with the order chosen; return the two axes.

    On one axes given, and without a criterion, the first alone.
    """
    pair = plot.axes(ax, 1, 1 if criterion is None else 2)
    left, *rest = np.atleast_1d(pair).reshape(-1)[:2]
    s = singular_values[:30]
    left.semilogy(np.arange(1, len(s) + 1), np.maximum(s, s[0] * 1e-16), "o-", color=plot.COLOURS["model"], markersize=3)
    for right in rest:
        assert criterion is not None
        right.plot(np.arange(len(criterion)), criterion, "o-", color=plot.COLOURS["model"], markersize=3)
    for a, label in zip((left, *rest), ("singular value", "information criterion")):
        a.axvline(chosen, color=plot.COLOURS["second"], linewidth=0.8, label="chosen")
        a.set_xlabel("order")
        a.set_ylabel(label)
    plot.legend(left)
    return pair if not rest else np.array([left, *rest])
