"""Every figure of a model draws what it says: axes by output and input, given axes reused, both time bases."""

import numpy as np
import pytest

import sysid


@pytest.fixture(autouse=True)
def backend():
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    yield
    plt.close("all")


def models():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 4))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    mimo = sysid.LTI(A, rng.standard_normal((4, 2)), rng.standard_normal((3, 4)), dt=0.1)
    return mimo, sysid.LTI([[0, 1], [-1, -0.1]], [[0], [1]], [[1, 0]], dt=None)


@pytest.mark.parametrize("name", ["bode", "nyquist", "pole_zero", "impulse", "step", "hankel"])
@pytest.mark.parametrize("which", [0, 1])
def test_each_figure_draws_and_returns_its_axes(name, which):
    model = models()[which]
    drawn = np.asarray(getattr(model.plot, name)(), dtype=object)
    want = {"bode": 2 * model.n_outputs * model.n_inputs, "nyquist": model.n_outputs * model.n_inputs,
            "impulse": model.n_outputs * model.n_inputs, "step": model.n_outputs * model.n_inputs}.get(name, 1)
    assert drawn.size == want and all(a.lines or a.collections for a in drawn.flat)


def test_bode_shows_gain_in_decibels_up_to_the_nyquist_frequency():
    model = models()[0]
    axes = model.plot.bode()
    x, y = axes[0, 0].lines[0].get_data()
    assert x[-1] < np.pi / 0.1
    assert np.allclose(y, 20 * np.log10(np.abs(model.frequency_response(x)[:, 0, 0])))
    again = model.plot.bode(ax=axes)
    assert again is axes or np.all(again == axes)
    with pytest.raises(ValueError, match="expected 6 x 2 axes"):
        model.plot.bode(ax=axes[0, 0])


def test_pole_zero_marks_are_where_they_should_be():
    model = models()[0]
    marked = {line.get_label(): line.get_data() for line in model.plot.pole_zero().lines}
    x, y = marked["poles (4)"]
    assert np.allclose(np.sort_complex(x + 1j * y), np.sort_complex(model.poles()))


def test_special_models_draw_too():
    import matplotlib.pyplot as plt

    for model in (sysid.LTI([[1.0]], [[1.0]], [[1.0]]), sysid.LTI([[0.0]], [[1.0]], [[1.0]]),
                  sysid.LTI(np.diag([0.5, 0.4]), np.eye(2), np.eye(2)), sysid.LTI([[1.1]], [[1.0]], [[1.0]])):
        for name in ("bode", "nyquist", "pole_zero", "impulse", "step"):
            getattr(model.plot, name)()
        plt.close("all")
    assert len(models()[0].plot.memory(20).lines) == 2
    sysid.reduce(models()[0], 2).plot()
    sysid.resonances(models()[0]).plot()
    sysid.frozen_time(sysid.LTV(np.full((5, 1, 1), 0.5), np.ones((1, 1)), np.ones((1, 1)))).plot()


def test_the_figures_of_a_model_called_by_themselves_are_its_bode_diagram():
    model = sysid.LTI(0.5, 1.0, 1.0)
    assert [a.get_ylabel() for a in model.plot().ravel()] == [a.get_ylabel() for a in model.plot.bode().ravel()]


def test_results_of_two_panels_draw_the_first_on_one_axes():
    import matplotlib.pyplot as plt
    rng = np.random.default_rng(0)
    u = rng.standard_normal(300)
    data = sysid.Data(sysid.simulate(sysid.LTI(0.8, 1.0, 1.0), u).y + 0.1 * rng.standard_normal((300, 1)), u)
    for result, label in ((sysid.fit(data, sysid.Subspace(n_states=1)), "singular value"), (sysid.spectral_response(data), "magnitude")):
        _, ax = plt.subplots()
        result.plot(ax=ax)
        assert ax.get_ylabel() == label


def test_a_forecast_shows_the_recent_past_and_all_of_it_on_demand():
    data = sysid.Data(np.sin(np.arange(400.0)))
    ahead = sysid.forecast(sysid.Process(sysid.LTI(0.9, None, 1.0), 0.1, 0.1), data, horizon=4)
    assert len(ahead.plot().lines[0].get_xdata()) == 50
    assert len(ahead.plot(history=400).lines[0].get_xdata()) == 400


@pytest.mark.parametrize("name", ["bode", "nyquist", "impulse", "step", "hankel"])
def test_a_second_model_in_the_same_axes_has_its_own_colour_and_label(name):
    model = models()[0]
    axes = getattr(model.plot, name)(label="full")
    axes = getattr(sysid.reduce(model, 2).model.plot, name)(ax=axes, label="reduced")
    first = np.asarray(axes, dtype=object).reshape(-1)[0]
    named = [line for line in first.lines if line.get_label() in ("full", "reduced")]
    assert [t.get_text() for t in first.get_legend().get_texts()] == ["full", "reduced"]
    assert named[0].get_color() != named[1].get_color()
    if name in ("impulse", "step"):  # the reduced model settles sooner and is drawn as long
        assert abs(named[0].get_xdata()[-1] - named[1].get_xdata()[-1]) <= 0.1 + 1e-9


@pytest.mark.parametrize("span, wanted", [((0.2, 5.0), {"0.2", "0.5", "1", "2", "5"}), ((1.2, 1.6), {"1.2", "1.3", "1.4", "1.5", "1.6"})])
def test_a_logarithmic_axis_of_few_decades_is_labelled_in_plain_numbers(span, wanted):
    from sysid import plot

    ax = plot.axes()
    ax.loglog(span, span)
    plot.few_decades(ax)
    ax.figure.canvas.draw()
    for axis in (ax.xaxis, ax.yaxis):
        assert wanted <= {label.get_text() for label in axis.get_majorticklabels()}
        assert not any(label.get_text() for label in axis.get_minorticklabels())
