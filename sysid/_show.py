"""One way to print: a summary dict becomes an aligned text table or an HTML table."""

from __future__ import annotations

import html
from typing import Any

import numpy as np


def _value(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        if value.size > 8:
            return f"array {value.shape}"
        return np.array2string(value, precision=4, separator=", ").replace("\n", "")
    if isinstance(value, list | tuple):
        return ", ".join(_value(v) for v in value)
    return "none" if value is None else str(value)


def counted(number: int, noun: str) -> str:
    """A number and its noun, "1 input" or "2 inputs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def text(title: str, summary: dict[str, Any]) -> str:
    """Lay a summary out as `title` and one aligned line an entry."""
    width = max((len(k) for k in summary), default=0)
    return "\n".join([title, *(f"  {k:<{width}}  {_value(v)}" for k, v in summary.items())])


def table(title: str, summary: dict[str, Any]) -> str:
    """Lay a summary out as an HTML table with a caption."""
    rows = "".join(
        f"<tr><th style='text-align:left;padding-right:1em'>{html.escape(k)}</th><td>{html.escape(_value(v))}</td></tr>"
        for k, v in summary.items()
    )
    return f"<table class='sysid'><caption>{html.escape(title)}</caption>{rows}</table>"


class Shown:
    """Mixin for nouns and results: `summary() -> dict` is all that a class must give to print in both ways."""

    def summary(self) -> dict[str, Any]:
        raise TypeError(f"{type(self).__name__} has no summary")

    def _stored(self) -> Any:
        """The object as it is pickled and saved: itself, unless it holds what is computed when first asked for."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        return dict(self._stored().__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)  # NumPy does not keep the flag through pickle or deepcopy

    def _title(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return text(self._title(), self.summary())

    def _repr_html_(self) -> str:
        return table(self._title(), self.summary())
