"""Activations averaged over a Gaussian argument and their derivatives, as arrays: the reverse side of `kernels/averaged.py`."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

_points, _weights = np.polynomial.hermite_e.hermegauss(9)
NODES = np.ascontiguousarray(np.stack([_points, _weights / _weights.sum()]))
SMALL = 1e-12       # variances below it are taken as zero in derivatives


def averaged_derivatives(code: int, xi: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    """h = E s, slope = E s', their derivatives in xi (slope, curve) and in v: (h, slope, curve, h_v, slope_v), each as xi.

    The derivatives are those of the sums over points, so that a gradient built on them is exact.
    """
    if code == 0:
        zero = np.zeros_like(xi)
        return xi.copy(), np.ones_like(xi), zero, zero, zero
    root = np.sqrt(np.maximum(v, SMALL))
    if code == 2:
        a = xi / root
        density = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi)
        slope = ndtr(a)
        return xi * slope + root * density, slope, density / root, density / (2 * root), -a * density / (2 * root**2)
    out = [np.zeros_like(xi) for _ in range(5)]
    c = 2.0 if code == 1 else 1.0                           # tanh(x) = 2 p(2 x) - 1, p(x) = 1 / (1 + exp(-x))
    for z, w in NODES.T:
        p = 1.0 / (1.0 + np.exp(np.minimum(-c * (xi + root * z), 700.0)))
        slope = (w * c * c) * p * (1.0 - p)
        curve = slope * (c - 2.0 * c * p)
        for total, value in zip(out, ((w * c) * p, slope, curve, (z / (2 * root)) * slope, (z / (2 * root)) * curve)):
            total += value
    out[0] -= c - 1.0
    return tuple(out)
