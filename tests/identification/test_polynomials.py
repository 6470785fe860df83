"""ARX, ARMAX, output error, Box-Jenkins and ERA recover what generated the data; starts, gaps and refusals."""

import numpy as np
import pytest
from scipy.signal import lfilter

import sysid
from tests.identification.systems import pole_distance, record, third_order

A, B = [1, -1.5, 0.7], [0, 1.0, 0.5]


def series(rng, numerator, denominator, T=2000):
    u, e = rng.standard_normal((T, 1)), 0.3 * rng.standard_normal(T)
    y = lfilter(B, A, u[:, 0]) + lfilter(numerator, denominator, e)
    return sysid.Data(1e3 * y + 50, 2 * u + 3)


def within(fit, name, truth, deviations=4.0):
    found, spread = fit.polynomials[name].ravel(), fit.standard_errors[name].ravel()
    return (np.abs(found - truth) < deviations * spread).all() and (spread < 0.1 * np.abs(truth).max()).all()


def test_arx_is_least_squares_and_its_model_predicts_alike():
    data = series(np.random.default_rng(0), [1.0], A)
    fit = sysid.fit(data, sysid.ARX(2, 2))
    assert within(fit, "A", A[1:]) and within(fit, "B", np.array(B[1:]) * 500)
    y, u = data.y[:, 0], data.u[:, 0]
    a, b = fit.polynomials["A"].ravel(), fit.polynomials["B"].ravel()
    level = fit.model.d[0]
    by_hand = -a[0] * y[1:-1] - a[1] * y[:-2] + b[0] * u[1:-1] + b[1] * u[:-2] + level
    by_filter = sysid.predict(fit.process, data)[2:, 0]
    assert np.allclose(by_hand[100:], by_filter[100:], atol=1e-6 * np.abs(y).max())


def test_arx_with_feedthrough_gaps_and_several_channels():
    rng = np.random.default_rng(1)
    truth = third_order()
    data = record(truth, 1500, rng, noise=0.02)
    y = data.y.copy()
    y[rng.random(y.shape) < 0.02] = np.nan
    fit = sysid.fit([sysid.Data(y[:700], data.u[:700]), sysid.Data(y[700:], data.u[700:])], sysid.ARX(3, 4, nk=0))
    assert np.abs(fit.model.markov_parameters(8) - truth.markov_parameters(8)).max() < 0.02


def test_armax_output_error_and_box_jenkins_find_their_polynomials():
    rng = np.random.default_rng(2)
    armax = sysid.fit(series(rng, [1, -0.6, 0.2], A), sysid.ARMAX())
    assert armax.converged and within(armax, "A", A[1:]) and within(armax, "C", [-0.6, 0.2]) and within(armax, "B", [500, 250])
    oe = sysid.fit(series(rng, [1.0, 0.5], [1.0]), sysid.OutputError())
    assert oe.converged and within(oe, "F", A[1:]) and within(oe, "B", [500, 250])
    bj = sysid.fit(series(rng, [1, 0.5], [1, -0.9]), sysid.BoxJenkins(nc=1, nd=1))
    assert bj.converged and within(bj, "F", A[1:]) and within(bj, "C", [0.5]) and within(bj, "D", [-0.9])
    assert (np.diff(bj.history["loss"]) <= 0).all()


def test_output_error_with_two_inputs_has_a_denominator_each():
    rng = np.random.default_rng(3)
    u = rng.standard_normal((2000, 2))
    y = lfilter([0, 1.0], [1, -0.9], u[:, 0]) + lfilter([0, 0, 2.0], [1, 0.5], u[:, 1]) + 0.1 * rng.standard_normal(2000)
    fit = sysid.fit(sysid.Data(y, u), sysid.OutputError(nb=2, nf=1))
    assert np.allclose(fit.polynomials["F"].ravel(), [-0.9, 0.5], atol=0.02)
    assert np.allclose(fit.polynomials["B"][:, 0], [[1.0, 0.0], [0.0, 2.0]], atol=0.03)


def test_era_realises_exact_and_noisy_data():
    rng = np.random.default_rng(4)
    truth = third_order()
    exact = sysid.fit(record(truth, 300, rng), sysid.ERA(horizon=8))
    assert exact.model.n_states == 3
    assert np.abs(exact.model.markov_parameters(15) - truth.markov_parameters(15)).max() < 1e-7
    noisy = sysid.fit(record(truth, 3000, rng, noise=0.1), sysid.ERA(3))
    assert pole_distance(noisy.model, truth.poles()) < 0.03
    exact.plot()


@pytest.mark.parametrize("method, says", [
    (sysid.ARX(30, 30), "more than 61 samples"), (sysid.ERA(40, horizon=5), "n_states below"),
])  # fmt: skip
def test_too_few_data_are_refused_with_the_number_needed(method, says):
    rng = np.random.default_rng(5)
    data = sysid.Data(rng.standard_normal((80, 1)), rng.standard_normal((80, 1)))
    with pytest.raises(ValueError, match=says):
        sysid.fit(data, method)


def test_one_output_methods_say_what_to_use_instead():
    data = record(third_order(), 100, np.random.default_rng(0), noise=0.1)
    with pytest.raises(ValueError, match="Use Subspace and PredictionError"):
        sysid.fit(data, sysid.ARMAX())
    with pytest.raises(ValueError, match="expected no start"):
        sysid.fit(data, sysid.ARX(), start=third_order())


def test_coefficients_are_printed_with_their_deviations():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((400, 1))
    data = sysid.Data(sysid.simulate(sysid.LTI([[0.8]], [[1.0]], [[2.0]]), u).y + 0.1 * rng.standard_normal((400, 1)), u)
    fit = sysid.fit(data, sysid.OutputError(1, 1, 1))
    said = fit.summary()
    value, deviation = map(float, said["F"].split(" +- "))
    assert abs(value + 0.8) < 4 * deviation + 1e-3 and deviation == pytest.approx(fit.standard_errors["F"].item(), rel=0.06) and "C" not in said
    assert sysid.fit(data, sysid.ARX(12, 2, 1)).summary()["A"] == "array (12, 1, 1)"
