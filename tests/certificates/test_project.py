"""Projection of (leak, scale) on the certified set."""

import numpy as np
import pytest

import sysid
from sysid.certificates.numerical_range import circle_rate, support_function
from tests.certificates.zoo import reservoir


@pytest.fixture(scope="module")
def region():
    W = reservoir("gaussian", 30, np.random.default_rng(0))
    return W, sysid.CertifiedSet.of(sysid.ESN(W, leak=0.5), rate=0.98, multiplier="balanced")


def test_inside_the_set_nothing_moves_and_outside_the_result_lies_on_the_boundary(region):
    _, s = region
    assert s.project(0.5, 0.3) == (0.5, 0.3)
    leak, scale = s.project(0.4, 1.5)
    assert 0 < leak <= 1 and s.contains(leak, scale * (1 - 1e-6)) and not s.contains(leak, scale * 1.001)


@pytest.mark.parametrize("weight", [None, [[3.0, 1.0], [1.0, 0.5]]])
def test_the_projection_is_the_nearest_of_a_fine_grid(region, weight):
    _, s = region
    G = np.eye(2) if weight is None else np.array(weight)
    target = np.array([0.6, 0.6])
    leak, scale = s.project(0.4, 1.5, weight)
    e = np.array([1 - leak, leak * scale]) - target
    ours = e @ G @ e
    rng = np.random.default_rng(0)
    for theta in rng.uniform([0, 0], [1, 1], (4000, 2)):
        leak_, scale_ = 1 - theta[0], theta[1] / (1 - theta[0])
        if s.contains(leak_, scale_):
            assert (theta - target) @ G @ (theta - target) >= ours - 1e-9


def test_every_member_is_certified_by_the_circle_criterion(region):
    W, s = region
    d = np.sqrt(s.T)
    h = support_function(d[:, None] * W / d, np.linspace(0, np.pi, 900))
    for leak in (0.05, 0.3, 0.7, 1.0):
        scale = s.largest_scale(leak)
        assert circle_rate(h, np.linspace(0, np.pi, 900), leak, scale) <= 0.98 + 1e-9
        net = sysid.LeakyNetwork(W * scale, leak, 0.0, 1.0)
        assert sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion("optimal")).rate <= 0.9801


def test_a_reservoir_is_projected_and_proved():
    esn = sysid.ESN.random(25, 1, leak=0.2, spectral_radius=1.1, rng=np.random.default_rng(2))
    safe = sysid.project_to_certified(esn, rate=0.97)
    cert = sysid.certify(safe, sysid.Contraction(0.9705))
    assert cert.holds and cert.rate < 0.9705
    assert safe.leak > esn.leak                            # a larger leak lets more of W survive than scaling alone
    assert sysid.project_to_certified(safe, rate=0.975) is safe


def test_the_rate_of_the_closed_form_is_that_of_the_pencil():
    W = 0.8 * reservoir("nonnormal", 20, np.random.default_rng(1))
    cert = sysid.certify(sysid.LeakyNetwork(W, 0.4, 0, 1), sysid.Contraction(), sysid.CircleCriterion("identity"))
    angles = np.linspace(0, np.pi, 1500)
    assert circle_rate(support_function(W, angles), angles, 0.4, 1.0) == pytest.approx(cert.rate, rel=1e-5)


def test_bad_input():
    W = np.eye(3)
    with pytest.raises(ValueError, match="one leak"):
        sysid.CertifiedSet.of(sysid.ESN(W, leak=[0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match="rate"):
        sysid.CertifiedSet.of(sysid.ESN(W), rate=2.0)
    with pytest.raises(ValueError, match="weight"):
        sysid.CertifiedSet.of(sysid.ESN(W, leak=0.5)).project(0.5, 3.0, weight=-np.eye(2))


def test_scales_beyond_twice_the_start_are_reached_and_a_zero_coupling_has_no_largest():
    turned = sysid.ESN(-np.eye(2), leak=0.5)  # slopes in [0, 1]: the middle of the range certifies three times what the norm does
    assert sysid.largest_certified_scale(turned, method=sysid.NormBound()) == pytest.approx(1.0, rel=1e-5)
    assert sysid.largest_certified_scale(turned, method=sysid.NormBound(centred=True)) == pytest.approx(3.0, rel=1e-5)
    still = sysid.ESN(np.zeros((2, 2)), leak=0.5)
    assert sysid.largest_certified_scale(still) == np.inf and sysid.scale_to_certified(still) is still
    with pytest.raises(ValueError, match="identity, balanced, optimal"):
        sysid.project_to_certified(turned, 0.9, "best")
