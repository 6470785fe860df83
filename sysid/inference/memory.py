"""Memory for results, used again once nobody holds it.

A page of fresh memory costs the system half a microsecond, as much as ten steps of a small filter. So the blocks behind results
stay here, up to LIMIT in all, and serve the next run after the last view of them is gone.
"""

from __future__ import annotations

import math
import sys
import threading

import numpy as np

LIMIT = 64 * 2**20  # bytes kept at most
SMALL = 2**12  # doubles: below this the allocator has warm memory of its own

_lock = threading.Lock()
_blocks: list[np.ndarray] = [np.empty(0)]  # the first one is never lent, and shows how many references a free block has


def empty(shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
    """As np.empty for 8-byte numbers: a view of a block of at most twice the size that nothing else refers to, or fresh memory."""
    size, free = math.prod(shape), 0
    if size < SMALL or 8 * size > LIMIT:
        return np.empty(shape, dtype)
    with _lock:
        for block in _blocks:
            references = sys.getrefcount(block)
            free = free or references
            if references == free and size <= len(block) <= 2 * size:
                break
        else:
            block = np.empty(size)
            _blocks.append(block)
            while sum(map(len, _blocks)) > LIMIT // 8:
                del _blocks[1]
        return block[:size].view(dtype).reshape(shape)
