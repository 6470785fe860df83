"""Gaussians: densities and samples agree with their moments; indefinite covariances are refused."""

import numpy as np
import pytest

import sysid


def test_log_density_equals_the_textbook_formula():
    rng = np.random.default_rng(1)
    M = rng.standard_normal((3, 3))
    cov, mean, x = M @ M.T, rng.standard_normal(3), rng.standard_normal(3)
    e = x - mean
    expected = -0.5 * (e @ np.linalg.solve(cov, e) + np.linalg.slogdet(2 * np.pi * cov)[1])
    assert sysid.Gaussian(mean, cov).log_density(x) == pytest.approx(expected, rel=1e-12)


def test_samples_have_the_moments_also_when_singular():
    v = np.array([[1.0], [2.0]])
    draws = sysid.Gaussian([1.0, -1.0], v @ v.T).sample(np.random.default_rng(0), 40_000)
    np.testing.assert_allclose(np.cov(draws.T), v @ v.T, rtol=0.03)
    np.testing.assert_allclose(draws[:, 1] + 1, 2 * (draws[:, 0] - 1), atol=1e-9)


@pytest.mark.parametrize("cov, words", [
    ([[1.0, 2.0], [2.0, 1.0]], "eigenvalue -1"),
    ([[1.0, 0.5], [0.0, 1.0]], "symmetric"),
    ([1.0, -1.0], "eigenvalue -1"),
    (np.eye(3), "shape"),
])  # fmt: skip
def test_bad_covariances_are_refused(cov, words):
    with pytest.raises(ValueError, match=words):
        sysid.Gaussian([0.0, 0.0], cov)


def test_a_tiny_negative_eigenvalue_of_a_badly_scaled_covariance_is_not_hidden_by_the_large_one():
    with pytest.raises(ValueError, match="positive semidefinite"):
        sysid.Gaussian(np.zeros(3), [[1e12, 0, 0], [0, 1.0, 2.0], [0, 2.0, 1.0]])
