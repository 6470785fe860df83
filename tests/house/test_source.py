"""The shape of the house: layers, kernels, sizes, imports, nothing left of anybody's machine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import ROOT

PACKAGE = ROOT / "sysid"
SOURCES = sorted(PACKAGE.rglob("*.py"))
KERNELS = [p for p in sorted((PACKAGE / "kernels").glob("*.py")) if p.stem not in ("__init__", "_cache", "_inner", "_jit", "_numba", "_plain")]
NOT_AT_IMPORT = ("matplotlib", "cvxpy", "pandas", "sklearn", "control", "dask", "scipy.signal", "scipy.stats",
                 "scipy.optimize")

# Longer than the house rule, each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def test_layers_import_one_way():
    run = subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-logo"], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_kernels_share_helpers_and_nothing_else(path):
    """The cache sees an edited helper of another file (tests/kernels/test_jit.py), but no constant and no other package's code."""
    foreign = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            foreign += [a.name for a in node.names if a.name.split(".")[0] not in ("math", "functools", "numba", "numpy", "ctypes")]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            shared = PACKAGE / "kernels" / f"{module[1:]}.py"
            if node.level == 1 and module != "._jit" and shared in KERNELS:
                helpers = {f.name for f in ast.parse(shared.read_text()).body if isinstance(f, ast.FunctionDef)
                           if any("helper" in ast.unparse(d) for d in f.decorator_list)}  # fmt: skip
                foreign += [f"{module}.{a.name}" for a in node.names if a.name not in helpers]
                continue
            allowed = module in ("__future__", "._jit", "math", "numpy", "collections.abc", "typing") or \
                module.startswith(("numba", "scipy.linalg"))
            foreign += [] if allowed else [module]
    assert not foreign, f"{name(path)} imports {foreign}"


def test_no_helper_of_the_kernels_is_written_twice():
    written = {}
    for path in KERNELS:
        for f in ast.parse(path.read_text()).body:
            if isinstance(f, ast.FunctionDef):
                body = f.body[1:] if ast.get_docstring(f) is not None else f.body
                written.setdefault(ast.dump(f.args) + "".join(map(ast.dump, body)), []).append(f"{path.stem}.{f.name}")
    twice = [names for names in written.values() if len(names) > 1]
    assert not twice


def test_touching_every_public_name_loads_nothing_heavy():
    code = ("import sys, sysid; [getattr(sysid, n) for n in sysid.__all__];"
            f"print(*(m for m in {NOT_AT_IMPORT} if m in sys.modules))")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_nothing_is_pickled():
    words = re.compile(r"import (pickle|dill|shelve)|allow_pickle\s*=\s*True|joblib\.(load|dump)|pickle\.\w")
    found = [f"{name(p)}:{i}" for p in SOURCES for i, line in enumerate(p.read_text().splitlines(), 1)
             if words.search(line)]
    assert not found


def test_no_path_of_a_machine_is_left():
    words = re.compile(r"(?<![\w.])/(?:" + "|".join(("work", "opt", "root", "home", "Users")) + r")/\w")
    found = [f"{name(p)}:{i}: {line.strip()[:80]}" for p in tracked() if p.suffix in (".py", ".md", ".toml", ".cfg", "")
             for i, line in enumerate(p.read_text(errors="replace").splitlines(), 1) if words.search(line)]
    assert not found


def test_files_and_functions_stay_readable():
    long = []
    for path in SOURCES:
        text = path.read_text()
        if text.count("\n") > 300 and name(path) not in LONG_FILES:
            long.append(f"{name(path)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                size = node.end_lineno - body[0].lineno + 1 if body else 0
                if size > 60 and f"{name(path)}:{node.name}" not in LONG_FUNCTIONS:
                    long.append(f"{name(path)}:{node.name}: {size} lines")
    assert not long, "which noun is missing?\n" + "\n".join(long)


def test_every_exception_is_still_needed():
    for key, reason in {**LONG_FILES, **LONG_FUNCTIONS}.items():
        assert reason and (ROOT / key.split(":")[0]).exists(), key


def test_every_subpackage_only_describes_itself_or_lists_its_names():
    for path in PACKAGE.glob("*/__init__.py"):
        body = ast.parse(path.read_text()).body
        assert isinstance(body[0], ast.Expr), f"{name(path)} needs a docstring"
        if path.parent.name not in ("reservoirs", "learning", "datasets"):
            assert len(body) == 1, f"{name(path)} holds more than its docstring"
