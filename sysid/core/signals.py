"""Arrays of a signal: checked, named, scaled, detrended; NaN entries are missing and left alone."""

from __future__ import annotations

from collections.abc import Sequence
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


def names_of(names: Sequence[str] | None, size: int, prefix: str, field: str) -> tuple[str, ...]:
    if names is None:
        return (prefix,) if size == 1 else tuple(f"{prefix}{i + 1}" for i in range(size))
    names = (names,) if isinstance(names, str) else tuple(str(n) for n in names)
    if len(names) != size or len(set(names)) != size:
        raise ValueError(f"Data: expected {size} different {field}; received {list(names)}.")
    return names


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
