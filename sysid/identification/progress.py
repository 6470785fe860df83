"""What a long iteration owes its user: a bar after two seconds, and the best estimate so far when it is interrupted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..core.status import Status


class Progress:
    """Count the iterations of a fit; a `with` block that ends quietly, and says so, when the user interrupts it.

        with Progress("EM", 200) as progress:
            for iteration in progress:
                ...
                progress.show(log_likelihood=value)
        status = Status(...) if progress.interrupted is None else progress.interrupted

    The bar appears after two seconds and only on a terminal or in a notebook. Keep the best estimate in variables
    that live outside the block: after KeyboardInterrupt the statements behind the block run as after a normal end.
    """

    def __init__(self, name: str, total: int):
        self.name, self.total = name, total
        self.iteration = 0
        self.interrupted: Status | None = None
        self._bar: Any = None

    def __enter__(self) -> Progress:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # in a notebook without widgets it draws as on a terminal, and says so
            from tqdm.auto import tqdm
        self._bar = tqdm(total=self.total, desc=self.name, delay=2.0, leave=False, disable=None)
        return self

    def __iter__(self) -> Iterator[int]:
        for iteration in range(1, self.total + 1):
            self.iteration = iteration
            yield iteration
            self._bar.update()

    def show(self, **figures: float) -> None:
        """Write figures, such as the loss, behind the bar."""
        if not self._bar.disable:
            self._bar.set_postfix({key: f"{value:.6g}" for key, value in figures.items()}, refresh=False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._bar.close()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.interrupted = Status(False, f"interrupted by the user in iteration {self.iteration}: "
                                             "the best estimate so far is returned", self.iteration)
            return True
        return False
