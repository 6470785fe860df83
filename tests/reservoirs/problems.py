"""Simulated reservoirs for the tests of inference, and what is asked of every likelihood."""

from dataclasses import replace

import numpy as np

import sysid


def simulated(n=8, p=2, T=300, seed=0, *, activation="tanh", feedback=False, leak=0.6, radius=0.8, q=1e-3, r=1e-2,
              missing=0.0, bias_scale=0.2, n_inputs=1):
    """A process around a random reservoir, and data drawn from it."""
    rng = np.random.default_rng(seed)
    esn = sysid.ESN.random(n, n_inputs, p if feedback else 0, spectral_radius=radius, leak=leak, bias_scale=bias_scale,
                           rng=rng, activation=activation)
    if feedback:
        esn = replace(esn, W_fb=0.3 * esn.W_fb)
    esn = esn.with_readout(rng.standard_normal((p, n)) / np.sqrt(n), 0.1 * rng.standard_normal(p))
    process = sysid.Process(esn, Q=q, R=r, initial=sysid.Gaussian(np.zeros(n), 0.1))
    x, u = process.initial.sample(rng), rng.standard_normal((T, n_inputs))
    y = np.empty((T, p))
    for t in range(T):
        y[t] = esn.C @ x + esn.d + np.sqrt(r) * rng.standard_normal(p)
        xi = esn.W @ x + esn.W_in @ u[t] + esn.bias + (esn.W_fb @ y[t] if feedback else 0.0)
        x = (1 - esn.leak) * x + esn.leak * esn.act.function(xi) + np.sqrt(q) * rng.standard_normal(n)
    y[rng.random(y.shape) < missing] = np.nan
    return process, sysid.Data(y, u if n_inputs else None)


def moved(process, *, leak=0.9, scale=0.5, noise=1.0):
    """The process with another leak, scale and noise: where a fit starts."""
    model = replace(process.model, W=process.model.W * scale, leak=leak)
    return sysid.Process(model, Q=process.Q * noise, R=process.R * noise, initial=process.initial)


def gradient_equals_differences(reservoir, p):
    """Assert that the exact gradient agrees with central differences along a random direction of every field of the parameters."""
    _, g = reservoir.gradient(p)
    rng = np.random.default_rng(0)
    for name in ("leak", "scale", "gains", "C", "d", "R", "Q", "m0", "P0"):
        value = np.asarray(getattr(p, name), float)
        direction = rng.standard_normal(value.shape)
        if name in ("R", "Q", "P0"):
            direction = np.diag(np.diag(direction))
        h = 1e-5 * np.abs(value).max() if value.any() else 1e-5
        moves = (value + s * h * direction for s in (1, -1))
        up, down = (reservoir.log_likelihood(replace(p, **{name: float(v) if v.ndim == 0 else v})) for v in moves)
        numeric = (up - down) / (2 * h)
        assert abs(np.sum(g[name] * direction) - numeric) < 1e-6 * (1 + abs(numeric)), name
