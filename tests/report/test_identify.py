"""The report on a user's file: what it writes, what it says, what it scores."""

import numpy as np
import pytest

import sysid
from sysid.cli import main


def write(path, y, u=None):
    columns = {"y": y} if u is None else {"y": y, "u": u}
    rows = [",".join(columns), *(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in zip(*columns.values()))]
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def simulated(T=400):
    rng = np.random.default_rng(0)
    u = rng.standard_normal(T)
    model = sysid.LTI([[1.5, -0.7], [1.0, 0.0]], [[1.0], [0.0]], [[0.5, 0.2]])
    return sysid.simulate(model, u).y[:, 0] + 0.05 * rng.standard_normal(T) + 20.0, u


def test_a_linear_system_is_found_and_written(tmp_path, capsys):
    y, u = simulated()
    out = tmp_path / "out"
    assert main(["report", write(tmp_path / "data.csv", y, u), "--outputs", "y", "--inputs", "u", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert float(said.split("linear model: ")[1].split(" %")[0]) > 90
    assert sorted(p.name for p in out.iterdir()) == ["index.html", "linear.npz", "reservoir.npz"]
    poles = sysid.load(out / "linear.npz").model.poles()
    assert min(abs(poles - (0.75 + 0.37j))) < 0.05
    assert isinstance(sysid.load(out / "reservoir.npz").model, sysid.ESN)


def test_a_series_without_inputs_is_judged_one_step_ahead(tmp_path, capsys):
    y = np.sin(0.3 * np.arange(300)) + 0.1 * np.random.default_rng(0).standard_normal(300)
    assert main(["report", write(tmp_path / "data.csv", y), "--outputs", "y", "--out", str(tmp_path)]) == 0
    assert "one step ahead" in capsys.readouterr().out


def test_gaps_are_reported_and_do_not_stop_it(tmp_path, capsys):
    y, u = simulated()
    y[50:60] = np.nan
    status = main(["report", write(tmp_path / "data.csv", y, u), "--outputs", "y", "--inputs", "u", "--out", str(tmp_path)])
    assert "missing (y: 10 of 400 rows)" in capsys.readouterr().err
    assert status == 0


def test_a_second_half_that_judges_nothing_is_refused(tmp_path, capsys):
    y, u = simulated(200)
    for late, word in ((np.full(100, 3.0), "constant"), (np.full(100, np.nan), "not measured")):
        file = write(tmp_path / "data.csv", np.concatenate([y[:100], late]), u)
        assert main(["report", file, "--outputs", "y", "--inputs", "u", "--out", str(tmp_path)]) == 2
        assert f"y is {word} there" in capsys.readouterr().err


@pytest.mark.parametrize("constant", ["y", "u"])
def test_a_constant_column_is_refused_by_name(constant, tmp_path, capsys):
    y, u = simulated(200)
    y, u = (np.full(200, 3.0), u) if constant == "y" else (y, np.full(200, 3.0))
    status = main(["report", write(tmp_path / "data.csv", y, u), "--outputs", "y", "--inputs", "u", "--out", str(tmp_path)])
    said = capsys.readouterr().err
    assert status == 2 and {"y": "y is constant there", "u": "u (constant)"}[constant] in said


def test_the_saved_models_live_in_the_units_of_the_file(tmp_path, capsys):
    y, u = simulated()
    u = 3.0 * u + 40.0
    assert main(["report", write(tmp_path / "data.csv", 100.0 * y, u), "--outputs", "y", "--inputs", "u", "--out", str(tmp_path)]) == 0
    data = sysid.Data(100.0 * y, u)
    linear, reservoir = (sysid.load(tmp_path / f"{name}.npz") for name in ("linear", "reservoir"))
    assert np.allclose(linear.model.dc_gain(), 100.0 / 3.0 * 0.7 / 0.2, rtol=0.05)  # of the plant, by the change of units
    for fit in (linear, reservoir):
        judged = sysid.validate(fit, data)
        assert judged.fit_simulation[0] > 80
    page = (tmp_path / "index.html").read_text()
    assert "In words" in page and "time constant" in page and "by one unit of u" in page
    assert "on the unseen half" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["linear", "driven", "feedback"])
def test_a_model_in_units_forecasts_what_the_scaled_one_does(kind):
    from sysid.report.units import in_units
    rng = np.random.default_rng(1)
    y, u = simulated()
    data = sysid.Data(100.0 * y) if kind == "feedback" else sysid.Data(100.0 * y, 3.0 * u + 40.0)
    scaled, scaling = data.standardize()
    if kind == "linear":
        fit = sysid.fit(scaled, sysid.Subspace(2))
    else:
        esn = sysid.ESN.random(20, 0, 1, rng=rng, bias_scale=0.2) if kind == "feedback" else sysid.ESN.random(20, 1, rng=rng, bias_scale=0.2)
        fit = sysid.fit(scaled, sysid.Readout(1e-2, 20), start=esn)
    ahead = None if kind == "feedback" else rng.standard_normal((10, 1))
    within = sysid.forecast(fit.process, scaled, horizon=10, u=ahead).interval(0.9)
    units = sysid.forecast(in_units(fit, scaling).process, data, horizon=10, u=None if ahead is None else scaling.inverse_u(ahead)).interval(0.9)
    assert np.allclose(scaling.inverse_y(np.array(within)), units, rtol=1e-6)


def test_fed_back_outputs_come_back_to_their_units_too(tmp_path):
    y = 500.0 + 30.0 * np.sin(0.3 * np.arange(300)) + 3.0 * np.random.default_rng(0).standard_normal(300)
    assert main(["report", write(tmp_path / "data.csv", y), "--outputs", "y", "--out", str(tmp_path)]) == 0
    fit = sysid.load(tmp_path / "reservoir.npz")
    one = sysid.predict(fit.process, sysid.Data(y))
    assert np.sqrt(np.mean((one[100:, 0] - y[100:]) ** 2)) < 8.0


def test_the_words_name_the_better_model():
    from sysid.report.words import sentences
    y, u = simulated()
    data = sysid.Data(y, u)
    fit = sysid.fit(data, sysid.Subspace())

    def said(linear, reservoir):
        return sentences(fit, data, {"linear model": np.array([linear]), "reservoir": np.array([reservoir])})[1]

    assert "does better by 5.0 points: take it" in said(90.0, 85.0)
    assert "no better" in said(90.0, 90.5)
    assert "not linear over this range" in said(70.0, 90.0)
    assert "Neither" in said(5.0, 10.0)
    assert "diverges" in sentences(fit, data, {"linear model": np.array([90.0])})[1]
