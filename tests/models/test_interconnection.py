"""Connected models respond as their transfer functions multiply, add and close loops; offsets and states pass along."""

import numpy as np
import pytest

import sysid

OMEGA = np.geomspace(0.01, 3.0, 25)


def random_model(rng, n, m, p, dt, offsets=False):
    A = rng.standard_normal((n, n))
    A = 0.8 * A / np.abs(np.linalg.eigvals(A)).max() if dt is not None else A - 3 * np.eye(n)
    c, d = (rng.standard_normal(n), rng.standard_normal(p)) if offsets else (None, None)
    return sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), 0.3 * rng.standard_normal((p, m)), dt, c, d)


@pytest.mark.parametrize("dt", [None, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_responses_multiply_add_and_close_the_loop(seed, dt):
    rng = np.random.default_rng(seed)
    a, b = random_model(rng, 3, 2, 3, dt), random_model(rng, 2, 3, 2, dt)
    H, G = a.frequency_response(OMEGA), b.frequency_response(OMEGA)
    np.testing.assert_allclose(sysid.series(a, b).frequency_response(OMEGA), G @ H, atol=1e-10)
    np.testing.assert_allclose(sysid.parallel(a, a, sysid.series(a, -3.0)).frequency_response(OMEGA), -H, atol=1e-10)
    for sign in (-1, 1):
        closed = np.linalg.solve(np.eye(3) - sign * H @ G, H)
        np.testing.assert_allclose(sysid.feedback(a, b, sign).frequency_response(OMEGA), closed, rtol=1e-8, atol=1e-9)


def test_offsets_pass_through_a_loop_as_a_simulation_by_hand_says():
    rng = np.random.default_rng(7)
    P, K = random_model(rng, 2, 1, 1, 1.0, True), random_model(rng, 1, 1, 1, 1.0, True)
    u = rng.standard_normal(30)
    got = sysid.simulate(sysid.feedback(P, K), u).y[:, 0]
    x, z = np.zeros(2), np.zeros(1)
    for t in range(30):
        # y = C x + D (u - yk) + d and yk = K.C z + K.D y + K.d, solved for y
        y = (P.C @ x + P.D[:, 0] * (u[t] - K.C @ z - K.d) + P.d) / (1 + P.D[0, 0] * K.D[0, 0])
        v = u[t] - (K.C @ z + K.D[:, 0] * y + K.d)
        assert got[t] == pytest.approx(y[0], abs=1e-9)
        x, z = P.A @ x + P.B[:, 0] * v + P.c, K.A @ z + K.B[:, 0] * y + K.c
    both = sysid.simulate(sysid.series(P, K), u).y
    np.testing.assert_allclose(both, sysid.simulate(K, sysid.simulate(P, u).y).y, atol=1e-10)
    np.testing.assert_allclose(sysid.simulate(sysid.parallel(P, K), u).y, sysid.simulate(P, u).y + sysid.simulate(K, u).y, atol=1e-10)


def test_an_integrator_under_gain_feedback_has_its_pole_moved():
    assert sysid.feedback(sysid.LTI(1.0, 1.0, 1.0), 0.5).poles() == pytest.approx([0.5])


ONE = sysid.LTI(0.5, 1.0, 1.0)
TWO = sysid.LTI(0.5 * np.eye(2), np.ones((2, 1)), np.eye(2))


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.series(ONE, sysid.LTI(0.5, 1.0, 1.0, dt=None)), "models of one dt"),
    (lambda: sysid.series(TWO, ONE), "order is that of the signal"),
    (lambda: sysid.series(2.0, 3.0), "at least one LTI"),
    (lambda: sysid.series(ONE, [1.0, 2.0]), "gains as a matrix"),
    (lambda: sysid.parallel(ONE, TWO), "1 inputs and 1 outputs as the first"),
    (lambda: sysid.feedback(TWO, ONE), "in the return path with 2 inputs"),
    (lambda: sysid.feedback(TWO), r"matrix \(1, 2\)"),
    (lambda: sysid.feedback(ONE, 1.0, 2), "sign = -1 or 1"),
    (lambda: sysid.feedback(sysid.LTI(0.5, 1, 1, 1), 1.0, 1), "feeds itself through"),
])  # fmt: skip
def test_connections_that_do_not_fit_are_refused_with_one_sentence(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()
