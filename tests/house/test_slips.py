"""A fit, a process or a model given for one another is met with the word that is missing."""

import numpy as np
import pytest

import sysid

MODEL = sysid.LTI(0.5, 1.0, 1.0)
DATA = sysid.Data(np.random.default_rng(0).standard_normal(60), np.random.default_rng(1).standard_normal(60))
PROCESS = sysid.Process(MODEL, 0.1, 0.1)
FIT = sysid.fit(DATA, sysid.EM(max_iterations=2), start=PROCESS)
BARE = sysid.Fit(model=MODEL)


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
