"""The Kalman filter and smoother on square-root factors, for problems that cost the covariance form its digits."""

from __future__ import annotations

import numpy as np

from ..kernels import conditioning, factors, square_root, square_root_smoothing
from ..kernels._jit import as_float
from .linear_arrays import LinearArrays
from .means import mean_pass
from .trace import Stretch, Trace


def unit_free_factor(cov: np.ndarray) -> np.ndarray:
    """F (k, n, n) with F F' = cov (k, n, n), from the correlations, so that states of any units are treated alike."""
    d = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    unit = np.where(d > 0, d, 1.0)
    values, vectors = np.linalg.eigh(cov / (unit[..., :, None] * unit[..., None, :]))
    floor = cov.shape[-1] * np.finfo(float).eps * np.maximum(values[..., -1:], 0.0)
    root = np.sqrt(np.where(values > floor, values, 0.0))
    return as_float(d[..., :, None] * vectors * root[..., None, :])


def steps() -> tuple:
    """The two steps on factors, as kernels take them."""
    return factors.update.as_argument(), factors.triangularise.as_argument()


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
        conditioning.condition.as_argument(), *steps(), A, arrays.C, FQ, arrays.R, ~np.isnan(stretch.y[0]), start,
        arrays.is_invariant, Pp, Pf, Lf, K, W, kappa, turn, const, rank, index, L)  # fmt: skip
    xp, xf, yp, log_density, mean = mean_pass(arrays, stretch, (K[:slots], W[:slots], const[:slots], rank[:slots], index[None]))
    P = L @ L.T
    extra: dict[str, np.ndarray] = {}
    if keep:
        e = np.where(np.isnan(stretch.y), 0.0, stretch.y - yp)
        zeta = (kappa[index] @ e[..., None])[..., 0]
        extra = {"Lf": Lf[:slots], "AL": A[:slots] @ Lf[:slots], "E": FQ[:slots], "turn": turn[:slots], "zeta": zeta}
    return Trace(xp, xf, yp, Pp[:slots] if keep else None, Pf[:slots] if keep else None, index, arrays.AT, arrays.Q,
                 arrays.C, arrays.R, log_density, mean, (P + P.T) / 2, form="square root", extra=extra)  # fmt: skip


def rotations(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """[Theta1, Theta2] (slots, n, 2n) and L(t+1|t) (slots, n, n) of a square-root trace."""
    of = trace.extra
    slots, n = of["Lf"].shape[:2]
    Theta, ahead = np.empty((slots, n, 2 * n)), np.empty((slots, n, n))
    square_root_smoothing.rotations(steps()[1], as_float(of["AL"]), as_float(of["E"]), Theta, ahead)
    return Theta, ahead


def square_root_backward(trace: Trace) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed means (S, T, n); covariances and Cov(x[t+1], x[t]) in slots (k, n, n); the slot of each step (T,)."""
    T, n = trace.xf.shape[1:]
    Lf, turn = trace.extra["Lf"], trace.extra["turn"]
    Ps, cross, place = np.empty((T, n, n)), np.zeros((T, n, n)), np.empty(T, dtype=np.int64)
    Theta, ahead = rotations(trace)
    slots = square_root_smoothing.covariances(steps()[1], Theta, ahead, Lf, turn, trace.index, Ps, cross, place)
    x = np.empty_like(trace.xf)
    square_root_smoothing.means(Theta, Lf, turn, as_float(trace.extra["zeta"]), trace.index, trace.xf, x)
    return x, Ps[:slots], cross[:slots], place
