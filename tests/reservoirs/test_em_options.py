"""Options of reservoir EM: time constants, grouped noise, full R, other E-steps, readout posterior, settings by evidence."""

from dataclasses import replace

import numpy as np
import pytest

import sysid
from sysid.reservoirs.e_steps import SmoothedReservoir
from sysid.reservoirs.forced import ForcedReservoir, Parameters
from sysid.reservoirs.lifted_step import lifted_problem
from sysid.reservoirs.likelihood import objective
from sysid.reservoirs.m_step import smoothed_moments
from sysid.reservoirs.scan import coarse_start
from tests.reservoirs.problems import moved, simulated


def test_tau_is_the_leak_in_other_coordinates():
    process, data = simulated(n=6, p=2, T=300, seed=1)
    data, start = replace(data, dt=0.5), moved(replace(process, model=replace(process.model, dt=0.5)), leak=0.7, scale=0.8)
    leak = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "R")), start=start)
    tau = sysid.fit(data, sysid.ReservoirEM(("tau", "scale", "R")), start=start)
    assert abs(tau.log_likelihood - leak.log_likelihood) < 1e-5
    assert np.isclose(tau.estimates["tau"], leak.tau, rtol=1e-3)
    slope = 0.5 / ((1 - leak.model.leak) * np.log1p(-leak.model.leak) ** 2)     # d tau / d leak
    assert np.isclose(tau.standard_errors["tau"], slope * leak.standard_errors["leak"], rtol=0.05)
    with pytest.raises(ValueError, match="tau in place of leak"):
        sysid.fit(data, sysid.ReservoirEM(("tau", "leak")), start=start)


@pytest.mark.parametrize("options", [dict(Q=np.repeat([0, 1], 3)), dict(R="full"), dict(Q="diagonal")])
def test_gradient_in_structured_noises_equals_differences(options):
    process, data = simulated(n=6, p=2, T=60, seed=2)
    process = replace(process, R=np.array([[0.02, 0.005], [0.005, 0.01]]))
    target, p = objective(process, [data], ("tau", "scale", "Q", "R"), readout_prior=1.0, noise_floor=1e-8, leak_groups=None,
                          call="test", **{"Q": "scaled", "R": "diagonal", **options})
    v = target.coordinates.pack(p)
    assert np.allclose(target.coordinates.pack(target.coordinates.unpack(v)), v)
    _, g = target.value_and_gradient(v)
    for i, e in enumerate(np.eye(len(v)) * 1e-5):
        up, down = (target.value(target.coordinates.unpack(v + s * e)) for s in (1, -1))
        assert abs(g[i] - (up - down) / 2e-5) < 1e-5 * (1 + np.abs(g).max())


def test_grouped_process_noise_and_full_measurement_noise_are_recovered():
    process, data = simulated(n=6, p=4, T=1500, seed=3, activation="identity")
    rng = np.random.default_rng(3)
    q, R = np.repeat([1e-3, 1e-2], 3), np.diag([0.01, 0.02, 0.01, 0.02]) + 0.005
    truth = replace(process, Q=q, R=R)
    data = sysid.Data(sysid.simulate(truth, data.u, rng=rng).y, data.u)
    start = replace(process, Q=4e-3, R=0.03 * np.eye(4))
    fit = sysid.fit(data, sysid.ReservoirEM(("Q", "R"), Q=np.repeat([0, 1], 3), R="full"), start=start)
    assert np.allclose(fit.process.R, R, atol=0.2 * np.abs(R).max())
    for name, value in (("Q[0]", 1e-3), ("Q[1]", 1e-2)):
        assert abs(fit.estimates[name] - value) < 4 * fit.standard_errors[name]
    assert np.all(np.diff(fit.history["objective"]) >= 0)


def test_full_noise_refuses_outputs_measured_in_part():
    process, data = simulated(n=6, p=2, T=60, seed=2, missing=0.2)
    with pytest.raises(ValueError, match="measured together"):
        sysid.fit(data, sysid.ReservoirEM(("R",), R="full"), start=process)
    with pytest.raises(ValueError, match="one factor a group"):
        sysid.fit(data, sysid.ReservoirEM(("Q",), Q=np.array([0, 2])), start=process)


@pytest.mark.parametrize("kind", ["iterated", "unscented", "linear", "lifted"])
def test_other_e_steps_agree_with_the_extended_one_on_a_linear_reservoir(kind):
    process, data = simulated(n=5, p=2, T=40, seed=4, activation="identity", missing=0.1)
    extended, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    other = SmoothedReservoir.of_kind(extended, process, [data], kind)
    assert abs(other.log_likelihood(p) - extended.log_likelihood(p)) < 1e-6
    a, b = smoothed_moments(extended, p), smoothed_moments(other, p)
    assert np.allclose(a.rows, b.rows, rtol=1e-6, atol=1e-9) and np.allclose(a.states, b.states, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["iterated", "unscented", "linear", "lifted"])
def test_other_e_steps_climb_on_a_nonlinear_reservoir(kind):
    process, data = simulated(n=5, p=2, T=120, seed=5, q=1e-2)
    fit = sysid.fit(data, sysid.ReservoirEM(e_step=kind, max_iterations=6), start=moved(process, leak=0.7, scale=0.8, noise=2.0))
    assert len(fit.history["objective"]) > 2 and np.all(np.diff(fit.history["objective"]) >= 0)
    assert abs(fit.model.leak - 0.6) < 0.15


def test_a_lift_follows_strong_slopes_where_the_mean_state_does_not_and_says_what_it_leaves_out():
    process, data = simulated(n=5, p=2, T=300, seed=1, q=5e-2, n_inputs=0, radius=1.5, bias_scale=0.5, leak=0.9)
    extended, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    value = {kind: SmoothedReservoir.of_kind(extended, process, [data], kind).log_likelihood(p) for kind in ("linear", "lifted", "unscented")}
    assert value["lifted"] > value["linear"] + 50 and value["lifted"] < value["unscented"] + 5
    shares = [lifted_problem(extended, p, extended.sequences[0], degree, 1.0)[2] for degree in (1, 3)]
    assert 0 < shares[1] < 0.6 * shares[0]
    fit = sysid.fit(data, sysid.ReservoirEM(e_step="lifted", max_iterations=3, standard_errors=False), start=process)
    assert np.all(np.diff(fit.history["objective"]) >= 0)
    assert any("log-likelihood of" in note and "lift of degree 3 adds" in note for note in fit.notes)
    with pytest.raises(ValueError, match="'lifted' with a schedule"):
        sysid.fit(data, sysid.ReservoirEM(e_step="lifted", schedule=0.9), start=process)
    fed, gaps = simulated(n=5, p=2, T=60, seed=2, feedback=True, missing=0.1)
    with pytest.raises(ValueError, match="measured outputs throughout"):
        sysid.fit(gaps, sysid.ReservoirEM(e_step="linear"), start=fed)


def test_bands_with_an_uncertain_readout_cover_and_are_those_of_bayesian_regression_on_known_states():
    process, data = simulated(n=20, p=1, T=120, seed=6, q=1e-12, r=0.05)
    esn = process.model
    start = sysid.Process(esn, Q=np.zeros(20), R=0.05, initial=sysid.Gaussian(np.zeros(20), np.zeros(20)))
    train, test = data.split(60)
    fit = sysid.fit(train, sysid.ReservoirEM(("readout",), standard_errors=False, tolerance=1e-13), start=start)
    whole = fit.predict(data)
    X = np.column_stack([sysid.simulate(esn, data.u).x, np.ones(120)])
    prior = np.append(np.full(20, 1 / train.y.var()), 0.0)
    cov = np.linalg.inv(X[:60].T @ X[:60] / 0.05 + np.diag(prior))
    expected = 0.05 + np.einsum("ti,ij,tj->t", X, cov, X)
    assert np.allclose(whole.y_cov[:, 0, 0], expected, rtol=1e-6)
    assert np.allclose(fit.readout.cov, cov, rtol=1e-6, atol=1e-12)
    assert fit.readout.parameters[0] == pytest.approx(21 - (prior * np.diag(cov)).sum(), rel=1e-6)
    assert np.all(whole.parameters[60:].mean() > whole.parameters[:60].mean())
    assert "share of the variance" in repr(whole) and "effective weights" in repr(fit.readout)
    with pytest.raises(ValueError, match="outputs"):
        fit.predict(sysid.Data(np.zeros((5, 2)), np.zeros((5, 1))))
    assert test.n_steps == 60


def test_settings_by_evidence_find_the_scale_that_made_the_series():
    rng = np.random.default_rng(7)
    t = np.arange(160)
    y = np.sin(2 * np.pi * t / 11) + 0.4 * np.sin(2 * np.pi * t / 5.3) + 0.1 * rng.standard_normal(160)
    data, _ = sysid.Data(y).standardize()
    grid = dict(n_states=20, radius=(0.9,), leak=(0.3, 1.0), bias_scale=(0.3,))
    start = sysid.reservoirs.evidence_start(data, np.random.default_rng(7), **grid, climb=0, noise=1e-6)
    assert start.evidence[0] == start.evidence.max() and len(start.evidence) == 6 and start.process.Q[0, 0] == 1e-6
    climbed = sysid.reservoirs.evidence_start(data, np.random.default_rng(7), **grid, climb=30)
    assert climbed.evidence[0] > start.evidence[0] + 1 and climbed.settings["radius"] == 0.9 and climbed.settings["leak"] <= 1
    share = climbed.process.Q[0, 0] * np.sum(climbed.process.model.C**2) / climbed.process.R[0, 0]
    assert share == pytest.approx(0.01)
    method = sysid.ReservoirEM(("leak", "R", "readout"), readout_prior=start.readout_prior, max_iterations=10, standard_errors=False)
    fit = sysid.fit(data, method, start=start.process)
    assert np.std(data.y - fit.predict(data).y_mean) < 0.4


def test_settings_by_evidence_take_inputs_and_are_refused_where_impossible():
    rng = np.random.default_rng(8)
    u = rng.standard_normal((200, 1))
    y = np.tanh(0.05 * sysid.simulate(sysid.LTI([[0.8]], [[1.0]], [[1.0]]), u).y) + 1e-4 * rng.standard_normal((200, 1))
    data, _ = sysid.Data(y, u).standardize()
    start = sysid.reservoirs.evidence_start(data, np.random.default_rng(0), n_states=10, climb=40)
    assert start.names[-1] == "input_scale" and start.settings["input_scale"] < 0.1        # nearly linear units, beyond the grid
    assert start.settings["radius"] < 1 and start.candidates.shape == (len(start.evidence), 5)
    assert np.all(np.diff(start.evidence) <= 0)
    for wrong, words in ((dict(leak=(0.5, 1.5)), "leak above 0 and at most 1"), (dict(input_scale=(0.0,)), "input_scale above 0"),
                         (dict(noise=-1.0), "noise"), (dict(climb=-1), "climb")):
        with pytest.raises(ValueError, match=words):
            sysid.reservoirs.evidence_start(data, np.random.default_rng(0), n_states=5, **wrong)


def test_selection_runs_on_dask():
    pytest.importorskip("distributed")
    import joblib
    from distributed import Client

    process, data = simulated(n=4, p=1, T=80, seed=8)
    other, _ = simulated(n=4, p=1, T=80, seed=9)
    method = sysid.ReservoirEM(("R", "readout"), max_iterations=5, standard_errors=False)
    candidates = {"a": process, "b": other}
    here = sysid.select_reservoir(data, method, candidates)
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None), joblib.parallel_config(backend="dask"):
        there = sysid.select_reservoir(data, method, candidates, n_jobs=2)
    assert there.names == here.names and np.allclose(there.evidence, here.evidence)


def test_shaping_then_inference_in_one_call_keeps_the_certificate():
    rng = np.random.default_rng(11)
    A = 0.95 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    u = rng.standard_normal((300, 1))
    y = sysid.simulate(sysid.LTI(A, [[1.0], [0.5]], [[1.0, 0.0]]), u).y + 0.05 * rng.standard_normal((300, 1))
    data, esn = sysid.Data(y, u), sysid.ESN.random(16, 1, leak=1.0, input_scale=0.05, rng=rng)
    method = sysid.SubspaceShaping(n_states=2, rng=rng, refine=sysid.ReservoirEM(("leak", "scale", "R", "readout"), max_iterations=15))
    fit = sysid.fit(data, method, start=esn)
    assert fit.refined is not None and fit.refined.model is fit.model
    certificate = sysid.certify(fit.model)
    assert certificate.verified and certificate.rate <= 0.98 + 1e-6
    assert fit.after < fit.before


def test_shaping_after_a_lifted_target_and_of_a_stack():
    rng = np.random.default_rng(12)
    poles = (0.5, 0.97)
    u = rng.standard_normal((500, 1))
    y = sysid.simulate(sysid.LTI(np.diag(poles), np.ones((2, 1)), [[1.0, 0.3]]), u).y + 0.02 * rng.standard_normal((500, 1))
    stack = sysid.DeepESN.random([10, 10], 1, leaks=[1.0, 0.3], every_layer_hears=True, rng=rng)
    fit = sysid.fit(sysid.Data(y, u), sysid.SubspaceShaping(n_states=2, rng=rng, rate=0.99), start=stack)
    assert fit.after < fit.before and fit.model.layers[0].leak > fit.model.layers[1].leak
    lifted = sysid.EDMD(sysid.DelayEmbedding(n_delays=4))
    fit = sysid.fit(sysid.Data(y, u), sysid.SubspaceShaping(target=lifted, rng=rng), start=sysid.ESN.random(20, 1, rng=rng))
    assert fit.after < fit.before and sysid.certify(fit.model).holds
    with pytest.raises(ValueError, match="stack"):
        sysid.fit(sysid.Data(y, u), sysid.SubspaceShaping(design="scale"), start=stack)


def test_a_coarse_look_finds_the_hill_and_leaves_a_good_start_alone():
    process, data = simulated(n=8, p=2, T=500, seed=231, leak=0.4)

    def placed(start):
        target, p = objective(start, [data], ("leak", "scale", "Q", "R"), readout_prior=1.0, noise_floor=1e-8, Q="scaled",
                              R="diagonal", leak_groups=None, call="test")
        return target, p, coarse_start(target, p)

    for leak, scale in ((1.0, 1.5), (0.05, 0.3)):
        target, p, found = placed(moved(process, leak=leak, scale=scale))
        assert target.value(found) > target.value(p) + 300
        assert abs(found.leak[0] - 0.4) < 0.1 and abs(found.scale * scale - 1) < 0.3
    best = sysid.fit(data, sysid.ReservoirEM(leak_scan=0), start=process)
    target, p, found = placed(best.process)
    assert abs(found.leak[0] - best.leak) < 1e-3
    fit = sysid.fit(data, sysid.ReservoirEM(), start=moved(process, leak=1.0, scale=1.5))
    assert abs(fit.objective - best.objective) < 1e-5


def test_bands_know_what_is_open_about_leak_and_scale():
    """Var of the prediction by the joint posterior, against predictions at parameters drawn from it."""
    process, data = simulated(n=6, p=1, T=150, seed=3, leak=0.5)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale"), standard_errors=False), start=process)
    assert fit.joint.names == ("leak", "scale") and fit.readout is None
    seen, rng = fit.predict(data), np.random.default_rng(0)
    draws = []
    for leak, log_scale in rng.multivariate_normal([fit.leak, 0.0], 0.01 * fit.joint.cov, 400):    # a tenth of a deviation: nearly linear
        model = replace(fit.model, leak=float(min(leak, 1.0)), W=fit.model.W * np.exp(log_scale))
        draws.append(sysid.filter(replace(fit.process, model=model), data).predicted.mean @ model.C.T + model.d)
    ratio = seen.parameters[5:].sum() / (100 * np.var(draws, axis=0)[5:].sum())
    assert 0.8 < ratio < 1.25
    known = sysid.fit(data, sysid.ReservoirEM(("Q", "R"), standard_errors=False), start=process)
    assert known.joint is None and not known.predict(data).parameters.any()


def test_the_joint_posterior_covers_the_leak_and_scale_that_made_the_data():
    inside = 0
    for seed in range(12):
        process, data = simulated(n=6, p=2, T=300, seed=40 + seed, leak=0.5)
        fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale"), standard_errors=False), start=process)
        gap = np.array([fit.leak - 0.5, np.log(fit.scale)])
        inside += gap @ fit.joint.information @ gap < 5.99
    assert inside >= 9


def test_a_stack_is_fitted_as_its_flat_network_and_recovers_a_leak_a_layer():
    rng = np.random.default_rng(5)
    stack = sysid.DeepESN.random([5, 5], 1, leaks=[0.8, 0.3], rng=rng)
    stack = stack.with_readout(rng.standard_normal((3, 10)) / 3, np.zeros(3))
    truth = sysid.Process(stack, Q=1e-3, R=1e-2, initial=sysid.Gaussian(np.zeros(10), 0.1))
    u = rng.standard_normal((1200, 1))
    data = sysid.Data(sysid.simulate(truth, u, rng=rng).y, u)
    layers = [replace(layer, leak=0.5, W=0.7 * layer.W) for layer in stack.layers]
    start = replace(truth, model=replace(stack, layers=layers, V=[0.7 * V for V in stack.V]))
    fit = sysid.fit(data, sysid.ReservoirEM(), start=start)
    assert isinstance(fit.model, sysid.DeepESN)
    for name, value in {"leak[0]": 0.8, "leak[1]": 0.3, "scale": 1 / 0.7}.items():
        assert abs(fit.estimates[name] - value) < 3.5 * fit.standard_errors[name], name
    assert np.allclose(fit.model.V[0], fit.scale * 0.7 * stack.V[0]) and fit.model.layers[1].leak == fit.estimates["leak[1]"]
    flat = replace(fit.process, model=fit.model.flat)
    assert abs(sysid.filter(fit.process, data).log_likelihood - fit.log_likelihood) < 1e-6 * abs(fit.log_likelihood)
    assert np.allclose(fit.predict(data).y_mean, sysid.filter(flat, data).predicted.mean @ fit.model.C.T + fit.model.d)
