"""A stream that changes regime, and a long memory that a short record does not determine."""

from __future__ import annotations

import numpy as np

import sysid

REGIMES = {"first": (0.92, 0.3), "second": (0.92, 0.9)}


def stream(regimes, T, rng):
    """A resonance whose angle changes, seen through tanh with noise; (y, u)."""
    x, u, y = np.zeros(2), rng.standard_normal((T * len(regimes), 1)), []
    for t in range(len(u)):
        radius, angle = REGIMES[regimes[t // T]]
        y.append(np.tanh(0.4 * x[0]) + 0.02 * rng.standard_normal())
        c, s = radius * np.cos(angle), radius * np.sin(angle)
        x = np.array([[c, -s], [s, c]]) @ x + [u[t, 0], 0.5 * u[t, 0]]
    return sysid.Data(np.array(y), u)


def drift(seed):
    """Root mean square one-step errors over the standard deviation of y, in the second regime and after the return."""
    rng = np.random.default_rng(seed)
    esn = sysid.ESN.random(30, 1, leak=1.0, input_scale=0.2, bias_scale=0.1, spectral_radius=0.8, rng=rng)
    designed = {name: _taught(stream([name], 600, rng), esn, rng) for name in REGIMES}
    data = stream(["first", "second", "first"], 500, rng)
    static = designed["first"]
    runs = {"static": sysid.filter(static, data).y_mean,
            "forgetting 0.99": sysid.fit(data, sysid.OnlineReadout(forgetting=0.99, prior=1e-3), start=static).predictions[0].y_mean,
            "readout's walk scheduled": sysid.fit(data, sysid.OnlineReadout(adapt=1e-3, prior=1e-3), start=static).predictions[0].y_mean,
            "state's Q by matching": sysid.filter(sysid.NoiseSchedule.matching(static, data).apply(static), data).y_mean,
            "switching": sysid.switch_reservoirs(data, designed).prediction.y_mean}
    spread = data.y.std()
    parts = {"changed": slice(550, 1000), "returned": slice(1050, None)}
    return {name: [float(np.sqrt(np.mean((data.y - mean)[part] ** 2)) / spread) for part in parts.values()]
            for name, mean in runs.items()}


def _taught(record, esn, rng):
    """A reservoir with the poles of one regime and a readout for it."""
    fit = sysid.fit(record, sysid.SubspaceShaping(n_states=2, rng=rng, rate=0.98), start=esn)
    law, n = fit.process.initial, fit.model.n_states
    return sysid.Process(fit.model, Q=1e-6, R=fit.process.R, initial=sysid.Gaussian(law.mean, law.cov + 1e-6 * np.eye(n)))


def long_memory(seed, rate):
    """Error of simulation on an unseen stretch over its spread: a slow pole at 0.985, 120 noisy samples, 40 units."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((1120, 1))
    x = sysid.simulate(sysid.LTI([[0.985]], [[1.0]], [[1.0]]), u).y
    y = x / x.std() + 0.3 * rng.standard_normal(x.shape)
    train, test = sysid.Data(y, u).split(120)
    esn = sysid.ESN.random(40, 1, leak=0.3, spectral_radius=1.4, input_scale=0.3, rng=rng)
    if rate is not None:
        esn = sysid.project_to_certified(esn, rate)
    first = sysid.fit(train, sysid.Readout(ridge=1e-2, washout=10), start=esn)
    start = sysid.Process(first.model, Q=1e-4, R=first.process.R, initial=sysid.Gaussian(np.zeros(40), 1e-4))
    method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), readout_prior=1e-2, contraction=rate, max_iterations=40,
                               standard_errors=False)
    fit = sysid.fit(train, method, start=start)
    run = sysid.simulate(fit.model, test.u).y
    return float(np.sqrt(np.mean((run - x[120:] / x.std()) ** 2)) / (x[120:] / x.std()).std()), fit.log_likelihood
