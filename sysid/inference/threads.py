"""Independent parts of one job on the machine's cores, for kernels that release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np


def in_parts(count: int, run: Callable[[int, int], None], least: int = 1) -> None:
    """Call run(a, b) on consecutive parts of 0..count, each of at least `least` items, in as many threads as Numba may use.

    numba.set_num_threads or NUMBA_NUM_THREADS set the number; what a part raises is raised here.
    """
    parts = count // max(least, 1)
    workers = min(numba.get_num_threads(), parts) if parts > 1 else 1
    if workers == 1:
        run(0, count)
        return
    edges = np.linspace(0, count, workers + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, edges[:-1], edges[1:]))


def for_each(items: Sequence[Any], run: Callable[[Any], Any]) -> list[Any]:
    """run(item) of every item, in order, in threads as `in_parts` gives them out."""
    results: list[Any] = [None] * len(items)

    def part(a: int, b: int) -> None:
        for i in range(a, b):
            results[i] = run(items[i])

    in_parts(len(items), part)
    return results
