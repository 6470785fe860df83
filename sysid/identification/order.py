"""The order that the canonical correlations of past and future support."""

from __future__ import annotations

import numpy as np

from .realization import decompose
from .windows import Windows


def information_criterion(windows: Windows, past: int, future: int) -> np.ndarray:
    """The criterion (k + 1,) for orders 0..k; the order is its minimum.  [Larimore 1990; Fujikoshi & Veitch 1979]

        IC(n) = N sum_{j > n} -log(1 - s_j^2) + 2 n (a + b - n)

    s: canonical correlations of a past and b future variables given the future inputs, N: windows. The first term is
    the likelihood ratio of what an order n leaves unexplained, the second twice the parameters of a rank n.
    """
    s = np.minimum(decompose(windows, past, future, "cva").singular_values, 1 - 1e-12)
    a, b = past * (windows.n_inputs + windows.n_outputs), future * windows.n_outputs
    left = np.concatenate([[0.0], np.cumsum(-np.log1p(-(s[::-1] ** 2)))])[::-1]
    # Beyond (future - 1) p the shift of Gamma no longer determines A.
    n = np.arange(max((future - 1) * windows.n_outputs, 1) + 1)[: len(s) + 1]
    return windows.count * left[n] + 2.0 * n * (a + b - n)
