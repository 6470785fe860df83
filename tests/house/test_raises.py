"""Who raises says so: a public function, method or class whose own body refuses something has a "Raises" in its docstring."""

import ast
import inspect
import textwrap

import pytest

from tests.house.test_public import NAMESPACED, PUBLIC, lookup

QUIET = {"frozen", "received", "instead"}  # of _check: they refuse nothing


def raised(function):
    """What the body of a function raises or checks by itself, nested functions left out."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):  # made by dataclass
        return []
    found, todo = [], list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            found.append(ast.unparse(node.exc).split("(")[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "_check" and node.func.attr not in QUIET:
            found.append(f"_check.{node.func.attr}")
        todo += ast.iter_child_nodes(node)
    return [word for word in found if word not in ("AttributeError", "StopIteration", "KeyboardInterrupt")]


def spoken(dotted):
    """(name, docstring, what it raises) of a public name and of its public methods."""
    thing = lookup(dotted)
    if inspect.isfunction(thing):
        return [(dotted, inspect.getdoc(thing) or "", raised(thing))]
    if not inspect.isclass(thing):
        return []
    out = [(dotted, inspect.getdoc(thing) or "", [word for name in ("__init__", "__post_init__") if name in vars(thing) for word in raised(vars(thing)[name])])]
    for key, member in vars(thing).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member.fget if isinstance(member, property) else member
        if not key.startswith("_") and inspect.isfunction(function):
            out.append((f"{dotted}.{key}", inspect.getdoc(function) or "", raised(function)))
    return out


@pytest.mark.parametrize("dotted", PUBLIC + NAMESPACED)
def test_what_is_raised_is_said(dotted):
    silent = [f"{name} raises ({', '.join(sorted(set(words)))}) and does not say so" for name, doc, words in spoken(dotted) if words and "aises" not in doc]
    assert not silent, "\n".join(silent)
