"""A user's function that returns the wrong thing is refused, compiled or not, and cannot change the path behind it."""

import copy
import pickle

import numba
import numpy as np
import pytest

import sysid


def model(f, g=lambda x, u, p, t: x[:1]):
    return sysid.Nonlinear(f, g, n_states=2, n_inputs=0, n_outputs=1)


@numba.njit
def short(x, u, p, t):
    return x[:1] * 1.0


@numba.njit
def whole(x, u, p, t):
    return 0.5 * x


def test_a_compiled_function_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"f\(x, u, p, t\) to return shape \(2,\); received \(1,\)"):
        sysid.simulate(model(short, short), n_steps=3)
    with pytest.raises(ValueError, match=r"g\(x, u, p, t\) to return shape \(1,\)"):
        sysid.simulate(model(whole, whole), n_steps=3)
    assert sysid.simulate(model(whole, short), x0=[4.0, 2.0], n_steps=3).y.shape == (3, 1)


@pytest.mark.parametrize("f, error, words", [
    (lambda x, u, p, t: x + 1j, TypeError, "complex"),
    (lambda x, u, p, t: x.__iadd__(1.0), ValueError, "read-only"),
    (lambda x, u, p, t: x[:1], ValueError, r"expected shape \(2,\)"),
])  # fmt: skip
def test_a_plain_function_that_misbehaves_is_refused(f, error, words):
    with pytest.raises(error, match=words):
        sysid.simulate(model(f), n_steps=3)


def turn(x, u, p, t):
    return np.array([x[1], -x[0]])


def turn_seen(x, u, p, t):
    return x[:1]


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_whose_jacobians_are_taken_by_differences_travels(way):
    first = model(turn, turn_seen)
    before = sysid.linearize(first, x=np.ones(2)).A
    assert np.array_equal(sysid.linearize(way(first), x=np.ones(2)).A, before)
