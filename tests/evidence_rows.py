"""The record of evidence: one row a claim, with its figure, its bar and whether the bar was met."""

from __future__ import annotations

import json
import math
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TITLES = {"issue 2": "The main job", "issue 3": "State estimation", "issue 4": "Linear systems", "issue 5": "Identification",
           "issue 6": "Certificates", "issue 7": "Reservoirs", "issue 8": "Reservoir inference",
           "issue 9": "Spectral filtering and learning dynamics"}
_PACKAGES = ("numpy", "scipy", "numba", "cvxpy", "matplotlib")


def met(value: Any, bar: str | None) -> bool | None:
    """Whether a value meets its bar: '>= 10', '< 1.05', '== 3', '88 .. 99' or 'true'; None without a bar."""
    if bar is None:
        return None
    if bar.strip().lower() == "true":
        return bool(value)
    number = float(value)
    if span := re.fullmatch(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*", bar):
        return float(span[1]) <= number <= float(span[2])
    if one := re.fullmatch(rf"\s*(<=|>=|<|>|==)\s*({_NUMBER})\s*", bar):
        limit = float(one[2])
        return {"<=": number <= limit, ">=": number >= limit, "<": number < limit, ">": number > limit,
                "==": number == limit}[one[1]]
    raise ValueError(f"record: expected a bar such as '>= 10', '88 .. 99' or 'true'; received {bar!r}.")


def merge(stored: Path, rows: list[dict[str, Any]], root: Path) -> list[dict[str, Any]]:
    """Replace the rows of the tests that ran, keep those of the others, forget tests whose file is gone."""
    old = json.loads(stored.read_text()) if stored.exists() else []
    ran = {row["test"] for row in rows}
    kept = [row for row in old if row["test"] not in ran and (root / row["test"].split("::")[0]).exists()]
    merged = sorted(kept + rows, key=_order)
    stored.write_text(json.dumps(merged, indent=1) + "\n")
    return merged


def page(rows: list[dict[str, Any]]) -> str:
    """The evidence as a Markdown page."""
    missed = sum(row["met"] is False for row in rows)
    barred = sum(row["met"] is not None for row in rows)
    lines = [
        "# Evidence", "",
        "Full-size statistical and measured-data figures beside the bars they were promised against. "
        "The page is written by `make evidence`; seeds stand in the tests named in the last column.", "",
        f"{barred - missed} of {barred} bars met"
        + (f", **{missed} missed** and left standing as missed." if missed else "."), "",
        f"Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in _PACKAGES)
        + f"; {platform.system()} on {platform.machine()}, two cores, one BLAS thread.", "",
    ]
    for group in sorted({_group(row) for row in rows}, key=lambda g: (len(g), g)):
        lines += [f"## {_TITLES.get(group, group[:1].upper() + group[1:])}", "", "| what | figure | bar | | seconds | test |",
                  "|---|---|---|---|---|---|"]
        lines += [_line(row) for row in rows if _group(row) == group]
        lines.append("")
    return "\n".join(lines)


def _group(row: dict[str, Any]) -> str:
    head, colon, _ = row["name"].partition(":")
    return head.strip() if colon else "other"


def _order(row: dict[str, Any]) -> tuple:
    return (len(_group(row)), _group(row), row["test"], row["position"])


def _line(row: dict[str, Any]) -> str:
    said = row["name"].partition(":")[2].strip() or row["name"]
    verdict = {True: "met", False: "**missed**", None: ""}[row["met"]]
    note = f" ({row['note']})" if row.get("note") else ""
    test = row["test"].split("::")[-1].split("[")[0]
    cells = [said + note, figure(row["value"]), row["bar"] or "", verdict, f"{row['seconds']:.1f}", f"`{test}`"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def figure(value: Any) -> str:
    """A value in at most four significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.4g}" if math.isfinite(value) else str(value)
