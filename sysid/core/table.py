"""Columns by name, of a file or of a table in memory, as the arrays of a record."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check


@dataclass(frozen=True)
class Columns:
    """Which columns are outputs and inputs, and where the sampling interval comes from: dt, or equally spaced times.

    Both, dt and time: rows at uneven times are put on a grid of steps dt.
    """

    outputs: Sequence[str]
    inputs: Sequence[str]
    dt: float | None
    time: str | None
    call: str

    def __post_init__(self) -> None:
        for field in ("outputs", "inputs"):
            value = getattr(self, field)
            object.__setattr__(self, field, [value] if isinstance(value, str) else list(value))
        names = [*self.outputs, *self.inputs, *([] if self.time is None else [self.time])]
        if not self.outputs:
            raise ValueError(f"{self.call}: expected at least one output column; received none.")
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"{self.call}: expected the names of columns as text; received {names}.")
        if len(set(names)) < len(names):
            raise ValueError(f"{self.call}: expected each column once among outputs, inputs and time; received {names}.")

    def record(self, columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """y, u, dt, t0 and the names of the channels from the columns (T,) read."""
        for name in self.inputs:
            if np.isnan(columns[name]).any():
                raise ValueError(f"{self.call}: expected input column {name} without gaps; received one in data row {int(np.argmax(np.isnan(columns[name]))) + 1}. "
                                 "Only outputs may be missing: fill the input by what was applied.")  # fmt: skip
        dates = None if self.time is None or columns[self.time].dtype.kind != "M" else columns[self.time]
        if dates is not None and self.time is not None:
            columns = {**columns, self.time: seconds(dates, self.time, self.call)}
        if self.time is not None and self.dt is not None:
            columns = gridded(columns, self.time, self.dt, self.inputs, self.call)
            dates = None if dates is None else dates[0] + np.rint(1e6 * columns[self.time]).astype("timedelta64[us]")
        y, u = (np.column_stack([columns[s] for s in names]) if names else None for names in (self.outputs, self.inputs))
        t0 = 0.0 if self.time is None else float(columns[self.time][0])
        dt = 1.0 if self.dt is None else self.dt
        if self.time is not None and self.dt is None:
            dt = even_interval(columns[self.time], self.time, self.call)
        return {"y": y, "u": u, "dt": dt, "t0": t0, "output_names": self.outputs, "input_names": self.inputs or None, "dates": dates}

    def of_table(self, table: Any) -> dict[str, np.ndarray]:
        """The columns (T,) of a DataFrame, a record array or a dict of arrays; dates of the time column in seconds."""
        held = _labels(table, self.call)
        absent = [name for name in (*self.outputs, *self.inputs, *([self.time] if self.time else [])) if name not in held]
        if absent:
            raise ValueError(f"{self.call}: expected columns among {', '.join(map(str, held))}; received {', '.join(absent)}."
                             + (" The index is a column after table.reset_index()." if hasattr(table, "reset_index") else ""))  # fmt: skip
        out = {name: _column(table[name], name, self.call) for name in (*self.outputs, *self.inputs)}
        if self.time is not None:
            raw = np.asarray(table[self.time])
            plain = raw.dtype == object and len(raw) and hasattr(raw[0], "isoformat") and getattr(raw[0], "tzinfo", None) is None
            out[self.time] = raw.astype("datetime64[us]") if plain or raw.dtype.kind == "M" else seconds(raw, self.time, self.call)
        lengths = {name: len(column) for name, column in out.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{self.call}: expected columns of one length; received {', '.join(f'{k}: {v}' for k, v in lengths.items())}.")
        return out


def _column(values: Any, name: str, call: str) -> np.ndarray:
    array = _check.real_array(values, name, call, nan=True)
    if array.ndim != 1:
        raise ValueError(f"{call}: expected {name} as one column (T,); received shape {array.shape}.")
    return array


def _labels(table: Any, call: str) -> list[Any]:
    if isinstance(table, Mapping):
        return list(table)
    if getattr(table, "columns", None) is not None:
        return list(table.columns)
    names = getattr(getattr(table, "dtype", None), "names", None)
    if names is None:
        raise TypeError(f"{call}: expected a table with named columns (a DataFrame, a dict of arrays, a record array); "
                        f"received {_check.received(table)}. An array without names is sysid.Data(y, u, dt=...).")  # fmt: skip
    return list(names)


def seconds(values: Any, name: str, call: str) -> np.ndarray:
    """Times (T,): numbers as they are, dates in seconds after the first."""
    raw = np.asarray(values)
    if raw.dtype.kind in "mM":
        return (raw - raw[0]) / np.timedelta64(1, "s") if raw.dtype.kind == "M" else raw / np.timedelta64(1, "s")
    if raw.dtype == object and len(raw) and hasattr(raw[0], "isoformat"):
        return np.array([(value - raw[0]).total_seconds() for value in raw])
    return _check.vector(raw, name, call)


def even_interval(times: np.ndarray, name: str, call: str) -> float:
    """The sampling interval of equally spaced times (T,).

    Raises ValueError where they are not, naming the first that is off.
    """
    if len(times) < 2:
        raise ValueError(f"{call}: expected at least two times in column {name}; received {len(times)}.")
    steps = np.diff(times)
    dt = float(np.median(steps))
    if not dt > 0:
        raise ValueError(f"{call}: expected growing times in column {name}; received a median step of {dt:g}.")
    dt = float((times[-1] - times[0]) / (len(times) - 1)) if np.abs(steps / dt - 1).max() < 0.5 else dt
    off = ~(np.abs(times - times[0] - dt * np.arange(len(times))) <= 0.25 * dt)
    if off.any():
        i = int(np.argmax(off))
        raise ValueError(f"{call}: expected equally spaced times in column {name}; the step to data row {i + 1} is "
                         f"{steps[i - 1]:g}, most are {dt:g}. With dt={dt:.6g} beside it, each row goes to the nearest step of that "
                         "grid and steps without a row count as missing.")
    return dt


def gridded(columns: Mapping[str, np.ndarray], time: str, dt: float, held: Sequence[str], call: str) -> dict[str, np.ndarray]:
    """The columns (T,) with each row at the nearest step of a grid: NaN at steps without a row, `held` columns keep their last value.

    Says in a warning how many steps were filled and how far rows were moved.
    Raises ValueError for times that do not grow, or two rows at one step.
    """
    dt = _check.positive(dt, "dt", call)
    times = columns[time]
    if (np.diff(times) <= 0).any():
        i = int(np.argmax(np.diff(times) <= 0))
        raise ValueError(f"{call}: expected growing times in column {time}; the one of data row {i + 2} is not after the one before.")
    ideal = (times - times[0]) / dt
    place = np.rint(ideal).astype(np.int64)
    if (np.diff(place) == 0).any():
        i = int(np.argmax(np.diff(place) == 0))
        raise ValueError(f"{call}: expected at most one row a step of dt = {dt:g}; data rows {i + 1} and {i + 2} fall on one. "
                         f"Most rows are {np.median(np.diff(times)):g} apart: take that, and resample afterwards.")  # fmt: skip
    size = int(place[-1]) + 1
    if size > 100 * len(times):
        raise ValueError(f"{call}: expected times that fill more than one in a hundred steps of dt = {dt:g}; received {len(times)} rows "
                         f"over {size} steps. Is dt in the unit of column {time} (seconds for dates)?")  # fmt: skip
    last = np.searchsorted(place, np.arange(size), side="right") - 1
    empty = place[last] != np.arange(size)
    out = {name: np.where(empty, np.nan, column[last]) if name not in held else column[last] for name, column in columns.items()}
    out[time] = times[0] + dt * np.arange(size)
    moved = np.abs(ideal - place).max()
    if empty.any() or moved > 1e-6:
        filled = f"{int(empty.sum())} steps without a row are missing{', their inputs held' if held else ''}; " if empty.any() else ""
        warnings.warn(f"{call}: {len(times)} rows were put on {size} steps of {dt:g}; {filled}rows were moved by up to {moved:.2g} of a step.",
                      UserWarning, stacklevel=4)  # fmt: skip
    return out
