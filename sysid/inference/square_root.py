"""The Kalman filter and smoother on square-root factors, for problems that cost the covariance form its digits."""

from __future__ import annotations

import numpy as np

from ..kernels import conditioning, square_root
from ..kernels._jit import as_float
from .linear_arrays import LinearArrays
from .means import mean_pass, outputs
from .trace import Stretch, Trace


def unit_free_factor(cov: np.ndarray) -> np.ndarray:
    """F (k, n, n) with F F' = cov (k, n, n), from the correlations, so that states of any units are treated alike."""
    d = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    unit = np.where(d > 0, d, 1.0)
    values, vectors = np.linalg.eigh(cov / (unit[..., :, None] * unit[..., None, :]))
    floor = cov.shape[-1] * np.finfo(float).eps * np.maximum(values[..., -1:], 0.0)
    root = np.sqrt(np.where(values > floor, values, 0.0))
    return as_float(d[..., :, None] * vectors * root[..., None, :])


def square_root_pass(arrays: LinearArrays, stretch: Stretch) -> Trace:
    """As `kalman.covariance_pass`, with every covariance as L L'."""
    S, T, p = stretch.y.shape
    n = len(stretch.cov)
    keep = stretch.store == "all"
    k = T if keep else 1
    Pp, Pf, Lf, turn = (np.empty((k, n, n)) for _ in range(4))
    kappa = np.empty((k, n, p))
    K, W, const = np.empty((T, n, p)), np.empty((T, p, p)), np.empty(T)
    rank, index, L = np.empty(T, dtype=np.int64), np.empty(T, dtype=np.int64), np.empty((n, n))
    A, FQ, start = as_float(arrays.AT.swapaxes(1, 2)), unit_free_factor(arrays.Q), unit_free_factor(stretch.cov[None])[0]
    slots = square_root.covariances(
        conditioning.condition.as_argument(), A, arrays.C, FQ, arrays.R, ~np.isnan(stretch.y[0]), start,
        arrays.is_invariant, Pp, Pf, Lf, K, W, kappa, turn, const, rank, index, L)  # fmt: skip
    xp, xf, log_density, mean = mean_pass(arrays, stretch, (K[:slots], W[:slots], const[:slots], rank[:slots], index))
    yp = None if stretch.store == "last" else outputs(arrays, xp)
    P = L @ L.T
    e = None if yp is None else np.where(np.isnan(stretch.y), 0.0, stretch.y - yp)
    extra = {"Lf": Lf[:slots], "A": A, "FQ": FQ, "turn": turn[:slots], "kappa": kappa[:slots], "e": e} if keep else {}
    return Trace(xp, xf, yp, Pp[:slots] if keep else None, Pf[:slots] if keep else None, index, arrays.AT, arrays.Q,
                 arrays.C, arrays.R, log_density, mean, (P + P.T) / 2, form="square root", extra=extra)  # fmt: skip


def square_root_backward(trace: Trace) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed means (S, T, n); covariances and Cov(x[t+1], x[t]) in slots (k, n, n); the slot of each step (T,)."""
    T, n = trace.xf.shape[1:]
    of = trace.extra
    Theta, Ps, cross, place = np.zeros_like(of["Lf"]), np.empty((T, n, n)), np.zeros((T, n, n)), np.empty(T, dtype=np.int64)
    slots = square_root.smoothed(of["A"], of["FQ"], of["Lf"], of["turn"], trace.index, Theta, Ps, cross, place)
    x = np.empty_like(trace.xf)
    square_root.smoothed_means(Theta, of["Lf"], of["turn"], of["kappa"], trace.index, of["e"], trace.xf, x)
    return x, Ps[:slots], cross[:slots], place
