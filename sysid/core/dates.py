"""Dates of the samples: shown in figures and tables, never computed with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import _check


def dates_of(y: Any, u: Any) -> np.ndarray | None:
    """Dates (T,) of the index of y, a pandas series or frame, or of u; None without such an index.

    Raises ValueError where both have one and they differ. Warns where the dates are not evenly spaced.
    """
    first, second = _index(y), _index(u)
    if first is not None and second is not None:
        if len(first) == len(second) and (first != second).any():
            i = int(np.argmax(first != second))
            raise ValueError(f"Data: expected y and u of the same dates; at sample {i} y is of {first[i]}, u of {second[i]}. "
                             "Align them first: u.reindex(y.index).")  # fmt: skip
    found = second if first is None else first
    if found is not None and len(found) > 1 and following(found, 1) is None:
        warnings.warn("Data: the dates of the index are not evenly spaced, and samples count as if they were. Put in the missing rows: "
                      "frame.asfreq('D') or the like.", UserWarning, stacklevel=5)  # fmt: skip
    return found


def _index(table: Any) -> np.ndarray | None:
    index: Any = getattr(table, "index", None)
    if hasattr(index, "to_timestamp"):  # periods
        index = index.to_timestamp()
    values = getattr(index, "values", None)
    return values if isinstance(values, np.ndarray) and values.dtype.kind == "M" and values.ndim == 1 else None


def checked(dates: Any, size: int) -> np.ndarray:
    """Dates (T,) as given, of `size` samples."""
    try:
        found = np.array(getattr(dates, "values", dates), dtype=None if getattr(dates, "dtype", None) is not None else "datetime64[ns]")
    except (ValueError, TypeError):
        found = np.zeros(0)
    if found.dtype.kind != "M":
        raise TypeError(f"Data: expected dates as datetime64 or text such as '2024-03-01'; received {_check.received(dates)}.")
    if found.shape != (size,):
        raise ValueError(f"Data: expected dates of the {size} samples; received shape {found.shape}.")
    return _check.frozen(found)


def following(dates: np.ndarray, count: int) -> np.ndarray | None:
    """The next `count` dates of an even sequence (T,): of steps, months (their ends, too) or working days; None of an uneven one."""
    if len(dates) < 2:
        return None
    steps, ahead = np.diff(dates), np.arange(1, count + 1)
    if (steps == steps[0]).all():
        return dates[-1] + steps[0] * ahead
    days, months = dates.astype("datetime64[D]"), dates.astype("datetime64[M]")
    jumps, within = np.diff(months), dates - months
    if jumps[0] > np.timedelta64(0) and (jumps == jumps[0]).all():
        later = months[-1] + jumps[0] * ahead
        if (within == within[0]).all():
            return later.astype(dates.dtype) + within[0]
        if ((days + 1).astype("datetime64[M]") == months + 1).all():
            return ((later + 1).astype("datetime64[D]") - 1).astype(dates.dtype)
    if np.is_busday(days).all() and (np.busday_offset(days[:-1], 1) == days[1:]).all():
        return np.busday_offset(days[-1], ahead).astype(dates.dtype)
    return None
