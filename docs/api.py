"""The reference, from the docstrings themselves: `pages()` gives one page a part of the package and the page that lists them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from typing import Any

import sysid

# title: the modules and namespaces whose public names stand on that page
PARTS = {
    "Data and starts": ("core", "datasets"),
    "Models and their analysis": ("models", "linear"),
    "Model to model": ("transforms",),
    "Simulation, filtering, forecasting": ("inference",),
    "Certificates": ("certificates",),
    "Identification": ("identification",),
    "Reservoirs": ("reservoirs",),
    "Spectral filtering": ("spectral",),
    "Learning dynamics": ("learning",),
}


def pages() -> dict[str, str]:
    """File name without its ending -> Markdown; "index" is the list of every name with its first line."""
    made = {}
    index = ["# Reference", "", "Everything public is importable from `sysid` itself; `datasets`, `reservoirs` and `learning` are "
             "namespaces of their own. Shapes use T steps, n states, m inputs, p outputs, S sequences.", ""]
    for title, folders in PARTS.items():
        file = title.lower().replace(",", "").replace(" ", "-")
        names = _names(folders)
        made[file] = "\n".join([f"# {title}: reference", "", *(line for n, obj in names.items() for line in _entry(n, obj))])
        index += [f"## [{title}]({file}.md)", "", "| | |", "|---|---|"]
        index += [f"| [`{n}`]({file}.md#{_anchor(n)}) | {_cell(_first_line(obj))} |" for n, obj in names.items()] + [""]
    tree = ["```{toctree}", ":hidden:", "", *made, "```", ""]
    return {"index": "\n".join(index[:4] + tree + index[4:])}| made


def _names(folders: tuple[str, ...]) -> dict[str, Any]:
    """The public names of some parts: verbs and functions first, then classes, each in alphabetical order."""
    homes = {n: getattr(sysid, n) for n, home in sysid._HOME.items() if home.split(".")[0] in folders}
    for space in (f for f in folders if f in sysid._NAMESPACES):
        module = getattr(sysid, space)
        for n in module.__all__:
            obj = getattr(module, n)
            if getattr(sysid, n, None) is not obj and not isinstance(obj, types.ModuleType):
                homes[f"{space}.{n}"] = obj
    return dict(sorted(homes.items(), key=lambda item: (inspect.isclass(item[1]), item[0].lower())))


def _entry(name: str, obj: Any) -> list[str]:
    head = [f"({_anchor(name)})=", f"## {name}", ""]
    if not callable(obj):
        return [*head, f"`{obj!r}`", ""]
    lines = [*head, "```python", _wrapped(f"{name}{_signature(obj)}"), "```", "", *_prose(inspect.getdoc(obj) or "")]
    return lines + _members(obj) if inspect.isclass(obj) else lines


def _anchor(name: str) -> str:
    """A label for every name, in small letters as the page's own become; `fit` is a verb where `Fit` is a class."""
    return "api-" + name.replace(".", "-").lower() + ("-class" if name.split(".")[-1][0].isupper() else "")


def _signature(obj: Any, skip: str = "") -> str:
    """Arguments and defaults; the types stand in the text as shapes."""
    try:
        parameters = inspect.signature(obj).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    plain = inspect.Signature([p.replace(annotation=p.empty, default=... if len(repr(p.default)) > 40 else p.default)
                               for p in parameters if p.name != skip])
    return re.sub(r"<[^>]*>|Ellipsis", "...", str(plain))


def _wrapped(call: str) -> str:
    return call if len(call) < 90 else call.replace(", ", ",\n    ").replace("(", "(\n    ", 1)


def _first_line(obj: Any) -> str:
    return (inspect.getdoc(obj) or "").split("\n")[0] if callable(obj) else ""


def _prose(doc: str) -> list[str]:
    """A docstring as literal text without the line breaks of the source, its displayed equations as mathematics."""
    lines: list[str] = []
    doc = re.sub(r"\$\$\s*(.+?)\s*\$\$", lambda m: f"\n.. math:: {_joined(m[1])}\n\n", doc, flags=re.S)
    for i, chunk in enumerate(re.split(r"^ *\.\. math::(.*(?:\n(?: {2,}.*|\s*))*?)(?=\n\S|\Z)", doc, flags=re.M)):
        body = inspect.cleandoc(chunk) if i % 2 else _unwrapped(chunk.strip("\n"))
        if body.strip():
            lines += ["$$", body, "$$", ""] if i % 2 else ["```text", body, "```", ""]
    return lines


def _joined(text: str) -> str:
    return " ".join(text.split())


def _unwrapped(text: str) -> str:
    """Join a line to the one before where that one is as long as the source allows; formulas (indented) and arguments (`name : `) stay."""
    lines: list[str] = []
    last = ""
    for line in text.split("\n"):
        flows = len(last) > 88 and line[:1].strip() and last[:1].strip() and not re.match(r"[\w, *]{1,40} ?: ", line)
        lines[-1:] = [f"{lines[-1]} {line}"] if flows else [*lines[-1:], line]
        last = line
    return "\n".join(lines)


def _members(cls: type) -> list[str]:
    """What an object offers beside its fields, its bases' members included."""
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    members: dict[str, Any] = {}
    for base in cls.__mro__:
        if base.__module__.startswith("sysid.") and base.__name__ != "Shown":
            members |= {n: m for n, m in vars(base).items() if n not in members and n not in fields and not n.startswith("_")}
    rows = [row for name, member in members.items() if (row := _member(name, member))]
    return ["| member | |", "|---|---|", *rows, ""] if rows else []


def _member(name: str, member: Any) -> str | None:
    inner = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
    if not callable(inner) or not inner.__doc__:
        return None
    is_value = hasattr(member, "fget") or hasattr(member, "func")
    call = "" if is_value else _signature(inner, skip="cls" if isinstance(member, classmethod) else "self")
    return f"| `{name}{call}` | {_cell(inspect.cleandoc(inner.__doc__).splitlines()[0])} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("$", "\\$")
