"""Gramians, factors, Hankel values and responses against sums, integrals and published numbers."""

import numpy as np
import pytest
import scipy.linalg as sla
from scipy.integrate import quad_vec

from sysid.linear.gramians import finite_gramian, gramian, gramian_factor, gramian_horizon, noise_integral
from sysid.linear.hankel import balancing, hankel_matrix, hankel_singular_values
from sysid.linear.response import markov_parameters, residues, transfer_at, transfer_polynomials

from .test_equations import relative, stable

HANKEL_7 = (  # SLICOT AB09AD example
    np.array([[-0.04165, 0, 4.92, -4.92, 0, 0, 0], [-5.21, -12.5, 0, 0, 0, 0, 0], [0, 3.33, -3.33, 0, 0, 0, 0],
              [0.545, 0, 0, 0, -0.545, 0, 0], [0, 0, 0, 4.92, -0.04165, 0, 4.92], [0, 0, 0, 0, -5.21, -12.5, 0],
              [0, 0, 0, 0, 0, 3.33, -3.33]]),
    np.array([[0, 0], [12.5, 0], [0, 0], [0, 0], [0, 0], [0, 12.5], [0, 0]]),
    np.array([[1.0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0]]),
)


def test_published_hankel_values():
    values = hankel_singular_values(*HANKEL_7, continuous=True)
    assert np.allclose(values, [2.5139, 2.0846, 1.9178, 0.7666, 0.5473, 0.0253, 0.0246], atol=5e-5)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("n", [1, 3, 20])
def test_factor_and_gramian_agree(n, continuous):
    rng = np.random.default_rng(n)
    A = stable(n, rng) - (np.eye(n) if continuous else 0)
    B = rng.standard_normal((n, 2))
    W, Z = gramian(A, B, continuous=continuous), gramian_factor(A, B, continuous=continuous)
    assert Z.shape[1] <= max(n, 2)
    assert relative(Z @ Z.T - W, W) < 1e-12


def test_factor_keeps_hankel_values_that_the_product_of_gramians_loses():
    # Diagonal decoupled system: sigma_i = b_i c_i / (1 - a_i^2), here down to 1e-14 of the largest.
    a, b = np.array([0.5, 0.4, 0.3]), np.array([1.0, 1e-4, 1e-7])
    values = hankel_singular_values(np.diag(a), np.diag(b), np.diag(b))
    assert np.allclose(values, b**2 / (1 - a**2), rtol=1e-10)


def test_unstable_gramian_names_radius_and_the_finite_horizon():
    A = np.array([[1.02, 0.0], [0.0, 0.5]])
    with pytest.raises(ValueError, match=r"Gramian does not exist: spectral radius 1.02.*horizon"):
        gramian(A, np.ones((2, 1)))
    with pytest.raises(ValueError, match="boundary"):
        gramian_factor(np.eye(1), np.eye(1))
    W = finite_gramian(A, np.ones((2, 1)), 7)
    textbook = sum(np.outer(v, v) for v in (np.linalg.matrix_power(A, k) @ np.ones(2) for k in range(7)))
    assert np.allclose(W, textbook, rtol=1e-13)


def test_finite_continuous_gramian_is_the_integral():
    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((4, 4)), rng.standard_normal((4, 2))
    want, _ = quad_vec(lambda t: (E := sla.expm(A * t)) @ B @ B.T @ E.T, 0, 3.0, epsabs=1e-13, epsrel=1e-13)
    assert relative(finite_gramian(A, B, 3.0, continuous=True) - want, want) < 1e-12
    E, V = noise_integral(A, B @ B.T, 3.0)
    assert relative(V - want, want) < 1e-12 and relative(E - sla.expm(3 * A), E) < 1e-12


def test_horizon_by_tolerance_holds_where_the_rate_rule_does_not():
    A, B = np.array([[0.9, 10.0], [0.0, 0.9]]), np.array([[0.0], [1.0]])
    W = gramian(A, B)
    paper = int(5 / (1 - 0.9))
    assert relative(W - finite_gramian(A, B, paper), W) > 1e-3
    T = gramian_horizon(A, B, 1e-6)
    assert relative(W - finite_gramian(A, B, T), W) <= 1.0001e-6
    assert relative(W - finite_gramian(A, B, T - 1), W) > 1e-6
    Tc = gramian_horizon(A - np.eye(2), B, 1e-6, continuous=True)
    Wc = gramian(A - np.eye(2), B, continuous=True)
    assert relative(Wc - finite_gramian(A - np.eye(2), B, Tc, continuous=True), Wc) <= 1.1e-6


@pytest.mark.parametrize("continuous", [False, True])
def test_balancing_makes_both_gramians_the_hankel_values(continuous):
    rng = np.random.default_rng(5)
    A = stable(9, rng, 0.8) - (np.eye(9) if continuous else 0)
    B, C = rng.standard_normal((9, 2)), rng.standard_normal((2, 9))
    left, right, values = balancing(A, B, C, continuous=continuous)
    Ab, Bb, Cb = left @ A @ right, left @ B, C @ right
    assert np.allclose(left @ right, np.eye(9), atol=1e-9)
    for W in (gramian(Ab, Bb, continuous=continuous), gramian(Ab.T, Cb.T, continuous=continuous)):
        assert np.allclose(W, np.diag(values), atol=1e-9 * values[0])
    hidden = np.vstack((B, np.zeros((1, 2)))), np.hstack((C, np.ones((2, 1))))
    left, _, values = balancing(np.block([[A, np.ones((9, 1))], [np.zeros((1, 9)), -0.5 * np.eye(1)]]), *hidden,
                                continuous=continuous)
    assert len(left) == 9 and values[9] < 1e-12 * values[0]


@pytest.mark.parametrize(("n", "m", "p"), [(1, 1, 1), (6, 2, 3), (53, 3, 1), (0, 1, 2)])
def test_transfer_at_equals_one_solve_a_point(n, m, p):
    rng = np.random.default_rng(n)
    A = stable(n, rng) if n else np.zeros((0, 0))
    B, C, D = rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m))
    z = np.exp(1j * np.linspace(0, np.pi, 33))
    want = np.array([C @ np.linalg.solve(s * np.eye(n) - A, B) + D for s in z])
    assert np.allclose(transfer_at(A, B, C, D, z), want, rtol=1e-10, atol=1e-12)
    assert np.allclose(transfer_at(A, B, C, D, z[:2]), want[:2], rtol=1e-10, atol=1e-12)


def test_transfer_at_a_pole_is_refused():
    with pytest.raises(ValueError, match="not poles"):
        transfer_at(np.diag([1.0, 0.5]), np.ones((2, 1)), np.ones((1, 2)), np.zeros((1, 1)), np.array([1.0, 2, 3]))


def test_markov_parameters_convention_and_powers():
    A, B, C, D = np.array([[0.5]]), np.eye(1), np.eye(1), np.zeros((1, 1))
    assert np.allclose(markov_parameters(A, B, C, D, 4).ravel(), [0, 1, 0.5, 0.25])
    rng = np.random.default_rng(7)
    A, B, C, D = stable(5, rng), rng.standard_normal((5, 2)), rng.standard_normal((3, 5)), rng.standard_normal((3, 2))
    h = markov_parameters(A, B, C, D, 38)
    want = [D] + [C @ np.linalg.matrix_power(A, k - 1) @ B for k in range(1, 38)]
    assert np.allclose(h, want, rtol=1e-12, atol=1e-13)
    H = hankel_matrix(h, 4, 3)
    assert np.allclose(H[3:6, 2:4], h[1 + 1 + 1]) and H.shape == (12, 6)
    assert np.linalg.matrix_rank(hankel_matrix(h, 10, 10), tol=1e-9) == 5


def test_polynomials_and_residues_reproduce_the_response():
    rng = np.random.default_rng(8)
    A, B, C, D = stable(5, rng), rng.standard_normal((5, 2)), rng.standard_normal((2, 5)), rng.standard_normal((2, 2))
    z = np.exp(1j * np.linspace(0.1, 3, 7))
    H = transfer_at(A, B, C, D, z)
    num, den = transfer_polynomials(A, B, C, D)
    assert np.allclose(np.array([[[np.polyval(num[i, j], s) / np.polyval(den, s) for j in range(2)] for i in range(2)]
                                 for s in z]), H, rtol=1e-9)
    poles, R, condition = residues(A, B, C)
    assert condition < 1e4
    assert np.allclose(np.einsum("ipm,fi->fpm", R, 1 / (z[:, None] - poles)) + D, H, rtol=1e-9)
