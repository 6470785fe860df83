"""The extended Kalman filter, with an iterated update where asked.

    x(t+1|t) = f(x(t|t), u[t]),  P(t+1|t) = A P(t|t) A' + Q;   e = y - g(x(t|t-1), u[t]),  K = P C' (C P C' + R)^-1
                                                                                       [Jazwinski 1970, Sec. 8.3]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import _check
from ..kernels import conditioning, extended, handful, propagation
from ..kernels._jit import as_float
from ..models.process import Process
from .linear_arrays import scheduled
from .memory import empty
from .square_root_nonlinear import FORMS, extended_on_factors, wanted
from .threads import for_each
from .trace import Stretch, Trace


@dataclass(frozen=True)
class ExtendedKalman:
    """The extended Kalman filter: first-order, with the Jacobians of f and g.

    Exact on linear models; elsewhere an approximation that trusts the linearisation over one standard deviation.
    form: "covariance"; "sqrt" carries factors P = L L', which cannot lose their sign; "auto" turns to factors where
    cancellation has left less than 1e-6 of a variance.
    Cost O(T n^3) and one call each of f, g and their Jacobians a step.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    form: str = "auto"

    def __post_init__(self) -> None:
        _check.choice(self.form, "form", "ExtendedKalman", FORMS)

    @property
    def iterations(self) -> int:
        """Linearisations of g in one update."""
        return 1

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own covariances."""
        return run_extended(process, stretch, self.iterations, self.form)


@dataclass(frozen=True)
class IteratedKalman:
    """The extended Kalman filter with an iterated update: Gauss-Newton steps to the mode given y[t].

    max_iterations: linearisations of g in one update at most; it stops when a step moves by 1e-10 standard deviations.
    form: as for ExtendedKalman. The log-likelihood uses the last linearisation. [Bell & Cathey 1993]
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    max_iterations: int = 10
    form: str = "auto"

    def __post_init__(self) -> None:
        _check.count(self.max_iterations, "max_iterations", "IteratedKalman")
        _check.choice(self.form, "form", "IteratedKalman", FORMS)

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over every sequence; each has its own covariances."""
        return run_extended(process, stretch, self.max_iterations, self.form)


def run_extended(process: Process, stretch: Stretch, iterations: int, form: str) -> list[Trace]:
    """One trace a sequence."""
    return each_sequence(process, stretch, lambda part: _sequence(process, part, iterations, form))


def each_sequence(process: Process, stretch: Stretch, run: Callable[[Stretch], Trace]) -> list[Trace]:
    """One trace a sequence, in threads where the functions are compiled; the first one by itself, since it compiles."""
    parts = [stretch.sequence(s) for s in range(len(stretch.y))]
    if not process.model.functions().compiled:
        return [run(part) for part in parts]
    return [run(parts[0]), *for_each(parts[1:], run)]


def _sequence(process: Process, stretch: Stretch, iterations: int, form: str) -> Trace:
    model = process.model
    check_start(stretch, "ExtendedKalman")
    if process.S is not None and process.S.any():
        raise ValueError("ExtendedKalman: expected S = None; received a cross covariance, which only linear processes take. "
                         "Augment the state with the measurement noise.")  # fmt: skip
    if form == "sqrt":
        return extended_on_factors(process, stretch, iterations, not_finite)
    fun = model.functions()
    y = stretch.y[0]
    (T, q), n = y.shape, model.n_states
    k, kept = (T if stretch.store == "all" else 1), (1 if stretch.store == "last" else T)
    Q, R = (scheduled(a, stretch.start, T, name) for a, name in ((process.Q, "Q"), (process.R, "R")))
    fed_back = model.n_feedback and np.isnan(y).any()
    Yp, Ct, Xp, Xf = empty((T, q)), empty((k, q, n)), empty((kept, n)), empty((kept, n))
    Pp, Pf, AT, Qt = (empty((k, n, n)), empty((k, n, n)), empty((k, n, n)),
                      empty((k if fed_back else 1, n, n)))  # fmt: skip
    L, x, P = empty((T,)), stretch.mean[0].copy(), stretch.cov.copy()
    compiled = extended.extended(n if fun.compiled and iterations == 1 else 0)
    run = compiled if fun.compiled else compiled.py_func
    u = as_float(model.extended_input(stretch.u[0], y))
    linear_f, f, fx = fun.linearised("f")
    linear_g, g, gx = fun.linearised("g")
    fu = fun.arguments("fu")[0] if model.n_feedback else fx
    bad, which, share = run(
        u, handful.absorb.as_argument(), conditioning.condition.as_argument(), propagation.propagate.as_argument(), linear_f, linear_g, f, g, fx, gx, fu,
        u.shape[1] - model.n_feedback, fun.p, stretch.start * model.dt, model.dt, Q, R, y, ~np.isnan(y), iterations,
        Yp, Ct, Xp, Xf, Pp, Pf, AT, Qt, L, x, P, *extended.workspace(n, q, u.shape[1]))  # fmt: skip
    if bad >= 0:
        raise FloatingPointError(not_finite(stretch.start + bad, which, Xp, Xf, bad, u))
    keep = stretch.store == "all"
    trace = Trace(Xp[None], Xf[None], Yp[None], Pp if keep else None, Pf if keep else None, np.arange(T), AT,
                 Qt if fed_back else Q, Ct, R, L[None], x[None], P, share,
                  "extended" if iterations == 1 else "iterated")  # fmt: skip
    return extended_on_factors(process, stretch, iterations, not_finite) if wanted(form, trace) else trace


def check_start(stretch: Stretch, call: str) -> None:
    """Refuse a diffuse start, which only the linear filter takes exactly."""
    if stretch.is_diffuse:
        raise ValueError(f"{call}: expected initial=Gaussian(mean, cov); received a start that is diffuse, which Kalman() takes for "
                         "linear models. Give a wide Gaussian.")  # fmt: skip


def not_finite(step: int, which: int, Xp: np.ndarray, Xf: np.ndarray, row: int, u: np.ndarray) -> str:
    """The sentence for a function that left the numbers."""
    x = (Xp, Xf)[which][row if len(Xp) > 1 else 0]
    with np.printoptions(precision=4, threshold=8):
        return (f"filter: {'gf'[which]} or its Jacobian returned a value that is not finite, or not of its shape, at time step {step}, "
                f"x = {x}, u = {u[row]}. The estimate has left the region where the model is valid: check Q, R and initial, "
                "or bound the function.")  # fmt: skip
