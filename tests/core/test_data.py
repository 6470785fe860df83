"""Data keeps time, gaps and units; bad input gets one sentence and changes nothing."""

import dataclasses

import numpy as np
import pytest

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
