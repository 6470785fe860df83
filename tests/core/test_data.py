"""Data keeps time, gaps and units; bad input gets one sentence and changes nothing."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse

import sysid

RNG = np.random.default_rng(0)


def test_one_channel_becomes_a_column_and_arrays_are_copied_and_read_only():
    y = np.arange(5)
    data = sysid.Data(y, np.ones(5), dt=2.0)
    assert data.y.shape == (5, 1) and data.y.dtype == np.float64 and data.u.shape == (5, 1)
    y[0] = 99
    assert data.y[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        data.y[0] = 1.0


def test_slices_keep_the_clock_and_steps_multiply_the_interval():
    data = sysid.Data(RNG.standard_normal((20, 2)), RNG.standard_normal((20, 1)), dt=0.5)
    part = data[4:16:3]
    assert part.t0 == 2.0 and part.dt == 1.5 and np.array_equal(part.y, data.y[4:16:3])
    np.testing.assert_allclose(part.time, data.time[4:16:3])


@pytest.mark.parametrize("at, first", [(0.25, 5), (7, 7)])
def test_split_is_a_partition(at, first):
    data = sysid.Data(np.arange(20.0))
    a, b = data.split(at)
    assert len(a) == first and np.array_equal(np.vstack([a.y, b.y]), data.y)


def test_standardize_and_its_inverse_return_to_the_data_with_gaps():
    y = 3 + 2 * RNG.standard_normal((50, 2))
    y[3, 1] = np.nan
    u = np.column_stack([RNG.standard_normal(50), np.full(50, 4.0)])
    scaled, scaling = sysid.Data(y, u).standardize()
    assert np.nanstd(scaled.y, axis=0) == pytest.approx([1, 1]) and np.nanmean(scaled.y, axis=0) == pytest.approx([0, 0])
    np.testing.assert_allclose(scaling.inverse_y(scaled.y), y)
    np.testing.assert_allclose(scaling.inverse_u(scaled.u), u)
    assert np.array_equal(scaled.u[:, 1], np.zeros(50))


def test_map_remembers_the_way_back_also_through_standardize():
    data = sysid.Data(RNG.uniform(1, 9, 30)).map(np.sqrt, inverse=np.square)
    np.testing.assert_allclose(data.to_original(data.y) ** 0.5, data.y)
    scaled, _ = data.standardize()
    np.testing.assert_allclose(scaled.original, data.original)


def test_what_a_map_does_not_reach_comes_back_as_the_end_of_its_range(tmp_path):
    data = sysid.Data(RNG.uniform(1, 9, (30, 2))).map(np.sqrt, inverse=np.square)
    back = data.to_original(np.array([[-3.0, 2.0], [-0.1, -np.inf], [np.nan, np.inf]]))
    np.testing.assert_allclose(back, [[0, 4], [0, 0], [np.nan, np.inf]], atol=1e-9)
    twice = data.map(lambda y: 1 / y, inverse=lambda z: 1 / z)
    np.testing.assert_allclose(twice.original, data.original)
    np.testing.assert_allclose(sysid.Data([0.1, 0.5]).map(np.arctanh, inverse=np.tanh).to_original(np.array([[-40.0], [0.0]])), [[-1], [0]])
    sysid.save(data, tmp_path / "mapped")
    assert np.array_equal(sysid.load(tmp_path / "mapped").original, data.original)


def test_bands_of_a_mapped_series_start_at_the_end_of_the_range():
    data = sysid.Data([0.04, 0.09, 0.01, 0.16]).map(np.sqrt, inverse=np.square)
    process = sysid.Process(sysid.LTI(1.0, None, 1.0), 0.0, 1.0, initial=sysid.Gaussian([0.2], 0.0))
    low, high = sysid.forecast(process, data, 3).interval(0.95)
    assert np.abs(low).max() < 1e-9 and (high > 4).all()


def test_detrend_removes_exactly_the_polynomial():
    t = np.linspace(0, 1, 40)
    noise = RNG.standard_normal(40)
    for degree in (0, 1, 2):
        trend = np.polyval(RNG.standard_normal(degree + 1), t)
        a, b = sysid.Data(noise).detrend(degree), sysid.Data(noise + trend).detrend(degree)
        np.testing.assert_allclose(a.y, b.y, atol=1e-12)


def test_replace_works_on_data():
    data = sysid.Data(np.arange(4.0), dt=3.0)
    assert dataclasses.replace(data, dt=1.0).dt == 1.0


def test_a_batch_is_its_sequences():
    data = sysid.Data(RNG.standard_normal((3, 8, 2)), RNG.standard_normal((3, 8, 1)))
    assert data.is_batch and [s.y.shape for s in data.sequences()] == [(8, 2)] * 3


@pytest.mark.parametrize("call, words", [
    (lambda: sysid.Data([]), "at least one sample"),
    (lambda: sysid.Data([1.0, np.inf]), "infinity at index"),
    (lambda: sysid.Data([1.0, 2.0], [1.0, np.nan]), "u without NaN"),
    (lambda: sysid.Data([1.0, 2.0], [1.0, 2.0, 3.0]), "as many samples"),
    (lambda: sysid.Data(["a", "b"]), "real numbers"),
    (lambda: sysid.Data([[1.0], [1.0, 2.0]]), "rectangular"),
    (lambda: sysid.Data([1.0 + 2j]), "complex"),
    (lambda: sysid.Data([1.0], dt=0.0), "dt > 0"),
    (lambda: sysid.Data([1.0], dt=None), "sampled"),
    (lambda: sysid.Data([1.0, 2.0])[1], "slice of time"),
    (lambda: sysid.Data([1.0, -1.0]).map(np.sqrt, np.square), "outside its domain"),
    (lambda: sysid.Data([1.0, 2.0]).map(np.sqrt, np.exp), "does not return"),
    (lambda: sysid.Data([1.0, 2.0]).split(1.5), "share in"),
    (lambda: sysid.Data([1.0, 2.0]).split(1.0), "share in"),
    (lambda: sysid.Data([1.0, 2.0]).split("half"), "received 'half'"),
    (lambda: sysid.Data(np.arange("2020", "2023", dtype="M8[Y]")), "dates or times"),
    (lambda: sysid.Data(scipy.sparse.eye_array(3)), "toarray"),
    (lambda: sysid.Data([1.0, 2.0], output_names=["a", "b"]), "1 different output_names"),
])  # fmt: skip
def test_bad_data_is_refused_with_one_sentence(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_object_numbers_are_converted_and_none_refused():
    assert sysid.Data(np.array([1, 2.5], dtype=object)).y[1, 0] == 2.5
    with pytest.raises((TypeError, ValueError)):
        sysid.Data(np.array([1, "x"], dtype=object))


def test_csv_round_trip_and_gaps_are_reported(tmp_path):
    path = tmp_path / "tank.csv"
    path.write_text("pump,level,note\n1,2.5,a\n2,,b\n3,4.5,c\n")
    with pytest.warns(UserWarning, match="level: 1 of 3 rows"):
        data = sysid.Data.from_csv(path, outputs=["level"], inputs=["pump"], dt=4.0)
    assert np.isnan(data.y[1, 0]) and np.array_equal(data.u[:, 0], [1, 2, 3]) and data.output_names == ("level",)


@pytest.mark.parametrize("text, outputs, inputs, words", [
    ("a,b\n1,2\n", ["c"], [], "c not among the headers"),
    ("a,a\n1,2\n", ["a"], [], "duplicate headers"),
    ("a,b\n1,x\n", ["b"], [], "'x' in data row 1"),
    ("a,b\n", ["a"], [], "received none"),
    ("", ["a"], [], "empty file"),
    ("a,b\n1,inf\n", ["b"], [], "finite"),
    ("a,b\n1,2\n", [], [], "at least one output"),
])  # fmt: skip
def test_bad_csv_names_the_defect(tmp_path, text, outputs, inputs, words):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        sysid.Data.from_csv(path, outputs=outputs, inputs=inputs)


@pytest.mark.parametrize("text, options", [
    ("t;u;y\n0;1,5;2,5\n1;2,5;3,5\n", {"decimal": ","}),
    ("t\tu\ty\n0\t1.5\t2.5\n1\t2.5\t3.5\n", {}),
    ("t|u|y\n0|1.5|2.5\n1|2.5|3.5\n", {"separator": "|"}),
    ("# t,u,y\n0,1.5,2.5\n1,2.5,3.5\n", {}),
    ("rig 5, 100 Hz\n\n t , u , y \n 0, 1.5, 2.5\n 1, 2.5, 3.5\n\n", {}),
    ("\ufefft,u,y\n0,1.5,2.5\n1,2.5,3.5\n", {}),
])  # fmt: skip
def test_separators_decimal_signs_and_preambles_do_not_change_the_numbers(tmp_path, text, options):
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    data = sysid.Data.from_csv(path, "y", "u", **options)
    assert np.array_equal(data.y[:, 0], [2.5, 3.5]) and np.array_equal(data.u[:, 0], [1.5, 2.5])


def test_another_encoding_is_read_when_named_and_refused_in_a_sentence_otherwise(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("y,Höhe\n1,2\n", encoding="utf-16")
    assert sysid.Data.from_csv(path, "Höhe", encoding="utf-16").y[0, 0] == 2
    with pytest.raises(ValueError, match="expected text in encoding utf-8"):
        sysid.Data.from_csv(path, "Höhe")


@pytest.mark.parametrize("text, names", [("y\n1\n\n3\n\n", ["y"]), ("y,u\n1,1\n,\n3,3\n,\n", ["y", "u"])])
def test_a_line_without_entries_is_a_sample_that_was_not_measured(tmp_path, text, names):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.warns(UserWarning, match="y: 1"):
        data = sysid.Data.from_csv(path, names)
    assert np.array_equal(data.y[:, 0], [1, np.nan, 3], equal_nan=True)


@pytest.mark.parametrize("times, dt, t0", [(["2", "2.5", "3.0"], 0.5, 2.0), (["0.00", "0.03", "0.07", "0.10"], 0.1 / 3, 0.0),
                                           (["2020-01-01", "2020-01-02", "2020-01-03"], 86400.0, 0.0)])
def test_a_column_of_even_times_gives_the_interval(tmp_path, times, dt, t0):
    path = tmp_path / "x.csv"
    path.write_text("t,y\n" + "".join(f"{t},{i}\n" for i, t in enumerate(times)))
    data = sysid.Data.from_csv(path, "y", time="t")
    assert data.dt == pytest.approx(dt) and data.t0 == t0


def test_rows_at_uneven_times_go_to_a_grid_and_that_is_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("t,y,u\n10,1,5\n12.2,2,6\n13.9,3,7\n20,4,8\n")
    with pytest.warns(UserWarning, match=r"4 rows were put on 6 steps of 2; 2 steps without a row are missing, their inputs held; .* up to 0.1 "):
        data = sysid.Data.from_csv(path, "y", "u", dt=2.0, time="t")
    assert np.array_equal(data.y[:, 0], [1, 2, 3, np.nan, np.nan, 4], equal_nan=True)
    assert data.u[:, 0].tolist() == [5, 6, 7, 7, 7, 8] and data.t0 == 10 and data.dt == 2
    table = {"t": np.array([10.0, 12.2, 13.9, 20.0]), "y": np.arange(4.0)}
    with pytest.warns(UserWarning, match="2 steps without a row are missing; "):
        assert sysid.Data.from_columns(table, "y", dt=2.0, time="t").n_steps == 6
    path.write_text("t,y,u\n0,1,\n2,2,6\n")
    with pytest.raises(ValueError, match="input column u without gaps; received one in data row 1"), pytest.warns(UserWarning):
        sysid.Data.from_csv(path, "y", "u", dt=2.0, time="t")


def test_words_that_mark_missing_values_are_named_and_days_may_come_first(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("t;y\n01.03.2024 08:00;1,5\n01.03.2024 08:01;Bad Input\n01.03.2024 08:02;-999\n01.03.2024 08:03;2\n")
    with pytest.warns(UserWarning, match="y: 2 of 4"):
        data = sysid.Data.from_csv(path, "y", time="t", decimal=",", missing=("bad input", "-999"))
    assert np.array_equal(data.y[:, 0], [1.5, np.nan, np.nan, 2], equal_nan=True) and data.dt == 60
    with pytest.raises(TypeError, match="missing as words"):
        sysid.Data.from_csv(path, "y", missing=(-999,))


@pytest.mark.parametrize("text, options, words", [
    ("t,y\n0,1\n1,2\n2,2\n4,2\n5,2\n", {"time": "t"}, "step to data row 4 is 2, most are 1"),
    ("t,y\n0,1\n,2\n2,2\n", {"time": "t"}, "time in every row"),
    ("t,y\n2,1\n1,2\n0,2\n", {"time": "t"}, "growing times"),
    ("t,y\n0,1\n1,2\n", {"time": "t", "dt": 2.5}, "rows 1 and 2 fall on one"),
    ("t,y\n0,1\n1,2\n1,2\n", {"time": "t", "dt": 1.0}, "growing times"),
    ("t,y\n0,1\n1e6,2\n", {"time": "t", "dt": 1.0}, "Is dt in the unit"),
    ("t,y\n03/01/2024,1\n03/02/2024,2\n", {"time": "t"}, "expected numbers or dates in column t"),
    ("t,y\n2024-01-01,1\nsoon,2\n", {"time": "t"}, "written as in the first"),
    ("y\nBad\n2\n", {}, r"missing=\('Bad',\)"),
    ("y,u\n1,5,2,5\n", {}, "expected 2 cells in every row"),
    ("y;u\n1,5;2,5\n", {}, "decimal=','"),
    ("y\n1_000\n", {}, "'1_000' in data row 1"),
    ("y\n1\n", {"inputs": "y"}, "each column once among"),
    ("y\n1\n", {"decimal": ";"}, "decimal='.'"),
    ("y\n1\n", {"decimal": ",", "separator": ","}, "different separator"),
])  # fmt: skip
def test_a_csv_that_would_be_misread_is_refused(tmp_path, text, options, words):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        sysid.Data.from_csv(path, "y", **options)


class Table:
    """What pandas and polars have in common: an array with labelled columns."""

    def __init__(self, values, columns):
        self.values, self.columns, self.shape = np.asarray(values), columns, np.shape(values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


def test_masked_entries_are_missing_and_tables_name_their_channels():
    data = sysid.Data(np.ma.masked_equal([1.0, -99.0, 3.0], -99.0))
    assert np.array_equal(data.y[:, 0], [1, np.nan, 3], equal_nan=True)
    data = sysid.Data(Table([[1.0, 2.0], [3.0, 4.0]], ["level", "flow"]), Table([[1.0], [2.0]], ["pump"]))
    assert data.output_names == ("level", "flow") and data.input_names == ("pump",)
    assert sysid.Data(Table([[1.0, 2.0]], [0, 1])).output_names == ("y1", "y2")


def test_mapped_data_are_not_detrended_because_the_way_back_would_be_wrong():
    mapped = sysid.Data(RNG.uniform(1, 9, 30)).map(np.sqrt, inverse=np.square)
    with pytest.raises(ValueError, match="Detrend first"):
        mapped.detrend()


def test_many_channels_print_in_one_short_line():
    assert "y1, y2, y3, y4, ..., y500 (500)" in repr(sysid.Data(np.zeros((2, 500))))


def test_a_gap_in_an_input_column_is_an_error(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("y,u\n1,2\n2,\n")
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="input column u without gaps"):
        sysid.Data.from_csv(path, outputs=["y"], inputs=["u"])


def test_data_prints_as_text_and_html_and_plots():
    data = sysid.Data(RNG.standard_normal((9, 2)), RNG.standard_normal(9), output_names=["level", "flow"])
    assert "level, flow" in repr(data) and "<table" in data._repr_html_()
    axes = data.plot()
    assert [a.get_ylabel() for a in axes] == ["level", "flow", "u"]


def test_resampling_keeps_slow_motion_removes_fast_motion_and_delays_nothing():
    t = np.arange(1200)
    slow, fast = 2 + np.cos(2 * np.pi * t / 200), np.cos(2 * np.pi * t / 5.5)
    data = sysid.Data(np.column_stack([slow + fast, slow]), fast, dt=0.1)
    kept = data.resample(5)
    assert kept.dt == pytest.approx(0.5) and kept.n_steps == 240 and kept.u.shape == (240, 1)
    middle = slice(15, -15)
    assert np.abs(kept.y[middle, 0] - slow[::5][middle]).max() < 0.01 and np.abs(kept.u[middle]).max() < 0.01
    assert np.abs(data[::5].u[middle]).max() > 0.9  # without the filter the fast motion folds
    assert np.abs(kept.y[:, 1] - slow[::5]).max() < 0.35  # the ends are filtered over what is there
    assert data.resample(1) is data


def test_resampling_bridges_single_gaps_and_marks_long_ones():
    y = np.cos(2 * np.pi * np.arange(600) / 150)
    y[100] = np.nan
    y[300:360] = np.nan
    kept = sysid.Data(y).resample(4)
    gone = np.flatnonzero(kept.missing[:, 0])
    assert gone.min() >= 74 and gone.max() <= 91 and len(gone) >= 12
    assert abs(kept.y[25, 0] - np.cos(2 * np.pi * 100 / 150)) < 0.1
    with pytest.raises(ValueError, match="at least 2000 samples for factor 100"):
        sysid.Data(y).resample(100)


def test_columns_of_a_table_in_memory_make_a_record():
    from datetime import datetime, timedelta
    when = [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(4)]
    table = {"when": np.array(when, dtype="datetime64[s]"), "level": [1.0, None, 3.0, 4.0], "pump": np.arange(4), "text": list("abcd")}
    data = sysid.Data.from_columns(table, ["level"], "pump", time="when")
    assert data.dt == 3600.0 and data.output_names == ("level",) and data.input_names == ("pump",)
    assert np.array_equal(data.y[:, 0], [1, np.nan, 3, 4], equal_nan=True)
    assert sysid.Data.from_columns({**table, "when": np.array(when, dtype=object)}, "level", time="when").dt == 3600.0
    assert sysid.Data.from_columns(np.rec.fromarrays([[1.0, 2.0], [3.0, 4.0]], names="a,b"), "a", "b", dt=0.5).u[1, 0] == 4.0


@pytest.mark.parametrize("table, outputs, options, kind, words", [
    ({"a": [1, 2]}, "b", {}, ValueError, "columns among a; received b"),
    ({"a": [1, 2], "b": [1]}, ["a", "b"], {}, ValueError, "one length; received a: 2, b: 1"),
    ({"a": list("xy")}, "a", {}, TypeError, "expected a as real numbers"),
    ({"a": [[1, 2]]}, "a", {}, ValueError, r"one column \(T,\)"),
    ({"a": [1, 2, 3], "t": [0, 1, 3]}, "a", {"time": "t"}, ValueError, "from_columns: expected equally spaced"),
    ({"a": [1, 2], "u": [1, np.nan]}, "a", {"inputs": "u"}, ValueError, "input column u without gaps"),
    (np.zeros((3, 2)), "a", {}, TypeError, "named columns"),
])  # fmt: skip
def test_a_table_that_would_be_misread_is_refused(table, outputs, options, kind, words):
    with pytest.raises(kind, match=words):
        sysid.Data.from_columns(table, outputs, **options)


def test_a_named_series_names_its_channel_and_single_precision_keeps_the_interval():
    class Series(Table):
        name = "flow"
    assert sysid.Data(Series([1.0, 2.0], None)).output_names == ("flow",)
    assert sysid.Data([1.0, 2.0], dt=np.float32(0.1)).dt == 0.1
