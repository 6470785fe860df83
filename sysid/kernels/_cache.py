"""The disk cache of kernels: what makes an entry stale."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numba
from numba.extending import is_jitted

from ._numba import parts


def cached(function: Callable, options: dict) -> Any:
    """A dispatcher with the disk cache, whose entries hold as long as neither the file nor that of a helper it calls changes."""
    run = numba.njit(cache=True, **options)(function)
    states = [os.stat(file) for file in sorted(_helper_files(function))]  # Numba's own stamp sees the function's file alone
    parts.prepare(run, tuple((state.st_mtime, state.st_size) for state in states))
    return run


def _helper_files(function: Callable) -> set[str]:
    """The files of the helpers that a function calls, theirs included, its own left out."""
    own, files, seen, waiting = function.__code__.co_filename, set(), set(), [function]
    while waiting:
        current = waiting.pop()
        for name in current.__code__.co_names:
            value: Any = current.__globals__.get(name)
            called = value.py_func if is_jitted(value) else None
            if called is not None and called not in seen:
                seen.add(called)
                waiting.append(called)
                files.add(called.__code__.co_filename)
    return files - {own}
