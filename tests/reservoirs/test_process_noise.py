"""Free covariances of the process noise, and covariances on a schedule: kernels against the textbook, M-steps against direct search."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import sysid
from sysid.reservoirs.forced import ForcedReservoir, Parameters
from sysid.reservoirs.likelihood import objective
from sysid.reservoirs.m_step import maximize, smoothed_moments
from sysid.reservoirs.process_noise import NoiseForm
from sysid.reservoirs.schedule import NoiseSchedule
from tests.reference.reservoir_filter import ekf, rts
from tests.reservoirs.problems import moved, simulated

GROUPS = np.array([0, 0, 0, 1, 1])
FORMS = {"scaled": "scaled", "full": "full", "blocks": ("full", GROUPS), "along": np.linspace(-1, 1, 10).reshape(5, 2) ** 2,
         "one direction": np.ones((5, 1))}


def correlated(n, seed=0, size=1e-3):
    X = np.random.default_rng(seed).standard_normal((n, 2 * n))
    return size * X @ X.T / (2 * n)


def problem(n=5, T=40, *, Q=None, **kind):
    process, data = simulated(n=n, T=T, seed=3, **kind)
    return replace(process, Q=correlated(n) if Q is None else Q), data


def target_of(process, data, names=("leak", "scale", "Q", "R"), **options):
    return objective(process, [data], names, readout_prior=1.0, noise_floor=1e-8, leak_groups=None, call="test",
                     **{"Q": "scaled", "R": "diagonal", **options})


@pytest.mark.parametrize("kind", [dict(), dict(feedback=True, missing=0.2), dict(activation="sigmoid", p=3, missing=0.3)])
def test_filter_and_moments_with_a_full_Q_equal_the_textbook(kind):
    process, data = problem(**kind)
    reservoir, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    expected, run = ekf(process.model, process.Q, process.R, p.m0, p.P0, data.y, data.inputs)
    assert abs(reservoir.log_likelihood(p) - expected) < 1e-9 * abs(expected)
    rows = smoothed_moments(reservoir, p).rows
    x, P, lag = rts(run)
    esn, n, total = process.model, 5, np.zeros((3, 5, 3, 5))
    for t in range(39):
        if esn.n_feedback and np.isnan(data.y[t]).any():
            continue
        xi = esn.W @ x[t] + esn.W_in @ data.inputs[t] + esn.bias + (esn.W_fb @ data.y[t] if esn.n_feedback else 0)
        s, D = esn.act.function(xi), esn.act.derivative(xi)
        A = np.diag(1 - esn.leaks) + (esn.leaks * D)[:, None] * esn.W
        turn = np.block([[np.eye(n), -A], [np.zeros((n, n)), -np.eye(n)], [np.zeros((n, n)), D[:, None] * esn.W]])
        mean = np.concatenate([x[t + 1] - (1 - esn.leaks) * x[t] - esn.leaks * s, s - x[t] - D * xi, D * (esn.W @ x[t])])
        J = np.block([[P[t + 1], lag[t]], [lag[t].T, P[t]]])
        total += (turn @ J @ turn.T + np.outer(mean, mean)).reshape(3, n, 3, n)
    assert np.allclose(rows[:, :3, :, :3].transpose(1, 0, 3, 2), total, rtol=1e-8, atol=1e-11)


def test_moments_between_rows_hold_those_row_by_row():
    process, data = problem(Q=1e-3 * np.arange(1, 6))
    reservoir, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    apart, between = (smoothed_moments(reservoir, p, between=b) for b in (False, True))
    assert np.allclose(np.einsum("nanb->nab", between.rows), apart.rows, rtol=1e-9)
    assert np.allclose(between.states, apart.states) and between.log_likelihood == apart.log_likelihood


@pytest.mark.parametrize("kind", ["iterated", "linear", "unscented", "lifted"])
def test_other_e_steps_give_the_same_moments_between_rows_on_a_linear_reservoir(kind):
    process, data = problem(activation="identity")
    target, p = target_of(process, data, Q="full")
    other = sysid.ReservoirEM(e_step=kind)._prepared(target, p, process, [data])
    assert np.allclose(other.moments(p).rows, target.moments(p).rows, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", FORMS)
def test_vectors_of_every_form_come_back_and_their_gradient_equals_differences(name):
    start = correlated(5) if name in ("scaled", "full") else 2e-3 * np.eye(5)
    process, data = problem(Q=start)
    target, p = target_of(process, data, ("Q", "R"), Q=FORMS[name])
    c, rng = target.coordinates, np.random.default_rng(1)
    assert np.allclose(c.unpack(c.pack(p)).Q, start)
    v = c.pack(p) + 0.3 * rng.standard_normal(len(c.labels()))
    assert np.allclose(c.pack(c.unpack(v)), v) and len(c.bounds()) == len(v) == len(set(c.labels()))
    _, g = target.value_and_gradient(v)
    numeric = [(target.value(c.unpack(v + e)) - target.value(c.unpack(v - e))) / 2e-5 for e in 1e-5 * np.eye(len(v))]
    assert np.allclose(g, numeric, atol=1e-5 * (1 + np.abs(g).max()))


def expected_log_likelihood(m, old, new):
    """E[log p(x | parameters)] of the dynamics, up to a constant, from the moments between rows."""
    before = np.concatenate([[1.0, old.scale], old.gains])
    after = np.concatenate([[1.0, new.scale], new.gains])
    b = np.column_stack([np.ones(len(old.leak)), np.outer(old.leak, before) - np.outer(new.leak, after)])
    V = np.einsum("na,namb,mb->nm", b, m.rows, b)
    return -0.5 * m.transitions * np.linalg.slogdet(new.Q)[1] - 0.5 * np.trace(np.linalg.solve(new.Q, V))


@pytest.mark.parametrize("name", FORMS)
def test_no_search_beats_the_m_step(name):
    """BFGS on the expected complete-data log-likelihood in all its coordinates, from the M-step's answer and from elsewhere."""
    process, data = problem(T=150, Q=correlated(5) if name in ("scaled", "full") else 2e-3 * np.eye(5))
    target, p = target_of(moved(process, leak=0.5, scale=0.8), data, ("leak", "scale", "input_scale", "Q"), Q=FORMS[name])
    c, m = target.coordinates, smoothed_moments(target.reservoir, p, between=True)
    new = maximize(m, p, c, target.prior)
    value = expected_log_likelihood(m, p, new)

    def negative(v):
        return -expected_log_likelihood(m, p, c.unpack(v))

    assert value > expected_log_likelihood(m, p, p)
    for start in (c.pack(new), c.pack(p)):
        assert minimize(negative, start, method="BFGS").fun > -value - 1e-6 * abs(value)


@pytest.mark.parametrize("name", FORMS)
def test_em_with_a_free_Q_is_monotone_without_damping_and_meets_the_direct_route(name):
    start = correlated(5) if name == "scaled" else 2e-3 * np.eye(5)
    process, data = problem(T=200, Q=start, activation="identity", p=5 if name == "full" else 3)    # what 3 outputs leave open is flat
    target, p = target_of(moved(process), data, Q=FORMS[name])
    values = []
    for _ in range(30):
        m = target.moments(p)
        values.append(m.log_likelihood)
        p = maximize(m, p, target.coordinates, target.prior)
    assert np.all(np.diff(values) >= -1e-9 * np.abs(values[1:]))
    options = dict(Q=FORMS[name], standard_errors=False, tolerance=1e-10, max_iterations=400)
    direct = sysid.fit(data, sysid.ReservoirLikelihood(**options), start=moved(process))
    em = sysid.fit(data, sysid.ReservoirEM(**options), start=moved(process))
    assert np.all(np.diff(em.history["objective"]) >= 0) and values[-1] <= em.log_likelihood + 1e-6
    assert abs(em.log_likelihood - direct.log_likelihood) < 1e-3


def test_a_full_Q_is_recovered_where_every_state_is_measured():
    Q = np.array([[2.0, 1.2, 0.0], [1.2, 1.5, -0.5], [0.0, -0.5, 1.0]]) * 1e-2
    process, data = simulated(n=3, p=3, T=2000, seed=5)
    truth = sysid.Process(process.model.with_readout(np.eye(3)), Q=Q, R=1e-4, initial=process.initial)
    data = sysid.Data(sysid.simulate(truth, data.u, rng=np.random.default_rng(2)).y, data.u)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "Q"), Q="full"), start=moved(replace(truth, Q=3e-3), leak=0.8, scale=0.8))
    assert np.allclose(fit.process.Q, Q, atol=0.1 * Q.max())
    assert abs(fit.estimates["leak"] - 0.6) < 3 * fit.standard_errors["leak"]
    assert fit.information.determined > 5.9 and any("6 free entries" in note and "not identified" not in note for note in fit.notes)


def test_noise_along_a_direction_is_found_and_wins_against_one_variance():
    process, data = simulated(n=6, p=3, T=800, seed=6)
    along = np.random.default_rng(1).standard_normal((6, 1))
    truth = replace(process, Q=1e-4 * np.eye(6) + 2e-2 * along @ along.T, R=1e-3 * np.eye(3))
    data = sysid.Data(sysid.simulate(truth, data.u, rng=np.random.default_rng(3)).y, data.u)
    fits = {name: sysid.fit(data, sysid.ReservoirEM(("Q", "R"), Q=Q), start=replace(process, Q=1e-3))
            for name, Q in (("along", along), ("scaled", "scaled"))}
    assert fits["along"].log_likelihood > fits["scaled"].log_likelihood + 20
    strongest = np.linalg.eigh(fits["along"].process.Q)[1][:, -1]
    assert abs(strongest @ along[:, 0]) / np.linalg.norm(along) > 0.999
    for name, value in (("Q[0]", 1e-4 + 2e-2 * np.sum(along**2)), ("Q[1]", 1e-4)):
        assert abs(fits["along"].estimates[name] - value) < 4 * fits["along"].standard_errors[name]


def test_a_full_Q_that_one_output_cannot_tell_is_said():
    process, data = simulated(n=6, p=1, T=300, seed=7)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "Q", "R"), Q="full", max_iterations=40), start=process)
    assert any("21 free entries" in note and "not identified" in note for note in fit.notes)
    assert fit.information.determined < 10 and fit.information.loose == 21
    assert np.isfinite(fit.standard_errors["leak"]) and "Q" not in fit.standard_errors


def test_wrong_forms_of_Q_are_refused():
    process, data = problem()
    for Q, words in (("fuller", "fuller"), (np.array([0, 1]), "whole numbers"), (("full", np.array([0, 0, 2, 2, 2])), "without gaps"),
                     (np.ones((5, 2)), "of rank 1"), (GROUPS, "different groups"), (np.ones((5, 1)), "one variance across")):
        with pytest.raises(ValueError, match=words):
            sysid.fit(data, sysid.ReservoirEM(Q=Q), start=process)
    with pytest.raises(ValueError, match="diagonal Q"):
        sysid.fit(data, sysid.OnlineReadout(), start=process)


def test_floors_hold_for_eigenvalues():
    form = NoiseForm.of(np.eye(4), "full", 1e-3, "test")
    Q = form.maximize(np.diag([1.0, 1e-9, 2.0, 0.0]))
    assert np.isclose(np.linalg.eigvalsh(Q)[0], 1e-3) and form.on_floor(Q) and not form.on_floor(np.eye(4))


def test_scheduled_covariances_are_those_of_the_general_filter():
    process, data = simulated(n=5, p=2, T=80, seed=8, missing=0.1)
    rng = np.random.default_rng(0)
    schedule = NoiseSchedule(np.exp(rng.standard_normal(80)), np.exp(rng.standard_normal(80)))
    target, p = target_of(process, data, schedule=schedule)
    assert np.isclose(target.reservoir.log_likelihood(p), sysid.filter(schedule.apply(process), data).log_likelihood, rtol=1e-9)
    v = target.coordinates.pack(p)
    _, g = target.value_and_gradient(v)
    numeric = [(target.value(target.coordinates.unpack(v + e)) - target.value(target.coordinates.unpack(v - e))) / 2e-5 for e in 1e-5 * np.eye(len(v))]
    assert np.allclose(g, numeric, atol=1e-5 * (1 + np.abs(g).max()))


@pytest.mark.parametrize("options", [dict(), dict(Q="full"), dict(feedback=True, missing=0.1)])
def test_em_on_a_schedule_is_monotone_and_meets_the_direct_route(options):
    kind = {k: v for k, v in options.items() if k != "Q"}
    process, data = simulated(n=4, p=3, T=150, seed=9, activation="identity", **kind)
    schedule = NoiseSchedule(np.repeat([1.0, 30.0, 2.0], 50), np.repeat([1.0, 2.0, 20.0], 50))
    names = ("leak", "scale", "Q", "R", "readout")
    target, p = target_of(moved(process), data, names, Q=options.get("Q", "scaled"), schedule=schedule)
    values = []
    for _ in range(20):
        m = target.moments(p)
        values.append(m.log_likelihood + target.log_prior(p))
        p = maximize(m, p, target.coordinates, target.prior)
    if not kind:      # steps that feed unmeasured outputs back are left to the gradient
        assert np.all(np.diff(values) >= -1e-9 * np.abs(values[1:]))
    method = dict(estimate=("leak", "scale", "Q", "R"), schedule=schedule, standard_errors=False, tolerance=1e-11, Q=options.get("Q", "scaled"))
    ends = [sysid.fit(data, kind(**method), start=moved(process)).log_likelihood for kind in (sysid.ReservoirEM, sysid.ReservoirLikelihood)]
    assert abs(ends[0] - ends[1]) < 1e-3


@pytest.mark.parametrize("kind", ["iterated", "linear", "unscented"])
def test_other_e_steps_take_the_schedule(kind):
    process, data = problem(activation="identity", Q=1e-3)
    target, p = target_of(process, data, schedule=NoiseSchedule(np.linspace(1, 5, 40), np.linspace(3, 1, 40)))
    other = sysid.ReservoirEM(e_step=kind)._prepared(target, p, process, [data])
    a, b = other.moments(p), target.moments(p)
    assert np.allclose(a.rows, b.rows, rtol=1e-6, atol=1e-10) and np.allclose(a.states, b.states, rtol=1e-6)


def test_forgetting_counts_every_innovation_by_its_age():
    process, data = simulated(n=4, p=1, T=60, seed=10)
    schedule = NoiseSchedule.forgetting(60, 0.95)
    assert np.isclose(schedule.q[-1], 1.0) and np.isclose(schedule.r[0], 0.95**-59)
    p0 = replace(process, initial=sysid.Gaussian(process.initial.mean, process.initial.cov * schedule.r[0]))
    seen, plain = sysid.filter(schedule.apply(p0), data), None
    P0 = replace(process, initial=process.initial)
    plain = sysid.filter(P0, data)
    # R, Q and P of one factor leave the gain alone where the factor stands still; here it shrinks by 5 % a step
    assert np.corrcoef(seen.y_mean[:, 0], plain.y_mean[:, 0])[0, 1] > 0.99
    fit = sysid.fit(data, sysid.ReservoirEM(("R",), schedule=0.95, standard_errors=False), start=process)
    same = sysid.fit(data, sysid.ReservoirEM(("R",), schedule=schedule, standard_errors=False), start=process)
    assert fit.log_likelihood == same.log_likelihood


def test_forgetting_follows_the_second_half_of_a_record_that_changed():
    leaks = []
    parts = [simulated(n=6, p=2, T=600, seed=11, leak=leak) for leak in (0.9, 0.4)]
    data = sysid.Data(np.vstack([d.y for _, d in parts]), np.vstack([d.inputs for _, d in parts]))
    start = parts[0][0]
    for schedule in (None, 0.985):
        leaks.append(sysid.fit(data, sysid.ReservoirEM(("leak", "R"), schedule=schedule, standard_errors=False), start=start).estimates["leak"])
    assert abs(leaks[1] - 0.4) < 0.05 < abs(leaks[0] - 0.4)


def test_matching_raises_Q_where_the_model_errs_and_lowers_the_error_there():
    process, data = simulated(n=6, p=2, T=300, seed=12, q=1e-6, r=1e-3)
    y = data.y.copy()
    slow = np.cumsum(np.random.default_rng(0).standard_normal((150, 1)), 0) * 0.05
    y[150:] += slow                                          # an offset that wanders
    data = sysid.Data(y, data.u)
    schedule = NoiseSchedule.matching(process, data)
    assert np.median(schedule.q[:150]) < 3 < 50 < np.median(schedule.q[200:]) and np.all(schedule.r == 1)
    error = lambda p: np.sqrt(np.mean((data.y - sysid.filter(p, data).y_mean)[200:] ** 2))  # noqa: E731
    assert error(schedule.apply(process)) < 0.7 * error(process)
    later = sysid.Data(np.vstack([y[:200], 9.0 + y[200:]]), data.u)
    assert np.array_equal(NoiseSchedule.matching(process, later).q[:200], schedule.q[:200])      # causal
    assert "median" in repr(schedule)


def test_matching_keeps_its_factor_through_a_gap():
    process = sysid.Process(sysid.LTI([[0.9]], None, [[1.0]]), Q=0.1, R=1.0)
    y = 3 * np.random.default_rng(0).standard_normal(60)
    y[40:43] = np.nan
    q = NoiseSchedule.matching(process, sysid.Data(y)).q
    assert q[39] > 2 and np.all(q[40:43] == q[39]) and q[43] != q[39]


def test_wrong_schedules_are_refused():
    process, data = simulated(n=4, p=1, T=50, seed=13)
    fit = lambda schedule, **k: sysid.fit(data, sysid.ReservoirEM(schedule=schedule, **k), start=process)  # noqa: E731
    with pytest.raises(ValueError, match="positive factors q"):
        NoiseSchedule(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="one length"):
        NoiseSchedule(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="as long as its sequence"):
        fit(NoiseSchedule.forgetting(40, 0.9))
    with pytest.raises(TypeError, match="forgetting factor"):
        fit("slow")
    with pytest.raises(ValueError, match=r"factor in \(0, 1\]"):
        fit(1.5)
    with pytest.raises(ValueError, match="either covariance_rank or schedule"):
        fit(0.9, covariance_rank=2)
    with pytest.raises(TypeError, match="one sequence"):
        NoiseSchedule.matching(process, None)
    with pytest.raises(TypeError, match="constant Q and R"):
        NoiseSchedule.forgetting(50, 0.9).apply(NoiseSchedule.forgetting(50, 0.9).apply(process))
