"""Memory of results is used again only once nobody holds it, and little of it is kept."""

import gc

import numpy as np
import pytest

from sysid.inference import memory


@pytest.fixture(autouse=True)
def nothing_kept_so_far(monkeypatch):
    monkeypatch.setattr(memory, "_blocks", [np.empty(0)])


def test_what_is_held_is_never_lent_again():
    held = [memory.empty((100, 100)) for _ in range(5)]
    for i, a in enumerate(held):
        a[:] = i
    views = [a[50:, ::2].T for a in held]  # a view of a view is enough to hold a block
    del held, a
    fresh = [memory.empty((100, 100)) for _ in range(5)]
    for a in fresh:
        a[:] = -1.0
    assert all((view == i).all() for i, view in enumerate(views))


def test_what_is_free_is_lent_again_whatever_its_shape():
    a = memory.empty((100, 100))
    address = a.__array_interface__["data"][0]
    del a
    gc.collect()
    b = memory.empty((7000,), np.int64)
    assert b.dtype == np.int64 and b.flags.c_contiguous
    others = [memory.empty((7000,)) for _ in range(len(memory._blocks))]
    assert address in [c.__array_interface__["data"][0] for c in (b, *others)]


def test_little_is_kept():
    size = memory.LIMIT // 8 // 4
    for _ in range(3):
        held = [memory.empty((size,)) for _ in range(6)]
    assert sum(block.nbytes for block in memory._blocks) <= memory.LIMIT
    assert memory.empty((2 * memory.LIMIT // 8,)).base is None
    del held
