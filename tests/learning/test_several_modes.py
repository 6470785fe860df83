"""Aligned modes, competing poles, stages in series, and the curves."""

from __future__ import annotations

import numpy as np
import pytest

import sysid
from sysid import learning

ONE = sysid.LTI.from_undelayed([[0.7]], [[1.0]], [[1.5]])


def test_aligned_modes_decouple_and_follow_the_logistic():
    """Descent with small steps on the full problem from the aligned start."""
    rng = np.random.default_rng(0)
    sigma, cross, s0, rate = 1.3, rng.normal(size=(3, 2)), 0.01, 1e-4
    modes = learning.aligned_modes(cross)
    B = np.sqrt(s0) * modes.inputs
    C = np.sqrt(s0) * modes.outputs
    times, kept = [], []
    for k in range(20001):
        if k % 4000 == 0:
            times.append(k * rate)
            kept.append(C @ B)
        gap = cross - sigma * C @ B
        B, C = B + rate * C.T @ gap, C + rate * gap @ B.T
    assert np.abs(np.array(kept) - learning.aligned_gain(times, sigma, cross, s0)).max() < 2e-3
    assert np.abs(learning.aligned_gain([200.0], sigma, cross, s0)[0] - cross / sigma).max() < 1e-9


def test_aligned_modes_are_gradient_flow_of_the_population_loss():
    rng = np.random.default_rng(1)
    teacher = sysid.LTI.from_undelayed(0.6 * np.eye(2), rng.normal(size=(2, 2)), rng.normal(size=(3, 2)))
    sigma = 1 / (1 - 0.64)
    U, V, W, _ = teacher.to_undelayed()
    cross = W @ V / (1 - 0.6 * 0.8)  # E y v' for white input
    modes = learning.aligned_modes(cross)
    assert U.shape == (2, 2)
    times = np.array([0.2, 0.6, 1.5])
    run = learning.gradient_flow(learning.PopulationLoss(teacher), (0.8 * np.eye(2), 0.1 * modes.inputs, 0.1 * modes.outputs), times, train="BC")
    assert np.abs(run.gain - learning.aligned_gain(times, sigma, cross, 0.01)).max() < 1e-8


def test_competing_poles_are_a_lotka_volterra_system():
    poles = np.array([0.9, 0.5, -0.3])
    G, h = learning.population_statistics(poles, ONE)
    times = np.linspace(0.1, 5, 8)
    b0 = np.array([0.1, 0.2, 0.05])
    gains = learning.lotka_volterra(times, G, h, b0**2)
    b, c = learning.pole_flow(times, G, h, b0, b0)
    assert np.abs(b * c - gains).max() < 1e-9
    run = learning.gradient_flow(learning.PopulationLoss(ONE), (np.diag(poles), b0[:, None], b0[None]), times, train="BC")
    assert np.abs(run.B[:, :, 0] * run.C[:, 0] - gains).max() < 1e-8
    b, c = learning.pole_flow(times, G, h, b0, [0.3, -0.1, 0.2])
    assert np.allclose(b**2 - c**2, b0**2 - np.array([0.3, -0.1, 0.2]) ** 2, atol=1e-10)


def test_uncoupled_poles_have_the_closed_form():
    times = np.array([0.5, 1.0, 3.0])
    gains = learning.lotka_volterra(times, np.diag([1.0, 2.0]), [0.5, 1.5], [0.01, 0.02])
    assert np.allclose(gains[:, 0], learning.balanced_gain(times, 1.0, 0.5, 0.01), atol=1e-9)
    assert np.allclose(gains[:, 1], learning.balanced_gain(times, 2.0, 1.5, 0.02), atol=1e-9)


def test_two_layers_in_series_are_one_pole_and_more_are_a_deeper_network():
    times = np.array([0.5, 1.0, 2.0, 4.0])
    assert np.allclose(learning.series_gain(times, 1.0, 0.5, [0.2, 0.3]), learning.mode_gain(times, 1.0, 0.5, 0.2, 0.3), atol=1e-10)
    for layers in (2, 4, 6):
        weights = np.full(layers, 0.3 ** (2 / layers))
        time = learning.series_time(0.4, 1.0, 0.5, 0.09, layers)
        assert learning.series_gain([time], 1.0, 0.5, weights)[0] == pytest.approx(0.4, abs=1e-9)
    assert learning.series_time(0.4, 1.0, 0.5, 0.01, 2) == pytest.approx(learning.mode_time(0.4, 1.0, 0.5, [0.1], [0.1]), rel=1e-9)


def test_the_time_is_found_next_to_the_target_where_it_grows_without_bound():
    for gap in (1e-4, 1e-9, 1e-13):
        time = learning.series_time(0.5 - gap, 1.0, 0.5, 0.01, 2)
        assert time == pytest.approx(np.log((0.5 - gap) * 0.49 / (0.01 * gap)), rel=1e-3 if gap < 1e-12 else 1e-7)
    assert learning.latent_size_curves([1.0], 1.0, 0.0, 3).plot().lines  # a target of zero is drawn without a division


def stages(T=300):
    from sysid.learning.statistics import pole_responses
    u = np.random.default_rng(2).normal(size=T)
    v = pole_responses(np.array([0.5]), pole_responses(np.array([0.8]), u)[:, 0])[:, 0]
    return u, v


def test_stages_in_series_learn_as_a_four_layer_linear_network():
    u, v = stages()
    y = 0.9 * v
    sigma, eta = (v @ v) / len(v), (v @ y) / len(v)
    weights = np.array([[0.5, 0.6], [0.55, 0.5]])
    run = learning.train_series([0.8, 0.5], u, y, weights, 2e-4, 4000)
    flow = learning.series_gain(run.times[::500][1:], sigma, eta, weights.ravel())
    assert np.abs(run.gain[::500][1:] - flow).max() < 5e-3
    assert np.allclose(np.diff(run.weights[-1] ** 2, axis=1), np.diff(weights**2, axis=1), atol=1e-3)


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_the_gradient_through_a_nonlinear_connection_is_exact(activation):
    from sysid.learning.series import _series_gradient
    u, v = stages(60)
    poles, y, w = np.array([0.8, 0.5, -0.4]), np.cos(v), np.array([[0.5, 0.6], [0.7, -0.5], [1.1, 0.8]])
    curved = activation == "tanh"
    _, gradient = _series_gradient(poles, u, y, w, curved)
    for where in np.ndindex(w.shape):
        E = np.zeros(w.shape)
        E[where] = 1e-6
        numeric = (_series_gradient(poles, u, y, w + E, curved)[0] - _series_gradient(poles, u, y, w - E, curved)[0]) / 2e-6
        assert gradient[where] == pytest.approx(numeric, abs=1e-8)


def test_a_nonlinear_connection_learns_as_the_linear_one_for_small_signals_only():
    u, v = stages()
    weights, gaps = np.array([[0.5, 0.6], [0.55, 0.5]]), []
    for scale in (1.0, 0.1, 0.01):
        # Rates are per unit of signal power so that all runs share one time axis.
        arguments = ([0.8, 0.5], scale * u, scale * 0.9 * v, weights, 2e-4 / scale**2, 2000)
        linear, curved = (learning.train_series(*arguments, activation=a) for a in ("linear", "tanh"))
        gaps.append(np.abs(linear.gain - curved.gain).max())
    assert gaps[0] > 1e-2 and gaps[1] < 0.1 * gaps[0] and gaps[2] < 0.02 * gaps[1]


def test_over_parameterisation_as_tabulated():
    """Time to 90 % of the target, balanced with 0.01 a copy: each factor four saves log(4) / (2 eta)."""
    sizes = (1, 4, 16)
    times = [learning.mode_time(0.9 * 0.5, 1.0, 0.5, np.full(n, 0.03), np.full(n, 0.03)) for n in sizes]
    curves = learning.latent_size_curves(np.linspace(0, 20, 400), 1.0, 0.5, sizes, start="unit", s0=1e-5)
    assert np.allclose(curves.rates, 1.0)
    assert times[0] - times[1] == pytest.approx(np.log(4), abs=0.02)
    total = learning.latent_size_curves(np.linspace(0, 20, 400), 1.0, 0.5, sizes, start="total")
    assert np.allclose(total.gains[0], total.gains[2], atol=1e-14)
    rng = np.random.default_rng(0)
    lazy = learning.latent_size_curves([0.0, 1.0], 1.0, 0.5, (64, 256), start="independent", rng=rng)
    assert np.allclose(lazy.rates, 2 * np.array([64, 256]), rtol=0.4)
    scaled = learning.latent_size_curves([0.0, 1.0], 1.0, 0.5, (64, 256, 1024), start="scaled", rng=rng)
    assert np.allclose(scaled.rates, np.sqrt(1 + 4), rtol=0.4)


def test_power_at_the_pole_speeds_learning():
    slow, fast = sysid.LTI([[-0.6]], [[1.0]], [[-0.6]], [[1.0]]), sysid.LTI([[0.6]], [[1.0]], [[0.6]], [[1.0]])
    curves = learning.data_covariance_curves(np.linspace(0, 6, 300), 0.7, ONE, {"white": None, "high": slow, "low": fast})
    white, high, low = curves.times_to_fit
    assert low < white < high
    assert np.allclose(curves.targets, 1.5)


def test_the_start_decides_between_sigmoid_and_exponential():
    curves = learning.initialisation_curves(np.linspace(0, 15, 300), 1.0, 0.5, {
        "small balanced": ([0.01], [0.01]), "unbalanced": ([3.0], [0.0])})
    assert curves.times_to_fit[1] < curves.times_to_fit[0]
    ax = curves.plot()
    assert len(ax.lines) == 3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="positive diagonal"):
        learning.lotka_volterra([1.0], np.zeros((1, 1)), [0.0], [0.1])
    with pytest.raises(ValueError, match="pole_flow"):
        learning.lotka_volterra([1.0], np.eye(1), [0.5], [-0.1])
    with pytest.raises(ValueError, match="stability limit"):
        learning.train_series([0.5], np.ones(50), np.ones(50), [[1.0, 1.0]], 50.0, 200)
    with pytest.raises(ValueError, match="linear, tanh"):
        learning.train_series([0.5], np.ones(5), np.ones(5), [[1.0, 1.0]], 0.1, 2, activation="relu")
    with pytest.raises(TypeError, match="explicit generator"):
        learning.latent_size_curves([1.0], 1.0, 0.5, [2], start="independent")
    with pytest.raises(ValueError, match="tau > 0"):
        learning.pole_flow([1.0], np.eye(1), [0.5], [0.1], [0.1], tau=0.0)
    with pytest.raises(ValueError, match="increasing times"):
        learning.lotka_volterra([], np.eye(1), [0.5], [0.1])
    with pytest.raises(ValueError, match="at least one output and one input"):
        learning.aligned_gain([1.0], 1.0, np.zeros((0, 2)), 0.1)
    with pytest.raises(TypeError, match="dict of label"):
        learning.initialisation_curves([1.0], 1.0, 0.5, [([0.1], [0.1])])
    with pytest.raises(TypeError, match="n_iterations as a whole number"):
        learning.train_series([0.5], np.ones(5), np.ones(5), [[1.0, 1.0]], 0.1, 2.5)
    with pytest.raises(ValueError, match="gain < eta / sigma"):
        learning.series_time(0.6, 1.0, 0.5, 0.1, 4)
