"""Measured signals: outputs with gaps, inputs, one sampling interval."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown
from .csv import Layout, read_columns
from .dates import checked, dates_of
from .scaling import Composed, Scaling, mapped_outputs
from .signals import channel_names, decimated, listed, moments, places, refuse_swapped, signal, without_trend
from .table import Columns


@dataclass(frozen=True, eq=False, repr=False)
class Data(Shown):
    """One experiment: outputs, inputs and the sampling interval; or a batch of equal length.

    y: (T, p), or (T,) for one channel, or (S, T, p) for a batch of S sequences; NaN (or a masked entry) is missing.
    u: (T, m), (T,) or (S, T, m), never missing; u[t] acts from t to t+1. None where there is no input.
    dt: sampling interval in the user's unit of time. t0: time of the first sample.
    output_names, input_names: one label a channel, used in figures and errors; by default the columns of a table.
    inverse: monotone map from y back to original units, set by `map`; bands, errors and figures go through it.
    dates: (T,) of the samples, by default those of a pandas index of y or u; figures and `to_frame` show them, dt stays.
    Several experiments of any lengths are a list of Data.
    Raises ValueError or TypeError for infinities, NaN in u, unequal lengths, an empty series, or text.
    """

    y: np.ndarray
    u: np.ndarray | None = None
    dt: float = 1.0
    output_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None
    t0: float = 0.0
    inverse: Callable | None = None
    dates: np.ndarray | None = None

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, y: ArrayLike, u: ArrayLike | None = None, dt: float = 1.0, output_names: Sequence[str] | None = None,
                     input_names: Sequence[str] | None = None, t0: float = 0.0, inverse: Callable | None = None,
                     dates: ArrayLike | None = None) -> None: ...

    def __post_init__(self) -> None:
        y = signal(self.y, "y", nan=True)
        u = None if self.u is None else signal(self.u, "u", nan=False)
        if u is not None and u.shape[:-1] != y.shape[:-1]:
            flipped = 1 in (y.shape[0], u.shape[0]) or u.shape[::-1][: y.ndim - 1] == y.shape[:-1]
            slip = "Time is the first axis (the second in a batch): did you pass the transpose?" if flipped else (
                "One input row acts from each sample to the next: cut both to the same stretch of time.")
            raise ValueError(f"Data: expected u with as many samples as y, {y.shape[:-1]}; received {u.shape[:-1]}. {slip}")
        if u is not None and u.shape[-1] == 0:
            u = None
        dt = _check.time_step(self.dt, "Data")
        if dt is None:
            raise ValueError("Data: expected a sampling interval dt > 0; received None. Measured data are sampled.")
        if self.inverse is not None and not callable(self.inverse):
            raise TypeError(f"Data: expected inverse as a function of y; received {type(self.inverse).__name__}.")
        names_y = channel_names(self.output_names, self.y, y.shape[-1], "y", "output_names")
        names_u = channel_names(self.input_names, self.u, 0 if u is None else u.shape[-1], "u", "input_names")
        dates = dates_of(self.y, self.u) if self.dates is None else self.dates
        dates = None if dates is None else checked(dates, y.shape[-2])
        t0 = _check.number(self.t0, "t0", "Data")
        for key, value in {"y": y, "u": u, "dt": dt, "t0": t0, "output_names": names_y, "input_names": names_u, "dates": dates}.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_csv(cls, path: str | os.PathLike, outputs: Sequence[str], inputs: Sequence[str] = (), dt: float | None = None, *,
                 time: str | None = None, separator: str | None = None, decimal: str = ".",
                 encoding: str = "utf-8", missing: Sequence[str] = ()) -> Data:  # fmt: skip
        """Read columns of a CSV file with a header line.

        outputs, inputs: names of columns. dt: sampling interval, 1 unless given. time: a column of equally spaced times
        (numbers, or dates read as seconds and kept as `dates`, ISO or day.month.year) from which dt and t0 are taken instead. With dt beside it
        the times may be uneven: each row goes to the nearest step of a grid, steps without a row are missing, and inputs
        keep their last value there; a warning says how many and how far rows were moved.
        separator: found among comma, semicolon, tab and bar unless given. decimal: "." or ",". encoding: of the file.
        missing: words that mark a missing value, such as ("Bad", "-999"), beside NA, NaN, null, -, ? and the empty cell.
        Missing cells become NaN and are reported in a warning.
        Raises ValueError for a missing cell in an input column, absent columns, duplicate headers, text cells, uneven
        times without dt, and rows longer than the header; FileNotFoundError as usual.
        """
        wanted = Columns(outputs, inputs, dt, time, "Data.from_csv")
        return cls(**wanted.record(read_columns(path, [*wanted.outputs, *wanted.inputs], time, Layout(separator, decimal, encoding, missing))))

    @classmethod
    def from_columns(cls, table: Any, outputs: Sequence[str], inputs: Sequence[str] = (), dt: float | None = None, *,
                     time: str | None = None) -> Data:  # fmt: skip
        """Take columns of a table by name: a pandas or polars DataFrame, a dict of arrays, a record array.

        outputs, inputs: names of columns. dt: sampling interval, 1 unless given. time: a column of equally spaced times
        (numbers, or dates read as seconds after the first and kept as `dates`) from which dt and t0 are taken instead; with dt beside it they
        may be uneven, as for `from_csv`. An index of pandas is a column after `reset_index()`. Gaps in outputs are missing,
        as NaN, NA or None.
        Raises ValueError or TypeError for absent columns, text, gaps in an input, or uneven times.
        """
        wanted = Columns(outputs, inputs, dt, time, "Data.from_columns")
        return cls(**wanted.record(wanted.of_table(table)))

    @property
    def n_steps(self) -> int:
        """Samples in time, T."""
        return self.y.shape[-2]

    @property
    def n_outputs(self) -> int:
        """Output channels, p."""
        return self.y.shape[-1]

    @property
    def n_inputs(self) -> int:
        """Input channels, m; 0 without inputs."""
        return 0 if self.u is None else self.u.shape[-1]

    @property
    def is_batch(self) -> bool:
        """Whether y is (S, T, p)."""
        return self.y.ndim == 3

    @property
    def inputs(self) -> np.ndarray:
        """Inputs as an array with m columns, m = 0 where there are none."""
        return np.zeros((*self.y.shape[:-1], 0)) if self.u is None else self.u

    @property
    def time(self) -> np.ndarray:
        """Times of the samples (T,)."""
        return self.t0 + self.dt * np.arange(self.n_steps)

    @property
    def missing(self) -> np.ndarray:
        """Where y is missing, boolean, of y's shape."""
        return np.isnan(self.y)

    @property
    def original(self) -> np.ndarray:
        """The outputs in original units, y's shape."""
        return self.to_original(self.y)

    def to_original(self, y: np.ndarray) -> np.ndarray:
        """Map outputs (..., p) back to original units; the identity where no `map` was applied."""
        return np.asarray(y) if self.inverse is None else np.asarray(self.inverse(np.asarray(y)), dtype=float)

    def __len__(self) -> int:
        return self.n_steps

    def __iter__(self) -> Any:
        raise TypeError("Data is not a sequence of samples: its arrays are data.y and data.u, its single sequences data.sequences().")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Data is not one array: did you mean data.y, or data.u?")

    def __getitem__(self, key: slice) -> Data:
        """A stretch of time, `data[100:200]`; a step k multiplies the sampling interval by k."""
        if not isinstance(key, slice):
            raise TypeError(f"Data[...]: expected a slice of time such as data[100:200]; received {key!r}.")
        start, stop, step = key.indices(self.n_steps)
        if step < 1 or stop <= start:
            raise ValueError(f"Data[...]: expected a slice that keeps samples in order; received {key} of {self.n_steps} samples.")
        u = None if self.u is None else self.u[..., start:stop:step, :]
        dates = None if self.dates is None else self.dates[start:stop:step]
        return replace(self, y=self.y[..., start:stop:step, :], u=u, dt=self.dt * step, t0=self.t0 + self.dt * start, dates=dates)

    def select(self, outputs: Any = None, inputs: Any = None) -> Data:
        """Some channels, in the order given: names, or numbers from 0; one or a list. None keeps all, inputs=[] none.

        Raises ValueError for channels that are not there or come twice, and for outputs of mapped data: select first, then map.
        """
        if outputs is not None and self.inverse is not None:
            raise ValueError("Data.select: expected outputs on their own scale; received mapped ones, whose way back knows all of them. "
                             "Select first and then map or standardize.")  # fmt: skip
        y = places(outputs, self.output_names, self.n_outputs, "outputs", "Data.select")
        u = places(inputs, self.input_names, self.n_inputs, "inputs", "Data.select")
        return replace(self, y=self.y[..., y], u=self.u[..., u] if self.u is not None and u else None,
                       output_names=[(self.output_names or ())[i] for i in y], input_names=[(self.input_names or ())[i] for i in u])  # fmt: skip

    def split(self, at: float | int = 0.5) -> tuple[Data, Data]:
        """Cut in two: at a share of the samples (float in (0, 1)) or before sample number `at` (int).

        Raises TypeError or ValueError for what is neither a share in (0, 1) nor a sample within the record.
        """
        if isinstance(at, bool) or not isinstance(at, int | float | np.integer | np.floating):
            raise TypeError(f"Data.split: expected a share such as 0.5 or a sample number; received {at!r}.")
        k = at if isinstance(at, int | np.integer) else round(at * self.n_steps) if 0 < at < 1 else 0
        if not 0 < k < self.n_steps:
            raise ValueError(f"Data.split: expected a share in (0, 1) or a sample between 1 and {self.n_steps - 1}; received {at}.")
        return self[:k], self[k:]

    def sequences(self) -> list[Data]:
        """The single sequences: S of them for a batch, else one."""
        if not self.is_batch:
            return [self]
        return [replace(self, y=y, u=None if self.u is None else self.u[s]) for s, y in enumerate(self.y)]

    def resample(self, factor: int) -> Data:
        """Keep every `factor`-th sample after an anti-aliasing filter; the sampling interval grows by the factor.

        y and u pass the same linear-phase low-pass, centred on each kept sample, so a linear relation between them
        stands and nothing is delayed. Entries with fewer than half of the filter's weight on measured samples become
        missing. `data[::factor]` is the same without the filter, which folds fast motions onto slow ones.
        Raises TypeError or ValueError for a factor that is not a whole number, or a record shorter than the
        filter.
        """
        factor = _check.count(factor, "factor", "Data.resample")
        if factor == 1:
            return self
        u = None if self.u is None else decimated(self.u, factor)
        dates = None if self.dates is None else self.dates[::factor]
        return replace(self, y=decimated(self.y, factor), u=u, dt=self.dt * factor, dates=dates)

    def detrend(self, degree: int = 0) -> Data:
        """Subtract a polynomial in time from every channel: its mean (degree 0), its straight line (1), ...

        Missing entries are ignored and stay missing. A channel with fewer samples than coefficients is refused.
        Raises ValueError for a negative degree, mapped data, or too few measured samples in a channel.
        """
        degree = _check.count(degree, "degree", "Data.detrend", least=0)
        if self.inverse is not None:
            raise ValueError("Data.detrend: expected data on their own scale; received mapped ones, whose way back to original "
                             "units does not know the trend. Detrend first and then map, or use standardize().")
        y = without_trend(self.y, degree)
        u = None if self.u is None else without_trend(self.u, degree)
        return replace(self, y=y, u=u)

    def standardize(self) -> tuple[Data, Scaling]:
        """Scale every channel to zero mean and unit variance, missing entries ignored; return data and the way back."""
        y_mean, y_scale = moments(self.y)
        u_mean, u_scale = moments(self.inputs)
        scaling = Scaling(y_mean, y_scale, u_mean, u_scale)
        return scaling.apply(self), scaling

    def map(self, forward: Callable, inverse: Callable) -> Data:
        """Transform the outputs, y -> forward(y), remembering the monotone way back.

        Models then live on the new scale; intervals, errors and figures come in original units. What lies outside the
        range of forward, such as a negative square root, comes back as the end of that range.
        Raises ValueError where forward is not finite on the data or inverse does not undo it to 1e-6.
        """
        mapped, way = mapped_outputs(self.y, forward, inverse)
        return replace(self, y=mapped, inverse=way if self.inverse is None else Composed(self.inverse, way))

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "samples": self.n_steps,
            "outputs": listed(self.output_names),
            "inputs": listed(self.input_names) or "none",
            "dt": self.dt,
        }
        if self.is_batch:
            out = {"sequences": len(self.y), **out}
        if self.missing.any():
            out["missing"] = f"{100 * self.missing.mean():.3g} %"
        return out

    def plot(self, ax: Any = None) -> Any:
        """Draw every output in original units, and the inputs below; return the axes."""
        from .. import plot

        return plot.signals(self, ax)


def experiments(data: Data | Iterable[Data], call: str) -> list[Data]:
    """Single sequences from Data, a batch, or several experiments; channel counts and dt must agree."""
    items = [data] if isinstance(data, Data) else list(data) if isinstance(data, list | tuple) else None
    if items is None or not all(isinstance(d, Data) for d in items):
        raise TypeError(
            f"{call}: expected sysid.Data or a list of them; received {_check.received(data)}. "
            + ("Are the arguments in their order?" if hasattr(data, "model") or hasattr(data, "fit") else "Did you mean sysid.Data(y, u, dt=...)?")
        )
    if not items:
        raise ValueError(f"{call}: expected at least one experiment; received an empty list.")
    first = items[0]
    for i, d in enumerate(items):
        if (d.n_outputs, d.n_inputs) != (first.n_outputs, first.n_inputs):
            raise ValueError(f"{call}: expected every experiment with {first.n_outputs} outputs and {first.n_inputs} inputs; "
                             f"experiment {i} has {d.n_outputs} and {d.n_inputs}.")
        refuse_swapped(first.output_names, d.output_names, f"{call}: expected the outputs of experiment {i}", "as in the first")
        refuse_swapped(first.input_names, d.input_names, f"{call}: expected the inputs of experiment {i}", "as in the first")
        if abs(d.dt - first.dt) > 1e-9 * first.dt:
            raise ValueError(f"{call}: expected every experiment with dt = {first.dt:g}; experiment {i} has {d.dt:g}.")
    records = [s for d in items for s in d.sequences()]
    longest, widest = max(len(s) for s in records), max(first.n_outputs, first.n_inputs)
    if 1 < longest < widest:  # a single sample is refused by whoever needs more
        kind = "outputs" if first.n_outputs == widest else "inputs"
        warnings.warn(f"{call}: the data hold {widest} {kind} and only {longest} samples. Time is the first axis: did you pass the "
                      "transpose? Then it is sysid.Data(y.T, u.T).", UserWarning, stacklevel=3)  # fmt: skip
    return records
