"""Sampling: exact against integrals and an ODE solver, back again to rounding, and the printed leaks that are wrong."""

import numba
import numpy as np
import pytest
import scipy.linalg as sla
from scipy.integrate import quad_vec, solve_ivp

import sysid


def random_continuous(seed, n=4):
    rng = np.random.default_rng(seed)
    return sysid.LTI(rng.standard_normal((n, n)) - 1.5 * np.eye(n), rng.standard_normal((n, 2)), rng.standard_normal((2, n)),
                     rng.standard_normal((2, 2)), dt=None, c=rng.standard_normal(n), d=rng.standard_normal(2))


@pytest.mark.parametrize("method", ["zoh", "foh", "tustin", "euler"])
def test_back_to_continuous_time_is_the_identity(method):
    for seed in range(20):
        model = random_continuous(seed, 1 + seed % 6)
        back = sysid.to_continuous(sysid.discretize(model, 0.1, method), method)
        for name in "ABCDcd":
            assert np.allclose(getattr(back, name), getattr(model, name), atol=1e-9)


def test_back_of_an_integrator():
    double = sysid.LTI([[0.0, 1], [0, 0]], [[0.0], [1]], [[1.0, 0]], dt=None)
    sampled = sysid.discretize(double, 0.5)
    assert np.allclose(sampled.A, [[1, 0.5], [0, 1]]) and np.allclose(sampled.B.ravel(), [0.125, 0.5])
    assert np.allclose(sysid.to_continuous(sampled).A, double.A, atol=1e-9)


@pytest.mark.parametrize("method", ["zoh", "foh"])
def test_holds_are_exact_for_their_inputs(method):
    model = random_continuous(3)
    u = np.random.default_rng(0).standard_normal((12, 2))
    sampled, x, dt = sysid.discretize(model, 0.2, method), np.zeros(4), 0.2
    y = []
    for k in range(11):
        y.append(model.C @ x + model.D @ u[k] + model.d)
        rise = (u[k + 1] - u[k]) / dt if method == "foh" else np.zeros(2)
        x = solve_ivp(lambda t, x, k=k, rise=rise: model.A @ x + model.B @ (u[k] + rise * t) + model.c, (0, dt), x,
                      rtol=1e-11, atol=1e-12).y[:, -1]
    if method == "foh":  # from rest the shifted state starts at x - G u[0]
        start = -np.linalg.lstsq(np.vstack([sampled.C @ np.linalg.matrix_power(sampled.A, i) for i in range(4)]),
                                 np.zeros(8), rcond=None)[0]
        y0 = sysid.simulate(sampled, u[:11], x0=start).y
        gap = np.array(y) - y0  # a free motion of the shifted state
        O = np.vstack([sampled.C @ np.linalg.matrix_power(sampled.A, i) for i in range(11)])
        z0 = np.linalg.lstsq(O, gap.ravel(), rcond=None)[0]
        assert np.allclose(O @ z0, gap.ravel(), atol=1e-8)
    else:
        assert np.allclose(sysid.simulate(sampled, u[:11]).y, y, atol=1e-8)


def test_tustin_and_foh_agree_with_published_conventions():
    signal = pytest.importorskip("scipy.signal")
    model = random_continuous(5)
    for method, theirs in (("zoh", "zoh"), ("foh", "foh"), ("tustin", "bilinear"), ("euler", "euler")):
        A, B, C, D, _ = signal.cont2discrete((model.A, model.B, model.C, model.D), 0.3, theirs)
        ours = sysid.discretize(model, 0.3, method)
        for mine, other in zip((ours.A, ours.B, ours.C, ours.D), (A, B, C, D)):
            assert np.allclose(mine, other, atol=1e-12)


@pytest.mark.parametrize("method", ["zoh", "foh", "tustin", "euler"])
def test_equilibrium_in_original_units_survives_sampling(method):
    model = random_continuous(6)
    model = sysid.LTI(model.A - 2 * np.eye(4), model.B, model.C, model.D, None, model.c, model.d)
    sampled = sysid.discretize(model, 0.1, method)
    u = np.array([0.3, -1.0])
    want = model.C @ model.equilibrium(u) + model.D @ u + model.d
    assert np.allclose(sampled.C @ sampled.equilibrium(u) + sampled.D @ u + sampled.d, want)


@pytest.mark.parametrize("dt", [0.01, 0.3, 5.0])
def test_van_loan_equals_quadrature(dt):
    model = random_continuous(7)
    root = np.random.default_rng(1).standard_normal((4, 4))
    process = sysid.Process(model, Q=root @ root.T, R=np.eye(2))
    want, _ = quad_vec(lambda s: (E := sla.expm(model.A * s)) @ process.Q @ E.T, 0, dt, epsabs=1e-14, epsrel=1e-14)
    sampled = sysid.discretize(process, dt)
    assert np.abs(sampled.Q - want).max() < 1e-12 * max(1, np.abs(want).max())
    assert np.array_equal(sampled.R, process.R) and sampled.model.dt == dt
    if dt < 1:
        assert np.allclose(sysid.to_continuous(sampled).Q, process.Q, atol=1e-9)


def test_white_acceleration_has_the_textbook_covariance():
    model = sysid.LTI([[0.0, 1], [0, 0]], None, [[1.0, 0]], dt=None)
    Q = sysid.discretize(sysid.Process(model, Q=np.diag([0.0, 2.0]), R=1.0, initial=sysid.Diffuse()), 0.5).Q
    assert np.allclose(Q, 2.0 * np.array([[0.5**3 / 3, 0.5**2 / 2], [0.5**2 / 2, 0.5]]), rtol=1e-13)


def test_noise_that_no_continuous_process_makes_is_refused():
    process = sysid.Process(sysid.LTI([[0.5, 0.4], [-0.4, 0.5]], None, [[1.0, 0]]), Q=np.diag([1.0, 0.0]), R=1.0)
    with pytest.raises(ValueError, match="no white noise integrates"):
        sysid.to_continuous(process)


def pendulum(x, u, p, t):
    return np.array([x[1], -p[0] * np.sin(x[0]) - 0.1 * x[1] + u[0]])


def slope(x, u, p, t):
    return np.array([[0.0, 1.0], [-p[0] * np.cos(x[0]), -0.1]])


def angle(x, u, p, t):
    return x[:1].copy() + 0.0 * u[0]


@pytest.mark.parametrize(("compiled", "hold"), [(False, "zoh"), (False, "foh"), (True, "foh")])
def test_rk4_agrees_with_an_accurate_solver(compiled, hold):
    f, fx, g = (numba.njit(h) if compiled else h for h in (pendulum, slope, angle))
    ct = sysid.Nonlinear(f, g, n_states=2, n_inputs=1, n_outputs=1, p=[9.81], dt=None, jacobians={"fx": fx})
    dt, u = 0.05, np.sin(0.1 * np.arange(30))[:, None]
    sampled = sysid.discretize(ct, dt, method="rk4", hold=hold, substeps=4)
    assert sampled.is_compiled == compiled and sampled.hold == hold
    x = [np.array([1.0, 0.0])]
    for k in range(29):
        rise = (u[k + 1, 0] - u[k, 0]) / dt if hold == "foh" else 0.0
        x.append(solve_ivp(lambda t, x, k=k, rise=rise: pendulum(x, [u[k, 0] + rise * t], [9.81], t), (0, dt), x[-1],
                           rtol=1e-11, atol=1e-12).y[:, -1])
    path = sysid.simulate(sampled, u, x0=[1.0, 0.0])
    assert np.abs(path.x - x).max() < 1e-6
    plain = sysid.discretize(sysid.Nonlinear(pendulum, angle, 2, 1, 1, [9.81], None), dt, hold=hold, substeps=4)
    where = path.x[7].copy(), np.repeat(u[7], 2 if hold == "foh" else 1), plain.p, 0.0
    assert np.allclose(sampled.functions().fx(*where), plain.functions().fx(*where), atol=1e-9)
    if hold == "foh" and not compiled:
        assert sysid.linearize(sampled, x=path.x[7], u=u[7]).B.shape == (2, 2)


def test_rk4_is_of_fourth_order_and_euler_of_first():
    ct = sysid.Nonlinear(pendulum, angle, 2, 1, 1, [9.81], None)
    errors = {}
    fine = sysid.simulate(sysid.discretize(ct, 0.4, substeps=200), np.zeros((6, 1)), x0=[1.0, 0.0]).x[-1]
    for method in ("rk4", "euler"):
        errors[method] = [np.abs(sysid.simulate(sysid.discretize(ct, 0.4, method=method, substeps=k), np.zeros((6, 1)),
                                                x0=[1.0, 0.0]).x[-1] - fine).max() for k in (16, 32)]
    assert 12 < errors["rk4"][0] / errors["rk4"][1] < 20
    assert 1.7 < errors["euler"][0] / errors["euler"][1] < 2.4


def test_bilinear_sampling_is_exact_along_an_input_and_first_order_in_it():
    rng = np.random.default_rng(4)
    model = sysid.Bilinear(rng.standard_normal((3, 3)) - 2 * np.eye(3), rng.standard_normal((3, 1)),
                           rng.standard_normal((1, 3, 3)), rng.standard_normal((1, 3)), dt=None)
    u = rng.standard_normal((20, 1))
    exact = sysid.simulate(model.along(u, 0.2), u).x
    x = [np.zeros(3)]
    for k in range(19):
        x.append(solve_ivp(lambda t, x, k=k: (model.A + u[k, 0] * model.N[0]) @ x + model.B @ u[k], (0, 0.2), x[-1],
                           rtol=1e-11, atol=1e-12).y[:, -1])
    assert np.allclose(exact, x, atol=1e-9)
    gaps = []
    for size in (0.1, 0.05):
        sampled = sysid.discretize(model, 0.2)
        gaps.append(np.abs(sysid.simulate(sampled, size * u).x - sysid.simulate(model.along(size * u, 0.2), size * u).x).max())
    assert 3.0 < gaps[0] / gaps[1] < 5.0
    assert np.allclose(sysid.discretize(model, 0.01, "euler").N, 0.01 * model.N)


def test_leaks_from_a_time_constant():
    leak = sysid.leak_from_time_constant
    assert leak(1.0, 1.0) == pytest.approx(1 - np.exp(-1))  # corrections #19
    assert 1 - leak(1.0, 1.0, "tustin") == pytest.approx(1 / 3)
    assert leak(1.0, 1.0, "euler") == 1.0
    assert np.allclose(leak([1.0, 2.0], 0.5, "euler"), [0.5, 0.25])
    with pytest.raises(ValueError, match="dt <= tau"):
        leak(1.0, 1.9, "euler")  # corrections #20
    with pytest.raises(ValueError, match="tau > 0"):
        leak(0.0, 1.0)


def test_held_leaks_are_first_order_and_the_averaged_one_second():
    """tau dx/dt = -x + s(t): holding s[t] is first order whatever the pole; averaging the ends is second (corrections #18)."""
    def error(dt, averaged):
        steps = round(4.0 / dt)
        s = np.sin(2.0 * dt * np.arange(steps + 1))
        leak = sysid.leak_from_time_constant(1.0, dt, "tustin")
        x = 0.0
        for k in range(steps):
            x = (1 - leak) * x + leak * ((s[k] + s[k + 1]) / 2 if averaged else s[k])
        return abs(x - (np.sin(8.0) - 2 * np.cos(8.0) + 2 * np.exp(-4.0)) / 5)

    assert 1.6 < error(0.05, False) / error(0.025, False) < 2.4
    assert 3.6 < error(0.05, True) / error(0.025, True) < 4.4


def test_refusals_of_sampling():
    model = random_continuous(0)
    with pytest.raises(ValueError, match="dt > 0"):
        sysid.discretize(model, 0.0)
    with pytest.raises(ValueError, match="dt > 0"):
        sysid.discretize(model, None)
    with pytest.raises(ValueError, match="zoh, foh, tustin, euler"):
        sysid.discretize(model, 0.1, "matched")
    with pytest.raises(ValueError, match=r"dt = 0\.1.*to_continuous"):
        sysid.discretize(sysid.discretize(model, 0.1), 0.2)
    with pytest.raises(ValueError, match="continuous already"):
        sysid.to_continuous(model)
    with pytest.raises(ValueError, match="real and negative"):
        sysid.to_continuous(sysid.LTI([[-0.5]], [[1.0]], [[1.0]]))
    with pytest.raises(ValueError, match="zero"):
        sysid.to_continuous(sysid.LTI([[0.0]], [[1.0]], [[1.0]]))
    with pytest.raises(ValueError, match="pole at -1"):
        sysid.to_continuous(sysid.LTI([[-1.0]], [[1.0]], [[1.0]]), "tustin")
    with pytest.raises(ValueError, match="pole at 2/dt"):
        sysid.discretize(sysid.LTI([[2.0]], [[1.0]], [[1.0]], dt=None), 1.0, "tustin")
    with pytest.raises(TypeError, match="discretize: expected"):
        sysid.discretize(object(), 0.1)
    ct = sysid.Nonlinear(pendulum, angle, 2, 1, 1, [9.81], None)
    with pytest.raises(ValueError, match="rk4, euler"):
        sysid.discretize(ct, 0.1, method="zoh")
    with pytest.raises(ValueError, match="substeps"):
        sysid.discretize(ct, 0.1, substeps=0)
