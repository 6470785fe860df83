"""Analysis of models: conventions of the house, correction counterexamples, refusals that name the cure."""

import numpy as np
import pytest

import sysid


def random_lti(n=5, m=2, p=2, radius=0.9, dt=0.1, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    return sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m)), dt=dt)


def test_gramians_hankel_values_and_norms_do_not_change_with_coordinates():
    model = random_lti()
    other = model.transform(np.random.default_rng(1).standard_normal((5, 5)))
    for quantity in (sysid.hankel_singular_values, sysid.h2_norm, lambda m: sysid.hinf_norm(m)[0], sysid.l1_gain,
                     sysid.memory_capacity, lambda m: np.sort_complex(m.poles()), lambda m: m.dc_gain(),
                     lambda m: m.markov_parameters(9), lambda m: m.frequency_response([0.3, 2.0])):
        assert np.allclose(quantity(model), quantity(other), rtol=1e-7)


def test_gramian_equations_and_finite_horizon():
    model = random_lti()
    Wc, Wo = sysid.controllability_gramian(model), sysid.observability_gramian(model)
    assert np.allclose(model.A @ Wc @ model.A.T + model.B @ model.B.T, Wc)
    assert np.allclose(model.A.T @ Wo @ model.A + model.C.T @ model.C, Wo)
    M = sysid.controllability_matrix(model, 6)
    assert np.allclose(sysid.controllability_gramian(model, horizon=6), M @ M.T)
    M = sysid.observability_matrix(model, 6)
    assert np.allclose(sysid.observability_gramian(model, horizon=6), M.T @ M)
    assert np.allclose(np.sqrt(np.linalg.eigvals(Wc @ Wo).real.clip(0)).max(), sysid.hankel_singular_values(model)[0])


def test_convention_of_the_delay():
    model = sysid.LTI([[0.5]], [[1.0]], [[1.0]])
    assert np.allclose(model.impulse_response(4).ravel(), [0, 1, 0.5, 0.25])
    assert np.allclose(model.step_response(4).ravel(), [0, 1, 1.5, 1.75])
    assert model.dc_gain()[0, 0] == pytest.approx(2.0)
    assert model.frequency_response([0.0])[0, 0, 0] == pytest.approx(2.0)
    num, den = model.transfer_function()
    assert np.allclose(num, [[[0, 1]]]) and np.allclose(den, [1, -0.5])


def test_frequency_response_uses_the_time_unit():
    slow = random_lti(dt=2.0)
    w = np.array([0.1, 0.7])
    z = np.exp(1j * w * 2.0)
    want = [slow.C @ np.linalg.solve(s * np.eye(5) - slow.A, slow.B) + slow.D for s in z]
    assert np.allclose(slow.frequency_response(w), want)
    value, omega = sysid.hinf_norm(slow)
    assert np.linalg.norm(slow.frequency_response([omega])[0], 2) == pytest.approx(value)


def test_simulated_pulse_is_the_impulse_response():
    model = random_lti()
    u = np.zeros((12, 2))
    u[0, 1] = 1.0
    assert np.allclose(sysid.simulate(model, u).y, model.impulse_response(12)[:, :, 1])
    assert np.allclose(sysid.simulate(model, np.ones((300, 2)) * [0, 1]).y[-1], model.dc_gain()[:, 1])


def test_continuous_responses_at_times():
    model = sysid.LTI([[-2.0]], [[1.0]], [[3.0]], [[0.5]], dt=None)
    t = np.linspace(0, 2, 9)
    assert np.allclose(model.impulse_response(t=t).ravel(), 3 * np.exp(-2 * t))
    assert np.allclose(model.step_response(t=t).ravel(), 0.5 + 1.5 * (1 - np.exp(-2 * t)))
    assert model.dc_gain()[0, 0] == pytest.approx(2.0)
    with pytest.raises(ValueError, match="t=times"):
        model.impulse_response(10)
    with pytest.raises(ValueError, match="n_steps"):
        random_lti().impulse_response(t=t)
    with pytest.raises(ValueError, match="equally spaced"):
        model.step_response(t=[0, 1, 3])


def test_unstable_and_integrating_models_are_told_the_cure():
    unstable = sysid.LTI([[1.02]], [[1.0]], [[1.0]])
    with pytest.raises(ValueError, match=r"Gramian does not exist: spectral radius 1\.02.*horizon=T"):
        sysid.controllability_gramian(unstable)
    assert sysid.controllability_gramian(unstable, horizon=3)[0, 0] == pytest.approx(1 + 1.02**2 + 1.02**4)
    integrator = sysid.LTI([[1.0]], [[1.0]], [[1.0]])
    for call in (integrator.dc_gain, integrator.equilibrium):
        with pytest.raises(ValueError, match="integrates"):
            call()
    with pytest.raises(ValueError, match="not poles"):
        integrator.frequency_response([0.0])
    with pytest.raises(TypeError, match="linearize"):
        sysid.h2_norm(sysid.ESN.random(n_states=5, n_inputs=1, rng=np.random.default_rng(0)))
    with pytest.raises(TypeError, match=r"process\.model"):
        sysid.hinf_norm(sysid.Process(integrator, Q=1.0, R=1.0))


def test_a_model_without_states_inputs_or_outputs():
    static = sysid.LTI(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), [[3.0]])
    assert static.dc_gain()[0, 0] == 3 and len(static.poles()) == 0 and len(static.zeros()) == 0
    assert sysid.h2_norm(static) == 3 and sysid.hinf_norm(static)[0] == 3 and sysid.l1_gain(static) == 3
    assert sysid.controllability_gramian(static).shape == (0, 0) and len(sysid.hankel_singular_values(static)) == 0
    assert np.allclose(static.markov_parameters(3).ravel(), [3, 0, 0])
    autonomous = sysid.LTI([[0.5]], None, [[1.0]])
    assert sysid.h2_norm(autonomous) == 0 and sysid.hinf_norm(autonomous)[0] == 0
    assert autonomous.frequency_response([0.1]).shape == (1, 1, 0)


def test_polynomials_of_a_large_model_warn_and_name_the_alternative():
    with pytest.warns(RuntimeWarning, match="resonances"):
        sysid.LTI(np.diag(np.linspace(0.8, 0.99, 40)), np.ones((40, 1)), np.ones((1, 40))).transfer_function()


def test_bibo_is_not_internal_stability():
    model = sysid.LTI(np.diag([0.5, 2.0]), [[1.0], [0.0]], [[1.0, 1.0]])  # corrections #2
    assert sysid.is_bibo_stable(model) and not model.is_stable()
    assert not sysid.is_bibo_stable(sysid.LTI([[2.0]], [[1.0]], [[1.0]]))
    small = sysid.minimal(model)
    assert small.n_states == 1 and np.allclose(small.markov_parameters(8), model.markov_parameters(8))


def test_minimal_and_split_keep_offsets():
    rng = np.random.default_rng(3)
    A = np.diag([0.5, 0.3, 0.9])
    model = sysid.LTI(A, [[1.0], [0], [1]], [[1.0, 1, 0]], c=[1.0, 2, 3], d=[5.0])
    small = sysid.minimal(model)
    u = rng.standard_normal((400, 1))
    assert small.n_states == 1
    assert np.allclose(sysid.simulate(model, u).y[300:], sysid.simulate(small, u).y[300:])
    mixed = sysid.LTI([[0.5, 1.0], [0.0, 1.1]], [[1.0], [1]], [[1.0, 1]], [[2.0]], c=[1.0, 2], d=[5.0])
    inside, outside = sysid.stable_part(mixed)
    both = sysid.simulate(inside, u[:40]).y + sysid.simulate(outside, u[:40]).y
    assert inside.n_states == outside.n_states == 1
    assert np.allclose(both, sysid.simulate(mixed, u[:40]).y)


def test_modal_form_is_block_diagonal_with_the_same_response():
    model = random_lti()
    modal = sysid.modal_form(model)
    assert np.allclose(modal.markov_parameters(20), model.markov_parameters(20))
    assert np.count_nonzero(np.abs(modal.A) > 1e-10) <= 2 * model.n_states


def test_input_energy_is_reached_by_the_least_norm_input():
    model = random_lti(n=3, m=1)
    x = np.array([1.0, -2.0, 0.5])
    M = sysid.controllability_matrix(model, 7)
    u = np.linalg.pinv(M) @ x
    assert sysid.input_energy(model, x, horizon=7) == pytest.approx(u @ u)
    assert sysid.input_energy(model, x) <= u @ u
    hidden = sysid.LTI(np.diag([0.5, 0.4]), [[1.0], [0.0]], [[1.0, 1.0]])
    assert sysid.input_energy(hidden, [0.0, 1.0]) == np.inf


def test_output_spectrum_integrates_to_the_output_variance():
    model = random_lti()
    w = (np.arange(2000) + 0.5) * np.pi / 2000 / model.dt
    S = sysid.output_spectrum(model, w)
    assert np.allclose(S, S.conj().transpose(0, 2, 1))
    assert np.trace(S.real.mean(axis=0)) == pytest.approx(sysid.h2_norm(model) ** 2, rel=1e-6)
    with pytest.raises(ValueError, match="input_spectrum"):
        sysid.output_spectrum(model, w, np.eye(3))


def test_observability_and_controllability_along_a_trajectory():
    rng = np.random.default_rng(5)
    A, B, C = rng.standard_normal((4, 3, 3)), rng.standard_normal((4, 3, 1)), rng.standard_normal((4, 2, 3))
    ltv = sysid.LTV(A, B, C)
    want = np.vstack([C[0], C[1] @ A[0], C[2] @ A[1] @ A[0], C[3] @ A[2] @ A[1] @ A[0]])
    assert np.allclose(sysid.observability_matrix(ltv), want)
    assert np.allclose(sysid.controllability_matrix(ltv, 2), np.hstack([B[3], A[3] @ B[2]]))
    constant = sysid.LTV(np.broadcast_to(A[0], (4, 3, 3)), B[0], C[0])
    assert np.allclose(sysid.observability_matrix(constant), sysid.observability_matrix(constant.at(0), 4))
    with pytest.raises(ValueError, match="n_steps <= 4"):
        sysid.observability_matrix(ltv, 5)


def test_round_trip_through_scipy_and_control():
    model = random_lti()
    continuous = sysid.LTI([[-1.0]], [[1.0]], [[1.0]], dt=None)
    for m in (model, continuous):
        assert np.array_equal(sysid.LTI.from_scipy(m.to_scipy()).A, m.A)
        assert sysid.LTI.from_scipy(m.to_scipy()).dt == m.dt
    with pytest.raises(ValueError, match="offsets"):
        sysid.LTI([[0.5]], [[1.0]], [[1.0]], c=[1.0]).to_scipy()
    with pytest.raises(TypeError, match=r"scipy\.signal"):
        sysid.LTI.from_scipy(3)
    control = pytest.importorskip("control")
    for m in (model, continuous):
        back = sysid.LTI.from_control(m.to_control())
        assert back.dt == m.dt and np.array_equal(back.C, m.C)
    assert np.allclose(sysid.LTI.from_control(control.tf([1], [1, -0.5], 1.0)).markov_parameters(3).ravel(), [0, 1, 0.5])
    with pytest.raises(ValueError, match="time base"):
        sysid.LTI.from_control(control.ss([[0.5]], [[1]], [[1]], [[0]], True))
