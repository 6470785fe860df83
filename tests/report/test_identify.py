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


@pytest.mark.parametrize("constant", ["y", "u"])
def test_a_constant_column_is_no_crash(constant, tmp_path, capsys):
    y, u = simulated(200)
    y, u = (np.full(200, 3.0), u) if constant == "y" else (y, np.full(200, 3.0))
    status = main(["report", write(tmp_path / "data.csv", y, u), "--outputs", "y", "--inputs", "u", "--out", str(tmp_path)])
    captured = capsys.readouterr()
    assert status == 0 or captured.err.startswith("sysid: ")
