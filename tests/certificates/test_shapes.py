"""Certificates of models that are not a single leaky network."""

import itertools

import numpy as np
import pytest

import sysid
from sysid.certificates.cascade import compose
from sysid.certificates.field import FrequencyCircle
from sysid.certificates.local import slope_range
from sysid.certificates.lure import lure_proved
from tests.certificates.zoo import reservoir


def in_norm(P, J):
    L = np.linalg.cholesky(P).T
    return np.linalg.norm(L @ J @ np.linalg.inv(L), 2)


# --- linear, time-varying, bilinear

def test_a_linear_model_is_certified_close_to_its_spectral_radius():
    A = np.array([[0.9, 5.0], [0.0, 0.8]])
    cert = sysid.certify(sysid.LTI(A, np.ones((2, 1)), np.ones((1, 2))))
    assert cert.holds and 0.9 < cert.rate < 0.91 and cert.rate_floor == pytest.approx(0.9)
    assert in_norm(cert.P, A) <= cert.rate
    assert not sysid.certify(sysid.LTI([[1.1]], [[1.0]], [[1.0]])).holds


def test_frozen_stability_of_every_step_is_not_taken_for_stability():
    # rho = .5 each, and rho(A1 A2) = 4.49: no common metric exists.
    A1 = np.array([[0.5, 2.0], [0.0, 0.5]])
    cert = sysid.certify(sysid.LTV(np.array([A1, A1.T]), None, np.ones((1, 2))))
    assert not cert.holds and cert.rate_floor > 2
    good = sysid.certify(sysid.LTV(np.array([0.4 * A1 / 2.2, 0.4 * A1.T / 2.2]), None, np.ones((1, 2))))
    assert good.holds


def test_a_common_metric_serves_every_order_and_the_program_is_not_worse():
    rng = np.random.default_rng(0)
    A = np.array([0.8 * reservoir("gaussian", 4, rng) for _ in range(3)])
    ltv = sysid.LTV(A, None, np.ones((1, 4)))
    cheap, best = sysid.certify(ltv), sysid.certify(ltv, sysid.Contraction(), sysid.LMI())
    assert cheap.verified and best.verified and best.rate <= cheap.rate + 1e-3
    assert best.rate_floor <= best.rate
    for a in A:
        assert in_norm(cheap.P, a) <= cheap.rate


def test_a_bilinear_model_needs_a_bound_on_its_input():
    rng = np.random.default_rng(1)
    A, N = 0.5 * reservoir("gaussian", 4, rng), 0.2 * rng.normal(size=(2, 4, 4))
    model = sysid.Bilinear(A, np.ones((4, 2)), N, np.ones((1, 4)))
    with pytest.raises(ValueError, match="input_bound"):
        sysid.certify(model)
    cert = sysid.certify(model, sysid.Contraction(input_bound=0.5))
    assert cert.holds
    for u in rng.uniform(-0.5, 0.5, (200, 2)):
        assert in_norm(cert.P, A + np.tensordot(u, N, axes=1)) <= cert.rate
    assert not sysid.certify(model, sysid.Contraction(input_bound=50.0)).holds


# --- small networks: vertices and pairs

def test_vertices_pairs_and_circle_are_ordered_and_above_the_truth():
    net = sysid.LeakyNetwork(0.8 * reservoir("gaussian", 5, np.random.default_rng(5)), 1.0, 0.3, 1.0)
    circle = sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion())
    vertex = sysid.certify(net, sysid.Contraction(), sysid.VertexLMI())
    pairs = sysid.certify(net, sysid.Contraction(), sysid.LMI(multiplier="pairwise"))
    assert circle.verified and vertex.verified and pairs.verified
    assert vertex.rate_floor - 1e-6 <= vertex.rate <= pairs.rate + 2e-3
    assert pairs.rate <= circle.rate + 2e-3
    for v in itertools.product([0.3, 1.0], repeat=5):
        J = net.jacobian(np.array(v))
        assert max(in_norm(c.P, J) / c.rate for c in (circle, vertex, pairs)) <= 1 + 1e-9
    with pytest.raises(ValueError, match="n <= 10"):
        sysid.certify(sysid.LeakyNetwork(np.eye(11), 0.5, 0, 1), sysid.Contraction(), sysid.VertexLMI())


# --- deep

def stack(layers=4, n=20, seed=0):
    rng = np.random.default_rng(seed)
    parts = [sysid.ESN(0.6 * reservoir("gaussian", n, rng), rng.normal(size=(n, 1)) if i == 0 else None, leak=0.7)
             for i in range(layers)]
    return sysid.DeepESN(parts, [rng.normal(size=(n, n)) / np.sqrt(n) for _ in range(layers - 1)],
                         skips={(layers - 1, 0): rng.normal(size=(n, n)) / np.sqrt(n)})


def test_layer_certificates_compose_with_any_skip_connection():
    deep = stack(3, 12)
    cert = sysid.certify(deep)
    assert cert.holds and cert.rate_floor < cert.rate
    assert cert.rate == pytest.approx(max(c.rate for c in cert.details["layers"]), abs=0.08)
    assert cert.overshoot > 1
    W, rng = deep.flat.W.toarray(), np.random.default_rng(1)
    root = np.linalg.cholesky(cert.P).T
    for _ in range(200):
        J = 0.3 * np.eye(36) + 0.7 * (rng.random(36) < 0.5)[:, None] * W
        x = rng.normal(size=36)
        x = np.linalg.solve(root, x)
        assert np.linalg.norm(root @ (J @ x)) <= cert.rate * np.linalg.norm(root @ x) * (1 + 1e-6)


def test_a_stack_is_scaled_layer_by_layer_to_the_rate_that_is_then_proved():
    deep = sysid.DeepESN.random([20, 15, 10], 2, leaks=[1.0, 0.5, 0.2], spectral_radius=0.7, rng=np.random.default_rng(0))
    safe = sysid.scale_to_certified(deep, rate=0.92)
    cert = sysid.certify(safe, sysid.Contraction(rate=0.92))
    assert cert.holds and 0.91 < cert.rate <= 0.92
    assert sysid.scale_to_certified(safe, rate=0.93) is safe
    assert sysid.largest_certified_scale(deep, 0.99) > 0  # the stack as one network


def test_a_stack_with_a_layer_that_does_not_contract_is_refused():
    bad = sysid.DeepESN([sysid.ESN(np.eye(3) * 0.5, leak=0.5), sysid.ESN(np.eye(3) * 2, leak=0.5)], [np.eye(3)])
    cert = sysid.certify(bad)
    assert not cert.holds and "layer 1" in cert.reason
    layer = sysid.certify(sysid.LeakyNetwork(np.eye(3) * 0.5, 0.5, 0, 1))
    with pytest.raises(ValueError, match="earlier to later"):
        compose([None, None], [layer, layer], {(0, 1): np.eye(3)})


# --- gated

def gated(n=8, seed=0):
    rng = np.random.default_rng(seed)
    return sysid.GatedESN(0.6 * reservoir("gaussian", n, rng), 0.25 * reservoir("gaussian", n, rng),
                          rng.uniform(-1, 1, (n, 2)), leak=0.5)


def test_gates_are_certified_by_vertices_and_by_the_program():
    model, wanted = gated(), sysid.Contraction(input_bound=0.7)
    vertex = sysid.certify(model, wanted)
    assert vertex.holds
    rng = np.random.default_rng(1)
    lmi = sysid.certify(model, wanted, sysid.GatedLMI(tolerance=5e-3))
    assert lmi.holds
    for u in rng.uniform(-0.7, 0.7, (100, 2)):
        J = 0.5 * np.eye(8) + 0.5 * rng.random(8)[:, None] * model.effective_W(u)
        assert in_norm(vertex.P, J) <= vertex.rate
        assert in_norm(lmi.P, J) <= lmi.rate
    with pytest.raises(ValueError, match="input_bound"):
        sysid.certify(model)
    assert not sysid.certify(model, sysid.Contraction(input_bound=30.0)).holds


# --- fields

def test_a_ring_with_slopes_that_vary_is_certified_by_frequency_where_one_slope_would_mislead():
    rng = np.random.default_rng(0)
    ring = sysid.ConvolutionalESN((16, 1), 0.45 * rng.normal(size=(3, 1, 1, 1)), np.ones((1, 1, 1, 1)), leak=0.8)
    cert = sysid.certify(ring)
    dense = sysid.certify(ring, sysid.Contraction(), sysid.CircleCriterion("optimal"))
    assert cert.verified and dense.verified
    assert cert.rate == pytest.approx(dense.rate, abs=2e-3)
    W = ring.W.toarray()
    worst = max(np.abs(np.linalg.eigvals(0.2 * np.eye(16) + 0.8 * rng.random(16)[:, None] * W)).max() for _ in range(300))
    assert worst <= cert.rate


def test_the_small_signal_test_passes_where_no_certificate_can():
    # Non-normal across channels: every frequency is stable for one slope, and slopes that vary destabilise it.
    rng = np.random.default_rng(3)
    kernel = np.zeros((3, 1, 2, 2))
    kernel[1, 0], kernel[0, 0] = [[0.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.22, 0.0]]
    ring = sysid.ConvolutionalESN((16, 1), kernel, np.ones((1, 1, 2, 1)), leak=1.0)
    assert np.abs(ring.poles()).max() < 1
    cert = sysid.certify(ring)
    assert cert.verified
    W = ring.W.toarray()
    for _ in range(100):
        assert np.abs(np.linalg.eigvals(rng.random(32)[:, None] * W)).max() <= cert.rate


@pytest.mark.parametrize("channels", [1, 2])
def test_a_graph_reservoir_by_frequency_agrees_with_the_written_out_network(channels):
    rng = np.random.default_rng(channels)
    A = (rng.random((12, 12)) < 0.3) * 1.0
    A = np.triu(A, 1) + np.triu(A, 1).T + np.diag(np.ones(11), 1) + np.diag(np.ones(11), -1)
    L = np.diag(A.sum(1)) - A
    alpha = 0.25 * rng.normal(size=(4, channels, channels))
    graph = sysid.GraphESN(L, alpha, leak=0.5)
    by_frequency = sysid.certify(graph)
    by_cells = FrequencyCircle(cells=600)
    by_cells = sysid.certify(graph, sysid.Contraction(), by_cells)
    dense = sysid.certify(graph, sysid.Contraction(), sysid.CircleCriterion("optimal"))
    assert by_frequency.verified and by_cells.verified
    assert dense.rate <= by_frequency.rate + 1e-4
    W = graph.W.toarray()
    for _ in range(100):
        J = 0.5 * np.eye(12 * channels) + 0.5 * rng.random(12 * channels)[:, None] * W
        assert np.abs(np.linalg.eigvals(J)).max() <= by_frequency.rate


# --- Lur'e

def test_a_lure_system_is_certified_and_agrees_with_the_leaky_network():
    rng = np.random.default_rng(0)
    W = 0.7 * reservoir("gaussian", 6, rng)
    net = sysid.LeakyNetwork(W, 0.4, 0.0, 1.0)
    lure = sysid.LureSystem(0.6 * np.eye(6), 0.4 * np.eye(6), W, 0.0, 1.0)
    a = sysid.certify(lure, sysid.Contraction(), sysid.LureCircle("identity"))
    b = sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion("identity"))
    assert a.verified and a.rate == pytest.approx(b.rate, abs=2e-4)
    assert not lure_proved(lure, a.P, a.T, 0.9 * a.rate)


def test_features_with_slopes_of_both_signs_are_certified():
    rng = np.random.default_rng(1)
    lure = sysid.LureSystem(0.5 * np.eye(4), 0.1 * rng.normal(size=(4, 12)), rng.normal(size=(12, 4)), -0.4, 0.4)
    rates = []
    for kind in ("identity", "balanced", "optimal"):
        cert = sysid.certify(lure, sysid.Contraction(), sysid.LureCircle(kind, sweeps=1))
        assert cert.verified and cert.rate_floor <= cert.rate
        rates.append(cert.rate)
        for _ in range(100):
            assert in_norm(cert.P, lure.jacobian(rng.uniform(-0.4, 0.4, 12))) <= cert.rate
    assert rates[2] <= rates[1] + 1e-6


def test_a_random_feature_reservoir_is_certified_by_its_composite_slope():
    rng = np.random.default_rng(0)
    esn = sysid.ESN(0.5 * reservoir("gaussian", 8, rng), np.ones((8, 1)), leak=0.5)
    lifted = sysid.lift(esn, sysid.RandomFeatures(n_features=30, rng=rng))
    cert = sysid.certify(lifted)
    assert cert.holds and "preactivation" in cert.model
    low, high = lifted.slope_range
    for _ in range(50):
        J = 0.5 * np.eye(8) + 0.5 * rng.uniform(low, high, (8, 1)) * esn.W
        assert in_norm(cert.P, J) <= cert.rate * (1 + 1e-9)


# --- local

def test_slope_ranges_contain_every_slope():
    rng = np.random.default_rng(0)
    low = rng.normal(size=50) * 3
    high = low + rng.random(50) * 2
    for name, f in (("tanh", lambda v: 1 - np.tanh(v) ** 2), ("sigmoid", lambda v: np.exp(-v) / (1 + np.exp(-v)) ** 2),
                    ("relu", lambda v: (v > 0) * 1.0)):
        s, L = slope_range(name, low, high)
        for v in np.linspace(low, high, 41):
            assert (f(v) >= s - 1e-12).all() and (f(v) <= L + 1e-12).all()
    with pytest.raises(ValueError, match="built-in"):
        slope_range("user", low, high)


def test_a_tube_is_certified_where_no_global_certificate_exists():
    rng = np.random.default_rng(0)
    esn = sysid.ESN(2.5 * np.eye(3) + 0.1 * rng.normal(size=(3, 3)), np.ones((3, 1)), bias=[2.0, -2.0, 2.0], leak=0.5)
    assert not sysid.certify(esn).holds and sysid.certify(esn).rate_floor > 1
    x0 = esn.equilibrium([0.0], x0=[1.0, -1.0, 1.0])
    cert = sysid.certify(esn, sysid.Contraction(), sysid.Tube(x=x0))
    assert cert.holds
    radius, root = cert.details["radius"], np.linalg.cholesky(cert.P).T
    for _ in range(200):
        e = rng.normal(size=(2, 3))
        a, b = x0 + radius * rng.random() ** 0.3 * np.linalg.solve(root, (e / np.linalg.norm(e, axis=1)[:, None]).T).T
        step = lambda x: 0.5 * x + 0.5 * np.tanh(esn.W @ x + esn.bias)   # noqa: E731
        assert np.linalg.norm(root @ (step(a) - step(b))) <= cert.rate * np.linalg.norm(root @ (a - b)) * (1 + 1e-9)
        assert np.linalg.norm(root @ (step(a) - x0)) <= radius


def test_a_box_that_no_input_lets_the_state_leave_narrows_the_slopes():
    esn = sysid.ESN([[0.5, 0.2], [-0.3, 0.4]], np.ones((2, 1)), leak=1.0)
    wide = sysid.certify(esn, sysid.Contraction(), sysid.CircleCriterion())
    cert = sysid.certify(esn, sysid.Contraction(input_bound=0.1), sysid.InvariantBox())
    box = cert.details["box"]
    assert cert.holds and cert.rate <= wide.rate + 1e-9 and box.max() < 0.9
    rng = np.random.default_rng(0)
    x = rng.uniform(-box, box, (500, 2))
    for _ in range(50):
        x = np.tanh(x @ esn.W.T + rng.uniform(-0.1, 0.1, (500, 1)) @ esn.W_in.T)
        assert (np.abs(x) <= box * (1 + 1e-9)).all()
    with pytest.raises(ValueError, match="input_bound"):
        sysid.certify(esn, sysid.Contraction(), sysid.InvariantBox())


# --- continuous time

def test_a_continuous_network_contracts_at_the_certified_rate():
    rng = np.random.default_rng(0)
    model = sysid.ContinuousESN(0.8 * reservoir("gaussian", 10, rng), tau=rng.uniform(0.5, 2.0, 10))
    cert = sysid.certify(model)
    assert cert.holds
    decay = cert.details["decay"]
    for _ in range(50):
        J = (rng.random(10)[:, None] * model.W - np.eye(10)) / model.taus[:, None]
        PJ = cert.P @ J
        assert np.linalg.eigvals(np.linalg.solve(cert.P, PJ + PJ.T)).real.max() / 2 <= -decay * (1 - 1e-9)


def test_the_largest_euler_step_keeps_the_certificate_and_every_smaller_one_does():
    W = -3.0 * np.eye(2)
    model = sysid.ContinuousESN(W, tau=1.0)
    step = sysid.largest_euler_step(model)
    assert step == pytest.approx(0.5, abs=1e-3)           # |1 - 4 h| < 1
    W = reservoir("gaussian", 8, np.random.default_rng(0)) * 0.7
    step = sysid.largest_euler_step(sysid.ContinuousESN(W, tau=1.0))
    for share in (1.0, 0.5, 0.1):
        assert sysid.certify(sysid.LeakyNetwork(W, share * step, 0, 1)).holds


# --- synthesis

def test_the_nearest_coupling_keeps_more_than_scaling():
    W = 1.1 * reservoir("gaussian", 20, np.random.default_rng(0))
    esn = sysid.ESN(W, leak=0.5)
    near, scaled = sysid.nearest_certified(esn, rate=0.97), sysid.scale_to_certified(esn, rate=0.97)
    assert sysid.certify(near, sysid.Contraction(0.9701)).rate <= 0.9701
    assert np.linalg.norm(near.W - W) < 0.8 * np.linalg.norm(scaled.W - W)
    assert sysid.nearest_certified(near, rate=0.98) is near


def test_a_coupling_is_synthesised_by_a_convex_program():
    W = 1.2 * reservoir("gaussian", 6, np.random.default_rng(0))
    made = sysid.synthesize(sysid.ESN(W, leak=0.5), rate=0.95)
    assert sysid.certify(made, sysid.Contraction(0.951)).rate < 0.951
    with pytest.raises(ValueError, match="n <= 30"):
        sysid.synthesize(sysid.ESN(np.eye(31)))


def test_a_common_metric_does_not_depend_on_the_units_of_the_states(recwarn):
    rng = np.random.default_rng(2)
    A = rng.standard_normal((6, 6))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    size = 10.0 ** rng.uniform(-8, 8, 6)
    plain, scaled = (sysid.certify(sysid.LTI(M, np.ones((6, 1)), np.ones((1, 6))), sysid.Contraction()) for M in (A, size[:, None] * A / size))
    assert plain.verified and scaled.verified and scaled.rate == pytest.approx(plain.rate, abs=5e-3)
    assert not recwarn.list
    with pytest.raises(ValueError, match="a model with states"):
        sysid.certify(sysid.LTI(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), np.eye(1)))


# --- what is asked of models that leave nothing, or everything, to prove

@pytest.mark.parametrize("method", [None, sysid.NormBound(), sysid.CircleCriterion("balanced"), sysid.CircleCriterion(), sysid.DiagonalScaling()])
def test_a_network_without_coupling_or_memory_is_certified(method):
    cert = sysid.certify(sysid.ESN(np.zeros((3, 3)), np.ones((3, 1))), method=method)
    assert cert.holds and cert.rate < 1e-6


def test_a_floor_in_continuous_time_is_that_of_the_field_and_not_of_its_euler_map():
    """A fast turning mode: |1 + h s| = 1.1 where exp(Re s) is .37."""
    turning = sysid.ContinuousESN(np.array([[0.0, -10.0], [10.0, 0.0]]), np.zeros((2, 1)), tau=1.0, activation="identity")
    for method in (None, sysid.ContinuousContraction(sysid.VertexLMI())):
        cert = sysid.certify(turning, method=method)
        assert cert.rate_floor == pytest.approx(np.exp(-1.0), rel=1e-12) and cert.rate_floor <= cert.rate
    slow = sysid.ContinuousESN(0.3 * np.eye(2), np.zeros((2, 1)), tau=1.0)
    cert = sysid.certify(slow)
    assert cert.rate_floor == pytest.approx(np.exp(-0.7), rel=1e-12) and cert.rate == pytest.approx(np.exp(-0.7), rel=1e-3)


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.Cascade(margin=1.0), "margin in"), (lambda: sysid.certify(sysid.ESN([[0.5]]), method=FrequencyCircle()), "ConvolutionalESN or GraphESN"),
    (lambda: sysid.certify(sysid.ESN([[0.5]]), method=sysid.ContinuousContraction()), "expected a ContinuousESN"),
    (lambda: sysid.certify(sysid.Bilinear([[0.5]], [[1.0]], [[[0.1]]], [[1.0]]), sysid.Contraction(input_bound=[1.0, 2.0])), "each of the 1 inputs"),
    (lambda: sysid.certify(sysid.ESN([[0.5]], [[1.0]]), sysid.Contraction(input_bound=[1.0, 2.0]), sysid.InvariantBox()), "each of the 1 inputs"),
    (lambda: sysid.certify(sysid.ESN([[0.5]], [[1.0]]), method=sysid.Tube(x=[np.nan])), "x without NaN"),
    (lambda: sysid.LureSystem([[0.5]], [[1.0]], [[1.0]], [0.0, 1.0], 1.0), "lower as a scalar"),
    (lambda: sysid.LureSystem(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), 0.0, 1.0), "at least one state"),
    (lambda: sysid.nearest_certified(sysid.ESN([[0.5]]), angles=1), "angles >= 3"), (lambda: sysid.synthesize(sysid.ESN([[0.5]]), solver="X"), "solver")])
def test_what_a_method_cannot_take_is_named(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
