"""What every test shares: threads, the evidence record, the choice of what runs, and the count of skips."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

# Before NumPy and Numba load, and inherited by test workers: two workers on two cores, one thread each.
for _name, _threads in {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
                        "NUMBA_NUM_THREADS": "2", "MPLBACKEND": "Agg"}.items():
    os.environ.setdefault(_name, _threads)


import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests import evidence_rows  # noqa: E402
from tests.data import ROOT, SKIP_REASON  # noqa: E402

_ROW = "evidence row"


def pytest_addoption(parser):
    group = parser.getgroup("sysid")
    group.addoption("--evidence", action="store_true", help="run the tests marked evidence, and only those")
    group.addoption("--evidence-out", metavar="FILE", help="write the recorded rows to FILE.md (and FILE.json)")


def pytest_collection_modifyitems(config, items):
    """Evidence and benchmarks run only when asked for, by --evidence or by -m."""
    wanted = "evidence" if config.getoption("--evidence") else None
    asked = config.getoption("markexpr") or ""
    kept, dropped = [], []
    for item in items:
        special = {m.name for m in item.iter_markers()} & {"evidence", "benchmark"}
        runs = wanted in special if wanted else all(mark in asked for mark in special)
        (kept if runs else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture
def record(request):
    """Record one figure beside its bar: `record("issue 3: ratio to peer, n = 4", value, bar=">= 10")`.

    A missed bar is recorded as missed; only `must=True` makes it fail the test. Returns whether it was met.
    """
    position, last = 0, time.perf_counter()

    def note(name, value, bar=None, *, must=False, note=""):
        nonlocal position, last
        if isinstance(value, np.generic):
            value = value.item()
        now = time.perf_counter()
        met = evidence_rows.met(value, bar)
        row = {"name": name, "value": value, "bar": bar, "met": met, "seconds": round(now - last, 2), "note": note,
               "test": f"{request.path.relative_to(ROOT).as_posix()}::{request.node.name}", "position": position}
        position, last = position + 1, now
        request.node.user_properties.append((_ROW, row))
        assert met is not False or not must, f"{name}: {value} misses {bar}"
        return met

    return note


def pytest_terminal_summary(terminalreporter, config):
    reports = [r for kind in terminalreporter.stats.values() for r in kind if isinstance(r, pytest.TestReport)]
    absent = sum(r.skipped and SKIP_REASON in str(r.longrepr) for r in terminalreporter.stats.get("skipped", []))
    if absent:
        terminalreporter.write_line(f"{absent} tests skipped for want of measured data (see tests/data.py)")
    rows = [value for r in reports if getattr(r, "when", "") == "call" for key, value in r.user_properties if key == _ROW]
    for row in rows:
        verdict = {True: "met   ", False: "MISSED", None: "      "}[row["met"]]
        terminalreporter.write_line(
            f"{verdict} {row['name']}: {evidence_rows.figure(row['value'])}  {row['bar'] or ''}")
    if (out := config.getoption("--evidence-out")) and rows:
        stem = Path(out).with_suffix("")
        merged = evidence_rows.merge(stem.with_suffix(".json"), rows, ROOT)
        stem.with_suffix(".md").write_text(evidence_rows.page(merged))
        terminalreporter.write_line(f"{len(rows)} rows recorded in {stem.with_suffix('.md').name}")


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn: matplotlib warns of more than twenty open figures, whichever tests drew them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
