"""EDMD against systems that are linear in known observables."""

import numpy as np
import pytest

import sysid
from sysid.datasets import duffing, forced_slow_manifold, slow_manifold


def test_generator_eigenvalues_of_the_slow_manifold():
    runs = [slow_manifold(40, 0.1, x0=x0) for x0 in ((1.0, -1.0), (-0.7, 0.5), (0.4, 1.2))]
    fit = sysid.fit(runs, sysid.EDMD(sysid.Observables(lambda x: x[:, :1] ** 2)))
    rates = np.sort(np.log(fit.model.eigenvalues().astype(complex)).real / 0.1)
    # The third is 2 mu, not mu^2.
    assert np.abs(rates - [-1.0, -0.1, -0.05]).max() < 1e-12
    from scipy.linalg import expm
    truth = np.array([[-0.05, 0, 0], [0, -1, 1], [0, 0, -0.1]])
    assert np.abs(fit.model.lti.A - expm(0.1 * truth)).max() < 1e-12
    assert np.abs(fit.model.generator() - truth).max() < 1e-11


def test_eigenfunction_of_the_slow_manifold_has_no_residual():
    runs = [slow_manifold(60, 0.1, x0=x0) for x0 in ((1.0, -1.0), (-0.7, 0.5))]
    model = sysid.fit(runs, sysid.EDMD(sysid.Polynomial(2))).model
    values, left, residual = model.eigenpairs()
    i = int(np.argmin(np.abs(values - np.exp(-0.1))))
    b = -1.0 / (-1.0 + 0.1)
    w = left[:, i] / left[1, i]
    assert residual[i] < 1e-10 and abs(w[2] + b) < 1e-8  # x2 - b x1^2, the third observable being x1^2
    assert np.abs(w[[0, 3, 4]]).max() < 1e-8


def test_forced_slow_manifold_is_exact_only_with_bilinear_and_squared_inputs():
    # corrections #32.
    u = np.random.default_rng(0).standard_normal(400)
    data = forced_slow_manifold(u)
    squares = sysid.Observables(lambda x: x[:, :1] ** 2)
    rms = {}
    for name, options in {"linear": {}, "bilinear": {"bilinear": True},
                          "both": {"bilinear": True, "input_map": lambda v: np.hstack([v, v ** 2])}}.items():
        rms[name] = np.sqrt(np.trace(sysid.fit(data, sysid.EDMD(squares, **options)).model.residual))
    assert rms["linear"] > 1.5 and 0.3 < rms["bilinear"] < rms["linear"] / 2 and rms["both"] < 1e-13


def test_small_signal_matrix_is_the_first_block_of_the_preactivation_lift():
    rng = np.random.default_rng(1)
    esn = sysid.ESN(0.7 * sysid.reservoirs.orthogonal(4, rng=rng), bias=0.5 * rng.standard_normal(4), leak=0.7)
    x0 = esn.equilibrium(np.zeros(0))
    A = sysid.linearize(esn).A
    runs = [sysid.Data(sysid.simulate(esn, x0=x0 + 0.02 * rng.standard_normal(4), n_steps=4).x) for _ in range(400)]
    lifted = sysid.fit(runs, sysid.EDMD(sysid.Preactivation(esn, 3, x0=x0))).model.lti.A
    plain = sysid.fit(runs, sysid.EDMD(sysid.Polynomial(1))).model.lti.A
    assert np.abs(lifted[:4, :4] - A).max() < 1e-5
    assert np.abs(lifted[:4, :4] - A).max() < 0.2 * np.abs(plain - A).max()


def test_several_trajectories_are_never_paired_across_their_ends():
    a, b = slow_manifold(20, 0.1, x0=(1, 1)), slow_manifold(20, 0.1, x0=(-3, 2))
    squares = sysid.EDMD(sysid.Observables(lambda x: x[:, :1] ** 2))
    assert np.trace(sysid.fit([a, b], squares).model.residual) < 1e-24
    joined = sysid.Data(np.vstack([a.y, b.y]), dt=0.1)
    assert np.trace(sysid.fit(joined, squares).model.residual) > 1e-3


def test_missing_states_leave_their_pairs_out():
    y = slow_manifold(60, 0.1).y.copy()
    y[20, 0] = y[40, 1] = np.nan
    squares = sysid.Observables(lambda x: x[:, :1] ** 2)
    model = sysid.fit(sysid.Data(y, dt=0.1), sysid.EDMD(squares)).model
    assert np.abs(np.sort(np.log(model.eigenvalues().real) / 0.1) - [-1.0, -0.1, -0.05]).max() < 1e-8


def test_constants_are_refused_and_no_lift_has_an_eigenvalue_one():
    # corrections #34.
    with pytest.raises(ValueError, match="offset"):
        sysid.fit(slow_manifold(30), sysid.EDMD(sysid.Observables(lambda x: np.ones((len(x), 1)))))
    fit = sysid.fit(slow_manifold(30), sysid.EDMD(sysid.Observables(lambda x: x[:, :1] ** 2)))
    assert np.abs(fit.model.eigenvalues()).max() < 1.0


def oscillator(T=600, seed=2):
    force = np.convolve(np.random.default_rng(seed).standard_normal(T + 9), np.full(10, 0.3), mode="valid")
    return duffing(force, dt=0.1, stiffness=1.0, cubic=0.5)


@pytest.mark.parametrize("dictionary", [
    lambda rng: sysid.Polynomial(3), lambda rng: sysid.RadialBasis(30, rng=rng), lambda rng: sysid.Fourier(2, 12.0),
    lambda rng: sysid.RandomFourier(40, rng=rng), lambda rng: sysid.DelayEmbedding(3),
    lambda rng: sysid.DelayEmbedding(1, sysid.Polynomial(3))])
def test_every_dictionary_predicts_the_oscillator_better_than_a_linear_model(dictionary):
    train, test = oscillator(), oscillator(200, seed=9)
    fit = sysid.fit(train, sysid.EDMD(dictionary(np.random.default_rng(0)), ridge=1e-9))
    error, linear = (sysid.surrogate_error(f.model, test.y, test.u, steps=(1, 10))
                     for f in (fit, sysid.fit(train, sysid.EDMD(sysid.Polynomial(1)))))
    assert error.typical[0] < 0.6 * linear.typical[0] and error.typical[1] < 0.9 * linear.typical[1]
    start = fit.model.start(test.y[:10])
    run = sysid.simulate(fit.model, test.u[9:29], start)
    assert run.y.shape == (20, 2) and np.abs(run.y[0] - test.y[9]).max() < 1e-10


def test_dictionary_is_chosen_on_held_out_forecasts():
    data = oscillator()
    candidates = [sysid.Polynomial(1), sysid.Polynomial(3), sysid.Observables(lambda x: x[:, 1:] ** 2)]
    fit = sysid.fit(data, sysid.EDMD(candidates))
    assert fit.history["loss"].shape == (3,) and np.argmin(fit.history["loss"]) == 1
    assert isinstance(fit.model.dictionary, sysid.Polynomial) and fit.model.dictionary.degree == 3


def test_stability_constraint_holds_and_is_reported():
    fit = sysid.fit(oscillator(200), sysid.EDMD(sysid.Polynomial(4), max_radius=0.9))
    assert np.abs(fit.model.eigenvalues()).max() <= 0.9 + 1e-9
    assert any("pulled" in note for note in fit.notes)


def test_structured_fits_have_their_structure_and_recover_a_model_that_has_it():
    rng = np.random.default_rng(4)
    u = rng.standard_normal((500, 5))
    Q = sysid.reservoirs.orthogonal(5, rng=rng)
    symmetric = Q @ np.diag([0.9, 0.5, -0.3, 0.7, 0.1]) @ Q.T
    banded = 0.4 * np.diag(np.ones(4), 1) + 0.5 * np.eye(5) - 0.2 * np.diag(np.ones(4), -1)
    normal = sysid.reservoirs.normal(poles=[0.9, 0.5 + 0.6j, 0.5 - 0.6j, 0.3j, -0.3j], rng=rng)
    for structure, A in (("symmetric", symmetric), ("banded", banded), ("normal", normal)):
        x = sysid.simulate(sysid.LTI(A, np.eye(5), np.eye(5)), u).y
        noisy = sysid.Data(x + 0.01 * rng.standard_normal(x.shape), u)
        for data, tolerance in ((sysid.Data(x, u), 1e-8), (noisy, 0.1)):
            found = sysid.fit(data, sysid.EDMD(sysid.Polynomial(1), structure=structure)).model.lti.A
            assert np.abs(found - A).max() < tolerance, structure
            if structure == "normal":
                assert np.abs(found @ found.T - found.T @ found).max() < 1e-12
            elif structure == "symmetric":
                assert np.abs(found - found.T).max() < 1e-12
            else:
                assert found[np.abs(np.subtract.outer(np.arange(5), np.arange(5))) > 1].max() == 0.0


def test_process_of_a_lift_filters_noisy_states():
    data = oscillator()
    fit = sysid.fit(data, sysid.EDMD(sysid.Polynomial(3)))
    assert np.linalg.eigvalsh(fit.process.Q).min() >= -1e-15
    assert fit.process.initial.mean.shape == (fit.model.n_states,)


def test_dictionaries_larger_than_the_data_are_regularised_only_if_told():
    data = slow_manifold(12)
    with pytest.raises(ValueError, match="ridge > 0"):
        sysid.fit(data, sysid.EDMD(sysid.Polynomial(5)))
    assert np.isfinite(sysid.fit(data, sysid.EDMD(sysid.Polynomial(5), ridge=1e-6)).model.lti.A).all()


def test_dependent_observables_are_reported():
    fit = sysid.fit(slow_manifold(40), sysid.EDMD(sysid.Observables(lambda x: 2 * x[:, :1])))
    assert any("dependent" in note for note in fit.notes)


def test_aliased_eigenvalues_are_warned_of():
    t = np.arange(60)
    data = sysid.Data(np.column_stack([np.cos(0.95 * np.pi * t), np.sin(0.95 * np.pi * t)]))
    model = sysid.fit(data, sysid.EDMD(sysid.Polynomial(1))).model
    with pytest.warns(RuntimeWarning, match="frequency"):
        model.generator()
