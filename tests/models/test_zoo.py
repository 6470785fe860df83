"""The standard systems have the structure that they are known for."""

import numpy as np
import pytest

import sysid


def test_hippo_has_integer_poles_and_is_normal_plus_rank_one():
    model = sysid.hippo_legs(8)
    np.testing.assert_allclose(np.sort(model.poles().real), -np.arange(8.0, 0, -1), atol=1e-8)
    skew = model.A + 0.5 * model.B @ model.B.T + 0.5 * np.eye(8)
    np.testing.assert_allclose(skew, -skew.T, atol=1e-12)


@pytest.mark.parametrize("kind, frequencies", [("lin", np.pi * np.arange(4)),
                                               ("inv", 8 / np.pi * (8 / (2 * np.arange(4) + 1) - 1))])  # fmt: skip
def test_s4d_is_normal_with_the_published_poles(kind, frequencies):
    A = sysid.s4d(8, kind).A
    np.testing.assert_allclose(A @ A.T, A.T @ A, atol=1e-12)
    poles = np.linalg.eigvals(A)
    np.testing.assert_allclose(poles.real, -0.5, atol=1e-12)
    np.testing.assert_allclose(np.sort(np.abs(poles.imag)), np.sort(np.repeat(frequencies, 2)), atol=1e-10)


def test_an_odd_number_of_states_has_no_s4d():
    with pytest.raises(ValueError, match="even"):
        sysid.s4d(5)
