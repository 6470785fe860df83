"""Compile every kernel into the disk cache before test workers start: `python -m tests.warm`.

Workers that start on an empty cache would each compile every kernel they meet.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import sysid.kernels
from sysid.kernels._jit import Family, Kernel


def kernels(module: str) -> list[Kernel]:
    """The kernels that a module defines for one fixed signature."""
    here = [value for value in vars(importlib.import_module(module)).values() if getattr(value, "__module__", None) == module]
    found = [kernel for value in here for kernel in (value.kernels() if isinstance(value, Family) else [value])]
    return [kernel for kernel in found if isinstance(kernel, Kernel) and kernel.signature is not None]


def compile_module(module: str) -> tuple[str, int, float]:
    """Compile all kernels of one module."""
    start = time.perf_counter()
    found = kernels(module)
    for kernel in found:
        kernel.compile()
    return module, len(found), time.perf_counter() - start


def main() -> int:
    names = [f"sysid.kernels.{m.name}" for m in pkgutil.iter_modules(sysid.kernels.__path__)]
    names.sort(key=lambda name: -len(kernels(name)))
    start, total = time.perf_counter(), 0
    with ProcessPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for _module, count, _seconds in pool.map(compile_module, names):
            total += count
    print(f"{total} kernels ready in {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
