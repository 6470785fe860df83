"""The one place where error sentences are written: expected, received, likely slip."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

_HINT = "Time is the first axis: did you pass the transpose?"

UNSET: Any = None  # the default of a field that __post_init__ fills, which then has the type of what it holds


def real_array(value: Any, name: str, call: str, *, nan: bool = False) -> np.ndarray:
    """Convert to a new C-contiguous float64 array; refuse objects, dates, complex numbers, infinities and (unless allowed) NaN.

    Masked entries count as NaN.
    """
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(np.float64), np.nan) if value.dtype.kind in "biuf" else value
    if hasattr(value, "tocsr") and hasattr(value, "toarray"):
        raise TypeError(f"{call}: expected {name} as an array; received a sparse one. Did you mean .toarray()?")
    if hasattr(value, "n_steps") and hasattr(value, "y"):
        raise TypeError(f"{call}: expected {name} as an array; received {type(value).__name__}. Did you mean data.u, or data.y?")
    if value is None or isinstance(value, str | bytes | dict | set | frozenset | Iterator):
        way_out = " A file is read by sysid.Data.from_csv(path, outputs=[...])." if isinstance(value, str) and name in "yu" else (
            " Columns are taken by name: sysid.Data.from_columns(table, outputs=[...])." if isinstance(value, dict) else "")
        raise TypeError(f"{call}: expected {name} as an array of real numbers; received {received(value)}.{way_out}")
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{call}: expected {name} as a rectangular array of real numbers; "
                         f"received rows of different lengths ({error}).") from None  # fmt: skip
    if raw.dtype.kind in "mM":
        raise TypeError(f"{call}: expected {name} as real numbers; received dates or times. Is the time column among the signals?")
    if raw.dtype == object or raw.dtype.kind in "USV":
        try:
            raw = raw.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"{call}: expected {name} as real numbers; received dtype {raw.dtype}. "
                f"Did text, dates or None slip in?{' Missing outputs are written as NaN.' if name == 'y' else ''}"
            ) from None
    if raw.dtype.kind == "c":
        raise TypeError(
            f"{call}: expected {name} as real numbers; received complex ones. Did you mean .real, or a real modal form?"
        )
    array = np.array(raw, dtype=np.float64, order="C")
    if np.isfinite(array).all():
        return array
    if np.isinf(array).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(array))[0])
        raise ValueError(f"{call}: expected finite {name}; received an infinity at index {where}.")
    if not nan and np.isnan(array).any():
        where = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
        raise ValueError(
            f"{call}: expected {name} without NaN; received NaN at index {where}."
            f"{' Only outputs y may be missing: fill inputs by what was applied.' if name == 'u' else ''}"
        )
    return array


def received(value: Any) -> str:
    """What was passed, in a few words: short values as written, a class with the slip that it is, anything else by its type."""
    if isinstance(value, type):
        return f"the class {value.__name__} (did you forget the parentheses, {value.__name__}()?)"
    return repr(value) if value is None or isinstance(value, str | bool | int | float) else type(value).__name__


def kind(thing: Any, fits: bool, wanted: str, call: str, way_out: str = "") -> None:
    """Refuse a noun of another kind than the call speaks of."""
    if not fits:
        raise TypeError(f"{call}: expected {wanted}; received {received(thing)}.{instead(thing, 'model') or way_out}")


def instead(thing: Any, wanted: str) -> str:
    """What was probably meant where a fit, a process or a model was given for a `wanted` "model" or "process"; else nothing."""
    if hasattr(thing, "model") and hasattr(thing, "status"):
        if wanted == "process" and thing.process is None:
            return " This fit estimates no noise: wrap its model, sysid.Process(fit.model, Q=..., R=...)."
        return f" Of a fit, pass fit.{wanted}."
    if wanted == "model" and hasattr(thing, "model") and hasattr(thing, "initial"):
        return " Of a process, pass process.model."
    taught = " Or feed measured outputs back: sysid.simulate(model, u, feedback=y)." if getattr(thing, "n_feedback", 0) else ""
    return f" Add its noise: sysid.Process(model, Q=..., R=...).{taught}" if wanted == "process" and hasattr(thing, "n_states") else ""


def frozen(array: np.ndarray) -> np.ndarray:
    """Mark an array read-only and return it."""
    array.setflags(write=False)
    return array


def matrix(value: Any, name: str, call: str, shape: tuple[int | None, int | None] = (None, None), because: str = "") -> np.ndarray:
    """A finite read-only 2-D array with the wanted shape; None leaves a side free."""
    array = real_array(value, name, call)
    if array.ndim != 2:
        raise ValueError(f"{call}: expected {name} as a matrix{_shape(shape)}; received shape {array.shape}. "
                         "Did you mean [[...]] or .reshape(-1, 1)?")  # fmt: skip
    if any(want is not None and want != got for want, got in zip(shape, array.shape)):
        flipped = all(want is None or want == got for want, got in zip(shape, array.shape[::-1]))
        hint = " Did you pass the transpose?" if flipped else ""
        raise ValueError(
            f"{call}: expected {name} with shape {_shape(shape).strip()}"
            f"{' because ' + because if because else ''}; received {array.shape}.{hint}"
        )
    return frozen(array)


def square(value: Any, name: str, call: str) -> np.ndarray:
    """A finite read-only square matrix."""
    array = matrix(value, name, call)
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"{call}: expected {name} square; received {array.shape}.")
    return array


def vector(value: Any, name: str, call: str, size: int | None = None, because: str = "") -> np.ndarray:
    """A finite read-only vector; a scalar fills a vector of length 1, and (n, 1) or (1, n) is not flattened."""
    array = np.atleast_1d(real_array(value, name, call))
    if array.ndim != 1 or (size is not None and len(array) != size):
        raise ValueError(f"{call}: expected {name} with shape ({'n' if size is None else size},)"
                         f"{' because ' + because if because else ''}; received {np.shape(value)}.")  # fmt: skip
    return frozen(array)


def covariance(value: Any, name: str, call: str, size: int, *, time_varying: bool = False) -> np.ndarray:
    """A symmetric positive semidefinite matrix (size, size) from a scalar, a diagonal or a matrix.

    With `time_varying`, (T, size, size) is taken too. Asymmetry and negative eigenvalues within rounding are
    cleaned; beyond it the eigenvalue (and time index) is named.
    """
    array = real_array(value, name, call)
    if array.ndim == 0:
        array = array * np.eye(size)
    elif array.ndim == 1:
        if len(array) != size:
            raise ValueError(f"{call}: expected {name} as a scalar, {size} variances or a ({size}, {size}) matrix; received {array.shape}.")
        array = np.diag(array)
    if array.ndim not in (2, 3 if time_varying else 2) or array.shape[-2:] != (size, size):
        varying = f", or (T, {size}, {size}) where it changes" if time_varying else ""
        raise ValueError(f"{call}: expected {name} with shape ({size}, {size}){varying}; received {array.shape}.")
    stack = array if array.ndim == 3 else array[None]
    for t, block in enumerate(stack):
        at = f" at time {t}" if array.ndim == 3 else ""
        _check_psd(block, f"{name}{at}", call)
    return frozen(np.ascontiguousarray((array + np.swapaxes(array, -1, -2)) / 2))


def _check_psd(block: np.ndarray, name: str, call: str) -> None:
    scale = np.abs(block).max(initial=0.0)
    if scale == 0.0:
        return
    gap = np.abs(block - block.T).max()
    if gap > 1e-8 * scale:
        raise ValueError(
            f"{call}: expected {name} symmetric; received a largest asymmetry of {gap:.3g}. "
            "Did you pass a Cholesky factor?"
        )
    if np.count_nonzero(block) == np.count_nonzero(np.diagonal(block)):
        smallest = np.diagonal(block).min()
    else:
        # A symmetric matrix scaled to unit diagonal keeps its signs and loses its units.
        d = np.sqrt(np.where(np.diag(block) > 0, np.diag(block), scale))
        smallest = np.linalg.eigvalsh((block + block.T) / 2 / np.outer(d, d))[0]
        if smallest > -1e-8:
            return
        smallest = np.linalg.eigvalsh((block + block.T) / 2)[0]
    if smallest < 0:
        raise ValueError(f"{call}: expected {name} positive semidefinite; received an eigenvalue {smallest:.6g}.")


def time_step(dt: Any, call: str) -> float | None:
    """None for continuous time, else a positive finite float."""
    if dt is None:
        return None
    if isinstance(dt, bool) or not np.isscalar(dt) or not np.isreal(dt):
        raise TypeError(f"{call}: expected dt as a positive number or None (continuous time); received {dt!r}.")
    value = float(str(dt)) if isinstance(dt, np.floating) and dt.dtype.itemsize < 8 else float(np.real(dt))  # 0.1 in single precision is 0.1
    if not np.isfinite(value) or value <= 0:
        raise ValueError(f"{call}: expected dt > 0, or None for continuous time; received {value:g}.")
    return value


def same_time_step(model_dt: float | None, data_dt: float | None, call: str) -> None:
    """Refuse data sampled at another interval than the model's."""
    if model_dt is None:
        raise ValueError(f"{call}: expected a discrete-time model; received dt=None (continuous time). "
                         "Sample it first: sysid.discretize(model, dt).")
    if data_dt is None or abs(model_dt - data_dt) > 1e-9 * max(abs(model_dt), abs(data_dt)):
        raise ValueError(f"{call}: expected data with dt = {model_dt:g} as in the model; received dt = {data_dt}. "
                         "Resample the data or the model; nothing is done silently.")


def signal(value: Any, name: str, call: str, width: int, because: str = "", *, nan: bool = False) -> np.ndarray:
    """A (T, width) signal; a (T,) one is taken where width is 1."""
    array = real_array(value, name, call, nan=nan)
    if array.ndim == 1 and width == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != width:
        flipped = array.ndim == 2 and array.shape[0] == width
        raise ValueError(
            f"{call}: expected {name} with shape (T, {width})"
            f"{' because ' + because if because else ''}; received {array.shape}."
            f"{' ' + _HINT if flipped else ''}"
        )
    return frozen(array)


def complex_vector(value: Any, name: str, call: str) -> np.ndarray:
    """A finite complex vector (k,); one number is a vector of length 1."""
    try:
        array = np.atleast_1d(np.asarray(value, dtype=np.complex128))
    except (TypeError, ValueError):
        raise TypeError(f"{call}: expected {name} as real or complex numbers (k,); received {value!r}.") from None
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"{call}: expected {name} as a vector of finite numbers; received shape {array.shape}.")
    return array


def count(value: Any, name: str, call: str, *, least: int = 1) -> int:
    """A whole number not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{call}: expected {name} as a whole number; received {value!r}.")
    if value < least:
        raise ValueError(f"{call}: expected {name} >= {least}; received {value}.")
    return int(value)


def generator(rng: Any, call: str) -> np.random.Generator:
    """The random generator, which is always the caller's."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{call}: expected rng=numpy.random.default_rng(seed); received {type(rng).__name__}. "
                        "Randomness enters only through an explicit generator.")
    return rng


def number(value: Any, name: str, call: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{call}: expected {name} as a number; received {value!r}.")
    if not np.isfinite(value):
        raise ValueError(f"{call}: expected {name} finite; received {value}.")
    return float(value)


def positive(value: Any, name: str, call: str, *, zero: bool = False) -> float:
    """A finite number above zero, or not below it."""
    if number(value, name, call) < 0 or (value == 0 and not zero):
        raise ValueError(f"{call}: expected {name} {'>=' if zero else '>'} 0; received {value}.")
    return float(value)


def level(value: Any, call: str) -> float:
    """The probability of an interval."""
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 < value < 1:
        raise ValueError(f"{call}: expected a level in (0, 1), such as 0.95; received {received(value)}.")
    return float(value)


def options(method: Any, **kinds: str) -> None:
    """Check options of a method object by kind, None being taken where it is the default.

    kinds: "count" (from 1), "whole" (from 0), "positive", "nonnegative", "share" (0, 1], "flag" or "generator" for each name.
    """
    call = type(method).__name__
    defaults = {f.name: f.default for f in dataclasses.fields(method)}
    for name, kind in kinds.items():
        value = getattr(method, name)
        if value is None and defaults.get(name) is None:
            continue
        if kind in ("count", "whole"):
            count(value, name, call, least=int(kind == "count"))
        elif kind == "flag":
            if not isinstance(value, bool | np.bool_):
                raise TypeError(f"{call}: expected {name} as True or False; received {value!r}.")
        elif kind == "generator":
            generator(value, call)
        elif kind == "share":
            if isinstance(value, int | float | np.integer | np.floating) and not 0 < value <= 1:
                raise ValueError(f"{call}: expected {name} in (0, 1]; received {value}.")
            positive(value, name, call)
        else:
            positive(value, name, call, zero=kind == "nonnegative")


def choice(value: Any, name: str, call: str, options: tuple[str, ...]) -> str:
    """One of the named options."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{call}: expected {name} to be one of {', '.join(options)}; received {value!r}.")
    return value


def _shape(shape: tuple[int | None, int | None]) -> str:
    if shape == (None, None):
        return ""
    return " (" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
