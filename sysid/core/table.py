"""Columns by name, of a file or of a table in memory, as the arrays of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check


@dataclass(frozen=True)
class Columns:
    """Which columns are outputs and inputs, and where the sampling interval comes from: dt, or equally spaced times."""

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
        if self.time is not None and self.dt is not None:
            raise ValueError(f"{self.call}: expected dt or time, from which dt follows; received both.")

    def record(self, columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """y, u, dt, t0 and the names of the channels from the columns (T,) read."""
        y, u = (np.column_stack([columns[s] for s in names]) if names else None for names in (self.outputs, self.inputs))
        if u is not None and np.isnan(u).any():
            row, channel = np.argwhere(np.isnan(u))[0]
            raise ValueError(f"{self.call}: expected input column {self.inputs[channel]} without gaps; received one in data row {row + 1}. "
                             "Only outputs may be missing: fill the input by what was applied.")  # fmt: skip
        t0 = 0.0 if self.time is None else float(columns[self.time][0])
        dt = even_interval(columns[self.time], self.time, self.call) if self.time is not None else 1.0 if self.dt is None else self.dt
        return {"y": y, "u": u, "dt": dt, "t0": t0, "output_names": self.outputs, "input_names": self.inputs or None}

    def of_table(self, table: Any) -> dict[str, np.ndarray]:
        """The columns (T,) of a DataFrame, a record array or a dict of arrays; dates of the time column in seconds."""
        held = _labels(table, self.call)
        absent = [name for name in (*self.outputs, *self.inputs, *([self.time] if self.time else [])) if name not in held]
        if absent:
            raise ValueError(f"{self.call}: expected columns among {', '.join(map(str, held))}; received {', '.join(absent)}."
                             + (" The index is a column after table.reset_index()." if hasattr(table, "reset_index") else ""))  # fmt: skip
        out = {name: _column(table[name], name, self.call) for name in (*self.outputs, *self.inputs)}
        if self.time is not None:
            out[self.time] = seconds(table[self.time], self.time, self.call)
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
                         f"{steps[i - 1]:g}, most are {dt:g}. Put in a row with empty outputs for each missing time, or "
                         "interpolate to equal steps first.")
    return dt
