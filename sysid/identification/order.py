"""Choice of the order from the canonical correlations of past and future."""

from __future__ import annotations

import numpy as np

from .realization import decompose
from .windows import Windows


def information_criterion(windows: Windows, past: int, future: int) -> np.ndarray:
    """The criterion (k + 1,) for orders 0..k; the order is its minimum.  [Bauer 2001, SVC and IVC]

        IC(n) = N sum_{j > n} -log(1 - s_j^2) + d(n) log N,    d(n) = n (2 p + m)

    s: canonical correlations, N: windows. The first term is what the remaining correlations would still explain.
    """
    s = np.minimum(decompose(windows, past, future, "cva").singular_values, 1 - 1e-12)
    m, p = windows.n_inputs, windows.n_outputs
    # Beyond (future - 1) p the shift of Gamma no longer determines A.
    s = s[: max((future - 1) * p, 1)]
    left = np.concatenate([[0.0], np.cumsum(-np.log1p(-(s[::-1] ** 2)))])[::-1]
    return windows.count * left + np.arange(len(s) + 1) * (2 * p + m) * np.log(windows.count)
