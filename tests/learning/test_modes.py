"""Closed forms of a mode's gain against an accurate ODE solver, and the over-parameterisation table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sysid.learning import modes


def flow(times, sigma, eta, b0, c0, tau):
    n = len(b0)

    def f(t, z):
        return np.concatenate([z[n:], z[:n]]) * (eta - sigma * z[:n] @ z[n:]) / tau

    z = solve_ivp(f, (0, times[-1]), np.concatenate([b0, c0]), t_eval=times, method="DOP853", rtol=1e-12, atol=1e-13).y
    return z[:n].T, z[n:].T


@pytest.mark.parametrize("n_copies", [1, 2, 8, 64])
@pytest.mark.parametrize("eta", [0.7, -0.7, 0.0])
def test_gain_and_weights_follow_the_flow_for_any_start(n_copies, eta):
    rng = np.random.default_rng(n_copies)
    b0, c0 = rng.normal(size=n_copies), rng.normal(size=n_copies)
    t = np.linspace(0, 5, 30)
    b, c = flow(t, 1.3, eta, b0, c0, 0.8)
    assert np.abs(modes.mode_gain(t, 1.3, eta, b0, c0, 0.8) - (b * c).sum(axis=1)).max() < 1e-8
    closed_b, closed_c = modes.mode_parameters(t, 1.3, eta, b0, c0, 0.8)
    assert np.abs(closed_b - b).max() < 1e-8 and np.abs(closed_c - c).max() < 1e-8
    for k in (0, 10, 29):
        assert np.allclose(modes.conserved_quantity(closed_b[k], closed_c[k]), modes.conserved_quantity(b0, c0), atol=1e-10)


@pytest.mark.parametrize("b0, c0, eta", [(0.1, 0.1, -0.5), (0.1, -0.1, 0.5), (0.1, -0.1, -0.5), (0.0, 0.0, 0.5), (0.3, 0.3, 0.0)])
def test_gain_on_the_saddle_and_its_stable_manifold(b0, c0, eta):
    t = np.linspace(0, 6, 20)
    b, c = flow(t, 1.0, eta, np.array([b0]), np.array([c0]), 1.0)
    assert np.abs(modes.mode_gain(t, 1.0, eta, b0, c0) - (b * c)[:, 0]).max() < 1e-10
    closed_b, closed_c = modes.mode_parameters(t, 1.0, eta, b0, c0)
    assert np.abs(closed_b - b).max() < 1e-9 and np.abs(closed_c - c).max() < 1e-9


def test_very_long_times_do_not_overflow():
    gain = modes.mode_gain([0.0, 1e6, 1e300], 1.0, 0.5, [0.1], [0.3])
    assert gain[0] == pytest.approx(0.03) and gain[1:] == pytest.approx([0.5, 0.5], rel=1e-14)


@pytest.mark.parametrize("b0, c0", [([0.1], [0.1]), ([0.4, -0.2], [0.1, 0.3]), ([1.0, 1.0], [1.0, 0.0])])
def test_time_inverts_gain(b0, c0):
    for t in (0.2, 1.0, 2.5):
        gain = modes.mode_gain(t, 1.0, 0.5, b0, c0, 0.7)[0]
        assert modes.mode_time(gain, 1.0, 0.5, b0, c0, 0.7) == pytest.approx(t, rel=1e-10)


def test_time_inverts_gain_from_weights_of_opposite_signs_too():
    """From b = -c the flow reaches a negative eta / sigma: the mirror image of a balanced start."""
    gain = modes.mode_gain(1.3, 1.0, -2.0, [0.4], [-0.4], 0.7)[0]
    assert modes.mode_time(gain, 1.0, -2.0, [0.4], [-0.4], 0.7) == pytest.approx(1.3, rel=1e-10)
    assert modes.mode_time(gain, 1.0, -2.0, [0.4], [-0.4], 0.7) == modes.mode_time(-gain, 1.0, 2.0, [0.4], [0.4], 0.7)


def test_balanced_start_is_the_logistic_of_a_two_layer_network():
    t, s0, eta, sigma, tau = np.linspace(0, 10, 50), 0.01, 0.5, 1.3, 0.9
    target = eta / sigma
    grow = np.exp(2 * eta * t / tau)
    logistic = target * grow / (grow - 1 + target / s0)
    assert np.abs(modes.balanced_gain(t, sigma, eta, s0, tau) - logistic).max() < 1e-14
    final = 0.9 * target
    closed = tau / (2 * eta) * np.log(final * (target - s0) / (s0 * (target - final)))
    assert modes.mode_time(final, sigma, eta, [0.1], [0.1], tau) == pytest.approx(closed, rel=1e-12)


def test_only_the_output_weights_and_tied_copies():
    t = np.linspace(0, 4, 20)
    b, c0 = np.array([0.7, -0.4]), np.array([0.1, 0.2])

    def only_c(t, c):
        return b * (0.5 - 1.2 * b @ c)

    c = solve_ivp(only_c, (0, 4), c0, t_eval=t, method="DOP853", rtol=1e-12, atol=1e-14).y
    assert np.abs(modes.output_only_gain(t, 1.2, 0.5, b, c0) - b @ c).max() < 1e-11

    def tied(t, z, n=5):
        return n * np.array([z[1], z[0]]) * (0.5 - 1.2 * n * z[0] * z[1])

    z = solve_ivp(tied, (0, 4), [0.1, 0.2], t_eval=t, method="DOP853", rtol=1e-12, atol=1e-14).y
    assert np.abs(modes.tied_gain(t, 1.2, 0.5, 0.1, 0.2, 5) - 5 * z[0] * z[1]).max() < 1e-10


def test_independent_weights_settle_at_two_n_sigma():
    """Unbalanced starts: lambda tends to 2 N v sigma / tau, whatever eta."""
    rng = np.random.default_rng(0)
    ratios = [2 * 256 * 1.0 / modes.mode_rate(1.0, 0.5, rng.normal(size=256), rng.normal(size=256)) for _ in range(200)]
    assert np.median(ratios) == pytest.approx(1.0, abs=0.02)


def test_balanced_rate_does_not_depend_on_the_number_of_copies():
    for n in (1, 4, 64):
        assert modes.mode_rate(1.0, 0.5, np.full(n, 0.1), np.full(n, 0.1)) == pytest.approx(1.0, rel=1e-12)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="without power at the pole"):
        modes.mode_gain([1.0], 0.0, 0.0, [0.1], [0.1])
    with pytest.raises(ValueError, match="tau > 0"):
        modes.mode_gain([1.0], 1.0, 0.5, [0.1], [0.1], tau=0.0)
    with pytest.raises(ValueError, match="c0 with shape"):
        modes.mode_gain([1.0], 1.0, 0.5, [0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match="negative entries"):
        modes.mode_gain([-1.0], 1.0, 0.5, [0.1], [0.1])
    with pytest.raises(ValueError, match="up to but not including"):
        modes.mode_time(0.6, 1.0, 0.5, [0.1], [0.1])
    with pytest.raises(ValueError, match="b = c = 0"):
        modes.mode_time(-0.001, 1.0, 0.5, [0.1], [-0.1])
    with pytest.raises(TypeError, match="expected gain"):
        modes.mode_time("0.1", 1.0, 0.5, [0.1], [0.1])
    with pytest.raises(ValueError, match="b0 with shape"):
        modes.tied_gain([1.0], 1.0, 0.5, [0.1, 0.2], 0.1, 3)
    with pytest.raises(TypeError, match="complex"):
        modes.mode_gain([1.0], 1.0, 0.5, [0.1j], [0.1])
