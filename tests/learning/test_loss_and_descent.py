"""Losses and their gradients, descent and flow against the closed forms, statistics, stability limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import sysid
from sysid import learning


def draw(n, m, p, seed, radius=0.8):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    return sysid.LTI(A, rng.normal(size=(n, m)), rng.normal(size=(p, n)), rng.normal(size=(p, m)))


TEACHER, STUDENT, SHAPING = draw(3, 2, 2, 0), draw(4, 2, 2, 1), draw(2, 3, 2, 2)
ONE = sysid.LTI.from_undelayed([[0.7]], [[1.0]], [[1.5]])


def record(T=60):
    u = np.random.default_rng(3).normal(size=(T, 2))
    return sysid.Data(sysid.simulate(TEACHER, u).y + 0.3, u)


@pytest.mark.parametrize("objective", [
    learning.PopulationLoss(TEACHER), learning.PopulationLoss(TEACHER, SHAPING), learning.SampleLoss(record()),
    learning.SampleLoss([record(40), record(25)]), learning.SampleLoss(record(), domain="frequency")],
    ids=["white", "coloured", "time", "two records", "frequency"])
def test_gradients_agree_with_finite_differences(objective):
    loss, gradient = objective.gradient(STUDENT)
    assert loss == pytest.approx(objective.value(STUDENT), rel=1e-10)
    for name in "ABCD":
        M = getattr(STUDENT, name)
        numeric = np.zeros(M.shape)
        for where in np.ndindex(M.shape):
            E = np.zeros(M.shape)
            E[where] = 1e-6
            numeric[where] = (objective.value(dataclasses.replace(STUDENT, **{name: M + E}))
                              - objective.value(dataclasses.replace(STUDENT, **{name: M - E}))) / 2e-6
        assert np.abs(numeric - getattr(gradient, name)).max() < 1e-7 * max(1.0, np.abs(numeric).max()) * 10


def test_the_sample_loss_is_what_simulate_gives_and_tends_to_the_population_loss():
    d = record()
    error = sysid.simulate(STUDENT, d.u).y - d.y
    assert learning.SampleLoss(d).value(STUDENT) == pytest.approx(0.5 * (error**2).sum(axis=1).mean(), rel=1e-12)
    u = np.random.default_rng(0).normal(size=(400_000, 2))
    long = sysid.Data(sysid.simulate(TEACHER, u).y, u)
    assert learning.SampleLoss(long).value(STUDENT) == pytest.approx(learning.PopulationLoss(TEACHER).value(STUDENT), rel=0.02)


def test_the_frequency_domain_loss_is_the_time_domain_loss_of_a_periodic_record():
    u = np.tile(np.random.default_rng(4).normal(size=(32, 2)), (40, 1))
    y = sysid.simulate(TEACHER, u).y + 0.1
    settled = sysid.Data(y[-32:], u[-32:])
    model_error = (sysid.simulate(STUDENT, u).y - y)[-32:]
    assert learning.SampleLoss(settled, domain="frequency").value(STUDENT) == pytest.approx(
        0.5 * (model_error**2).sum(axis=1).mean(), rel=1e-9)


def test_the_population_loss_is_a_mean_over_frequencies():
    student, shaping = sysid.LTI.from_undelayed([[0.8]], [[0.5]], [[1.0]]), sysid.LTI([[0.5]], [[1.0]], [[0.6]], [[1.0]])
    z = np.exp(2j * np.pi * np.arange(512) / 512)
    spectrum = np.abs(0.6 / (z - 0.5) + 1) ** 2
    assert learning.frequency_loss(student, ONE, np.ones(512)) == pytest.approx(learning.PopulationLoss(ONE).value(student), rel=1e-12)
    assert learning.frequency_loss(student, ONE, spectrum) == pytest.approx(
        learning.PopulationLoss(ONE, shaping).value(student), rel=1e-12)


def test_population_statistics_are_the_formulas_and_the_sample_ones_tend_to_them():
    G, h = learning.population_statistics([0.8, 0.3], ONE)
    assert G[0, 0] == pytest.approx(1 / (1 - 0.64)) and h[0] == pytest.approx(1.5 / (1 - 0.56))
    assert G[0, 1] == pytest.approx(1 / (1 - 0.24))
    u = np.random.default_rng(5).normal(size=200_000)
    data = sysid.Data(sysid.simulate(ONE, u).y, u)
    sample_G, sample_h = learning.sample_statistics([0.8, 0.3], data)
    assert np.allclose(sample_G, G, rtol=0.02) and np.allclose(sample_h, h, rtol=0.02)
    shaping = sysid.LTI([[0.5]], [[1.0]], [[0.6]], [[1.0]])
    G, h = learning.population_statistics([0.8], ONE, shaping)
    z = np.exp(2j * np.pi * np.arange(2048) / 2048)
    spectrum = np.abs(0.6 / (z - 0.5) + 1) ** 2
    assert G[0, 0] == pytest.approx((spectrum / np.abs(1 - 0.8 / z) ** 2).mean(), rel=1e-10)
    assert h[0] == pytest.approx((spectrum * 1.5 / (1 - 0.7 / z) / (1 - 0.8 / z).conj()).real.mean(), rel=1e-10)


def test_the_transform_assumes_the_periodic_state_and_the_gap_is_a_decaying_exponential():
    u = np.random.default_rng(6).normal(size=50)
    from sysid.learning.statistics import pole_responses
    periodic, rest = (pole_responses(np.array([0.9]), u, periodic=p)[:, 0] for p in (True, False))
    assert np.allclose(periodic - rest, 0.9 ** (np.arange(50) + 1) * periodic[-1], atol=1e-12)
    padded = pole_responses(np.array([0.9]), np.concatenate([u, np.zeros(2000)]), periodic=True)[:50, 0]
    assert np.allclose(padded, rest, atol=1e-12)


@pytest.mark.parametrize("n_copies", [1, 8])
def test_flow_and_descent_follow_the_closed_form(n_copies):
    rng = np.random.default_rng(n_copies)
    b0, c0 = 0.3 * rng.normal(size=n_copies), 0.3 * rng.normal(size=n_copies)
    G, h = learning.population_statistics([0.8], ONE)
    sigma, eta = G[0, 0], h[0]
    start, objective = (0.8 * np.eye(n_copies), b0[:, None], c0[None]), learning.PopulationLoss(ONE)
    times = np.linspace(0, 1, 12)
    flow = learning.gradient_flow(objective, start, times, train="BC")
    assert np.abs(flow.gain[:, 0, 0] - learning.mode_gain(times, sigma, eta, b0, c0)).max() < 1e-8
    for k in (0, 5, 11):
        b, c = flow.B[k][:, 0], flow.C[k][0]
        assert np.allclose(learning.conserved_quantity(b, c), learning.conserved_quantity(b0, c0), atol=1e-8)
    only_c = learning.gradient_flow(objective, start, times, train="C")
    assert np.abs(only_c.gain[:, 0, 0] - learning.output_only_gain(times, sigma, eta, b0, c0)).max() < 1e-8
    gaps = []
    for rate in (8e-3, 4e-3):
        run = learning.gradient_descent(objective, start, rate, int(1 / rate), train="BC", every=25)
        gaps.append(np.abs(run.gain[:, 0, 0] - learning.mode_gain(run.times, sigma, eta, b0, c0)).max())
    assert gaps[1] < 0.6 * gaps[0] < 0.05  # first order in the rate


def test_descent_on_the_sample_loss_follows_the_sample_statistics():
    u = np.random.default_rng(7).normal(size=400)
    data = sysid.Data(sysid.simulate(ONE, u).y, u)
    G, h = learning.sample_statistics([0.8], data)
    run = learning.gradient_flow(learning.SampleLoss(data), ([[0.8]], [[0.2]], [[0.1]]), [0.5, 1.0, 2.0], train="BC")
    assert np.allclose(run.gain[:, 0, 0], learning.mode_gain([0.5, 1.0, 2.0], G[0, 0], h[0], 0.2, 0.1), atol=1e-8)
    G, h = learning.sample_statistics([0.8], data, periodic=True)
    run = learning.gradient_flow(learning.SampleLoss(data, domain="frequency"), ([[0.8]], [[0.2]], [[0.1]]), [0.5, 1.0], train="BC")
    assert np.allclose(run.gain[:, 0, 0], learning.mode_gain([0.5, 1.0], G[0, 0], h[0], 0.2, 0.1), atol=1e-8)


def test_training_the_poles_too_finds_the_teacher():
    run = learning.gradient_flow(learning.PopulationLoss(ONE), ([[0.3]], [[0.3]], [[0.3]]), [1.0, 30.0], diagonal=True, tolerance=1e-6)
    assert run.A[-1, 0, 0] == pytest.approx(0.7, abs=1e-2) and run.losses[-1] < 1e-4
    diagonal = learning.gradient_flow(learning.PopulationLoss(ONE), (np.diag([0.5, 0.2]), [[0.1], [0.2]], [[0.2, 0.1]]), [1.0], diagonal=True)
    assert diagonal.A[-1][0, 1] == 0.0 and diagonal.A[-1][0, 0] != 0.5


def test_a_rate_beyond_the_stability_limit_is_reported_before_divergence():
    objective, start = learning.PopulationLoss(ONE), ([[0.8]], [[0.6]], [[0.4]])
    with pytest.raises(ValueError, match="stability limit 2 / lambda_max"):
        learning.gradient_descent(objective, start, 5.0, 100, train="BC")
    sigma = 1 / (1 - 0.64)
    limit = 2 / (sigma * 0.36)  # only C trained: the Hessian is sigma b^2 everywhere
    learning.gradient_descent(objective, start, 0.99 * limit, 200, train="C")
    with pytest.raises(ValueError, match="stability limit"):
        learning.gradient_descent(objective, start, 1.01 * limit, 200, train="C")
    later = learning.gradient_descent(objective, ([[0.8]], [[0.1]], [[0.1]]), 0.4, 400, train="BC")
    assert "reached there" in later.status.reason and np.isfinite(later.losses).all()


def test_the_stability_limit_near_a_saddle_is_that_of_the_largest_eigenvalue():
    """At b = c = 0.1 the Hessian has eigenvalues of nearly one modulus and both signs; descent in b - c diverges by the positive one."""
    objective, start = learning.PopulationLoss(ONE), ([[0.8]], [[0.1]], [[0.1]])
    sigma, eta = 1 / (1 - 0.64), 1.5 / (1 - 0.56)
    limit = 2 / (0.01 * sigma + (eta - 2 * sigma * 0.01))  # of [[c^2 s, 2 s b c - eta], [2 s b c - eta, b^2 s]]
    learning.gradient_descent(objective, start, 0.999 * limit, 1, train="BC")
    with pytest.raises(ValueError, match=f"lambda_max = {limit:.3g}"):
        learning.gradient_descent(objective, start, 1.001 * limit, 1, train="BC")


def test_a_large_problem_has_its_limit_by_lanczos():
    from sysid.learning.descent import _Problem
    problem = _Problem(learning.PopulationLoss(draw(6, 3, 3, 5, 0.6)), tuple(getattr(draw(6, 3, 3, 6, 0.6), name) for name in "ABC"), "ABC", False, "test")
    n = len(problem.vector)
    H = np.stack([(problem.gradient(problem.vector + e)[1] - problem.gradient(problem.vector - e)[1]) / 2e-5 for e in 1e-5 * np.eye(n)])
    assert n > 60 and problem.sharpness(problem.vector) == pytest.approx(np.linalg.eigvalsh((H + H.T) / 2)[-1], rel=1e-4)


def test_the_frequency_domain_loss_in_parts_is_the_whole(monkeypatch):
    objective = learning.SampleLoss(record(), domain="frequency")
    loss, gradient = objective.gradient(STUDENT)
    monkeypatch.setattr("sysid.learning.loss._ENTRIES", 7 * 16)
    parted, parts = objective.gradient(STUDENT)
    assert parted == pytest.approx(loss, rel=1e-13) and all(np.allclose(a, b, rtol=1e-12, atol=1e-13) for a, b in zip(parts, gradient))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="2 outputs as the teacher"):
        learning.frequency_loss(ONE, sysid.LTI([[0.5]], [[1.0]], [[1.0], [2.0]]), np.ones(8))
    with pytest.raises(ValueError, match="model stable"):
        learning.frequency_loss(sysid.LTI([[1.0]], [[1.0]], [[1.0]]), ONE, np.ones(8))
    with pytest.raises(ValueError, match="2 inputs and 2 outputs as the data"):
        learning.SampleLoss(record()).value(ONE)
    with pytest.raises(ValueError, match="one that overflows, with a pole of modulus 1.5"):
        learning.SampleLoss(sysid.Data(np.ones(3000), np.ones(3000))).value(sysid.LTI([[1.5]], [[1.0]], [[1.0]]))
    with pytest.raises(TypeError, match=r"data as sysid.Data\(y, u\)"):
        learning.sample_statistics([0.5], np.ones(5))
    with pytest.raises(ValueError, match="beyond the unit circle"):
        learning.sample_statistics([3.0], sysid.Data(np.ones(1000), np.ones(1000)))
    with pytest.raises(TypeError, match="tau as a number"):
        learning.gradient_flow(learning.PopulationLoss(ONE), ([[0.1]], [[1.0]], [[1.0]]), [1.0], tau="1")
    with pytest.raises(ValueError, match="model stable"):
        learning.PopulationLoss(ONE).value(sysid.LTI([[1.0]], [[1.0]], [[1.0]]))
    with pytest.raises(ValueError, match="shaping with 2 outputs"):
        learning.PopulationLoss(TEACHER, ONE)
    with pytest.raises(ValueError, match="time, frequency"):
        learning.SampleLoss(record(), domain="laplace")
    with pytest.raises(ValueError, match="unit circle"):
        learning.SampleLoss(sysid.Data(np.ones(8), np.ones(8)), domain="frequency").value(sysid.LTI([[1.0]], [[1.0]], [[1.0]]))
    with pytest.raises(ValueError, match="input power at every pole"):
        learning.sample_statistics([0.5], sysid.Data(np.ones(8), np.zeros(8)))
    with pytest.raises(ValueError, match="without input power there"):
        learning.sample_statistics([1.0], sysid.Data(np.ones(8), np.ones(8)), periodic=True)
    with pytest.raises(ValueError, match=r"poles in \(-1, 1\)"):
        learning.population_statistics([1.0], ONE)
    with pytest.raises(ValueError, match="diagonal A"):
        learning.gradient_flow(learning.PopulationLoss(ONE), ([[0.1, 0.2], [0, 0.1]], [[1], [1]], [[1, 1]]), [1.0], diagonal=True)
    with pytest.raises(ValueError, match="increasing times"):
        learning.gradient_flow(learning.PopulationLoss(ONE), ([[0.1]], [[1.0]], [[1.0]]), [1.0, 0.5])
