"""Arrays of a signal: checked, named, scaled, detrended; NaN entries are missing and left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _check


def signal(value: Any, name: str, *, nan: bool) -> np.ndarray:
    array = _check.real_array(value, name, "Data", nan=nan)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim not in (2, 3):
        raise ValueError(
            f"Data: expected {name} with shape (T, channels), (T,) or (S, T, channels); received {array.shape}."
        )
    if array.shape[-2] == 0 or array.shape[0] == 0 or (name == "y" and array.shape[-1] == 0):
        raise ValueError(f"Data: expected at least one sample of {name}; received shape {array.shape}.")
    return _check.frozen(array)


def columns_of(table: Any) -> tuple[str, ...] | None:
    """The labels of a table or a series (pandas, polars), where it has different ones in words."""
    if isinstance(name := getattr(table, "name", None), str) and len(np.shape(table)) == 1:
        return (name,)
    labels = getattr(table, "columns", None)
    if labels is None or len(np.shape(table)) != 2 or not all(isinstance(label, str) for label in labels):
        return None
    return tuple(labels) if len(set(labels)) == len(labels) else None


def names_of(names: Any, size: int, field: str, call: str) -> tuple[str, ...]:
    """The labels of `size` channels as text, checked."""
    if isinstance(names, dict | set | frozenset) or not isinstance(names, Iterable):
        raise TypeError(f"{call}: expected {field} as a list of labels in the order of the channels; received {_check.received(names)}.")
    names = (names,) if isinstance(names, str) else tuple(str(n) for n in names)
    if len(names) != size or len(set(names)) != size:
        raise ValueError(f"{call}: expected {size} different {field}; received {list(names)}.")
    return names


def default_names(size: int, prefix: str) -> tuple[str, ...]:
    """The labels of channels that were given none: y, or y1, y2, ..."""
    return (prefix,) if size == 1 else tuple(f"{prefix}{i + 1}" for i in range(size))


def channel_names(given: Any, table: Any, size: int, prefix: str, field: str) -> tuple[str, ...]:
    """The labels of a record's channels: those given, else the columns of the table that they came in, else y1, y2, ..."""
    given = columns_of(table) if given is None and table is not None else given
    return default_names(size, prefix) if given is None else names_of(given, size, field, "Data")


def places(wanted: Any, names: Sequence[str] | None, size: int, what: str, call: str) -> list[int]:
    """Numbers of the channels that are wanted: one or several, each by its name or its number from 0; all for None."""
    if wanted is None:
        return list(range(size))
    found: list[int] = []
    for item in [wanted] if isinstance(wanted, str | int | np.integer) or not isinstance(wanted, Iterable) else wanted:
        if isinstance(item, str) and names is not None and item in names:
            found.append(list(names).index(item))
        elif isinstance(item, int | np.integer) and not isinstance(item, bool) and 0 <= item < size:
            found.append(int(item))
        else:
            known = f"{listed(names)}, or " if names else ""
            raise ValueError(f"{call}: expected {what} among {known}numbers from 0 to {size - 1}; received {_check.received(item)}.")
    if len(set(found)) < len(found):
        raise ValueError(f"{call}: expected each of the {what} once; received {list(wanted)}.")
    return found


def refuse_swapped(known: Sequence[str] | None, given: Sequence[str] | None, expected: str, whose: str) -> None:
    """Refuse two lists of names of the same channels in which one name stands at two places.

    expected, whose: how the sentence begins, "filter: expected outputs", and whose order it is, "as in the model".
    """
    if known is None or given is None:
        return
    at = {name: i for i, name in enumerate(known)}
    if any(at.get(name, i) != i for i, name in enumerate(given)):
        raise ValueError(f"{expected} in the order {listed(known)} {whose}; received {listed(given)}. Are columns swapped? Put them in one order, "
                         "by select(outputs=[...], inputs=[...]), or rename what means something else.")  # fmt: skip


def listed(names: Sequence[str] | None) -> str:
    """Names in one line, the middle ones of many left out."""
    names = tuple(names or ())
    return ", ".join(names if len(names) <= 12 else (*names[:4], "...", names[-1])) + (f" ({len(names)})" if len(names) > 12 else "")


def moments(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = array.reshape(int(np.prod(array.shape[:-1])), array.shape[-1])
    seen = np.maximum((~np.isnan(flat)).sum(0), 1)
    mean = np.nansum(flat, 0) / seen
    scale = np.sqrt(np.nansum((flat - mean) ** 2, 0) / seen)
    return mean, np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300), scale, 1.0)


def without_trend(array: np.ndarray, degree: int) -> np.ndarray:
    stack = array if array.ndim == 3 else array[None]
    basis = np.vander(np.linspace(-1.0, 1.0, stack.shape[1]), degree + 1)
    out = stack.copy()
    for sequence in out:
        for channel in sequence.T:
            seen = ~np.isnan(channel)
            if seen.sum() <= degree:
                raise ValueError(
                    f"Data.detrend: expected more than {degree} measured samples in every channel; received {seen.sum()}."
                )
            channel -= basis @ np.linalg.lstsq(basis[seen], channel[seen], rcond=None)[0]
    return out if array.ndim == 3 else out[0]


def decimated(array: np.ndarray, factor: int) -> np.ndarray:
    """Every `factor`-th sample behind a linear-phase low-pass at 0.8 of the new Nyquist frequency, centred: no delay.

    At the ends and around missing entries the filter is renormalised over what is there; a sample with less than half
    of the filter's weight on measured entries is missing.
    """
    from scipy.signal import fftconvolve, firwin

    taps = firwin(20 * factor + 1, 0.8 / factor)
    stack = array if array.ndim == 3 else array[None]
    if stack.shape[1] < 20 * factor:
        raise ValueError(
            f"Data.resample: expected at least {20 * factor} samples for factor {factor}, the length of its filter; "
            f"received {stack.shape[1]}."
        )
    seen = ~np.isnan(stack)
    level = np.nansum(stack, axis=1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    kernel = taps[None, :, None]
    # Deviations from the mean, so that what lies beyond an end counts as the mean until the weights are put right.
    values = fftconvolve(np.where(seen, stack - level, 0.0), kernel, mode="full", axes=1)
    weight = fftconvolve(seen.astype(float), kernel, mode="full", axes=1)
    half = 10 * factor
    at = slice(half, half + stack.shape[1])
    values, weight = values[:, at][:, ::factor], weight[:, at][:, ::factor]
    out = np.where(weight > 0.5 - 1e-9, values / np.where(weight > 0.25, weight, 1.0) + level, np.nan)
    return out if array.ndim == 3 else out[0]
