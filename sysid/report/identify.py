"""The report on a user's file."""

from __future__ import annotations

from pathlib import Path

from ..core.data import Data

LEAST = 40


def run(data: Data, folder: Path, name: str) -> str:
    """Identify the system behind the data; write index.html and the models into the folder; return the summary."""
    if data.n_steps < LEAST:
        raise ValueError(f"report: expected at least {LEAST} samples to fit and to validate on; received {data.n_steps}.")
    raise ValueError("report: not available yet.")
