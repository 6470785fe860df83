"""Figures of linear systems from plain arrays: Bode, Nyquist, poles and zeros, responses, singular values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .plot import COLOURS, axes, channel, pair, tidy

_CYCLE = (COLOURS["model"], COLOURS["second"], "#15803d", "#7c3aed", "#a16207")
_CURVE = "curve"  # marks the one line of a model in a panel, so that the next model takes the next colour


@dataclass(frozen=True)
class Channels:
    """What the rows (outputs) and columns (inputs) of a figure are called: names, or None for numbers where there are several.

    A model without names drawn beside one that has them leaves what the figure says.
    """

    outputs: Sequence[str] | None = None
    inputs: Sequence[str] | None = None

    def row(self, ax: Any, label: str, i: int, p: int) -> None:
        """Say beside a row what is drawn, and of which output."""
        self._beside(ax, channel("output", i, self.outputs, p > 1), label, self.outputs is not None)

    def column(self, ax: Any, j: int, m: int) -> None:
        """Say above a column which input acts."""
        name = channel("input", j, self.inputs, m > 1)
        if name and (self.inputs is not None or not ax.get_title()):
            ax.set_title(f"from {name}", fontsize="medium")

    def cell(self, ax: Any, label: str, i: int, j: int, shape: tuple[int, int]) -> None:
        """Say beside a panel what is drawn, of which output and of which input."""
        self._beside(ax, pair(i, j, shape, self.outputs, self.inputs), label, self.outputs is not None or self.inputs is not None)

    @staticmethod
    def _beside(ax: Any, name: str, label: str, named: bool) -> None:
        if named or not ax.get_ylabel():
            ax.set_ylabel(f"{name}\n{label}" if name else label)


UNNAMED = Channels()


def _colour(ax: Any) -> str:
    """The colour of the next model drawn into these axes."""
    return _CYCLE[sum(line.get_gid() == _CURVE for line in ax.lines) % len(_CYCLE)]


def drawn_until(ax: Any) -> float:
    """The largest abscissa of the models in these axes, 0 without any."""
    lines = [] if ax is None else [line for a in np.asarray(ax, dtype=object).flat for line in a.lines if line.get_gid() == _CURVE]
    return max((float(np.max(line.get_xdata())) for line in lines if len(line.get_xdata())), default=0.0)


def _named(ax: Any, label: str | None) -> None:
    if label is not None:
        ax.legend(loc="best", frameon=False, fontsize="small")


def stems(x: np.ndarray, heights: np.ndarray, ax: Any = None, xlabel: str = "", ylabel: str = "") -> Any:
    """Heights (k,) above positions (k,), from zero; return the axes."""
    ax = axes(ax)
    shown = np.isfinite(heights)
    ax.vlines(x[shown], 0.0, heights[shown], color=COLOURS["model"], linewidth=1.2)
    ax.plot(x[shown], heights[shown], "o", color=COLOURS["model"], markersize=4)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def bode(omega: np.ndarray, response: np.ndarray, ax: Any = None, nyquist: float | None = None, label: str | None = None, *,
         channels: Channels = UNNAMED) -> Any:  # fmt: skip
    """Gain in dB above phase in degrees for every output (rows) and input (columns); return the axes (2 p, m).

    omega: (F,) rad per unit of time, positive. response: (F, p, m) complex. nyquist: pi / dt, drawn as a line. channels: their names.
    """
    _, p, m = response.shape
    grid = _grid(ax, 2 * p, m, (2.2 + 3.2 * m, 0.8 + 3.0 * p), sharex=True)
    for i in range(p):
        for j in range(m):
            gain, phase = grid[2 * i, j], grid[2 * i + 1, j]
            h, colour = response[:, i, j], _colour(phase)
            if np.any(h != 0):
                with np.errstate(divide="ignore"):
                    gain.semilogx(omega, 20 * np.log10(np.abs(h)), color=colour, linewidth=1.2, label=label)
                phase.semilogx(omega, np.degrees(np.unwrap(np.angle(h))), color=colour, linewidth=1.2, gid=_CURVE)
            else:  # a pair that is not connected has no gain to show
                gain.set_xscale("log")
                phase.set_xscale("log")
                gain.text(0.5, 0.5, "zero", transform=gain.transAxes, ha="center", va="center")
            if nyquist is not None:
                for a in (gain, phase):
                    a.axvline(nyquist, color=COLOURS["data"], linewidth=0.8, linestyle=":")
            if j == 0:
                channels.row(gain, "gain, dB", i, p)
                phase.set_ylabel("phase, deg")
            if i == 0:
                channels.column(gain, j, m)
    for a in grid[-1]:
        a.set_xlabel("frequency, rad per unit of time")
    _named(grid[0, 0], label)
    return grid


def gain_band(omega: np.ndarray, low: np.ndarray, high: np.ndarray, grid: Any) -> None:
    """Bands between magnitudes low and high (F, p, m) in the axes (2 p, m) of a Bode diagram, in the colour drawn there last."""
    for i, j in np.ndindex(*low.shape[1:]):
        gain, curves = grid[2 * i, j], [line for line in grid[2 * i + 1, j].lines if line.get_gid() == _CURVE]
        shown = (low[:, i, j] > 0) & np.isfinite(high[:, i, j])
        if curves:  # no further than the curve itself
            shown &= (omega >= np.min(curves[-1].get_xdata())) & (omega <= np.max(curves[-1].get_xdata()))
        colour = curves[-1].get_color() if curves else COLOURS["band"]
        ends = (20 * np.log10(np.where(shown, h[:, i, j], 1.0)) for h in (low, high))
        gain.fill_between(omega, *ends, where=shown, color=colour, alpha=0.2, linewidth=0)


def nyquist_curve(response: np.ndarray, ax: Any = None, label: str | None = None, *, channels: Channels = UNNAMED) -> Any:
    """The response (F, p, m) in the complex plane with its mirror image and the point -1; return the axes."""
    _, p, m = response.shape
    grid = _grid(ax, p, m, (1.0 + 3.4 * m, 0.6 + 3.2 * p))
    for i in range(p):
        for j in range(m):
            a, h = grid[i, j], response[:, i, j]
            colour = _colour(a)
            a.plot(h.real, h.imag, color=colour, linewidth=1.2, gid=_CURVE, label=label)
            a.plot(h.real, -h.imag, color=colour, linewidth=1.0, linestyle="--")
            a.plot([-1], [0], "+", color=COLOURS["second"], markersize=9)
            a.axhline(0, color=COLOURS["data"], linewidth=0.6)
            a.axvline(0, color=COLOURS["data"], linewidth=0.6)
            a.set_aspect("equal", adjustable="datalim")
            a.set_xlabel("real part")
            channels.cell(a, "imaginary part", i, j, (p, m))
    _named(grid[0, 0], label)
    return grid if grid.size > 1 else grid[0, 0]


def pole_zero(poles: np.ndarray, zeros: np.ndarray, ax: Any = None, *, continuous: bool = False) -> Any:
    """Poles (crosses) and zeros (circles) with the stability boundary and lines of equal damping; return the axes."""
    ax = axes(ax, size=(5.2, 4.8))
    angle = np.linspace(0, 2 * np.pi, 361)
    if continuous:
        ax.axvline(0, color=COLOURS["data"], linewidth=0.8)
    else:
        ax.plot(np.cos(angle), np.sin(angle), color=COLOURS["data"], linewidth=0.8)
    _equal_damping(ax, poles, zeros, continuous)
    ax.axhline(0, color=COLOURS["grid"], linewidth=0.8)
    ax.plot(zeros.real, zeros.imag, "o", markerfacecolor="none", color=COLOURS["second"], label=f"zeros ({len(zeros)})")
    ax.plot(poles.real, poles.imag, "x", color=COLOURS["model"], label=f"poles ({len(poles)})")
    if not continuous:
        ax.set_aspect("equal", adjustable="datalim")
    ax.set(xlabel="real part", ylabel="imaginary part")
    ax.legend(loc="best", frameon=False, fontsize="small")
    return ax


def _equal_damping(ax: Any, poles: np.ndarray, zeros: np.ndarray, continuous: bool) -> None:
    """Thin dotted curves on which the damping is .1, .3, .5, .7, .9."""
    points = np.concatenate((poles, zeros))
    reach = 1.1 * float(np.abs(points).max(initial=1e-12))
    for damping in (0.1, 0.3, 0.5, 0.7, 0.9):
        slope = np.sqrt(1 - damping**2)
        size = np.linspace(0, reach if continuous else np.pi / slope, 200)
        s = size * (-damping + 1j * slope)
        curve = s if continuous else np.exp(s)
        for sign in (1, -1):
            ax.plot(curve.real, sign * curve.imag, color="#b0b0b0", linewidth=0.8, linestyle=":")
        tip = curve[-1] if continuous else curve[len(curve) // 2]
        ax.annotate(f"{damping:.1f}", (tip.real, tip.imag), color="#8c8c8c", fontsize="x-small", clip_on=True)


def responses(time: np.ndarray, values: np.ndarray, ax: Any = None, *, style: str = "line", ylabel: str = "",
              label: str | None = None, channels: Channels = UNNAMED) -> Any:  # fmt: skip
    """Responses (T, p, m) over time (T,), one panel a pair; return the axes (p, m), or one.

    style: "line", "stems" for pulses at samples (a line beyond 120 of them), "held" for values that stay until the next.
    """
    _, p, m = values.shape
    grid = _grid(ax, p, m, (1.6 + 3.2 * m, 0.8 + 1.9 * p), sharex=True)
    for i in range(p):
        for j in range(m):
            a, h = grid[i, j], values[:, i, j]
            drawn: Any = {"color": _colour(a), "gid": _CURVE, "label": label}
            a.axhline(0, color=COLOURS["data"], linewidth=0.6)
            if style == "held":
                a.step(time, h, where="post", linewidth=1.2, **drawn)
            elif style == "stems" and len(time) <= 120:
                a.vlines(time, 0, h, color=drawn["color"], linewidth=0.9)
                a.plot(time, h, "o", markersize=3, **drawn)
            else:
                a.plot(time, h, linewidth=1.2, **drawn)
            if j == 0:
                channels.row(a, ylabel, i, p)
            if i == 0:
                channels.column(a, j, m)
    for a in grid[-1]:
        a.set_xlabel("time")
    _named(grid[0, 0], label)
    return grid if grid.size > 1 else grid[0, 0]


def decay(values: np.ndarray, ax: Any = None, ylabel: str = "", xlabel: str = "index", label: str | None = None) -> Any:
    """Positive values (k,) by index on a logarithmic scale, zeros left out; return the axes."""
    ax = axes(ax)
    index = np.arange(1, len(values) + 1)
    shown = values > 0
    if shown.any():
        ax.semilogy(index[shown], values[shown], "o-", color=_colour(ax), markersize=4, linewidth=0.9, gid=_CURVE, label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    _named(ax, label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _grid(ax: Any, rows: int, columns: int, size: tuple[float, float], sharex: bool = False) -> np.ndarray:
    """An array (rows, columns) of axes: the given ones, or new ones."""
    if ax is not None:
        given = np.asarray(ax, dtype=object)
        if given.size != rows * columns:
            raise ValueError(f"plot: expected {rows} x {columns} axes; received {given.size}.")
        return given.reshape(rows, columns)
    import matplotlib.pyplot as plt

    _, grid = plt.subplots(rows, columns, squeeze=False, layout="constrained", figsize=size, sharex=sharex)
    for a in grid.flat:
        tidy(a)
    return grid
