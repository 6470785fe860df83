"""A fit, a process or a model given for one another is met with the word that is missing."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

import sysid

MODEL = sysid.LTI(0.5, 1.0, 1.0)
DATA = sysid.Data(np.random.default_rng(0).standard_normal(60), np.random.default_rng(1).standard_normal(60))
PROCESS = sysid.Process(MODEL, 0.1, 0.1)
FIT = sysid.fit(DATA, sysid.EM(max_iterations=2), start=PROCESS)
BARE = sysid.Fit(model=MODEL)
LIFTED = sysid.fit(sysid.Data(np.sin(np.arange(60))), sysid.EDMD(sysid.Polynomial(degree=2))).model


@pytest.mark.parametrize("verb", [sysid.filter, sysid.smooth, sysid.predict, lambda p, d: sysid.forecast(p, d, 5, u=np.zeros(5))])
@pytest.mark.parametrize("thing, word", [(FIT, "pass fit.process"), (BARE, "estimates no noise")])
def test_estimation_of_a_fit_names_its_process(verb, thing, word):
    with pytest.raises(TypeError, match=word):
        verb(thing, DATA)


@pytest.mark.parametrize("verb", [sysid.filter, sysid.smooth, sysid.predict])
def test_estimation_of_a_model_asks_for_its_noise(verb):
    with pytest.raises(TypeError, match=f"{verb.__name__}: expected .* Add its noise"):
        verb(MODEL, DATA)


@pytest.mark.parametrize("verb", [sysid.certify, sysid.h2_norm, sysid.linearize, lambda m: sysid.reduce(m, 1), lambda m: sysid.simulate(m, DATA.u)])
def test_analysis_of_a_fit_names_its_model(verb):
    with pytest.raises(TypeError, match="pass fit.model"):
        verb(FIT)


def test_data_and_models_given_for_arrays_and_results_are_named():
    with pytest.raises(TypeError, match=r"data\.u"):
        sysid.simulate(MODEL, DATA)
    with pytest.raises(TypeError, match="result of sysid.filter"):
        sysid.consistency(PROCESS)


def test_a_forecast_without_noise_claims_no_band_and_a_ridge_path_names_its_best():
    ahead = sysid.forecast(MODEL, DATA, 5, u=np.zeros(5))
    assert "none: the model has no noise" in repr(ahead) and "95 %" not in repr(ahead)
    esn = sysid.ESN.random(6, 1, rng=np.random.default_rng(0))
    fit = sysid.fit(DATA, sysid.Readout(ridge=[1e-6, 1e-3, 1.0], washout=5), start=esn)
    assert fit.summary()["ridge, the best"] in (1e-6, 1e-3, 1.0)
    assert fit.plot().get_xlabel() == "ridge"
    assert "autonomous" in sysid.certify(sysid.ESN(0.3 * np.eye(3))).model


def esn():
    return sysid.ESN.random(6, 1, rng=np.random.default_rng(0))


def read(text, column):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        path.write_text(text)
        return sysid.Data.from_csv(path, outputs=column)


SLIPS = {
    "a file name for its numbers": (lambda: sysid.Data("tanks.csv"), r"Data\.from_csv"),
    "a dict of columns": (lambda: sysid.Data({"y": [1.0]}), "from_columns"),
    "Jacobians in a row": (lambda: sysid.Nonlinear(np.sin, np.sin, 1, 0, 1, jacobians=(np.cos, np.cos)), "jacobians as a dict"),
    "a function that returns nothing": (lambda: sysid.simulate(sysid.Nonlinear(lambda x, u, p, t: None, lambda x, u, p, t: x, 1, 0, 1), n_steps=3), "Is there a return"),
    "a number for an array": (lambda: sysid.simulate(sysid.Nonlinear(lambda x, u, p, t: x, lambda x, u, p, t: x[0], 1, 0, 1), n_steps=3), r"np\.array\(\[value\]\)"),
    "parameters that are not there": (lambda: sysid.simulate(sysid.Nonlinear(lambda x, u, p, t: p[:1] * p[0], lambda x, u, p, t: x, 1, 0, 1), n_steps=3), r"give it p="),
    "no noise at all": (lambda: sysid.Process(MODEL, None, 1.0), "Q as an array of real numbers; received None"),
    "a wrong size of Q": (lambda: sysid.Process(MODEL, np.eye(3), 1.0), r"\(T, 1, 1\) where it changes"),
    "a fit for a model": (lambda: sysid.Process(FIT, 1.0, 1.0), r"pass fit\.model"),
    "a class for a start": (lambda: sysid.Process(MODEL, 1.0, 1.0, initial=sysid.Diffuse), r"forget the parentheses, Diffuse\(\)"),
    "a class for a filter": (lambda: sysid.filter(PROCESS, DATA, sysid.Kalman), r"forget the parentheses, Kalman\(\)"),
    "a class for a property": (lambda: sysid.certify(esn(), sysid.Contraction), r"forget the parentheses, Contraction\(\)"),
    "a smoother for a filter": (lambda: sysid.filter(PROCESS, DATA, sysid.RTS()), "goes to sysid.smooth"),
    "Kalman on a reservoir": (lambda: sysid.filter(sysid.Process(sysid.ESN(np.eye(1), [[1.0]], C=[[1.0]], d=[0.0]), 1.0, 1.0), DATA, sysid.Kalman()),
                              "expected a linear model for Kalman"),
    "data as an array": (lambda: np.asarray(DATA), r"data\.y"),
    "data unpacked": (lambda: tuple(DATA), r"data\.y and data\.u"),
    "data and method exchanged": (lambda: sysid.validate(DATA, FIT), "arguments in their order"),
    "a reservoir among linear models": (lambda: sysid.series(MODEL, esn()), r"sysid\.linearize"),
    "candidates as a list": (lambda: sysid.select_reservoir(DATA, sysid.ReservoirEM(), [PROCESS]), "dict of label"),
    "a dictionary by name": (lambda: sysid.EDMD("polynomial"), r"Polynomial\(degree=2\)"),
    "a linear model to be scaled": (lambda: sysid.scale_to_certified(MODEL), "scale_to_certified: expected an ESN; received LTI"),
    "a share of edges above one": (lambda: sysid.ESN.random(6, density=2, rng=np.random.default_rng(0)), r"density in \(0, 1\]"),
    "chance without noise": (lambda: sysid.simulate(MODEL, np.ones(3), rng=np.random.default_rng(0)), "rng only with a Process"),
    "a negative root": (lambda: sysid.Data([-4.0]).map(np.sqrt, inverse=np.square), "for y = -4"),
    "a linear model for a reservoir": (lambda: sysid.validity_radius(MODEL, 0.1), "validity_radius: expected a reservoir"),
    "a linear model for a bilinear one": (lambda: sysid.gramian_rate(MODEL), "gramian_rate: expected a Bilinear"),
    "a reservoir for its process": (lambda: sysid.profile_likelihood(DATA, sysid.ReservoirEM(), esn(), "leak", [0.5]), "start=sysid.Process"),
    "a linear model for a predictor": (lambda: sysid.realize(MODEL), "expected an STU"),
    "a reservoir in modal form": (lambda: sysid.diagonal_form(esn()), r"diagonal_form: .*sysid\.linearize"),
    "a linear model for synthesis": (lambda: sysid.nearest_certified(MODEL), "nearest_certified: expected an ESN"),
    "a number for a loss": (lambda: sysid.learning.gradient_flow(3, 1, [0, 1]), "gradient_flow: expected a loss"),
    "a capital in a header": (lambda: read("time;temp\n0;1\n", "Temp"), r"Did you mean temp\?"),
    "steps for continuous times": (lambda: sysid.LTI(-1.0, 1.0, 1.0, dt=None).step_response(50), r"t=times .*received n_steps"),
    "a delay before the record": (lambda: sysid.reservoirs.sampled_memory(esn(), 50, n_steps=200, washout=10, rng=np.random.default_rng(0)),
                                  "washout >= 50"),
    "a state for a lifted one": (lambda: sysid.simulate(LIFTED, n_steps=3, x0=[0.1]), r"model\.start\(x\)"),
    "per cent for a share": (lambda: sysid.filter(PROCESS, DATA).interval(95), r"such as 0\.95"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_met_with_what_was_probably_meant(slip):
    call, word = SLIPS[slip]
    with pytest.raises((TypeError, ValueError, IndexError), match=word):
        call()


def test_lengths_that_differ_speak_of_the_transpose_only_where_it_would_fit():
    with pytest.raises(ValueError, match="transpose"):
        sysid.Data(np.ones((9, 2)), np.ones((1, 9)))
    with pytest.raises(ValueError, match="same stretch of time"):
        sysid.Data(np.ones(9), np.ones(8))


def test_orders_of_polynomials_come_in_the_order_of_the_textbook():
    assert sysid.ARMAX(3, 4, 5, 2) == sysid.ARMAX(na=3, nb=4, nc=5, nk=2)
    assert sysid.OutputError(3, 4, 2) == sysid.OutputError(nb=3, nf=4, nk=2)
    assert sysid.BoxJenkins(1, 2, 3, 4, 5) == sysid.BoxJenkins(nb=1, nc=2, nd=3, nf=4, nk=5)


def test_three_samples_are_not_called_white():
    assert "too few" in sysid.validate(FIT, DATA[:3]).verdict
