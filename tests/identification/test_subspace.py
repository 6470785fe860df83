"""Subspace identification: exact on exact data, unbiased where theory says so, honest where it cannot be."""

import tracemalloc

import numpy as np
import pytest

import sysid
from sysid.identification.joint_regression import joint_regression, prediction_errors
from sysid.identification.windows import Windows
from tests.data import load
from tests.identification.systems import pole_distance, record, third_order


@pytest.mark.parametrize("weighting", ["auto", "n4sid", "moesp", "cva", "ivm", "ssarx"])
def test_noiseless_data_give_the_markov_parameters_to_rounding(weighting):
    rng = np.random.default_rng(1)
    model = third_order(dt=0.5)
    data = record(model, 400, rng, dt=0.5)
    feedthrough = weighting != "ssarx"
    if not feedthrough:
        model = sysid.LTI(model.A, model.B, model.C, dt=0.5)
        data = record(model, 400, rng, dt=0.5)
    fit = sysid.fit(data, sysid.Subspace(3, weighting, horizon=8, feedthrough=feedthrough))
    assert np.abs(fit.model.markov_parameters(20) - model.markov_parameters(20)).max() < 1e-8
    assert fit.model.dt == 0.5 and fit.converged


def test_units_and_offsets_change_nothing_but_units():
    rng = np.random.default_rng(2)
    data = record(third_order(), 600, rng, noise=0.1)
    moved = sysid.Data(1e6 * data.y + [5e6, -3e6], 1e-4 * data.u + 7.0)
    a = sysid.fit(data, sysid.Subspace(3)).model
    b = sysid.fit(moved, sysid.Subspace(3)).model
    assert np.allclose(1e6 * a.markov_parameters(10) / 1e-4, b.markov_parameters(10), rtol=1e-6, atol=1e3)
    y = sysid.simulate(b, moved.u, n_steps=None).y
    assert np.sqrt(np.mean((y - moved.y)[60:] ** 2)) < 0.12e6


def test_order_is_found():
    rng = np.random.default_rng(3)
    fit = sysid.fit(record(third_order(), 2000, rng, noise=0.3, process_noise=0.1), sysid.Subspace())
    assert fit.model.n_states == 3
    assert np.argmin(fit.order_criterion) == 3


def test_experiments_of_any_length_and_gaps_are_pooled():
    rng = np.random.default_rng(4)
    model = third_order()
    pieces = [record(model, T, rng, noise=0.05) for T in (30, 150, 400)]
    y = pieces[2].y.copy()
    y[100:104, 0] = np.nan
    y[200, :] = np.nan
    fit = sysid.fit([*pieces[:2], sysid.Data(y, pieces[2].u)], sysid.Subspace(3, horizon=5))
    assert pole_distance(fit.model, model.poles()) < 0.02
    assert fit.initial_states.shape == (3, 3)


def test_a_series_without_inputs_gives_the_poles_of_its_process():
    rng = np.random.default_rng(5)
    model = sysid.LTI([[0.9, 0.3], [-0.3, 0.9]], None, [[1.0, 0.0]])
    fit = sysid.fit(record(model, 20_000, rng, noise=0.5, process_noise=0.5), sysid.Subspace(2))
    assert pole_distance(fit.model, model.poles()) < 0.01
    white = fit.innovation_cov[0, 0]
    assert white > 0.25  # the innovations are never smaller than the measurement noise


def test_closed_loop_data_bias_moesp_and_not_ssarx():
    rng = np.random.default_rng(6)
    T, x = 20_000, 0.0
    y, u = np.empty(T), np.empty(T)
    for t in range(T):
        y[t] = x + 0.5 * rng.standard_normal()
        u[t] = -0.6 * y[t] + 0.3 * rng.standard_normal()
        x = 0.9 * x + u[t] + 0.5 * rng.standard_normal()
    data = sysid.Data(y, u)
    pole = {w: sysid.fit(data, sysid.Subspace(1, w, feedthrough=False, horizon=15)).model.poles()[0].real
            for w in ("ssarx", "moesp")}  # fmt: skip
    assert abs(pole["ssarx"] - 0.9) < 0.02
    assert abs(pole["moesp"] - 0.9) > 0.05


def test_the_constrained_estimate_is_stable_and_says_so():
    rng = np.random.default_rng(7)
    t = np.arange(60)
    data = sysid.Data(1.02**t + 0.01 * rng.standard_normal(60), rng.standard_normal(60))
    free = sysid.fit(data, sysid.Subspace(1, "moesp", horizon=6))
    held = sysid.fit(data, sysid.Subspace(1, "moesp", horizon=6, stable=True))
    assert not free.model.is_stable() and any("unstable" in n for n in free.notes)
    assert held.model.is_stable() and any("constrained" in n for n in held.notes)


def test_the_process_filters_data_as_its_gain_says():
    rng = np.random.default_rng(8)
    fit = sysid.fit(record(third_order(), 3000, rng, noise=0.3, process_noise=0.3), sysid.Subspace(3))
    joint = np.block([[fit.process.Q, fit.process.S], [fit.process.S.T, fit.process.R]])
    assert np.linalg.eigvalsh(joint).min() > -1e-12
    assert np.abs(np.linalg.eigvals(fit.model.A - fit.gain @ fit.model.C)).max() < 1


def test_memory_does_not_grow_with_the_record():
    rng = np.random.default_rng(9)
    peaks = []
    for T in (20_000, 80_000):
        y, u = rng.standard_normal((T, 2)), rng.standard_normal((T, 2))
        A = 0.5 * np.eye(2)
        tracemalloc.start()
        Windows.compress([(y, u)], 20)
        joint_regression(A, np.eye(2), [(y, u)])
        peaks.append(tracemalloc.get_traced_memory()[1] - 3 * y.nbytes)  # states and errors of the last run stay
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_windows_of_one_sample_are_windows():
    rng = np.random.default_rng(19)
    y, u = rng.standard_normal((50, 1)), rng.standard_normal((50, 2))
    factor = Windows.compress([(y, u)], 1)
    rows = np.hstack([u, y]) - np.hstack([u, y]).mean(0)
    assert np.allclose(factor.R.T @ factor.R, rows.T @ rows) and factor.count == 50
    assert sysid.excitation(sysid.Data(y, u), max_order=1).order == 1


def test_compressed_windows_keep_the_centred_gram_matrix():
    rng = np.random.default_rng(10)
    y, u = rng.standard_normal((9000, 1)), rng.standard_normal((9000, 1))
    factor = Windows.compress([(y, u)], 4)
    rows = np.hstack([np.column_stack([s[i : i + 8997, 0] for i in range(4)]) for s in (u, y)])
    rows = rows - rows.mean(0)
    assert np.allclose(factor.R.T @ factor.R, rows.T @ rows) and factor.count == 8997


def _both_routes(records, length, monkeypatch):
    from sysid.identification import windows
    fast = Windows.compress(records, length)
    with monkeypatch.context() as patch:
        patch.setattr(windows, "cholesky_factor", lambda *_: None)
        slow = Windows.compress(records, length)
    return fast, slow


def test_cholesky_and_householder_give_the_same_factor(monkeypatch):
    """Several experiments, runs between gaps, a record shorter than a window, more rows than a block holds."""
    rng = np.random.default_rng(16)
    model = third_order()
    records = [(d.y.copy(), d.u) for d in (record(model, T, rng, noise=0.3) for T in (9000, 12, 60, 400))]
    records[0][0][rng.choice(9000, 200, replace=False), 0] = np.nan
    records[3][0][[0, 1, 57, 399]] = np.nan
    fast, slow = _both_routes([(y + 5.0, u - 2.0) for y, u in records], 15, monkeypatch)
    assert (fast.factorisation, slow.factorisation) == ("cholesky", "householder") and fast.count == slow.count > 1000
    signs = np.sign(np.diag(slow.R))[:, None]
    assert np.abs(fast.R - signs * slow.R).max() < 1e-9 * np.abs(slow.R).max()


@pytest.mark.parametrize("weighting", ["n4sid", "moesp", "cva", "ivm", "ssarx"])
def test_estimates_do_not_depend_on_the_factorisation(weighting, monkeypatch):
    from sysid.identification import triangular, windows
    rng = np.random.default_rng(17)
    data = record(third_order(), 2000, rng, noise=0.2, process_noise=0.1)
    method = sysid.Subspace(3, weighting, horizon=10)
    fast = sysid.fit(data, method)
    monkeypatch.setattr(windows, "cholesky_factor", lambda *_: None)
    monkeypatch.setattr(triangular, "cholesky_factor", lambda *_: None)
    slow = sysid.fit(data, method)
    assert (fast.factorisation, slow.factorisation) == ("cholesky", "householder")
    assert "cholesky" in repr(fast) and "householder" in repr(slow)
    assert np.abs(fast.model.markov_parameters(20) - slow.model.markov_parameters(20)).max() < 1e-8
    noise = [np.stack([f.model.C @ np.linalg.matrix_power(f.model.A, k) @ f.gain for k in range(5)]) for f in (fast, slow)]
    assert np.abs(noise[0] - noise[1]).max() < 1e-8


def test_records_that_would_lose_digits_are_compressed_by_householder():
    """Hardly any noise; and what the condition alone does not show: a transient that dwarfs the rest, a far offset."""
    rng = np.random.default_rng(18)
    u = rng.standard_normal((1000, 1))
    noisy = rng.standard_normal((1000, 1))
    exact = sysid.simulate(sysid.LTI([[0.8]], [[1.0]], [[1.0]]), u).y
    transient = noisy + 1e9 * 0.1 ** np.arange(1000.0)[:, None]
    assert Windows.compress([(noisy, u)], 10).factorisation == "cholesky"
    for y in (exact, exact + 1e-6 * noisy, transient, noisy + 1e6):
        found = Windows.compress([(y, u)], 10)
        rows = np.hstack([np.column_stack([s[i : i + 991, 0] for i in range(10)]) for s in (u, y)])
        rows = rows - rows.mean(0)
        assert found.factorisation == "householder"
        assert np.allclose(found.R.T @ found.R, rows.T @ rows, rtol=1e-6, atol=1e-9 * np.abs(rows.T @ rows).max())


@pytest.mark.parametrize("method, says", [
    (sysid.Subspace(6, horizon=3), "at least 4 block rows for n_states = 6"),
    (sysid.Subspace(3, horizon=40), "samples.*Lower horizon"),
])  # fmt: skip
def test_impossible_horizons_are_refused_with_the_number_needed(method, says):
    data = record(third_order(), 200, np.random.default_rng(0), noise=0.1)
    with pytest.raises(ValueError, match=says):
        sysid.fit(data, method)


def test_inputs_that_do_not_excite_are_refused_or_reported():
    rng = np.random.default_rng(11)
    y, u = rng.standard_normal(300), rng.standard_normal(300)
    with pytest.raises(ValueError, match="linearly dependent set: u1, u2"):
        sysid.fit(sysid.Data(y, np.column_stack([u, 2 * u + 1])), sysid.Subspace(2))
    with pytest.raises(ValueError, match=r"u2 \(constant\)"):
        sysid.fit(sysid.Data(y, np.column_stack([u, np.ones(300)])), sysid.Subspace(2))
    sinusoid = np.sin(0.3 * np.arange(300))
    with pytest.warns(UserWarning, match="excite only 2 lags"):
        sysid.fit(sysid.Data(y, sinusoid), sysid.Subspace(4, horizon=6))
    assert sysid.excitation(sysid.Data(y, sinusoid)).order == 2
    assert sysid.excitation(sysid.Data(y, u)).order >= 40


def test_constant_outputs_and_a_start_are_refused():
    u = np.random.default_rng(0).standard_normal(100)
    with pytest.raises(ValueError, match="constant at 3"):
        sysid.fit(sysid.Data(np.full(100, 3.0), u), sysid.Subspace(1))
    with pytest.raises(ValueError, match="expected no start"):
        sysid.fit(sysid.Data(u, u), sysid.Subspace(1), start=third_order())
    with pytest.raises(ValueError, match="weighting"):
        sysid.Subspace(weighting="best")


def test_the_robot_arm_is_modelled_with_every_default():
    data = load("daisy_robot_arm")
    u, y = data["train"][0]
    fit = sysid.fit(sysid.Data(y, u), sysid.Subspace(n_states=4))
    errors = y - sysid.simulate(fit.model, u, fit.initial_states[0]).y
    assert 1 - np.linalg.norm(errors) / np.linalg.norm(y - y.mean()) > 0.96
    assert fit.plot().shape == (2,) and "moesp" in repr(fit) + "moesp"


def test_a_known_integrator_is_kept_at_one_and_simulated_without_drift():
    rng = np.random.default_rng(12)
    plant = sysid.LTI([[0.8, 0.0], [1.0, 1.0]], [[1.0], [0.0]], [[0.0, 1.0]], c=[0.05, 0.0])
    u = rng.standard_normal((2000, 1))
    y = sysid.simulate(plant, u, [0.0, 40.0]).y + 0.02 * rng.standard_normal((2000, 1))
    fit = sysid.fit(sysid.Data(y, u), sysid.Subspace(2, integrators=1))
    assert np.isclose(fit.model.poles().real.max(), 1.0, atol=1e-12) and pole_distance(fit.model, [0.8, 1.0]) < 0.02
    e = y - sysid.simulate(fit.model, u, fit.initial_states[0]).y
    assert np.sqrt((e**2).mean()) < 0.3 and y.std() > 30
    with pytest.raises(ValueError, match="the integrators among them"):
        sysid.fit(sysid.Data(y, u), sysid.Subspace(1, integrators=1))


def test_scattered_gaps_are_bridged_for_a_start_and_said():
    rng = np.random.default_rng(13)
    model = sysid.LTI([[0.9, 0.2], [-0.2, 0.9]], [[1.0], [0.5]], [[1.0, 0.0]])
    data = record(model, 800, rng, noise=0.05)
    y = data.y.copy()
    y[rng.random(800) < 0.15] = np.nan
    gappy = sysid.Data(y, data.u)
    fit = sysid.fit(gappy, sysid.Subspace(2))
    assert any("bridged" in note for note in fit.notes)
    refined = sysid.fit(gappy, sysid.PredictionError(focus="simulation"), start=fit)
    assert pole_distance(refined.model, model.poles()) < 0.01


def test_the_gain_stands_at_the_minimum_of_the_one_step_error():
    data = record(third_order(), 800, np.random.default_rng(13), noise=0.3, process_noise=0.4)
    fit = sysid.fit(data, sysid.Subspace(3))
    best = sysid.fit(data, sysid.PredictionError(free={"K": True}, estimate_initial_states=False), start=fit)
    ratio = np.linalg.det(fit.innovation_cov) / np.linalg.det(best.innovation_cov)
    assert 0.99 < ratio < 1.005


def test_a_run_of_an_integrated_plant_starts_where_the_filter_is():
    # A disturbance at the start adds up; left free, the initial state would absorb it and no other run could be started alike.
    rng = np.random.default_rng(14)
    plant = sysid.LTI([[0.9, 0.0], [1.0, 1.0]], [[0.1], [0.0]], [[0.0, 1.0]])
    runs = []
    for _ in range(2):
        u = np.repeat(rng.standard_normal((60, 1)), 20, axis=0)
        noisy = sysid.Process(plant, np.diag([1e-4, 0.0]), 1e-8, initial=sysid.Gaussian([0.3, 5.0], 0.01))
        runs.append(sysid.Data(sysid.simulate(noisy, u, rng=rng).y, u))
    fit = sysid.fit(runs[0], sysid.Subspace(2, integrators=1))
    val = sysid.validate(fit, runs[1])
    assert val.simulation_is_meaningful and val.fit_simulation[0] > 90 and val.fit_prediction[0] > 99.5
    assert np.abs(fit.initial_states[0] @ fit.model.C[0] + fit.model.d - runs[0].y[0]) < 0.05
    assert (fit.model.C @ fit.process.Q @ fit.model.C.T)[0, 0] > 1e3 * fit.process.R[0, 0]


def test_a_mode_that_outlasts_the_record_is_said():
    rng = np.random.default_rng(15)
    plant = sysid.LTI([[0.9995]], [[1.0]], [[1.0]])
    slow = sysid.fit(record(plant, 150, rng, noise=0.5), sysid.Subspace(1))
    assert any("outlasts the longest record (150 samples)" in note for note in slow.notes)
    quick = sysid.fit(record(third_order(), 400, rng, noise=0.1), sysid.Subspace(3))
    assert not any("outlasts" in note for note in quick.notes)
    ringing = sysid.LTI(0.9995 * np.array([[np.cos(0.5), np.sin(0.5)], [-np.sin(0.5), np.cos(0.5)]]), [[1.0], [0.0]], [[1.0, 0.0]])
    bell = sysid.fit(record(ringing, 300, rng, noise=0.1), sysid.Subspace(2))  # long-lived, but with twenty cycles in the record
    assert not any("outlasts" in note for note in bell.notes)


def test_no_small_change_of_the_gain_lowers_the_one_step_error():
    rng = np.random.default_rng(8)
    data = record(third_order(), 800, rng, noise=0.3, process_noise=0.3)
    fit = sysid.fit(data, sysid.Subspace(3))

    m = fit.model
    rest = np.linalg.solve(np.eye(3) - m.A, m.c)  # the offset c as a shift of the state

    def error(K):
        e = prediction_errors(m.A, m.B, m.C, m.D, m.d + m.C @ rest, K, fit.initial_states - rest, [(data.y, data.u)])
        return np.log((e[0] ** 2).mean(0)).sum()

    best = error(fit.gain)
    for _ in range(20):
        assert error(fit.gain + 0.02 * np.abs(fit.gain).max() * rng.standard_normal(fit.gain.shape)) > best


def test_focus_is_chosen_by_what_was_left_out():
    """Strongly coloured noise calls for one-step errors; under a given horizon nothing is chosen."""
    rng = np.random.default_rng(4)
    u = rng.standard_normal((1500, 1))
    noise = np.zeros((1500, 1))
    for t in range(1, 1500):
        noise[t] = 0.97 * noise[t - 1] + rng.standard_normal()
    plant = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    coloured = sysid.Data(sysid.simulate(plant, u).y + 0.5 * noise, u)
    assert sysid.fit(coloured, sysid.Subspace(2)).focus == "prediction"
    assert sysid.fit(coloured, sysid.Subspace(2, horizon=5)).focus == "simulation"
    assert sysid.fit(coloured, sysid.Subspace(2)).summary()["focus"] == "prediction"


def test_short_experiments_are_pooled_at_a_horizon_they_can_carry():
    rng = np.random.default_rng(3)
    model = third_order()
    parts = [record(model, 40, rng, noise=0.05) for _ in range(12)]
    fit = sysid.fit(parts, sysid.Subspace(3))
    assert fit.past <= 13 and (sysid.validate(fit, record(model, 300, rng, noise=0.05)).fit_simulation > 85).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_predictor_forgets_within_the_record_though_the_noise_has_a_zero_on_the_circle(seed):
    rng = np.random.default_rng(seed)
    u, e = rng.standard_normal((200, 1)), 0.3 * rng.standard_normal((201, 1))
    data = sysid.Data(sysid.simulate(sysid.LTI([[0.7]], [[1.0]], [[1.0]]), u).y + np.diff(e, axis=0), u)
    fit = sysid.fit(data, sysid.Subspace(n_states=1))
    assert abs(fit.model.A[0, 0] - 0.7) < 0.05
    assert 0.9 < np.abs(np.linalg.eigvals(fit.model.A - fit.gain @ fit.model.C)).max() < 0.99  # 1 - 1e-4 lowers the error a little more


def test_the_order_minimises_the_criterion_with_every_order_at_its_best_horizon():
    rng = np.random.default_rng(4)
    plant = sysid.LTI([[0.9, 0.2, 0.0], [-0.2, 0.9, 0.0], [0.0, 0.0, 0.5]], [[1.0], [0.3], [0.8]], [[1.0, 0.0, 1.0]])
    u = rng.standard_normal((250, 1))
    data = sysid.Data(sysid.simulate(plant, u).y + 0.5 * rng.standard_normal((250, 1)), u)
    chosen = sysid.fit(data, sysid.Subspace(focus="simulation")).model.n_states
    losses = [sysid.fit(data, sysid.Subspace(n_states=n, focus="simulation")).history["loss"][0] for n in range(1, 5)]
    assert chosen == 1 + np.argmin(250 * np.log(losses) + 3 * np.arange(1, 5) * np.log(250))
