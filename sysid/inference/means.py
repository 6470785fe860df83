"""Means of any number of sequences along gains that they share."""

from __future__ import annotations

import numpy as np

from ..kernels import means as mean_kernels
from .linear_arrays import LinearArrays
from .memory import empty
from .threads import in_parts
from .trace import Stretch


def mean_pass(arrays: LinearArrays, stretch: Stretch, gains: tuple) -> tuple:
    """Predicted, filtered means and outputs, log-densities and last means along shared gains, in threads where there are many."""
    S, T, p = stretch.y.shape
    n = len(stretch.cov)
    kept = 1 if stretch.store == "last" else T
    xp, xf, yp = empty((S, kept, n)), empty((S, kept, n)), empty((S, kept, p))
    log_density, mean = empty((S, T)), np.empty((S, n))

    *slots, index = gains

    def run(a: int, b: int) -> None:
        bx, by = (v if len(v) == 1 else v[a:b] for v in (arrays.bx, arrays.by))
        own = index if len(index) == 1 else index[a:b]
        mean_kernels.linear_means(arrays.AT, arrays.C, bx, by, *slots, own, stretch.y[a:b], stretch.mean[a:b], xp[a:b],
                                  xf[a:b], yp[a:b], log_density[a:b], mean[a:b])  # fmt: skip

    in_parts(S, run, least=1 if S * T > 20000 and len(index) == 1 else S)  # sequences with gains of their own come in threads
    return xp, xf, None if stretch.store == "last" else yp, log_density, mean


def outputs(arrays: LinearArrays, x: np.ndarray) -> np.ndarray:
    """C x + D u + d along states x (S, T, n)."""
    y = x @ arrays.C[0].T if len(arrays.C) == 1 else (arrays.C @ x[..., None])[..., 0]
    return y + arrays.by
