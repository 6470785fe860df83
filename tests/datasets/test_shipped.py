"""The shipped series are the published ones."""

import numpy as np

import sysid
from tests.data import load


def test_sunspots_are_the_published_series():
    data = sysid.datasets.sunspots()
    assert data.y.shape == (309, 1) and data.dt == 1.0 and (data.time[0], data.time[-1]) == (1700.0, 2008.0)
    np.testing.assert_array_equal(data.y[:, 0], load("sunspots_yearly")["y"])


def test_nile_is_the_published_series():
    data = sysid.datasets.nile()
    assert data.y.shape == (100, 1) and (data.time[0], data.time[-1]) == (1871.0, 1970.0)
    np.testing.assert_array_equal(data.y[:, 0], load("nile")["y"])
    assert data.y.sum() == 91935.0


def test_the_square_root_of_the_sunspots_returns_to_counts():
    data = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
    np.testing.assert_allclose(data.original, sysid.datasets.sunspots().y, rtol=1e-12)
