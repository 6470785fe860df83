"""Counterexamples to formulas as printed, in bare NumPy; docs/corrections.md tells each in words under the same number.

What the package computes instead is tested beside its code; here stands only why the printed formula cannot be used.
"""

import numpy as np
import pytest
from numpy.linalg import eigvals, eigvalsh, norm
from scipy.linalg import expm, solve_discrete_lyapunov


def radius(A):
    return abs(eigvals(A)).max()


def test_01_spectral_radius_below_one_does_not_give_the_echo_state_property():
    W = np.array([[0.1764, -5.9586], [0.1080, 1.4674]])
    assert radius(W) == pytest.approx(0.95, abs=1e-3)
    ends = []
    for start in ([1e-3, 1e-3], [1.0, -0.8], [-1.0, 0.8]):
        x = np.array(start)
        for _ in range(5000):
            x = np.tanh(W @ x)
        ends.append(x)
    assert norm(ends[0]) < 1e-6
    np.testing.assert_allclose(ends[1], [0.9999, -0.7716], atol=1e-4)
    np.testing.assert_allclose(ends[2], -ends[1], atol=1e-12)


def test_01_the_order_of_slope_and_weight_matters():
    W, J = np.array([[0.0, 2.0], [0.0, 0.0]]), np.diag([1.0, 0.1])
    assert norm(W @ J, 2) == pytest.approx(0.2) and norm(J @ W, 2) == pytest.approx(2.0)


def test_02_a_hidden_unstable_mode_leaves_the_output_bounded():
    A, B, C = np.diag([0.5, 2.0]), np.array([[1.0], [0.0]]), np.array([[1.0, 1.0]])
    h = [(C @ np.linalg.matrix_power(A, k) @ B).item() for k in range(5)]
    np.testing.assert_allclose(h, [1, 0.5, 0.25, 0.125, 0.0625])
    assert radius(A) == 2.0


def test_03_the_closed_form_and_the_series_of_eq_58_differ_by_one_delay():
    z, A = 2.0, 0.5
    series = sum(z ** -(k + 1) * A**k for k in range(60))
    assert 1 / (1 - A / z) == pytest.approx(4 / 3) and series == pytest.approx(2 / 3)
    assert 1 / (z - A) == pytest.approx(series)


def test_04_the_impulse_response_of_the_printed_recursion_starts_one_step_later():
    x, y = 0.0, []
    for u in (1.0, 0.0, 0.0, 0.0):
        y.append(x)
        x = 0.5 * x + u
    assert y == [0.0, 1.0, 0.5, 0.25]


def test_06_a_defective_matrix_decays_slower_than_its_spectral_radius():
    A = np.array([[0.9, 1.0], [0.0, 0.9]])
    ratio = [norm(np.linalg.matrix_power(A, k), 2) / 0.9**k for k in (1, 10, 100)]
    np.testing.assert_allclose(ratio, [1.7, 11.2, 111], rtol=0.02)


def test_07_the_printed_horizon_leaves_almost_the_whole_tail():
    rho, eps = 0.99, 0.01
    tail = lambda H: rho ** (H + 1) / (1 - rho)  # noqa: E731
    printed = np.ceil(np.log(1 / eps) / (1 - rho))
    correct = np.ceil(np.log(1 / (eps * (1 - rho))) / -np.log(rho))
    assert (printed, correct) == (461, 917)
    assert tail(printed) > 0.9 and tail(correct) <= eps


def test_08_the_printed_horizon_is_one_step_short():
    kappa, gain, eps = 0.5, 1.0, 0.25
    printed = int(np.ceil(np.log(gain / eps) / -np.log(kappa)))
    contribution = lambda h: kappa ** (h - 1) * gain  # noqa: E731
    assert printed == 2 and contribution(printed) > eps >= contribution(printed + 1)


def test_09_half_life_and_e_folding_are_different_targets():
    assert 2 ** (-1 / 10) == pytest.approx(0.933, abs=1e-3) and np.exp(-1 / 10) == pytest.approx(0.905, abs=1e-3)


def test_10_a_normal_matrix_need_not_have_its_radius_as_an_eigenvalue():
    W, leak = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]]), 0.5
    assert (1 - leak) + leak * 0.9 == pytest.approx(0.95)
    assert radius((1 - leak) * np.eye(2) + leak * W) == pytest.approx(0.673, abs=1e-3)


def test_11_an_orthogonal_matrix_times_radii_is_not_normal():
    H = np.array([[1.0]])
    for _ in range(3):
        H = np.block([[H, H], [H, -H]])
    r = np.linspace(0.3, 0.95, 8)
    W = H / np.sqrt(8) @ np.diag(r)
    assert norm(W @ W.T - W.T @ W, 2) > 0.3
    assert abs(np.sort(abs(eigvals(W))) - r).max() > 0.05


def test_12_a_componentwise_error_is_larger_as_a_vector():
    assert norm(np.full(100, 0.01)) == pytest.approx(np.sqrt(100) * 0.01)


def test_14_the_printed_inequality_certifies_a_map_with_three_equilibria():
    leak, W, P, L, V = 1.0, 3.0, 0.1, 1.0, 1.0
    A0, Bz = 1 - leak, leak * V
    block = np.array([[A0 * P * A0 - P, A0 * P * Bz], [Bz * P * A0, Bz * P * Bz - 1 / L**2]])
    assert eigvalsh(block).max() < 0
    x = 1.0
    for _ in range(100):
        x = np.tanh(W * x)
    assert x == pytest.approx(0.995, abs=1e-3)


def test_16_frozen_stable_matrices_may_multiply_to_an_unstable_one():
    A = np.array([[0.5, 2.0], [0.0, 0.5]])
    assert radius(A) == 0.5 and radius(A @ A.T) == pytest.approx(4.49, abs=0.01)


def test_17_the_echo_state_property_needs_no_contraction():
    x = 1.0
    for _ in range(10_000):
        x = np.tanh(x)
    assert x == pytest.approx(np.sqrt(3 / 2e4), rel=1e-3)
    assert np.tanh(x) / x > 1 - 1e-4


def test_17_stability_at_rest_does_not_give_the_echo_state_property():
    W = np.array([[-2.3148, -1.5211, -1.6402], [0.5601, -0.5215, 0.2654], [1.7687, 1.8, 0.9969]])
    u = np.array([-0.3728, 0.4453, -0.7604])
    X = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    rest, driven = X, X
    for _ in range(2000):
        rest, driven = np.tanh(rest @ W.T), np.tanh(driven @ W.T + u)
    assert abs(rest).max() < 1e-80
    assert np.ptp(driven, axis=0).min() > 0.3


def _lag_error(dt, both):
    """Largest error over [0, 4] of one step rule for dx/dt = -x + cos(t), x(0) = 0."""
    t = np.arange(0, 4 + dt / 2, dt)
    exact = (np.cos(t) + np.sin(t) - np.exp(-t)) / 2
    a = (1 - dt / 2) / (1 + dt / 2)
    x = np.zeros_like(t)
    for k in range(len(t) - 1):
        s = (np.cos(t[k]) + np.cos(t[k + 1])) / 2 if both else np.cos(t[k])
        x[k + 1] = a * x[k] + (1 - a) * s
    return abs(x - exact).max()


def test_18_holding_the_drive_makes_tustins_rule_first_order():
    held = [_lag_error(dt, both=False) for dt in (0.1, 0.05, 0.025)]
    true = [_lag_error(dt, both=True) for dt in (0.1, 0.05, 0.025)]
    assert 1.8 < held[0] / held[1] < 2.2 and 1.8 < held[1] / held[2] < 2.2
    assert 3.8 < true[0] / true[1] < 4.2 and 3.8 < true[1] / true[2] < 4.2


def test_19_tustins_pole_lies_farther_out():
    tustin = lambda s, dt: (1 + s * dt / 2) / (1 - s * dt / 2)  # noqa: E731
    assert tustin(-1.0, 1.0) == pytest.approx(1 / 3) and np.exp(-1.0) == pytest.approx(0.368, abs=1e-3)
    s = -0.1 + 10j
    assert abs(tustin(s, 0.5)) == pytest.approx(0.9931, abs=1e-4)
    assert abs(np.exp(s * 0.5)) == pytest.approx(0.9512, abs=1e-4)


def test_20_eulers_bound_fails_beyond_one_time_constant():
    step, W = 1.9, -0.5
    assert 1 - step * (1 - abs(W)) == pytest.approx(0.05)
    assert abs((1 - step) + step * W) == pytest.approx(1.85)


def test_20_the_logarithmic_norm_bounds_the_exponential():
    A = np.random.default_rng(0).standard_normal((5, 5)) - 3 * np.eye(5)
    mu = eigvalsh((A + A.T) / 2).max()
    assert all(norm(expm(A * dt), 2) <= np.exp(mu * dt) * (1 + 1e-12) for dt in (0.1, 1.0, 5.0))


def test_28_more_process_noise_gives_rougher_states():
    y = np.random.default_rng(0).standard_normal(200)
    D = np.diff(np.eye(200), axis=0)
    rough = [((D @ np.linalg.solve(np.eye(200) + D.T @ D / q, y)) ** 2).mean() for q in (0.01, 0.1, 1.0, 10.0)]
    assert rough == sorted(rough)


def test_29_the_second_bound_of_eq_81_drops_the_initial_distance():
    initial, disturbance, kappa = 1.0, 0.0, 0.5
    assert initial > disturbance / (1 - kappa)


def test_30_a_contracting_stack_need_not_contract_in_the_euclidean_norm():
    A = np.array([[0.5, 0.0], [5.0, 0.5]])
    weight = np.diag([1.0, 1e-3])
    assert radius(A) == 0.5 and norm(A, 2) == pytest.approx(5.05, abs=0.01)
    assert norm(weight @ A @ np.linalg.inv(weight), 2) < 0.51


def test_31_varying_slopes_break_the_frequencywise_test():
    rng, n, worst = np.random.default_rng(0), 16, 0.0
    for _ in range(100):
        kernel = np.zeros(n)
        kernel[[0, 1, -1]] = rng.standard_normal(3)
        W = np.array([np.roll(kernel, k) for k in range(n)]).T
        slopes = rng.uniform(0, 1, n)
        worst = max(worst, abs(radius(slopes[:, None] * W) - radius(slopes.mean() * W)))
    assert worst > 0.1


def test_32_a_bilinear_lift_does_not_remove_the_squares_of_the_input():
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((500, 2)), rng.standard_normal(500)
    after = np.column_stack([0.9 * x[:, 0] + u, 0.5 * x[:, 1] + 0.3 * x[:, 0] ** 2])
    lift = lambda v: np.column_stack([np.ones(len(v)), v, v[:, 0] ** 2])  # noqa: E731
    z, target = lift(x), lift(after)

    def residual(regressors):
        return norm(target - regressors @ np.linalg.lstsq(regressors, target, rcond=None)[0]) / np.sqrt(500)

    linear, bilinear = np.column_stack([z, u]), np.column_stack([z, u, z * u[:, None]])
    squares = np.column_stack([bilinear, u**2])
    assert residual(linear) > residual(bilinear) > 0.3 and residual(squares) < 1e-12


def test_34_a_lift_with_a_constant_has_an_eigenvalue_one():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 300)
    lift = lambda v: np.column_stack([np.ones_like(v), v, v**2])  # noqa: E731
    K = np.linalg.lstsq(lift(x), lift(0.5 * np.tanh(x)), rcond=None)[0].T
    assert radius(K) == pytest.approx(1.0, abs=1e-12)


def test_35_the_covariance_of_a_diagonal_model_fills_in():
    rng, n = np.random.default_rng(0), 50
    A, C, P = np.diag(rng.uniform(0.5, 0.99, n)), rng.standard_normal((1, n)), np.eye(n)
    for _ in range(3):
        P = A @ P @ A.T + 0.1 * np.eye(n)
        K = P @ C.T / (C @ P @ C.T + 1.0)
        P = P - K @ C @ P
    assert (abs(P) > 1e-12).mean() > 0.95


def test_36_the_feedthrough_counts_in_the_h2_norm():
    A, B, C, D = (np.array([[v]]) for v in (0.5, 1.0, 1.0, 2.0))
    Wc = solve_discrete_lyapunov(A, B @ B.T)
    assert (C @ Wc @ C.T).item() == pytest.approx(4 / 3)
    impulse = [2.0] + [0.5**k for k in range(60)]
    assert np.square(impulse).sum() == pytest.approx(16 / 3)
    assert (C @ Wc @ C.T + D @ D.T).item() == pytest.approx(16 / 3)


def test_37_the_smallest_gramian_eigenvalue_depends_on_the_basis():
    A, B = np.diag([0.5, 0.8]), np.ones((2, 1))
    T = np.diag([1.0, 1e-3])
    smallest = [eigvalsh(solve_discrete_lyapunov(T_ @ A @ np.linalg.inv(T_), T_ @ B @ B.T @ T_.T)).min()
                for T_ in (np.eye(2), T)]
    assert smallest[1] < 1e-5 * smallest[0]


def test_38_a_singular_matrix_has_no_constant_term_to_normalise():
    A = np.array([[0.0, 1.0], [0.0, 0.5]])
    characteristic = np.poly(A)
    assert characteristic[0] == 1.0 and characteristic[-1] == pytest.approx(0.0)
