"""Names of channels: what the user calls outputs and inputs, carried from data to models, results and figures.

They are labels. No computation reads them; the one thing they refuse is a channel that is known by name and stands at
another place, which is a pair of swapped columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np

from ..core.data import Data
from ..core.signals import default_names, listed, names_of, refuse_swapped

_FIELDS = (("output_names", "n_outputs"), ("input_names", "n_inputs"))
T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Named:
    """Mixin: a model whose channels may have names.

    output_names, input_names: one label a channel, for figures, summaries and the notice of swapped columns; None for
    "output 1", "input 1" and so on. `fit` takes them over from data whose channels are named; every other verb keeps them.
    """

    output_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for field, size in _FIELDS:
            given = getattr(self, field)
            if given is not None:
                object.__setattr__(self, field, names_of(given, getattr(self, size), field, type(self).__name__))

    def with_names(self, output_names: Sequence[str] | None = None, input_names: Sequence[str] | None = None) -> Self:
        """The same model with other names of its outputs (p labels) and inputs (m labels); what is None stays as it is.

        Raises ValueError for another number of names than the model has channels, or for one that comes twice.
        """
        wanted = {"output_names": output_names, "input_names": input_names}
        found = _copied(self, **{field: given for field, given in wanted.items() if given is not None})
        Named.__post_init__(found)
        return found

    def _output_names_for(self, C: Any) -> Sequence[str] | None:
        """The output names, if a new readout C has as many rows."""
        return self.output_names if self.output_names is not None and np.shape(C)[:1] == (len(self.output_names),) else None


def names(noun: Any) -> dict[str, Any]:
    """The names that the user gave to the channels of data or a model, as keywords for another noun; None for none."""
    found = {field: getattr(noun, field, None) for field, _ in _FIELDS}
    if isinstance(noun, Data):
        for (field, size), prefix in zip(_FIELDS, "yu"):
            if found[field] == default_names(getattr(noun, size), prefix):
                found[field] = None
    return found


def shown_names(noun: Any) -> dict[str, str]:
    """Rows of a summary: the names, where there are any."""
    return {field.replace("_", " "): listed(given) for field, given in names(noun).items() if given is not None}


def check_names(model: Any, data: Any, call: str) -> None:
    """Refuse data in which a channel that the model knows by name stands at another place; names unknown to the model pass."""
    for field, _ in _FIELDS:
        known = getattr(model, field, None)
        if known is not None and known != getattr(data, field, None):
            refuse_swapped(known, names(data)[field], f"{call}: expected {field.replace('_names', 's')}", "as in the model")


def labelled(data: Data, model: Any) -> Data:
    """The data with the model's names where the user gave the data none."""
    own = names(data)
    missing = {field: known for field, known in names(model).items() if known is not None and own[field] is None}
    return _copied(data, **missing) if missing else data


def renamed(found: T, *nouns: Any) -> T:
    """A result whose models, also those within its process and other parts, have the names of the first of `nouns` that has any.

    A part that appears twice appears as one object again. A model keeps its own names where no noun has others, or where its
    channels are not theirs (a lift that widens its inputs).
    """
    known = [names(noun) for noun in nouns]
    labels = {field: next((k[field] for k in known if k[field] is not None), None) for field, _ in _FIELDS}
    done: dict[int, Any] = {}

    def of(value: Any) -> Any:
        if id(value) in done:
            return done[id(value)]
        if isinstance(value, Named):
            new = value.with_names(**{field: given for field, size in _FIELDS
                                      if (given := labels[field]) is not None and len(given) == getattr(value, size)})
        else:
            parts = {key: of(part) for key, part in vars(value).items() if isinstance(part, Named) or isinstance(getattr(part, "model", None), Named)}
            new = _copied(value, **parts) if parts else value
        done[id(value)] = new
        return new

    return of(found) if any(given is not None for given in labels.values()) else found


def _copied(noun: T, **changes: Any) -> T:
    """A shallow copy with other fields: the arrays are the same and are not checked again."""
    found = object.__new__(type(noun))
    found.__dict__.update(noun.__dict__, **changes)
    return found
