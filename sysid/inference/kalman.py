"""The Kalman filter for linear, linear time-varying and bilinear processes.

    x(t|t) = x(t|t-1) + K e,  e = y - C x(t|t-1) - D u - d,  K = P C' (C P C' + R)^-1
                                                          [Anderson & Moore 1979, Sec. 3.1]
    x(t+1|t) = A x(t|t) + B u + c,   P(t+1|t) = A P(t|t) A' + Q                           [ESN-SSM, Eqs. 64, 65]
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .. import _check
from ..kernels import conditioning, filtering, propagation
from ..kernels import sequential as sequential_kernels
from ..models.bilinear import Bilinear
from ..models.process import Process
from .collapse import collapse
from .decoupled import components, decoupled_pass
from .diffuse import after, joined, run_prefix
from .linear_arrays import LinearArrays, decorrelate, linear_arrays
from .means import mean_pass, outputs
from .square_root import square_root_pass
from .trace import Stretch, Trace

FORMS = ("auto", "covariance", "sequential", "sqrt", "information")
LOSS = 1e-6  # below this share of what it was summed from, a variance has lost too many digits for the covariance form


@dataclass(frozen=True)
class Kalman:
    """The Kalman filter, exact for linear processes.

    form: "covariance" updates P in Joseph's symmetric form, all outputs at once; "sequential" one output at a time;
    "sqrt" carries factors P = L L'; "information" first collapses p > n outputs onto n combinations.
    "auto" takes "information" for p > n with a regular constant R, else "covariance", and turns to "sqrt" where
    cancellation has left less than 1e-6 of a variance. It also filters apart what nothing ties together. The result names the
    form used.
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
        common = None if own_model else linear_arrays(process, stretch.u, stretch.start)
        if len(stretch.y) > 1 and (own_model or not alike):
            workers = os.cpu_count() or 1
            with ThreadPoolExecutor(workers) as pool:  # one task a thread: a task a sequence would cost as much as its filter
                chunks = pool.map(lambda first: [self._sequence(process, stretch, s, common) for s in range(*first)],
                                  pairwise(np.linspace(0, len(stretch.y), workers + 1).astype(int).tolist()))  # fmt: skip
                return [trace for chunk in chunks for trace in chunk]
        return [self._shared(common or self._arrays(process, stretch), stretch)]

    def _sequence(self, process: Process, stretch: Stretch, s: int, common: LinearArrays | None) -> Trace:
        """Sequence s alone."""
        part = stretch.sequence(s)
        return self._shared(self._arrays(process, part) if common is None else common.sequence(s), part)

    @staticmethod
    def _arrays(process: Process, stretch: Stretch) -> LinearArrays:
        return decorrelate(linear_arrays(process, stretch.u, stretch.start), process.S, stretch.y[0])

    def _shared(self, arrays: LinearArrays, stretch: Stretch) -> Trace:
        if not stretch.is_diffuse:
            return self._proper(arrays, stretch)
        prefix = run_prefix(arrays, stretch, stretch.diffuse)
        rest = self._proper(*after(arrays, stretch, prefix)) if prefix.n_steps < stretch.n_steps else None
        trace = joined(prefix, rest, arrays, stretch)
        return replace(trace, yp=outputs(arrays, trace.xp)) if stretch.store != "last" else trace

    def _proper(self, arrays: LinearArrays, stretch: Stretch) -> Trace:
        """From a proper start, in the form wanted."""
        p, n = arrays.C.shape[1:]
        if self.form == "auto" and len(parts := components(arrays, stretch.cov)) > 1:
            return decoupled_pass(arrays, stretch, parts, self._proper, lambda: square_root_pass(arrays, stretch))
        if self.form in ("information", "auto") and p > n > 0:
            collapsed = collapse(arrays, stretch)
            if collapsed is not None:
                return self._collapsed(arrays, stretch, *collapsed)
        if self.form == "sqrt":
            return square_root_pass(arrays, stretch)
        trace = covariance_pass(arrays, stretch, sequential=self.form == "sequential")
        if self.form == "covariance":
            return trace
        if trace.share < LOSS:  # -1 from the sequential step: an output without variance
            return square_root_pass(arrays, stretch)
        return replace(trace, extra={"square root": lambda: square_root_pass(arrays, stretch)})

    def _collapsed(self, whole: LinearArrays, stretch: Stretch, arrays: LinearArrays, short: Stretch, left: np.ndarray) -> Trace:
        """Filter the collapsed problem and put back what was left out."""
        trace = Kalman()._proper(arrays, short)
        form = "information" if trace.form == "covariance" else "information, " + trace.form
        yp = None if stretch.store == "last" else outputs(whole, trace.xp)
        return replace(trace, yp=yp, C=whole.C, R=whole.R, log_density=trace.log_density + left, form=form)


def covariance_pass(arrays: LinearArrays, stretch: Stretch, sequential: bool = False) -> Trace:
    """Covariances and gains in covariance form, all outputs at once or one at a time, then the means."""
    step = sequential_kernels.condition if sequential else conditioning.condition
    S, T, p = stretch.y.shape
    n = len(stretch.cov)
    kept = T if stretch.store == "all" else 1
    Pp, Pf, K, W = np.empty((kept, n, n)), np.empty((kept, n, n)), np.empty((T, n, p)), np.empty((T, p, p))
    const, rank, index, P = np.empty(T), np.empty(T, dtype=np.int64), np.empty(T, dtype=np.int64), np.empty((n, n))
    slots, share = filtering.covariances(
        step.as_argument(), propagation.propagate.as_argument(), arrays.AT, arrays.C, arrays.Q, arrays.R,
        ~np.isnan(stretch.y[0]), stretch.cov, arrays.is_invariant, Pp, Pf, K, W, const, rank, index, P)  # fmt: skip
    gains = (K[:slots], W[:slots], const[:slots], rank[:slots], index)
    xp, xf, yp, log_density, mean = mean_pass(arrays, stretch, gains)
    keep = stretch.store == "all"
    return Trace(xp, xf, yp, Pp[:slots] if keep else None, Pf[:slots] if keep else None, index, arrays.AT, arrays.Q,
                 arrays.C, arrays.R, log_density, mean, P, share, "sequential" if sequential else "covariance")  # fmt: skip
