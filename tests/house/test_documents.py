"""What the documents show is run: README, pages, notebooks, the table of equations."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from tests.data import ROOT

GENERATED = {"equations.md", "evidence.md", "benchmarks.md"}
PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name not in GENERATED)]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.stem)
def test_the_code_of_a_page_runs_as_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__page__"}
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), scope)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda p: p.stem)
def test_a_displayed_equation_stands_between_blank_lines(page):
    """Otherwise Markdown takes its opening for text, and everything up to the next dollar sign for a formula."""
    lines = [line.removeprefix("#").strip() for line in page.read_text().split("\n")]
    fences = [i for i, line in enumerate(lines) for _ in range(line.count("$$"))]
    for first, last in zip(fences[::2], fences[1::2]):
        assert not lines[first - 1] and not lines[last + 1], f"{page.name}, line {first + 1}: {lines[first]}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_its_assertions_hold(notebook, tmp_path):
    assert "\nassert " in notebook.read_text(), "a notebook ends in assertions of what its figures show"
    run = subprocess.run([sys.executable, notebook], cwd=tmp_path, capture_output=True, text=True, timeout=300,
                         env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def equations():
    return script("equations")


def test_links_into_the_reference_lead_to_an_entry():
    pages = script("api").pages()
    for file, anchor in re.findall(r"\((\S+)\.md#([^)]+)\)", pages["index"]):
        assert anchor == anchor.lower() and f"\n({anchor})=\n" in pages[file], anchor  # a page writes its labels in small letters
    entries = "".join(pages.values())
    linked = re.findall(r"\(#(api-[^)]+)\)", equations().page())
    assert len(linked) > 60 and not [anchor for anchor in linked if f"\n({anchor})=\n" not in entries]


def test_every_numbered_equation_is_resolved():
    table = equations()
    problems = [p for p in map(table.problem, table.rows()) if p]
    assert not problems, "\n".join(problems)


def test_no_equation_is_left_out():
    numbers = [row["number"] for row in equations().rows() if row["key"] == "ESN-SSM"]
    assert numbers == [str(n) for n in range(1, 92)]
    assert [row["number"] for row in equations().rows() if row["key"] == "STU"] == [str(n) for n in range(1, 10)]


def test_every_correction_is_told():
    told = re.findall(r"^### (\d+b?)\. ", (ROOT / "docs" / "corrections.md").read_text(), flags=re.M)
    assert sorted(told, key=lambda n: (int(n.rstrip("b")), n)) == [
        *map(str, range(1, 15)), "14b", *map(str, range(15, 41))]


def test_the_tag_reader_understands_spans_and_lists():
    read = lambda line: list(equations()._equations(line))  # noqa: E731
    assert read("x = 1  # [ESN-SSM, Eq. 47]") == [("ESN-SSM", "47")]
    assert read("[ESN-SSM, Eqs. 64-66, 69]") == [("ESN-SSM", n) for n in ("64", "65", "66", "69")]
    assert read("[LDSSM, Eq. mode]") == [("LDSSM", "mode")]
