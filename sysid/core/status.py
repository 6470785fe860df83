"""How an iteration ended, in words a user can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._show import Shown


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """The end of an iteration: whether it converged, why it stopped, and after how many iterations.

    `reason` is a sentence; `iterations` is 0 for a method in closed form.
    """

    converged: bool
    reason: str
    iterations: int = 0

    def __bool__(self) -> bool:
        return self.converged

    def summary(self) -> dict[str, Any]:
        return {"converged": self.converged, "reason": self.reason, "iterations": self.iterations}

    def __str__(self) -> str:
        return self.reason


def closed_form() -> Status:
    """The status of a method that does not iterate."""
    return Status(True, "solved in closed form")
