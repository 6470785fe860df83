"""What does not fit a noun is refused when it is made or asked, in one sentence that names the call."""

import numpy as np
import pytest

import sysid

W, A, B, C = np.diag([0.5, 0.4]), np.diag([0.5, 0.6]), np.ones((2, 1)), np.ones((1, 2))
KERNEL = np.ones((3, 3))
GAUSS = sysid.Gaussian([0.0, 1.0, 2.0], 1.0)
SCALING = sysid.Data(np.arange(12.0).reshape(6, 2), np.arange(6.0)).standardize()[1]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("call, kind, said", [
    (lambda: GAUSS.log_density([1.0]), ValueError, r"Gaussian.log_density: expected x with shape \(3,\) or \(k, 3\); received \(1,\)"),
    (lambda: GAUSS.log_density(np.ones((4, 2))), ValueError, r"received \(4, 2\)"),
    (lambda: GAUSS.sample(RNG, 2.5), TypeError, "Gaussian.sample: expected size as a whole number"),
    (lambda: SCALING.apply(sysid.Data(np.ones(9), np.ones(9))), ValueError, "Scaling.apply: expected data with 2 outputs and 1 inputs"),
    (lambda: SCALING.apply(sysid.Data(np.ones((9, 2)), np.ones((9, 3)))), ValueError, "received 2 and 3"),
    (lambda: SCALING.apply(np.ones((9, 2))), TypeError, "Scaling.apply: expected sysid.Data"),
    (lambda: SCALING.inverse_y(np.ones((9, 3))), ValueError, "Scaling.inverse_y: expected 2 channels"),
    (lambda: SCALING.inverse_u(np.ones((9, 3))), ValueError, "Scaling.inverse_u: expected 1 channels"),
    (lambda: sysid.LTV(np.stack([A] * 3), B, C).at(3), ValueError, "LTV.at: expected t from 0 to 2"),
    (lambda: sysid.LTV(np.stack([A] * 3), B, C).at(-1), ValueError, "LTV.at: expected t >= 0"),
    (lambda: sysid.ConvolutionalESN((3, 3), KERNEL, KERNEL, leak=2.0), ValueError, r"leak in \(0, 1\]"),
    (lambda: sysid.ConvolutionalESN((3, 3), KERNEL, KERNEL, dt=-1.0), ValueError, "dt > 0"),
    (lambda: sysid.ConvolutionalESN((3, 3), KERNEL, KERNEL, activation="step"), ValueError, "activation as one of"),
    (lambda: sysid.ConvolutionalESN((3, 3), KERNEL, KERNEL, d=[1.0]), ValueError, "expected C with d"),
    (lambda: sysid.ConvolutionalESN(3, KERNEL, KERNEL), ValueError, r"grid \(H, W\)"),
    (lambda: sysid.GatedESN(W, W, B, dt=None), ValueError, "GatedESN: expected dt > 0; received None"),
    (lambda: sysid.GatedESN(W, W, B, d=[1.0]), ValueError, "GatedESN: expected C with d"),
    (lambda: sysid.Bilinear(A, np.ones((3, 1)), np.ones((1, 2, 2)), C), ValueError, "Bilinear: expected B with shape"),
    (lambda: sysid.Bilinear(A, B, np.ones((1, 2, 2)), C, dt=-1), ValueError, "Bilinear: expected dt > 0"),
    (lambda: sysid.DeepESN(5, []), TypeError, "DeepESN: expected layers as a list of ESN; received 5"),
    (lambda: sysid.DeepESN([sysid.ESN(W)], None), TypeError, "DeepESN: expected V as a list of matrices"),
    (lambda: sysid.DeepESN([sysid.ESN(W)], [], skips=[1]), TypeError, "DeepESN: expected skips as a dict"),
    (lambda: sysid.DeepESN.random(5, rng=RNG), TypeError, "DeepESN.random: expected sizes as a list"),
    (lambda: sysid.reservoirs.orthogonal(5, spectral_radius=None, rng=RNG), TypeError, "orthogonal: expected spectral_radius as a number"),
    (lambda: sysid.reservoirs.sparse(5, density="a", rng=RNG), TypeError, "sparse: expected density as a number"),
    (lambda: sysid.ESN.random(5, input_scale="a", rng=RNG), TypeError, "ESN.random: expected input_scale as a number"),
    (lambda: sysid.LTI(A, B, C).plot.bode(omega=[0.0, 1.0]), ValueError, "LTI.plot.bode: expected frequencies above 0"),
    (lambda: sysid.LTI(A, B, C).plot.nyquist(omega="x"), TypeError, "LTI.plot.nyquist: expected omega"),
    (lambda: sysid.fit(sysid.Data(np.ones(20), np.ones(20)), sysid.Readout(), start=sysid.ContinuousESN(W, B)), ValueError, "expected a reservoir in discrete time"),
    (lambda: sysid.Blocks(), TypeError, "Blocks: expected pairs"),
    (lambda: sysid.Data([1.0, 2.0], t0=None), TypeError, "Data: expected t0 as a number"),
    (lambda: sysid.Data([1.0, 2.0], t0=np.nan), ValueError, "Data: expected t0 finite"),
])  # fmt: skip
def test_a_slip_is_one_sentence(call, kind, said):
    with pytest.raises(kind, match=said):
        call()


def test_a_density_at_one_number_is_one_number():
    assert sysid.Gaussian([0.0], 1.0).log_density(0.0) == pytest.approx(-0.5 * np.log(2 * np.pi))
    assert GAUSS.log_density(np.ones((4, 3))).shape == (4,)


def test_blocks_do_not_change_with_the_array_they_were_made_from():
    states = np.array([0, 1])
    blocks = sysid.Blocks((states, sysid.Diffuse()))
    states[0] = 5
    assert blocks.blocks[0][0].tolist() == [0, 1] and not blocks.blocks[0][0].flags.writeable
