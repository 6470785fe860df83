"""The disk cache of kernels: what makes an entry stale, and how one is loaded."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import numba
from numba.core.runtime import rtsys


def cached(function: Callable, options: dict) -> Any:
    """A dispatcher with the disk cache, whose entries hold as long as neither the file nor that of a helper it calls changes."""
    run = numba.njit(cache=True, **options)(function)
    files = _helper_files(function)
    with contextlib.suppress(AttributeError, OSError):  # should Numba's names change, users lose nothing and tests tell us
        if files:  # Numba's own stamp sees the function's file alone
            index = run._cache._cache_file
            index._source_stamp = (index._source_stamp, *((os.stat(f).st_mtime, os.stat(f).st_size) for f in sorted(files)))
        cache = run._cache
        cache.load_overload = functools.partial(_load, cache._load_overload, cache._guard_against_spurious_io_errors)
    return run


def _load(load: Callable, guard: Callable, signature: Any, context: Any) -> Any:
    """What a cache holds for a signature, or None.

    Numba would first set up its tables of all that it can compile, which takes as long as importing it. Machine code needs
    none of them, only what counts references; where there is none yet, the compiler sets up the tables itself.
    """
    rtsys.initialize(context)
    with guard():
        return load(signature, context)
    return None  # the guard took an error of the file system


def _helper_files(function: Callable) -> set[str]:
    """The files of the helpers that a function calls, theirs included, its own left out."""
    own, files, seen, waiting = function.__code__.co_filename, set(), set(), [function]
    while waiting:
        current = waiting.pop()
        for name in current.__code__.co_names:
            value = current.__globals__.get(name)
            called = value.py_func if isinstance(value, numba.core.registry.CPUDispatcher) else None
            if called is not None and called not in seen:
                seen.add(called)
                waiting.append(called)
                files.add(called.__code__.co_filename)
    return files - {own}
