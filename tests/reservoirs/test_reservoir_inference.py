"""Identifiability, constraint, selection and the recipe for autonomous series."""

from dataclasses import replace

import numpy as np
import pytest

import sysid
from sysid.certificates.project import CertifiedSet
from sysid.reservoirs.autonomous import autonomous_start
from sysid.reservoirs.coordinates import Coordinates
from sysid.reservoirs.likelihood import objective
from sysid.reservoirs.sensitivity import whitened
from tests.reservoirs.problems import moved, simulated


def test_every_iterate_is_certified_and_the_start_is_projected(monkeypatch):
    process, data = simulated(n=6, p=2, T=200, seed=1, radius=0.8)
    start = moved(process, leak=0.5, scale=2.0)
    seen = []
    unpack = Coordinates.unpack
    monkeypatch.setattr(Coordinates, "unpack", lambda c, v: seen.append(unpack(c, v)) or seen[-1])
    fit = sysid.fit(data, sysid.ReservoirEM(contraction=0.9, standard_errors=False), start=start)
    region = CertifiedSet.of(start.model, 0.9 * (1 - 1e-6))
    for p in seen[:: max(1, len(seen) // 20)]:
        model = replace(start.model, leak=float(p.leak[0]), W=start.model.W * p.scale)
        rate = sysid.certify(model, method=sysid.CircleCriterion(multiplier="optimal")).rate
        assert rate < 0.9 + 2e-3
        assert region.contains(float(p.leak[0]), p.scale * (1 - 1e-9))
    assert np.all(np.diff(fit.history["objective"]) >= 0)
    certificate = sysid.certify(fit.model)
    assert certificate.holds and certificate.verified


def test_the_constraint_costs_nothing_where_the_optimum_is_certified():
    process, data = simulated(n=6, p=2, T=300, seed=2, radius=0.4)
    free = sysid.fit(data, sysid.ReservoirEM(), start=moved(process, leak=0.7, scale=0.8))
    bound = sysid.fit(data, sysid.ReservoirEM(contraction=0.98), start=moved(process, leak=0.7, scale=0.8))
    assert abs(bound.log_likelihood - free.log_likelihood) < 0.01 * abs(free.log_likelihood)
    assert abs(bound.model.leak - free.model.leak) < 1e-3


def test_vector_gradient_with_drifting_readout_equals_differences():
    process, data = simulated(n=5, p=2, T=80, seed=3, feedback=True, missing=0.1)
    names = ("leak", "scale", "bias_scale", "Q", "R", "readout", "initial")
    target, p = objective(process, [data], names, readout_prior=1.0, noise_floor=1e-8, Q="diagonal", R="diagonal",
                          leak_groups=None, contraction=0.95, call="test")
    target = whitened(target, p)
    v = target.coordinates.pack(p)
    v[1] -= 0.1
    assert np.allclose(target.coordinates.pack(target.coordinates.unpack(v)), v, atol=1e-9)
    _, g = target.value_and_gradient(v)
    for i in range(0, len(v), 3):
        e = np.zeros(len(v))
        e[i] = 1e-5
        numeric = (target.value(target.coordinates.unpack(v + e)) - target.value(target.coordinates.unpack(v - e))) / 2e-5
        assert abs(g[i] - numeric) < 1e-5 * (1 + np.abs(g).max()), target.coordinates.labels()[i]


def test_whitening_makes_the_readout_round_and_free_of_the_hyperparameters():
    """Second differences of the exact gradient: the readout block is close to the identity."""
    process, data = simulated(n=6, p=2, T=200, seed=4)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "R", "readout")), start=process)
    target, p = objective(fit.process, [data], ("leak", "scale", "readout"), readout_prior=1.0, noise_floor=1e-8, Q="scaled",
                          R="diagonal", leak_groups=None, call="test")
    target = whitened(target, p)
    v = target.coordinates.pack(p)
    rows = [-(target.value_and_gradient(v + e)[1] - target.value_and_gradient(v - e)[1]) / 2e-4 for e in np.eye(len(v)) * 1e-4]
    H = np.array(rows)
    assert np.abs(H[2:, 2:] - np.eye(len(v) - 2)).max() < 0.5
    assert np.abs(H[:2, 2:]).max() < 0.1 * H[:2, :2].diagonal().max()


def test_direct_route_meets_em_and_standard_errors_agree_with_the_profile():
    process, data = simulated(n=6, p=2, T=400, seed=5)
    start = moved(process, leak=0.7, scale=0.8)
    em = sysid.fit(data, sysid.ReservoirEM(), start=start)
    direct = sysid.fit(data, sysid.ReservoirLikelihood(), start=start)
    assert abs(em.log_likelihood - direct.log_likelihood) < 1e-4
    error = float(em.standard_errors["leak"])
    grid = em.model.leak + error * np.linspace(-3, 3, 7)
    profile = sysid.profile_likelihood(data, sysid.ReservoirEM(), em, "leak", grid)
    assert abs(profile.best - em.model.leak) < 0.5 * error
    low, high = profile.interval
    assert 1.5 < (em.model.leak - low) / error < 2.5 and 1.5 < (high - em.model.leak) / error < 2.5
    assert np.nanmax(profile.objective) <= em.objective + 1e-4
    assert "95 %" in repr(profile) and profile.plot() is not None


def test_confounding_is_stated():
    """Identity activation, W = c I: only leak (1 - scale c) is seen, so leak and scale trade off along a ridge."""
    rng = np.random.default_rng(6)
    n = 3
    esn = sysid.ESN(0.5 * np.eye(n), rng.standard_normal((n, 1)), leak=0.4, C=rng.standard_normal((2, n)), activation="identity")
    process = sysid.Process(esn, Q=1e-3, R=1e-2, initial=sysid.Gaussian(np.zeros(n), 0.1))
    u = rng.standard_normal((300, 1))
    data = sysid.Data(sysid.simulate(process, u, rng=rng).y, u)
    names = ("leak", "scale", "input_scale")
    fit = sysid.fit(data, sysid.ReservoirEM(names), start=process)
    assert any("confounded" in note or "not positive definite" in note for note in fit.notes)
    one = sysid.fit(data, sysid.ReservoirEM(("leak",)), start=process)
    assert not one.notes and one.standard_errors["leak"] > 0


def test_time_constant_is_that_of_the_leak():
    process, data = simulated(n=5, T=200, seed=7)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "R")), start=process)
    assert np.isclose(1 - np.exp(-process.model.dt / fit.tau), fit.model.leak)


def test_selection_prefers_the_reservoir_that_made_the_data():
    process, data = simulated(n=6, p=2, T=300, seed=8)
    other, _ = simulated(n=6, p=2, T=300, seed=80)
    method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), max_iterations=60, standard_errors=False)
    blind = sysid.Process(process.model.with_readout(np.zeros((2, 6))), Q=np.zeros(6), R=1e-2, initial=process.initial)
    table = sysid.select_reservoir(data, method, {"another": other, "its own": process, "broken": replace(blind, R=0.0)})
    assert table.names[0] == "its own" and table.weights[0] > 0.99
    assert table.fits[-1] is None and "positive definite R" in table.reasons[-1]
    assert "evidence" in repr(table) and table.best is table.fits[0]


def test_what_cannot_be_profiled_or_estimated_is_named():
    process, data = simulated(n=4, p=1, T=60, seed=8)
    with pytest.raises(ValueError, match="estimates more than leak"):
        sysid.profile_likelihood(data, sysid.ReservoirEM(("leak",)), process, "leak", [0.5])
    with pytest.raises(TypeError, match="a method such as"):
        sysid.profile_likelihood(data, sysid.Readout(), process, "leak", [0.5])
    with pytest.raises(ValueError, match="ReservoirLikelihood: expected estimate to be one of leak"):
        sysid.ReservoirLikelihood(("leek",))
    for y in (np.ones(40), np.column_stack([data.y[:40, 0], np.full(40, np.nan)])):
        with pytest.raises(ValueError, match="measured and vary"):
            sysid.reservoirs.evidence_start(sysid.Data(y), np.random.default_rng(0), n_states=5)


def test_a_candidate_that_failed_is_never_first_even_where_no_evidence_exists():
    process, data = simulated(n=4, p=1, T=80, seed=8)
    method = sysid.ReservoirEM(("R", "readout"), readout_prior=0.0, max_iterations=3, standard_errors=False)
    table = sysid.select_reservoir(data, method, {"broken": replace(process, R=0.0), "good": process})
    assert table.names == ("good", "broken") and table.best is table.fits[0] and list(table.weights) == [1.0, 0.0]


def test_laplace_evidence_is_exact_for_a_linear_regression():
    """Q = 0 and a known start make the states known: the evidence of Bayesian ridge regression in closed form."""
    process, data = simulated(n=4, p=1, T=120, seed=9, q=1e-12)
    esn = process.model
    start = sysid.Process(esn, Q=np.zeros(4), R=1e-2, initial=sysid.Gaussian(np.zeros(4), np.zeros(4)))
    fit = sysid.fit(data, sysid.ReservoirEM(("readout",), standard_errors=False, tolerance=1e-13), start=start)
    x = sysid.simulate(esn, data.u).x
    y, r = data.y[:, 0], 1e-2
    prior = 1.0 / data.y.var()
    V = np.eye(4) / prior
    cov = x @ V @ x.T + r * np.eye(len(y))
    ones = np.ones(len(y))
    s = ones @ np.linalg.solve(cov, ones)          # the offset integrated out under a flat prior
    d = ones @ np.linalg.solve(cov, y) / s
    e = y - d
    expected = -0.5 * (np.linalg.slogdet(2 * np.pi * cov)[1] + e @ np.linalg.solve(cov, e)) + 0.5 * np.log(2 * np.pi / s)
    assert abs(fit.log_evidence - expected) < 1e-6 * abs(expected)


def test_recipe_for_autonomous_series_is_certified_and_forecasts():
    rng = np.random.default_rng(10)
    y = np.sin(2 * np.pi * np.arange(160) / 11) + 0.1 * rng.standard_normal(160)
    data, _ = sysid.Data(y).standardize()
    train, test = data.split(120)
    start = autonomous_start(train, rng, n_states=20)
    fit = sysid.fit(train, sysid.ReservoirEM(("leak", "scale", "Q", "R", "readout"), contraction=0.99, max_iterations=60,
                                             readout_prior=1e-3), start=start)
    assert sysid.certify(fit.model).verified
    one = sysid.filter(fit.process, data)
    error = (data.y - one.y_mean)[120:] if hasattr(one, "y_mean") else one.innovations[120:]
    assert np.std(error) < 0.5
    assert sysid.forecast(fit.process, train, 20).interval(0.95)[0].shape == (20, 1)
    assert test.n_steps == 40
    with pytest.raises(ValueError, match="without inputs"):
        autonomous_start(sysid.Data(y, y), rng)


def test_shaping_moves_the_poles_to_the_task_and_keeps_the_certificate():
    rng = np.random.default_rng(11)
    A = 0.95 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    u = rng.standard_normal((600, 1))
    y = sysid.simulate(sysid.LTI(A, [[1.0], [0.5]], [[1.0, 0.0]]), u).y + 0.05 * rng.standard_normal((600, 1))
    train, test = sysid.Data(y, u).split(0.6)
    esn = sysid.ESN.random(30, 1, spectral_radius=0.8, leak=1.0, input_scale=0.05, rng=rng)
    plain = sysid.fit(train, sysid.Readout(), start=esn).model
    error = lambda model: np.std((test.y - sysid.simulate(model, test.u).y)[100:]) / np.std(test.y)  # noqa: E731
    for design, share in (("normal", 0.2), ("scale", 1.0)):
        fit = sysid.fit(train, sysid.SubspaceShaping(n_states=2, design=design, rng=rng), start=esn)
        assert fit.after < share * fit.before
        assert sysid.certify(fit.model).holds
        assert error(fit.model) <= error(plain)
    with pytest.raises(TypeError, match="ESN"):
        sysid.fit(train, sysid.SubspaceShaping(rng=rng), start=None)
