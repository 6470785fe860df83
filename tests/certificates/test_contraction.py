"""What certify proves of a leaky network, and that it proves nothing false."""

import itertools
import sys

import numpy as np
import pytest

import sysid
from sysid.certificates.proof import proved, repaired
from tests.certificates.zoo import KINDS, reservoir


def network(kind, n=8, leak=0.3, scale=0.8, seed=0, low=0.0, high=1.0):
    W = scale * reservoir(kind, n, np.random.default_rng(seed))
    return sysid.LeakyNetwork(W, leak, low, high)


def largest_gain(net, P, slopes):
    L = np.linalg.cholesky(P).T
    return max(np.linalg.norm(L @ net.jacobian(s) @ np.linalg.inv(L), 2) for s in slopes)


@pytest.mark.parametrize("leak", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_every_rung_bounds_every_slope_vertex_in_its_own_metric(kind, leak):
    net = network(kind, leak=leak)
    slopes = [np.array(v, float) for v in itertools.product([0, 1], repeat=8)]
    for method in (sysid.NormBound(), sysid.NormBound(centred=True), sysid.PerronBound(), sysid.DiagonalScaling(),
                   *(sysid.CircleCriterion(m) for m in ("identity", "balanced", "optimal"))):
        cert = sysid.certify(net, sysid.Contraction(), method)
        assert cert.verified
        assert largest_gain(net, cert.P, slopes) <= cert.rate * (1 + 1e-6)
        assert cert.rate_floor <= cert.rate * (1 + 1e-9)
        assert cert.method_floor <= cert.rate * (1 + 1e-9) or "optimal" not in cert.method


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimal_multiplier_is_never_worse_than_the_other_rungs(kind):
    net = network(kind, n=12)
    rates = [sysid.certify(net, sysid.Contraction(), m).rate
             for m in (sysid.CircleCriterion("optimal"), sysid.CircleCriterion("balanced"), sysid.NormBound(centred=True),
                       sysid.NormBound(), sysid.PerronBound(), sysid.DiagonalScaling())]
    assert rates[0] <= min(rates) * (1 + 3e-5)


@pytest.mark.parametrize("leak", [1.0, 0.3])
@pytest.mark.parametrize("kind", ["gaussian", "nonnormal"])
def test_the_optimal_rate_equals_the_semidefinite_program(kind, leak):
    net = network(kind, n=6, leak=leak)
    ours = sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion("optimal"))
    sdp = sysid.certify(net, sysid.Contraction(), sysid.LMI())
    assert sdp.verified and sdp.method.startswith("LMI")
    assert abs(ours.rate - sdp.rate) < 1e-3
    assert ours.method_floor <= sdp.details["solver_rate"] + 1e-4


def test_slopes_bounded_below_give_a_smaller_rate_and_leaks_may_differ():
    wide, narrow = network("gaussian", leak=np.linspace(0.2, 1, 8)), network("gaussian", leak=np.linspace(0.2, 1, 8), low=0.4)
    method = sysid.CircleCriterion("optimal")
    a, b = (sysid.certify(net, sysid.Contraction(), method) for net in (wide, narrow))
    assert a.verified and b.verified and b.rate < a.rate
    slopes = [0.4 + 0.6 * np.array(v, float) for v in itertools.product([0, 1], repeat=8)]
    assert largest_gain(narrow, b.P, slopes) <= b.rate * (1 + 1e-9)


def test_perron_is_exact_for_nonnegative_coupling():
    net = network("nonnegative", n=10, scale=0.9, leak=0.5)
    cert = sysid.certify(net, sysid.Contraction(), sysid.PerronBound())
    assert cert.holds
    assert cert.rate == pytest.approx(cert.rate_floor, abs=1e-6) == pytest.approx(0.95, abs=1e-6)


def test_the_printed_condition_certifies_a_map_with_three_fixed_points_and_ours_does_not():
    # [ESN-SSM, Eq. 34] holds at W = 3, P = 0.1, while x+ = tanh(3 x) has fixed points 0 and +-0.995.
    net = sysid.LeakyNetwork([[3.0]], 1.0, 0.0, 1.0)
    assert not proved(net, np.array([[0.1]]), np.array([0.1]), 0.99)
    cert = sysid.certify(net)
    assert cert.verified and not cert.holds and cert.rate >= 3


def test_spectral_radius_below_one_is_not_enough():
    W = np.array([[0.1764, -5.9586], [0.1080, 1.4674]])
    assert np.abs(np.linalg.eigvals(W)).max() < 0.951
    assert not sysid.certify(sysid.ESN(W, leak=1.0)).holds


def test_a_wrong_slope_range_is_refused():
    W = -5.0 * np.eye(4)
    good = sysid.certify(sysid.LeakyNetwork(W, 0.3, 0.0, 1.0), sysid.Contraction(), sysid.CircleCriterion())
    assert good.holds
    both_signs = sysid.LeakyNetwork(W, 0.3, -1.0, 1.0)
    assert not proved(both_signs, good.P, good.T, good.rate)


def test_the_exact_check_agrees():
    cert = sysid.certify(network("gaussian", n=6, scale=0.7), sysid.Contraction(exact=True))
    assert cert.holds and cert.exact
    with pytest.raises(ValueError, match="n <= 25"):
        sysid.certify(network("gaussian", n=26, scale=0.2), sysid.Contraction(exact=True))


def test_a_solver_answer_that_fails_is_repaired():
    rng = np.random.default_rng(3)
    net = network("nonnormal", n=8)
    cert = sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion())
    noise = 1e-3 * rng.normal(size=(8, 8))
    bad = cert.P + noise + noise.T
    assert not proved(net, bad, cert.T, cert.rate)
    P, T, rate = repaired(net, bad, cert.T, cert.rate)
    assert proved(net, P, T, rate) and rate < 1.03 * cert.rate
    for broken in (np.full((8, 8), np.nan), np.zeros((8, 8)), -cert.P):
        assert not proved(net, broken, cert.T, cert.rate)
        assert repaired(net, broken, cert.T, cert.rate)[2] == pytest.approx(cert.rate, rel=1e-4)
    assert repaired(net, broken, np.full(8, np.nan), cert.rate) is not None


def test_the_default_never_imports_a_solver():
    import subprocess

    code = ("import numpy as np, sys, sysid\n"
            "esn = sysid.ESN.random(20, 1, leak=0.5, spectral_radius=0.7, rng=np.random.default_rng(0))\n"
            "assert sysid.certify(esn).holds\n"
            "assert 'cvxpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scaling_to_a_rate_uses_all_of_it_and_no_more():
    esn = sysid.ESN.random(16, 1, leak=0.3, spectral_radius=1.2, rng=np.random.default_rng(0))
    safe = sysid.scale_to_certified(esn, rate=0.97)
    cert = sysid.certify(safe, sysid.Contraction(rate=0.97))
    assert cert.holds and 0.965 < cert.rate <= 0.97
    assert sysid.scale_to_certified(safe, rate=0.98) is safe
    with pytest.raises(ValueError, match="1 - leak"):
        sysid.scale_to_certified(esn, rate=0.5)


def test_sparse_and_operator_couplings_are_certified():
    import scipy.sparse as sp

    W = reservoir("sparse", 40, np.random.default_rng(1)) * 0.7
    dense = sysid.certify(sysid.ESN(W, leak=0.5))
    sparse = sysid.certify(sysid.ESN(sp.csr_array(W), leak=0.5))
    assert sparse.rate == pytest.approx(dense.rate, rel=1e-9)
    rng = np.random.default_rng(0)
    big = sp.csr_array((0.1 * rng.random(50_000), rng.integers(0, 5000, (2, 50_000))), shape=(5000, 5000))
    cert = sysid.certify(sysid.LeakyNetwork(big, 0.5, 0.0, 1.0))
    assert cert.holds
    with pytest.raises(ValueError, match="n <= 3000"):
        sysid.certify(sysid.LeakyNetwork(big, 0.5, 0.0, 1.0), sysid.Contraction(), sysid.CircleCriterion())


def test_bad_input_is_named():
    W = np.eye(3)
    for bad, words in [((W * np.nan, 0.5, 0, 1), "NaN"), ((W, 0.0, 0, 1), "leak"), ((W, 0.5, 1.0, 0.5), "swapped"),
                       ((W, 0.5, 0, np.inf), "finite"), ((W[:2], 0.5, 0, 1), "square"), ((W, [0.5, 0.5], 0, 1), "shape")]:
        with pytest.raises(ValueError, match=words):
            sysid.LeakyNetwork(*bad)
    with pytest.raises(TypeError, match="method comes third"):
        sysid.certify(sysid.LeakyNetwork(W, 0.5, 0, 1), sysid.NormBound())
    with pytest.raises(TypeError, match="expected a model"):
        sysid.certify(W)
    with pytest.raises(ValueError, match="rate"):
        sysid.Contraction(rate=1.5)


def test_no_time_gives_an_honest_answer():
    cert = sysid.certify(network("gaussian", n=20, scale=0.9), sysid.Contraction(seconds=0.0))
    assert not cert.holds and "time budget" in cert.reason


def test_an_interrupted_search_returns_the_best_proved_so_far(monkeypatch):
    from sysid.certificates.multiplier import MultiplierSearch

    def interrupt(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MultiplierSearch, "_derivatives", interrupt)
    cert = sysid.certify(network("gaussian", n=20, scale=0.95, leak=1.0))
    assert cert.verified


def test_the_certificate_speaks_of_the_driven_map():
    rng = np.random.default_rng(0)
    esn = sysid.ESN.random(10, 0, 1, leak=0.5, spectral_radius=0.5, rng=rng)
    cert = sysid.certify(esn)
    assert "closed_loop" in cert.summary()["certified map"]
    loop = sysid.certify(esn.with_readout(5 * rng.normal(size=(1, 10))).closed_loop())
    assert loop.rate > cert.rate
    cert.plot()
    assert "holds" in repr(cert) and "<table" in cert._repr_html_()


def test_a_little_of_the_rate_buys_a_smaller_overshoot():
    net = network("gaussian", n=10, scale=0.8)
    tight, wide = (sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion(margin=m)) for m in (0.0, 0.1))
    assert wide.holds and tight.rate < wide.rate < 1
    assert wide.overshoot < 0.5 * tight.overshoot
    with pytest.raises(ValueError, match="margin"):
        sysid.CircleCriterion(margin=1.0)


def test_an_interrupted_scaling_says_so_and_is_proved_all_the_same(monkeypatch):
    from sysid.certificates.multiplier import MultiplierSearch
    esn = sysid.ESN.random(20, 1, spectral_radius=1.3, leak=0.5, rng=np.random.default_rng(0))
    asked = []

    def interrupt(self, *args):
        asked.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(MultiplierSearch, "_derivatives", interrupt)
    with pytest.warns(UserWarning, match="interrupted by the user"):
        safe = sysid.scale_to_certified(esn, rate=0.95)
    assert len(asked) == 1  # the search is not begun again at another scale
    cert = sysid.certify(safe, sysid.Contraction(rate=0.95))
    assert cert.verified and cert.rate <= 0.95
    assert "interrupted by the user" in sysid.certify(safe, sysid.Contraction(), sysid.CircleCriterion("optimal")).reason
