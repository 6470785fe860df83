"""Sunspots by a third recipe: states and lagged outputs in the readout, settings by rolling-origin errors before 1921.

Written down before it was scored, once, for seeds 0 to 9. The years from 1921 on are not unseen in the strict sense: two earlier
recipes (`sunspots.py`) had been scored on them, and what was known of those scores is that saturated units had done worse.

1. The square root of the counts of 1700-1920, standardised. A reservoir of 100 units, W orthogonal, outputs fed back.
2. y[t] = d + sum_k a_k y[t-k] + c'x[t], k = 1 .. L: the lags and d by least squares, ridge on c alone, so that a large ridge is the
   linear autoregression and not zero. x[t] has seen y up to t-1.
3. Radius {.6, .9}, leak {.5, 1}, feedback scale {.05, .2, .5, 1}, bias scale {.1, .5}, L {2, 9} and ridge 1e-3 .. 1e4 in steps
   of 10: smallest mean squared one-step error on the square-root scale over 1760-1920, predicted by what was fitted to the years
   from 1720 to the last fifth year before. The cycle of 1778, larger than all before it, is among the years predicted.
4. The chosen settings fitted to 1720-1920; one step ahead over 1921-2008, squared back to counts; band from the residual variance
   and the uncertainty of the weights.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

import sysid
from sysid.report.study import autoregression
from sysid.reservoirs.states import driven_states

SPLIT, FIRST, ROLL, BLOCK = 221, 20, 60, 5
RIDGES = 10.0 ** np.arange(-3, 5)


def network(series, seed, radius, leak, feedback, bias):
    esn = sysid.ESN.random(100, 0, 1, topology="orthogonal", spectral_radius=radius, leak=leak, bias_scale=bias, dt=series.dt,
                           rng=np.random.default_rng(seed))
    return replace(esn, W_fb=feedback * np.asarray(esn.W_fb))


def lagged(y, count):
    """[1, y[t-1], ..., y[t-count]] at every t; zeros before the record."""
    return np.column_stack([np.ones(len(y)), *(np.r_[np.zeros(k), y[:-k]] for k in range(1, count + 1))])


def ridge_path(Z, X, y):
    """Least squares on Z with ridge on X: for every ridge (weights of Z, of X), and the decomposition."""
    Q, R = np.linalg.qr(Z)
    inside = X - Q @ (Q.T @ X)
    U, s, Vt = np.linalg.svd(inside, full_matrices=False)
    z = U.T @ y
    c = Vt.T @ ((s / (s**2 + RIDGES[:, None])) * z).T            # (n, ridges)
    a = np.linalg.solve(R, Q.T @ (y[:, None] - X @ c))
    return a, c, (Q, R, s, Vt)


def rolling_errors(Z, X, y):
    """Mean squared error of every ridge over ROLL .. SPLIT, refitted every BLOCK years."""
    total = np.zeros(len(RIDGES))
    for at in range(ROLL, SPLIT, BLOCK):
        a, c, _ = ridge_path(Z[FIRST:at], X[FIRST:at], y[FIRST:at])
        ahead = slice(at, min(at + BLOCK, SPLIT))
        total += np.sum((y[ahead, None] - Z[ahead] @ a - X[ahead] @ c) ** 2, 0)
    return total / (SPLIT - ROLL)


def chosen(scaled, seed):
    """(rolling error, settings, states, lags, ridge) of the best settings by the years before SPLIT."""
    before, best = scaled[:SPLIT], (np.inf,)
    y = before.y[:, 0]
    for settings in itertools.product((0.6, 0.9), (0.5, 1.0), (0.05, 0.2, 0.5, 1.0), (0.1, 0.5)):
        X = driven_states(network(scaled, seed, *settings), before)[0]
        for count in (2, 9):
            errors = rolling_errors(lagged(y, count), X, y)
            best = min(best, (float(errors.min()), settings, count, float(RIDGES[np.argmin(errors)])))
    return best


def predicted(scaled, seed, settings, count, ridge):
    """Mean and standard deviation one step ahead at every time, fitted to FIRST .. SPLIT."""
    y, X = scaled.y[:, 0], driven_states(network(scaled, seed, *settings), scaled)[0]
    Z, train = lagged(y, count), slice(FIRST, SPLIT)
    a, c, (Q, R, s, Vt) = ridge_path(Z[train], X[train], y[train])
    i = int(np.argmin(np.abs(RIDGES - ridge)))
    mean = Z @ a[:, i] + X @ c[:, i]
    used = Z.shape[1] + np.sum(s**2 / (s**2 + ridge))
    variance = np.sum((y - mean)[train] ** 2) / (SPLIT - FIRST - used)
    z = np.linalg.solve(R.T, Z.T).T                              # coordinates in Q
    inside = (X - z @ (Q.T @ X[train])) @ Vt.T
    spread = np.sum(z**2, 1) + np.sum(inside**2 / (s**2 + ridge), 1)
    return mean, np.sqrt(variance * (1 + spread))


def rows(seeds=range(10)):
    """(seed, settings, [ratio to AR(9), coverage, width over AR(9)'s])."""
    series = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
    _, scaling = series[:SPLIT].standardize()
    scaled, counts = scaling.apply(series), series.original[SPLIT:, 0]
    peer, low, high = autoregression(series.y[:, 0], 9, SPLIT)
    error = lambda m: np.sqrt(np.mean((counts - m) ** 2))  # noqa: E731
    for seed in seeds:
        rolled, settings, lags, ridge = chosen(scaled, seed)
        mean, deviation = predicted(scaled, seed, settings, lags, ridge)
        middle, a, b = (np.maximum(scaling.inverse_y((mean + w * deviation)[:, None])[SPLIT:, 0], 0.0) ** 2 for w in (0.0, -1.96, 1.96))
        yield seed, (rolled, *settings, lags, ridge), [error(middle) / error(peer), np.mean((counts >= a) & (counts <= b)),
                                                       np.mean(b - a) / np.mean(high - low)]


if __name__ == "__main__":
    for seed, settings, row in rows():
        print(seed, settings, np.round(row, 4), flush=True)
