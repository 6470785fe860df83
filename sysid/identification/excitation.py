"""What order of model an input can support: persistence of excitation [Ljung 1999, Def. 13.2; Willems et al. 2005]."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._show import Shown
from ..core.data import Data, experiments

if TYPE_CHECKING:
    from .windows import Windows

_RELATIVE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Excitation(Shown):
    """How richly the inputs move.

    order: largest L (up to `tried`) for which all windows of L input samples span their m L dimensions, so that L
    lags of the impulse response can be told apart. A model of order n with a horizon h needs order n + h.
    levels: (tried,) the smallest singular value of the window matrix over the largest, for L = 1..tried.
    collinear: groups of input names that are linear combinations of each other, empty where there are none.
    """

    order: int
    tried: int
    levels: np.ndarray
    collinear: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        at_least = "at least " if self.order == self.tried else ""
        return {"persistently exciting of order": f"{at_least}{self.order}",
                "collinear inputs": ", ".join(self.collinear) or "none", "weakest relative level": self.levels[-1]}  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw the relative level of the weakest direction against the number of lags; return the axes."""
        from .. import plot
        ax = plot.axes(ax)
        ax.semilogy(np.arange(1, self.tried + 1), np.maximum(self.levels, 1e-18), color=plot.COLOURS["model"])
        ax.axhline(_RELATIVE, color=plot.COLOURS["second"], linewidth=0.8, label="excited above")
        plot.legend(ax)
        ax.set_xlabel("lags")
        ax.set_ylabel("weakest direction / strongest")
        return ax


def excitation(data: Data | Iterable[Data], max_order: int = 40) -> Excitation:
    """Measure the order of persistent excitation of the inputs, each scaled to unit variance.

        order = max{L : rank [u[t], ..., u[t+L-1]]_t = m L}

    data: experiments with inputs u (T, m). max_order: largest L to try.
    The rank counts singular values above 1e-6 of the largest. A sum of k sinusoids has order 2 k, white noise and
    long pseudo-random sequences any. Cost O(T (m L)^2).
    Raises ValueError for data without inputs.
    """
    records = experiments(data, "excitation")
    if records[0].n_inputs == 0:
        raise ValueError("excitation: expected data with inputs; received none.")
    signals = [d.inputs for d in records]
    longest = max(1, min(max_order, *(len(u) // (2 * u.shape[1] + 1) for u in signals if len(u) > 1)))
    levels = input_levels(signals, longest)
    collinear = _collinear(np.concatenate(signals), records[0].input_names or ())
    good = levels > _RELATIVE
    order = longest if good.all() else int(np.argmin(good))
    return Excitation(order, longest, levels, collinear)


def input_levels(signals: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """Smallest over largest singular value of the matrix of input windows, for lengths 1..longest."""
    factor = _input_factor(signals, longest)
    m = signals[0].shape[1]
    return np.array([_level(factor, L * m) for L in range(1, longest + 1)])


def _input_factor(signals: Sequence[np.ndarray], length: int) -> np.ndarray:
    """The triangular factor of all windows of the inputs, each on the scale of its spread."""
    from .windows import Windows
    stacked = np.concatenate(signals)
    mean, scale = stacked.mean(0), stacked.std(0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300), scale, np.inf)
    return Windows.compress([(np.zeros((len(u), 0)), (u - mean) / scale) for u in signals], length).R


def _level(factor: np.ndarray, columns: int) -> float:
    """Smallest over largest singular value of the first columns, 0 where there are fewer rows."""
    s = np.linalg.svd(factor[:, :columns], compute_uv=False)
    return float(s[-1] / s[0]) if len(s) == columns and s[0] > 0 else 0.0


def _collinear(u: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the inputs that take part in a linear dependence (constant inputs among them)."""
    centred = u - u.mean(0)
    scale = centred.std(0)
    alive = scale > 1e-12 * np.maximum(np.abs(u).max(0), 1e-300)
    dead = tuple(f"{n} (constant)" for n, a in zip(names, alive) if not a)
    if not alive.any():
        return dead
    _, s, V = np.linalg.svd(centred[:, alive] / scale[alive], full_matrices=False)
    null = V[s <= _RELATIVE * s[0]]
    involved = np.abs(null).max(0, initial=0.0) > 1e-3
    return dead + tuple(n for n, k in zip(np.array(names, dtype=object)[alive], involved) if k)


def check_excitation(data: Sequence[Data], needed: int, call: str, windows: Windows | None = None) -> None:
    """Refuse constant or collinear inputs; warn where the inputs support less than `needed` lags. windows: of the data, if at hand."""
    if data[0].n_inputs == 0 or _excited(data, needed, windows):
        return
    found = excitation(list(data), max_order=max(needed, 1))
    if found.collinear:
        raise ValueError(f"{call}: expected inputs that move independently; received a constant or linearly dependent set: "
                         f"{', '.join(found.collinear)}. Their effects cannot be told apart: leave out one of them.")
    if found.order < min(needed, found.tried):
        warnings.warn(f"{call}: the inputs excite only {found.order} lags and {needed} are wanted (order plus horizon), so the "
                      f"model is not determined by these data. Lower n_states or horizon (a model of order "
                      f"{max(found.order // 2, 1)} is supported), or use a richer input such as sysid.datasets.prbs.",
                      UserWarning, stacklevel=4)  # fmt: skip


def _excited(data: Sequence[Data], needed: int, windows: Windows | None) -> bool:
    """Whether windows of `needed` lags pass at once: those of fewer lags are excited no less, and then no inputs are collinear."""
    signals = [d.inputs for d in data]
    m = signals[0].shape[1]
    if min(len(u) for u in signals) // (2 * m + 1) < needed:
        return False
    if windows is not None and windows.length >= needed:
        return bool(_level(windows.u(0, needed), needed * m) > _RELATIVE)
    return bool(_level(_input_factor(signals, needed), needed * m) > _RELATIVE)
