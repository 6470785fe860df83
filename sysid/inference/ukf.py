"""Sigma-point filters: unscented, cubature and Gauss-Hermite, which differ in their points and weights alone.

    x_i = m + L xi_i,  P = L L';   E f(x) ~ sum w_i f(x_i),   Cov f(x) ~ sum w_i (f(x_i) - f^) (f(x_i) - f^)'

Points are drawn anew after each prediction: g then sees the process noise. (Passing the predicted points on instead
gives other numbers on nonlinear problems; libraries differ.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import _check
from ..kernels import conditioning, handful, propagation, sigma_points
from ..kernels._jit import as_float
from ..models.process import Process
from .ekf import check_start, each_sequence, not_finite
from .linear_arrays import scheduled
from .memory import empty
from .square_root_nonlinear import FORMS, sigma_on_factors, wanted
from .trace import Stretch, Trace


@dataclass(frozen=True)
class Points:
    """Unit points xi (k, n), weights (k,) of the mean; about_first and excess say how the centre enters covariances.

    arm: where the points are an optional zero, all arm e_j and all -arm e_j, of weight 1/(2 arm^2) each; zero for others.
    """

    xi: np.ndarray
    weights: np.ndarray
    about_first: bool = False
    excess: float = -1.0
    arm: float = 0.0


@dataclass(frozen=True)
class UnscentedKalman:
    """The unscented Kalman filter with the scaled points of Van der Merwe.

        lambda = alpha^2 (n + kappa) - n,   xi = 0, +-sqrt(n + lambda) e_i,   w_0 = lambda / (n + lambda), w_i = 1/(2(n + lambda))

    alpha: spread of the points. beta: weight of the centre in covariances, 2 for Gaussian priors, not below alpha^2.
    kappa: 0, or 3 - n. Sums of squares about the central point keep covariances positive semidefinite whatever the
    sign of w_0. 2n + 1 calls of f and of g a step, no Jacobians; cost O(T n^3). [Wan & Van der Merwe 2000]
    form: as for ExtendedKalman. A missing output that the model feeds back is a latent number: points are drawn over the state
    and its noise together, and the form is then "sqrt".
    Raises TypeError or ValueError for options of another kind or out of range, such as beta below alpha^2.
    """

    alpha: float = 1.0
    beta: float = 2.0
    kappa: float = 0.0
    form: str = "auto"

    def __post_init__(self) -> None:
        _check.options(self, alpha="positive", beta="nonnegative")
        _check.choice(self.form, "form", "UnscentedKalman", FORMS)
        if isinstance(self.kappa, bool) or not isinstance(self.kappa, int | float | np.integer | np.floating) or not np.isfinite(self.kappa):
            raise TypeError(f"UnscentedKalman: expected kappa as a number; received {self.kappa!r}.")
        if not self.beta >= self.alpha**2:
            raise ValueError(f"UnscentedKalman: expected beta >= alpha^2, without which a covariance may turn negative; "
                             f"received beta = {self.beta}, alpha = {self.alpha}.")  # fmt: skip

    def points(self, n: int) -> Points:
        """The 2n + 1 points for n states. Raises ValueError for kappa not above -n."""
        if not n + self.kappa > 0:
            raise ValueError(f"UnscentedKalman: expected kappa > -n = {-n}; received {self.kappa}.")
        scale = self.alpha**2 * (n + self.kappa)
        xi = np.vstack([np.zeros(n), np.sqrt(scale) * np.eye(n), -np.sqrt(scale) * np.eye(n)])
        weights = np.r_[1 - n / scale, np.full(2 * n, 0.5 / scale)]
        return Points(xi, weights, True, self.beta - self.alpha**2, float(np.sqrt(scale)))

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own covariances."""
        return run_sigma(process, stretch, self.points, "unscented", self.form)


@dataclass(frozen=True)
class CubatureKalman:
    """The cubature Kalman filter: 2n points +-sqrt(n) e_i of equal weight, exact for cubic f. [Arasaratnam & Haykin 2009]

    form: as for UnscentedKalman. 2n calls of f and of g a step; cost O(T n^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    form: str = "auto"

    def __post_init__(self) -> None:
        _check.choice(self.form, "form", "CubatureKalman", FORMS)

    def points(self, n: int) -> Points:
        """The 2n points for n states."""
        return Points(np.sqrt(n) * np.vstack([np.eye(n), -np.eye(n)]), np.full(2 * n, 0.5 / max(n, 1)), arm=float(np.sqrt(n)))

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own covariances."""
        return run_sigma(process, stretch, self.points, "cubature", self.form)


@dataclass(frozen=True)
class GaussHermiteKalman:
    """The Gauss-Hermite Kalman filter: a product grid of `order` points a state, exact to degree 2 order - 1 in each.

    form: as for UnscentedKalman. order^n calls of f and of g a step, refused above 100,000. [Ito & Xiong 2000]
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    order: int = 3
    form: str = "auto"

    def __post_init__(self) -> None:
        _check.count(self.order, "order", "GaussHermiteKalman", least=2)
        _check.choice(self.form, "form", "GaussHermiteKalman", FORMS)

    def points(self, n: int) -> Points:
        """The order^n points for n states. Raises ValueError for more than 100,000 points."""
        if self.order**n > 100_000:
            raise ValueError(f"GaussHermiteKalman: expected order^n <= 100000 points; received {self.order}^{n}. "
                             "CubatureKalman() needs 2n.")  # fmt: skip
        nodes, w = np.polynomial.hermite_e.hermegauss(self.order)
        grid = np.meshgrid(*[nodes] * n, indexing="ij")
        weights = np.ones(1)
        for _ in range(n):
            weights = np.multiply.outer(weights, w / w.sum()).ravel()
        return Points(np.stack([a.ravel() for a in grid], axis=1), weights)

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own covariances."""
        return run_sigma(process, stretch, self.points, "Gauss-Hermite", self.form)


def run_sigma(process: Process, stretch: Stretch, points: Callable[[int], Points], name: str, form: str) -> list[Trace]:
    """One trace a sequence."""
    return each_sequence(process, stretch, lambda part: _sequence(process, part, points, name, form))


def _sequence(process: Process, stretch: Stretch, rule: Callable[[int], Points], name: str, form: str) -> Trace:
    model = process.model
    fun = model.functions()
    y = stretch.y[0]
    check_start(stretch, f"{name} filter")
    if process.S is not None and process.S.any():
        raise ValueError(f"{name} filter: expected S = None; received a cross covariance, which only linear processes take.")
    if form == "sqrt" or (model.n_feedback and np.isnan(y).any()):
        return sigma_on_factors(process, stretch, rule, name, not_finite)
    points = rule(model.n_states)
    (T, q), n = y.shape, model.n_states
    k, kept = (T if stretch.store == "all" else 1), (1 if stretch.store == "last" else T)
    Q, R = (scheduled(a, stretch.start, T, which) for a, which in ((process.Q, "Q"), (process.R, "R")))
    Yp, Ct, Rt, Xp, Xf = empty((T, q)), empty((k, q, n)), empty((k, q, q)), empty((kept, n)), empty((kept, n))
    Pp, Pf, AT, Qt = (empty((k, n, n)) for _ in range(4))
    L, x, P = empty((T,)), stretch.mean[0].copy(), stretch.cov.copy()
    compiled = sigma_points.sigma_filter(n if fun.compiled and points.arm > 0 else 0)
    run = compiled if fun.compiled else compiled.py_func
    u = as_float(model.extended_input(stretch.u[0], y))
    values_f, f = fun.values("f")
    values_g, g = fun.values("g")
    bad, which, share = run(
        u, handful.absorb.as_argument(), conditioning.condition.as_argument(), propagation.propagate.as_argument(), values_f, values_g, f, g, as_float(points.xi),
        points.weights, points.arm, points.about_first, points.excess, fun.p, stretch.start * model.dt, model.dt, Q, R, y, ~np.isnan(y),
        Yp, Ct, Rt, Xp, Xf, Pp, Pf, AT, Qt, L, x, P, *sigma_points.workspace(n, q, len(points.xi)))  # fmt: skip
    if bad >= 0:
        raise FloatingPointError(not_finite(stretch.start + bad, which, Xp, Xf, bad, u))
    keep = stretch.store == "all"
    trace = Trace(Xp[None], Xf[None], Yp[None], Pp if keep else None, Pf if keep else None, np.arange(T), AT, Qt, Ct, Rt,
                  L[None], x[None], P, share, name)  # fmt: skip
    return sigma_on_factors(process, stretch, rule, name, not_finite) if wanted(form, trace) else trace
