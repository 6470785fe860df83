"""Constraints on matrices as users write them: masks, numbers and names, and how an M-step obeys them.

A matrix is constrained by an array of the same shape whose entries are True (free), False (held at the start), a
number (held at it), or an expression in named parameters such as "a", "2*a" or "1 + a - 0.5*b" (shared or tied). A
covariance is "full", "diagonal", "scalar", "fixed", a boolean mask of independent blocks, or a list of names and
numbers for its diagonal, equal names sharing one variance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_TERM = re.compile(r"([+-]?)\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*\*?\s*)?([A-Za-z_]\w*)?")


@dataclass(frozen=True)
class Tied:
    """vec M = base + G alpha, columns stacked; names: of alpha."""

    base: np.ndarray
    G: np.ndarray
    names: tuple[str, ...]

    @property
    def is_free(self) -> bool:
        """Whether every entry is its own parameter."""
        return self.G.shape[0] == self.G.shape[1] and not self.base.any()

    def parameters(self, M: np.ndarray) -> np.ndarray:
        """alpha (k,) of the matrix nearest to M (r, q) that obeys the ties."""
        return np.linalg.lstsq(self.G, M.T.ravel() - self.base, rcond=None)[0] if self.names else np.zeros(0)

    def matrix(self, alpha: np.ndarray, rows: int) -> np.ndarray:
        """M (rows, q) at alpha (k,)."""
        return (self.base + self.G @ alpha).reshape(-1, rows).T

    def nearest(self, M: np.ndarray) -> np.ndarray:
        """The matrix nearest to M (r, q) that obeys the ties."""
        return self.matrix(self.parameters(M), len(M))


def tie(blocks: Sequence[tuple[str, np.ndarray]], structure: Mapping[str, Any], fixed: Sequence[str]) -> Tied:
    """The constraint on [block | block | ...] from the constraints on its blocks; blocks not named are free."""
    base, rows, names = [], [], []
    index: dict[str, int] = {}

    def column(name: str) -> int:
        if name not in index:
            index[name] = len(index)
            names.append(name)
        return index[name]

    for key, start in blocks:
        spec = False if key in fixed else structure.get(key, True)
        entries = np.broadcast_to(_of_word(spec, key, start), start.shape) if np.ndim(spec) == 0 else np.asarray(spec, dtype=object)
        if entries.shape != start.shape:
            raise ValueError(f"EM: expected the structure of {key} with shape {start.shape}; received {entries.shape}.")
        for j in range(start.shape[1]):
            for i in range(start.shape[0]):
                value, terms = _entry(entries[i, j], f"{key}[{i},{j}]", start[i, j])
                base.append(value)
                rows.append({column(name): weight for name, weight in terms.items()})
    G = np.zeros((len(rows), len(index)))
    for r, terms_ in enumerate(rows):
        for c, weight in terms_.items():
            G[r, c] = weight
    return Tied(np.array(base), G, tuple(names))


def _of_word(spec: Any, key: str, start: np.ndarray) -> np.ndarray:
    """The entries that one value stands for: "full", "fixed", True, False or a number; an expression only for a single entry."""
    if not isinstance(spec, str):
        return np.asarray(spec, dtype=object)
    if spec in ("full", "fixed"):
        return np.asarray(spec == "full", dtype=object)
    if start.size != 1:
        raise ValueError(f'EM: expected the structure of {key} as "full", "fixed", or an array of shape {start.shape} with True, False, '
                         f"numbers and expressions; received {spec!r}, which would make all its entries equal.")  # fmt: skip
    return np.asarray(spec, dtype=object)


def _entry(entry: Any, name: str, start: float) -> tuple[float, dict[str, float]]:
    if isinstance(entry, bool | np.bool_):
        return (0.0, {name: 1.0}) if entry else (float(start), {})
    if isinstance(entry, str):
        return _expression(entry)
    return float(entry), {}


def _expression(text: str) -> tuple[float, dict[str, float]]:
    """Read "1 + 2*a - b" as (1, {a: 2, b: -1})."""
    terms: dict[str, float] = {}
    value, at, source = 0.0, 0, text.strip()
    while at < len(source):
        found = _TERM.match(source, at)
        if found is None or found.end() == at or (at > 0 and not found.group(1)) or not (found.group(2) or found.group(3)):
            raise ValueError(f"EM: expected an entry such as \"a\", \"2*a\" or \"1 + a - 0.5*b\"; received {text!r}.")
        weight = (-1.0 if found.group(1) == "-" else 1.0) * float(found.group(2) or 1.0)
        if found.group(3):
            terms[found.group(3)] = terms.get(found.group(3), 0.0) + weight
        else:
            value += weight
        at = found.end()
        while at < len(source) and source[at] == " ":
            at += 1
    return value, terms


@dataclass(frozen=True)
class NoiseShape:
    """The structure of a covariance, with an optional inverse-Wishart prior (scale matrix, degrees) for its mode.

    A variance of zero at the start stays zero: its scatter is then zero but for rounding, which would not be a covariance.
    """

    spec: Any
    start: np.ndarray
    prior: tuple[np.ndarray, float] | None = None

    def estimate(self, total: np.ndarray, count: float) -> np.ndarray:
        """The covariance that maximises the expected log density (plus prior) given its scatter matrix `total`."""
        found = self._maximum(total, count)
        tied = (isinstance(self.spec, str) and self.spec == "scalar") or isinstance(self.spec, list | tuple)
        if self.prior is not None or tied:
            return found
        noisy = np.diag(self.start) > 0
        return np.where(np.outer(noisy, noisy), found, 0.0)

    def _maximum(self, total: np.ndarray, count: float) -> np.ndarray:
        n = len(total)
        total = (total + total.T) / 2
        if self.prior is not None:
            scale, degrees = self.prior
            total, count = total + scale, count + degrees + n + 1
        raw = total / count
        spec = self.spec
        if isinstance(spec, str):
            if spec == "fixed":
                return np.array(self.start)
            if spec == "full":
                return raw
            return np.diag(np.diag(raw)) if spec == "diagonal" else np.trace(raw) / n * np.eye(n)
        if isinstance(spec, np.ndarray) and spec.dtype == bool:
            return np.where(spec, raw, 0.0)
        out = np.zeros(n)
        for i, entry in enumerate(spec):
            same = [j for j, other in enumerate(spec) if isinstance(entry, str) and other == entry]
            out[i] = float(np.diag(raw)[same].mean()) if isinstance(entry, str) else float(entry)
        return np.diag(out)


def noise_shape(spec: Any, start: np.ndarray, prior: Any, name: str) -> NoiseShape:
    """Check what the user wrote for a covariance."""
    n = len(start)
    if isinstance(spec, str):
        if spec not in ("full", "diagonal", "scalar", "fixed"):
            raise ValueError(f"EM: expected {name} as full, diagonal, scalar, fixed, a mask of blocks or a list for its diagonal; "
                             f"received {spec!r}.")  # fmt: skip
    elif np.ndim(spec) == 2:
        spec = np.asarray(spec, dtype=bool)
        reach = np.linalg.matrix_power(spec.astype(int), max(n, 1)) > 0
        if spec.shape != (n, n) or not spec.diagonal().all() or (spec != spec.T).any() or (reach != spec).any():
            raise ValueError(f"EM: expected the mask of {name} to be block-diagonal after reordering, with shape ({n}, {n}); other "
                             "patterns of zeros have no maximum in closed form.")  # fmt: skip
    elif len(spec) != n:
        raise ValueError(f"EM: expected {n} entries for the diagonal of {name}; received {len(spec)}.")
    if prior is not None:
        scale, degrees = prior
        prior = (np.asarray(scale, dtype=float) * np.eye(n) if np.ndim(scale) == 0 else np.asarray(scale, dtype=float), float(degrees))
    return NoiseShape(spec, start, prior)
