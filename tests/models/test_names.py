"""Names of channels are labels: they reach every figure and summary, take no part in numbers, and refuse swapped columns."""

import copy
import pickle

import numpy as np
import pytest

import sysid
from sysid.models.names import names

OUTPUTS, INPUTS = ("level", "temperature"), ("pump", "heater")
NAMED = {"output_names": OUTPUTS, "input_names": INPUTS}
BARE = {"output_names": None, "input_names": None}
RNG = np.random.default_rng(3)
A, B, C = np.array([[0.8, 0.1], [-0.2, 0.6]]), RNG.standard_normal((2, 2)), RNG.standard_normal((2, 2))


def lti(**changes):
    return sysid.LTI(A, B, C, **{**NAMED, **changes})


def f(x, u, p, t):
    return 0.5 * np.tanh(x) + u


def g(x, u, p, t):
    return x.copy()


def reservoir(kind, **options):
    return kind.random(**options, rng=np.random.default_rng(1))


MODELS = {
    "lti": lambda **k: sysid.LTI(A, B, C, **k),
    "ltv": lambda **k: sysid.LTV(np.stack([A, A]), B, C, **k),
    "bilinear": lambda **k: sysid.Bilinear(A, B, np.zeros((2, 2, 2)), C, **k),
    "nonlinear": lambda **k: sysid.Nonlinear(f, g, 2, 2, 2, **k),
    "esn": lambda **k: sysid.ESN(A, B, C=C, **k),
    "continuous": lambda **k: sysid.ContinuousESN(A, B, C=C, **k),
    "gated": lambda **k: sysid.GatedESN(A, A, np.ones((2, 2)), B, C=C, **k),
    "deep": lambda **k: sysid.DeepESN([sysid.ESN(A, B)], [], C=C, **k),
    "convolutional": lambda **k: sysid.ConvolutionalESN((2, 1), [[0.5]], [[1.0]], C=C, **k),
    "graph": lambda **k: sysid.GraphESN([[1.0, -1.0], [-1.0, 1.0]], [0.5], B, C=C, **k),
    "lru": lambda **k: sysid.LRU([0.5, 0.6], [1.0, 1.0], B, C, np.zeros((2, 2)), **k),
    "stu": lambda **k: sysid.STU(sysid.spectral_filters(16, 2), *3 * [np.ones((2, 2, 2))], **k),
    "ar-stu": lambda **k: sysid.ARSTU(sysid.spectral_filters(16, 2), *3 * [np.ones((2, 2, 2))], np.zeros((1, 2, 2)), **k),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_takes_names_by_keyword_or_later_and_shows_them(kind):
    given, plain = MODELS[kind](**NAMED), MODELS[kind]()
    later = plain.with_names(list(OUTPUTS), list(INPUTS))
    for model in (given, later, copy.deepcopy(given), later.with_names()):
        assert names(model) == NAMED
        assert "level, temperature" in repr(model) and "pump, heater" in model._repr_html_()
    assert names(plain) == BARE and "names" not in repr(plain)
    assert later.with_names(input_names=["a", "b"]).output_names == OUTPUTS


@pytest.mark.parametrize("kind", MODELS)
def test_wrong_names_are_one_clear_sentence(kind):
    make = MODELS[kind]
    for wrong in (["a"], ["a", "a"], "level"):
        with pytest.raises(ValueError, match=r"expected 2 different output_names; received \["):
            make(output_names=wrong)
    for wrong in ({"a", "b"}, {"a": 1, "b": 2}, 7):
        with pytest.raises(TypeError, match="expected input_names as a list of labels in the order of the channels"):
            make().with_names(input_names=wrong)


def test_names_take_no_part_in_any_number():
    u = RNG.standard_normal((50, 2))
    named, bare = sysid.simulate(lti(), u), sysid.simulate(lti(**BARE), u)
    np.testing.assert_array_equal(named.y, bare.y)
    data = sysid.Data(named.y, u)
    first, second = (sysid.filter(sysid.Process(lti(**k), 1.0, 1.0), data) for k in (NAMED, BARE))
    assert first.log_likelihood == second.log_likelihood
    assert lti().with_names(["a", "b"]).A is not None and lti().with_names(["a", "b"]).A.flags.writeable is False


def test_positional_calls_stay_as_they_were():
    model = sysid.LTI(A, B, C, None, 0.5, [1.0, 2.0], [3.0, 4.0])
    assert model.dt == 0.5 and model.d[1] == 4.0
    with pytest.raises(TypeError):
        sysid.LTI(A, B, C, None, 0.5, None, None, OUTPUTS)


def test_names_survive_pickle_files_and_processes(tmp_path):
    process = sysid.Process(lti(), 1.0, 1.0)
    for back in (pickle.loads(pickle.dumps(process)), sysid.load(sysid.save(process, tmp_path / "p"))):
        assert names(back.model) == NAMED == names(back)
    assert "pump, heater" in repr(process) and "pump" in repr(sysid.simulate(lti(), np.ones((3, 2))))


KEPT = {
    "transform": lambda m: m.transform(np.eye(2)),
    "reduce": lambda m: sysid.reduce(m, 1).model,
    "residualise": lambda m: sysid.reduce(m, 1, method="residualization").model,
    "minimal": sysid.minimal,
    "modal": sysid.modal_form,
    "stable part": lambda m: sysid.stable_part(m)[0],
    "sampled": lambda m: sysid.discretize(sysid.to_continuous(m), 0.5),
    "linearised": lambda m: sysid.linearize(m, x=np.zeros(2)),
    "along": lambda m: sysid.linearize(m, x=np.zeros((3, 2)), u=np.zeros((3, 2))),
    "at": lambda m: sysid.LTV(np.stack([A, A]), B, C, **names(m)).at(1),
    "bilinear part": lambda m: sysid.Bilinear(A, B, np.zeros((2, 2, 2)), C, **names(m)).linear,
    "bilinear along": lambda m: sysid.Bilinear(A, B, np.zeros((2, 2, 2)), C, **names(m)).along(np.ones((3, 2))),
    "bilinear sampled": lambda m: sysid.discretize(sysid.Bilinear(A, B, np.zeros((2, 2, 2)), C, dt=None, **names(m)), 0.1),
    "bilinear reduced": lambda m: sysid.reduce(sysid.Bilinear(A, B, 0.1 * np.ones((2, 2, 2)), C, **names(m)), 1).model,
    "surrogate": lambda m: sysid.linearize(sysid.Nonlinear(f, g, 2, 2, 2, **names(m)), x=np.zeros(2), order="bilinear"),
    "rolled forward": lambda m: sysid.discretize(sysid.Nonlinear(f, g, 2, 2, 2, dt=None, **names(m)), 0.1),
    "network sampled": lambda m: sysid.ContinuousESN(A, B, C=C, **names(m)).discretize(0.1),
    "innovations": lambda m: sysid.innovation_form(sysid.Process(m, 1.0, 1.0))[0],
    "coloured": lambda m: sysid.with_coloured_noise(sysid.Process(m, 1.0, 1.0), measurement_noise=sysid.Process(
        sysid.LTI(0.5 * np.eye(2), None, np.eye(2)), 1.0, 0.0)).model,
    "recurrent unit": lambda m: sysid.LRU([0.5, 0.6], [1.0, 1.0], B, C, np.zeros((2, 2)), **names(m)).to_lti(),
    "spectral": lambda m: sysid.STU.from_lti(sysid.LTI(np.diag([0.5, 0.6]), B, C, **names(m)), 4, 32).truncate(3).to_lti(2),
    "autoregressive": lambda m: sysid.ARSTU.from_stu(sysid.STU.from_lti(sysid.LTI(np.diag([0.5, 0.6]), B, C, **names(m)), 4, 32)),
    "python-control": lambda m: sysid.LTI.from_control(m.to_control()),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_keeps_the_channels_keeps_their_names(kind):
    if kind == "python-control":
        pytest.importorskip("control")
    assert names(KEPT[kind](lti())) == NAMED
    assert names(KEPT[kind](lti(**BARE))) == BARE


def test_a_lift_keeps_the_inputs_and_a_driven_map_says_what_is_fed_back():
    esn = sysid.ESN(0.1 * A, B, C=C, W_fb=0.1 * np.ones((2, 2)), **NAMED)
    assert sysid.linearize(esn).input_names == ("pump", "heater", "level fed back", "temperature fed back")
    assert names(esn.closed_loop()) == NAMED
    lifted = sysid.lift(sysid.ESN(0.1 * A, B, C=C, **NAMED), sysid.Carleman(2))
    assert lifted.input_names == INPUTS and lifted.output_names is None and lifted.bilinear.input_names == INPUTS
    held = sysid.discretize(sysid.Nonlinear(f, g, 2, 2, 2, dt=None, **NAMED), 0.1, hold="foh")
    assert sysid.linearize(held, x=np.zeros(2)).input_names is None


def test_a_new_readout_of_as_many_outputs_keeps_their_names_and_another_drops_them():
    for esn in (reservoir(sysid.ESN, n_states=4), reservoir(sysid.DeepESN, sizes=[2, 2])):
        esn = esn.with_readout(np.ones((2, 4))).with_names(OUTPUTS, "pump")
        assert esn.with_readout(np.zeros((2, 4))).output_names == OUTPUTS
        assert names(esn.with_readout(np.ones((3, 4)))) == {"output_names": None, "input_names": ("pump",)}


def test_connections_name_what_goes_in_and_what_comes_out():
    second = sysid.LTI(A, B, C, output_names=["a", "b"], input_names=OUTPUTS)
    chain = sysid.series(lti(), second)
    assert names(chain) == {"output_names": ("a", "b"), "input_names": INPUTS}
    assert names(sysid.parallel(lti(**BARE), lti(), 2.0)) == NAMED
    assert names(sysid.feedback(lti(), 0.1)) == {"output_names": OUTPUTS, "input_names": None}
    swapped = lti().with_names(OUTPUTS[::-1], INPUTS[::-1])
    for call, said in ((lambda: sysid.series(lti(), second.with_names(input_names=OUTPUTS[::-1])), "series: expected the inputs of model 2 in the order level"),
                       (lambda: sysid.parallel(lti(), swapped), "parallel: expected outputs in the order level"),
                       (lambda: sysid.feedback(lti(), second.with_names(INPUTS[::-1])), "feedback: expected the outputs of the return path")):
        with pytest.raises(ValueError, match=said):
            call()


def test_labels_of_python_control_come_along_and_its_default_ones_do_not():
    control = pytest.importorskip("control")
    system = lti().to_control()
    assert system.output_labels == list(OUTPUTS) and system.input_labels == list(INPUTS)
    assert names(sysid.LTI.from_control(control.ss(A, B, C, 0, 1.0))) == BARE
    assert sysid.LTI.from_control(control.ss(A, B, C, 0, 1.0, outputs=["a", "b"])).output_names == ("a", "b")


@pytest.fixture
def figures():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_figures_say_the_names(figures):
    model = lti(dt=0.5)
    bode, step, nyquist = model.plot.bode(), model.plot.step(), model.plot.nyquist()
    assert [a.get_ylabel() for a in bode[::2, 0]] == ["level\ngain, dB", "temperature\ngain, dB"]
    assert [a.get_title() for a in bode[0]] == ["from pump", "from heater"] == [a.get_title() for a in step[0]]
    assert nyquist[1, 0].get_ylabel() == "temperature from pump\nimaginary part"
    assert [t.get_text() for t in model.plot.memory().get_legend().get_texts()] == list(INPUTS)
    one = sysid.LTI(0.9, 1.0, 1.0, output_names="level", input_names="pump").plot.impulse()
    assert one.get_ylabel() == "level\nimpulse response" and one.get_title() == "from pump"
    run = sysid.simulate(model, np.ones((20, 2))).plot()
    assert [t.get_text() for t in run.get_legend().get_texts()] == list(OUTPUTS)


def test_figures_of_a_model_without_names_are_as_before(figures):
    model = lti(**BARE)
    assert model.plot.bode()[2, 0].get_ylabel() == "output 2\ngain, dB" and model.plot.step()[0, 1].get_title() == "from input 2"
    one = sysid.LTI(0.9, 1.0, 1.0).plot.step()
    assert one.get_ylabel() == "step response" and one.get_title() == ""


def test_a_model_without_names_beside_a_named_one_leaves_the_names(figures):
    for first, second in ((lti(), lti(**BARE)), (lti(**BARE), lti())):
        axes = second.plot.step(ax=first.plot.step())
        assert axes[1, 0].get_ylabel() == "temperature\nstep response" and axes[0, 1].get_title() == "from heater"


SELECTED = {
    "lti": lambda: lti(dt=0.5, D=RNG.standard_normal((2, 2)), c=[0.1, 0.2], d=[3.0, 4.0]),
    "ltv": lambda: sysid.LTV(np.stack([A, 0.5 * A, A, A]), B, C, RNG.standard_normal((4, 2, 2)), d=[3.0, 4.0], **NAMED),
    "bilinear": lambda: sysid.Bilinear(A, B, 0.1 * RNG.standard_normal((2, 2, 2)), C, d=[3.0, 4.0], **NAMED),
}


@pytest.mark.parametrize("kind", SELECTED)
def test_a_model_of_some_channels_runs_as_the_whole_one_with_the_other_inputs_at_zero(kind):
    model, u = SELECTED[kind](), RNG.standard_normal((4, 1))
    part = model.select("temperature", ["heater"])
    assert names(part) == {"output_names": ("temperature",), "input_names": ("heater",)} == names(model.select(1, 1))
    whole = sysid.simulate(model, np.hstack([np.zeros((4, 1)), u]))
    np.testing.assert_allclose(sysid.simulate(part, u).y, whole.y[:, 1:], rtol=1e-13)
    turned = model.select(OUTPUTS[::-1], INPUTS[::-1])
    full = RNG.standard_normal((4, 2))
    np.testing.assert_allclose(sysid.simulate(turned, full[:, ::-1]).y[:, ::-1], sysid.simulate(model, full).y, rtol=1e-12)


def test_channels_that_are_not_there_are_refused_with_those_that_are():
    for make in (lti(), sysid.Data(np.ones((5, 2)), np.ones((5, 2)), **NAMED)):
        call = f"{type(make).__name__}.select: expected"
        for wrong in ("pressure", 2, -1, 1.5, True):
            with pytest.raises(ValueError, match=f"{call} outputs among level, temperature, or numbers from 0 to 1"):
                make.select(wrong)
        with pytest.raises(ValueError, match=f"{call} each of the inputs once"):
            make.select(inputs=["pump", 0])
    with pytest.raises(ValueError, match="outputs among numbers from 0 to 1"):
        lti(**BARE).select("level")


def test_data_of_some_channels_keep_gaps_time_and_names():
    y = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    data = sysid.Data(y, np.arange(6.0).reshape(3, 2), dt=0.5, t0=2.0, **NAMED)
    part = data.select("temperature", "pump")
    np.testing.assert_array_equal(part.y, y[:, 1:])
    assert (part.dt, part.t0, part.output_names, part.input_names) == (0.5, 2.0, ("temperature",), ("pump",))
    assert data.select(inputs=[]).u is None and sysid.Data(np.ones((2, 5, 2))).select([1]).y.shape == (2, 5, 1)
    with pytest.raises(ValueError, match="Select first and then map"):
        data.map(np.exp, np.log).select("level")


def test_swapped_columns_are_put_right_by_selecting_them_in_the_model_s_order():
    process = sysid.Process(lti(), 1.0, 1.0)
    data = sysid.Data(RNG.standard_normal((20, 2)), RNG.standard_normal((20, 2)), output_names=OUTPUTS[::-1], input_names=INPUTS[::-1])
    with pytest.raises(ValueError, match=r"by select\(outputs=\[...\]"):
        sysid.filter(process, data)
    right = sysid.filter(process, data.select(lti().output_names, lti().input_names))
    plain = sysid.filter(process, sysid.Data(data.y[:, ::-1], data.u[:, ::-1]))
    assert right.log_likelihood == plain.log_likelihood


def test_a_simulated_path_is_data_under_the_model_s_names():
    process, u = sysid.Process(lti(dt=0.5), 0.1, 0.1), RNG.standard_normal((3, 30, 2))
    path = sysid.simulate(process, u[0], rng=np.random.default_rng(0))
    assert names(path.data) == NAMED and path.data.dt == 0.5
    np.testing.assert_array_equal(path.data.y, path.y)
    np.testing.assert_array_equal(path.data.u, u[0])
    assert sysid.simulate(lti(**BARE), u).data.is_batch and names(sysid.simulate(lti(**BARE), u).data) == BARE
    assert sysid.simulate(sysid.LTI(0.5, None, 1.0), n_steps=3, x0=[1.0]).data.n_inputs == 0
    with pytest.raises(ValueError, match="no readout"):
        sysid.simulate(sysid.ESN(A, B), u[0]).data
