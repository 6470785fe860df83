"""Prediction-error fits: exact derivatives, efficiency, outliers, gaps, structure, grey-box parameters, uncertainty."""

import dataclasses

import numpy as np
import pytest

import sysid
from sysid.identification.linear_pem import LinearProblem
from sysid.identification.robust_loss import ErrorLaw
from sysid.identification.structure import BLOCKS, Predictor, Structure
from tests.identification.systems import pole_distance, record, third_order


def random_problem(law="gaussian"):
    rng = np.random.default_rng(0)
    n, m, p = 3, 2, 2
    P = Predictor(0.3 * rng.standard_normal((n, n)), rng.standard_normal((n, m)), 0.1 * rng.standard_normal(n),
                  0.2 * rng.standard_normal((n, p)), rng.standard_normal((p, n)), rng.standard_normal((p, m)),
                  rng.standard_normal(p))  # fmt: skip
    y, u = rng.standard_normal((60, p)), rng.standard_normal((60, m))
    y[10, 0] = np.nan
    y[20] = np.nan
    structure = Structure.of_free(P, dict.fromkeys(BLOCKS, True))
    problem = LinearProblem([(y, u)], P, structure, ErrorLaw(law))
    return problem, structure.theta(P.vector()), rng.standard_normal((1, n))


def test_the_jacobian_is_the_derivative_of_the_errors_with_gaps_too():
    problem, theta, x0 = random_problem()
    point = dataclasses.replace(problem.evaluate(theta, x0), cov=np.eye(2), weights=[np.ones((60, 2))])
    J = np.concatenate(list(problem._blocks(point, 0)))[:, :, :-1]
    joint = np.concatenate([x0[0], theta])

    def errors(v):
        return np.nan_to_num(problem.evaluate(v[3:], v[None, :3]).errors[0])

    for i, e in enumerate(np.eye(len(joint)) * 1e-6):
        assert np.allclose(J[:, :, i], (errors(joint + e) - errors(joint - e)) / 2e-6, atol=1e-7)


def test_a_change_of_coordinates_or_units_changes_nothing_measurable():
    rng = np.random.default_rng(1)
    model = third_order()
    data = record(model, 500, rng, noise=0.2, process_noise=0.2)
    T = rng.standard_normal((3, 3)) + 3 * np.eye(3)
    process = sysid.Process(model, 0.04 * np.eye(3), 0.04 * np.eye(2))
    turned = sysid.Process(model.transform(T), np.linalg.solve(T, np.linalg.solve(T, 0.04 * np.eye(3)).T), 0.04 * np.eye(2))
    a = sysid.fit(data, sysid.PredictionError(tolerance=1e-10), start=process)
    b = sysid.fit(data, sysid.PredictionError(tolerance=1e-10), start=turned)
    scaled = sysid.Data(1e5 * data.y - 4e4, 1e-3 * data.u + 1)
    c = sysid.fit(scaled, sysid.PredictionError(tolerance=1e-10))
    assert abs(a.log_likelihood - b.log_likelihood) < 1e-5
    assert np.abs(a.model.markov_parameters(9) - b.model.markov_parameters(9)).max() < 1e-4
    assert abs(c.log_likelihood + 2 * 500 * np.log(1e5) - a.log_likelihood) < 1e-5
    spread = np.sort(a.standard_errors["poles"])
    assert np.allclose(spread, np.sort(b.standard_errors["poles"]), rtol=1e-3)
    assert np.allclose(spread, np.sort(c.standard_errors["poles"]), rtol=1e-3)


def test_the_likelihood_is_that_of_the_kalman_filter_in_steady_state():
    rng = np.random.default_rng(2)
    data = record(third_order(), 400, rng, noise=0.2, process_noise=0.2)
    fit = sysid.fit(data, sysid.PredictionError())
    x, total = fit.initial_states[0], 0.0
    L = np.linalg.cholesky(fit.innovation_cov)
    m = fit.model
    for y, u in zip(data.y, data.u):
        e = y - m.C @ x - m.D @ u - m.d
        z = np.linalg.solve(L, e)
        total -= 0.5 * z @ z + np.log(np.diag(L)).sum() + np.log(2 * np.pi)
        x = m.A @ x + m.B @ u + m.c + fit.gain @ e
    assert abs(total - fit.log_likelihood) < 1e-6 * abs(total)


def test_the_history_never_rises():
    data = record(third_order(), 300, np.random.default_rng(3), noise=0.5, process_noise=0.3)
    start = sysid.fit(data, sysid.Subspace(3, "n4sid", horizon=4))
    fit = sysid.fit(data, sysid.PredictionError(), start=start)
    assert (np.diff(fit.history["loss"]) <= 0).all() and fit.converged
    fit.plot()


def test_robust_losses_ignore_what_ruins_least_squares():
    rng = np.random.default_rng(4)
    model = third_order()
    data = record(model, 1500, rng, noise=0.2)
    y = data.y.copy()
    y[rng.random(1500) < 0.02] += 50.0
    spoiled = sysid.Data(y, data.u)
    fits = {loss: sysid.fit(spoiled, sysid.PredictionError(loss=loss, n_states=3)) for loss in ("gaussian", "huber", "student")}
    assert all(pole_distance(fits[loss].model, model.poles()) < 0.03 for loss in ("huber", "student"))
    spread = {loss: np.sqrt(fit.innovation_cov[0, 0]) for loss, fit in fits.items()}
    assert spread["gaussian"] > 5 and 0.1 < spread["student"] < 0.3 and 0.1 < spread["huber"] < 0.3


def test_gaps_and_several_experiments_with_their_own_initial_states():
    rng = np.random.default_rng(5)
    model = third_order()
    pieces = []
    for T in (200, 500):
        u = rng.standard_normal((T, 2))
        x0 = 20 * rng.standard_normal(3)
        y = sysid.simulate(model, u, x0).y + 0.1 * rng.standard_normal((T, 2))
        y[rng.random((T, 2)) < 0.1] = np.nan
        pieces.append(sysid.Data(y, u))
    fit = sysid.fit(pieces, sysid.PredictionError(focus="simulation", n_states=3), start=model)
    assert fit.converged and pole_distance(fit.model, model.poles()) < 0.01
    for d, x0 in zip(pieces, fit.initial_states):
        e = d.y - sysid.simulate(fit.model, d.u, x0).y
        assert np.nanstd(e) < 0.11


def test_held_entries_stay_and_free_ones_are_found():
    rng = np.random.default_rng(6)
    truth = sysid.LTI([[0.7, 0.2], [0.0, 0.4]], [[0.0], [1.0]], [[1.0, 0.0]])
    data = record(truth, 2000, rng, noise=0.1)
    start = sysid.LTI([[0.5, 0.2], [0.0, 0.2]], [[0.0], [1.0]], [[1.0, 0.0]])
    mask = np.array([[True, False], [False, True]])
    fit = sysid.fit(data, sysid.PredictionError(focus="simulation", free={"A": mask}), start=start)
    assert np.allclose(fit.model.A[[0, 1], [1, 0]], [0.2, 0.0], atol=1e-12)
    assert np.allclose(np.diag(fit.model.A), [0.7, 0.4], atol=0.02)


def oscillator():
    def f(x, u, p, t):
        return np.array([x[0] + 0.1 * x[1], x[1] - 0.1 * (p[0] * x[0] + p[1] * x[1] + p[2] * x[0] ** 3) + 0.1 * u[0]])

    def g(x, u, p, t):
        return np.array([x[0]])

    return sysid.Nonlinear(f, g, 2, 1, 1, p=[1.0, 0.5, 0.1], dt=0.1)


def test_grey_box_parameters_and_their_errors():
    rng = np.random.default_rng(7)
    start = oscillator()
    truth = dataclasses.replace(start, p=np.array([2.0, 0.8, 0.5]))
    u = 2 * rng.standard_normal((400, 1))
    data = sysid.Data(sysid.simulate(truth, u, [0.5, 0.0]).y + 0.01 * rng.standard_normal((400, 1)), u, dt=0.1)
    fit = sysid.fit(data, sysid.PredictionError(focus="simulation", bounds=[(0, 10), (0, 5), (0, 5)]), start=start)
    assert fit.converged
    assert (np.abs(fit.model.p - truth.p) < 4 * fit.standard_errors["p"]).all()
    assert (fit.standard_errors["p"] < 0.3).all()
    assert np.allclose(fit.initial_states[0], [0.5, 0.0], atol=0.05)


def test_a_grey_box_fit_predicts_another_record_as_well_as_it_simulates_it():
    rng = np.random.default_rng(9)
    truth = dataclasses.replace(oscillator(), p=np.array([2.0, 0.8, 0.5]))
    u = 2 * rng.standard_normal((500, 1))
    data = sysid.Data(sysid.simulate(truth, u, [0.5, 0.0]).y + 0.02 * rng.standard_normal((500, 1)), u, dt=0.1)
    fit = sysid.fit(data[:300], sysid.PredictionError(focus="simulation"), start=oscillator())
    val = sysid.validate(fit, data[300:])
    assert val.fit_prediction[0] > val.fit_simulation[0] - 1 > 90
    f = sysid.filter(fit.process, data[300:])  # whose start is not that of the record fitted
    assert np.sqrt((f.innovations[10:] ** 2).mean()) < 0.025


def test_bounds_of_a_grey_box_are_one_pair_a_parameter():
    data = sysid.Data(np.zeros((30, 1)), np.ones((30, 1)), dt=0.1)
    for bounds, kind, says in [(([0, 0, 0], [9, 9, 9]), TypeError, "one pair"), ({"p": (0, 1)}, TypeError, "one pair"), ((0, 1), TypeError, "one pair"),
                               ([(0, 9), (0, 9)], ValueError, "each of the 3 parameters p; received 2"),
                               ([(0, 9), (2, 1), (0, 9)], ValueError, r"low < high; received \(2, 1\) for parameter 1")]:  # fmt: skip
        with pytest.raises(kind, match=says):
            sysid.fit(data, sysid.PredictionError(bounds=bounds), start=oscillator())


def test_grey_box_parameters_that_cannot_be_told_apart_have_no_errors():
    def f(x, u, p, t):
        return np.array([0.5 * x[0] + p[0] * p[1] * u[0]])

    def g(x, u, p, t):
        return np.array([x[0]])

    rng = np.random.default_rng(8)
    u = rng.standard_normal((100, 1))
    y = sysid.simulate(sysid.LTI([[0.5]], [[2.0]], [[1.0]]), u).y + 0.1 * rng.standard_normal((100, 1))
    fit = sysid.fit(sysid.Data(y, u), sysid.PredictionError(), start=sysid.Nonlinear(f, g, 1, 1, 1, p=[1.0, 1.0]))
    assert np.isnan(fit.standard_errors["p"]).all() and "determine only 2 of the 3" in fit.notes[0]


def test_bands_contain_the_truth_about_as_often_as_they_say():
    model = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    inside = 0
    for seed in range(60):
        data = record(model, 300, np.random.default_rng(seed), noise=0.5)
        fit = sysid.fit(data, sysid.PredictionError(n_states=1, feedthrough=False))
        values, cov = fit.uncertainty.pole_covariances()
        inside += abs(values[0].real - 0.8) < 1.96 * np.sqrt(cov[0, 0, 0])
    assert 51 <= inside <= 60
    band = fit.uncertainty.step_response(20)
    assert (band.low < band.high)[1:].all() and np.allclose(band.mean, fit.model.step_response(20) if hasattr(fit.model, "step_response") else band.mean)
    response = fit.uncertainty.frequency_response([0.1, 1.0])
    assert np.allclose(response.mean[:, 0, 0], np.abs(fit.model.C[0, 0] * fit.model.B[0, 0] / (np.exp(1j * np.array([0.1, 1.0])) - fit.model.A[0, 0])))
    fit.uncertainty.plot()
    band.plot()
    whole = fit.uncertainty.frequency_response()
    assert np.isclose(whole.axis[-1], np.pi) and (whole.low < whole.high).all()
    assert "pole 1" in repr(fit.uncertainty)


@pytest.mark.parametrize("method, start, says", [
    (sysid.PredictionError(bounds=[(0, 1)]), third_order(), "only for the parameters p"),
    (sysid.PredictionError(), sysid.LTI([[0.5]], [[1.0]], [[1.0]]), "2 inputs and 2 outputs"),
    (sysid.PredictionError(), third_order(dt=0.1), "dt = 0.1"),
])  # fmt: skip
def test_starts_that_do_not_fit_are_refused(method, start, says):
    data = record(third_order(), 100, np.random.default_rng(0), noise=0.1)
    with pytest.raises(ValueError, match=says):
        sysid.fit(data, method, start=start)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="name blocks among"):
        sysid.PredictionError(free={"Q": True})
    data = sysid.Data(np.random.default_rng(0).standard_normal((50, 1)), np.ones((50, 1)) * np.arange(50)[:, None], dt=0.1)
    start = oscillator()
    with pytest.raises(ValueError, match="finite bounds"):
        sysid.fit(data, sysid.PredictionError(starts=3, rng=np.random.default_rng(0)), start=start)
    with pytest.raises(ValueError, match="within the bounds"):
        sysid.fit(data, sysid.PredictionError(bounds=[(5, 6), None, None]), start=start)
    with pytest.raises(TypeError, match="default_rng"):
        sysid.fit(data, sysid.PredictionError(starts=2, bounds=[(0, 5)] * 3), start=start)


def test_free_blocks_may_be_named_without_masks():
    named, masked = sysid.PredictionError(free=("A", "B")), sysid.PredictionError(free={"A": True, "B": True})
    assert named.free == masked.free
    with pytest.raises(TypeError, match="free as blocks"):
        sysid.PredictionError(free="A")


def test_bands_of_several_channels_say_which():
    fit = sysid.fit(record(third_order(), 300, np.random.default_rng(5), noise=0.2), sysid.PredictionError(n_states=3))
    titles = [axis.get_title(loc="left") for axis in fit.uncertainty.step_response(10).plot()]
    assert titles == [f"output {i} from input {j}" for i in (1, 2) for j in (1, 2)]


def test_the_band_of_a_response_that_is_zero_ends_with_what_the_estimates_scatter():
    plant = sysid.LTI(np.diag([0.8, 0.6]), np.eye(2), np.eye(2))
    omega, sizes, highs = np.array([0.05, 0.3, 1.0, 2.0]), [], []
    for seed in range(8):
        fit = sysid.fit(record(plant, 400, np.random.default_rng(seed), noise=0.3), sysid.PredictionError(n_states=2, feedthrough=False))
        band = fit.uncertainty.frequency_response(omega)
        sizes.append(band.mean[:, 1, 0])
        highs.append(band.high[:, 1, 0])
    scatter = np.sqrt(np.mean(np.square(sizes), axis=0))
    assert (np.max(highs, axis=0) < 8 * scatter).all() and np.mean(np.array(highs) > 0.5 * scatter) > 0.8
