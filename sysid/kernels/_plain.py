"""The names of `_inner.py` by Numba's public interface alone: slower to compile, to load and to call, and the same numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from numba import types

FunctionArgument = types.FunctionType
vectors_of_lines = contextlib.nullcontext


def Helper(function: Callable, options: dict, alone: Callable[[], Callable]) -> Callable:
    """A function like any other under `numba.njit`."""
    return alone()


def Argument(function: Any, numba_type: Any) -> Any:
    """A compiled function as it is, which Numba looks up at every call."""
    return function


def options(given: dict) -> dict:
    """The documented ones."""
    return {name: value for name, value in given.items() if not name.startswith("_")}


def prepare(run: Any, stamps: tuple) -> None:
    """Leave the cache as Numba made it: after an edit of a helper in another file it has to be emptied by hand."""
