"""The exact likelihood: its score, EM and direct maximisation at one optimum, standard errors from the information."""

import numpy as np
import pytest
from scipy.optimize import minimize

import sysid
from sysid.identification.elements import gauge, unseen
from sysid.identification.em_step import Maximiser
from sysid.identification.exact_likelihood import Coordinates
from sysid.identification.expectation import Expectation, grouped
from sysid.identification.observed_information import score
from tests.identification.systems import pole_distance, record, third_order

TIED = {"A": [["a", "b", 0.1], ["-b", "a", -0.2], [0, 0, "0.3 + c"]], "Q": "diagonal", "R": ["q", "q"]}


def with_gaps(data, share, rng):
    y = data.y.copy()
    y[rng.random(y.shape) < share] = np.nan
    return sysid.Data(y, data.u)


def noisy(model, q, r):
    n = model.n_states
    return sysid.Process(model, q * np.eye(n), r * np.eye(model.n_outputs), initial=sysid.Gaussian(np.zeros(n), np.eye(n)))


@pytest.mark.parametrize("structure, prior, initial", [
    ({}, {}, "mean"), (TIED, {"Q": (0.5, 4.0), "A": (0.0, 5.0)}, "both"), ({"Q": "fixed", "R": "scalar"}, {}, "fixed"),
])  # fmt: skip
def test_the_score_is_the_derivative_of_the_likelihood_with_gaps_ties_and_priors(structure, prior, initial):
    rng = np.random.default_rng(0)
    data = with_gaps(record(third_order(), 120, rng, noise=0.5, process_noise=0.3), 0.2, rng)
    maximise = Maximiser.of(noisy(third_order(), 0.1, 0.3), structure, ("c",), initial, prior)
    process = maximise.project(noisy(third_order(), 0.1, 0.3))
    expectation = Expectation(grouped([data, data[:50]], process, None), None, None, maximise)
    coordinates = Coordinates.of(maximise, process)
    vector = coordinates.vector(process) + 0.05 * rng.standard_normal(len(coordinates.vector(process)))
    found = score(coordinates, vector, expectation)
    steps = 1e-5 * np.eye(len(vector))
    numeric = [(expectation(coordinates.process(vector + h))[0] - expectation(coordinates.process(vector - h))[0]) / 2e-5 for h in steps]
    assert np.abs(found - numeric).max() < 1e-6 * np.abs(found).max()


def test_em_prediction_error_and_direct_maximisation_agree_at_the_optimum_and_on_its_curvature():
    rng = np.random.default_rng(2)
    truth = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    data = with_gaps(record(truth, 200, rng, noise=0.6, process_noise=0.6), 0.2, rng)
    start = noisy(truth, 0.3, 0.3)
    em = sysid.fit(data, sysid.EM(max_iterations=3000, tolerance=1e-12, fixed=("c", "C", "D", "d"), standard_errors=True), start=start)
    free = {"A": True, "B": True, "Q": True, "R": True}
    gradient = sysid.fit(data, sysid.PredictionError(focus="likelihood", free=free, tolerance=1e-10), start=start)

    def negative(v):
        model = sysid.LTI([[v[0]]], [[v[1]]], [[1.0]])
        return -sysid.filter(sysid.Process(model, v[2], v[3], initial=sysid.Gaussian([v[4]], 1.0)), data).log_likelihood

    at = np.array([em.model.A[0, 0], em.model.B[0, 0], em.process.Q[0, 0], em.process.R[0, 0], em.process.initial.mean[0]])
    best = minimize(negative, at + np.array([0.03, -0.05, 0.02, 0.03, 0.2]), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
    assert gradient.converged
    assert abs(em.log_likelihood + best.fun) < 1e-6 and abs(gradient.log_likelihood + best.fun) < 1e-6
    h = 1e-3 * np.eye(5)
    hessian = np.array([[(negative(at + a + b) - negative(at + a - b) - negative(at - a + b) + negative(at - a - b)) / 4e-6 for a in h] for b in h])
    direct = np.sqrt(np.diag(np.linalg.inv(hessian)))
    for fit in (em, gradient):
        errors = fit.standard_errors
        found = [errors["A"][0, 0], errors["B"][0, 0], errors["Q"][0, 0], errors["R"][0, 0], errors["m0"][0]]
        assert np.allclose(found, direct, rtol=1e-3)
        assert errors["C"][0, 0] == 0 and np.isclose(errors["poles"][0], errors["A"][0, 0])


def test_the_score_holds_where_the_prior_follows_the_state_coordinates():
    data = record(third_order(), 80, np.random.default_rng(6), noise=0.3, process_noise=0.3)
    process = noisy(third_order(), 0.1, 0.1)
    expectation = Expectation([data], None, None, Maximiser.of(process, {}, ["c"], "mean", {}))
    c = Coordinates.of(expectation.maximise, process, anchored=True)
    vector = c.vector(process)
    gradient = c.score(vector, process, expectation(process)[1])
    for k in range(len(vector)):
        h = 1e-5 * np.eye(len(vector))[k]
        numeric = (expectation(c.process(vector + h))[0] - expectation(c.process(vector - h))[0]) / 2e-5
        assert np.isclose(gradient[k], numeric, rtol=1e-4, atol=1e-4 * np.abs(gradient).max())


def test_directions_left_still_change_nothing_that_the_outputs_show():
    """Along them the likelihood of a long record is flat: changes of coordinates exactly, splits of noise up to the start."""
    rng = np.random.default_rng(7)
    model = third_order()
    model = sysid.LTI(model.A, model.B, model.C[:1], model.D[:1])
    process = sysid.Process(model, 0.1 * np.eye(3), 0.1, initial=sysid.Gaussian(np.zeros(3), 0.5 * np.eye(3)))
    data = sysid.simulate(process, rng.standard_normal((2000, 2)), rng=rng)
    data = sysid.Data(data.y, data.u)
    expectation = Expectation([data], None, None, Maximiser.of(process, {}, [], "mean", {}))
    c = Coordinates.of(expectation.maximise, process, anchored=True)
    vector = c.vector(process)
    coordinates, still = gauge(c, vector), unseen(c, vector)
    assert coordinates.shape[1] == 9 + 3 and still.shape[1] == 9 + 3 + 3  # (n - p)(n - p + 1) / 2 splits of the noise
    slope = c.score(vector, process, expectation(process)[1])
    assert np.abs(coordinates.T @ slope).max() < 1e-6 * np.linalg.norm(slope)
    assert np.abs(still.T @ slope).max() < 1e-2 * np.linalg.norm(slope)
    other = np.random.default_rng(8).standard_normal(len(vector))
    for k in range(still.shape[1]):
        moved = [expectation(c.process(vector + h * d))[0] for d in (still[:, k], other / np.linalg.norm(other)) for h in (1e-2, -1e-2)]
        assert abs(moved[0] + moved[1] - 2 * expectation(process)[0]) < 0.02 * abs(moved[2] + moved[3] - 2 * expectation(process)[0])


def test_every_matrix_free_ends_at_a_maximum_in_a_few_dozen_steps():
    """Held entry by entry, the prior let the state grow without end: 400 steps ended nowhere on these data."""
    rng = np.random.default_rng(0)
    model = sysid.LTI([[0.8, 0.4], [-0.4, 0.8]], [[1.0], [0.5]], [[1.0, 0.2]])
    data = record(model, 500, rng, noise=0.2, process_noise=0.1)
    start = sysid.fit(data, sysid.Subspace(2))
    fit = sysid.fit(data, sysid.PredictionError(focus="likelihood"), start=start)
    assert fit.converged and fit.status.iterations <= 60
    again = sysid.fit(data, sysid.PredictionError(focus="likelihood"), start=fit)
    assert abs(again.log_likelihood - fit.log_likelihood) < 1e-3 and again.status.iterations <= 20
    assert np.isclose(sysid.filter(fit.process, data).log_likelihood, fit.log_likelihood, rtol=1e-9)
    assert pole_distance(fit.model, model.poles()) < 0.02


def test_errors_of_free_state_coordinates_are_nan_with_a_reason_and_those_of_poles_are_not():
    data = record(third_order(), 400, np.random.default_rng(3), noise=0.3, process_noise=0.3)
    fit = sysid.fit(data, sysid.PredictionError(focus="likelihood", tolerance=1e-3), start=noisy(third_order(), 0.1, 0.1))
    assert np.isnan(fit.standard_errors["A"]).all() and "only change the state's coordinates" in fit.notes[-1]
    assert np.isfinite(fit.standard_errors["D"]).all() and (0 < fit.standard_errors["poles"]).all() and (fit.standard_errors["poles"] < 0.2).all()
    innovations = sysid.fit(data, sysid.PredictionError(), start=fit)
    assert np.allclose(np.sort(fit.standard_errors["poles"]), np.sort(innovations.standard_errors["poles"]), rtol=0.4)
    assert (fit.uncertainty.step_response(5).high > fit.uncertainty.step_response(5).low).all()


def test_errors_that_do_not_exist_say_why():
    data = record(third_order(), 60, np.random.default_rng(4), noise=0.3, process_noise=0.3)
    for method, says in [(sysid.EM(noise="student", standard_errors=True, max_iterations=2), "only a bound"),
                         (sysid.EM(fixed=("c", "Q"), standard_errors=True, max_iterations=2), "Q is singular"),
                         (sysid.EM(standard_errors=True, max_iterations=1), "no maximum yet")]:  # fmt: skip
        start = noisy(third_order(), 0.0 if "Q" in method.fixed else 3.0, 0.1)
        fit = sysid.fit(data, method, start=start)
        assert np.isnan(fit.standard_errors["A"]).all() and says in " ".join(fit.notes)


def test_outliers_under_the_exact_likelihood_are_referred_to_the_methods_that_take_them():
    data = record(third_order(), 60, np.random.default_rng(0), noise=0.1)
    with pytest.raises(ValueError, match="EM\\(noise="):
        sysid.fit(data, sysid.PredictionError(focus="likelihood", loss="student"), start=third_order())
