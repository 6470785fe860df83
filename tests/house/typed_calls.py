"""A user's script under the user's type checker: what api.md shows passes, and every result has the type that it should.

Read by mypy as part of `make lint`, never run.
"""

from typing import assert_type

import numpy as np

import sysid
from sysid.identification.subspace import SubspaceFit
from sysid.inference.results import Filtered, Smoothed

model = sysid.LTI([[0.9, 0.1], [0.0, 0.5]], [[0.0], [1.0]], [[1.0, 0.0]])
assert_type(model.D, np.ndarray)
assert_type(sysid.LTI(0.5, None, 1.0, dt=None).B, np.ndarray)
data = sysid.Data([1.0, 2.0, float("nan")], dt=0.1)
process = sysid.Process(model, Q=0.1, R=[[0.2]], initial=sysid.Gaussian([0.0, 0.0], 1.0))
assert_type(sysid.filter(process, data), Filtered)
assert_type(sysid.smooth(process, [data, data]), list[Smoothed])
assert_type(sysid.predict(process, data, steps=3), np.ndarray)
assert_type(sysid.fit(data, sysid.Subspace(n_states=2)), SubspaceFit)
assert_type(sysid.discretize(model, dt=0.1), sysid.LTI)
assert_type(sysid.linearize(sysid.ESN.random(10, n_inputs=1, rng=np.random.default_rng(0))), sysid.LTI)
assert_type(sysid.linearize(model, order="bilinear"), sysid.Bilinear)
low, high = sysid.forecast(process, data, horizon=3).interval(0.95)
