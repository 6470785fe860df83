"""Reduction: the asked order, the bound kept, bilinear models better than their linear part."""

import numpy as np
import pytest

import sysid
from tests.data import load


def random_stable(rng, continuous=False, n=None):
    n = int(rng.integers(2, 15)) if n is None else n
    A = rng.standard_normal((n, n))
    A *= rng.uniform(0.5, 0.98) / np.abs(np.linalg.eigvals(A)).max()
    B, C = rng.standard_normal((n, rng.integers(1, 3))), rng.standard_normal((rng.integers(1, 3), n))
    return sysid.LTI(A - np.eye(n) if continuous else A, B, C, rng.standard_normal((len(C), B.shape[1])),
                     dt=None if continuous else 1.0)


def difference(one, two):
    A = np.block([[one.A, np.zeros((one.n_states, two.n_states))], [np.zeros((two.n_states, one.n_states)), two.A]])
    return sysid.LTI(A, np.vstack((one.B, two.B)), np.hstack((one.C, -two.C)), one.D - two.D, one.dt)


@pytest.mark.parametrize("method", ["truncation", "residualization"])
@pytest.mark.parametrize("continuous", [False, True])
def test_asked_order_and_error_within_the_bound(method, continuous):
    rng = np.random.default_rng(0)
    for _ in range(12):
        model = random_stable(rng, continuous)
        order = int(rng.integers(0, model.n_states))
        red = sysid.reduce(model, n_states=order, method=method)
        assert red.model.n_states == order and red.model.dt == model.dt
        error = sysid.hinf_norm(difference(model, red.model))[0]
        assert error <= red.error_bound * (1 + 1e-6) + 1e-9
        assert red.error_bound == pytest.approx(2 * sysid.hankel_singular_values(model)[order:].sum(), rel=1e-6, abs=1e-12)
        assert red.model.is_stable() or order == 0


def test_residualization_keeps_the_dc_gain_and_truncation_the_feedthrough():
    rng = np.random.default_rng(1)
    model = random_stable(rng, n=8)
    assert np.allclose(sysid.reduce(model, 3, method="residualization").model.dc_gain(), model.dc_gain())
    assert np.allclose(sysid.reduce(model, 3).model.D, model.D)


def test_max_error_takes_the_fewest_states():
    model = random_stable(np.random.default_rng(2), n=10)
    red = sysid.reduce(model, max_error=0.5)
    assert red.error_bound <= 0.5
    assert red.model.n_states == 0 or sysid.reduce(model, red.model.n_states - 1).error_bound > 0.5


def test_unstable_modes_are_kept_and_the_rest_reduced():
    rng = np.random.default_rng(3)
    stable = random_stable(rng, n=8)
    T = rng.standard_normal((10, 10))
    A = np.block([[stable.A, np.zeros((8, 2))], [np.zeros((2, 8)), np.diag([1.1, 1.0])]])
    model = sysid.LTI(A, np.vstack((stable.B, np.ones((2, stable.n_inputs)))),
                      np.hstack((stable.C, np.ones((stable.n_outputs, 2))))).transform(T)
    red = sysid.reduce(model, n_states=6)
    assert red.n_unstable == 2 and red.model.n_states == 6
    assert np.allclose(np.sort(np.abs(red.model.poles()))[-2:], [1.0, 1.1])
    w = np.linspace(0.05, 3, 50)
    gap = np.linalg.norm(model.frequency_response(w) - red.model.frequency_response(w), 2, axis=(1, 2)).max()
    assert gap <= red.error_bound * (1 + 1e-6)
    with pytest.raises(ValueError, match="not stable and must be kept"):
        sysid.reduce(model, n_states=1)


def test_offsets_give_the_same_rest_output():
    rng = np.random.default_rng(4)
    base = random_stable(rng, n=8)
    model = sysid.LTI(base.A, base.B, base.C, base.D, 1.0, rng.standard_normal(8), rng.standard_normal(base.n_outputs))
    for method in ("truncation", "residualization"):
        small = sysid.reduce(model, 4, method=method).model
        assert np.allclose(small.C @ small.equilibrium() + small.d, model.C @ model.equilibrium() + model.d)


def test_published_order_five_reduction():
    from tests.linear.test_gramians import HANKEL_7
    red = sysid.reduce(sysid.LTI(*HANKEL_7, dt=None), n_states=5)
    printed = np.array([[1.3451, 5.0399, 0, 0, 4.5315], [-4.0214, -3.6604, 0, 0, -0.9056], [0, 0, 0.5124, 1.791, 0],
                        [0, 0, -4.2167, -2.99, 0], [1.2402, 1.6416, 0, 0, -0.0586]])  # SLICOT AB09AD
    want = np.linalg.eigvals(printed)
    assert np.abs(red.model.poles()[:, None] - want).min(axis=1).max() < 5e-4


def test_building_model_keeps_its_bound_at_every_tenth_order():
    data = load("slicot_build")
    model = sysid.LTI(data["A"], data["B"], data["C"], dt=None)
    assert sysid.h2_norm(model) == pytest.approx(0.0045300605, rel=1e-8)
    assert np.allclose(sysid.hankel_singular_values(model)[:4], [2.5035e-3, 2.42849e-3, 1.93151e-3, 1.92831e-3], rtol=2e-5)
    for order in range(2, 48, 10):
        red = sysid.reduce(model, order)
        assert sysid.hinf_norm(difference(model, red.model))[0] <= red.error_bound * (1 + 1e-6)


def random_bilinear(rng, n=8):
    A = rng.standard_normal((n, n))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    N = rng.standard_normal((1, n, n))
    model = sysid.Bilinear(A, rng.standard_normal((n, 1)), N, rng.standard_normal((1, n)))
    return sysid.Bilinear(A, model.B, N * np.sqrt(0.5 / sysid.gramian_rate(model)), model.C)


def test_reduced_bilinear_models_beat_the_reduced_linear_part_on_held_out_inputs():
    rng = np.random.default_rng(5)
    wins = 0
    for _ in range(10):
        model = random_bilinear(rng)
        u = 0.4 * rng.standard_normal((400, 1))
        y = sysid.simulate(model, u).y
        bilinear = sysid.reduce(model, 4, input_rms=0.4)
        assert bilinear.error_bound is None and bilinear.model.n_states == 4
        error = np.linalg.norm(y - sysid.simulate(bilinear.model, u).y)
        wins += error < np.linalg.norm(y - sysid.simulate(sysid.reduce(model.linear, 4).model, u).y)
    assert wins == 10


def test_scaled_bilinear_gramian_is_the_state_covariance_under_white_inputs():
    model = random_bilinear(np.random.default_rng(9), n=3)
    scaled = sysid.Bilinear(model.A, 0.4 * model.B, 0.4 * model.N, model.C)
    x = sysid.simulate(model, 0.4 * np.random.default_rng(10).standard_normal((200_000, 1))).x
    assert np.allclose(x.T @ x / len(x), sysid.controllability_gramian(scaled), rtol=0.1, atol=0.02)


def test_bilinear_reduction_without_the_bilinear_term_is_the_linear_one():
    model = random_bilinear(np.random.default_rng(6))
    plain = sysid.Bilinear(model.A, model.B, 0 * model.N, model.C)
    assert np.allclose(sysid.reduce(plain, 4).model.linear.markov_parameters(20),
                       sysid.reduce(plain.linear, 4).model.markov_parameters(20), atol=1e-8)


def test_refusals_of_reduction():
    model = random_stable(np.random.default_rng(7), n=5)
    with pytest.raises(ValueError, match="n_states <= 5"):
        sysid.reduce(model, 6)
    with pytest.raises(ValueError, match="neither"):
        sysid.reduce(model)
    with pytest.raises(ValueError, match="both"):
        sysid.reduce(model, 2, max_error=0.1)
    with pytest.raises(ValueError, match="truncation, residualization"):
        sysid.reduce(model, 2, method="modal")
    with pytest.raises(TypeError, match="Linearise"):
        sysid.reduce(sysid.ESN.random(n_states=5, n_inputs=1, rng=np.random.default_rng(0)), 2)
    hidden = sysid.LTI(np.diag([0.5, 0.4]), [[1.0], [0.0]], [[1.0, 1.0]])
    with pytest.raises(ValueError, match="above rounding"):
        sysid.reduce(hidden, 2)
    with pytest.raises(ValueError, match="no input_rms"):
        sysid.reduce(model, 2, input_rms=0.5)
    with pytest.raises(ValueError, match="no error bound"):
        sysid.reduce(random_bilinear(np.random.default_rng(8)), max_error=0.1)


def test_an_error_below_rounding_keeps_the_states_that_are_there():
    twice = sysid.LTI(np.diag([0.9, 0.9]), [[1.0], [1.0]], [[1.0, 1.0]])
    small = sysid.reduce(twice, max_error=1e-30)
    assert small.model.n_states == 1 and small.error_bound < 1e-12


def test_what_is_no_sparse_array_is_named():
    with pytest.raises(TypeError, match="A as a square sparse array; received list"):
        sysid.reduce_sparse([[0.5]], [[1.0]], [[1.0]], 1)
