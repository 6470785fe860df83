"""Responses without a model against the true ones, delays, and the signals that excite."""

import numpy as np
import pytest

import sysid
from tests.identification.systems import record, third_order


def response(model, omega):
    z = np.exp(1j * omega * model.dt)
    return np.stack([model.C @ np.linalg.solve(k * np.eye(model.n_states) - model.A, model.B) + model.D for k in z])


def test_spectral_analysis_tells_inputs_apart_within_its_deviation():
    rng = np.random.default_rng(0)
    model = third_order(dt=0.2)
    data = record(model, 40_000, rng, noise=0.5, dt=0.2)
    found = sysid.spectral_response(data, segment=256)
    error = np.abs(found.response - response(model, found.omega)) / found.deviation
    assert np.median(error) < 1.5 and np.mean(error < 3) > 0.95
    assert (found.coherence > 0.2).all() and np.median(found.coherence) > 0.7
    assert np.allclose(np.median(found.noise, 0), 0.25, rtol=0.15)
    found.plot()


def test_the_empirical_transfer_function_is_exact_for_periodic_signals():
    rng = np.random.default_rng(1)
    model = sysid.LTI([[0.8]], [[1.0]], [[1.0]], dt=0.5)
    u = np.tile(sysid.datasets.multisine(256, rng), 4)
    y = sysid.simulate(model, u[:, None]).y
    found = sysid.empirical_response(sysid.Data(y[512:], u[512:], dt=0.5))
    assert np.allclose(found.response, response(model, found.omega), atol=1e-8)


def test_the_regularised_impulse_response_and_its_band():
    model = third_order()
    truth = model.markov_parameters(30)
    inside, gain = [], []
    for seed in range(6):
        data = record(model, 400, np.random.default_rng(seed), noise=1.0)
        band = sysid.impulse_response_estimate(data, n_steps=30)
        inside.append((truth > band.low) & (truth < band.high))
        X = np.stack([np.concatenate([data.u[t - np.arange(30)].T.ravel(), [1.0]]) for t in range(29, 400)])
        plain = np.linalg.lstsq(X, data.y[29:], rcond=None)[0][:60].reshape(2, 30, 2).transpose(1, 2, 0)
        gain.append(np.linalg.norm(band.mean - truth) / np.linalg.norm(plain - truth))
    # A prior that decays faster than the response leaves the far tail, a hundredth of the peak, short of its level.
    assert np.mean(inside) > 0.8 and np.mean([i[:12] for i in inside]) > 0.92 and np.max(gain) < 0.8
    band.plot()


def test_delays_are_found_for_each_pair():
    rng = np.random.default_rng(3)
    u = rng.standard_normal((600, 2))
    y = np.zeros((600, 1))
    for t in range(6, 600):
        y[t] = 0.7 * y[t - 1] + u[t - 5, 0] + 0.1 * rng.standard_normal()
    assert sysid.estimated_delay(sysid.Data(y, u), 20).tolist() == [[5, -1]]


def test_input_signals_are_what_they_say():
    rng = np.random.default_rng(4)
    sequence = sysid.datasets.prbs(127, bits=7)
    spectrum = np.abs(np.fft.fft(sequence)) ** 2 / 127
    assert set(sequence) == {-1.0, 1.0} and np.allclose(spectrum[1:], 128 / 127)
    assert abs(sequence.sum()) == 1
    sine = sysid.datasets.multisine(200, rng, lines=[3, 7, 11], rms=2.0)
    assert np.flatnonzero(np.abs(np.fft.rfft(sine)) > 1e-9).tolist() == [3, 7, 11]
    assert np.isclose(np.sqrt((sine**2).mean()), 2.0)
    flips = np.mean(np.diff(sysid.datasets.random_binary(20_000, rng, switch=0.2)) != 0)
    assert abs(flips - 0.2) < 0.02
    sweep = sysid.datasets.chirp(4000, 0.05, 1.5)
    crossings = np.flatnonzero(np.diff(np.sign(sweep)) != 0)
    assert np.pi / np.diff(crossings)[-5:].mean() == pytest.approx(1.5, rel=0.05)
    assert sysid.excitation(sysid.Data(sequence, sequence)).order >= 20


def test_gaps_and_missing_inputs_are_refused():
    y = np.random.default_rng(5).standard_normal((100, 1))
    with pytest.raises(ValueError, match="data with inputs"):
        sysid.spectral_response(sysid.Data(y))
    gap = y.copy()
    gap[4] = np.nan
    with pytest.raises(ValueError, match="missing outputs"):
        sysid.spectral_response(sysid.Data(gap, y))
    with pytest.raises(ValueError, match="between 1 and"):
        sysid.datasets.multisine(10, np.random.default_rng(0), lines=[7])


def test_an_estimate_without_a_model_and_a_band_go_into_a_bode_diagram():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((800, 2))
    plant = sysid.LTI([[0.7, 0.2], [0.0, 0.5]], np.eye(2), np.eye(2))
    data = sysid.Data(sysid.simulate(plant, u).y + 0.1 * rng.standard_normal((800, 2)), u)
    fit = sysid.fit(data, sysid.PredictionError(n_states=2))
    axes = fit.model.plot.bode(label="model")
    labels = [[a.get_ylabel() for a in row] for row in axes]
    assert fit.uncertainty.plot(axes) is axes and sysid.spectral_response(data).plot(axes) is axes
    assert [[a.get_ylabel() for a in row] for row in axes] == labels  # gain stays gain and phase phase
    for i in range(2):
        for j in range(2):
            assert len(axes[2 * i, j].collections) == 2 and axes[2 * i, j].get_yscale() == "linear"
            gains, phases = ([line for line in axes[2 * i + k, j].lines if len(line.get_xdata()) > 5] for k in (0, 1))
            assert len(gains) == len(phases) == 2 and len({line.get_color() for line in gains}) == 2
    at = axes[0, 0].collections[0].get_paths()[0].vertices
    band = fit.uncertainty.frequency_response()
    assert at[:, 1].max() == pytest.approx(20 * np.log10(band.high[:, 0, 0].max()), abs=0.1)
    assert axes[0, 0].get_legend() is not None
    empirical = sysid.empirical_response(sysid.Data(data.y, u[:, 0]))
    sysid.LTI([[0.5]], [[1.0]], [[1.0], [2.0]]).plot.bode(ax=empirical.plot(sysid.LTI([[0.5]], [[1.0]], [[1.0], [2.0]]).plot.bode()))
