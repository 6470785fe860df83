"""Run every bench_*.py beside this file and write docs/benchmarks.md: `python -m tests.benchmarks [name ...]`."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
COLUMNS = ("name", "ours", "peer", "ratio", "bar")


def cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value).replace("|", "\\|")


def section(script: Path) -> list[str]:
    """The rows of one script as a Markdown table, or the reason why there are none."""
    title = script.stem.removeprefix("bench_").replace("_", " ").capitalize()
    start = time.perf_counter()
    try:
        module = importlib.import_module(f"tests.benchmarks.{script.stem}")
        rows = module.rows()
    except ImportError as error:
        return [f"## {title}", "", f"Not run: {error}.", ""]
    more = sorted({key for row in rows for key in row} - set(COLUMNS))
    columns = [c for c in COLUMNS if any(c in row for row in rows)] + more
    lines = [f"## {title}", "", *([module.__doc__.strip().splitlines()[0], ""] if module.__doc__ else []),
             "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell(row.get(c)) for c in columns) + " |" for row in rows]
    print(f"{script.stem}: {len(rows)} rows in {time.perf_counter() - start:.0f} s")
    return [*lines, ""]


def main(names: list[str]) -> int:
    scripts = sorted(s for s in HERE.glob("bench_*.py") if not names or s.stem.removeprefix("bench_") in names)
    body = [line for script in scripts for line in section(script)]
    head = ["# Benchmarks", "",
            "Timings side by side with other packages on the same arrays, written by `make bench`. Times are the median of "
            "repeated calls after one warm call, so compilation is not counted; one thread; `ratio` is peer over ours.", "",
            f"Python {platform.python_version()}, "
            + ", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "numba"))
            + f"; {platform.system()} on {platform.machine()}.", ""]
    if names:
        print("\n".join(body))
    else:
        PAGE.write_text("\n".join(head + body))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
