"""Deep, gated, convolutional, graph, multi-rate and continuous-time networks against their written-out forms."""

import numpy as np
import pytest

import sysid
from sysid.models.operators import ChebyshevGraph, GridConvolution


def deep(rng, feedback=0, sizes=(6, 5, 4)):
    net = sysid.DeepESN.random(sizes, n_inputs=2, n_feedback=feedback, leaks=[0.9, 0.3, 0.1], every_layer_hears=True,
                               bias_scale=0.3, rng=rng)
    skips = {(2, 0): rng.standard_normal((sizes[2], sizes[0]))} if len(sizes) > 2 else {}
    return sysid.DeepESN(net.layers, net.V, skips)


def written_out(net, u, x0):
    """The recursion of the stack as the paper prints it."""
    x, path = [a.copy() for a in net.split(x0)], []
    for t in range(len(u)):
        path.append(np.concatenate(x))
        new = []
        for i, layer in enumerate(net.layers):
            v = layer.W @ x[i] + layer.W_in @ u[t] + layer.bias
            if i:
                v = v + net.V[i - 1] @ x[i - 1]
            for (to, source), S in net.skips.items():
                if to == i:
                    v = v + S @ x[source]
            new.append((1 - layer.leak) * x[i] + layer.leak * np.tanh(v))
        x = new
    return np.array(path)


def test_deep_states_equal_the_written_out_and_the_flat_network():
    rng = np.random.default_rng(0)
    net = deep(rng)
    u, x0 = rng.standard_normal((200, 2)), rng.standard_normal(net.n_states)
    x = sysid.simulate(net, u, x0).x
    assert np.abs(x - written_out(net, u, x0)).max() < 1e-12
    assert np.abs(x - sysid.simulate(net.flat, u, x0).x).max() < 1e-12


def test_deep_linearisation_is_block_triangular_with_the_layers_poles():
    rng = np.random.default_rng(1)
    net = deep(rng)
    x, u = 0.3 * rng.standard_normal(net.n_states), rng.standard_normal(2)
    A = sysid.linearize(net, x=x, u=u).A
    at = net.bounds
    for i in range(3):
        assert not A[at[i] : at[i + 1], at[i + 1] :].any()
    poles = np.concatenate(net.layer_poles(x, u))
    assert np.abs(np.sort_complex(poles) - np.sort_complex(np.linalg.eigvals(A))).max() < 1e-12


def test_layers_with_spectral_radius_below_one_do_not_make_the_stack_contract():
    # corrections #1, #30: a local statement.
    W = np.array([[0.1764, -5.9586], [0.1080, 1.4674]])
    layer = sysid.ESN(W, activation="tanh")
    net = sysid.DeepESN([layer, sysid.ESN(0.5 * np.eye(2))], [np.eye(2)])
    assert max(np.abs(p).max() for p in net.layer_poles()) == pytest.approx(0.95, abs=1e-3)
    ends = [sysid.simulate(net, x0=x0, n_steps=3000).final for x0 in (np.zeros(4), np.array([0.9999, -0.7716, 0, 0]))]
    assert np.abs(ends[0] - ends[1]).max() > 0.5


def test_deep_network_with_feedback_and_readout_is_taught_forecast_and_filtered():
    y = sysid.datasets.mackey_glass(700).y
    net = sysid.DeepESN.random([40, 20], n_inputs=0, n_feedback=1, leaks=[0.5, 0.2], spectral_radius=0.8,
                               rng=np.random.default_rng(2))
    fit = sysid.fit(sysid.Data(y[:600]), sysid.Readout(ridge=1e-8), start=net)
    taught = sysid.simulate(fit.model, feedback=y[:600])
    assert np.sqrt(np.mean((taught.y[100:] - y[100:600]) ** 2)) < 0.01
    free = sysid.simulate(fit.model, x0=taught.final, n_steps=20).y
    assert np.abs(free[:5] - y[600:605]).max() < 0.05


def test_gated_states_and_jacobians():
    rng = np.random.default_rng(3)
    for rank in (None, 2):
        net = sysid.GatedESN.random(7, 2, rank=rank, rng=rng).with_readout(rng.standard_normal((1, 7)), [0.2])
        u = rng.standard_normal((50, 2))
        sim, x = sysid.simulate(net, u), np.zeros(7)
        for t in range(50):
            assert np.abs(sim.x[t] - x).max() < 1e-12
            gate = net.P @ np.diag(net.G @ u[t]) @ net.W_gate
            x = 0.7 * x + 0.3 * np.tanh(net.W @ x + gate @ x + net.W_in @ u[t])
        fun = net.functions()
        at, v = rng.standard_normal(7), rng.standard_normal(2)
        from sysid.models.protocol import differences
        for exact, axis, f in ((fun.fx, 0, fun.f), (fun.fu, 1, fun.f), (fun.gx, 0, fun.g), (fun.gu, 1, fun.g)):
            rough = differences(f.py_func, axis)(at, v, fun.p, 0.0)
            assert np.abs(exact(at, v, fun.p, 0.0) - rough).max() < 1e-8


def test_gated_network_under_constant_input_is_a_plain_one():
    rng = np.random.default_rng(4)
    net = sysid.GatedESN.random(6, 1, rng=rng)
    u = np.full((60, 1), 0.7)
    plain = sysid.ESN(net.effective_W([0.7]), net.W_in, net.bias, net.leak)
    assert np.abs(sysid.simulate(net, u).x - sysid.simulate(plain, u).x).max() < 1e-12


@pytest.mark.parametrize("size, grid", [(3, (5, 6)), (2, (4, 4)), (4, (4, 5)), (1, (3, 3))])
def test_grid_convolution_equals_its_definition(size, grid):
    rng = np.random.default_rng(5)
    K = GridConvolution(rng.standard_normal((size, size, 2, 3)), grid)
    x = rng.standard_normal((*grid, 3))
    out = np.zeros((*grid, 2))
    for a in range(size):
        for b in range(size):
            out += np.roll(x, (a - size // 2, b - size // 2), axis=(0, 1)) @ K.kernel[a, b].T
    D = K.toarray()
    assert np.abs(K @ x.ravel() - out.ravel()).max() < 1e-12
    assert np.abs(D @ x.ravel() - out.ravel()).max() < 1e-12
    v = rng.standard_normal((K.shape[0], 2))
    assert np.abs(K.T @ v - D.T @ v).max() < 1e-12
    assert K.norm() == pytest.approx(np.linalg.norm(D, 2), abs=1e-10)


def matched(a, b):
    from scipy.optimize import linear_sum_assignment
    gap = np.abs(np.ravel(a)[:, None] - np.ravel(b)[None])
    return gap[linear_sum_assignment(gap)].max()


def test_per_frequency_spectrum_equals_the_dense_operators():
    rng = np.random.default_rng(6)
    net = sysid.ConvolutionalESN.random((5, 6), n_channels=2, rng=rng)
    assert matched(net.W.eigenvalues(), np.linalg.eigvals(net.W.toarray())) < 1e-9
    small = 0.7 * np.eye(60) + 0.3 * 0.8 * net.W.toarray()
    assert matched(net.poles(0.8), np.linalg.eigvals(small)) < 1e-9


@pytest.mark.parametrize("size", [3, 9])
def test_convolutional_states_equal_the_flat_network(size):
    rng = np.random.default_rng(7)
    net = sysid.ConvolutionalESN.random((9, 10), n_channels=2, n_inputs=1, size=size, bias_scale=0.2, rng=rng)
    u = rng.standard_normal((30, net.n_inputs))
    dense = sysid.ESN(net.W.toarray(), net.flat.W_in, net.biases, net.leaks)
    assert np.abs(sysid.simulate(net, u).x - sysid.simulate(dense, u).x).max() < 1e-12


def test_slopes_that_vary_in_space_break_the_frequency_test():
    # corrections #31: the spectrum with the mean slope is not that of the linearised network.
    rng = np.random.default_rng(8)
    worst = 0.0
    for _ in range(100):
        W = GridConvolution(rng.standard_normal((1, 3)), (1, 16))
        s = rng.uniform(0.0, 1.0, 16)
        true = np.abs(np.linalg.eigvals(s[:, None] * W.toarray())).max()
        worst = max(worst, abs(true - s.mean() * np.abs(W.eigenvalues()).max()))
        assert true <= W.norm() + 1e-12
    assert worst > 0.2


def test_convolution_designed_by_its_symbol():
    grid = (8, 8)
    wx, wy = (2 * np.pi * np.fft.fftfreq(8)[:, None], 2 * np.pi * np.fft.fftfreq(8)[None])
    wanted = 0.9 * np.exp(-(wx ** 2 + wy ** 2) / 2)
    K = GridConvolution.from_symbol(wanted)
    assert np.abs(K.symbol()[:, :, 0, 0] - wanted).max() < 1e-12
    net = sysid.ConvolutionalESN(grid, K.kernel, np.ones((1, 1, 1, 1)), leak=0.5)
    assert np.abs(np.sort(net.poles().real.ravel()) - np.sort((0.5 + 0.5 * wanted).ravel())).max() < 1e-12


def ring(n):
    A = np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0)
    return np.diag(A.sum(0)) - A


def test_graph_reservoir_equals_the_polynomial_written_out():
    rng = np.random.default_rng(9)
    L, alpha = ring(12), rng.standard_normal((4, 2, 2)) * 0.2
    W = ChebyshevGraph(L, alpha)
    Lt = 2 * L / np.linalg.eigvalsh(L)[-1] - np.eye(12)
    T = [np.eye(12), Lt, 2 * Lt @ Lt - np.eye(12), 4 * Lt @ Lt @ Lt - 3 * Lt]
    D = sum(np.kron(T[j], alpha[j]) for j in range(4))
    v = rng.standard_normal((24, 3))
    assert np.abs(W @ v - D @ v).max() < 1e-12 and np.abs(W.T @ v - D.T @ v).max() < 1e-12
    assert matched(W.eigenvalues(), np.linalg.eigvals(D)) < 1e-9
    assert W.norm() == pytest.approx(np.linalg.norm(D, 2), abs=1e-10)
    net = sysid.GraphESN(L, alpha, rng.standard_normal((24, 1)), leak=0.4)
    u = rng.standard_normal((40, 1))
    flat = sysid.ESN(D, net.W_in, leak=0.4)
    assert np.abs(sysid.simulate(net, u).x - sysid.simulate(flat, u).x).max() < 1e-12
    assert matched(net.poles(0.9), np.linalg.eigvals(0.6 * np.eye(24) + 0.36 * D)) < 1e-9


def test_graph_reservoir_designed_by_frequency():
    W = ChebyshevGraph.from_response(ring(10), lambda v: 0.9 * np.exp(-v), degree=12)
    f = W.frequencies()
    assert np.abs(W.response(f)[:, 0, 0] - 0.9 * np.exp(-f)).max() < 1e-8


def test_multi_rate_leaks_equal_units_with_their_own_leak():
    rng = np.random.default_rng(10)
    leak = np.repeat([0.9, 0.3, 0.05], 4)
    esn = sysid.ESN(0.8 * sysid.reservoirs.orthogonal(12, rng=rng), rng.standard_normal((12, 1)), leak=leak)
    u, x = rng.standard_normal((60, 1)), np.zeros(12)
    path = sysid.simulate(esn, u).x
    for t in range(60):
        assert np.abs(path[t] - x).max() < 1e-12
        x = (1 - leak) * x + leak * np.tanh(esn.W @ x + esn.W_in @ u[t])


def test_readouts_train_on_every_structured_reservoir():
    rng = np.random.default_rng(11)
    u = rng.standard_normal((300, 1))
    y = np.roll(u, 2, axis=0)
    nets = [sysid.DeepESN.random([20, 10], leaks=0.9, rng=rng), sysid.GatedESN.random(30, leak=0.9, rng=rng),
            sysid.GraphESN(ring(20), [0.1, 0.5, 0.2], rng.standard_normal((20, 1)), leak=0.9)]
    for net in nets:
        fit = sysid.fit(sysid.Data(y, u), sysid.Readout(ridge=1e-6, washout=50), start=net)
        error = sysid.simulate(fit.model, u).y[50:] - y[50:]
        assert error.std() < 0.6 * y.std()
        assert type(fit.model) is type(net)
        assert sysid.linearize(fit.model, u=np.zeros(1)).n_states == net.n_states


def test_continuous_network_and_its_discretisations():
    rng = np.random.default_rng(12)
    ct = sysid.ContinuousESN(0.9 * sysid.reservoirs.orthogonal(5, rng=rng), rng.standard_normal((5, 1)), tau=0.5,
                             C=rng.standard_normal((1, 5)))
    # Leaks at dt = tau: exact .632, Tustin's rule .667, Euler 1 (corrections #19).
    assert [ct.leaks(0.5, rule)[0] for rule in ("exact", "tustin", "euler")] == pytest.approx([0.6321206, 2 / 3, 1.0])
    u = np.array([0.4])
    equilibria = [ct.equilibrium(u), *(ct.discretize(0.2, rule).equilibrium(u) for rule in ("exact", "tustin", "euler"))]
    assert max(np.abs(e - equilibria[0]).max() for e in equilibria) < 1e-9
    lti = sysid.linearize(ct, u=u)
    J = np.diag(1 - np.tanh(ct.W @ equilibria[0] + ct.W_in @ u) ** 2)
    assert lti.dt is None and np.abs(lti.A - (-np.eye(5) + J @ ct.W) / 0.5).max() < 1e-10
    assert np.abs(lti.B - J @ ct.W_in / 0.5).max() < 1e-10
    from scipy.integrate import solve_ivp
    f = ct.functions()
    x0 = rng.standard_normal(5)
    truth = solve_ivp(lambda t, x: f.f(x, u, f.p, t), (0, 1.0), x0, rtol=1e-11, atol=1e-12).y[:, -1]
    for rule in ("exact", "tustin", "euler"):
        errors = [np.abs(sysid.simulate(ct.discretize(1.0 / k, rule), np.tile(u, (k, 1)), x0).final - truth).max()
                  for k in (50, 100)]
        assert 1.8 < errors[0] / errors[1] < 2.2  # first order, Tustin's too (corrections #18)


def test_noise_of_the_sampled_network_is_the_lags_integral():
    ct = sysid.ContinuousESN(np.zeros((2, 2)), tau=[0.5, 2.0], C=np.eye(2))
    process = ct.process(0.3, [[1.0, 0.4], [0.4, 2.0]], R=0.1)
    s = (np.arange(20000) + 0.5) * 0.3 / 20000
    decay = np.exp(-s[:, None] / np.array([0.5, 2.0]))
    Q = np.einsum("si,sj->ij", decay, decay) * 0.3 / 20000 * np.array([[1.0, 0.4], [0.4, 2.0]])
    assert np.abs(process.Q - Q).max() < 1e-8
    assert np.abs(ct.process(1e-4, 1.0, R=0.1).Q - 1e-4 * np.eye(2)).max() < 1e-7


def test_bad_structures_are_refused():
    rng = np.random.default_rng(13)
    a, b = sysid.ESN.random(4, rng=rng), sysid.ESN.random(3, 0, rng=rng)
    with pytest.raises(ValueError, match="1 matrices V"):
        sysid.DeepESN([a, b], [])
    with pytest.raises(ValueError, match="transpose"):
        sysid.DeepESN([a, b], [np.ones((4, 3))])
    with pytest.raises(ValueError, match="earlier to a later"):
        sysid.DeepESN([a, b], [np.ones((3, 4))], skips={(0, 1): np.ones((4, 3))})
    with pytest.raises(ValueError, match="rank"):
        sysid.GatedESN(np.eye(3), np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="within the grid"):
        sysid.ConvolutionalESN((2, 2), np.ones((3, 3)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="symmetric"):
        sysid.GraphESN(np.triu(np.ones((3, 3))), [1.0])
    with pytest.raises(ValueError, match="dt <= tau"):
        sysid.ContinuousESN(np.eye(2), tau=0.1).discretize(0.19, "euler")
