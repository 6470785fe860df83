"""The Kalman filter for linear, linear time-varying and bilinear processes.

    x(t|t) = x(t|t-1) + K e,  e = y - C x(t|t-1) - D u - d,  K = P C' (C P C' + R)^-1      [Anderson & Moore 1979, Sec. 3.1]
    x(t+1|t) = A x(t|t) + B u + c,   P(t+1|t) = A P(t|t) A' + Q                           [ESN-SSM, Eqs. 64, 65]
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from .. import _check
from ..kernels import conditioning, filtering, propagation
from ..kernels import means as mean_kernels
from ..models.bilinear import Bilinear
from ..models.process import Process
from .diffuse import after, joined, run_prefix
from .linear_arrays import LinearArrays, decorrelate, linear_arrays
from .trace import Stretch, Trace

FORMS = ("auto", "covariance")


@dataclass(frozen=True)
class Kalman:
    """The Kalman filter, exact for linear processes.

    form: "covariance" updates P in Joseph's symmetric form; "auto" chooses.
    The covariance recursion of a time-invariant process stops once it has converged to rounding and starts again,
    exactly, at a missing entry. Cost O(T (n^2 p + n^3)) before convergence, O(T n (n + p)) after.
    """

    form: str = "auto"

    def __post_init__(self) -> None:
        _check.choice(self.form, "form", "Kalman", FORMS)

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over all sequences; those that share model, inputs' effect on covariances and gaps share one pass."""
        seen = ~np.isnan(stretch.y)
        alike = len(stretch.y) == 1 or bool((seen == seen[:1]).all())
        own_model = isinstance(process.model, Bilinear) or (process.S is not None and process.S.any())
        if len(stretch.y) > 1 and (own_model or not alike):
            parts = [stretch.sequence(s) for s in range(len(stretch.y))]
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                return list(pool.map(lambda part: self._shared(process, part), parts))
        return [self._shared(process, stretch)]

    def _shared(self, process: Process, stretch: Stretch) -> Trace:
        arrays = linear_arrays(process, stretch.u, stretch.start)
        arrays = decorrelate(arrays, process.S, stretch.y[0])
        if not stretch.is_diffuse:
            return covariance_pass(arrays, stretch)
        prefix = run_prefix(arrays, stretch, stretch.diffuse)
        rest = covariance_pass(*after(arrays, stretch, prefix)) if prefix.n_steps < stretch.n_steps else None
        trace = joined(prefix, rest, arrays, stretch)
        return replace(trace, yp=outputs(arrays, trace.xp)) if stretch.store != "last" else trace


def covariance_pass(arrays: LinearArrays, stretch: Stretch) -> Trace:
    """Covariances and gains in covariance form, then the means."""
    S, T, p = stretch.y.shape
    n = len(stretch.cov)
    kept = T if stretch.store == "all" else 1
    Pp, Pf, K, W = np.empty((kept, n, n)), np.empty((kept, n, n)), np.empty((T, n, p)), np.empty((T, p, p))
    const, rank, index, P = np.empty(T), np.empty(T, dtype=np.int64), np.empty(T, dtype=np.int64), np.empty((n, n))
    slots, share = filtering.covariances(
        conditioning.condition.as_argument(), propagation.propagate.as_argument(), arrays.AT, arrays.C, arrays.Q, arrays.R,
        ~np.isnan(stretch.y[0]), stretch.cov, arrays.is_invariant, Pp, Pf, K, W, const, rank, index, P)  # fmt: skip
    gains = (K[:slots], W[:slots], const[:slots], rank[:slots], index)
    xp, xf, log_density, mean = mean_pass(arrays, stretch, gains)
    keep = stretch.store == "all"
    yp = None if stretch.store == "last" else outputs(arrays, xp)
    return Trace(xp, xf, yp, Pp[:slots] if keep else None, Pf[:slots] if keep else None, index, arrays.AT, arrays.Q,
                 arrays.C, arrays.R, log_density, mean, P, share)  # fmt: skip


def mean_pass(arrays: LinearArrays, stretch: Stretch, gains: tuple) -> tuple[np.ndarray, ...]:
    """Means of all sequences along shared gains, in threads where there are many."""
    S, T, _ = stretch.y.shape
    n = len(stretch.cov)
    kept = 1 if stretch.store == "last" else T
    xp, xf, log_density, mean = np.empty((S, kept, n)), np.empty((S, kept, n)), np.empty((S, T)), np.empty((S, n))

    def run(a: int, b: int) -> None:
        bx, by = (v if len(v) == 1 else v[a:b] for v in (arrays.bx, arrays.by))
        mean_kernels.linear_means(arrays.AT, arrays.C, bx, by, *gains, stretch.y[a:b], stretch.mean[a:b], xp[a:b],
                                  xf[a:b], log_density[a:b], mean[a:b])  # fmt: skip

    workers = min(os.cpu_count() or 1, S) if S * T > 20000 else 1
    if workers == 1:
        run(0, S)
    else:
        edges = np.linspace(0, S, workers + 1).astype(int)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run, edges[:-1].tolist(), edges[1:].tolist()))
    return xp, xf, log_density, mean


def outputs(arrays: LinearArrays, x: np.ndarray) -> np.ndarray:
    """C x + D u + d along states x (S, T, n)."""
    y = x @ arrays.C[0].T if len(arrays.C) == 1 else (arrays.C @ x[..., None])[..., 0]
    return y + arrays.by
