"""The echo-state network: update, feedback, equilibrium, linearisation, and what is refused."""

import numpy as np
import pytest

import sysid


def esn_of(rng, n=12, m=1, r=0, **options):
    return sysid.ESN.random(n, m, r, leak=0.4, bias_scale=0.3, rng=rng, **options)


def textbook(esn, u, x, y=None):
    W = esn.dense_W
    v = W @ x + esn.W_in @ u + esn.bias + (0 if y is None else esn.W_fb @ y)
    return (1 - esn.leaks) * x + esn.leaks * esn.act.function(v)


@pytest.mark.parametrize("topology", ["gaussian", "sparse", "orthogonal", "cycle", "circulant"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "identity", "sigmoid"])
def test_states_equal_the_textbook_update_for_every_storage_of_W(topology, activation):
    rng = np.random.default_rng(0)
    esn = esn_of(rng, topology=topology, activation=activation)
    u, x = rng.standard_normal((15, 1)), rng.standard_normal(12)
    sim = sysid.simulate(esn, u, x0=x)
    for t in range(15):
        np.testing.assert_allclose(sim.x[t], x, atol=1e-12)
        x = textbook(esn, u[t], x)


def test_the_identity_network_is_a_linear_model():
    rng = np.random.default_rng(1)
    esn = esn_of(rng, activation="identity").with_readout(rng.standard_normal((2, 12)), [1.0, -1.0])
    u = rng.standard_normal((20, 1))
    np.testing.assert_allclose(sysid.simulate(sysid.linearize(esn, x=np.zeros(12)), u).y, sysid.simulate(esn, u).y, atol=1e-12)


def test_teacher_forcing_uses_measured_outputs_and_own_ones_where_missing():
    rng = np.random.default_rng(2)
    esn = esn_of(rng, m=1, r=1).with_readout(0.5 * rng.standard_normal((1, 12)), [0.2])
    u, y, x = rng.standard_normal((20, 1)), rng.standard_normal((20, 1)), np.zeros(12)
    y[5:9] = np.nan
    sim = sysid.simulate(esn, u, feedback=y)
    for t in range(20):
        np.testing.assert_allclose(sim.x[t], x, atol=1e-12)
        own = esn.C @ x + esn.d
        x = textbook(esn, u[t], x, own if np.isnan(y[t]) else y[t])


def test_a_batch_in_threads_is_a_loop_over_its_sequences():
    rng = np.random.default_rng(11)
    esn = esn_of(rng, n=256, m=2, r=1)
    u, y, x0 = rng.standard_normal((37, 12, 2)), rng.standard_normal((37, 12, 1)), rng.standard_normal((37, 256))
    together = sysid.simulate(esn, u, x0=x0, feedback=y)
    for s in (0, 17, 18, 19, 36):
        alone = sysid.simulate(esn, u[s], x0=x0[s], feedback=y[s])
        np.testing.assert_allclose(together.x[s], alone.x, atol=1e-12)
        np.testing.assert_allclose(together.final[s], alone.final, atol=1e-12)


def test_the_closed_loop_is_the_network_with_its_own_outputs_fed_back():
    rng = np.random.default_rng(3)
    esn = esn_of(rng, m=0, r=2).with_readout(0.3 * rng.standard_normal((2, 12)), [0.1, -0.2])
    x0 = rng.standard_normal(12)
    free, closed = sysid.simulate(esn, n_steps=40, x0=x0), sysid.simulate(esn.closed_loop(), n_steps=40, x0=x0)
    np.testing.assert_allclose(free.y, closed.y, atol=1e-12)
    assert esn.closed_loop().n_feedback == 0


@pytest.mark.parametrize("feedback", [0, 1])
@pytest.mark.parametrize("features", [None, "squares", "user"])
def test_jacobians_equal_differences_with_and_without_missing_feedback(feedback, features):
    rng = np.random.default_rng(4)
    phi = (lambda x: np.sin(x)) if features == "user" else features
    esn = esn_of(rng, n=6, m=2, r=feedback, features=phi)
    esn = esn.with_readout(rng.standard_normal((1, 12 if features == "squares" else 6)), [0.3])
    fun = esn.functions()
    for own in (False, True) if feedback else (False,):
        x, u = rng.standard_normal(6), rng.standard_normal(2 + feedback)
        if own:
            u[2] = np.nan
        for J, h in ((fun.fx, fun.f), (fun.gx, fun.g)):
            num = np.column_stack([(h(x + e, u, fun.p, 0.0) - h(x - e, u, fun.p, 0.0)) / 2e-6 for e in 1e-6 * np.eye(6)])
            np.testing.assert_allclose(J(x, u, fun.p, 0.0), num, atol=1e-8)
        num = np.column_stack([(fun.f(x, u + e, fun.p, 0.0) - fun.f(x, u - e, fun.p, 0.0)) / 2e-6
                               for e in 1e-6 * np.eye(2 + feedback)])  # fmt: skip
        if not own:
            np.testing.assert_allclose(fun.fu(x, u, fun.p, 0.0), num, atol=1e-8)


def test_a_user_activation_behaves_as_the_built_in_one():
    rng = np.random.default_rng(5)
    mine = sysid.Activation(np.tanh, lambda v: 1 / np.cosh(v) ** 2, slope=(0, 1))
    a = esn_of(rng, activation=mine)
    b = sysid.ESN(a.W, a.W_in, a.bias, a.leak)
    u = rng.standard_normal((20, 1))
    np.testing.assert_allclose(sysid.simulate(a, u).x, sysid.simulate(b, u).x, atol=1e-12)
    np.testing.assert_allclose(sysid.linearize(a, x=np.ones(12), u=[1.0]).A, sysid.linearize(b, x=np.ones(12), u=[1.0]).A)


def test_the_linearisation_is_exact_to_second_order_and_keeps_original_units():
    rng = np.random.default_rng(6)
    esn = esn_of(rng).with_readout(rng.standard_normal((1, 12)))
    rest = esn.equilibrium([0.5])
    lti = sysid.linearize(esn, u=[0.5])
    np.testing.assert_allclose(sysid.simulate(lti, np.full((5, 1), 0.5), x0=rest).x, np.tile(rest, (5, 1)), atol=1e-10)
    direction = rng.standard_normal(12)
    gaps = []
    for size in (1e-2, 1e-3):
        x = rest + size * direction
        gaps.append(np.abs(textbook(esn, [0.5], x) - (lti.A @ x + lti.B @ [0.5] + lti.c)).max())
    assert gaps[1] < 1.1e-2 * gaps[0]


def test_along_a_trajectory_the_linearisation_follows_it_exactly():
    rng = np.random.default_rng(7)
    esn = esn_of(rng).with_readout(rng.standard_normal((1, 12)))
    u = rng.standard_normal((25, 1))
    sim = sysid.simulate(esn, u)
    ltv = sysid.linearize(esn, x=sim.x, u=u)
    np.testing.assert_allclose(sysid.simulate(ltv, u).y, sim.y, atol=1e-10)


def test_the_driven_and_the_closed_linearisation_differ_by_the_feedback_term():
    rng = np.random.default_rng(8)
    esn = esn_of(rng, m=0, r=1).with_readout(0.2 * rng.standard_normal((1, 12)))
    rest = esn.equilibrium()
    driven, closed = sysid.linearize(esn, x=rest), sysid.linearize(esn.closed_loop(), x=rest)
    np.testing.assert_allclose(driven.A + driven.B @ esn.C, closed.A, atol=1e-12)


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.ESN(np.eye(3), leak=0.0), r"leak in \(0, 1\]"),
    (lambda: sysid.ESN(np.eye(3), leak=1.2), r"leak in \(0, 1\]"),
    (lambda: sysid.ESN(np.ones((3, 2))), "square"),
    (lambda: sysid.ESN(np.full((3, 3), np.nan)), "NaN"),
    (lambda: sysid.ESN(np.eye(3), activation="swish"), "slopes"),
    (lambda: sysid.ESN(np.eye(3), W_in=np.ones((1, 3))), "transpose"),
    (lambda: sysid.ESN(np.eye(3), d=[1.0]), "without a readout"),
    (lambda: sysid.ESN(np.eye(3), C=np.ones((2, 3)), W_fb=np.ones((3, 1))), "W_fb with 2 columns"),
    (lambda: sysid.simulate(sysid.ESN(np.eye(3)), n_steps=3).y, "no readout"),
    (lambda: sysid.simulate(sysid.ESN(np.eye(3), W_fb=np.ones((3, 1))), n_steps=3), "readout"),
    (lambda: sysid.ESN(np.eye(3)).closed_loop(), "readout"),
    (lambda: sysid.ESN.random(5, rng=0), "default_rng"),
    (lambda: sysid.ESN.random(5, topology="star", rng=np.random.default_rng(0)), "topology"),
])  # fmt: skip
def test_bad_networks_are_refused_with_one_sentence(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_a_reservoir_without_readout_still_simulates_its_states():
    sim = sysid.simulate(sysid.ESN(0.5 * np.eye(3), np.ones((3, 1))), np.ones(4))
    assert sim.x.shape == (4, 3) and sim.final.shape == (3,)
    with pytest.raises(ValueError, match="no readout"):
        _ = sim.y


def test_a_users_activation_cannot_take_the_name_of_a_built_in_one():
    with pytest.raises(ValueError, match="which is built in"):
        sysid.Activation(np.sin, np.cos, (-1, 1), name="tanh")
    with pytest.raises(ValueError, match=r"expected slope=\(low, high\)"):
        sysid.Activation(np.sin, np.cos, 1.0)
