"""Issue 8 and the sunspots of issue 2 at full size."""

import time

import numpy as np
import pytest

import sysid
from sysid.report.study import autoregression
from tests.reservoirs.problems import moved, simulated

pytestmark = pytest.mark.evidence


def test_sunspots_by_evidence_before_1921(record):
    from tests.evidence import sunspots

    table = list(sunspots.rows())
    ratio, coverage, width = np.median([row[3:] for row in table], axis=0)
    record("issue 2: sunspots, one-step error over AR(9), settings by evidence before 1921, median of 10 seeds", ratio,
           bar="<= 1.05", note=str([round(row[3], 3) for row in table]))
    record("issue 2: sunspots, the same: 95 % band covers (%)", 100 * coverage, bar="88 .. 99")
    record("issue 2: sunspots, the same: band width over AR(9)", width, bar="<= 1.15")


def test_sunspots(record):
    counts = sysid.datasets.sunspots()
    root = counts.map(np.sqrt, inverse=np.square)
    train, scaling = root[:221].standardize()
    series, y = scaling.apply(root), counts.y[221:, 0]
    peer, low, high = autoregression(np.sqrt(counts.y[:, 0]), 9, 221)
    tuned = "settings of this row were chosen with the years after 1921 in view"
    peer_error, peer_width = np.sqrt(np.mean((y - peer) ** 2)), np.mean(high - low)
    method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), readout_prior=5e-3, contraction=0.99, max_iterations=30,
                               tolerance=1e-6, leak_scan=6, standard_errors=False)
    rows = []
    for seed in range(10):
        ends = []
        for leak in (0.3, 1.0):
            start = sysid.reservoirs.autonomous_start(train, np.random.default_rng(seed), leak=leak)
            ends.append(sysid.fit(train, method, start=start))
        fit = max(ends, key=lambda f: f.objective)
        seen = sysid.filter(fit.process, series)
        a, b = (band[221:, 0] for band in seen.interval(0.95))
        closed = fit.model.closed_loop()
        level = closed.equilibrium(x0=fit.model.equilibrium(feedback=np.zeros(1)))
        z = sysid.linearize(closed, x=level).poles()
        z = z[np.abs(np.angle(z)) > 2 * np.pi / 30]
        certificate = sysid.certify(fit.model)
        rows.append((np.sqrt(np.mean((y - seen.median[221:, 0]) ** 2)) / peer_error, np.mean((y >= a) & (y <= b)),
                     np.mean(b - a) / peer_width, abs(ends[0].model.leak - ends[1].model.leak),
                     abs(ends[0].objective - ends[1].objective), 2 * np.pi / abs(np.angle(z[np.argmax(np.abs(z))])),
                     certificate.rate if certificate.verified else np.inf))
    table = np.median(np.array(rows, float), axis=0)
    record("issue 2: sunspots, one-step error over AR(9), the recipe of the docs, median of 10 seeds", table[0], note=tuned)
    record("issue 2: sunspots, 95 % band covers (%)", 100 * table[1], bar="88 .. 99")
    record("issue 2: sunspots, band width over AR(9)", table[2], bar="<= 1.15")
    record("issue 2: sunspots, leaks reached from 0.3 and 1 differ by", table[3], bar="<= 0.05")
    record("issue 2: sunspots, log posteriors reached from both differ by (nats)", table[4], bar="<= 1")
    record("issue 2: sunspots, period of the slowest oscillation of the closed loop (years)", table[5], bar="9 .. 12")
    record("issue 2: sunspots, certified rate of the driven map", table[6], bar="< 1")


def test_recovery(record):
    inside, covered, monotone, ratios, estimates = 0, 0, True, [], []
    for seed in range(100):
        process, data = simulated(n=8, p=2, T=1500, seed=200 + seed, leak=0.4)
        fit = sysid.fit(data, sysid.ReservoirEM(), start=moved(process))
        gaps = [(fit.estimates[k] - v) / fit.standard_errors[k] for k, v in (("leak", 0.4), ("scale", 2.0))]
        inside += max(map(abs, gaps)) < 3
        covered += abs(gaps[0]) < 1.96
        monotone &= bool(np.all(np.diff(fit.history["objective"]) >= 0))
        estimates.append(gaps)
    ratios = np.std(np.array(estimates), axis=0)
    record("issue 8: leak and scale within 3 standard errors, of 100", inside, bar=">= 90")
    record("issue 8: 95 % interval covers the leak, of 100", covered, bar="88 .. 99")
    record("issue 8: likelihood monotone in all", monotone, bar="true")
    record("issue 8: spread over standard error, leak", ratios[0], bar="0.8 .. 1.25")
    record("issue 8: spread over standard error, scale", ratios[1], bar="0.8 .. 1.25")


def test_time(record):
    process, data = simulated(n=100, p=1, T=5000, seed=1)
    from sysid.reservoirs.forced import ForcedReservoir, Parameters
    from sysid.reservoirs.m_step import smoothed_moments
    reservoir, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "bench")
    start = time.perf_counter()
    smoothed_moments(reservoir, p)
    record("issue 8: one EM iteration, n = 100, T = 5000 (s)", time.perf_counter() - start, bar="<= 3")
    start = time.perf_counter()
    reservoir.gradient(p)
    record("issue 8: likelihood and gradient, n = 100, T = 5000 (s)", time.perf_counter() - start)
