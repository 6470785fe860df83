"""Issue 8 and the sunspots of issue 2 at full size."""

import time

import numpy as np
import pytest

import sysid
from tests.reservoirs.problems import moved, simulated

pytestmark = pytest.mark.evidence


def test_sunspots_by_evidence_before_1921(record):
    from tests.evidence import sunspots

    table = list(sunspots.rows())
    figures = np.array([row[3] for row in table])
    ratio, coverage, width, leaks, posteriors, period, rate = np.nanmedian(figures, axis=0)
    record("issue 2: sunspots, one-step error over AR(9), settings by evidence before 1921, median of 10 seeds", ratio,
           bar="<= 1.05", note=f"{figures[:, 0].round(3).tolist()}; a narrower grid, kept to nearly linear units, gave "
                                "1.121, 1.035, 1.070, 1.080, 1.026 for seeds 0 to 4")
    record("issue 2: sunspots, the same: 95 % band covers (%)", 100 * coverage, bar="88 .. 99")
    record("issue 2: sunspots, the same: band width over AR(9)", width, bar="<= 1.15")
    record("issue 2: sunspots, leaks reached from 0.3 and 1 differ by", leaks, bar="<= 0.05", note=f"at most {figures[:, 3].max():.2g}")
    record("issue 2: sunspots, log posteriors reached from both differ by (nats)", posteriors, bar="<= 1",
           note=f"at most {figures[:, 4].max():.2g}")
    record("issue 2: sunspots, period of the slowest oscillation of the closed loop (years)", period, bar="9 .. 12")
    record("issue 2: sunspots, certified rate of the driven map", rate, bar="< 1")
    fit = table[0][2]
    train = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)[:sunspots.SPLIT].standardize()[0]
    start = sysid.reservoirs.evidence_start(train, np.random.default_rng(0))
    profile = sysid.profile_likelihood(train, sunspots.recipe(start.readout_prior), fit, "leak", np.linspace(0.3, 1.0, 8))
    record("issue 2: sunspots, seed 0: the profile's maximum above the fit (nats)",
           max(0.0, float(np.nanmax(profile.objective)) - fit.objective), bar="<= 1")


def test_recovery(record):
    """From leak 0.9 and scale 0.5; T = 4000 and p = n / 4, the least the bar asks for."""
    truth = {"leak": 0.4, "scale": 2.0}       # the start's W is half the true one
    estimates, errors, monotone = [], [], True
    for seed in range(100):
        process, data = simulated(n=8, p=2, T=4000, seed=200 + seed, leak=0.4)
        fit = sysid.fit(data, sysid.ReservoirEM(), start=moved(process))
        estimates.append([fit.estimates[k] for k in truth])
        errors.append([float(fit.standard_errors[k]) for k in truth])
        monotone &= bool(np.all(np.diff(fit.history["objective"]) >= 0))
    errors = np.array(errors)
    gaps = (np.array(estimates) - list(truth.values())) / errors
    record("issue 8: leak and scale within 3 standard errors, of 100", int((np.abs(gaps) < 3).all(1).sum()), bar=">= 90")
    record("issue 8: likelihood monotone in all", monotone, bar="true")
    for name, gap, error, values in zip(truth, gaps.T, errors.T, np.array(estimates).T):
        record(f"issue 8: 95 % interval covers the {name}, of 100", int((np.abs(gap) < 1.96).sum()), bar="88 .. 99")
        record(f"issue 8: mean standard error over the empirical spread, {name}", error.mean() / values.std(ddof=1),
               bar="0.75 .. 1.25")


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
