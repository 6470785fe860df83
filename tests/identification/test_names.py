"""Names that the user gave to channels go from data to what is fitted, from models to results, and swapped columns are refused."""

import numpy as np
import pytest

import sysid
from sysid.models.names import names

OUTPUTS, INPUTS = ("level", "temperature"), ("pump", "heater")
NAMED = {"output_names": OUTPUTS, "input_names": INPUTS}
BARE = {"output_names": None, "input_names": None}


def truth():
    return sysid.LTI([[0.8, 0.1], [0.0, 0.5]], [[1.0, 0.5], [0.0, 1.0]], np.eye(2), dt=0.5)


def record(n_steps=400, **labels):
    rng = np.random.default_rng(4)
    u = rng.standard_normal((n_steps, 2))
    y = sysid.simulate(sysid.Process(truth(), 0.01, 0.01), u, rng=rng).y
    return sysid.Data(y, u, dt=0.5, **labels)


def network():
    return sysid.ESN.random(8, 2, rng=np.random.default_rng(0), dt=0.5)


def stack():
    return sysid.DeepESN.random([4, 4], 2, rng=np.random.default_rng(0), dt=0.5)


METHODS = {
    "subspace": (lambda: sysid.Subspace(2), None),
    "integrated": (lambda: sysid.Subspace(3, integrators=1), None),
    "prediction error": (lambda: sysid.PredictionError(n_states=2, max_iterations=3), None),
    "likelihood": (lambda: sysid.PredictionError(focus="likelihood", n_states=2, max_iterations=2), None),
    "em": (lambda: sysid.EM(max_iterations=2), lambda: sysid.Process(truth(), 0.1, 0.1)),
    "arx": (lambda: sysid.ARX(2, 2), None),
    "era": (lambda: sysid.ERA(2), None),
    "edmd": (lambda: sysid.EDMD(sysid.Polynomial(1)), None),
    "readout": (lambda: sysid.Readout(), network),
    "bayesian readout": (lambda: sysid.BayesianReadout(), network),
    "streaming readout": (lambda: sysid.StreamingReadout(), network),
    "recursive readout": (lambda: sysid.RecursiveReadout(), network),
    "stack": (lambda: sysid.Readout(), stack),
    "spectral": (lambda: sysid.SpectralFiltering(n_filters=3, n_steps=32), None),
}


def fitted(kind, data):
    method, start = METHODS[kind]
    return sysid.fit(data, method(), start=None if start is None else start())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", METHODS)
def test_a_fit_takes_the_names_of_the_data(kind):
    found = fitted(kind, record(**NAMED))
    assert names(found.model) == NAMED and "level, temperature" in repr(found)
    if found.process is not None:
        assert found.process.model is found.model
    assert names(fitted(kind, record()).model) == BARE


def test_the_parts_of_a_fit_share_one_named_model():
    fit = fitted("prediction error", record(**NAMED))
    assert fit.uncertainty.model is fit.model is fit.process.model
    assert names(sysid.simulate(fit.model, np.ones((3, 2)))) == NAMED


def test_default_names_of_data_do_not_become_names_of_a_model():
    data = record(output_names=["y1", "y2"], input_names=INPUTS)
    assert names(fitted("subspace", data).model) == {"output_names": None, "input_names": INPUTS}


def test_a_start_gives_its_names_where_the_data_have_none_and_the_data_win_where_both_have():
    start = sysid.Process(truth().with_names(["a", "b"], ["c", "d"]), 0.1, 0.1)
    for method in (sysid.EM(max_iterations=1), sysid.PredictionError(max_iterations=1)):
        assert names(sysid.fit(record(), method, start=start).model) == names(start)
        assert names(sysid.fit(record(**NAMED), method, start=start).model) == NAMED


def test_inputs_that_a_lift_widens_are_not_named_after_those_of_the_data():
    found = sysid.fit(record(**NAMED), sysid.EDMD(sysid.Polynomial(1), input_map=lambda u: np.hstack([u, u**2])))
    assert names(found.model) == {"output_names": OUTPUTS, "input_names": None}


SWAPPED = {"output_names": OUTPUTS[::-1], "input_names": INPUTS}


@pytest.mark.parametrize("call", [
    lambda process, data: sysid.filter(process, data),
    lambda process, data: sysid.smooth(process, data),
    lambda process, data: sysid.predict(process, data),
    lambda process, data: sysid.forecast(process, data, 2, u=np.ones((2, 2))),
    lambda process, data: sysid.validate(process, data),
    lambda process, data: sysid.fit(data, sysid.EM(), start=process),
])  # fmt: skip
def test_swapped_columns_are_refused_by_name(call):
    process = sysid.Process(truth().with_names(**NAMED), 0.1, 0.1)
    with pytest.raises(ValueError, match=r"expected outputs in the order level, temperature as in the model; received temperature, level\."):
        call(process, record(200, **SWAPPED))
    call(process, record(200))
    call(process, record(200, output_names=["tank", "jacket"]))
    with pytest.raises(ValueError, match="expected inputs in the order pump, heater"):
        call(process, record(200, input_names=["heater", "valve"]))


def test_experiments_whose_columns_are_swapped_are_refused():
    with pytest.raises(ValueError, match="expected the outputs of experiment 1 in the order level, temperature as in the first"):
        sysid.fit([record(**NAMED), record(**SWAPPED)], sysid.Subspace(2))


@pytest.fixture
def figures():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_figures_of_results_say_the_names_of_data_or_model(figures):
    fit = fitted("prediction error", record(**NAMED))
    pairs = [f"{y} from {u}" for y in OUTPUTS for u in INPUTS]
    for band in (fit.uncertainty.frequency_response(), fit.uncertainty.step_response(5), sysid.impulse_response_estimate(record(**NAMED), 5)):
        assert [a.get_title(loc="left") for a in band.plot()] == pairs
    drawn = sysid.spectral_response(record(**NAMED)).plot()
    assert [a.get_title(loc="left") for a in drawn] == [*pairs[:2], "level", *pairs[2:], "temperature"]
    for data, want in ((record(), OUTPUTS), (record(output_names=["tank", "jacket"]), ("tank", "jacket"))):
        judged = sysid.validate(fit, data)
        ahead = sysid.forecast(fit.process, data, 3, u=np.ones((3, 2)))
        for result in (judged, ahead, sysid.filter(fit.process, data)):
            assert tuple(a.get_ylabel() for a in result.plot()) == want
        assert judged.whiteness.names[1] == f"residual of {want[1]} with its past"
        assert judged.cross_correlation.names[0] == f"residual of {want[0]} with past pump"
        assert f"{want[0]}, {want[1]}" in repr(judged)


def test_a_reservoir_fitted_by_inference_knows_its_channels_too():
    taught = sysid.fit(record(200), sysid.Readout(), start=stack()).process
    taught = sysid.Process(taught.model, Q=1e-4, R=taught.R)
    method = sysid.ReservoirEM(("Q", "R"), max_iterations=1, standard_errors=False)
    found = sysid.select_reservoir(record(200, **NAMED), method, {"stack": taught}).best
    assert names(found.model) == NAMED and found.process.model is found.model
    assert found.predict(record(50)).data.output_names == OUTPUTS
    with pytest.raises(ValueError, match="predict: expected outputs in the order level, temperature"):
        found.predict(record(50, **SWAPPED))
    with pytest.raises(ValueError, match="STU: expected outputs in the order level"):
        fitted("spectral", record(**NAMED)).model.predict(record(**SWAPPED))
