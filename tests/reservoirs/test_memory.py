"""Capacities, exponents and the fidelity report against what is known exactly."""

import numpy as np
import pytest

import sysid
from sysid.reservoirs import (
    conditional_lyapunov,
    effective_dimension,
    fidelity,
    information_processing,
    restart_spread,
    sampled_memory,
    separation,
)


def linear(n=12, seed=0, radius=0.9):
    rng = np.random.default_rng(seed)
    return sysid.ESN(radius * sysid.reservoirs.orthogonal(n, rng=rng), rng.standard_normal((n, 1)), activation="identity")


def test_sampled_memory_of_a_linear_reservoir_is_its_exact_capacity():
    esn = linear()
    exact = sysid.memory_capacity(sysid.linearize(esn, u=np.zeros(1)))
    sampled = sampled_memory(esn, 100, n_steps=20_000, rng=np.random.default_rng(1))
    assert exact == pytest.approx(12, abs=1e-6)
    assert sampled.total == pytest.approx(12, abs=0.15) and sampled.bound == 12


def test_the_threshold_removes_the_chance_that_a_plain_sum_counts():
    esn = linear(4, radius=0.3)
    sampled = sampled_memory(esn, 400, n_steps=3000, rng=np.random.default_rng(2))
    assert sampled.values.sum() > 4.3 and sampled.total < 4.05


def test_a_scalar_memory_is_one_however_slow():
    # corrections #21.
    for a in (0.1, 0.5, 0.9):
        esn = sysid.ESN([[a]], [[1.0]], activation="identity")
        assert sampled_memory(esn, 80, rng=np.random.default_rng(3)).total == pytest.approx(1.0, abs=0.03)


def test_total_capacity_never_exceeds_the_rank_and_a_linear_one_has_no_other_degree():
    rng = np.random.default_rng(4)
    esn = sysid.ESN.random(10, 1, leak=1.0, spectral_radius=0.5, bias_scale=0.5, rng=rng)
    found = information_processing(esn, {1: 15, 2: 8, 3: 5}, n_steps=20_000, rng=rng)
    assert found.total <= found.bound * 1.01 and found.by_degree[2] > 0.5
    flat = information_processing(linear(6), {1: 60, 2: 6}, n_steps=10_000, rng=rng)
    assert flat.by_degree[2] < 0.05 and flat.total == pytest.approx(6, abs=0.15)


def test_effective_dimension_and_separation():
    rng = np.random.default_rng(5)
    u = rng.standard_normal((3000, 1))
    assert 1 <= effective_dimension(sysid.ESN(np.zeros((5, 5)), np.ones((5, 1))), u) < 1.01
    assert effective_dimension(linear(8), u) > 4
    v = u + 0.1 * rng.standard_normal(u.shape)
    assert separation(linear(8, radius=0.95), u, v) > separation(linear(8, radius=0.1), u, v) > 0


def test_exponents_of_linear_and_chaotic_maps():
    esn = linear(6, radius=0.8)
    u = np.random.default_rng(6).standard_normal((400, 1))
    assert conditional_lyapunov(esn, u, n_exponents=3) == pytest.approx(np.log(0.8), abs=1e-9)
    henon = sysid.Nonlinear(lambda x, u, p, t: np.array([1 - 1.4 * x[0] ** 2 + x[1], 0.3 * x[0]]), lambda x, u, p, t: x, 2, 0, 2)
    found = conditional_lyapunov(henon, n_steps=4000, n_exponents=2)
    assert found[0] == pytest.approx(0.419, abs=0.02) and found.sum() == pytest.approx(np.log(0.3), abs=1e-6)


def test_restarts_meet_only_where_the_past_is_forgotten():
    rng = np.random.default_rng(7)
    u = 0.1 * rng.standard_normal((400, 1))
    assert restart_spread(sysid.ESN.random(20, leak=1.0, spectral_radius=0.8, rng=rng), u, rng=rng)[-1] < 1e-10
    # corrections #1: spectral radius .95, three attractors.
    esn = sysid.ESN([[0.1764, -5.9586], [0.1080, 1.4674]], [[0.0], [0.0]])
    assert restart_spread(esn, u, rng=rng)[-1] > 0.5


def data_for(esn, amplitude, seed=8):
    u = amplitude * np.random.default_rng(seed).standard_normal((800, 1))
    return sysid.Data(np.roll(u, 1, axis=0), u)


def test_fidelity_tells_each_way_to_fail():
    rng = np.random.default_rng(9)
    good = sysid.ESN(0.8 * sysid.reservoirs.orthogonal(20, rng=rng), 0.2 * rng.standard_normal((20, 1)))
    report = fidelity(good, data_for(good, 0.3))
    assert report.verdict.startswith("The state-space view holds") and report.linear_share > 0.99
    assert report.departure < 1e-2 and report.transient < 1.05
    loud = fidelity(good, data_for(good, 60.0))
    assert "saturate" in loud.verdict and "input scale" in loud.remedy
    skewed = sysid.ESN(0.9 * np.eye(4) + 3 * np.diag(np.ones(3), 1), 1e-7 * np.ones((4, 1)), leak=0.5)
    bad = fidelity(skewed, data_for(skewed, 0.1))
    assert "far from normal" in bad.verdict and bad.departure > 0.5 and bad.transient > 10
    unstable = sysid.ESN(1.5 * np.eye(3), np.ones((3, 1)))
    assert "unstable" in fidelity(unstable, data_for(unstable, 0.01)).verdict
    u = np.random.default_rng(10).standard_normal((800, 1)) * 0.1
    late = fidelity(good, sysid.Data(np.roll(u, 60, axis=0), u))
    assert "delays" in late.verdict
    assert np.all(np.diff(report.kernel_change) > 0)


def test_preactivations_see_the_outputs_that_were_fed_back_in_a_gap():
    from sysid.reservoirs.saturation import preactivations
    from sysid.reservoirs.states import driven_states
    esn = sysid.ESN.random(6, 0, 1, rng=np.random.default_rng(2))
    y = 5 + np.random.default_rng(0).standard_normal(200)
    y[50:60] = np.nan
    x, _ = driven_states(esn, sysid.Data(y))
    following = (1 - esn.leaks) * x + esn.leaks * np.tanh(preactivations(esn, sysid.Data(y)))
    assert np.abs(following[:-1] - x[1:]).max() < 1e-14


def test_preactivations_of_a_gated_reservoir_hold_its_gate():
    from sysid.reservoirs.saturation import preactivations
    for rank in (None, 2):
        gated = sysid.GatedESN.random(5, 2, rank=rank, rng=np.random.default_rng(3))
        u = np.random.default_rng(0).standard_normal((50, 2))
        x = sysid.simulate(gated, u).x
        following = (1 - gated.leaks) * x + gated.leaks * np.tanh(preactivations(gated, sysid.Data(np.zeros(50), u)))
        assert np.abs(following[:-1] - x[1:]).max() < 1e-14


def test_fidelity_of_an_input_that_never_moves_is_finite():
    esn = sysid.ESN.random(10, spectral_radius=0.5, rng=np.random.default_rng(0))
    report = fidelity(esn, sysid.Data(np.zeros(300), np.full(300, 0.1)))
    assert np.isfinite(report.kernel_change).all() and report.kernel_change[0] < 0.1


def test_bad_questions_are_refused():
    rng = np.random.default_rng(11)
    with pytest.raises(ValueError, match="one input"):
        sampled_memory(sysid.ESN.random(4, 2, rng=rng), rng=rng)
    with pytest.raises(ValueError, match="left every bound"):
        information_processing(sysid.ESN(2 * np.eye(2), np.ones((2, 1)), activation="identity"), rng=rng)
    wild = sysid.ESN(2 * np.eye(2), np.ones((2, 1)), activation="identity")
    u = rng.standard_normal((3000, 1))
    for call in (lambda: effective_dimension(wild, u), lambda: separation(wild, u, u + 1), lambda: restart_spread(wild, u, rng=rng)):
        with pytest.raises(ValueError, match="left every bound"):
            call()
    with pytest.raises(ValueError, match="two inputs of one length; received 20 and 30"):
        separation(linear(3), np.ones((20, 1)), np.zeros((30, 1)))
    with pytest.raises(ValueError, match="n_exponents <= 3"):
        conditional_lyapunov(linear(3), u, n_exponents=4)
    for call in (lambda: effective_dimension(linear(3), u, washout=-5), lambda: sysid.reservoirs.saturation(linear(3), data_for(None, 1.0), washout=800)):
        with pytest.raises(ValueError, match="washout"):
            call()
    with pytest.raises(ValueError, match="equal"):
        separation(linear(3), np.ones((20, 1)), np.ones((20, 1)))
    with pytest.raises(ValueError, match="washout"):
        fidelity(linear(3), sysid.Data(np.ones(20), np.ones(20)))
