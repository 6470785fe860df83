"""Dates of samples: taken from an index or a column, carried along, continued by forecasts, never computed with."""

import numpy as np
import pytest

import sysid
from sysid.core.dates import following


def days(*text):
    return np.array(text, dtype="datetime64[D]")


class Series:
    """What a pandas series is to Data: values with an index of dates."""

    def __init__(self, values, index, name="flow"):
        self.array, self.name = np.asarray(values, dtype=float), name
        self.index = type("Index", (), {"values": np.asarray(index)})()
        self.shape = self.array.shape

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


YEARS = np.arange("1871", "1971", dtype="datetime64[Y]").astype("datetime64[ns]")


@pytest.mark.parametrize("dates, ahead", [
    (days("2024-01-01", "2024-01-03"), days("2024-01-05", "2024-01-07")),
    (days("2024-01-15", "2024-02-15", "2024-03-15"), days("2024-04-15", "2024-05-15")),
    (days("2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"), days("2024-04-30", "2024-05-31")),
    (days("2023-01-01", "2023-04-01", "2023-07-01"), days("2023-10-01", "2024-01-01")),
    (days("2024-03-06", "2024-03-07", "2024-03-08", "2024-03-11"), days("2024-03-12", "2024-03-13")),
    (days("2024-03-06", "2024-03-07", "2024-03-20"), None),
    (days("2024-03-06"), None),
])  # fmt: skip
def test_dates_go_on_by_steps_months_their_ends_and_working_days(dates, ahead):
    found = following(dates.astype("datetime64[ns]"), 2)
    assert (found is None) if ahead is None else (found == ahead).all()


def test_dates_of_an_index_reach_results_figures_tables_and_files(tmp_path):
    pandas = pytest.importorskip("pandas")
    flow = pandas.Series(sysid.datasets.nile().y[:, 0], pandas.DatetimeIndex(YEARS), name="flow")
    data = sysid.Data(flow)
    assert (data.dates == YEARS).all() and data.dt == 1.0 and (data[10:20].dates == YEARS[10:20]).all()
    assert (data[::2].dates == YEARS[::2]).all() and (data.split(30)[1].standardize()[0].dates == YEARS[30:]).all()
    assert (data.resample(2).dates == YEARS[::2]).all()
    process = sysid.Process(sysid.LTI([[1.0]], None, [[1.0]]), Q=1469.1, R=15099.0, initial=sysid.Diffuse())
    ahead = sysid.forecast(process, data, horizon=3)
    assert (ahead.dates == np.array(["1971", "1972", "1973"], dtype="datetime64[Y]")).all()
    table = ahead.to_frame(0.9)
    assert list(table.columns) == ["flow", "flow low", "flow high"] and table.index[0] == pandas.Timestamp("1971-01-01")
    assert np.allclose(table.to_numpy(), np.column_stack([ahead.median, *ahead.interval(0.9)]))
    assert sysid.filter(process, data).to_frame().index[-1] == pandas.Timestamp("1970-01-01")
    plain = sysid.forecast(process, sysid.datasets.nile(), horizon=2).to_frame()
    assert plain.index.name == "time" and plain.index.tolist() == [1971.0, 1972.0]
    for result in (data, ahead, sysid.filter(process, data), sysid.smooth(process, data)):
        result.plot()
    sysid.save(data, tmp_path / "data.npz")
    assert (sysid.load(tmp_path / "data.npz").dates == YEARS).all()
    with pytest.raises(ValueError, match="expected one sequence"):
        sysid.filter(process, sysid.Data(np.zeros((2, 5, 1)))).to_frame()


def test_indices_that_disagree_or_are_uneven_are_said():
    index = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    y, u = Series(np.arange(10.0), index), Series(np.arange(10.0), index + 1, "u")
    with pytest.raises(ValueError, match="same dates; at sample 0 y is of 2024-01-01"):
        sysid.Data(y, u)
    assert (sysid.Data(y, np.ones(10)).dates == index).all()
    with pytest.warns(UserWarning, match="not evenly spaced"):
        assert sysid.Data(Series(np.arange(9.0), np.delete(index, 4))).n_steps == 9


def test_dates_are_checked_and_may_be_given():
    data = sysid.Data(np.arange(3.0), dates=["2024-01-01", "2024-01-02", "2024-01-03"])
    assert data.dates[2] == np.datetime64("2024-01-03") and not data.dates.flags.writeable
    with pytest.raises(ValueError, match="dates of the 3 samples"):
        sysid.Data(np.arange(3.0), dates=["2024-01-01"])
    with pytest.raises(TypeError, match="datetime64"):
        sysid.Data(np.arange(3.0), dates=[1.0, 2.0, 3.0])


def test_a_column_of_dates_is_kept_beside_the_seconds(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("t,y\n2024-03-01 08:00:00,1\n2024-03-01 08:01:00,2\n2024-03-01 08:03:00,3\n")
    with pytest.warns(UserWarning, match="1 steps without a row"):
        data = sysid.Data.from_csv(path, "y", time="t", dt=60.0)
    assert data.dt == 60 and data.dates[2] == np.datetime64("2024-03-01T08:02") and data.t0 == 0
    path.write_text("t,y\n2024-03-01T08:00:00+01:00,1\n2024-03-01T08:01:00+01:00,2\n")
    assert sysid.Data.from_csv(path, "y", time="t").dates is None
    table = {"t": np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"), "y": np.zeros(2)}
    assert sysid.Data.from_columns(table, "y", time="t").dates[1] == np.datetime64("2024-01-02")
