"""Models from polynomials, zeros and poles have the response of the formula, also at orders where polynomials fail."""

import numpy as np
import pytest
from scipy import signal

import sysid

OMEGA = np.geomspace(0.01, 3.0, 25)


@pytest.mark.parametrize("dt", [None, 0.5])
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_transfer_function_is_its_polynomials(shape, k, dt):
    num, den = np.random.default_rng(k).standard_normal((*shape, k)), np.array([2.0, 1.0, 0.5, 0.2])
    model = sysid.LTI.from_transfer_function(num, den, dt)
    s = 1j * OMEGA if dt is None else np.exp(1j * OMEGA * dt)
    wanted = np.array([[np.polyval(b, s) for b in row] for row in num]).transpose(2, 0, 1) / np.polyval(den, s)[:, None, None]
    np.testing.assert_allclose(model.frequency_response(OMEGA), wanted, atol=1e-11)
    assert model.n_states == 3 * min(shape)


def test_a_transfer_function_goes_there_and_back():
    num, den = sysid.LTI.from_transfer_function([3.0, 1.0], [1.0, -0.5, 0.06]).transfer_function()
    np.testing.assert_allclose(num[0, 0], [0, 3, 1], atol=1e-12)
    np.testing.assert_allclose(den, [1, -0.5, 0.06], atol=1e-12)


@pytest.mark.parametrize("order, edge", [(4, 0.2), (7, 0.1), (12, 0.01)])
@pytest.mark.parametrize("design", ["butter", "ellip"])
def test_zeros_and_poles_keep_their_digits_at_high_order(design, order, edge):
    z, p, k = getattr(signal, design)(order, *((1, 60) if design == "ellip" else ()), edge, output="zpk")
    model = sysid.LTI.from_zpk(z, p, k)
    omega, wanted = signal.freqz_zpk(z, p, k, worN=np.geomspace(1e-3, 3, 200))
    np.testing.assert_allclose(model.frequency_response(omega)[:, 0, 0], wanted, atol=1e-10)
    np.testing.assert_allclose(np.sort_complex(model.poles()), np.sort_complex(p), atol=1e-11)
    through = sysid.LTI.from_scipy(signal.ZerosPolesGain(z, p, k, dt=1.0))
    np.testing.assert_allclose(through.frequency_response(omega)[:, 0, 0], wanted, atol=1e-10)


@pytest.mark.parametrize("zeros, poles", [([-1 + 2j, -1 - 2j, -0.5], [-1, -2, -3, -4]), ([], [-1 + 1j, -1 - 1j]), ([0], [-2]),
                                          ([1j, -1j], [-1, -2, -3]), ([], []), ([], [0, 0]), ([-1, -2], [-1, -1])])
def test_zeros_and_poles_of_every_kind_are_met(zeros, poles):
    model = sysid.LTI.from_zpk(zeros, poles, -5.0, None)
    s = 1j * OMEGA
    wanted = -5.0 * np.prod([s - z for z in zeros] or [np.ones_like(s)], axis=0) / np.prod([s - p for p in poles] or [np.ones_like(s)], axis=0)
    np.testing.assert_allclose(model.frequency_response(OMEGA)[:, 0, 0], wanted, rtol=1e-10)
    assert model.n_states == len(poles)


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.LTI.from_transfer_function([1, 2, 3], [1, 1]), "degree 1 at most"),
    (lambda: sysid.LTI.from_transfer_function([1], [0, 0]), "coefficient that is not zero"),
    (lambda: sysid.LTI.from_transfer_function([[1, 2]], [1, 1]), r"\(p, m, k\)"),
    (lambda: sysid.LTI.from_zpk([1j], [1, 2], 1.0), "conjugate pairs"),
    (lambda: sysid.LTI.from_zpk([1, 2], [1], 1.0), "no more zeros than poles"),
    (lambda: sysid.LTI.from_zpk([], [np.nan], 1.0), "poles as a vector of finite"),
    (lambda: sysid.LTI.from_zpk([], [0.5], [1.0, 2.0]), "gain as one number"),
])  # fmt: skip
def test_bad_polynomials_and_roots_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_numbers_stand_for_matrices_of_one_entry_and_zero_for_no_feedthrough():
    assert sysid.LTI(0.5, 1, 2, 3).D.shape == (1, 1)
    assert sysid.LTI([[0, 1], [-1, -1]], [[0], [1]], [[1, 0], [0, 1]], 0).D.shape == (2, 1)
    with pytest.raises(ValueError, match=r"D with shape \(2, 1\)"):
        sysid.LTI(0.5, 1, [[1], [2]], 2)


@pytest.mark.parametrize("figure", ["bode", "nyquist", "impulse", "step"])
def test_a_model_without_inputs_has_no_response_to_draw_and_says_so(figure):
    model = sysid.LTI([[0.5]], None, [[1.0]])
    with pytest.raises(ValueError, match=f"LTI.plot.{figure}: expected a model with inputs"):
        getattr(model.plot, figure)()
    assert model.plot.pole_zero() is not None
    with pytest.raises(ValueError, match="python-control has no others"):
        model.to_control()
