"""Closed-loop forecasts of reservoirs: warm-up, batches, divergence, and speed without covariances."""

import numpy as np
import pytest

import sysid


def trained(n=150, T=1500):
    y = sysid.datasets.mackey_glass(T + 300).y
    esn = sysid.ESN.random(n, n_inputs=0, n_feedback=1, leak=0.6, spectral_radius=0.9, bias_scale=0.3,
                           rng=np.random.default_rng(0))
    return sysid.fit(sysid.Data(y[:T]), sysid.Readout(ridge=1e-9), start=esn), y


def test_a_bare_reservoir_is_taught_along_the_history_and_then_runs_alone():
    fit, y = trained()
    forecast = sysid.forecast(fit.model, sysid.Data(y[:1500]), horizon=50)
    x = np.zeros(150)
    m = fit.model
    for t in range(1500):
        x = 0.4 * x + 0.6 * np.tanh(m.W @ x + m.W_fb @ y[t] + m.bias)
    for k in range(50):
        out = m.C @ x + m.d
        assert np.abs(forecast.mean[k] - out).max() < 1e-9
        x = 0.4 * x + 0.6 * np.tanh(m.W @ x + m.W_fb @ out + m.bias)
    assert np.abs(forecast.mean[:20] - y[1500:1520]).max() < 0.02


def test_forecast_of_a_batch_equals_the_single_ones():
    fit, y = trained(60)
    batch = sysid.Data(np.stack([y[:400], y[200:600]]))
    both = sysid.forecast(fit.model, batch, horizon=30).mean
    for s, a in enumerate((0, 200)):
        assert np.abs(both[s] - sysid.forecast(fit.model, sysid.Data(y[a : a + 400]), horizon=30).mean).max() < 1e-9


def test_a_process_forecast_widens_and_covers():
    fit, y = trained(40, 600)
    forecast = sysid.forecast(fit.process, sysid.Data(y[:600]), horizon=20)
    width = np.sqrt(forecast.cov[:, 0, 0])
    assert width[-1] > width[0] > 0
    low, high = forecast.interval(0.99)
    assert np.mean((low[:10] <= y[600:610]) & (y[600:610] <= high[:10])) >= 0.8


def test_driven_reservoirs_need_their_future_inputs():
    rng = np.random.default_rng(1)
    u = rng.standard_normal((300, 1))
    data = sysid.Data(np.roll(u, 1, axis=0), u)
    fit = sysid.fit(data[:200], sysid.Readout(washout=20), start=sysid.ESN.random(40, leak=0.9, rng=rng))
    with pytest.raises(ValueError, match="future inputs"):
        sysid.forecast(fit.model, data[:200], horizon=10)
    ahead = sysid.forecast(fit.model, data[:200], horizon=100, u=u[200:])
    assert np.abs(ahead.mean - sysid.simulate(fit.model, u).y[200:]).max() < 1e-12


def test_divergence_is_reported_with_its_step_and_what_came_before_is_kept():
    esn = sysid.ESN(0.5 * np.eye(2), W_fb=np.ones((2, 1)), C=[[3.0, 1.0]], activation="identity")
    ahead = sysid.forecast(esn, sysid.Data(np.ones(20)), horizon=2000)
    assert ahead.diverged is not None and 300 < ahead.diverged < 1000
    assert np.isfinite(ahead.mean[: ahead.diverged]).all() and np.isnan(ahead.mean[-1]).all()
    assert "diverged at step" in repr(ahead)


def test_a_reservoir_without_readout_is_refused():
    with pytest.raises(ValueError, match="readout"):
        sysid.forecast(sysid.ESN.random(5, 0, 1, rng=np.random.default_rng(0)), sysid.Data(np.ones(9)), horizon=3)


def test_a_forecast_without_noise_draws_no_band_and_ridges_stand_on_logarithmic_axes():
    data = sysid.datasets.mackey_glass(600)
    esn = sysid.ESN.random(40, 0, 1, rng=np.random.default_rng(0))
    fit = sysid.fit(data, sysid.Readout(ridge=np.logspace(-8, 0, 5)), start=esn)
    axes = sysid.forecast(fit.model, data, horizon=5).plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured", "predicted"]
    assert fit.plot().get_yscale() == "log"
