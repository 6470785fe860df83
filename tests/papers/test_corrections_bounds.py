"""Counterexamples 5, 13 to 15, 21, 22, 39 and 40 of docs/corrections.md: norms, slopes, memory, learning rates."""

import itertools

import numpy as np
import pytest
from numpy.linalg import norm, svd

import sysid


def test_05_the_trace_is_the_square_of_the_h2_norm():
    trace = 1 / (1 - 0.25)                                # A = .5, B = C = 1
    omega = np.linspace(-np.pi, np.pi, 4096, endpoint=False)
    gain = abs(1 / (np.exp(1j * omega) - 0.5)) ** 2
    assert gain.mean() == pytest.approx(trace, rel=1e-12)
    assert sysid.h2_norm(sysid.LTI([[0.5]], [[1.0]], [[1.0]])) == pytest.approx(np.sqrt(trace), rel=1e-12)


@pytest.mark.parametrize("ridge", [1e-8, 1e-4, 1e-2])
def test_13_the_norms_of_a_fitted_feature_map_say_nothing_of_its_slope(ridge):
    rng = np.random.default_rng(0)
    omega, phase, v = rng.normal(size=50), rng.uniform(0, 2 * np.pi, 50), np.linspace(-3, 3, 601)
    features = np.sqrt(2 / 50) * np.cos(np.outer(v, omega) + phase)
    weights = np.linalg.solve(features.T @ features + ridge * np.eye(50), features.T @ np.tanh(v))
    slope = -np.sqrt(2 / 50) * np.sin(np.outer(v, omega) + phase) * omega @ weights
    assert norm(weights) * np.sqrt(2 / 50) * norm(omega) > 1.5
    assert abs(slope).max() < 1.05


def test_14b_the_numerical_radius_certifies_a_matrix_whose_norm_exceeds_one():
    W = np.random.default_rng(0).normal(size=(8, 8))
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 721))
    radius = max(np.linalg.eigvalsh((z * W + np.conj(z) * W.T) / 2)[-1] for z in circle)
    W = 0.95 * W / radius
    assert svd(W, compute_uv=False)[0] > 1.2
    cert = sysid.CircleCriterion("identity").certify(sysid.LeakyNetwork(W, 1.0, 0.0, 1.0))
    assert cert.holds
    root = np.linalg.cholesky(cert.P).T
    worst = max(norm(root @ (np.array(slopes)[:, None] * W) @ np.linalg.inv(root), 2) for slopes in itertools.product([0.0, 1.0], repeat=8))
    assert worst <= cert.rate


def test_15_slopes_of_both_signs_refuse_what_monotone_slopes_certify():
    leak, w = 0.5, -1.5
    factor = lambda slopes: max(abs(1 - leak + leak * d * w) for d in slopes)  # noqa: E731
    assert factor([0.0, 1.0]) == 0.5 and factor([-1.0, 1.0]) == 1.25
    assert sysid.certify(sysid.LeakyNetwork([[w]], leak, 0.0, 1.0)).holds
    assert not sysid.certify(sysid.LeakyNetwork([[w]], leak, -1.0, 1.0)).holds


@pytest.mark.parametrize("a", [0.1, 0.5, 0.9, 0.99])
def test_21_a_linear_unit_remembers_one_input_in_total_at_every_pole(a):
    by_delay = (1 - a * a) * a ** (2 * np.arange(3000.0))  # squared correlation of x[t] with u[t-1-k], white input
    assert by_delay.sum() == pytest.approx(1, abs=1e-9)
    assert sysid.memory_capacity(sysid.LTI([[a]], [[1.0]], [[1.0]])) == pytest.approx(1, abs=1e-9)


def test_22_a_contracting_law_may_keep_its_whole_past():
    """x+ = x / 2 + bit / 2 forgets its start, yet x[t] spells out every earlier bit: no mixing at any lag."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, 45)
    x, other = 0.0, 1.0
    for bit in bits:
        x, other = (x + bit) / 2, (other + bit) / 2
    assert abs(x - other) == 2.0**-45
    read = []
    for _ in bits:
        read.append(int(x >= 0.5))
        x = 2 * x - read[-1]
    np.testing.assert_array_equal(read[::-1], bits)


def test_39_the_error_bound_scales_with_readout_and_input():
    system = sysid.LTI.from_undelayed(np.diag([0.9, -0.5]), [[1.0], [0.4]], [[0.3, 1.0]])
    louder = sysid.LTI.from_undelayed(np.diag([0.9, -0.5]), [[10.0], [4.0]], [[0.9, 3.0]])
    bound = sysid.error_bound(system, 6, 64, 1.0)
    np.testing.assert_allclose(sysid.error_bound(system, 6, 64, 7.0), 7 * bound, rtol=1e-12)
    np.testing.assert_allclose(sysid.error_bound(louder, 6, 64, 1.0), 30 * bound, rtol=1e-12)


def half_time(b, c, target=1.0, step=1e-3):
    """Time of the gradient flow of sum b_i c_i to half its target, copies of one mode, unit rate."""
    b, c, t = np.array(b), np.array(c), 0.0
    while b @ c < target / 2:
        gap = target - b @ c
        b, c, t = b + step * gap * c, c + step * gap * b, t + step
    return t


def test_40_copies_speed_up_an_unbalanced_start_and_only_shift_a_balanced_one():
    rng = np.random.default_rng(0)
    starts = [(rng.normal(size=n), rng.normal(size=n)) for n in (100, 1600)]
    lazy = [half_time(b, c - b * (b @ c) / (b @ b), step=1e-5) for b, c in starts]           # from a gain of zero
    np.testing.assert_allclose(lazy[0] / lazy[1], 16, rtol=0.2)
    small = 1e-3
    balanced = [half_time(np.full(n, small), np.full(n, small)) for n in (1, 10, 100)]
    shifts = -np.diff(balanced)
    np.testing.assert_allclose(shifts, np.log(10) / 2, rtol=0.02)    # each tenfold shifts by the same logarithm
