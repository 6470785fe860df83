"""Spectral filtering as online prediction, with its regret [Hazan, Singh & Zhang 2017].

At each step the learner predicts y[t] from u up to t and y before t, suffers |y[t] - yhat[t]|^2 and updates. Regret is what it
suffered beyond the best fixed STU chosen in hindsight by least squares over the whole stream:

    R[t] = sum_{s<=t} |y[s] - yhat[s]|^2 - |y[s] - yhat*[s]|^2

For bounded features it grows as sqrt(T) by gradient steps and as log(T) by Newton steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..identification.fit import Fit
from ..kernels import online
from . import forms
from .least_squares import LeastSquares
from .regression import Layout, rows
from .stu import STU


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class OnlineFit(Fit):
    """The STU after the last step. predictions (T, p), each made before its output was seen; losses (T,), squared errors;
    regret (T,), cumulative, against `best`, the fixed STU of least total loss."""

    predictions: np.ndarray
    losses: np.ndarray
    regret: np.ndarray
    best: STU

    def summary(self) -> dict[str, Any]:
        return {**super().summary(), "steps": len(self.losses), "mean loss": float(self.losses.mean()),
                "regret": float(self.regret[-1])}

    def plot(self, ax: Any = None) -> Any:
        """Draw the cumulative regret."""
        from .. import plot
        ax = plot.axes(ax)
        ax.plot(np.arange(1, len(self.regret) + 1), self.regret, color=plot.COLOURS["model"], linewidth=1.2)
        ax.set(xlabel="step", ylabel="regret")
        return ax


@dataclass(frozen=True)
class OnlineSpectralFiltering:
    """Predict one stream online by gradient or Newton steps on an STU's weights.

    n_steps: window L of the filters, which an online learner fixes beforehand. n_filters, form: as in SpectralFiltering.
    update: "newton" (recursive least squares from `ridge`) or "gradient" (step learning_rate / (M sqrt(t)), M the largest
    squared norm of the features so far, so that learning_rate has the stability limit 2 whatever the units).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_steps: int
    n_filters: int = 24
    update: str = "newton"
    learning_rate: float = 1.0
    ridge: float = 1.0
    form: str = "standard"

    def __post_init__(self) -> None:
        _check.options(self, learning_rate="positive", ridge="positive")
        call = "OnlineSpectralFiltering"
        _check.count(self.n_steps, "n_steps", call)
        _check.count(self.n_filters, "n_filters", call)
        _check.choice(self.update, "update", call, ("newton", "gradient"))
        _check.choice(self.form, "form", call, forms.FORMS)
        if not 0 < self.learning_rate < 2:
            raise ValueError(f"{call}: expected learning_rate in (0, 2), the stability limit of a normalised gradient step; "
                             f"received {self.learning_rate!r}, which would diverge.")

    def fit(self, data: list[Data], start: Any = None) -> OnlineFit:
        """Run over one record; `start`, an STU with the same filters, gives the first weights (zero if None).

        Raises ValueError for more than one record, missing outputs, or data without inputs.
        """
        if len(data) != 1 or np.isnan(data[0].y).any():
            raise ValueError(f"OnlineSpectralFiltering: expected one record without missing outputs; received {len(data)} "
                             f"record(s){' with NaN in y' if any(np.isnan(d.y).any() for d in data) else ''}.")
        record = data[0]
        if record.n_inputs == 0:
            raise ValueError("OnlineSpectralFiltering: expected data with inputs u; received none.")
        bank = forms.bank(self.form, self.n_steps, self.n_filters)
        layout = Layout(bank, self.form, record.n_inputs, record.n_outputs, forms.least_taps(self.form))
        X, Y, _ = rows(layout, record, "one_step", "zero")
        theta = np.zeros((layout.n_columns, record.n_outputs))
        if start is not None:
            theta = _pack(start, layout)
        predicted = np.empty_like(Y)
        if self.update == "gradient":
            online.online_gradient(X, Y, self.learning_rate, theta, predicted)
        else:
            P = np.eye(layout.n_columns) / self.ridge
            online.online_newton(X, Y, P, theta, predicted, np.empty(layout.n_columns))
        squares = LeastSquares(layout.n_columns, record.n_outputs)
        squares.update(X, Y)
        best, _ = squares.solve()
        losses = ((predicted - Y) ** 2).sum(axis=1)
        regret = np.cumsum(losses - ((X @ best - Y) ** 2).sum(axis=1))
        # The target was y[t] - y[t-q]; the prediction of y[t] itself adds the output fed back.
        return OnlineFit(model=_model(theta, layout, record.dt), history={"loss": losses}, predictions=predicted + record.y - Y,
                         losses=losses, regret=regret, best=_model(best, layout, record.dt))


def _model(theta: np.ndarray, layout: Layout, dt: float) -> STU:
    taps, plus, minus, _ = layout.weights(theta)
    return STU(layout.bank, taps, plus, minus, layout.form, dt)


def _pack(start: Any, layout: Layout) -> np.ndarray:
    taps = (layout.n_taps, layout.n_outputs, layout.n_inputs)
    if not isinstance(start, STU) or (start.form, start.bank.filters.shape, start.taps.shape) != (layout.form, layout.bank.filters.shape, taps):
        raise ValueError(f"OnlineSpectralFiltering: expected start as an STU in the {layout.form} form with "
                         f"{layout.bank.n_filters} filters of {layout.bank.n_steps} steps and taps {taps}; received {_check.received(start)}"
                         f"{f' with taps {start.taps.shape}' if isinstance(start, STU) else ''}.")
    parts = [start.taps, start.plus, *([] if start.minus is None else [start.minus])]
    return np.concatenate([part.transpose(0, 2, 1).reshape(-1, start.n_outputs) for part in parts])
