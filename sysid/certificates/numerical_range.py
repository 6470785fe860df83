"""The numerical range of a matrix by its support function, and what it gives for one leak and slopes in [0, L].

$$ h(\\varphi) = \\lambda_{\\max} \\mathrm{Herm}(e^{-i\\varphi} W), \\qquad
   \\kappa = \\max_\\varphi \\bigl| 1-\\lambda + \\lambda\\alpha\\, h(\\varphi)_+ e^{i\\varphi} \\bigr| $$
is the rate that the circle criterion gives to leak lambda and coupling alpha W. [ESN-SSM, Eq. 48], sharpened.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh


def support_function(W: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """h (len(angles),): how far the numerical range of W (n, n) reaches in each direction.

    Numerical ranges of real matrices are symmetric about the real axis, so angles in [0, pi] tell all.
    Cost O(n^3) an angle; Lanczos above n = 400.
    """
    n = len(W)
    h = np.empty(len(angles))
    v0 = None
    for i, phi in enumerate(angles):
        H = np.exp(-1j * phi) * W
        H = (H + H.conj().T) / 2
        if n <= 400:
            h[i] = eigh(H, eigvals_only=True, subset_by_index=[n - 1, n - 1])[0]
        else:
            from scipy.sparse.linalg import eigsh

            start = np.ones(n, dtype=complex) if v0 is None else v0
            values, vectors = eigsh(H, k=1, which="LA", tol=1e-7, v0=start)
            h[i], v0 = values[0], vectors[:, 0]
    return h


def outer(h: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """h raised so that the polygon of support lines, not only its sampled points, is covered between equal angles.

    Between neighbours at distance delta, h(phi) <= max(h_j, h_{j+1}) / cos(delta / 2).
    """
    return np.maximum(h, 0) / np.cos((angles[1] - angles[0]) / 2)


def circle_rate(h: np.ndarray, angles: np.ndarray, leak: float, scale: float) -> float:
    """kappa for leak and scale from the support function (L absorbed in W)."""
    return float(np.abs(1 - leak + leak * scale * np.maximum(h, 0) * np.exp(1j * angles)).max())
