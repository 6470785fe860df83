"""Benchmark tasks of reservoir computing, one documented recipe each; hyperparameters come from training data alone.

Every task scans a small grid on a validation part of its training series, prints the table, retrains on the whole
training series with the best row and measures the test part once, for several seeds. `python -m tests.evidence.reservoir_tasks
NAME` runs one.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np

import sysid
from sysid.reservoirs.least_squares import Triangle
from tests.data import load, path


def driven(esn, u, squares=False):
    """Features after u[t] is in: x[t+1] for t = 0..T-1."""
    run = sysid.simulate(esn, u)
    x = np.vstack([run.x[1:], run.final])
    return np.hstack([x, x ** 2]) if squares else x


def ridge_path(X, Y, ridges):
    solved = Triangle(X.shape[1], Y.shape[1]).add(X, Y).path()
    return [solved.solve(r) for r in ridges]


def scan(name, grid, loss):
    """Evaluate `loss(row) -> (R,) one value a ridge` over a grid of dicts; print the table, return the best row and ridge index."""
    table = []
    for row in grid:
        values = np.asarray(loss(**row))
        table.append((float(np.nanmin(values)), int(np.nanargmin(values)), row))
    table.sort(key=lambda entry: entry[0])
    print(f"{name}: validation loss, ridge index, hyperparameters")
    for entry in table[:8]:
        print(f"  {entry[0]:.5g}  {entry[1]}  {entry[2]}")
    return table[0][2], table[0][1]


def grid(**choices):
    return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]


def mackey_glass_one_step(seeds=5):
    """100 units, trained on 500 points of the series from rest, tested on the next 1500: root mean square error."""
    y = sysid.datasets.mackey_glass(2001, transient=0).y
    u, t, ridges = y[:-1], y[1:], np.logspace(-12, -7, 6)

    def states(seed, **row):
        return driven(sysid.ESN.random(100, rng=np.random.default_rng(seed), **row), u)

    def validation(**row):
        X = states(0, **row)
        return [np.sqrt(np.mean((X[400:500] @ C.T + d - t[400:500]) ** 2)) for C, d in ridge_path(X[100:400], t[100:400], ridges)]

    best, r = scan("Mackey-Glass, one step", grid(leak=[0.3, 1.0], spectral_radius=[0.8, 1.25], input_scale=[0.5, 1.0],
                                                 bias_scale=[0.0, 1.0]), validation)
    errors = []
    for seed in range(seeds):
        X = states(seed, **best)
        (C, d), = ridge_path(X[100:500], t[100:500], [ridges[r]])
        errors.append(np.sqrt(np.mean((X[500:] @ C.T + d - t[500:]) ** 2)))
    return float(np.median(errors)), best


def free_runs(esn, C, d, states, starts, steps, squares=False):
    """Closed-loop outputs (steps, S, p) from many states at once."""
    x, out = states[starts].copy(), []
    for _ in range(steps):
        y = (np.hstack([x, x ** 2]) if squares else x) @ C.T + d
        out.append(y)
        x = (1 - esn.leak) * x + esn.leak * np.tanh(x @ esn.W.T + y @ esn.W_fb.T + esn.bias)
    return np.array(out)


def mackey_glass_84(n=1000, seeds=1):
    """1000 units, 3000 training steps of tanh(y - 1), error 84 steps ahead over 20 starts beyond them, log10 of its NRMSE."""
    raw = sysid.datasets.mackey_glass(6000).y
    y, ridges = np.tanh(raw - 1), [1e-15, 1e-14, 1e-13, 1e-12]

    def error(esn, C, d, states, starts):
        ahead = free_runs(esn, C, d, states, starts, 85)[84]
        ahead = np.arctanh(np.clip(ahead, -0.999999, 0.999999)) + 1
        return np.abs(ahead - raw[starts + 84])[:, 0] / raw.std()

    def network(seed, **row):
        esn = sysid.ESN.random(n, 0, 1, rng=np.random.default_rng(seed), **row)
        return esn, sysid.simulate(esn, feedback=y).x

    def validation(**row):
        esn, x = network(0, **row)
        starts = np.linspace(2250, 2900, 20).astype(int)
        return [np.sqrt(np.mean(error(esn, C, d, x, starts) ** 2)) for C, d in ridge_path(x[500:2200], y[500:2200], ridges)]

    rows = grid(leak=[0.5, 0.7], spectral_radius=[0.95], input_scale=[0.5, 1.0], bias_scale=[0.3])
    best, r = scan("Mackey-Glass, 84 steps", rows, validation)
    found = []
    for seed in range(seeds):
        esn, x = network(seed + 1, **best)
        (C, d), = ridge_path(x[500:3000], y[500:3000], [ridges[r]])
        found.append(error(esn, C, d, x, np.linspace(3050, 5900, 20).astype(int)))
    errors = np.concatenate(found)
    return float(np.log10(np.median(errors))), float(np.log10(np.sqrt(np.mean(errors ** 2)))), best


def narma10(seeds=5):
    """200 units, 4000 training and 2000 test steps: NRMSE."""
    data = sysid.datasets.narma(10, 6000, np.random.default_rng(0))
    u, y, ridges = data.u, data.y, [1e-10, 1e-9, 1e-8, 1e-7, 1e-6]

    def states(seed, **row):
        return sysid.simulate(sysid.ESN.random(200, rng=np.random.default_rng(seed), leak=1.0, **row), u).x

    def nrmse(X, C, d, part):
        return np.sqrt(np.mean((X[part] @ C.T + d - y[part]) ** 2)) / y[part].std()

    def validation(**row):
        X = states(0, **row)
        return [nrmse(X, C, d, slice(3000, 4000)) for C, d in ridge_path(X[100:3000], y[100:3000], ridges)]

    best, r = scan("NARMA10", grid(spectral_radius=[0.8, 0.9, 0.95], input_scale=[0.05, 0.1, 0.2], bias_scale=[0.2, 0.5]),
                   validation)
    found = []
    for seed in range(seeds):
        X = states(seed, **best)
        (C, d), = ridge_path(X[100:4000], y[100:4000], [ridges[r]])
        found.append(nrmse(X, C, d, slice(4000, 6000)))
    return float(np.median(found)), best


def lorenz(seeds=3):
    """300 units with squares, 6000 steps of 0.02, 30 starts: median valid time (error .4) in Lyapunov times."""
    raw = sysid.datasets.lorenz(14_000).y
    y = (raw - raw[:6000].mean(0)) / raw[:6000].std(0)
    ridges = [1e-12, 1e-10, 1e-8]

    def valid(esn, C, d, states, starts):
        steps = 900
        ahead = free_runs(esn, C, d, states, starts, steps, squares=True)
        truth = y[starts[None] + np.arange(steps)[:, None]]
        bad = np.linalg.norm(ahead - truth, axis=2) / np.sqrt(3) > 0.4
        first = np.where(bad.any(0), bad.argmax(0), steps)
        return np.median(first) * 0.02 * 0.9056

    def network(seed, **row):
        esn = sysid.ESN.random(300, 0, 3, rng=np.random.default_rng(seed), **row)
        x = sysid.simulate(esn, feedback=y).x
        return esn, x, np.hstack([x, x ** 2])

    def validation(**row):
        esn, x, F = network(0, **row)
        return [-valid(esn, C, d, x, np.linspace(4500, 5050, 12).astype(int))
                for C, d in ridge_path(F[100:4500], y[100:4500], ridges)]

    best, r = scan("Lorenz (loss: minus the valid time)", grid(leak=[0.6, 1.0], spectral_radius=[0.4, 0.7], input_scale=[0.1, 0.2],
                                                               bias_scale=[0.5]), validation)
    found = []
    for seed in range(seeds):
        esn, x, F = network(seed + 1, **best)
        (C, d), = ridge_path(F[100:6000], y[100:6000], [ridges[r]])
        found.append(valid(esn, C, d, x, np.linspace(6500, 13_000, 30).astype(int)))
    return float(np.median(found)), best


def santa_fe(seeds=5):
    """300 units with squares, laser intensities: train 200:2000, validate 2000:3000, test 3000:5000, one-step NMSE."""
    y = np.load(path("santafe_laser.npz"))["y"].astype(float).ravel()[:5001, None]
    z = (y - y[200:2000].mean()) / y[200:2000].std()
    t, ridges = z[1:], np.logspace(-8, 0, 9)

    def states(seed, **row):
        return driven(sysid.ESN.random(300, rng=np.random.default_rng(seed), **row), z[:-1], squares=True)

    def nmse(X, C, d, part):
        return np.mean((X[part] @ C.T + d - t[part]) ** 2) / t[part].var()

    def validation(**row):
        X = states(0, **row)
        return [nmse(X, C, d, slice(1999, 2999)) for C, d in ridge_path(X[199:1999], t[199:1999], ridges)]

    best, r = scan("Santa Fe laser", grid(leak=[0.8, 1.0], spectral_radius=[0.5, 0.9], input_scale=[0.2, 0.6], bias_scale=[0.3]),
                   validation)
    found = []
    for seed in range(seeds):
        X = states(seed, **best)
        (C, d), = ridge_path(X[199:2999], t[199:2999], [ridges[r]])
        found.append(nmse(X, C, d, slice(2999, 4999)))
    return float(np.median(found)), best


def japanese_vowels(seeds=5):
    """Nine speakers, 270 training and 370 test utterances: errors, hyperparameters by exact leave-one-out on the training ones."""
    data = load("japanese_vowels")
    X, labels = [a for a, _ in data["train"]], np.array([b for _, b in data["train"]])
    mean, scale = np.vstack(X).mean(0), np.vstack(X).std(0)
    X, Xt = [(a - mean) / scale for a in X], [(a - mean) / scale for a, _ in data["test"]]
    truth = np.array([b for _, b in data["test"]])
    ridges = np.logspace(-3, 2, 6)

    def classifier(seed, segments, **row):
        esn = sysid.ESN.random(rng=np.random.default_rng(seed), n_inputs=12, bias_scale=0.3, **row)
        return sysid.reservoirs.SequenceClassifier(esn, ridges, segments)

    def left_out(**row):
        """Training utterances told wrongly when left out, and their squared error to settle ties: mean of three seeds."""
        fits = [classifier(seed, **row).fit(X, labels) for seed in range(3)]
        return np.mean([f.mistakes + f.losses for f in fits], axis=0)

    best, _ = scan("Japanese vowels", grid(n_states=[50, 150], leak=[0.2, 0.5, 1.0], spectral_radius=[0.3, 0.9],
                                           input_scale=[0.2, 0.6], segments=[2, 3, 4]), left_out)
    errors = [int((classifier(seed, **best).fit(X, labels).predict(Xt) != truth).sum()) for seed in range(seeds)]
    return float(np.median(errors)), best


def cascaded_tanks(seeds=5):
    """150 units fed back, the state warmed on the 50 skipped outputs: free-run root mean square error in volts."""
    data = load("cascaded_tanks")
    (u, y), (ut, yt) = data["train"][0], data["test"]["test"]
    (um, us), (ym, ys) = (u.mean(), u.std()), (y.mean(), y.std())
    u, ut, z, zt, ridges = (u - um) / us, (ut - um) / us, (y - ym) / ys, (yt - ym) / ys, np.logspace(-4, 2, 7)

    def free(esn, C, d, u, z, warm):
        known = np.full_like(z, np.nan)
        known[:warm] = z[:warm]
        run = sysid.simulate(esn.with_readout(C, d), u, feedback=known)
        return np.sqrt(np.mean((run.y - z)[warm:] ** 2)) * ys if run.diverged is None else np.inf

    def network(seed, **row):
        esn = sysid.ESN.random(150, 1, 1, bias_scale=0.3, dt=4.0, rng=np.random.default_rng(seed), **row)
        return esn, sysid.simulate(esn, u, feedback=z).x

    def validation(**row):
        found = []
        for seed in (0, 1, 2):
            esn, x = network(seed, **row)
            found.append([free(esn, C, d, u[500:], z[500:], 100) for C, d in ridge_path(x[50:600], z[50:600], ridges)])
        return np.median(found, axis=0)

    best, r = scan("Cascaded tanks", grid(leak=[0.1, 0.2, 0.3], spectral_radius=[0.3, 0.8], input_scale=[0.1, 0.3, 0.5]), validation)
    found = []
    for seed in range(seeds):
        esn, x = network(seed, **best)
        (C, d), = ridge_path(x[50:], z[50:], [ridges[r]])
        found.append(free(esn, C, d, ut, zt, 50))
    return float(np.median(found)), best


def silverbox(seeds=3, stages=3):
    """A linear model, then reservoirs on its residual, each driven by the last prediction: multisine test error in mV."""
    data = load("silverbox")
    u, y = (a[:30_000] for a in data["train"][0])
    tests = data["test"]
    lti = sysid.fit(sysid.Data(y[:20_000], u[:20_000]), sysid.Subspace(n_states=2)).model
    cut, ridges = 24_000, [1e-8, 1e-6, 1e-4]

    def linear(u):
        run = sysid.simulate(lti, u)
        return run.y, run.x

    base, x = linear(u)
    scale = x.std(0)

    def drive(prediction, x):
        return np.hstack([prediction / y.std(), x / scale])

    def residual(esn, prediction, x):
        z = drive(prediction, x)
        return np.hstack([sysid.simulate(esn, z).x, z, z[:, :1] ** 3])

    def stage(seed, row, upto):
        """Predictions on the training series and a function for new inputs, after `stages` corrections."""
        networks, prediction = [], base
        for k in range(stages):
            esn = sysid.ESN.random(60, 3, rng=np.random.default_rng(100 * seed + k), bias_scale=0.5, **row)
            F = residual(esn, prediction, x)
            (C, d), = ridge_path(F[200:upto], (y - base)[200:upto], [row_ridge[0]])
            prediction = base + F @ C.T + d
            networks.append((esn, C, d))

        def predict(v):
            start, states = linear(v)
            ahead = start
            for esn, C, d in networks:
                ahead = start + residual(esn, ahead, states) @ C.T + d
            return ahead

        return prediction, predict

    row_ridge = [ridges[1]]

    def validation(**row):
        out = []
        for r in ridges:
            row_ridge[0] = r
            out.append(1e3 * np.sqrt(np.mean((stage(0, row, cut)[0] - y)[cut:] ** 2)))
        return out

    best, r = scan("Silverbox", grid(leak=[0.8], spectral_radius=[0.6, 0.9], input_scale=[0.15, 0.3]), validation)
    row_ridge[0] = ridges[r]
    errors = {name: [] for name in tests}
    for seed in range(seeds):
        predict = stage(seed, best, len(y))[1]
        for name, (v, truth) in tests.items():
            errors[name].append(1e3 * np.sqrt(np.mean((predict(v) - truth)[50:] ** 2)))
    return {name: float(np.median(e)) for name, e in errors.items()}, best


TASKS = {f.__name__: f for f in (mackey_glass_one_step, mackey_glass_84, narma10, lorenz, santa_fe, japanese_vowels,
                                 cascaded_tanks, silverbox)}

if __name__ == "__main__":
    for name in sys.argv[1:] or TASKS:
        print(name, TASKS[name](), flush=True)
