"""Arrays kept on disk between runs: atomic writes, no pickle, a damaged file is computed again."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np


def cache_folder() -> Path:
    """SYSID_CACHE_DIR, else the user's cache folder (XDG_CACHE_HOME, LOCALAPPDATA, ~/.cache) with `sysid` below."""
    chosen = os.environ.get("SYSID_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "sysid"


def cached(name: str, compute: Callable[[], dict[str, np.ndarray]], valid: Callable[[dict], bool],
           ) -> dict[str, np.ndarray]:
    """Return the arrays stored under `name`, or compute and store them; a folder that cannot be written is no error."""
    path = cache_folder() / f"{name}.npz"
    stored = _read(path)
    if stored is not None and valid(stored):
        return stored
    arrays = compute()
    _write(path, arrays)
    return arrays


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(file.name, path)
    except OSError:
        if "file" in locals():
            Path(file.name).unlink(missing_ok=True)
