"""The models' own identities: conventions, reductions to one another, Jacobians against differences."""

import dataclasses

import numba
import numpy as np
import pytest

import sysid


def random_lti(rng, n=4, m=2, p=3, radius=0.9):
    A = rng.standard_normal((n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    return sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m)), dt=0.5,
                     c=rng.standard_normal(n), d=rng.standard_normal(p))  # fmt: skip


def test_simulation_is_the_recursion_with_offsets():
    rng = np.random.default_rng(0)
    model = random_lti(rng)
    u, x = rng.standard_normal((30, 2)), rng.standard_normal(4)
    sim = sysid.simulate(model, u, x0=x)
    for t in range(30):
        np.testing.assert_allclose(sim.x[t], x, atol=1e-12)
        np.testing.assert_allclose(sim.y[t], model.C @ x + model.D @ u[t] + model.d, atol=1e-12)
        x = model.A @ x + model.B @ u[t] + model.c
    np.testing.assert_allclose(sim.final, x, atol=1e-12)


def test_impulse_response_is_the_markov_parameters_with_h0_equal_D():
    model = dataclasses.replace(random_lti(np.random.default_rng(1)), c=None, d=None)
    for channel in range(2):
        u = np.zeros((12, 2))
        u[0, channel] = 1.0
        np.testing.assert_allclose(sysid.simulate(model, u).y, model.markov_parameters(12)[:, :, channel], atol=1e-12)
    np.testing.assert_array_equal(model.markov_parameters(1)[0], model.D)


def test_the_undelayed_convention_round_trips_and_gives_the_same_outputs():
    rng = np.random.default_rng(2)
    A, B, C, D = (rng.standard_normal(s) for s in ((3, 3), (3, 1), (2, 3), (2, 1)))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    model = sysid.LTI.from_undelayed(A, B, C, D)
    u, x, expected = rng.standard_normal((20, 1)), np.zeros(3), []
    for t in range(20):
        x = A @ x + B @ u[t]
        expected.append(C @ x + D @ u[t])
    np.testing.assert_allclose(sysid.simulate(model, u).y, expected, atol=1e-12)
    for got, want in zip(model.to_undelayed(), (A, B, C, D)):
        np.testing.assert_allclose(got, want, atol=1e-10)


def test_a_seen_pole_at_zero_has_no_undelayed_form():
    with pytest.raises(ValueError, match="pole at zero"):
        sysid.LTI([[0.0]], [[1.0]], [[1.0]]).to_undelayed()


def test_transform_changes_coordinates_and_nothing_that_is_measured():
    rng = np.random.default_rng(3)
    model, u, T = random_lti(rng), rng.standard_normal((25, 2)), rng.standard_normal((4, 4))
    other = model.transform(T)
    np.testing.assert_allclose(sysid.simulate(other, u).y, sysid.simulate(model, u).y, atol=1e-9)


def test_bilinear_without_N_is_linear_and_along_an_input_is_exactly_time_varying():
    rng = np.random.default_rng(4)
    m = random_lti(rng)
    u, x0 = rng.standard_normal((30, 2)), rng.standard_normal(4)
    flat = sysid.Bilinear(m.A, m.B, np.zeros((2, 4, 4)), m.C, m.D, m.dt, m.c, m.d)
    np.testing.assert_array_equal(sysid.simulate(flat, u, x0).y, sysid.simulate(m, u, x0).y)
    bent = dataclasses.replace(flat, N=0.1 * rng.standard_normal((2, 4, 4)))
    x, y = x0, []
    for t in range(30):
        y.append(bent.C @ x + bent.D @ u[t] + bent.d)
        x = bent.A @ x + bent.B @ u[t] + np.einsum("i,ijk,k->j", u[t], bent.N, x) + bent.c
    np.testing.assert_allclose(sysid.simulate(bent, u, x0).y, y, rtol=1e-10)
    np.testing.assert_allclose(sysid.simulate(bent.along(u), u, x0).y, y, rtol=1e-10)


def test_functions_of_linear_models_equal_their_simulation():
    rng = np.random.default_rng(5)
    m = random_lti(rng)
    u = rng.standard_normal((6, 2))
    bent = sysid.Bilinear(m.A, m.B, 0.1 * rng.standard_normal((2, 4, 4)), m.C, m.D, m.dt, m.c, m.d)
    for model in (m, bent, bent.along(u)):
        fun, sim = model.functions(), sysid.simulate(model, u)
        for t in range(5):
            x, time = sim.x[t].copy(), t * m.dt
            np.testing.assert_allclose(fun.f(x, u[t], fun.p, time), sim.x[t + 1], atol=1e-12)
            np.testing.assert_allclose(fun.g(x, u[t], fun.p, time), sim.y[t], atol=1e-12)
            for J, h, wrt in ((fun.fx, fun.f, 0), (fun.gx, fun.g, 0), (fun.fu, fun.f, 1), (fun.gu, fun.g, 1)):
                v = (x, u[t])[wrt]
                num = np.column_stack([
                    (h(*((v + e, u[t]) if wrt == 0 else (x, v + e)), fun.p, time)
                     - h(*((v - e, u[t]) if wrt == 0 else (x, v - e)), fun.p, time)) / 2e-6
                    for e in 1e-6 * np.eye(len(v))])  # fmt: skip
                np.testing.assert_allclose(J(x, u[t], fun.p, time), num, atol=1e-8)


def pendulum(x, u, p, t):
    return np.array([x[0] + 0.01 * x[1], x[1] + 0.01 * (-p[0] * np.sin(x[0]) + u[0])])


def angle(x, u, p, t):
    return x[:1].copy()


def test_plain_and_compiled_user_functions_give_the_same_path():
    fast = sysid.Nonlinear(numba.njit(pendulum), numba.njit(angle), 2, 1, 1, p=[9.81], dt=0.01)
    slow = sysid.Nonlinear(pendulum, angle, 2, 1, 1, p=[9.81], dt=0.01)
    u = np.random.default_rng(0).standard_normal((200, 1))
    a, b = (sysid.simulate(m, u, x0=[1.0, 0.0]) for m in (fast, slow))
    np.testing.assert_allclose(a.x, b.x, rtol=1e-13)
    assert fast.is_compiled and not slow.is_compiled and "njit" in repr(slow)


def test_differences_agree_with_the_analytic_jacobian_and_the_equilibrium_stays():
    model = sysid.Nonlinear(pendulum, angle, 2, 1, 1, p=[9.81], dt=0.01)
    x = np.array([0.7, -0.2])
    exact = [[1.0, 0.01], [-0.0981 * np.cos(0.7), 1.0]]
    np.testing.assert_allclose(model.functions().fx(x, np.zeros(1), model.p, 0.0), exact, atol=1e-9)
    rest = model.equilibrium(u=[2.0], x0=[0.1, 0.0])
    assert rest[0] == pytest.approx(np.arcsin(2.0 / 9.81), abs=1e-9)
    with pytest.raises(ValueError, match="no equilibrium"):
        model.equilibrium(u=[20.0])


@pytest.mark.parametrize("f, words", [
    (lambda x, u, p, t: np.zeros(3), r"f\(x=.*expected shape \(2,\)"),
    (lambda x, u, p, t: np.array([np.nan, 0.0]), "not finite"),
    (lambda x, u, p, t: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_bad_user_function_is_reported_with_its_arguments(f, words):
    model = sysid.Nonlinear(f, angle, 2, 1, 1)
    with pytest.raises(Exception, match=words):
        sysid.simulate(model, np.zeros((3, 1)))


def test_a_compiled_function_of_the_wrong_kind_is_refused_at_once():
    with pytest.raises(TypeError, match="expected a float64 array"):
        sysid.Nonlinear(numba.njit(lambda x, u, p, t: x[0]), angle, 1, 0, 1)


def test_a_sampled_process_has_the_stationary_covariance_of_its_lyapunov_equation():
    model = sysid.LTI([[0.8, 0.2], [0.0, 0.5]], None, [[1.0, 1.0]])
    process = sysid.Process(model, Q=[1.0, 0.5], R=0.3)
    assert process.initial == sysid.Stationary()
    sim = sysid.simulate(process, n_steps=60_000, rng=np.random.default_rng(0))
    P = np.diag([1.0, 0.5])
    for _ in range(200):
        P = model.A @ P @ model.A.T + np.diag([1.0, 0.5])
    np.testing.assert_allclose(np.cov(sim.x.T), P, rtol=0.03, atol=0.03)  # four standard errors
    assert np.var(sim.y - sim.x @ model.C.T) == pytest.approx(0.3, rel=0.03)


def test_a_diverging_path_stops_and_says_where():
    model = sysid.Nonlinear(lambda x, u, p, t: x * x, lambda x, u, p, t: x, 1, 0, 1)
    with pytest.raises(FloatingPointError), np.errstate(over="ignore"):
        sysid.simulate(model, n_steps=40, x0=[2.0])
    fast = sysid.Nonlinear(numba.njit(lambda x, u, p, t: x * x), numba.njit(lambda x, u, p, t: x + 0.0), 1, 0, 1)
    sim = sysid.simulate(fast, n_steps=40, x0=[2.0])
    assert sim.diverged == 9 and np.isfinite(sim.x).all() and "diverged" in repr(sim)


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.LTI(np.eye(2), np.ones((2, 1)), np.ones((1, 3))), "expected C with shape"),
    (lambda: sysid.LTI(np.eye(2), np.ones((1, 2)), np.ones((1, 2))), "did you pass the transpose|transpose"),
    (lambda: sysid.LTI([[1.0, 2.0]], None, [[1.0]]), "square"),
    (lambda: sysid.LTI([[np.nan]], None, [[1.0]]), "NaN"),
    (lambda: sysid.LTI([[1.0]], None, [[1.0]], dt=-1.0), "dt > 0"),
    (lambda: sysid.LTI([0.5], None, [[1.0]]), "matrix"),
    (lambda: sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=-1.0, R=1.0), "eigenvalue -1"),
    (lambda: sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=1.0, R=1.0, initial=sysid.Diffuse), "sysid.Diffuse()"),
    (lambda: sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=1.0, R=1.0, S=[[3.0]]), "positive semidefinite"),
    (lambda: sysid.Process("model", Q=1.0, R=1.0), "expected a model"),
    (lambda: sysid.simulate(sysid.LTI([[0.5]], [[1.0]], [[1.0]])), "n_steps"),
    (lambda: sysid.simulate(sysid.LTI([[0.5]], [[1.0]], [[1.0]]), np.ones((5, 2))), "expected u with shape"),
    (lambda: sysid.simulate(sysid.LTI([[-0.5]], [[1.0]], [[1.0]], dt=None), np.ones(5)), "discretize"),
    (lambda: sysid.simulate(sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), 1.0, 1.0), n_steps=5), "default_rng"),
    (lambda: sysid.simulate(sysid.Process(sysid.LTI([[1.5]], None, [[1.0]]), 1.0, 1.0), n_steps=5,
                            rng=np.random.default_rng(0)), "Diffuse"),
    (lambda: sysid.Bilinear([[0.5]], [[1.0]], [[1.0]], [[1.0]]), "N with shape"),
])  # fmt: skip
def test_bad_models_are_refused_with_one_sentence(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_models_without_inputs_and_nested_lists_work():
    model = sysid.LTI([[0.5]], None, [[2]])
    assert model.n_inputs == 0 and model.D.shape == (1, 0)
    np.testing.assert_allclose(sysid.simulate(model, n_steps=3, x0=[1]).y[:, 0], [2, 1, 0.5])
