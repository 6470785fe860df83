"""Many outputs, few states: replace the outputs by as many combinations as carry all they say of the state.

    R = L L',  L^-1 C = Z C~ (QR),  y~ = Z' L^-1 (y - D u - d) = C~ x + v~,  v~ ~ N(0, I)   [Jungbacker & Koopman 2015]

The rest of L^-1 (y - D u - d) does not depend on the state and adds -|rest|^2/2 - log|R|/2 - (p - n) log(2 pi)/2 to the
log-density. This is the information form for p > n, at the cost of one QR for each pattern of missing entries.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy

from ..kernels._jit import as_float
from .linear_arrays import LinearArrays
from .trace import Stretch

LOG_2PI = float(np.log(2 * np.pi))
MOST_PATTERNS = 100


def collapse(arrays: LinearArrays, stretch: Stretch) -> tuple[LinearArrays, Stretch, np.ndarray] | None:
    """Arrays and outputs of the collapsed problem, and the log-density (S, T) of what was left out.

    None where it does not apply: time-varying C or R, an R that is singular or nearly so, or too many patterns.
    """
    S, T, p = stretch.y.shape
    n = len(stretch.cov)
    seen = ~np.isnan(stretch.y[0])
    if len(arrays.C) > 1 or len(arrays.R) > 1 or not well_conditioned(arrays.R[0]):
        return None
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(patterns) > MOST_PATTERNS:
        return None
    e = stretch.y - arrays.by
    C, y, left = np.zeros((len(patterns), n, n)), np.full((S, T, n), np.nan), np.zeros((S, T))
    for k, pattern in enumerate(patterns):
        rows, here = np.flatnonzero(pattern), which == k
        if not len(rows):
            continue
        L = np.linalg.cholesky(arrays.R[0][np.ix_(rows, rows)])
        Z, top = np.linalg.qr(scipy.linalg.solve_triangular(L, arrays.C[0][rows], lower=True))
        white = scipy.linalg.solve_triangular(L, e[:, here][..., rows].reshape(-1, len(rows)).T, lower=True)
        short = Z.T @ white
        rest = white - Z @ short
        log_det = 2 * np.log(np.diag(L)).sum()
        left[:, here] = (-0.5 * ((rest**2).sum(0) + log_det + (len(rows) - len(short)) * LOG_2PI)).reshape(S, -1)
        C[k, : len(short)] = top
        kept = np.full((S * here.sum(), n), np.nan)
        kept[:, : len(short)] = short.T
        y[:, here] = kept.reshape(S, -1, n)
    C = C if len(patterns) == 1 else C[which]
    small = replace(arrays, C=as_float(C), R=np.eye(n)[None], by=np.zeros((1, 1, n)))
    return small, replace(stretch, y=y), left


def well_conditioned(R: np.ndarray) -> bool:
    """Whether the correlations of R have condition below 1e8."""
    d = np.sqrt(np.diag(R))
    if not (d > 0).all():
        return False
    return bool(np.linalg.eigvalsh(R / np.outer(d, d))[0] > 1e-8)
