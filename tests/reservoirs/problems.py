"""Simulated reservoirs for the tests of inference."""

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
