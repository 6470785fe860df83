"""Functions that fill an array: the numbers of those that return one, in every filter; what is left unfilled is noticed."""

from functools import cache

import numba
import numpy as np
import pytest

import sysid
from tests.inference.test_nonlinear import METHODS, pendulum, sine


@numba.njit
def filling_pendulum(x, u, p, t, out):
    out[0] = x[0] + 0.01 * x[1]
    out[1] = x[1] - 9.81 * 0.01 * np.sin(x[0])


@numba.njit
def filling_sine(x, u, p, t, out):
    out[0] = np.sin(x[0])


@numba.njit
def pendulum_slope(x, u, p, t, out):
    out[0, 0] = out[1, 1] = 1.0
    out[0, 1] = 0.01
    out[1, 0] = -9.81 * 0.01 * np.cos(x[0])


@numba.njit
def sine_slope(x, u, p, t, out):
    out[0, 0] = np.cos(x[0])  # the other entry stays zero


SLOPES = {"fx": pendulum_slope, "gx": sine_slope}
LAW = sysid.Gaussian([1.6, 0.0], 0.1 * np.eye(2))


def process(f, g, jacobians=None, in_place=False):
    model = sysid.Nonlinear(f, g, 2, 0, 1, dt=0.01, jacobians=jacobians, in_place=in_place)
    return sysid.Process(model, Q=1e-4 * np.eye(2), R=0.1, initial=LAW)


@cache
def filling(jacobians=True):
    return process(filling_pendulum, filling_sine, SLOPES if jacobians else None, in_place=True)


@cache
def returning():
    return process(pendulum, sine)


def measured(n_steps):
    y = sysid.simulate(returning(), n_steps=n_steps, rng=np.random.default_rng(1)).y.copy()
    y[n_steps // 3] = np.nan
    return sysid.Data(y, dt=0.01)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("jacobians", [False, True], ids=["differences", "Jacobians"])
def test_filling_an_array_gives_the_numbers_of_returning_one(method, jacobians):
    data = measured(60)
    one, other = sysid.filter(returning(), data, method), sysid.filter(filling(jacobians), data, method)
    # Jacobians by differences err by 1e-10 or so
    np.testing.assert_allclose(other.filtered.mean, one.filtered.mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.predicted.cov, one.predicted.cov, rtol=1e-8, atol=1e-10)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-9)


@pytest.mark.parametrize("method", METHODS[:3], ids=lambda m: type(m).__name__)
def test_plain_functions_may_fill_arrays_too(method):
    data = measured(12)
    fast = sysid.filter(filling(), data, method)
    slopes = {key: slope.py_func for key, slope in SLOPES.items()}
    plain = sysid.filter(process(filling_pendulum.py_func, filling_sine.py_func, slopes, in_place=True), data, method)
    np.testing.assert_allclose(plain.filtered.cov, fast.filtered.cov, rtol=1e-12)


def test_simulation_linearisation_and_factors_take_the_same_model():
    both = filling(), returning()
    runs = [sysid.simulate(of.model, n_steps=30, x0=[1.0, 0.0]).x for of in both]
    np.testing.assert_array_equal(*runs)
    a, b = (sysid.linearize(of.model, x=np.array([0.3, 0.1])) for of in both)
    np.testing.assert_allclose(a.A, b.A, atol=1e-9)
    data = measured(20)
    a, b = (sysid.filter(of, data, sysid.ExtendedKalman(form="sqrt")) for of in both)
    np.testing.assert_allclose(a.filtered.cov, b.filtered.cov, rtol=1e-8)


@pytest.mark.parametrize("method", [sysid.ExtendedKalman(), sysid.UnscentedKalman()], ids=lambda m: type(m).__name__)
def test_an_entry_left_unfilled_is_noticed(method):
    @numba.njit
    def half(x, u, p, t, out):
        out[0] = x[0]

    with pytest.raises(FloatingPointError, match="time step 0"):
        sysid.filter(process(half, filling_sine, SLOPES, in_place=True), measured(5), method)


def test_a_function_that_returns_is_refused_where_it_should_fill():
    @numba.njit
    def both(x, u, p, t, out):
        return x

    with pytest.raises(TypeError, match=r"both\(x, u, p, t, out\): expected nothing returned"):
        process(both, filling_sine, in_place=True)
    with pytest.raises(TypeError, match=r"pendulum\(x, u, p, t, out\) does not compile.*takes 4 arguments"):
        process(pendulum, filling_sine, in_place=True)
    with pytest.raises(TypeError, match=r"filling_pendulum\(x, u, p, t\) does not compile.*takes 5 arguments"):
        process(filling_pendulum, sine)


@pytest.mark.parametrize("method", [sysid.ExtendedKalman(), sysid.UnscentedKalman()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("in_place", [False, True])
def test_what_a_compiled_function_raises_is_raised_and_another_shape_is_named(method, in_place):
    @numba.njit
    def fresh(x, u, p, t):
        if t > 0.02:
            raise RuntimeError("no such table")
        return x.copy()

    @numba.njit
    def filled(x, u, p, t, out):
        if t > 0.02:
            raise RuntimeError("no such table")
        out[:] = x

    given = process(filled, filling_sine, SLOPES, True) if in_place else process(fresh, sine)
    with pytest.raises(RuntimeError, match="no such table"):
        sysid.filter(given, measured(6), method)

    @numba.njit
    def longer(x, u, p, t):
        return np.zeros(3) if t > 0.02 else x.copy()

    with pytest.raises(FloatingPointError, match="of its shape"):
        sysid.filter(process(longer, sine), measured(6), method)
