"""An option that makes no sense is refused by its method in one sentence, never by Python or NumPy from within."""

import dataclasses
import inspect
import warnings

import numpy as np
import pytest

import sysid

NEEDED = {"rng": np.random.default_rng(0), "n_states": 3, "n_delays": 3, "n_filters": 4, "n_steps": 16, "lag": 3,
          "dictionary": sysid.Polynomial(degree=2)}
NONSENSE = ["x", -1, float("nan"), [], object(), float("inf"), 2.5, True, (1, 2)]
# Objects, masks and maps, which are checked where they meet data or a model.
OPEN = {"layer", "discrete", "inner", "dictionary", "input_map", "structure", "fixed", "prior", "n_jobs", "filtering", "method",
        "center", "centers", "bounds", "weights", "phases", "Q", "leak_groups", "readout", "target", "refine", "x", "u", "parts",
        "candidates", "input_bound", "estimate", "period", "solver", "free"}


def methods():
    for name in sysid.__all__:
        kind = getattr(sysid, name)
        if not (inspect.isclass(kind) and dataclasses.is_dataclass(kind)):
            continue
        taken = inspect.signature(kind).parameters.values()
        base = {p.name: NEEDED[p.name] for p in taken if p.default is p.empty and p.name in NEEDED}
        if any(p.default is p.empty and p.name not in base for p in taken):
            continue  # nouns and results
        yield from (pytest.param(kind, base, p.name, p.default, id=f"{name}-{p.name}") for p in taken)


@pytest.mark.parametrize("kind, base, option, default", list(methods()))
def test_nonsense_is_refused_in_a_sentence(kind, base, option, default):
    refused = 0
    for value in NONSENSE:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind(**{**base, option: value})
        except (ValueError, TypeError) as error:
            refused += 1
            assert "expected" in f"{error}", f"{value!r}: {error}"
    assert refused or option in OPEN, f"{kind.__name__} takes anything as {option}"
