"""Norms, zeros and realisations against published numbers, identities and constructions."""

import numpy as np
import pytest

from sysid.linear.norms import h2_norm, hinf_norm, l1_gain
from sysid.linear.realizations import (
    controllability_matrix,
    controllable_basis,
    eigensystem_realization,
    minimal,
    modal,
    split,
)
from sysid.linear.response import markov_parameters, transfer_at
from sysid.linear.zeros import invariant_zeros

from .test_equations import stable

SHARP = (  # SLICOT AB13DD example: three lightly damped modes
    np.array([[0, 1, 0, 0, 0, 0], [-0.5, -0.0002, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, -1, -2e-05, 0, 0],
              [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, -2, -2e-06]]),
    np.array([[1.0], [0], [1], [0], [1], [0]]), np.array([[1.0, 0, 1, 0, 1, 0]]), np.zeros((1, 1)),
)
MIMO_3 = (  # python-control's test system, answers there computed with MATLAB
    np.array([[-1.017041847539126, -0.224182952826418, 0.042538079149249],
              [-0.310374015319095, -0.51646158140778, -0.11919579022175],
              [-1.452723568727942, 1.799586083710209, -1.491935830615152]]),
    np.array([[0.312858596637428, -0.164879019209038], [-0.864879917324456, 0.627707287528727],
              [-0.030051296196269, 1.093265669039484]]),
    np.array([[1.109273297614398, 0.077359091130425, -1.113500741486764],
              [-0.863652821988714, -1.214117043615409, -0.006849328103348]]), np.zeros((2, 2)),
)


def scalar(a, b, c, d):
    return tuple(np.array([[float(v)]]) for v in (a, b, c, d))


def random_model(rng, continuous):
    n, m, p = rng.integers(1, 12), rng.integers(1, 4), rng.integers(1, 4)
    A = stable(n, rng, rng.choice([0.5, 0.95, 0.9999]))
    if continuous:
        A = A - np.eye(n)
    return A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m)) * rng.choice([0, 1, 9])


def test_published_norms():
    value, omega = hinf_norm(*SHARP, continuous=True)
    assert value == pytest.approx(5.000000001e5, rel=1e-9)
    assert omega == pytest.approx(1.414213562, abs=1e-9)
    assert hinf_norm(*MIMO_3, continuous=True)[0] == pytest.approx(4.276759162964244, rel=1e-10)
    assert h2_norm(*MIMO_3, continuous=True) == pytest.approx(2.237461821810309, rel=1e-10)


def test_discrete_h2_counts_the_feedthrough():
    assert h2_norm(*scalar(0.5, 1, 1, 2)) ** 2 == pytest.approx(16 / 3, rel=1e-14)
    assert h2_norm(*scalar(-0.5, 1, 1, 2), continuous=True) == np.inf


@pytest.mark.parametrize("continuous", [False, True])
def test_hinf_is_attained_and_never_exceeded(continuous):
    rng = np.random.default_rng(11)
    for _ in range(40):
        model = random_model(rng, continuous)
        value, omega = hinf_norm(*model, continuous=continuous)
        grid = np.concatenate((np.geomspace(1e-6, 1e3, 800), [0.0])) if continuous else np.linspace(0, np.pi, 801)
        gains = np.linalg.norm(transfer_at(*model, 1j * grid if continuous else np.exp(1j * grid)), 2, axis=(1, 2))
        assert gains.max() <= value * (1 + 1e-9)
        if np.isfinite(omega):
            s = 1j * omega if continuous else np.exp(1j * omega)
            assert np.linalg.norm(transfer_at(*model, np.array([s]))[0], 2) == pytest.approx(value, rel=1e-9)
        else:
            assert value == pytest.approx(np.linalg.norm(model[3], 2), rel=1e-12)


def test_h2_is_the_energy_of_the_impulse_response():
    rng = np.random.default_rng(4)
    for _ in range(10):
        A, B, C, D = random_model(rng, False)
        A = A * 0.5
        h = markov_parameters(A, B, C, D, 400)
        assert h2_norm(A, B, C, D) == pytest.approx(np.sqrt(np.sum(h**2)), rel=1e-12)


def test_l1_gain_of_closed_forms():
    assert l1_gain(*scalar(0.5, 1, 1, 2)) == pytest.approx(4, rel=1e-8)
    assert l1_gain(*scalar(-0.5, 1, 1, 2)) == pytest.approx(4, rel=1e-8)
    assert l1_gain(*scalar(-0.5, 1, 1, 2), continuous=True) == pytest.approx(4, rel=1e-7)
    z = 0.1  # lightly damped: the total variation of the step response is coth(pi z / (2 sqrt(1 - z^2)))
    A, B, C = np.array([[0.0, 1], [-1, -2 * z]]), np.array([[0.0], [1]]), np.array([[1.0, 0]])
    assert l1_gain(A, B, C, np.zeros((1, 1)), continuous=True) == pytest.approx(
        1 / np.tanh(np.pi * z / np.sqrt(1 - z * z) / 2), rel=1e-7)


def test_l1_gain_bounds_the_amplification_of_any_bounded_input():
    rng = np.random.default_rng(5)
    A, B, C, D = random_model(rng, False)
    h = markov_parameters(A, B, C, D, 250_000)  # spectral radius .9999
    gain = l1_gain(A, B, C, D)
    worst = np.abs(h).sum(axis=(0, 2)).max()  # reached by u[t-k] = sign h_k
    assert gain == pytest.approx(worst, rel=1e-7)
    assert gain >= hinf_norm(A, B, C, D)[0] / np.sqrt(len(C)) - 1e-9


@pytest.mark.parametrize("norm", [h2_norm, hinf_norm, l1_gain])
def test_norms_of_unstable_models_are_refused(norm):
    with pytest.raises(ValueError, match=r"spectral radius 1\.02"):
        norm(*scalar(1.02, 1, 1, 0))
    with pytest.raises(ValueError, match="stability boundary"):
        norm(*scalar(0, 1, 1, 0), continuous=True)


@pytest.mark.parametrize("continuous", [False, True])
def test_all_pass_and_defective_models_have_their_known_norms(continuous):
    flat = scalar(-1, 1, -2, 1) if continuous else scalar(0.5, 0.75, 1, -0.5)
    assert hinf_norm(*flat, continuous=continuous)[0] == pytest.approx(1.0, rel=1e-12)
    A = 0.9 * np.eye(3) + np.diag(np.ones(2), 1) - continuous * np.eye(3)  # gain 1 / .1^3 at frequency 0
    triple = A, np.eye(3)[:, 2:], np.eye(3)[:1], np.zeros((1, 1))
    value, omega = hinf_norm(*triple, continuous=continuous)
    assert value == pytest.approx(1000.0, rel=1e-11) and omega == 0.0


def test_hinf_does_not_depend_on_units():
    rng = np.random.default_rng(12)
    A, B, C, D = random_model(rng, True)
    n = len(A)
    scale = 10.0 ** rng.uniform(-3, 3, n)
    fast = A * scale[None] / scale[:, None] * 1e5, B / scale[:, None], C * scale * 1e5, D
    (slow, where), (quick, there) = (hinf_norm(*m, continuous=True) for m in ((A, B, C, D), fast))
    assert quick == pytest.approx(slow, rel=1e-9) and (there == where or there == pytest.approx(1e5 * where, rel=1e-5))


def test_zeros_of_constructions():
    # Companion form with numerator (z - 2)(z + 0.5)(z - 0.1): three finite zeros, two at infinity.
    den, num = np.poly([0.1, 0.2, -0.3, 0.4, 0.5]), np.poly([2.0, -0.5, 0.1])
    A = np.vstack((-den[1:], np.eye(5)[:-1]))
    B, C = np.eye(5)[:, :1], np.concatenate(([0.0], num))[None]
    assert np.allclose(np.sort(invariant_zeros(A, B, C, np.zeros((1, 1))).real), [-0.5, 0.1, 2.0], atol=1e-10)
    # Square with invertible D: the zeros are the poles of the inverse.
    rng = np.random.default_rng(6)
    A, B, C, D = stable(6, rng), rng.standard_normal((6, 2)), rng.standard_normal((2, 6)), rng.standard_normal((2, 2))
    want = np.linalg.eigvals(A - B @ np.linalg.solve(D, C))
    got = invariant_zeros(A, B, C, D)
    assert len(got) == 6 and np.abs(got[:, None] - want).min(axis=1).max() < 1e-9
    # A tall generic system has none; a hidden mode is a zero; units do not matter.
    assert len(invariant_zeros(A, B[:, :1], C, D[:, :1])) == 0
    hidden = np.diag([0.5, 0.7])
    assert np.allclose(invariant_zeros(hidden, np.array([[1.0], [0]]), np.ones((1, 2)), np.eye(1))[-1], 0.7)
    scaled = invariant_zeros(A, 1e9 * B, 1e-9 * C, D)
    assert len(scaled) == 6 and np.abs(scaled[:, None] - want).min(axis=1).max() < 1e-7


def test_each_zero_blocks_its_frequency():
    rng = np.random.default_rng(7)
    A, B, C, D = stable(5, rng), rng.standard_normal((5, 2)), rng.standard_normal((2, 5)), np.zeros((2, 2))
    for z in invariant_zeros(A, B, C, D):
        pencil = np.block([[A - z * np.eye(5), B], [C, D]])
        values = np.linalg.svd(pencil, compute_uv=False)
        assert values[-1] < 1e-10 * values[0]


def test_staircase_rank_where_the_textbook_rank_test_fails():
    A, B = np.diag(np.linspace(0.1, 0.99, 20)), np.ones((20, 1))
    for unit in (1e-3, 1.0, 100.0):
        assert controllable_basis(unit * A, B).shape[1] == 20
    assert np.linalg.matrix_rank(controllability_matrix(100 * A, B, 20)) < 10
    A[3, 3] = A[4, 4]  # a repeated pole with one input cannot be reached in both directions
    small = slice(0, 8)
    assert controllable_basis(A[small, small], B[small]).shape[1] == 7
    assert controllable_basis(1e6 * A[small, small], 1e-9 * B[small]).shape[1] == 7


def test_minimal_modal_and_split_keep_the_transfer_function():
    rng = np.random.default_rng(8)
    T = rng.standard_normal((6, 6))
    A = T @ np.diag([0.9, 0.5, -0.3, 0.2, 1.5, -1.2]) @ np.linalg.inv(T)
    B = T @ np.array([[1.0], [0], [1], [1], [1], [1]])
    C = np.array([[1.0, 1, 1, 0, 1, 1]]) @ np.linalg.inv(T)
    D, z = np.zeros((1, 1)), np.exp(1j * np.linspace(0.2, 3, 5))
    H = transfer_at(A, B, C, D, z)
    Am, Bm, Cm = minimal(A, B, C, 1e-10)
    assert len(Am) == 4 and np.allclose(transfer_at(Am, Bm, Cm, D, z), H, rtol=1e-8)
    assert np.allclose(transfer_at(*modal(A, B, C)[:3], D, z), H, rtol=1e-8)
    inside, outside = split(A, B, C)
    assert len(inside[0]) == 4 and len(outside[0]) == 2
    assert np.allclose(transfer_at(*inside, D, z) + transfer_at(*outside, D, z), H, rtol=1e-8)
    with pytest.raises(ValueError, match="diagonalisable"):
        modal(np.array([[0.5, 1], [0, 0.5]]), np.ones((2, 1)), np.ones((1, 2)))


def test_eigensystem_realization_of_noiseless_markov_parameters():
    rng = np.random.default_rng(9)
    A, B, C, D = stable(4, rng, 0.8), rng.standard_normal((4, 2)), rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    h = markov_parameters(A, B, C, D, 30)
    Ae, Be, Ce, De, values = eigensystem_realization(h)
    assert len(Ae) == 4 and values[4] < 1e-12 * values[0]
    assert np.allclose(markov_parameters(Ae, Be, Ce, De, 60), markov_parameters(A, B, C, D, 60), atol=1e-10)
    with pytest.raises(ValueError, match="order <= 4"):
        eigensystem_realization(h, order=6)
    with pytest.raises(ValueError, match="rows"):
        eigensystem_realization(h, rows=20, columns=20)


def test_the_peak_gain_of_a_stiff_system_resolves_every_mode_while_it_lives():
    """Twelve decades of time constants, all responses positive: the gain is the sum of the static ones."""
    poles = np.array([1e-6, 1.0, 1e6])
    assert l1_gain(-np.diag(poles), np.ones((3, 1)), poles[None], np.zeros((1, 1)), continuous=True) == pytest.approx(3.0, rel=1e-7)


@pytest.mark.parametrize("continuous", [False, True])
def test_norms_do_not_depend_on_the_units_of_states_and_signals(continuous):
    rng = np.random.default_rng(4)
    A = rng.standard_normal((5, 5))
    A = A - (np.linalg.eigvals(A).real.max() + 0.2) * np.eye(5) if continuous else 0.9 * A / np.abs(np.linalg.eigvals(A)).max()
    B, C, D = rng.standard_normal((5, 2)), rng.standard_normal((2, 5)), rng.standard_normal((2, 2))
    size = 2.0 ** rng.integers(-30, 30, 5)
    other = size[:, None] * A / size, size[:, None] * B * 2.0**-400, C / size * 2.0**-100, D * 2.0**-500
    for norm in (lambda *m: hinf_norm(*m, continuous=continuous)[0], lambda *m: l1_gain(*m, continuous=continuous)):
        assert norm(*other) == pytest.approx(norm(A, B, C, D) * 2.0**-500, rel=1e-9)
