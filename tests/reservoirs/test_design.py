"""Recipes: the poles, kernels and drives asked for are those that come out."""

import numpy as np
import pytest

import sysid
from sysid.reservoirs import modal_esn, pole_radius, scale_for_radius, spectrum_tile, whitened_input


def test_memory_to_radius():
    assert pole_radius(half_life=10) ** 10 == pytest.approx(0.5)
    assert pole_radius(e_folding=10) ** 10 == pytest.approx(np.exp(-1))
    r = pole_radius(horizon=916, tolerance=0.01)
    assert r == pytest.approx(0.99, abs=1e-4) and r ** 916 / (1 - r) == pytest.approx(0.01, rel=1e-6)
    with pytest.raises(ValueError, match="exactly one"):
        pole_radius(half_life=3, e_folding=3)


def test_scale_is_solved_on_the_true_spectrum():
    # corrections #10: a rotation by a right angle.
    W = np.array([[0.0, -0.9], [0.9, 0.0]])
    g = scale_for_radius(W, 0.95, leak=0.5)
    assert np.abs(np.linalg.eigvals(0.5 * np.eye(2) + 0.5 * g * W)).max() == pytest.approx(0.95)
    rng = np.random.default_rng(0)
    for topology in ("gaussian", "orthogonal", "cycle", "circulant"):
        W = getattr(sysid.reservoirs, topology)(40, **({} if topology == "cycle" else {"rng": rng}))
        g = scale_for_radius(W, 0.97, leak=0.3, slope=0.8)
        D = W.toarray() if hasattr(W, "toarray") else W
        assert np.abs(np.linalg.eigvals(0.7 * np.eye(40) + 0.3 * 0.8 * g * D)).max() == pytest.approx(0.97, abs=1e-10)
    with pytest.raises(ValueError, match="1 - leak"):
        scale_for_radius(W, 0.5, leak=0.3)
    with pytest.raises(ValueError, match="nonzero eigenvalue"):
        scale_for_radius(np.triu(np.ones((3, 3)), 1), 0.9)


def test_spectrum_tile_covers_radii_and_angles():
    poles = spectrum_tile(60, 0.99, 0.3, real_share=0.2)
    assert len(poles) == 60 and (np.abs(poles.imag) < 1e-12).sum() == 12 and (poles[np.abs(poles.imag) < 1e-12].real > 0).all()
    assert np.abs(poles).max() == pytest.approx(0.99) and np.abs(poles).min() == pytest.approx(0.3)
    angles = np.sort(np.angle(poles[poles.imag > 1e-12]))
    assert np.abs(np.diff(angles) - np.pi / 24).max() < 1e-9
    for n in (1, 2, 3, 7):
        assert len(spectrum_tile(n, 0.9)) == n


def kernel_targets():
    tau, omega = np.array([3.0, 10.0, 40.0, 100.0]), np.array([0.0, 0.4, 1.3, 2.6])
    upper = np.exp(-1 / tau + 1j * omega)
    poles = np.concatenate([[upper[0]], upper[1:], upper[1:].conj()])
    rho = np.array([1.0, 0.5 - 0.2j, 0.3j, -0.4 + 0.1j])
    return poles, np.concatenate([[rho[0]], rho[1:], rho[1:].conj()])


@pytest.mark.parametrize("leak", [1.0, 0.4])
@pytest.mark.parametrize("drawn", [True, False])
def test_designed_reservoir_reproduces_a_diagonal_kernel(leak, drawn):
    poles, residues = kernel_targets()
    esn = modal_esn(poles, residues, leak=leak, rng=np.random.default_rng(1) if drawn else None)
    lti = sysid.linearize(esn, u=np.zeros(1))
    k = np.arange(200)
    target = (residues[None] * poles[None] ** k[:, None]).sum(1).real
    assert np.abs(lti.markov_parameters(201)[1:, 0, 0] - target).max() < 1e-10
    assert np.abs(lti.A @ lti.A.T - lti.A.T @ lti.A).max() < 1e-12


@pytest.mark.parametrize("poles, residues", [
    ([0.5, 0.5, 0.3], [1.0, 2.0, -1.0]), ([0.5 + 0.2j, 0.5 - 0.2j] * 2, [1 + 1j, 1 - 1j, 3 - 2j, 3 + 2j]),
    ([0.4 - 0.3j, 0.9, 0.4 + 0.3j], [2 - 1j, 0.5, 2 + 1j])])
def test_poles_that_repeat_keep_a_residue_each(poles, residues):
    esn = modal_esn(poles, residues)
    kernel = sysid.linearize(esn, x=np.zeros(esn.n_states), u=[0.0]).markov_parameters(12)[1:, 0, 0]
    assert np.abs(kernel - [(np.array(residues) * np.array(poles) ** k).sum().real for k in range(11)]).max() < 1e-12


@pytest.mark.parametrize("poles, residues, words", [
    ([0.5, 0.3], [1 + 1j, 1 - 1j], r"real at real poles; received 1\+1j at the pole 0.5"),
    ([0.5 + 0.2j, 0.5 - 0.2j], [1 + 1j, 2 - 1j], "conjugate where the poles are"),
    ([1.2], [1.0], "inside the unit disc"), ([], [], "one residue a pole")])
def test_residues_that_make_no_real_kernel_are_refused(poles, residues, words):
    with pytest.raises(ValueError, match=words):
        modal_esn(poles, residues)


def test_numbers_of_a_recipe_are_checked():
    rng, data = np.random.default_rng(0), sysid.Data(np.ones(1), np.ones(1))
    for call in (lambda: pole_radius(half_life="3"), lambda: sysid.reservoirs.design(5, half_life=3, slope="steep", rng=rng)):
        with pytest.raises(TypeError, match="as a number"):
            call()
    for call, words in ((lambda: scale_for_radius(np.eye(2), 0.5, leak=0.0), "leak > 0"), (lambda: whitened_input(data, 3, rng=rng), "two samples at least"),
                        (lambda: sysid.reservoirs.design(5, half_life=3, leak=0.0, rng=rng), "leak > 0")):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_tanh_network_follows_the_kernel_to_first_order():
    poles, residues = kernel_targets()
    u = np.random.default_rng(2).standard_normal((400, 1))
    errors = []
    for amplitude in (1e-3, 1e-4):
        esn = modal_esn(poles, residues, amplitude=amplitude, rng=np.random.default_rng(1))
        linear = sysid.simulate(sysid.linearize(esn, u=np.zeros(1)), u).y
        errors.append(np.abs(sysid.simulate(esn, u).y - linear).max())
    # y is of order 1 whatever the amplitude: the relative error is quadratic, as tanh is odd.
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1) and errors[1] < 1e-3


def test_sampled_continuous_kernels_agree():
    # E3: k(t) = C exp(A t) B at t = k dt is the kernel of the poles exp(a dt).
    a = np.array([-0.2, -0.05 + 2j, -0.05 - 2j, -0.5 + 6j, -0.5 - 6j])
    residues, dt = np.array([1.0, 0.5j, -0.5j, 0.2, 0.2]), 0.1
    esn = modal_esn(np.exp(a * dt), residues, rng=np.random.default_rng(3))
    t = dt * np.arange(100)
    continuous = (residues * np.exp(np.outer(t, a))).sum(1).real
    assert np.abs(sysid.linearize(esn, u=np.zeros(1)).markov_parameters(101)[1:, 0, 0] - continuous).max() < 1e-10


def test_whitening_gives_every_unit_the_same_drive():
    rng = np.random.default_rng(4)
    u = rng.standard_normal((5000, 3)) @ np.array([[1, 0.9, 0], [0, 0.1, 0], [0, 0, 50.0]]) + [3, -1, 100]
    U, offset = whitened_input(sysid.Data(np.zeros(5000), u), 30, 0.7, rng=rng)
    drive = u @ U.T + offset
    assert np.abs(drive.mean(0)).max() < 1e-9 and np.abs(drive.std(0) - 0.7).max() < 1e-3


def test_a_design_has_the_poles_it_promises_and_says_why():
    rng = np.random.default_rng(5)
    data = sysid.Data(np.zeros(800), 5 + 2 * rng.standard_normal((800, 1)))
    for topology in ("normal", "gaussian"):
        made = sysid.reservoirs.design(50, half_life=20, leak=0.9, topology=topology, data=data, rng=rng)
        A = sysid.linearize(made.esn, x=np.zeros(50), u=np.array([data.u.mean()])).A
        assert np.abs(np.linalg.eigvals(A)).max() == pytest.approx(2 ** (-1 / 20), rel=1e-6)
        assert np.abs(made.poles).max() == pytest.approx(2 ** (-1 / 20), rel=1e-9)
        assert made.saturation.share < 0.2 and 0.5 < made.saturation.mean_slope < 1
        assert "why 1" in repr(made)
    assert sysid.reservoirs.design(50, half_life=20, rng=rng).certificate.holds


def test_measured_slope_moves_the_average_pole_and_not_the_worst_case():
    rng = np.random.default_rng(6)
    data = sysid.Data(np.zeros(600), rng.standard_normal((600, 1)))
    made = sysid.reservoirs.design(30, half_life=15, data=data, level=1.0, slope="measured", rng=rng)
    assert made.slope < 0.9
    at_rest = np.abs(np.linalg.eigvals(sysid.linearize(made.esn, x=np.zeros(30), u=np.zeros(1)).A)).max()
    assert at_rest > 2 ** (-1 / 15)
    with pytest.raises(ValueError, match="data"):
        sysid.reservoirs.design(30, half_life=15, slope="measured", rng=rng)
