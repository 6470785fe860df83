"""Identification at full size: measured records, statistics over many systems, memory."""

import tracemalloc

import numpy as np
import pytest

import sysid
from tests.data import load
from tests.evidence.grey_box_models import TANKS_BOUNDS, duffing, tanks
from tests.identification.systems import record as simulated

pytestmark = pytest.mark.evidence


def halves(name, detrend=False):
    raw = load(name)
    dt = raw["Ts"] if np.isfinite(raw["Ts"]) else 1.0
    parts = [sysid.Data(y, u, dt) for u, y in [raw["train"][0], *raw["test"].values()]]
    return [d.detrend() for d in parts] if detrend else parts


@pytest.mark.parametrize("name, n, bars, detrend", [
    ("daisy_dryer", 3, (89.4,), True), ("daisy_robot_arm", 4, (96.0,), False), ("daisy_winding", None, (82.0, 28.0), False),
    ("daisy_powerplant", 2, (32.0, 63.0, 63.0), True),
])  # fmt: skip
def test_simulation_fit_of_subspace_on_test_halves(record, name, n, bars, detrend):
    train, test = halves(name, detrend)
    n = n or sysid.fit(train, sysid.Subspace()).model.n_states  # where no order is given, the method's own choice
    fit = sysid.fit(train, sysid.Subspace(n_states=n))
    val = sysid.validate(fit, test)
    for i, bar in enumerate(bars):
        how = ", each half's mean removed" if detrend else ""
        record(f"issue 5: {name}, n = {n}, simulation fit of output {i + 1} in %{how}", float(val.fit_simulation[i]), bar=f">= {bar}")
    if name == "daisy_dryer":
        record("issue 5: daisy_dryer, one-step fit in %, each half's mean removed", float(val.fit_prediction[0]), bar=">= 95.4")
        whole = sysid.validate(fit, test, unscored=0)  # the reference leaves no sample of this record unscored (n_init = 0)
        record("issue 5: daisy_dryer, one-step fit in %, each half's mean removed, all samples scored as the reference does",
               float(whole.fit_prediction[0]), bar=">= 95.4")  # fmt: skip
        raw_train, raw_test = halves(name)
        raw = sysid.validate(sysid.fit(raw_train, sysid.Subspace(n_states=n)), raw_test)
        record("issue 5: daisy_dryer, simulation fit in %, offsets of the first half kept (they drift)", float(raw.fit_simulation[0]))


def test_rms_of_subspace_on_tanks_silverbox_emps(record):
    train, test = halves("cascaded_tanks")
    n = sysid.fit(train, sysid.Subspace()).model.n_states
    val = sysid.validate(sysid.fit(train, sysid.Subspace(n_states=n)), test)
    record(f"issue 5: cascaded tanks, n = {n}, simulation error in V", float(val.rms_simulation[0]), bar="<= 0.60")
    train, *tests = halves("silverbox")
    fit = sysid.fit(train, sysid.Subspace(n_states=2))
    for part, bar, label in zip(tests, (6.96, 14.4, 6.60), ("multisine", "arrow", "arrow without extrapolation")):
        record(f"issue 5: silverbox, n = 2, {label}, in mV", 1e3 * float(sysid.validate(fit, part).rms_simulation[0]), bar=f"<= {bar}")
    train, test = halves("emps")
    fit = sysid.fit(train, sysid.Subspace(n_states=2, integrators=1))
    record("issue 5: EMPS, one integrator, n = 2, in mm", 1e3 * float(sysid.validate(fit, test).rms_simulation[0]), bar="< 10")


@pytest.mark.filterwarnings("ignore:fit")
def test_plants_that_cannot_be_simulated_are_called_so(record):
    for name, n in (("daisy_flutter", 4), ("daisy_ballbeam", 2)):
        train, test = halves(name)
        val = sysid.validate(sysid.fit(train, sysid.Subspace(n_states=n)), test, steps=3)
        record(f"issue 5: {name}, warning that simulation is not meaningful", int("Do not simulate" in val.verdict), bar="== 1")
        record(f"issue 5: {name}, fit 3 steps ahead in %", float(val.fit_prediction[0]))


def test_grey_box_models(record):
    train, test = halves("cascaded_tanks")
    start = sysid.Process(tanks(), 0.0, 1.0, initial=sysid.Gaussian([train.y[0, 0], train.y[0, 0]], 1.0))
    method = sysid.PredictionError(focus="simulation", bounds=TANKS_BOUNDS, starts=6, rng=np.random.default_rng(0), max_iterations=60)
    fit = sysid.fit(train, method, start=start)
    record("issue 5: cascaded tanks, grey box, simulation error in V", float(sysid.validate(fit, test).rms_simulation[0]), bar="< 0.30")
    train, *tests = halves("silverbox")
    linear = sysid.fit(train[:20_000], sysid.Subspace(2)).model
    rate = np.log(linear.poles()[0]) / train.dt
    gain = (linear.C @ np.linalg.solve(np.eye(2) - linear.A, linear.B) + linear.D)[0, 0]
    stiffness = abs(rate) ** 2
    start = duffing([stiffness, -2 * rate.real, stiffness, stiffness * gain, 0.0, 0.0], train.dt)
    method = sysid.PredictionError(focus="simulation", max_iterations=40)
    fit = sysid.fit(train, method, start=sysid.fit(train[:20_000], method, start=start).model)
    for part, label in zip(tests, ("multisine", "arrow", "arrow without extrapolation")):
        error = 1e3 * float(sysid.validate(fit.model, part).rms_simulation[0])
        record(f"issue 5: silverbox, Duffing grey box, {label}, in mV", error, bar="< 1" if label == "multisine" else None)


def random_system(rng):
    """Second order, output noise and process noise, poles between 0.3 and 0.95 apart from each other."""
    radius, angle = rng.uniform(0.4, 0.92), rng.uniform(0.3, 2.6)
    A = radius * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return sysid.LTI(A, rng.standard_normal((2, 1)) + 0.5, rng.standard_normal((1, 2)) + 0.5)


def test_intervals_of_poles_cover_as_they_say(record):
    """A complex pole counts once, inside where the ellipse of its real and imaginary part holds the truth."""
    inside, parts, total = 0, 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        model = random_system(rng)
        data = simulated(model, 1000, rng, noise=0.3, process_noise=0.2)
        fit = sysid.fit(data, sysid.PredictionError(n_states=2, feedthrough=False))
        poles, cov = fit.uncertainty.pole_covariances()
        truth = model.poles()
        pole, C = poles[0], cov[0]
        gap = pole - truth[np.argmin(np.abs(truth - pole))]
        if abs(pole.imag) > 0:
            inside += np.array([gap.real, gap.imag]) @ np.linalg.solve(C, [gap.real, gap.imag]) < 5.991
        else:
            inside += abs(gap) < 1.96 * np.sqrt(C[0, 0])
        parts += abs(gap.real) < 1.96 * np.sqrt(C[0, 0])
        total += 1
    record("issue 5: 95 % ellipses of the complex poles of 200 systems, coverage in %", 100 * inside / total, bar="90 .. 98")
    record("issue 5: 95 % intervals of their real parts, coverage in %", 100 * parts / total, bar="90 .. 98")
    assert 85 < 100 * inside / total <= 100


def test_prediction_error_reaches_the_cramer_rao_bound(record):
    model = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    found, bound = [], []
    for seed in range(1000):
        data = simulated(model, 500, np.random.default_rng(seed), noise=0.5)
        fit = sysid.fit(data, sysid.PredictionError(focus="simulation", n_states=1, feedthrough=False), start=model)
        found.append(fit.model.poles()[0].real)
        # The exact information about the pole at the truth: regressors of [pole, gain], offset and initial state free.
        u, T = data.u[:, 0], len(data)
        x, dx, reg = 0.0, 0.0, np.empty((T, 4))
        for t in range(T):
            reg[t] = [dx, x, 1.0, 0.8**t]
            x, dx = 0.8 * x + u[t], 0.8 * dx + x
        bound.append(0.25 * np.linalg.inv(reg.T @ reg)[0, 0])
    record("issue 5: variance of the pole over 1,000 runs relative to the Cramer-Rao bound", float(np.var(found) / np.mean(bound)), bar="0.9 .. 1.1")


def test_em_prediction_error_and_direct_maximisation_agree(record):
    from scipy.optimize import minimize
    rng = np.random.default_rng(0)
    truth = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    whole = simulated(truth, 300, rng, noise=0.6, process_noise=0.6)
    y = whole.y.copy()
    y[rng.random(y.shape) < 0.2] = np.nan
    data = sysid.Data(y, whole.u)
    start = sysid.Process(truth, 0.3, 0.3, initial=sysid.Gaussian([0.0], 1.0))
    em = sysid.fit(data, sysid.EM(max_iterations=5000, tolerance=1e-12, fixed=("c", "C", "D", "d")), start=start)
    free = {"A": True, "B": True, "Q": True, "R": True}
    gradient = sysid.fit(data, sysid.PredictionError(focus="likelihood", free=free, tolerance=1e-10), start=start)

    def negative(v):
        model = sysid.LTI([[v[0]]], [[v[1]]], [[1.0]])
        return -sysid.filter(sysid.Process(model, np.exp(v[2]), np.exp(v[3]), initial=sysid.Gaussian([v[4]], 1.0)), data).log_likelihood

    direct = minimize(negative, [0.7, 0.9, -1.0, -1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    values = [em.log_likelihood, gradient.log_likelihood, -direct.fun]
    record("issue 5: largest gap of the maximal log likelihoods of EM, PredictionError and a direct search, a fifth missing",
           float(max(values) - min(values)), bar="<= 1e-6")  # fmt: skip


def test_bilinear_plants(record):
    from tests.identification.test_bilinear import kernels, plant
    rng = np.random.default_rng(0)
    u = rng.uniform(-1, 1, (20_000, 1))
    y = sysid.simulate(plant(), u).y
    data = sysid.Data(y + 0.1 * y.std() * rng.standard_normal(y.shape), u)
    v = rng.uniform(-1, 1, (3000, 1))
    held_out = sysid.Data(sysid.simulate(plant(), v).y, v)
    subspace = sysid.fit(data, sysid.BilinearSubspace(2))
    em = sysid.fit(data, sysid.EM(max_iterations=30), start=subspace)
    truth = kernels(plant())
    for label, model in (("subspace", subspace.model), ("EM", em.model)):
        error = 100 * np.linalg.norm(kernels(model) - truth) / np.linalg.norm(truth)
        record(f"issue 5: Volterra kernels at 20 dB by bilinear {label}, error in %", float(error), bar="<= 5")
        record(f"issue 5: bilinear {label} on held-out inputs, fit in %", float(sysid.validate(model, held_out).fit_simulation[0]))
    linear = max(sysid.validate(sysid.fit(data, sysid.Subspace(n)).model, held_out).fit_simulation[0] for n in (1, 2, 3, 4))
    record("issue 5: best linear model on the same inputs, fit in %", float(linear))


def test_memory_of_a_long_record(record):
    rng = np.random.default_rng(0)
    T = 2_000_000
    u = rng.standard_normal((T, 2))
    model = sysid.LTI([[0.8, 0.3], [-0.3, 0.8]], [[1.0, 0.0], [0.2, 1.0]], [[1.0, 0.0], [0.3, 1.0]])
    data = sysid.Data(sysid.simulate(model, u).y + rng.standard_normal((T, 2)), u)
    tracemalloc.start()
    sysid.fit(data, sysid.Subspace(2, "cva", horizon=20))
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    record("issue 5: subspace on 2e6 samples, 2 x 2 channels, 20 block rows: memory beyond the data in MB", float(peak), bar="<= 500")


def test_slicot_dryer_example(record):
    from tests.data import reference_systems
    raw = load("daisy_dryer")
    u = np.vstack([raw["train"][0][0], raw["test"]["test"][0]])
    y = np.vstack([raw["train"][0][1], raw["test"]["test"][1]])
    fit = sysid.fit(sysid.Data(y, u), sysid.Subspace(4, "cva", horizon=15))
    printed = np.array([0.4758 + 0.2001j, 0.4758 - 0.2001j, 0.7455, 0.9611])
    found = fit.model.poles()
    gap = max(np.abs(found - pole).min() for pole in printed)
    record("issue 5: SLICOT's dryer example, largest distance of a pole from the printed model", float(gap))
    markov = np.array([0.0, 0.0007, 0.074, 0.1251, 0.1405, 0.1313])
    record("issue 5: SLICOT's dryer example, largest gap of Markov parameters 1..6",
           float(np.abs(fit.model.markov_parameters(7)[1:, 0, 0] - markov).max()))  # fmt: skip
    assert reference_systems() is not None


def test_a_thousand_hard_records(record):
    """Every method on what people bring: fitted, or refused in one sentence; a warning of the arithmetic counts as a failure."""
    from tests.identification.hard import outcome
    found, first = {"fitted": 0, "refused": 0, "failed": 0}, ""
    for seed in range(1000):
        try:
            found[outcome(seed, T_max=600)] += 1
        except AssertionError as error:
            found["failed"], first = found["failed"] + 1, first or f"; first: {error}"
    record("issue 5: of 1,000 hard records, neither fitted nor refused in one sentence", found["failed"], bar="== 0",
           note=f"{found['fitted']} fitted, {found['refused']} refused{first}")
