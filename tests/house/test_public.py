"""Every public name is documented well enough to be used without reading its source."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
import types

import pytest

import sysid

PUBLIC = [n for n in sysid.__all__ if not n.startswith("_") and not isinstance(getattr(sysid, n), types.ModuleType)]
NAMESPACED = [f"{space}.{n}" for space in ("reservoirs", "learning", "datasets")
              for n in getattr(getattr(sysid, space, None), "__all__", [])]
# Shared by every noun and result, and said once on the page of conventions.
COMMON = {"self", "cls", "ax", "dt", "rng", "n_states", "n_inputs", "n_outputs", "n_steps", "status"}
SHAPE = re.compile(r"\(\s*(?:\d+|[A-Za-z_]\w*|\.\.\.)?\s*(?:[*+-]\s*\w+\s*)*,[^()]*\)|\b\w+ by \w+\b|scalar|length")


def lookup(dotted):
    found = sysid
    for part in dotted.split("."):
        found = getattr(found, part)
    return found


def parameters(obj):
    """What a caller may give: name -> annotation; what a dataclass inherits is documented by its parent."""
    if dataclasses.is_dataclass(obj):
        return {f.name: f.type for f in dataclasses.fields(obj) if f.init and f.name in obj.__annotations__}
    given = inspect.signature(obj).parameters.items()
    return {n: p.annotation for n, p in given if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def complaints(dotted):
    obj, said = lookup(dotted), []
    if not callable(obj):
        return said
    doc = inspect.getdoc(obj) or ""
    first = doc.splitlines()[0] if doc else ""
    if not first.rstrip().endswith((".", ":")) and not re.search(r"[.:]", doc.split("\n\n")[0]):
        said.append("no opening sentence")
    taken = parameters(obj)
    elsewhere = re.search(r"\bas (?:in |for |of )?`\w+", doc)  # "other arguments as in `mode_gain`"
    silent = [] if elsewhere else [n for n in taken if n not in COMMON and not re.search(rf"\b{re.escape(n)}\b", doc)]
    if silent:
        said.append(f"does not mention {', '.join(silent)}")
    if any("ndarray" in str(kind) or "ArrayLike" in str(kind) for kind in taken.values()) and not SHAPE.search(doc):
        said.append("gives no shape")
    if inspect.isfunction(obj) and inspect.signature(obj).return_annotation is inspect.Signature.empty:
        said.append("return type not annotated")
    return [f"{dotted}: {line}" for line in said]


def test_the_public_list_is_true():
    assert len(set(sysid.__all__)) == len(sysid.__all__)
    assert all(hasattr(sysid, n) for n in sysid.__all__)


@pytest.mark.parametrize("dotted", PUBLIC + NAMESPACED)
def test_a_public_name_is_documented(dotted):
    said = complaints(dotted)
    assert not said, "\n".join(said)


MODULES = ["sysid", *(m.name for m in pkgutil.walk_packages(sysid.__path__, "sysid.") if m.name != "sysid.__main__")]


def test_examples_in_docstrings_run():
    failed = {}
    for module in map(importlib.import_module, MODULES):
        result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        if result.failed:
            failed[module.__name__] = result.failed
    assert not failed


# One word for one thing: what the literature and other packages also call it, and what it is called here.
ELSEWHERE = {
    "iterations": "n_iterations where all are run, max_iterations where fewer may do", "n_iter": "n_iterations", "max_iter": "max_iterations",
    "maxiter": "max_iterations", "tol": "tolerance", "seed": "rng", "random_state": "rng", "acceleration": "accelerate", "order_max": "max_order",
    "nx": "n_states", "ny": "n_outputs", "nu": "n_inputs", "n_samples_": "n_steps", "window": "n_steps", "Ts": "dt", "sample_time": "dt",
    "alpha_level": "level", "confidence": "level", "regularization": "ridge", "regularisation": "ridge", "warmup": "washout",
}  # fmt: skip
SCIKIT_LEARN = {"ESNRegressor.random_state"}


@pytest.mark.parametrize("dotted", PUBLIC + NAMESPACED)
def test_an_argument_goes_by_the_word_of_this_package(dotted):
    thing = lookup(dotted)
    if not callable(thing) or dotted == "Status":
        return
    found = [f"{dotted}.{n}: say {ELSEWHERE[n]}" for n in parameters(thing) if n in ELSEWHERE and f"{dotted}.{n}" not in SCIKIT_LEARN]
    assert not found
