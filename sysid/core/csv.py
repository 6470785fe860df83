"""Columns of a CSV file as floats, with every defect named."""

from __future__ import annotations

import csv
import os
import warnings

import numpy as np

_MISSING = {"", "na", "nan", "n/a", "null", "none", "-"}


def read_columns(path: str | os.PathLike, names: list[str]) -> dict[str, np.ndarray]:
    """Read the named columns of a CSV file with a header line, one float array (T,) each.

    Empty cells, NA and NaN become NaN and are reported in one warning. Raises ValueError for a missing or
    doubled header, a text cell, an infinite value, or a file without rows; FileNotFoundError as usual.
    """
    where = f"from_csv({os.fspath(path)!r})"
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError(f"{where}: expected a header line and rows of numbers; received an empty file.")
    header = [cell.strip() for cell in rows[0]]
    doubled = sorted({h for h in header if header.count(h) > 1 and h in names})
    if doubled:
        raise ValueError(f"{where}: expected each column once; received duplicate headers {', '.join(doubled)}.")
    absent = [name for name in names if name not in header]
    if absent:
        raise ValueError(
            f"{where}: expected columns {', '.join(names)}; {', '.join(absent)} not among the headers "
            f"{', '.join(header)}. Is the first line a header, and the separator a comma?"
        )
    if len(rows) < 2:
        raise ValueError(f"{where}: expected rows of numbers below the header; received none.")
    columns = {
        name: _column([r[i] if i < len(r) else "" for r in rows[1:]], name, where)
        for name, i in ((n, header.index(n)) for n in names)
    }
    gaps = {name: int(np.isnan(column).sum()) for name, column in columns.items() if np.isnan(column).any()}
    if gaps:
        counts = ", ".join(f"{name}: {count}" for name, count in gaps.items())
        warnings.warn(
            f"{where}: empty cells were read as missing ({counts} of {len(rows) - 1} rows).", UserWarning, stacklevel=3
        )
    return columns


def _column(cells: list[str], name: str, where: str) -> np.ndarray:
    out = np.empty(len(cells))
    for i, cell in enumerate(cells):
        cell = cell.strip()
        if cell.lower() in _MISSING:
            out[i] = np.nan
            continue
        try:
            out[i] = float(cell)
        except ValueError:
            raise ValueError(
                f"{where}: expected numbers in column {name}; received {cell!r} in data row {i + 1}. "
                "Is it text, a unit, or a decimal comma?"
            ) from None
        if np.isinf(out[i]):
            raise ValueError(
                f"{where}: expected finite numbers in column {name}; received {cell!r} in data row {i + 1}."
            )
    return out
