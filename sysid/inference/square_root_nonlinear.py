"""Extended and sigma-point filters on square-root factors: what their covariance forms lose to cancellation is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import conditioning, square_root_extended, square_root_sigma
from ..kernels._jit import as_float
from ..linear.covariances import covariance_inverse
from ..models.process import Process
from .linear_arrays import scheduled
from .square_root import steps, unit_free_factor
from .trace import Stretch, Trace

FORMS = ("auto", "covariance", "sqrt")
# Below this share of what it was summed from, a variance may have lost too many digits for the covariance form. The share is
# the worst case: on a reservoir of 100 units with share 2e-12 variances kept eight digits. Where factors cost ten times as
# much, only a variance that may be lost altogether is worth them.
LEAST_SHARE, LEAST_SHARE_WIDE = 1e-6, 1e-14
WIDE = 50  # states, above which factors cost that much


def wanted(form: str, trace: Trace) -> bool:
    """Whether the covariance form's run is to be done again on factors."""
    return form == "auto" and trace.share < (LEAST_SHARE if trace.cov.shape[-1] <= WIDE else LEAST_SHARE_WIDE)


def missing_noise(R: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The noise v of missing outputs given that of measured ones, B v + F nu with nu ~ N(0, I): B, F (T, p, p).

    R: (1 or T, p, p). seen: (T, p).
    """
    T, p = seen.shape
    B, F = np.zeros((T, p, p)), np.zeros((T, p, p))
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        o, m, here = np.flatnonzero(pattern), np.flatnonzero(~pattern), np.flatnonzero(which.reshape(-1) == k)
        if not len(m):
            continue
        for group in [here] if len(R) == 1 else [[t] for t in here]:
            V = R[0 if len(R) == 1 else group[0]]
            gain = V[np.ix_(m, o)] @ covariance_inverse(V[np.ix_(o, o)])
            rest = V[np.ix_(m, m)] - gain @ V[np.ix_(o, m)]
            B[np.ix_(group, m, o)] = gain
            F[np.ix_(group, m, m)] = unit_free_factor((rest + rest.T)[None] / 2)[0]
    return B, F


class _Arrays:
    """What both kernels take and fill for one sequence."""

    def __init__(self, process: Process, stretch: Stretch):
        model, self.stretch = process.model, stretch
        self.y, self.fun = stretch.y[0], model.functions()
        (T, q), n = self.y.shape, model.n_states
        self.seen = ~np.isnan(self.y)
        self.Q, self.R = (scheduled(a, stretch.start, T, name) for a, name in ((process.Q, "Q"), (process.R, "R")))
        self.u = as_float(model.extended_input(stretch.u[0], self.y))
        self.m = self.u.shape[1] - model.n_feedback
        self.latent = bool(model.n_feedback and not self.seen.all())
        self.B: np.ndarray = np.zeros((1, q, q))
        self.F: np.ndarray = np.zeros((1, q, q))
        if self.latent:
            self.B, self.F = missing_noise(self.R, self.seen)
        self.dt = model.dt
        k, kept = (T if stretch.store == "all" else 1), (1 if stretch.store == "last" else T)
        self.L, self.x, self.log_density = unit_free_factor(stretch.cov[None])[0].copy(), np.empty(n), np.empty(T)
        self.Yp, self.S, self.Xp, self.Xf = np.empty((T, q)), np.empty((k, q, q)), np.empty((kept, n)), np.empty((kept, n))
        self.Pp, self.Pf, self.Lf, self.turn, self.AL, self.E, self.A = (np.empty((k, n, n)) for _ in range(7))
        self.zeta = np.empty((k, n))

    def _state_matrices(self) -> np.ndarray:
        """A (k, n, n) with A L(t|t) = AL, in units of the states' deviations."""
        d = np.sqrt((self.Lf**2).sum(2))
        unit = np.where(d > 0, d, 1.0)
        rcond = 16 * d.shape[1] * np.finfo(float).eps
        return self.AL @ np.linalg.pinv(self.Lf / unit[:, :, None], rcond=rcond) / unit[:, None, :]

    def trace(self, form: str, A: np.ndarray | None) -> Trace:
        """The run as smoothers and results read it."""
        keep = self.stretch.store == "all"
        T, (q, n) = len(self.y), (self.y.shape[1], len(self.x))
        extra: dict[str, Any] = {}
        if keep:
            extra = {"Lf": self.Lf, "AL": self.AL, "E": self.E, "turn": self.turn, "zeta": self.zeta[None], "S": self.S}
            A = self._state_matrices() if A is None else A
        AT = as_float(np.zeros((1, n, n)) if A is None else A.swapaxes(1, 2))
        P = self.L @ self.L.T
        return Trace(self.Xp[None], self.Xf[None], self.Yp[None], self.Pp if keep else None, self.Pf if keep else None, np.arange(T), AT,
                     self.E @ self.E.swapaxes(1, 2), np.zeros((1, q, n)), self.R, self.log_density[None], self.x[None], (P + P.T) / 2,
                     form=form + ", square root", extra=extra)  # fmt: skip


def extended_on_factors(process: Process, stretch: Stretch, iterations: int, not_finite: Any) -> Trace:
    """The extended Kalman filter of one sequence. not_finite: says where a function left the numbers."""
    a = _Arrays(process, stretch)
    fun = a.fun
    run = square_root_extended.extended if fun.compiled else square_root_extended.extended.py_func
    fu = "fu" if process.model.n_feedback else "fx"
    bad, which = run(
        conditioning.condition.as_argument(), *steps(), *fun.arguments("f", "g", "fx", "gx", fu), a.u, a.m, fun.p, stretch.start * a.dt, a.dt,
        unit_free_factor(a.Q), a.R, a.B, a.F, a.y, a.seen, iterations, stretch.mean[0], a.L, a.Yp, a.S, a.Xp, a.Xf, a.Pp, a.Pf, a.Lf,
        a.turn, a.AL, a.E, a.A, a.zeta, a.log_density, a.x)  # fmt: skip
    if bad >= 0:
        raise FloatingPointError(not_finite(stretch.start + bad, which, a.Xp, a.Xf, bad, a.u))
    return a.trace("extended" if iterations == 1 else "iterated", a.A)


def sigma_on_factors(process: Process, stretch: Stretch, points: Any, form: str, not_finite: Any) -> Trace:
    """A sigma-point filter of one sequence. points: n -> Points, for the state and, where outputs fed back are missing, their noise."""
    a = _Arrays(process, stretch)
    fun, xi = a.fun, points(process.n_states)
    wide = points(process.n_states + process.n_outputs) if a.latent else xi
    run = square_root_sigma.sigma_filter if fun.compiled else square_root_sigma.sigma_filter.py_func
    bad, which = run(
        conditioning.condition.as_argument(), *steps(), *fun.arguments("f", "g"), as_float(xi.xi), xi.weights, as_float(wide.xi), wide.weights,
        int(xi.about_first), xi.excess, a.u, a.m, fun.p, stretch.start * a.dt, a.dt, unit_free_factor(a.Q), a.R, a.B, a.F, a.y, a.seen,
        stretch.mean[0], a.L, a.Yp, a.S, a.Xp, a.Xf, a.Pp, a.Pf, a.Lf, a.turn, a.AL, a.E, a.zeta, a.log_density, a.x)  # fmt: skip
    if bad >= 0:
        raise FloatingPointError(not_finite(stretch.start + bad, which, a.Xp, a.Xf, bad, a.u))
    return a.trace(form, None)
