"""Estimation under an exact diffuse start, information criteria, and what Ctrl-C leaves of long searches."""

import numpy as np
import pytest

import sysid
from sysid.identification import likelihood_fit, order_scan, subspace
from sysid.identification.elements import gauge
from sysid.identification.em_step import Maximiser
from sysid.identification.exact_likelihood import Coordinates
from sysid.identification.expectation import Expectation
from sysid.identification.observed_information import score

LEVEL = sysid.LTI([[1.0]], None, [[1.0]])


def level(q=1000.0, r=1000.0, initial=None):
    return sysid.Process(LEVEL, Q=q, R=r, initial=initial or sysid.Diffuse())


def trend(q=(1000.0, 10.0), r=10000.0):
    return sysid.Process(sysid.LTI([[1.0, 1.0], [0.0, 1.0]], None, [[1.0, 0.0]]), Q=list(q), R=r, initial=sysid.Diffuse())


@pytest.mark.parametrize("method", [
    sysid.PredictionError(focus="likelihood", free=("Q", "R")),
    sysid.EM(fixed=("A", "C", "d"), tolerance=1e-9, max_iterations=2000),
])  # fmt: skip
def test_the_local_level_of_the_nile_has_its_textbook_maximum(method):
    fit = sysid.fit(sysid.datasets.nile(), method, start=level())
    assert isinstance(fit.process.initial, sysid.Diffuse) and not fit.notes
    assert np.allclose([fit.process.Q[0, 0], fit.process.R[0, 0]], [1469.1, 15099.0], rtol=1e-3)  # [Durbin & Koopman 2012, Sec. 2.10]
    assert np.isclose(fit.log_likelihood, -633.4646, atol=1e-4)
    assert fit.n_parameters == 2 and fit.n_samples == 100
    assert np.isclose(fit.aic, 2 * 2 + 2 * 633.4646, atol=1e-3) and np.isclose(fit.bic, 2 * np.log(100) + 2 * 633.4646, atol=1e-3)
    assert "AIC, BIC" in repr(fit)


def test_a_kept_diffuse_likelihood_never_falls_has_its_score_and_takes_gaps_and_blocks():
    rng = np.random.default_rng(0)
    y = sysid.datasets.nile().y.copy()
    y[[0, 1, 5, 30, 31, 32]] = np.nan
    half = sysid.Blocks(([0], sysid.Diffuse()), ([1], sysid.Gaussian([0.0], [[4.0]])))
    for law in (sysid.Diffuse(), half):
        start = sysid.Process(trend().model, trend().Q, trend().R, initial=law)
        fit = sysid.fit(sysid.Data(y), sysid.EM(fixed=("A", "C", "d"), structure={"Q": "diagonal"}, max_iterations=40, accelerate=False), start=start)
        assert (np.diff(fit.history["log_likelihood"]) > -1e-9).all()
        assert fit.process.initial is law
        assert np.isclose(fit.log_likelihood, sysid.filter(fit.process, sysid.Data(y)).log_likelihood, atol=1e-9)
    placeholder = sysid.Process(trend().model, trend().Q, trend().R, initial=sysid.Gaussian(np.zeros(2), np.eye(2)))
    maximise = Maximiser.of(placeholder, {}, ("A", "C", "c", "d"), "fixed", {})
    expectation = Expectation([sysid.Data(y)], None, None, maximise, sysid.Diffuse())
    coordinates = Coordinates.of(maximise, placeholder)
    vector = coordinates.vector(placeholder) + 0.1 * rng.standard_normal(len(coordinates.vector(placeholder)))
    numeric = [(expectation(coordinates.process(vector + h))[0] - expectation(coordinates.process(vector - h))[0]) / 2e-5
               for h in 1e-5 * np.eye(len(vector))]  # fmt: skip
    assert np.allclose(score(coordinates, vector, expectation), numeric, rtol=1e-5, atol=1e-5)
    assert gauge(coordinates, vector).shape[1] == 0


def test_where_a_or_c_moves_the_diffuse_start_is_replaced_and_that_is_said():
    nile = sysid.datasets.nile()
    fit = sysid.fit(nile, sysid.EM(fixed=("C", "d"), max_iterations=3), start=level())
    assert isinstance(fit.process.initial, sysid.Gaussian)
    assert any("hold A and C" in note for note in fit.notes)
    assert isinstance(sysid.fit(nile, sysid.EM(fixed=("A", "C"), initial="mean", max_iterations=2), start=level()).process.initial, sysid.Gaussian)


def test_diffuse_states_that_nothing_measures_are_refused():
    y = np.full((6, 1), np.nan)
    y[3] = 1.0
    with pytest.raises(ValueError, match="leave some unknown"):
        sysid.fit(sysid.Data(y), sysid.EM(fixed=("A", "C")), start=trend())


def test_c_is_held_whatever_else_is_held_and_freed_by_name():
    nile = sysid.datasets.nile()
    held = sysid.fit(nile, sysid.EM(fixed=("A", "C", "d"), max_iterations=5), start=level())
    freed = sysid.fit(nile, sysid.EM(fixed=("A", "C", "d"), structure={"c": "full"}, max_iterations=5), start=level())
    assert held.model.c[0] == 0 and freed.model.c[0] != 0 and freed.n_parameters == held.n_parameters + 1


def test_every_way_to_the_same_model_counts_the_same_parameters():
    rng = np.random.default_rng(3)
    plant = sysid.LTI([[0.8, 0.4], [-0.4, 0.8]], [[1.0], [0.5]], [[1.0, 0.2]])
    u = rng.standard_normal((400, 1))
    data = sysid.Data(sysid.simulate(sysid.Process(plant, 0.01, 0.04), u, rng=rng).y, u)
    first = sysid.fit(data, sysid.Subspace(2))
    n, m, p = 2, 1, 1
    identifiable = n * (m + p) + m * p + p + n * p + p * (p + 1) // 2  # A B C D without coordinates, d, K, the innovations' variance
    for method in (sysid.PredictionError(), sysid.PredictionError(focus="likelihood"), sysid.EM(max_iterations=3)):
        assert sysid.fit(data, method, start=first).n_parameters == identifiable
    many = [data[:200], data[200:]] * 3  # P0 is free, and with two states too many Q is nearly singular
    assert sysid.fit(many, sysid.EM(max_iterations=2), start=sysid.fit(many, sysid.Subspace(4))).n_parameters == 4 * 2 + 1 + 1 + 4 + 1
    arx = sysid.fit(data, sysid.ARX(2, 2, 1))
    assert arx.n_parameters == 2 + 2 + 1 + 1 and arx.n_samples == 398
    assert sysid.fit(data, sysid.OutputError(2, 2, 1)).n_parameters == 2 + 2 + 1 + 1
    assert first.aic is None and first.bic is None and "AIC" not in repr(first)


def test_an_interrupted_likelihood_search_does_not_go_on_to_standard_errors(monkeypatch):
    asked = []

    def stopped(*_):
        asked.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(likelihood_fit, "information", stopped)
    fit = sysid.fit(sysid.datasets.nile(), sysid.PredictionError(focus="likelihood", free=("Q", "R")), start=level())
    assert len(asked) == 1 and not fit.converged and "interrupted by the user" in fit.status.reason
    assert any("no standard errors: the search was interrupted" in note for note in fit.notes)
    assert fit.process.Q[0, 0] == pytest.approx(1000.0)


def test_interrupted_between_starts_or_orders_what_was_found_comes_back(monkeypatch):
    rng = np.random.default_rng(0)
    u = rng.standard_normal((300, 1))
    data = sysid.Data(sysid.simulate(sysid.LTI([[0.8]], [[1.0]], [[1.0]]), u).y + 0.1 * rng.standard_normal((300, 1)), u)
    start = sysid.LTI([[0.7]], [[1.0]], [[1.0]])
    true_fit, calls = subspace.Subspace.fit, []

    def once(self, *args):
        calls.append(self)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return true_fit(self, *args)

    monkeypatch.setattr(subspace.Subspace, "fit", once)
    fit = sysid.fit(data, sysid.PredictionError(starts=4), start=start)
    assert not fit.converged and "after 2 of 4 starts" in fit.status.reason
    assert abs(fit.model.poles()[0] - 0.8) < 0.02
    calls.clear()
    scan = order_scan.order_scan(data, orders=(1, 2, 3))
    assert scan.orders.tolist() == [1] and "orders 2 and above" in repr(scan)
    with pytest.raises(KeyboardInterrupt):
        order_scan.order_scan(data, orders=(2, 3))
