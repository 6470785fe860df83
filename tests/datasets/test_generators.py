import numpy as np
import pytest

from sysid.datasets import chaotic, driven, inputs


def last(function, *args, **options):
    return function(*args, transient=0, **options).y[-1]


@pytest.mark.parametrize("make, steps, order", [
    (lambda k: last(chaotic.mackey_glass, 100, substeps=k), (5, 10, 20), 4),
    (lambda k: last(chaotic.lorenz, 60, substeps=k), (5, 10, 20), 4),
    (lambda k: last(chaotic.rossler, 60, substeps=k), (2, 4, 8), 4),
    (lambda k: last(chaotic.lorenz96, 20, substeps=k), (5, 10, 20), 4),
    (lambda k: driven.van_der_pol(np.ones(60), substeps=k).y[-1], (2, 4, 8), 4),
    (lambda k: driven.duffing(np.ones(60), substeps=k).y[-1], (2, 4, 8), 4),
    (lambda k: last(chaotic.kuramoto_sivashinsky, 40, substeps=k), (8, 16, 32), 4),
])
def test_each_flow_converges_with_the_order_of_its_method(make, steps, order):
    a, b, c = (make(k) for k in steps)
    measured = np.log2(np.linalg.norm(a - b) / np.linalg.norm(b - c))
    assert order - 0.6 < measured < order + 1.2


def test_flows_agree_with_an_adaptive_solver():
    from scipy.integrate import solve_ivp
    y = chaotic.lorenz(50, dt=0.02, transient=0, substeps=20).y
    reference = solve_ivp(lambda t, x: [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]],
                          (0, 0.98), [1, 1, 1], t_eval=0.02 * np.arange(50), rtol=1e-11, atol=1e-12, method="DOP853").y.T
    assert np.abs(y - reference).max() < 1e-6


def test_fixed_reference_values():
    # Converged by halving the step until ten digits stood still.
    mg = chaotic.mackey_glass(101, transient=0, substeps=160).y[:, 0]
    assert chaotic.mackey_glass(101, transient=0).y[[50, 100], 0] == pytest.approx(mg[[50, 100]], abs=2e-9)
    assert mg[[50, 100]] == pytest.approx([REFERENCE["mg50"], REFERENCE["mg100"]], abs=1e-9)
    assert chaotic.henon(3, transient=0).y == pytest.approx(np.array([[0, 0], [1, 0], [-0.4, 0.3]]))
    assert chaotic.mackey_glass(3000).y.std() == pytest.approx(0.225, abs=0.01)


REFERENCE = {"mg50": 1.060954362897505, "mg100": 1.01372401652412}


def test_narma_satisfies_its_recursion():
    for order in (10, 20):
        data = driven.narma(order, 300, np.random.default_rng(0))
        y, u = data.y[:, 0], data.u[:, 0]
        t = 200
        drive = 0.3 * y[t] + 0.05 * y[t] * y[t - order + 1 : t + 1].sum() + 1.5 * u[t - order + 1] * u[t]
        expected = drive + 0.1 if order == 10 else np.tanh(drive + 0.01) + 0.2
        assert y[t + 1] == pytest.approx(expected, abs=1e-14)


def test_slow_manifold_is_exact_in_the_lift():
    from scipy.linalg import expm
    mu, la, dt = -0.05, -1.0, 0.1
    y = driven.slow_manifold(40, dt, mu=mu, decay=la).y
    z = np.column_stack([y, y[:, 0] ** 2])
    step = expm(dt * np.array([[mu, 0, 0], [0, la, -la], [0, 0, 2 * mu]]))
    assert np.abs(z[1:] - z[:-1] @ step.T).max() < 1e-15 * 10


def test_forced_slow_manifold_follows_its_map():
    u = np.random.default_rng(1).standard_normal(50)
    x = driven.forced_slow_manifold(u, x0=(0.3, -0.2)).y
    assert np.abs(x[1:, 0] - 0.9 * x[:-1, 0] - u[:-1]).max() < 1e-13
    assert np.abs(x[1:, 1] - 0.5 * x[:-1, 1] - 0.3 * x[:-1, 0] ** 2).max() < 1e-12


def test_marginally_stable_systems_do_not_decay():
    for oscillating in (False, True):
        data = driven.marginally_stable(4000, 4, np.random.default_rng(2), oscillating=oscillating)
        y = data.y[:, 0]
        assert np.isfinite(y).all() and y[2000:].std() > y[:500].std()


def test_a_pseudo_random_binary_sequence_has_maximum_length():
    for bits in range(2, 13):
        period = 2**bits - 1
        u = inputs.prbs(2 * period, bits=bits)
        assert np.array_equal(u[:period], u[period:]) and u[:period].sum() == 1.0  # one more +1 than -1
        windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([u[:period], u[: bits - 1]]), bits)
        assert len(np.unique(windows, axis=0)) == period  # every word but one occurs, once
    held = inputs.prbs(50, hold=3, bits=5)
    assert np.array_equal(held, np.repeat(inputs.prbs(17, bits=5), 3)[:50])
    assert np.array_equal(inputs.prbs(9, bits=4), inputs.prbs(15, bits=4)[:9])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="left every bound"):
        chaotic.mackey_glass(50, power=9.65, x0=-1.2)  # a negative base: NaN, not a gap
    with pytest.raises(ValueError, match="left every bound"):
        chaotic.kuramoto_sivashinsky(50, dt=50.0)
    with pytest.raises(ValueError, match="left every bound"):
        driven.forced_slow_manifold(np.ones(5000), a=3.0)
    for make in (chaotic.mackey_glass, chaotic.lorenz, chaotic.kuramoto_sivashinsky, driven.slow_manifold):
        with pytest.raises(ValueError, match="sampling interval dt > 0; received None"):
            make(5, dt=None)
    with pytest.raises(ValueError, match="whole numbers between 1 and 4"):
        inputs.multisine(10, np.random.default_rng(0), lines=[1.5])
    with pytest.raises(ValueError, match="tries >= 1"):
        inputs.multisine(10, np.random.default_rng(0), tries=0)
    with pytest.raises(TypeError, match="bits as a whole number"):
        inputs.prbs(10, bits=3.0)
    with pytest.raises(ValueError, match="whole number of steps"):
        chaotic.mackey_glass(10, tau=17.03)
    with pytest.raises(ValueError, match="left every bound"):
        chaotic.lorenz(200, dt=2.0, substeps=1)
    with pytest.raises(TypeError, match="rng"):
        driven.narma(10, 100, 3)
    with pytest.raises(ValueError, match="even n_states"):
        driven.marginally_stable(10, 3, np.random.default_rng(0), oscillating=True)
