"""Sunspots by a recipe that sees only the years before 1921: every seed picks its settings by its own evidence.

Grid, criterion and seeds are fixed in advance; the years 1921 to 2008 are scored once, at the end.
"""

import numpy as np

import sysid

SEEDS = range(10)
FEEDBACK = (0.05, 0.2, 0.5)
PRIOR = (5e-3, 5e-2, 5e-1)
SPLIT = 221


def chosen(train, seed):
    """The fit of the largest Laplace evidence among the grid's nine, and its settings."""
    found = []
    for prior in PRIOR:
        method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), readout_prior=prior, contraction=0.99, max_iterations=30,
                                   tolerance=1e-6, leak_scan=6, standard_errors=False)  # fmt: skip
        starts = {(scale, prior): sysid.reservoirs.autonomous_start(train, np.random.default_rng(seed), feedback_scale=scale)
                  for scale in FEEDBACK}  # fmt: skip
        table = sysid.select_reservoir(train, method, starts)
        found.append((table.evidence[0], table.names[0], table.best))
    return max(found, key=lambda row: row[0])


def scores(series, fit, scaling):
    """One-step error over AR(9), coverage, width over AR(9)'s, on the years from SPLIT on, in counts."""
    from sysid.report.study import autoregression

    y = series.original[SPLIT:, 0]
    peer, low, high = autoregression(series.y[:, 0], 9, SPLIT)
    seen = sysid.filter(fit.process, scaling.apply(series))
    a, b = (band[SPLIT:, 0] for band in seen.interval(0.95))
    error = lambda m: np.sqrt(np.mean((y - m) ** 2))  # noqa: E731
    return error(seen.median[SPLIT:, 0]) / error(peer), np.mean((y >= a) & (y <= b)), np.mean(b - a) / np.mean(high - low)


def rows(seeds=SEEDS):
    """(seed, settings, evidence, error ratio, coverage, width ratio) for every seed."""
    series = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
    train, scaling = series[:SPLIT].standardize()
    for seed in seeds:
        evidence, settings, fit = chosen(train, seed)
        yield (seed, settings, evidence, *scores(series, fit, scaling))


if __name__ == "__main__":
    import sys

    for row in rows([int(s) for s in sys.argv[1:]] or SEEDS):
        print(*row, flush=True)
