"""Measured records for tests and benchmarks, read from outside the project.

The folder is the one named by SYSID_DATA, else `shared/data` beside the project (or beside the folder that
holds it). Where it is absent a test that asks for a record is skipped with the reason, and the run counts them.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIP_REASON = "measured data absent"


def folder() -> Path | None:
    """The folder of records, or None."""
    named = os.environ.get("SYSID_DATA")
    places = [Path(named)] if named else [up / "shared" / "data" for up in ROOT.parents[:2]]
    return next((place for place in places if place.is_dir()), None)


def path(filename: str) -> Path:
    """A file of that folder; skips the calling test where it is absent."""
    where = folder()
    if where is None or not (where / filename).is_file():
        pytest.skip(f"{SKIP_REASON}: {filename} was not found. Name the folder of benchmark records in SYSID_DATA.",
                    allow_module_level=True)
    return where / filename


def load(name: str) -> dict[str, Any]:
    """Read one record.

    Input-output records give `train`, a list of pairs (u (T, m), y (T, p)); `test`, a dict of such pairs by
    label; `Ts`, the sampling interval in seconds; `n_init`, the samples left out of every published score.
    `japanese_vowels` pairs a sequence (T, 12) with its label; `slicot_*` give dense A, B, C;
    everything else gives its arrays as stored.
    """
    if name == "emps":
        train, test = _arrays("emps_train"), _arrays("emps_test")
        return _record([(train["vir"], train["qm"])], {"test": (test["vir"], test["qm"])}, float(train["Ts"]), 20)
    raw = _arrays(name)
    Ts, n_init = float(raw.get("Ts", 1.0)), int(raw.get("n_init", 0))
    if name == "silverbox":
        part = {key: slice(*raw[key]) for key in ("train", "test_multisine", "arrow_full", "arrow_no_extrap")}
        pairs = {key: (raw["u"][where], raw["y"][where]) for key, where in part.items()}
        return _record([pairs.pop("train")], pairs, Ts, n_init)
    if name == "cascaded_tanks":
        return _record([(raw["u_train"], raw["y_train"])], {"test": (raw["u_test"], raw["y_test"])}, Ts, n_init)
    if name == "japanese_vowels":
        return {"train": _sequences(raw, "train"), "test": _sequences(raw, "test")}
    if name.startswith("slicot_"):
        A = np.zeros((int(raw["n"]), int(raw["n"])))
        A[raw["A_i"], raw["A_j"]] = raw["A_v"]
        return {"A": A, "B": raw["B"], "C": raw["C"]}
    if {"u", "y"} <= raw.keys():
        half = len(raw["u"]) // 2
        return _record([(raw["u"][:half], raw["y"][:half])], {"test": (raw["u"][half:], raw["y"][half:])}, Ts, 0)
    return dict(raw)


def reference_systems() -> dict[str, Any]:
    """Small published systems with published answers."""
    return json.loads(path("reference_systems.json").read_text())


@cache
def _arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(path(name + ".npz")) as stored:
        return {key: stored[key] for key in stored.files}


def _columns(signal: np.ndarray) -> np.ndarray:
    return np.array(signal, dtype=float).reshape(len(signal), -1)


def _record(train: list, test: dict, Ts: float, n_init: int) -> dict[str, Any]:
    return {"train": [(_columns(u), _columns(y)) for u, y in train],
            "test": {label: (_columns(u), _columns(y)) for label, (u, y) in test.items()},
            "Ts": Ts, "n_init": n_init}


def _sequences(raw: dict[str, np.ndarray], part: str) -> list[tuple[np.ndarray, Any]]:
    ends = np.cumsum(raw[f"len_{part}"])[:-1]
    return list(zip(np.split(raw[f"x_{part}"].astype(float), ends), raw[f"lab_{part}"]))
