"""Figures from plain arrays. Matplotlib is imported when the first figure is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

COLOURS = {"data": "#333333", "model": "#0b6bcb", "second": "#c2410c", "band": "#0b6bcb", "grid": "#d9d9d9"}


def axes(ax: Any = None, rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None) -> Any:
    """The given axes, or new ones: a single Axes for one panel, an array of them for a grid."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, grid = plt.subplots(
        rows, columns, squeeze=False, layout="constrained", figsize=size or (3.4 + 4.2 * columns, 1.0 + 2.2 * rows)
    )
    for a in grid.flat:
        tidy(a)
    return grid[0, 0] if rows == columns == 1 else grid


def tidy(ax: Any) -> None:
    """Light grid, no box."""
    ax.grid(True, color=COLOURS["grid"], linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def few_decades(ax: Any) -> None:
    """Label logarithmic axes of up to two decades at 1, 2 and 5 in plain numbers; "2 x 10^0" at every tick would overlap."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() == "log" and high < 100 * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())


def band(
    ax: Any, t: np.ndarray, low: np.ndarray, high: np.ndarray, label: str | None = None, colour: str = COLOURS["band"]
) -> None:
    """A shaded interval between low (T,) and high (T,)."""
    ax.fill_between(t, low, high, color=colour, alpha=0.2, linewidth=0, label=label)


def legend(ax: Any) -> None:
    """Labels in one line above the axes, where they hide no data."""
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize=8, frameon=False, borderaxespad=0.1)


def channel(kind: str, i: int, names: Sequence[str] | None, numbered: bool) -> str:
    """What to call a channel: its name where it has one, else "output 2" where channels are `numbered`, else nothing."""
    return names[i] if names is not None else f"{kind} {i + 1}" if numbered else ""


def pair(i: int, j: int, shape: tuple[int, int], outputs: Sequence[str] | None, inputs: Sequence[str] | None) -> str:
    """What to call the response of output i to input j among (p, m): "level from pump"."""
    numbered = shape[0] * shape[1] > 1
    return " from ".join(filter(None, (channel("output", i, outputs, numbered), channel("input", j, inputs, numbered))))


def times(data: Any) -> np.ndarray:
    """What stands on the axis of time: the dates of the samples where they are known, else their times."""
    return data.time if data.dates is None else data.dates


def time_axes(grid: Any, t: np.ndarray) -> None:
    """Name the lowest axis of time, or let dates speak for themselves, on all axes."""
    if t.dtype.kind != "M":
        grid[-1].set_xlabel("time")
        return
    import matplotlib.dates as dates

    for ax in grid:
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(ax.xaxis.get_major_locator()))


def signals(data: Any, ax: Any = None) -> Any:
    """Outputs in original units, one panel each, and the inputs (held between samples) below."""
    batch = data.original if data.is_batch else data.original[None]
    inputs = data.inputs if data.is_batch else data.inputs[None]
    grid = np.atleast_1d(axes(ax, data.n_outputs + data.n_inputs)).reshape(-1)
    for i, name in enumerate(data.output_names):
        a = grid[min(i, len(grid) - 1)]
        a.plot(times(data), batch[:, :, i].T, color=COLOURS["data"], linewidth=1.0)
        a.set_ylabel(name)
    for i, name in enumerate(data.input_names):
        a = grid[min(data.n_outputs + i, len(grid) - 1)]
        a.step(times(data), inputs[:, :, i].T, where="post", color=COLOURS["second"], linewidth=1.0)
        a.set_ylabel(name)
    time_axes(grid, times(data))
    return grid[0] if len(grid) == 1 else grid
