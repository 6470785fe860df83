"""Norms of large sparse couplings, proved entry by entry in O(edges)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .enclosure import UNIT

_SLOP = 1 + 1e-9                                          # dwarfs the rounding of sums with fewer than a million terms


def collatz_radius(W: Any, leak: np.ndarray, gain: np.ndarray) -> tuple[float, np.ndarray]:
    """max_i (M x)_i / x_i for M = diag(1 - leak) + diag(gain) |W| and its Perron vector x: rho(M), from above.

    For every x > 0 the quotient bounds the contraction in the norm max_i |v_i| / x_i [Collatz 1942]. Returns the rate
    and the weights 1 / x (n,).
    """
    M = _absolute(W)
    x = np.ones(M.shape[0])
    for _ in range(500):
        y = (1 - leak) * x + gain * (M @ x) + 1e-9 * x.mean()
        x, old = y / y.max(), x
        if np.abs(x - old).max() < 1e-10:
            break
    x = np.maximum(x, 1e-12)
    quotient = ((1 - leak) * x + gain * (M @ x)) / x
    return float(quotient.max() * _SLOP + 64 * UNIT), 1 / x


def collatz_norm(W: Any, leak: np.ndarray, gain: np.ndarray) -> float:
    """1 - min(leak) + sqrt(rho(|G W|' |G W|)), an upper bound of the norm bound, from above."""
    M = _absolute(W)
    x = np.ones(M.shape[0])
    for _ in range(500):
        y = M.T @ (gain**2 * (M @ x)) + 1e-9 * x.mean()
        x, old = y / y.max(), x
        if np.abs(x - old).max() < 1e-10:
            break
    x = np.maximum(x, 1e-12)
    square = ((M.T @ (gain**2 * (M @ x))) / x).max() * _SLOP
    return float(((1 - leak).max() + np.sqrt(square)) * _SLOP)


def _absolute(W: Any) -> Any:
    if not (isinstance(W, np.ndarray) or hasattr(W, "nnz")):
        raise ValueError("certify: expected a dense or sparse W above n = 3000; received an operator, whose entries "
                         "cannot be seen. Give the matrix itself.")
    return abs(W)
