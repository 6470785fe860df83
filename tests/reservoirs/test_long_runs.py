"""Chunks, FFT kernels and ensembles give what one pass gives."""

import numpy as np
import pytest

import sysid
from sysid.reservoirs import chunked_states, ensemble_forecast, kernel_outputs


def test_chunks_with_the_certified_overlap_equal_one_pass():
    rng = np.random.default_rng(0)
    esn = sysid.ESN(0.8 * sysid.reservoirs.orthogonal(20, rng=rng), rng.standard_normal((20, 1)), 0.2 * rng.standard_normal(20))
    u = rng.standard_normal((4003, 1))
    assert np.abs(chunked_states(esn, u, 7) - sysid.simulate(esn, u).x).max() < 1e-10
    rough = chunked_states(esn, u, 7, overlap=5)
    assert 1e-10 < np.abs(rough - sysid.simulate(esn, u).x).max() < 1.0
    gated = sysid.GatedESN.random(6, 1, spectral_radius=0.4, rng=rng)  # certified for inputs as small as these
    assert np.abs(chunked_states(gated, 0.1 * u, 7) - sysid.simulate(gated, 0.1 * u).x).max() < 1e-10
    linear = sysid.ESN([[0.5]], [[1.0]], activation="identity")  # certified, and as far from rest as its input takes it
    with pytest.raises(ValueError, match="tanh or sigmoid units"):
        chunked_states(linear, 1e6 * u, 7)
    assert np.abs(chunked_states(linear, 1e6 * u, 7, overlap=90) - sysid.simulate(linear, 1e6 * u).x).max() < 1e-8
    with pytest.raises(ValueError, match="certified"):
        chunked_states(sysid.ESN(3 * np.eye(3), np.ones((3, 1))), u)


def test_kernel_outputs_equal_the_recursion_with_offsets():
    rng = np.random.default_rng(1)
    lti = sysid.LTI(0.9 * sysid.reservoirs.orthogonal(6, rng=rng), rng.standard_normal((6, 2)), rng.standard_normal((3, 6)),
                    rng.standard_normal((3, 2)), c=rng.standard_normal(6), d=rng.standard_normal(3))
    for T in (1, 5, 3000):
        u = rng.standard_normal((T, 2))
        assert np.abs(kernel_outputs(lti, u) - sysid.simulate(lti, u).y).max() < 1e-9
    # An offset that drives a mode much slower than those that the input drives.
    slow = sysid.LTI(np.diag([0.1, 0.995]), [[1.0], [0.0]], [[1.0, 1.0]], c=[0.0, 1.0])
    u = rng.standard_normal((2000, 1))
    assert np.abs(kernel_outputs(slow, u) - sysid.simulate(slow, u).y).max() < 1e-9
    alone = sysid.LTI([[0.5]], None, [[1.0]], c=[1.0])
    assert np.abs(kernel_outputs(alone, np.zeros((30, 0))) - sysid.simulate(alone, n_steps=30).y).max() < 1e-12
    with pytest.raises(TypeError, match="an LTI model"):
        kernel_outputs(None, u)
    with pytest.raises(ValueError, match="stable"):
        kernel_outputs(sysid.LTI(np.eye(1), np.ones((1, 1)), np.ones((1, 1))), np.ones((4, 1)))


def test_an_ensemble_agrees_early_and_spreads_later():
    series = sysid.datasets.mackey_glass(1600).map(lambda y: np.tanh(y - 1), lambda z: np.arctanh(np.clip(z, -0.9999, 0.9999)) + 1)
    train, future = series.split(1200)
    members = [sysid.fit(train, sysid.Readout(ridge=1e-9), start=sysid.ESN.random(
        80, 0, 1, leak=0.6, spectral_radius=0.95, bias_scale=0.3, rng=np.random.default_rng(s))).model for s in range(5)]
    ahead = ensemble_forecast(members, train, 300)
    assert ahead.spread[0, 0] < 0.1 * ahead.spread[-50:].mean()
    low, high = ahead.interval()
    assert (low <= high).all() and np.abs(ahead.mean[:10] - future.y[:10]).max() < 0.02
    with pytest.raises(ValueError, match="level in"):
        ahead.interval(90)
    gone = sysid.reservoirs.EnsembleForecast(np.full((3, 4, 1), np.nan), np.full((4, 1), np.nan), train)
    assert np.isnan(gone.spread).all() and np.isnan(gone.interval()[0]).all() and "diverged" in repr(gone)
    with pytest.raises(ValueError, match="two models"):
        ensemble_forecast(members[:1], train, 5)
