"""The reference, from the docstrings themselves: `page()` gives api.md."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from typing import Any

import sysid

NAMESPACES = ("reservoirs", "learning", "datasets")
KINDS = {"Nouns, methods and results": inspect.isclass, "Verbs and functions": inspect.isroutine}


def page() -> str:
    """Every public name with its signature, its docstring and its methods."""
    parts = ["# Reference", "", "Everything public is importable from `sysid` itself; three sub-packages are namespaces of "
             "their own. Shapes use T steps, n states, m inputs, p outputs, S sequences.", ""]
    names = {n: getattr(sysid, n) for n in sorted(sysid.__all__, key=str.lower)}
    for title, belongs in KINDS.items():
        parts += [f"## {title}", ""]
        parts += [line for n, obj in names.items() if belongs(obj) for line in _entry(n, obj)]
    for space in NAMESPACES:
        module = getattr(sysid, space)
        parts += [f"## sysid.{space}", "", (module.__doc__ or "").split("\n")[0], ""]
        for n in sorted(getattr(module, "__all__", []), key=str.lower):
            obj = getattr(module, n)
            if getattr(sysid, n, None) is not obj and not isinstance(obj, types.ModuleType):
                parts += _entry(f"{space}.{n}", obj)
    return "\n".join(parts)


def _entry(name: str, obj: Any) -> list[str]:
    if not callable(obj):
        return [f"### {name}", "", f"`{obj!r}`", ""]
    lines = [f"### {name}", "", "```python", f"{name}{_signature(obj)}", "```", "", *_prose(inspect.getdoc(obj) or "")]
    if inspect.isclass(obj):
        lines += _members(obj)
    return lines


def _signature(obj: Any) -> str:
    """Arguments and defaults; the types stand in the text as shapes."""
    try:
        parameters = inspect.signature(obj).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    plain = inspect.Signature([p.replace(annotation=p.empty, default=... if len(repr(p.default)) > 40 else p.default)
                               for p in parameters])
    text = re.sub(r"<[^>]*>|Ellipsis", "...", str(plain))
    return text if len(text) < 90 else text.replace(", ", ",\n    ").replace("(", "(\n    ", 1)


def _prose(doc: str) -> list[str]:
    """A docstring as literal text, its displayed equations as mathematics."""
    lines: list[str] = []
    for i, chunk in enumerate(re.split(r"^ *\.\. math::(.*(?:\n(?: {2,}.*|\s*))*?)(?=\n\S|\Z)", doc, flags=re.M)):
        body = inspect.cleandoc(chunk) if i % 2 else chunk.strip("\n")
        if body.strip():
            lines += ["$$", body, "$$", ""] if i % 2 else ["```text", body, "```", ""]
    return lines


def _members(cls: type) -> list[str]:
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    rows = []
    for name, member in vars(cls).items():
        inner = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or name in fields or not callable(inner) or not inner.__doc__:
            continue
        call = "" if isinstance(member, property) else "()"
        said = inspect.cleandoc(inner.__doc__).splitlines()[0].replace("|", "\\|").replace("*", "\\*").replace("$", "\\$")
        rows.append(f"| `{name}{call}` | {said} |")
    return ["| member | |", "|---|---|", *rows, ""] if rows else []
