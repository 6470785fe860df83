"""Reservoir inference and the sunspots at full size."""

import time

import numpy as np
import pytest

import sysid
from sysid.reservoirs.forced import ForcedReservoir, Parameters
from sysid.reservoirs.identifiability import observed_information
from sysid.reservoirs.likelihood import objective
from sysid.reservoirs.m_step import smoothed_moments
from sysid.reservoirs.reduced import ReducedReservoir
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
    start = sunspots.first(train, 0)
    profile = sysid.profile_likelihood(train, sunspots.recipe(start.readout_prior), fit, "leak", np.linspace(0.3, 1.0, 8))
    record("issue 2: sunspots, seed 0: the profile's maximum above the fit (nats)",
           max(0.0, float(np.nanmax(profile.objective)) - fit.objective), bar="<= 1")


def test_sunspots_by_states_and_lags(record):
    from tests.evidence import sunspots_lags

    figures = np.array([row for _, _, row in sunspots_lags.rows()])
    ratio, coverage, width = np.median(figures, axis=0)
    record("issue 2: sunspots, third recipe (states and lags, rolling errors before 1921), one-step error over AR(9), median of 10 seeds",
           ratio, bar="<= 1.05", note=f"{figures[:, 0].round(3).tolist()}; the years from 1921 on had been scored by two earlier recipes")
    record("issue 2: sunspots, third recipe: 95 % band covers (%)", 100 * coverage, bar="88 .. 99")
    record("issue 2: sunspots, third recipe: band width over AR(9)", width, bar="<= 1.15")


def test_sunspots_by_climbed_settings(record):
    from tests.evidence import sunspots_climbed

    figures = np.array([row for _, row in sunspots_climbed.rows()])
    ratio, coverage, width = np.median(figures, axis=0)
    record("issue 2: sunspots, fourth recipe (settings climbed to by evidence), one-step error over AR(9), median of 10 seeds", ratio,
           bar="<= 1.05", note=f"{figures[:, 0].round(3).tolist()}; the years from 1921 on had been scored by three earlier recipes")
    record("issue 2: sunspots, fourth recipe: 95 % band covers (%)", 100 * coverage, bar="88 .. 99")
    record("issue 2: sunspots, fourth recipe: band width over AR(9)", width, bar="<= 1.15")


TRUTH = {"leak": 0.4, "scale": 2.0}       # the start's W is half the true one


def recovered(T, seeds, e_step="extended", **kind):
    """Estimates and standard errors (runs, 2) of leak and scale from leak 0.9 and scale 0.5, p = n / 4; and whether all climbed."""
    estimates, errors, monotone = [], [], True
    for seed in seeds:
        process, data = simulated(n=8, p=2, T=T, seed=seed, leak=0.4, **kind)
        fit = sysid.fit(data, sysid.ReservoirEM(e_step=e_step), start=moved(process))
        estimates.append([fit.estimates[k] for k in TRUTH])
        errors.append([float(fit.standard_errors[k]) for k in TRUTH])
        monotone &= bool(np.all(np.diff(fit.history["objective"]) >= 0))
        print(seed, estimates[-1], errors[-1], monotone, flush=True)
    return np.array(estimates), np.array(errors), monotone


def test_recovery(record):
    estimates, errors, monotone = recovered(1500, range(200, 300))
    gaps = (estimates - list(TRUTH.values())) / errors
    record("issue 8: leak and scale within 3 standard errors, of 100", int((np.abs(gaps) < 3).all(1).sum()), bar=">= 90",
           note="n = 8, p = 2, T = 1500")
    record("issue 8: likelihood monotone in all", monotone, bar="true")
    for i, (name, gap) in enumerate(zip(TRUTH, gaps.T)):
        record(f"issue 8: 95 % interval covers the {name}, of 100", int((np.abs(gap) < 1.96).sum()), bar="88 .. 99")
        record(f"issue 8: mean standard error over empirical spread, {name}, another reservoir every run",
               errors[:, i].mean() / estimates[:, i].std(ddof=1), bar="0.75 .. 1.25",
               note=f"reservoirs differ; errors in units of their own standard errors spread by {gap.std(ddof=1):.2f}")


def test_repeated_records(record):
    from tests.evidence.repeated_records import RESERVOIRS, repeated

    ratios, covered = [], []
    for reservoir in RESERVOIRS:
        estimates, errors = repeated(reservoir)
        ratios.append(errors.mean(0) / estimates.std(0, ddof=1))
        covered.append((np.abs(estimates - list(TRUTH.values())) < 1.96 * errors).mean(0))
    for name, ratio, share in zip(TRUTH, np.transpose(ratios), np.transpose(covered)):
        record(f"issue 8: mean standard error over empirical spread, {name}, 25 records of one reservoir, mean of six",
               ratio.mean(), bar="0.75 .. 1.25",
               note=f"{ratio.round(2).tolist()}; 25 records leave 14 % open in each; intervals cover {100 * share.mean():.0f} %")


def test_recovery_at_4000_samples(record):
    estimates, errors, _ = recovered(4000, range(200, 260))
    gaps = np.abs(estimates - list(TRUTH.values())) / errors
    record("issue 2: EM from leak 0.9 and scale 0.5, T = 4000, p = n / 4, within 3 standard errors, of 60", int((gaps < 3).all(1).sum()),
           bar=">= 54", note=f"at most {gaps.max():.2f}")


def test_recovery_where_noise_alone_moves_the_units(record):
    for e_step in ("extended", "statistical"):
        estimates, errors, _ = recovered(1000, range(20), e_step, q=0.05, n_inputs=0, radius=1.5)
        gaps = (estimates - list(TRUTH.values())) / errors
        record(f"issue 2: not driven, radius 1.5, Q = .05, e_step={e_step!r}: leak and scale within 3 standard errors, of 20",
               int((np.abs(gaps) < 3).all(1).sum()), bar=">= 18" if e_step == "statistical" else None,
               note=f"mean of the scale's error in standard errors {gaps[:, 1].mean():.2f}, median {np.median(gaps[:, 1]):.2f}")


def test_time(record):
    process, data = simulated(n=100, p=1, T=5000, seed=1)
    reservoir, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "bench")
    short = ForcedReservoir.of(process.model, [data[:20]])
    smoothed_moments(short, p)  # compile
    smoothed_moments(ReducedReservoir.about(short, p, 24), p)
    start = time.process_time()
    exact = smoothed_moments(reservoir, p).log_likelihood
    record("issue 8: one exact EM iteration, n = 100, T = 5000 (CPU s)", time.process_time() - start, bar="<= 3")
    start = time.process_time()
    reduced = smoothed_moments(ReducedReservoir.about(reservoir, p, 24), p).log_likelihood
    record("issue 8: the same with covariances on 24 directions (CPU s)", time.process_time() - start, bar="<= 3",
           note=f"log-likelihood off by {abs(reduced - exact):.1e} nats")
    process, data = simulated(n=500, p=1, T=5000, seed=1)
    reservoir, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "bench")
    start = time.process_time()
    smoothed_moments(ReducedReservoir.about(reservoir, p, 24), p)
    record("issue 8: one EM iteration, n = 500, T = 5000, covariances on 24 directions (CPU s)", time.process_time() - start, bar="<= 30")


def test_reduced_covariances_leave_the_estimate(record):
    """One exact Newton step from the reduced estimate, in exact standard errors, n = 100, p = 1."""
    process, data = simulated(n=100, p=1, T=2000, seed=2)
    names = ("leak", "scale", "Q", "R")
    fit = sysid.fit(data, sysid.ReservoirEM(names, covariance_rank=24, standard_errors=False), start=moved(process, leak=0.7, scale=0.8))
    target, p = objective(fit.process, [data], names, readout_prior=1.0, noise_floor=1e-8, Q="scaled", R="diagonal",
                          leak_groups=None, call="test")
    information = observed_information(target, p)
    _, g = target.value_and_gradient(target.coordinates.pack(p))
    step = np.linalg.solve(information.matrix, g) / np.sqrt(np.diag(np.linalg.inv(information.matrix)))
    for name, shift in list(zip(names, np.abs(step)))[:2]:
        record(f"issue 8: 24 of 100 directions move the {name} by, in standard errors", shift, bar="<= 0.1", note=fit.notes[0])


def test_drift(record):
    from tests.evidence.drift_and_memory import drift

    tables = [drift(seed) for seed in range(10)]
    for name in tables[0]:
        changed, returned = np.median([t[name] for t in tables], axis=0)
        record(f"issue 8: drift, {name}: error over spread in the second regime", changed, note=f"{returned:.3f} after the return")
    ahead = np.median([t["static"][0] / t["forgetting 0.99"][0] for t in tables])
    record("issue 8: drift, static readout's error over the online one's after the change", ahead, bar="> 1")


def test_the_certificate_regularises_a_long_memory(record):
    from tests.evidence.drift_and_memory import long_memory

    rows = np.array([[long_memory(seed, rate)[0] for rate in (None, 0.99, 0.98)] for seed in range(10)])
    free, loose, tight = np.median(rows, axis=0)
    record("issue 8: long memory from 120 samples, unseen error over spread, no certificate", free)
    record("issue 8: the same under a certificate at 0.99, over that without", loose / free, bar="< 1", note=f"at 0.98: {tight / free:.3f}")


def test_measured_series(record):
    from tests.evidence import real_series

    for name, ours, grid, ratio, seconds, coverage in real_series.rows():
        record(f"issue 8: {name}, one-step error of EM over that of a 200-point grid", ratio, bar="<= 1.0",
               note=f"NRMSE {ours:.4f} against {grid:.4f}, median of 3 seeds")
        record(f"issue 8: {name}, time of EM over the grid's", seconds, bar="<= 10")
        record(f"issue 8: {name}, 95 % band covers (%)", coverage, bar="88 .. 99")


def test_demonstration_reaches_the_top_of_the_profile(record):
    from sysid.report.study import Study

    study = Study.of(100)
    leaks = [float(np.mean(f.model.leaks)) for f in study.starts.values()]
    record("issue 2: demonstration, leaks reached from 0.3 and 1 differ by", abs(leaks[0] - leaks[1]), bar="<= 0.05")
    low = min(f.objective for f in study.starts.values())
    record("issue 2: demonstration, the profile's maximum above the lower end (nats)",
           max(0.0, float(np.nanmax(study.profile.objective)) - low), bar="<= 1")


def test_shaping(record):
    rng = np.random.default_rng(0)
    u = rng.standard_normal((1500, 1))
    A = 0.95 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    y = sysid.simulate(sysid.LTI(A, [[1.0], [0.5]], [[1.0, 0.0]]), u).y + 0.05 * rng.standard_normal((1500, 1))
    train, test = sysid.Data(y, u).split(0.6)
    esn = sysid.ESN.random(60, 1, spectral_radius=0.8, leak=1.0, input_scale=0.05, rng=rng)
    error = lambda m: np.std((test.y - sysid.simulate(m, test.u).y)[100:]) / np.std(test.y)  # noqa: E731
    plain = error(sysid.fit(train, sysid.Readout(), start=esn).model)
    fit = sysid.fit(train, sysid.SubspaceShaping(n_states=2, rng=rng), start=esn)
    record("issue 8: shaping, distance to the target's poles after over before", fit.after / fit.before, bar="< 1")
    record("issue 8: shaping, certificate kept", sysid.certify(fit.model).verified, bar="true")
    record("issue 8: shaping, unseen error over that of the plain reservoir", error(fit.model) / plain, bar="<= 1")
