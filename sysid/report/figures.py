"""The figures of a report, each from plain arrays: one axes style, one width, a sentence beneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..plot import COLOURS, band, time_axes, times
from .page import Picture, canvas, picture


@dataclass(frozen=True)
class Track:
    """A predicted path over time (T,): its centre and, where there is one, its band."""

    time: np.ndarray
    centre: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    label: str = "predicted"
    colour: str = COLOURS["model"]

    def draw(self, ax: Any, width: float = 1.5) -> None:
        if self.low is not None and self.high is not None:
            band(ax, self.time, self.low, self.high, "95 % band", self.colour)
        ax.plot(self.time, self.centre, color=self.colour, linewidth=width, label=self.label)


def path(time: np.ndarray, y: np.ndarray, tracks: list[Track], ylabel: str, xlabel: str, caption: str, *,
         boundary: float | None = None, points: bool = False) -> Picture:
    """Measured values (T,) and the tracks over them; a dashed line where the unseen part begins."""
    figure, ax = canvas(height=3.2)
    for track in tracks:
        track.draw(ax)
    style = {"marker": "o", "markersize": 3.2, "linestyle": "none"} if points else {"linewidth": 1.0}
    ax.plot(time, y, color=COLOURS["data"], label="measured", zorder=3, **style)
    if boundary is not None:
        ax.axvline(boundary, color="#8c959f", linewidth=1.0, linestyle=(0, (4, 3)))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if time.dtype.kind == "M":
        time_axes([ax], time)
    ax.margins(x=0.01)
    _legend_above(ax)
    return picture(figure, caption)


def ascent(runs: dict[str, np.ndarray], values: dict[str, np.ndarray], name: str, caption: str) -> Picture:
    """Log-likelihood and one parameter over the iterations, one line a run."""
    figure, (top, bottom) = canvas(2, 4.4)
    best = max(float(np.nanmax(v)) for v in runs.values())
    for (label, history), colour in zip(runs.items(), (COLOURS["model"], COLOURS["second"], COLOURS["data"])):
        top.plot(np.maximum(best - history, 1e-3), color=colour, linewidth=1.6, label=label)
        bottom.plot(values[label], color=colour, linewidth=1.6)
    top.set_yscale("log")
    top.set(ylabel="nats below best")
    bottom.set(ylabel=name, xlabel="iteration", ylim=(0, 1.05 * max(float(np.nanmax(v)) for v in values.values())))
    _legend_above(top)
    return picture(figure, caption)


def profile(values: np.ndarray, likelihood: np.ndarray, marks: dict[str, tuple[float, float]], name: str,
            caption: str) -> Picture:
    """The profile log-likelihood (k,) over one parameter (k,), with the points where the fits ended."""
    figure, ax = canvas()
    ax.plot(values, likelihood, color=COLOURS["data"], linewidth=1.4)
    for (label, (at, reached)), (colour, shape) in zip(marks.items(), ((COLOURS["model"], "o"), (COLOURS["second"], "x"))):
        ax.plot(at, reached, shape, color=colour, markersize=8, markeredgewidth=2, label=label, fillstyle="none")
    ax.set(xlabel=name, ylabel="log-likelihood, nats")
    low = np.nanmax(likelihood) - 60
    ax.set_ylim(max(low, np.nanmin(likelihood)) - 1, np.nanmax(likelihood) + 3)
    _legend_above(ax)
    return picture(figure, caption)


def decay(distances: np.ndarray, bound: np.ndarray, caption: str) -> Picture:
    """Distances between pairs of trajectories (pairs, T) under the certified bound (T,)."""
    figure, ax = canvas()
    ax.plot(np.maximum(distances, 1e-16).T, color=COLOURS["data"], linewidth=0.8, alpha=0.5)
    ax.plot([], [], color=COLOURS["data"], linewidth=0.8, label="pairs of starts")
    ax.plot(bound, color=COLOURS["second"], linewidth=1.8, label="certified bound")
    ax.set_yscale("log")
    ax.set(xlabel="steps", ylabel="distance, relative")
    _legend_above(ax)
    return picture(figure, caption)


def spectrum(frequency: np.ndarray, density: np.ndarray, measured: tuple[np.ndarray, np.ndarray] | None, xlabel: str,
             ylabel: str, caption: str, peak: float | None = None) -> Picture:
    """A spectral density over frequency in cycles, with the periodogram of the data behind it."""
    figure, ax = canvas()
    if measured is not None:
        ax.plot(*measured, color=COLOURS["data"], linewidth=0.7, alpha=0.45, label="periodogram of the data")
    ax.plot(frequency, density, color=COLOURS["model"], linewidth=1.8, label="model")
    if peak is not None:
        ax.axvline(peak, color=COLOURS["second"], linewidth=1.2, linestyle=(0, (4, 3)))
    ax.set_yscale("log")
    ax.set_ylim(bottom=np.min(density) / 8)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(x=0.01)
    _legend_above(ax)
    return picture(figure, caption)


def poles(found: np.ndarray, caption: str, zeros: np.ndarray | None = None) -> Picture:
    """Poles (and zeros) in the complex plane with the unit circle."""
    figure, ax = canvas(height=4.2)
    angle = np.linspace(0, 2 * np.pi, 400)
    ax.plot(np.cos(angle), np.sin(angle), color="#8c959f", linewidth=1.0)
    if zeros is not None and len(zeros):
        near = zeros[np.abs(zeros) < 3]
        ax.plot(near.real, near.imag, "o", color=COLOURS["second"], fillstyle="none", markersize=6, label="zeros")
    ax.plot(found.real, found.imag, "x", color=COLOURS["model"], markersize=6, markeredgewidth=1.6, label="poles")
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xlabel="real part", ylabel="imaginary part")
    _legend_above(ax)
    return picture(figure, caption)


def bode(omega: np.ndarray, response: np.ndarray, labels: list[str], caption: str, unit: str = "rad per unit of time") -> Picture:
    """Gain in decibels and phase in degrees of responses (channels, len(omega))."""
    figure, (gain, phase) = canvas(2, 4.4)
    colours = (COLOURS["model"], COLOURS["second"], COLOURS["data"], "#5b8c3e", "#8250df")
    for k, label in enumerate(labels):
        colour = colours[k % len(colours)]
        gain.semilogx(omega, 20 * np.log10(np.maximum(np.abs(response[k]), 1e-12)), color=colour, linewidth=1.6, label=label)
        phase.semilogx(omega, np.degrees(np.unwrap(np.angle(response[k]))), color=colour, linewidth=1.6)
    gain.set(ylabel="gain, dB")
    phase.set(ylabel="phase, degrees", xlabel=f"frequency, {unit}")
    if len(labels) > 1:
        _legend_above(gain)
    return picture(figure, caption)


def stems(values: np.ndarray, xlabel: str, ylabel: str, caption: str, marked: int | None = None) -> Picture:
    """Positive values on a logarithmic scale, in order; those up to `marked` are filled."""
    figure, ax = canvas(height=2.7)
    order = np.arange(1, len(values) + 1)
    kept = order <= (len(values) if marked is None else marked)
    ax.vlines(order, values.min() / 2, values, color="#c5ccd3", linewidth=1.2)
    ax.plot(order[kept], values[kept], "o", color=COLOURS["model"], markersize=5)
    ax.plot(order[~kept], values[~kept], "o", color=COLOURS["model"], markersize=5, fillstyle="none")
    ax.set_yscale("log")
    ax.set_ylim(values.min() / 2, values.max() * 2)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return picture(figure, caption)


def correlation(lags: np.ndarray, values: dict[str, np.ndarray], limit: float, caption: str) -> Picture:
    """Correlations over lags, one panel each, with the 95 % limits of white residuals."""
    figure, axes = canvas(len(values), 1.0 + 1.7 * len(values))
    for ax, (label, value) in zip(np.atleast_1d(axes), values.items()):
        ax.axhspan(-limit, limit, color=COLOURS["band"], alpha=0.15, linewidth=0)
        ax.vlines(lags, 0, value, color=COLOURS["data"], linewidth=1.6)
        ax.axhline(0, color="#8c959f", linewidth=0.8)
        ax.set(ylabel=label)
        ax.margins(y=0.15)
    ax.set(xlabel="lag, samples")
    return picture(figure, caption)


def _legend_above(ax: Any) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(labels), borderaxespad=0.2,
                  handlelength=1.6, columnspacing=1.4, frameon=False, fontsize=10)


def records(data: Any, boundary: float, caption: str) -> Picture:
    """Every channel of the data, outputs first, at most six."""
    channels = [(name, data.original[:, j], "default", COLOURS["data"]) for j, name in enumerate(data.output_names)]
    channels += [(name, data.inputs[:, j], "steps-post", COLOURS["second"]) for j, name in enumerate(data.input_names)]
    channels = channels[:6]
    figure, axes = canvas(len(channels), 0.8 + 1.5 * len(channels))
    for ax, (name, values, style, colour) in zip(np.atleast_1d(axes), channels):
        ax.plot(times(data), values, drawstyle=style, color=colour, linewidth=1.0)
        ax.axvline(boundary, color="#8c959f", linewidth=1.0, linestyle=(0, (4, 3)))
        ax.set_ylabel(name)
        ax.margins(x=0.01)
    time_axes(np.atleast_1d(axes), times(data))
    return picture(figure, caption)
