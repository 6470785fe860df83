"""What follows from a certificate bounds what is simulated."""

import numpy as np
import pytest

import sysid


@pytest.fixture(scope="module")
def made():
    esn = sysid.ESN.random(15, 2, leak=0.6, spectral_radius=0.6, rng=np.random.default_rng(0))
    return esn, sysid.certify(esn, sysid.Contraction(0.9), sysid.CircleCriterion())


def step(esn, x, u):
    return (1 - esn.leak) * x + esn.leak * np.tanh(esn.W @ x + esn.W_in @ u + esn.bias)


def distance(esn, u, v, x, z):
    out = [np.linalg.norm(x - z)]
    for a, b in zip(u, v):
        x, z = step(esn, x, a), step(esn, z, b)
        out.append(np.linalg.norm(x - z))
    return np.array(out)


def test_trajectories_approach_as_certified(made):
    esn, cert = made
    rng = np.random.default_rng(1)
    u = rng.normal(size=(60, 2))
    x0, z0 = rng.normal(size=(2, 15))
    d = distance(esn, u, u, x0, z0)
    assert (d <= cert.overshoot * cert.rate ** np.arange(61) * d[0] * (1 + 1e-9)).all()
    assert (d[sysid.washout_length(cert, d[0], 1e-3):] <= 1e-3).all()


def test_the_input_gain_and_the_horizon_bound_simulations(made):
    esn, cert = made
    rng = np.random.default_rng(2)
    gain = sysid.input_to_state_gain(cert, esn)
    for _ in range(5):
        u = rng.normal(size=(80, 2))
        w = rng.normal(size=(80, 2))
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        x0 = np.zeros(15)
        assert distance(esn, u, u + w, x0, x0).max() <= gain
        into = gain * (1 - cert.rate) / cert.overshoot
        H = sysid.memory_horizon(cert, into, 1e-2, persistent=True)
        recent = u + w
        recent[80 - H:] = u[80 - H:]
        assert distance(esn, u, recent, x0, x0)[-1] <= 1e-2


def test_disturbances_noise_and_averages_are_bounded(made):
    esn, cert = made
    rng = np.random.default_rng(3)
    u, x, z = rng.normal(size=(200, 2)), np.zeros(15), rng.normal(size=15)
    start = np.linalg.norm(x - z)
    for t in range(200):
        w = rng.normal(size=15)
        x, z = step(esn, x, u[t]), step(esn, z, u[t]) + 0.1 * w / np.linalg.norm(w)
        assert np.linalg.norm(x - z) <= sysid.disturbance_radius(cert, 0.1, t + 1, start) * (1 + 1e-9)
    assert sysid.disturbance_radius(cert, 0.1) == pytest.approx(sysid.disturbance_radius(cert, 0.1, 5000))
    assert sysid.law_contraction(cert, 10) == pytest.approx(cert.overshoot * cert.rate**10)
    assert sysid.effective_sample_size(cert, 100) == pytest.approx(100 * (1 - cert.rate) / (1 + cert.rate))


def test_the_autocorrelation_of_a_linear_model_is_bounded():
    rng = np.random.default_rng(4)
    A = 0.5 * np.linalg.qr(rng.normal(size=(4, 4)))[0] + np.diag([0.2, 0.1, 0, 0])
    net = sysid.LeakyNetwork(A, 1.0, 1.0, 1.0)
    cert = sysid.certify(net, sysid.Contraction(), sysid.CircleCriterion())
    from scipy.linalg import solve_discrete_lyapunov

    S, c = solve_discrete_lyapunov(A, np.eye(4)), rng.normal(size=4)
    for lag in range(8):
        true = c @ np.linalg.matrix_power(A, lag) @ S @ c / (c @ S @ c)
        assert abs(true) <= sysid.autocorrelation_bound(cert, lag, S, c) + 1e-12
        total = np.trace(cert.P @ np.linalg.matrix_power(A, lag) @ S) / np.trace(cert.P @ S)
        assert abs(total) <= sysid.autocorrelation_bound(cert, lag) + 1e-9


def test_the_horizon_counts_the_whole_tail():
    # rate .99, eps .01: the printed rule gives 461 steps, where the tail is still .97; 916-917 are needed.
    cert = sysid.certify(sysid.LeakyNetwork([[0.99]], 1.0, 1.0, 1.0), sysid.Contraction(), sysid.NormBound())
    assert sysid.memory_horizon(cert, 1.0, 0.01, persistent=True) in (916, 917, 918)


def test_what_does_not_hold_is_refused(made):
    failing = sysid.certify(sysid.LeakyNetwork([[3.0]], 1.0, 0, 1))
    with pytest.raises(ValueError, match="does not"):
        sysid.washout_length(failing, 1.0, 1e-3)
    with pytest.raises(TypeError, match="Certificate"):
        sysid.washout_length(0.9, 1.0, 1e-3)
    with pytest.raises(ValueError, match="tolerance"):
        sysid.washout_length(made[1], 1.0, 0.0)
    assert sysid.linearization_tube(made[1], 0.77, 0.1) > 0


def test_the_gain_is_part_of_the_property_asked_for(made):
    esn, _ = made
    cert = sysid.certify(esn, sysid.Gain())
    assert cert.holds and cert.details["gain"] > 0 and "gain from input" in cert.summary()
    assert not sysid.certify(esn, sysid.Gain(bound=1e-3)).holds
    assert sysid.certify(esn, sysid.Stability()).holds
    lti = sysid.LTI([[0.5]], [[2.0]], [[3.0]])
    assert sysid.certify(lti, sysid.Gain(output=True)).details["gain"] == pytest.approx(12.0, rel=0.1)
    with pytest.raises(ValueError, match="bound"):
        sysid.Gain(bound=-1.0)


def test_the_gain_of_a_stack_bounds_its_simulation():
    stack = sysid.DeepESN.random([6, 6], leaks=0.8, spectral_radius=0.3, rng=np.random.default_rng(0))
    cert = sysid.certify(stack)
    gain = sysid.input_to_state_gain(cert, stack)
    u, v = np.random.default_rng(1).standard_normal((2, 200, 1))
    apart = np.linalg.norm(sysid.simulate(stack, u).x - sysid.simulate(stack, v).x, axis=1).max()
    assert cert.holds and apart <= gain * np.abs(u - v).max()


def test_a_certificate_of_another_model_and_a_direction_without_variance_are_refused(made):
    _, cert = made
    with pytest.raises(ValueError, match="of 15 states; received one of 4"):
        sysid.input_to_state_gain(cert, sysid.ESN.random(4, rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="along which the state varies"):
        sysid.autocorrelation_bound(cert, 1, np.zeros((15, 15)), np.ones(15))
