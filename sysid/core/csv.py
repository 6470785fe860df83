"""Columns of a CSV file as floats, with every defect named."""

from __future__ import annotations

import csv
import difflib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

_MISSING = {"", "na", "nan", "n/a", "#n/a", "#na", "<na>", "null", "none", "-", "?"}
_SEPARATORS = (",", ";", "\t", "|")
_PREAMBLE = 100  # lines above the header that are looked at


@dataclass(frozen=True)
class Layout:
    """How a file is written. separator None: the one of comma, semicolon, tab, bar under which the names are found.

    missing: words that mark a missing value, beside the usual ones.
    """

    separator: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    missing: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise ValueError(f"Data.from_csv: expected decimal='.' or ','; received {self.decimal!r}.")
        if self.separator is not None and (not isinstance(self.separator, str) or len(self.separator) != 1):
            raise ValueError(f"Data.from_csv: expected separator as one character; received {self.separator!r}.")
        words = [self.missing] if isinstance(self.missing, str) else list(self.missing)
        if not all(isinstance(word, str) for word in words):
            raise TypeError(f"Data.from_csv: expected missing as words such as ('Bad', '-999'); received {self.missing!r}.")
        object.__setattr__(self, "missing", tuple(word.strip().lower() for word in words))
        if self.separator == self.decimal:
            raise ValueError(f"Data.from_csv: expected different separator and decimal; received {self.decimal!r} for both.")


def read_columns(path: str | os.PathLike, names: Sequence[str], time: str | None = None,
                 layout: Layout = Layout()) -> dict[str, np.ndarray]:
    """Read the named columns of a CSV file with a header line, one float array (T,) each.

    The header is the first line that holds all names; lines above it are a preamble. Empty cells, NA, NaN and ? become
    NaN and are reported in one warning; a line without any entry is a sample at which nothing was measured, save at
    the end of the file. The column `time` may hold dates.
    Raises ValueError for a missing or doubled header, a text cell, an infinite value, a row longer than the header, or
    a file without rows; FileNotFoundError as usual.
    """
    where = f"from_csv({os.fspath(path)!r})"
    wanted = [*names, *([] if time is None else [time])]
    header, rows = _split(_lines(path, layout.encoding, where), wanted, layout.separator, where)
    for i, row in enumerate(rows):
        if any(cell.strip() for cell in row[len(header):]):
            raise ValueError(f"{where}: expected {len(header)} cells in every row as in the header; data row {i + 1} has "
                             f"{len(row)}. Did a decimal comma cut a number in two? Put ; between columns and read with decimal=','.")
    columns = {}
    for name in names:
        at = header.index(name)
        columns[name] = _column([r[at] if at < len(r) else "" for r in rows], name, where, layout)
    _report_gaps(columns, where)
    if time is not None:
        at = header.index(time)
        columns[time] = _times([r[at] if at < len(r) else "" for r in rows], time, where, layout)
    return columns


def _lines(path: str | os.PathLike, encoding: str, where: str) -> list[str]:
    try:
        with open(path, newline="", encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding) as file:
            return file.readlines()
    except (UnicodeError, LookupError) as error:
        raise ValueError(f"{where}: expected text in encoding {encoding}; received something else ({error}). "
                         "Name the file's own: encoding='utf-16', encoding='latin-1', ...") from None


def _split(lines: list[str], names: list[str], separator: str | None, where: str) -> tuple[list[str], list[list[str]]]:
    """Header cells and the rows below it, empty lines at the end left off."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    if not filled:
        raise ValueError(f"{where}: expected a header line and rows of numbers; received an empty file.")
    for mark in _SEPARATORS if separator is None else (separator,):
        for i in filled[:_PREAMBLE]:
            header = _cells(lines[i], mark)
            if all(name in header for name in names):
                doubled = sorted({h for h in header if header.count(h) > 1 and h in names})
                if doubled:
                    raise ValueError(f"{where}: expected each column once; received duplicate headers {', '.join(doubled)}.")
                return header, _rows(lines[i + 1:], mark, len(header), where)
    tried = [_cells(lines[i], mark) for i in filled[:_PREAMBLE] for mark in (_SEPARATORS if separator is None else separator)]
    header = max(tried, key=lambda cells: (sum(_close(name, cells) is not None for name in names), len(cells)))
    absent = [name for name in names if name not in header]
    meant = ", ".join(close for name in absent if (close := _close(name, header)))
    way_out = f"Did you mean {meant}?" if meant else "Is there a header line with these names?"
    raise ValueError(f"{where}: expected columns {', '.join(names)}; {', '.join(absent) or 'not all'} not among the headers "
                     f"{', '.join(header)}. {way_out}")


def _close(name: str, header: list[str]) -> str | None:
    """The header that a name was probably meant for: the same but for capitals and blanks, else one or two letters off."""
    plain = {"".join(cell.lower().split()): cell for cell in header}
    found = difflib.get_close_matches("".join(name.lower().split()), list(plain), n=1, cutoff=0.75)
    return plain[found[0]] if found else None


def _cells(line: str, mark: str) -> list[str]:
    """The cells of a header line; the sign of a comment before it is dropped."""
    return [cell.strip() for cell in next(csv.reader([line.lstrip().lstrip("#%")], delimiter=mark))]


def _rows(lines: list[str], mark: str, width: int, where: str) -> list[list[str]]:
    """Rows of cells. Of one column an empty line is an empty cell; of several it is none."""
    rows = [row for row in csv.reader(lines, delimiter=mark) if row or width == 1]
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise ValueError(f"{where}: expected rows of numbers below the header; received none.")
    return rows


def _report_gaps(columns: dict[str, np.ndarray], where: str) -> None:
    gaps = {name: int(np.isnan(column).sum()) for name, column in columns.items() if np.isnan(column).any()}
    if gaps:
        counts = ", ".join(f"{name}: {count}" for name, count in gaps.items())
        n = len(next(iter(columns.values())))
        warnings.warn(f"{where}: empty cells were read as missing ({counts} of {n} rows).", UserWarning, stacklevel=4)


def _column(cells: list[str], name: str, where: str, layout: Layout) -> np.ndarray:
    out = np.empty(len(cells))
    for i, cell in enumerate(cells):
        cell = cell.strip()
        if cell.lower() in _MISSING or cell.lower() in layout.missing:
            out[i] = np.nan
            continue
        try:
            out[i] = _number(cell, layout.decimal)
        except ValueError:
            other = "comma (decimal=',')" if layout.decimal == "." else "point (decimal='.')"
            way_out = f"Is it a decimal {other}?" if any(c.isdigit() for c in cell) else "Does it mark a missing value?"
            raise ValueError(
                f"{where}: expected numbers in column {name}; received {cell!r} in data row {i + 1}. "
                f"{way_out} What marks a missing value is named by missing=({cell!r},)."
            ) from None
        if np.isinf(out[i]):
            raise ValueError(
                f"{where}: expected finite numbers in column {name}; received {cell!r} in data row {i + 1}."
            )
    return out


def _number(cell: str, decimal: str) -> float:
    """Python's float, without its underscores and with the file's decimal sign."""
    if "_" in cell or (decimal == "," and "." in cell):
        raise ValueError
    return float(cell.replace(",", ".") if decimal == "," else cell)


def _times(cells: list[str], name: str, where: str, layout: Layout) -> np.ndarray:
    """Times (T,) from numbers, or dates from what is ISO or day.month.year; with a time zone, seconds after the first."""
    for read in (datetime.fromisoformat, _day_first):
        try:
            first = read(cells[0].strip())
        except ValueError:
            continue
        out = np.empty(len(cells), "datetime64[us]" if first.tzinfo is None else float)
        for i, cell in enumerate(cells):
            try:
                after = read(cell.strip()) - first  # refuses times with and without a zone in one column
                out[i] = first + after if first.tzinfo is None else after.total_seconds()
            except (ValueError, TypeError):
                raise ValueError(f"{where}: expected a date in every row of column {name}, written as in the first, {cells[0].strip()}; "
                                 f"received {cell!r} in data row {i + 1}.") from None
        return out
    try:
        times = _column(cells, name, where, layout)
    except ValueError:
        raise ValueError(f"{where}: expected numbers or dates in column {name}, written 2024-03-01 08:00:00 or 01.03.2024 08:00:00; "
                         f"received {cells[0]!r} in data row 1. Other ways to write a date are read by pandas, and its table by "
                         "Data.from_columns.") from None
    if np.isnan(times).any():
        raise ValueError(f"{where}: expected a time in every row; column {name} has none in data row {int(np.argmax(np.isnan(times))) + 1}.")
    return times


def _day_first(cell: str) -> datetime:
    """01.03.2024, with or without hours, minutes, seconds and their fractions."""
    for form in ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M", "%d.%m.%Y"):
        try:
            return datetime.strptime(cell, form)
        except ValueError:
            continue
    raise ValueError(cell)
