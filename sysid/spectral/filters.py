"""Spectral filters: the leading eigenvectors of a fixed Hankel matrix.

Standard:     Z[i, j] = 2 / ((i+j)^3 - (i+j))                                    = int_0^1  mu mu' da,  mu = (a-1)(1, a, ...)
Alternating:  Z[i, j] = 8 ((-1)^(i+j) + 1) / ((i+j+3)(i+j-1)(i+j+1))             = int_-1^1 mu mu' da,  mu = (a^2-1)(1, a, ...)

The first serves poles in [0, 1] (and, with alternating signs, in [-1, 0]); the second all of [-1, 1] in one branch,
with eigenvalues that decay half as fast. Sources: [STU, Eq. 3], [STU, Eq. 7], [Hazan, Singh & Zhang 2017].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ._cache import cached
from .hankel_spectrum import hankel_eigenpairs

KINDS = ("standard", "alternating")
_FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class FilterBank(Shown):
    """Hold the K leading eigenpairs of a spectral-filtering Hankel matrix.

    eigenvalues (K,), positive and descending; filters (K, L), orthonormal rows; kind "standard" or "alternating".
    Raises ValueError for shapes that do not fit, eigenvalues not positive, or another kind.
    """

    eigenvalues: np.ndarray
    filters: np.ndarray
    kind: str = "standard"

    def __post_init__(self) -> None:
        call = "FilterBank"
        filters = _check.matrix(self.filters, "filters", call)
        eigenvalues = _check.vector(self.eigenvalues, "eigenvalues", call, len(filters), "filters has that many rows")
        if (eigenvalues <= 0).any():
            raise ValueError(f"{call}: expected positive eigenvalues; received {eigenvalues.min():g}. "
                             "Values below rounding must be cut off or clipped.")
        object.__setattr__(self, "filters", filters)
        object.__setattr__(self, "eigenvalues", eigenvalues)
        _check.choice(self.kind, "kind", call, KINDS)

    @property
    def n_filters(self) -> int:
        return self.filters.shape[0]

    @property
    def n_steps(self) -> int:
        return self.filters.shape[1]

    @property
    def scale(self) -> np.ndarray:
        """The factors s_k^(1/4) (K,) by which features are weighted [STU, Eq. 4]."""
        return self.eigenvalues**0.25

    def truncate(self, n_filters: int) -> FilterBank:
        """Keep the first n_filters filters. Raises ValueError for more filters than there are."""
        k = _check.count(n_filters, "n_filters", "FilterBank.truncate")
        if k > self.n_filters:
            raise ValueError(f"FilterBank.truncate: expected n_filters <= {self.n_filters}; received {k}.")
        return FilterBank(self.eigenvalues[:k], self.filters[:k], self.kind)

    def summary(self) -> dict[str, Any]:
        return {"kind": self.kind, "n_filters": self.n_filters, "n_steps": self.n_steps,
                "largest eigenvalue": float(self.eigenvalues[0]), "smallest eigenvalue": float(self.eigenvalues[-1])}

    def plot(self, ax: Any = None) -> Any:
        """Draw the filters against the lag (logarithmic) [STU, Fig. 1]."""
        from .. import plot
        ax = plot.axes(ax)
        lag = np.arange(1, self.n_steps + 1)
        for k, row in enumerate(self.filters):
            # Blue for the first filter, paling towards the last.
            ax.plot(lag, row, color=plot.COLOURS["model"], alpha=1 - 0.8 * k / self.n_filters, linewidth=1.0)
        ax.set(xlabel="lag (steps)", ylabel="filter", xscale="log", title=f"{self.kind} spectral filters")
        return ax


def hankel_matrix(n_steps: int, kind: str = "standard") -> np.ndarray:
    """Form the L x L matrix itself, for tests and small L."""
    size = _check.count(n_steps, "n_steps", "hankel_matrix")
    _check.choice(kind, "kind", "hankel_matrix", KINDS)
    index = np.arange(1, size + 1, dtype=float)
    n = index[:, None] + index[None, :]
    if kind == "standard":
        return 2.0 / (n**3 - n)  # [STU, Eq. 3]
    return 8.0 * ((-1.0) ** n + 1.0) / ((n + 3) * (n - 1) * (n + 1))  # [STU, Eq. 7]


def spectral_filters(n_steps: int, n_filters: int, kind: str = "standard") -> FilterBank:
    """Compute (or read from the disk cache) the leading filters of length n_steps.

    Parameters
    ----------
    n_steps : filter length L in steps, up to 2**17 within 2 GB.
    n_filters : number K <= L of filters.
    kind : "standard" (poles in [0, 1], or [-1, 1] with a second branch) or "alternating" (poles in [-1, 1]).

    Returns
    -------
    FilterBank with eigenvalues (K,) and filters (K, L).

    Eigenvalues are relatively accurate to about 1e-13 however small, which a dense eigensolver is not.
    Raises ValueError for n_filters above n_steps or another kind. Cost O(L K^2) time, O(L K) memory. Files live in SYSID_CACHE_DIR or the user's cache folder.
    """
    call = "spectral_filters"
    size, count = _check.count(n_steps, "n_steps", call), _check.count(n_filters, "n_filters", call)
    _check.choice(kind, "kind", call, KINDS)
    if count > size:
        raise ValueError(f"{call}: expected n_filters <= n_steps = {size}; received {count}. "
                         "An L x L matrix has only L eigenvectors; a few dozen filters suffice.")
    return _bank(size, count, kind)


@lru_cache(maxsize=8)
def _bank(size: int, count: int, kind: str) -> FilterBank:
    def valid(stored: dict) -> bool:
        return (stored.keys() == {"eigenvalues", "filters"} and stored["eigenvalues"].shape == (count,)
                and stored["filters"].shape == (count, size) and bool((stored["eigenvalues"] > 0).all())
                and np.allclose(np.einsum("kl,kl->k", stored["filters"], stored["filters"]), 1.0, atol=1e-9))

    stored = cached(f"filters_{kind}_{size}_{count}_v{_FORMAT}", lambda: _compute(size, count, kind), valid)
    return FilterBank(stored["eigenvalues"], stored["filters"], kind)


def _compute(size: int, count: int, kind: str) -> dict[str, np.ndarray]:
    if kind == "standard":
        values, filters = hankel_eigenpairs(size, count)
        return {"eigenvalues": values, "filters": filters}
    # Odd and even lags decouple: with alpha = a^2 each half is a moment matrix of its own.
    parts = []
    for first, exponent in ((0, -0.5), (1, 0.5)):
        half = len(range(first, size, 2))
        if half:
            values, rows = hankel_eigenpairs(half, min(count, half), exponent)
            full = np.zeros((len(values), size))
            full[:, first::2] = rows
            parts.append((values, full))
    values, filters = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    order = np.argsort(-values, kind="stable")[:count]
    return {"eigenvalues": values[order], "filters": filters[order]}
