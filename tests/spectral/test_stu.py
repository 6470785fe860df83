"""STU and AR-STU: exact weights of known systems, bounds, one-step and online prediction, realisation, autoregression."""

from __future__ import annotations

import numpy as np
import pytest

import sysid
from sysid.spectral.autoregression import finite_autoregression
from sysid.spectral.bounds import error_bound, filters_needed, mode_residual
from sysid.spectral.realization import realize

POLES = np.array([1, -1, 0.3, -0.7, -0.9999, -0.9999, -0.9999, -0.9999])
WINDOW = 256


def symmetric_system(poles, seed=0, n_inputs=2, n_outputs=3):
    """x[t] = A x[t-1] + B u[t] with A = V diag(poles) V', not merely diagonal."""
    rng = np.random.default_rng(seed)
    n = len(poles)
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return sysid.LTI.from_undelayed(V @ np.diag(poles) @ V.T, rng.normal(size=(n, n_inputs)), rng.normal(size=(n_outputs, n)),
                                    rng.normal(size=(n_outputs, n_inputs)))


@pytest.fixture(scope="module")
def record():
    system = symmetric_system(POLES)
    u = np.random.default_rng(1).uniform(-1, 1, size=(WINDOW, 2))
    return system, u, sysid.simulate(system, u).y


def worst(model, u, y):
    return np.abs(sysid.simulate(model, u).y - y).max()


@pytest.mark.parametrize("form", ["standard", "alternating"])
def test_all_filters_represent_a_symmetric_system_exactly(record, form):
    system, u, y = record
    assert worst(sysid.STU.from_lti(system, WINDOW, WINDOW, form), u, y) < 1e-11 * np.abs(y).max()


def test_free_running_error_falls_with_filters_as_tabulated(record):
    """The table is for an output of rms 21; errors scale with it."""
    system, u, y = record
    scale = np.sqrt((y**2).mean()) / 21
    for K, table in {8: 4.7e-2, 12: 1.9e-3, 16: 4.5e-5, 20: 1.1e-6, 24: 6.5e-8}.items():
        assert worst(sysid.STU.from_lti(system, K, WINDOW), u, y) < 4 * table * scale


def test_the_alternating_form_needs_twice_the_filters(record):
    system, u, y = record
    for K in (8, 12, 16):
        standard = worst(sysid.STU.from_lti(system, K, WINDOW), u, y)
        alternating = worst(sysid.STU.from_lti(system, 2 * K, WINDOW, "alternating"), u, y)
        assert alternating < 10 * standard


def test_the_positive_form_with_one_branch_serves_poles_in_zero_one():
    system = symmetric_system(np.abs(POLES))
    u = np.random.default_rng(2).uniform(-1, 1, size=(WINDOW, 2))
    y = sysid.simulate(system, u).y
    errors = [worst(sysid.STU.from_lti(system, K, WINDOW, "positive"), u, y) for K in (8, 16, 24, WINDOW)]
    assert errors[0] > 1e2 * errors[1] > 1e4 * errors[2] and errors[3] < 1e-10
    assert errors[2] < 1e-6 * np.abs(y).max()


def test_poles_at_and_near_zero_are_represented_in_the_delayed_convention():
    rng = np.random.default_rng(3)
    poles = [0.0, 0.0, 1e-9, -1e-3, 0.1, -0.24, 0.26, 0.5, 0.99]
    system = sysid.LTI(np.diag(poles), rng.normal(size=(9, 2)), rng.normal(size=(3, 9)), rng.normal(size=(3, 2)))
    u = rng.normal(size=(WINDOW, 2))
    y = sysid.simulate(system, u).y
    for form in ("standard", "alternating"):
        assert worst(sysid.STU.from_lti(system, WINDOW, WINDOW, form), u, y) < 1e-10
        assert worst(sysid.STU.from_lti(system, 40, WINDOW, form), u, y) < 1e-5


@pytest.mark.parametrize("form", ["standard", "alternating", "positive"])
@pytest.mark.parametrize("n_filters", [4, 12, 20])
def test_the_computed_bound_bounds_the_error(form, n_filters):
    poles = np.abs(POLES) if form == "positive" else POLES
    system = symmetric_system(poles, seed=4)
    bound = error_bound(system, n_filters, WINDOW, input_bound=1.0, form=form)
    stu = sysid.STU.from_lti(system, n_filters, WINDOW, form)
    rng = np.random.default_rng(5)
    for kind in range(4):
        u = rng.normal(size=(WINDOW, 2)) if kind < 2 else np.tile([[1.0, -1.0]], (WINDOW, 1)) * (-1.0) ** (kind * np.arange(WINDOW))[:, None]
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        error = np.linalg.norm(sysid.simulate(stu, u).y - sysid.simulate(system, u).y, axis=1)
        assert (error <= bound + 1e-11).all()


def test_residual_of_a_mode_as_tabulated_and_filters_needed():
    poles = np.concatenate([1 - np.geomspace(1e-5, 1, 400), [1.0]])
    for kind, table in {"standard": {8: 2.5e-5, 12: 5.6e-8, 16: 7.3e-11}, "alternating": {8: 3.8e-3, 12: 3.4e-4, 16: 1.4e-5}}.items():
        for K, square in table.items():
            largest = mode_residual(poles, sysid.spectral_filters(WINDOW, K, kind)).max() ** 2
            assert largest == pytest.approx(square, rel=0.05)
            tail = sysid.spectral_filters(WINDOW, 40, kind).eigenvalues[K:]
            assert largest <= np.sqrt(12 * tail).sum()  # Lemma A.3
    counts = [filters_needed(WINDOW, tolerance) for tolerance in (1e-2, 1e-6, 1e-10)]
    assert counts == sorted(counts) and counts[-1] < 40
    with pytest.raises(ValueError, match="filters can reach"):
        filters_needed(64, 1e-30, most=10)


def test_simulation_prediction_and_stream_agree(record):
    system, u, y = record
    stu = sysid.STU.from_lti(system, 20, WINDOW)
    measured = y + 0.1
    measured[50:60] = np.nan
    data = sysid.Data(measured, u)
    one_step = stu.predict(data)
    assert np.allclose(one_step, sysid.simulate(stu, u, feedback=measured).y, atol=1e-12)
    stream, out = stu.stream(), []
    for t in range(WINDOW):
        out.append(stream.predict(u[t]))
        stream.observe(measured[t])
    assert np.allclose(out, one_step, atol=1e-9)
    free = stu.stream()
    assert np.allclose([free.predict(v) for v in u], sysid.simulate(stu, u).y, atol=1e-9)


def test_a_simulation_continues_from_its_final_state(record):
    """x[t] holds the outputs fed back; without inputs the response is theirs alone."""
    system, _u, _ = record
    stu = sysid.STU.from_lti(system, 8, WINDOW)
    x0 = np.arange(6.0)
    sim = sysid.simulate(stu, np.zeros((5, 2)), x0=x0)
    assert np.allclose(sim.y, [x0[3:], x0[:3], x0[3:], x0[:3], x0[3:]])
    assert np.allclose(sim.x[1], np.concatenate([sim.y[0], x0[:3]])) and np.allclose(sim.final, np.concatenate([sim.y[4], sim.y[3]]))


def test_impulse_response_is_that_of_the_system(record):
    system, _, _ = record
    stu = sysid.STU.from_lti(system, 24, WINDOW)
    assert np.allclose(stu.markov_parameters(WINDOW), system.markov_parameters(WINDOW), atol=1e-7)


def test_the_realised_model_has_the_poles_of_the_system():
    poles = np.array([0.99, -0.95, 0.5, -0.3])
    system = symmetric_system(poles, seed=6)
    stu = sysid.STU.from_lti(system, 30, WINDOW)
    result = realize(stu)
    assert result.model.n_states == 4 and result.markov_error < 1e-7
    assert np.allclose(np.sort(result.model.poles().real), np.sort(poles), atol=1e-6)
    assert stu.to_lti(n_states=2).n_states == 2
    u = np.random.default_rng(0).normal(size=(2000, 2))
    assert np.allclose(sysid.simulate(result.model, u).y, sysid.simulate(system, u).y, atol=1e-5)


def test_ar_stu_equals_the_stu_at_its_initialisation(record):
    system, u, y = record
    stu = sysid.STU.from_lti(system, 16, WINDOW)
    for k_y, k_u in ((2, 3), (4, 6)):
        unit = sysid.ARSTU.from_stu(stu, alpha=1.0, k_y=k_y, k_u=k_u)
        assert np.array_equal(sysid.simulate(unit, u).y, sysid.simulate(stu, u).y)
        assert np.array_equal(unit.predict(sysid.Data(y, u)), stu.predict(sysid.Data(y, u)))
    fresh = sysid.ARSTU.initial(2, 3, 16, WINDOW, alpha=0.9)
    assert np.allclose(fresh.predict(sysid.Data(y, u))[2:], 0.9 * y[:-2])


@pytest.mark.parametrize("singular", [False, True])
def test_the_finite_autoregression_is_exact(singular):
    """Theorem 5.1 with the leading coefficient one; with the constant one it would not exist for singular A."""
    rng = np.random.default_rng(7)
    A = rng.normal(size=(5, 5))
    if singular:
        A[:, 0] = A[:, 1]
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    system = sysid.LTI(A, rng.normal(size=(5, 2)), rng.normal(size=(2, 5)), rng.normal(size=(2, 2)))
    u = rng.normal(size=(300, 2))
    y = sysid.simulate(system, u).y
    ar = finite_autoregression(system)
    scale = np.abs(y).max()
    assert np.abs(ar.predict(sysid.Data(y, u)) - y).max() < 1e-12 * scale
    assert np.abs(ar.simulate(u) - y).max() < 1e-11 * scale
    moved = sysid.simulate(system, u, x0=rng.normal(size=5)).y
    assert np.abs((ar.predict(sysid.Data(moved, u)) - moved)[5:]).max() < 1e-12 * scale
    if singular:
        assert abs(ar.feedback[-1]) < 1e-12


def test_the_finite_autoregression_predicts_a_batch_one_by_one():
    ar = finite_autoregression(symmetric_system([0.5, -0.4], seed=9))
    rng = np.random.default_rng(0)
    batch = sysid.Data(rng.normal(size=(2, 20, 3)), rng.normal(size=(2, 20, 2)))
    assert np.array_equal(ar.predict(batch)[1], ar.predict(sysid.Data(batch.y[1], batch.u[1])))


def test_in_the_undelayed_convention_the_last_tap_is_c_d_times_D():
    rng = np.random.default_rng(8)
    A, D = np.diag([0.5, -0.8, 0.9]), rng.normal(size=(2, 2))
    system = sysid.LTI.from_undelayed(A, rng.normal(size=(3, 2)), rng.normal(size=(2, 3)), D)
    ar = finite_autoregression(system)
    assert np.allclose(ar.taps[-1], np.poly(A)[-1] * D, atol=1e-14)


def test_bad_input_is_named():
    B, C = np.ones((2, 1)), np.ones((1, 2))
    with pytest.raises(ValueError, match="symmetric A, which the guarantee of spectral filtering needs"):
        sysid.STU.from_lti(sysid.LTI([[0.5, 0.3], [0.0, 0.4]], B, C))
    with pytest.raises(ValueError, match=r"poles in \[-1, 1\]; received 1.1"):
        sysid.STU.from_lti(sysid.LTI(np.diag([1.1, 0.5]), B, C))
    with pytest.raises(ValueError, match=r"poles in \[0, 1\] for the positive form"):
        sysid.STU.from_lti(sysid.LTI(np.diag([-0.5, 0.5]), B, C), form="positive")
    with pytest.raises(ValueError, match="n_filters <= n_steps"):
        sysid.STU.from_lti(sysid.LTI(np.diag([0.1, 0.5]), B, C), n_filters=30, n_steps=20)
    with pytest.raises(ValueError, match="discrete-time"):
        sysid.STU.from_lti(sysid.LTI(np.diag([-0.5, -0.1]), B, C, dt=None))
    stu = sysid.STU.from_lti(sysid.LTI(np.diag([0.1, 0.5]), B, C), 4, 20)
    for alpha in (-0.1, 1.5):
        with pytest.raises(ValueError, match=r"alpha in \[0, 1\]"):
            sysid.ARSTU.from_stu(stu, alpha=alpha)
    with pytest.raises(TypeError, match="complex"):
        sysid.STU(stu.bank, stu.taps * 1j, stu.plus, stu.minus)
    with pytest.raises(ValueError, match="minus weights for the standard form"):
        sysid.STU(stu.bank, stu.taps, stu.plus)
    with pytest.raises(TypeError, match="to_lti"):
        stu.functions()
    with pytest.raises(ValueError, match="dt > 0; received None"):
        sysid.STU(stu.bank, stu.taps, stu.plus, stu.minus, dt=None)
    with pytest.raises(TypeError, match="expected an STU or ARSTU; received LTI"):
        realize(sysid.LTI([[0.5]], [[1.0]], [[1.0]]))
    with pytest.raises(TypeError, match=r"data as sysid.Data\(y, u\)"):
        stu.predict(np.ones(4))
    with pytest.raises(ValueError, match="tolerance > 0"):
        filters_needed(20, -1.0)
    with pytest.raises(ValueError, match="before each observe"):
        stu.stream().observe([1.0])
    with pytest.raises(ValueError, match=r"poles in \[-1, 1\]"):
        mode_residual([1.2], stu.bank)


@pytest.mark.parametrize("kind", ["STU", "ARSTU", "LRU"])
def test_models_are_saved_replaced_and_printed(tmp_path, kind):
    import dataclasses
    system = symmetric_system([0.5, -0.4], seed=9)
    model = sysid.STU.from_lti(system, 4, 32)
    model = {"STU": model, "ARSTU": sysid.ARSTU.from_stu(model), "LRU": sysid.LRU.random(3, 2, 3, np.random.default_rng(0))}[kind]
    u = np.random.default_rng(0).normal(size=(20, 2))
    again = sysid.load(sysid.save(model, tmp_path / "model"))
    assert np.array_equal(sysid.simulate(again, u).y, sysid.simulate(model, u).y)
    assert dataclasses.replace(model, dt=0.5).dt == 0.5
    assert kind in repr(model) and "<table" in model._repr_html_()


def test_the_filters_are_drawn():
    assert len(sysid.spectral_filters(64, 6).plot().lines) == 6


def test_a_batch_of_inputs_is_simulated():
    stu = sysid.STU.from_lti(symmetric_system([0.5, -0.4], seed=9), 8, 64)
    u = np.random.default_rng(0).normal(size=(3, 50, 2))
    batch = sysid.simulate(stu, u)
    assert batch.y.shape == (3, 50, 3) and np.array_equal(batch.y[1], sysid.simulate(stu, u[1]).y)
