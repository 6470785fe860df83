"""Matrix equations solve their own equation, agree with the textbook sum, and say when they cannot."""

import numpy as np
import pytest
import scipy.linalg as sla

from sysid.linear.equations import (
    _discrete_by_columns,
    _discrete_by_schur,
    continuous_lyapunov,
    continuous_sylvester,
    discrete_lyapunov,
    discrete_sylvester,
    smith_doubling,
)
from sysid.linear.riccati import continuous_riccati, discrete_riccati, filter_riccati


def stable(n, rng, radius=0.95):
    A = rng.standard_normal((n, n))
    return A * radius / np.abs(np.linalg.eigvals(A)).max()


def relative(residual, X):
    return np.linalg.norm(residual) / np.linalg.norm(X)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_discrete_lyapunov_by_three_routes_solves_the_equation(n):
    rng = np.random.default_rng(n)
    A, Q = stable(n, rng), np.eye(n)
    textbook = sum(np.linalg.matrix_power(A, k) @ np.linalg.matrix_power(A, k).T for k in range(1500))
    for X in (discrete_lyapunov(A, Q), _discrete_by_schur(A, Q), _discrete_by_columns(A, Q)):
        assert relative(X - textbook, X) < 1e-12
        assert relative(A @ X @ A.T + Q - X, X) < 1e-13
        assert np.array_equal(X, X.T)


def test_discrete_lyapunov_of_an_unstable_matrix_solves_the_equation():
    rng = np.random.default_rng(0)
    A = 2 * rng.standard_normal((6, 6))
    X = discrete_lyapunov(A, np.eye(6))
    assert smith_doubling(A, np.eye(6)) is None
    assert relative(A @ X @ A.T + np.eye(6) - X, X) < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_near_unit_root_keeps_eight_digits(sign):
    X = discrete_lyapunov(np.array([[sign * (1 - 1e-10)]]), np.eye(1))
    assert X[0, 0] == pytest.approx(4999999586.29818, rel=1e-10)


def test_eigenvalues_near_both_one_and_minus_one():
    A = np.diag([1 - 1e-8, -1 + 1e-8, 0.5])
    X = discrete_lyapunov(A, np.eye(3))
    assert np.allclose(np.diag(X), 1 / (1 - np.diag(A) ** 2), rtol=1e-7)


def test_published_lyapunov_solution():
    # A' X A - X = C, SLICOT SB03MD example; A is unstable.
    A = np.array([[3.0, 1, 1], [1, 3, 0], [0, 0, 3]])
    C = np.array([[25.0, 24, 15], [24, 32, 8], [15, 8, 40]])
    assert np.allclose(discrete_lyapunov(A.T, -C), [[2, 1, 1], [1, 3, 0], [1, 0, 4]], atol=1e-12)


def test_reciprocal_eigenvalues_are_refused():
    with pytest.raises(ValueError, match="no unique solution"):
        discrete_lyapunov(np.diag([2.0, 0.5]), np.eye(2))
    with pytest.raises(ValueError, match="no unique solution"):
        continuous_lyapunov(np.diag([1.0, -1.0]), np.eye(2))


def test_continuous_lyapunov_and_both_sylvesters():
    rng = np.random.default_rng(1)
    A, B, C = stable(8, rng) - np.eye(8), stable(5, rng), rng.standard_normal((8, 5))
    X = continuous_lyapunov(A, np.eye(8))
    assert relative(A @ X + X @ A.T + np.eye(8), X) < 1e-13
    X = continuous_sylvester(A, B - np.eye(5), C)
    assert relative(A @ X + X @ (B - np.eye(5)) - C, X) < 1e-12
    X = discrete_sylvester(A, B, C)
    assert relative(A @ X @ B + C - X, X) < 1e-12
    with pytest.raises(ValueError, match="share"):
        continuous_sylvester(np.eye(2), -np.eye(2), np.ones((2, 2)))


@pytest.mark.parametrize(("n", "p"), [(1, 1), (4, 2), (30, 3)])
def test_filter_riccati_agrees_with_the_pencil(n, p):
    rng = np.random.default_rng(n)
    A, C = stable(n, rng, 1.1), rng.standard_normal((p, n))
    joint = rng.standard_normal((n + p, n + p))
    joint = joint @ joint.T
    Q, R, S = joint[:n, :n], joint[n:, n:], joint[:n, n:]
    solution = filter_riccati(A, C, Q, R, S)
    assert solution.converged and solution.radius() < 1
    assert np.allclose(solution.X, sla.solve_discrete_are(A.T, C.T, Q, R, s=S), rtol=1e-8, atol=1e-10)
    assert np.allclose(solution.closed_loop, A - solution.gain @ C)


def test_continuous_riccati_agrees_with_scipy():
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((9, 9)), rng.standard_normal((9, 2))
    solution = continuous_riccati(A, B, np.eye(9), 2 * np.eye(2))
    assert solution.converged
    assert np.allclose(solution.X, sla.solve_continuous_are(A, B, np.eye(9), 2 * np.eye(2)), rtol=1e-9)


def test_riccati_reports_what_it_cannot_solve():
    unobserved = filter_riccati(np.diag([2.0, 0.5]), np.array([[0.0, 1.0]]), np.eye(2), np.eye(1))
    assert not unobserved.converged and "observed" in unobserved.message
    boundary = filter_riccati(np.eye(1), np.eye(1), np.zeros((1, 1)), np.eye(1))
    assert not boundary.converged and "boundary" in boundary.message


def test_riccati_with_singular_output_noise():
    solution = filter_riccati(np.array([[0.9]]), np.eye(1), np.eye(1), np.zeros((1, 1)))
    assert solution.converged and solution.X[0, 0] == pytest.approx(1.0)
    assert discrete_riccati(np.array([[0.9]]), np.eye(1), np.eye(1), np.zeros((1, 1))).converged


def test_riccati_is_free_of_scale():
    A, C = np.array([[0.9, 0.1], [0.0, 0.8]]), np.array([[1.0, 0.0]])
    one = filter_riccati(A, C, np.eye(2), np.eye(1))
    tiny = filter_riccati(A, C, 1e-16 * np.eye(2), 1e-16 * np.eye(1))
    assert tiny.converged and np.allclose(tiny.X * 1e16, one.X, rtol=1e-12)


def test_a_riccati_equation_without_states_has_the_empty_solution_and_nothing_on_the_terminal(capfd):
    from sysid.linear.riccati import continuous_riccati, discrete_riccati

    none = np.zeros((0, 0))
    for solve in (discrete_riccati, continuous_riccati):
        found = solve(none, np.zeros((0, 2)), none, np.eye(2))
        assert found.converged and found.X.shape == (0, 0) and found.gain.shape == (2, 0)
    assert capfd.readouterr() == ("", "")
