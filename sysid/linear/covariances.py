"""Algebra on covariance matrices in the units of their own variances."""

from __future__ import annotations

import numpy as np

EPS = np.finfo(float).eps


def covariance_inverse(P: np.ndarray) -> np.ndarray:
    """Invert a covariance on the span of its correlations.

        P^- = D^-1 (D^-1 P D^-1)^+ D^-1,    D = diag(P)^1/2

    P: (n, n) or (T, n, n), symmetric and positive semidefinite. Directions whose correlation rounding could have made, 16 n
    units of the last place, are left out. In other units the answer is the same in those units, which a bare pseudo-inverse
    is not: that one takes the noise of a sensor in volts beside one in microvolts for zero. Returns an array of P's shape.
    """
    d = np.sqrt(np.diagonal(P, axis1=-2, axis2=-1))
    unit = np.where(d > 0, d, 1.0)
    both = unit[..., :, None] * unit[..., None, :]
    return np.linalg.pinv(P / both, rcond=16 * P.shape[-1] * EPS, hermitian=True) / both
