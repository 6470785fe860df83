"""Resolve every row of equations.csv against the package and write equations.md: `python docs/equations.py`."""

from __future__ import annotations

import csv
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "sysid"
PAPERS = {
    "ESN-SSM": "P. Singh and B. Raman, *Echo State Networks as State-Space Models: A Systems Perspective*",
    "STU": "N. Agarwal, D. Suo, X. Chen and E. Hazan, *Spectral State Space Models*",
    "LDSSM": "J. Smekal, J. T. H. Smith, M. Kleinman, D. Biderman and S. W. Linderman, "
             "*Towards a Theory of Learning Dynamics in Deep State Space Models*",
}
STATUSES = {"implemented", "corrected", "refuted", "definition", "not-implemented"}
_TAG = re.compile(r"[\[;] ?(ESN-SSM|STU|LDSSM),\s*Eqs?\.?\s*([^\];]+)")
_SPAN = re.compile(r"(\d+)(?:\s*[-–]\s*(\d+))?")


def rows() -> list[dict[str, str]]:
    """The table as written."""
    with open(DOCS / "equations.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def tags() -> dict[tuple[str, str], list[str]]:
    """Where the source carries `[Key, Eq. n]`: {(key, n): ["models/esn.py:41", ...]}."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for key, equation in _equations(line):
                found.setdefault((key, equation), []).append(f"{path.relative_to(PACKAGE)}:{number}")
    return found


def _equations(line: str) -> Iterator[tuple[str, str]]:
    for key, said in _TAG.findall(line):
        if not _SPAN.search(said):
            yield key, said.strip()
        for first, last in _SPAN.findall(said):
            for n in range(int(first), int(last or first) + 1):
                yield key, str(n)


def resolve(dotted: str) -> Any:
    """The object behind a dotted name; ImportError or AttributeError where there is none."""
    parts = dotted.split(".")
    found = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], 1):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:i + 1]))
        found = getattr(found, part)
    return found


def problem(row: dict[str, str]) -> str | None:
    """What is wrong with a row, in one sentence; None where it is resolved."""
    name = f"[{row['key']}, Eq. {row['number']}]"
    if row["status"] not in STATUSES:
        return f"{name}: unknown status {row['status']!r}"
    if not row["says"] or not row["where"]:
        return f"{name}: expected what it says and where it is, or why not"
    if row["status"] in ("corrected", "refuted") and not row["correction"]:
        return f"{name}: {row['status']} without the number of a correction"
    if row["correction"] and f"\n### {row['correction']}. " not in (DOCS / "corrections.md").read_text():
        return f"{name}: corrections.md has no item {row['correction']}"
    if row["status"] in ("implemented", "corrected"):
        try:
            resolve(row["where"])
        except (ImportError, AttributeError):
            return f"{name}: {row['where']} does not exist"
        if (row["key"], row["number"]) not in tags():
            return f"{name}: no line of the package carries this tag"
    return None


def page() -> str:
    """The index of equations as Markdown."""
    lines = ["# Equations", "",
             "Every numbered equation of the three papers the package is built on: where it is implemented, which "
             "correction it needed, or why it is not here. The table is written from `equations.csv` and from the tags "
             "`[key, Eq. n]` in the source; a test fails when a promised equation has no tag.", ""]
    for key, paper in PAPERS.items():
        mine = [row for row in rows() if row["key"] == key]
        counts = {s: sum(row["status"] == s for row in mine) for s in sorted(STATUSES)}
        lines += [f"## {key}", "", f"{paper}. " + ", ".join(f"{n} {s}" for s, n in counts.items() if n) + ".", ""]
        if key == "LDSSM":
            lines += ["Of this paper only the abstract was at hand, which numbers no equation; "
                      "its claims are listed by name and were derived anew.", ""]
        lines += ["| Eq. | what it says | status | where | in the source |", "|---|---|---|---|---|"]
        lines += [_line(row) for row in mine]
        lines.append("")
    return "\n".join(lines)


def _line(row: dict[str, str]) -> str:
    number = row["correction"]
    status = row["status"] + (f", [correction {number}](#correction-{number})" if number else "")
    where = _linked(row["where"]) if row["status"] in ("implemented", "corrected") else row["where"]
    files = dict.fromkeys(place.split(":")[0] for place in tags().get((row["key"], row["number"]), []))
    places = ", ".join(f"`{file}`" for file in list(files)[:3])
    cells = [row["number"], row["says"].replace("||", "‖").replace("|", "\\|"), status, where, places]
    return "| " + " | ".join(cells) + " |"


def _linked(dotted: str) -> str:
    """A dotted name with a link to its entry in the reference, of a method to that of its class."""
    import sysid
    parts = dotted.split(".")[1:]
    name = ".".join(parts[:2] if parts[0] in sysid._NAMESPACES else parts[:1])
    label = "api-" + name.replace(".", "-").lower() + ("-class" if name.split(".")[-1][0].isupper() else "")
    return f"[`{dotted}`](#{label})"


def main() -> int:
    problems = [p for p in map(problem, rows()) if p]
    print(*problems, sep="\n", file=sys.stderr)
    (DOCS / "equations.md").write_text(page(), encoding="utf-8")
    return bool(problems)


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))
    sys.exit(main())
