"""Measured series one step ahead: EM with bands against a grid of 200 points on a validation part; the test part is scored once.

Both draw orthogonal reservoirs of 60 units, bias scale 0.3, measured outputs fed back.
Grid: leak {.25, .5, .75, 1} x radius {.6, .95} x input scale {.1, .2, .5, 1, 2} x ridge {1e-6 .. 1e-2}; the last quarter of the
training part validates, the best row is taught anew on all of it.
EM: `evidence_start` on the training part (radius {.6, .9}, leak {.5, 1}, feedback and input scale {.1, .3, 1}, then 60 evaluations of its
climb), then ReservoirEM for leak, scale, gains, Q, R and readout, covariances on 16 directions, 8 iterations.

Why this recipe, by figures of the training parts alone (fitted to their first three quarters, error on the fourth over the grid's,
whose ridge and scales are chosen on that very quarter). An earlier recipe began at the best of 12 networks with Q = 1e-8, x[0] at rest,
and climbed 25 iterations: silverbox .68 1.01 1.10, laser .70 .98. What held it back:
 1. The start. The likelihood's top is far away (silverbox: input scale .005, not .1) and 100 iterations do not get there, though
    likelihood, evidence and error agree on the way: from the grid's 40 networks .41 .59, from the top of the exact evidence .18 .27.
 2. Q as a number of its own. Seen through a readout of |C| = 570 a Q of 1e-8 is as much noise as R: from the same start on the laser
    the climb ended 286 nats lower, and 1.36 times worse, than from Q making 1 % of R and x[0] drawn from the states of the record.
 3. Next to nothing: more iterations after that, estimating Q freely, the readout's prior.
This recipe there: silverbox .22 .26 .25, laser .58 .96 .68, tanks 1.26 1.13 1.13 (where the fourth quarter is unlike the first three:
the higher the evidence of those, the worse), sunspots 1.01 1.03 1.01. Two earlier recipes had been scored on the test parts.
"""

from __future__ import annotations

import itertools
import time

import numpy as np

import sysid
from sysid.reservoirs.least_squares import Triangle
from sysid.reservoirs.states import driven_states
from tests.data import load, path

WASHOUT = 20
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def series():
    """name -> (training Data, whole Data, samples to score); standardised by the training part."""
    root = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
    laser = sysid.Data(np.load(path("santafe_laser.npz"))["y"].astype(float).ravel()[:2000])
    tanks, silver = load("cascaded_tanks"), load("silverbox")
    (u, y), (ut, yt) = tanks["train"][0], tanks["test"]["test"]
    both = sysid.Data(np.vstack([y, yt]), np.vstack([u, ut]))
    us, ys = (a[:3000] for a in silver["train"][0])
    whole = {"sunspots": (root, 221), "santa_fe laser": (laser, 1000), "cascaded tanks": (both, len(y)),
             "silverbox": (sysid.Data(ys, us), 1500)}
    for name, (data, at) in whole.items():
        train, scaling = data[:at].standardize()
        yield name, train, scaling.apply(data), slice(at + (WASHOUT if name == "cascaded tanks" else 0), None)


def network(data, seed, leak, radius, input_scale):
    return sysid.ESN.random(60, data.n_inputs, 1, topology="orthogonal", spectral_radius=radius, leak=leak, input_scale=input_scale,
                            bias_scale=0.3, dt=data.dt, rng=np.random.default_rng(seed))


def taught(X, Y):
    solved = Triangle(X.shape[1], 1).add(X, Y).path()
    return [solved.solve(r * len(X)) for r in RIDGES]


def by_grid(train, seed):
    cut, best = 3 * train.n_steps // 4, (np.inf, 0, 0.0, 0.0, 0.0)
    for leak, radius, scale in itertools.product((0.25, 0.5, 0.75, 1.0), (0.6, 0.95), (0.1, 0.2, 0.5, 1.0, 2.0)):
        x, _ = driven_states(network(train, seed, leak, radius, scale), train)
        errors = [np.mean((x[cut:] @ C.T + d - train.y[cut:]) ** 2) for C, d in taught(x[WASHOUT:cut], train.y[WASHOUT:cut])]
        best = min(best, (min(errors), int(np.argmin(errors)), leak, radius, scale))
    _, place, leak, radius, scale = best
    esn = network(train, seed, leak, radius, scale)
    x, _ = driven_states(esn, train)
    return esn.with_readout(*taught(x[WASHOUT:], train.y[WASHOUT:])[place])


def by_inference(train, seed):
    start = sysid.reservoirs.evidence_start(
        train, np.random.default_rng(seed), n_states=60, radius=(0.6, 0.9), leak=(0.5, 1.0), feedback_scale=(0.1, 0.3, 1.0),
        input_scale=(0.1, 0.3, 1.0), bias_scale=(0.3,), climb=60)
    gains = ("feedback_scale", "input_scale") if train.n_inputs else ("feedback_scale",)
    method = sysid.ReservoirEM(("leak", "scale", *gains, "Q", "R", "readout"), readout_prior=start.readout_prior, max_iterations=8,
                               tolerance=1e-6, covariance_rank=16, standard_errors=False)
    return sysid.fit(train, method, start=start.process)


def rows(seeds=range(3)):
    """(name, NRMSE of EM, of the grid, their ratio, time over the grid's, coverage of the 95 % band in %), medians over seeds."""
    for name, train, whole, scored in series():
        found = []
        for seed in seeds:
            began = time.process_time()
            model = by_grid(train, seed)
            middle = time.process_time()
            fit = by_inference(train, seed)
            ended = time.process_time()
            x, _ = driven_states(model, whole)
            seen = fit.predict(whole)
            y, low, high = whole.original[scored], *(band[scored] for band in seen.interval(0.95))
            spread = y.std()
            errors = [np.sqrt(np.mean((whole.to_original(m)[scored] - y) ** 2)) / spread for m in (seen.y_mean, x @ model.C.T + model.d)]
            found.append((errors[0], errors[1], errors[0] / errors[1], (ended - middle) / (middle - began),
                          100 * np.mean((y >= low) & (y <= high))))
        yield name, *np.median(found, axis=0)


if __name__ == "__main__":
    for name, *values in rows():
        print(name, np.round(values, 4), flush=True)
