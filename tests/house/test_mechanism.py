"""The test machinery itself: bars are judged as written and rows survive a partial run."""

import json

import numpy as np
import pytest

from tests import evidence_rows
from tests.data import load


@pytest.mark.parametrize(("value", "bar", "met"), [
    (10.0, ">= 10", True), (9.99, ">= 10", False), (1.05, "< 1.05", False), (0.9, "88 .. 99", False),
    (95, "88 .. 99", True), (-1e-9, "> -1e-8", True), (True, "true", True), (3, None, None),
    (float("nan"), "<= 1", False)])
def test_a_bar_is_judged_as_written(value, bar, met):
    assert evidence_rows.met(value, bar) is met


def test_an_unreadable_bar_is_refused():
    with pytest.raises(ValueError, match="expected a bar such as"):
        evidence_rows.met(1.0, "about 3")


def test_a_partial_run_keeps_the_rows_of_other_tests(tmp_path):
    def row(name, test, value):
        return {"name": name, "value": value, "bar": "<= 1", "met": value <= 1, "seconds": 0.1, "note": "",
                "test": test, "position": 0}

    (tmp_path / "a.py").touch()
    (tmp_path / "b.py").touch()
    store = tmp_path / "evidence.json"
    evidence_rows.merge(store, [row("issue 3: a", "a.py::t", 2.0), row("issue 3: b", "b.py::t", 0.5)], tmp_path)
    merged = evidence_rows.merge(store, [row("issue 3: a", "a.py::t", 1.0)], tmp_path)
    assert {r["name"]: r["value"] for r in merged} == {"issue 3: a": 1.0, "issue 3: b": 0.5}
    (tmp_path / "b.py").unlink()
    merged = evidence_rows.merge(store, [row("issue 12: c", "a.py::u", 3.0)], tmp_path)
    assert [r["name"] for r in json.loads(store.read_text())] == ["issue 3: a", "issue 12: c"]
    page = evidence_rows.page(merged)
    assert "1 of 2 bars met" in page and "**missed**" in page


def test_records_have_the_promised_shapes():
    tanks = load("cascaded_tanks")
    u, y = tanks["train"][0]
    assert u.shape == y.shape == (1024, 1) and tanks["Ts"] == 4.0 and tanks["n_init"] == 50
    assert load("silverbox")["test"].keys() == {"test_multisine", "arrow_full", "arrow_no_extrap"}
    assert len(load("japanese_vowels")["train"]) == 270
    assert load("slicot_build")["A"].shape == (48, 48)
    assert load("nile")
    assert np.isfinite(load("daisy_dryer")["train"][0][1]).all()
