"""Identification by spectral filtering: convex regression on fixed filters [STU; Hazan, Singh & Zhang 2017].

One step:      min  sum_t |y[t] - y[t-2] - theta' phi[t]|^2 + ridge |theta|^2
Output error:  min  sum_t |y[t] - sum_{s<=t, s=t mod 2} theta' phi[s]|^2 + ridge |theta|^2

Both are linear least squares with one solution; there is no iteration and no start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.signals import moments
from ..identification.fit import Fit
from . import forms
from .ar_stu import ARSTU
from .least_squares import LeastSquares
from .regression import Layout, rows
from .stu import STU

LOSSES = ("one_step", "output_error")
_LEVEL = 0.25  # mean of the outputs over their standard deviation above which a note speaks of an offset


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpectralFit(Fit):
    """A fitted STU or ARSTU. n_filters: K used. rank: of the regression. validation: {K: mean squared error on the part
    held out} where K was chosen by it. In the history, "loss" is the mean squared residual of each output."""

    n_filters: int
    rank: int
    validation: dict[int, float] | None = None

    def summary(self) -> dict[str, Any]:
        return {**super().summary(), "filters": self.n_filters, "rank": self.rank}


@dataclass(frozen=True)
class SpectralFiltering:
    """Fit an STU (or an ARSTU) by least squares.

    n_filters: K; None chooses among `candidates` by the loss on held-out data. n_steps: window L; the longest record if None.
    form: "standard", "alternating" (one branch; twice as many filters give the same accuracy), or "positive".
    loss: "one_step" weights the error of the next output, "output_error" the error of the model on its own outputs; with
    noise on y the second is better by an order of magnitude for simulation.
    ridge: added to the sum of squares, on weights of features scaled by s^(1/4).
    autoregression: k_y; 0 keeps the fixed feedback, more fits an ARSTU (one_step only). n_taps: k_u.
    initial: "zero" for records that start at rest, "free" for records that do not.
    validation: share of the data held out for the choice of K (whole records if there are four or more, else the end of
    each); the model is then fitted to all of them.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_filters: int | None = 24
    loss: str = "one_step"
    ridge: float = 0.0
    form: str = "standard"
    n_steps: int | None = None
    autoregression: int = 0
    n_taps: int | None = None
    initial: str = "zero"
    candidates: tuple[int, ...] = (2, 4, 8, 12, 16, 20, 24)
    validation: float = 0.25

    def __post_init__(self) -> None:
        _check.options(self, ridge="nonnegative", n_steps="count", validation="positive")
        call = "SpectralFiltering"
        _check.choice(self.loss, "loss", call, LOSSES)
        _check.choice(self.form, "form", call, forms.FORMS)
        _check.choice(self.initial, "initial", call, ("zero", "free"))
        _check.count(self.autoregression, "autoregression", call, least=0)
        if not isinstance(self.candidates, tuple | list) or not len(self.candidates):
            raise TypeError(f"{call}: expected candidates as numbers of filters such as (4, 8, 16); received {_check.received(self.candidates)}.")
        for k in self.candidates if self.n_filters is None else (self.n_filters,):
            _check.count(k, "n_filters", call)
        if self.n_taps is not None:
            _check.count(self.n_taps, "n_taps", call, least=forms.least_taps(self.form))
        if not 0 < self.validation < 1:
            raise ValueError(f"{call}: expected validation as a share in (0, 1); received {self.validation!r}.")
        if self.autoregression and self.loss == "output_error":
            raise ValueError(f"{call}: expected loss=\"one_step\" with autoregression; received \"output_error\", which is "
                             "linear only while the fed-back weight is fixed (autoregression=0).")

    def fit(self, data: list[Data], start: Any = None) -> SpectralFit:
        """Estimate from one or several records; `start` is not used, the problem being convex."""
        if self.n_filters is not None:
            statistics = SpectralStatistics(self, data[0].n_inputs, data[0].n_outputs, self._window(data), data[0].dt)
            for record in data:
                statistics.update(record)
            return statistics.fit()
        return self._choose(data)

    def _window(self, data: list[Data]) -> int:
        if self.n_steps is not None:
            return self.n_steps
        return max(d.n_steps for d in data)

    def _choose(self, data: list[Data]) -> SpectralFit:
        window, first = self._window(data), data[0]
        candidates = sorted(k for k in self.candidates if k <= window)
        if not candidates:
            raise ValueError(f"SpectralFiltering: expected candidates up to the window of {window} steps; "
                             f"received {self.candidates}.")
        fitted = SpectralStatistics(self, first.n_inputs, first.n_outputs, window, first.dt, n_filters=candidates[-1])
        held = LeastSquares(fitted.layout.n_columns, first.n_outputs)
        for record, share in zip(data, _held_shares(len(data), self.validation)):
            for X, Y in fitted.regressions(record):  # of the whole record, so that what is held out knows its past
                kept = len(X) - min(len(X), max(1, round(share * len(X)))) if share else len(X)
                fitted.squares.update(X[:kept], Y[:kept])
                held.update(X[kept:], Y[kept:])
        errors = {k: float(held.loss(fitted.solve(k)[0]).sum() / max(held.n_rows, 1)) for k in candidates}
        best = min(errors, key=lambda k: errors[k])
        fitted.squares.merge(held)
        return fitted.fit(best, validation=errors)


class SpectralStatistics:
    """Accumulate what a SpectralFiltering fit needs, one record at a time; memory does not grow with the data.

        statistics = SpectralStatistics(method, n_inputs, n_outputs, n_steps)
        for record in records: statistics.update(record)
        model = statistics.fit().model
    n_filters : K
    Raises ValueError for data without inputs.
    """

    def __init__(self, method: SpectralFiltering, n_inputs: int, n_outputs: int, n_steps: int, dt: float = 1.0,
                 n_filters: int | None = None):
        call = "SpectralFiltering"
        n_filters = n_filters or method.n_filters or max(method.candidates)
        if n_inputs == 0:
            raise ValueError(f"{call}: expected data with inputs u; received none. Spectral filters act on inputs.")
        bank = forms.bank(method.form, n_steps, n_filters)
        n_taps = method.n_taps or forms.least_taps(method.form)
        self.method, self.dt = method, dt
        self.layout = Layout(bank, method.form, n_inputs, n_outputs, n_taps, method.autoregression)
        self.squares = LeastSquares(self.layout.n_columns, n_outputs)
        self.missing = 0
        self.levels: list[np.ndarray] = []  # mean over standard deviation of the outputs of each record

    def update(self, data: Data) -> None:
        """Add one record (or every sequence of a batch).

        Raises ValueError for records of other channels, or no longer than the lag.
        """
        for X, Y in self.regressions(data):
            self.squares.update(X, Y)

    def regressions(self, data: Data) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Regressors and targets of every sequence of a record; what is left out and where outputs lie is noted.

        Raises ValueError for records no longer than the lag.
        """
        for record in data.sequences():
            lag = max(self.layout.shift, self.layout.n_past)
            if record.n_steps <= lag:
                raise ValueError(f"SpectralFiltering: expected records longer than the lag of {lag} steps; "
                                 f"received {record.n_steps} samples. Time is the first axis: did you pass the transpose?")
            X, Y, missing = rows(self.layout, record, self.method.loss, self.method.initial)
            self.missing += missing
            mean, spread = moments(record.y)
            self.levels.append(mean / spread)
            yield X, Y

    def solve(self, n_filters: int) -> tuple[np.ndarray, int]:
        """Weights (columns, p) that use the first n_filters filters, and the rank."""
        return self.squares.solve(self.method.ridge, self.layout.columns(n_filters))

    def fit(self, n_filters: int | None = None, validation: dict[int, float] | None = None) -> SpectralFit:
        """Solve for the model from all records so far."""
        layout = self.layout
        k = n_filters or layout.bank.n_filters
        theta, rank = self.solve(k)
        taps, plus, minus, past = layout.weights(theta)
        bank, plus, minus = layout.bank.truncate(k), plus[:k], None if minus is None else minus[:k]
        model = ARSTU(bank, taps, plus, minus, past, layout.form, self.dt) if layout.n_past else \
            STU(bank, taps, plus, minus, layout.form, self.dt)
        notes = []
        if self.missing:
            notes.append(f"{self.missing} rows were left out for missing outputs")
        levels = np.array(self.levels)
        level = np.where(np.ptp(np.sign(levels), axis=0) == 0, np.abs(levels).min(0), 0.0).max()
        if level > _LEVEL:
            notes.append(f"outputs stand {level:.2g} of their spread or more away from zero, and a spectral filter has no offset: if that is "
                         "a level of the sensor, subtract it, data.detrend(0)")  # fmt: skip
        columns = len(layout.columns(k))
        if rank < columns and not self.method.ridge:
            notes.append(f"the data determine {rank} of {columns} weights an output; the rest are least-norm")
        loss = self.squares.loss(theta) / max(self.squares.n_rows, 1)
        return SpectralFit(model=model, history={"loss": loss}, notes=tuple(notes), n_filters=k, rank=rank,
                           validation=validation)


def _held_shares(n_records: int, share: float) -> list[float]:
    """The share of each record that is held out: of four and more the last ones whole, of fewer the end of each."""
    if n_records < 4:
        return [share] * n_records
    kept = n_records - min(n_records - 1, max(1, round(share * n_records)))
    return [0.0] * kept + [1.0] * (n_records - kept)
