"""Spectral radius and abscissa, and the one sentence said where stability is needed and absent."""

from __future__ import annotations

import numpy as np

__all__ = ["boundary_margin", "growth", "is_stable", "refuse_unstable"]


def growth(poles: np.ndarray, continuous: bool) -> float:
    """Return the spectral radius (discrete time) or the spectral abscissa (continuous time) of `poles` (n,)."""
    if len(poles) == 0:
        return -np.inf if continuous else 0.0
    return float(np.max(poles.real)) if continuous else float(np.max(np.abs(poles)))


def boundary_margin(poles: np.ndarray, continuous: bool) -> float:
    """Return the distance of the least stable pole from the stability boundary; positive inside.

    In continuous time the distance is relative to the largest pole, so that it has no unit.
    """
    if len(poles) == 0:
        return np.inf
    if continuous:
        return -growth(poles, True) / max(float(np.max(np.abs(poles))), np.finfo(float).tiny)
    return 1.0 - growth(poles, False)


def is_stable(A: np.ndarray, *, continuous: bool) -> bool:
    """Tell whether every pole of `A` (n, n) lies strictly inside the stability region. Cost O(n^3)."""
    poles = np.linalg.eigvals(A)
    return boundary_margin(poles, continuous) > rounding(len(poles))


def rounding(n: int) -> float:
    """Relative distance from the boundary below which rounding of `A` alone decides about stability."""
    return 4.0 * max(n, 1) * float(np.finfo(float).eps)


def refuse_unstable(A: np.ndarray, call: str, thing: str, *, continuous: bool, cure: str,
                    poles: np.ndarray | None = None) -> np.ndarray:
    """Raise ValueError naming the radius (or abscissa) unless `A` is stable; return its poles (n,)."""
    poles = np.linalg.eigvals(A) if poles is None else poles
    if boundary_margin(poles, continuous) > rounding(len(poles)):
        return poles
    value = growth(poles, continuous)
    measure = "largest real part of a pole" if continuous else "spectral radius"
    near = abs(boundary_margin(poles, continuous)) <= rounding(len(poles))
    edge = " (a pole on the stability boundary)" if near else ""
    raise ValueError(f"{call}: {thing} does not exist: {measure} {value:.6g}{edge}. {cure}")
