"""The Kalman filter for linear, linear time-varying and bilinear processes.

    x(t|t) = x(t|t-1) + K e,  e = y - C x(t|t-1) - D u - d,  K = P C' (C P C' + R)^-1
                                                          [Anderson & Moore 1979, Sec. 3.1]
    x(t+1|t) = A x(t|t) + B u + c,   P(t+1|t) = A P(t|t) A' + Q                           [ESN-SSM, Eqs. 64, 65]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numba
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
from .memory import empty
from .square_root import square_root_pass
from .threads import for_each
from .trace import Stretch, Trace

FORMS = ("auto", "covariance", "sequential", "sqrt", "information")
AMPLE = 1e-3  # where more than this share is left of every variance, no more than three digits are lost
LEAST_SHARE = 1e-6  # below this share of what it was summed from, a variance has lost too many digits for the covariance form


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
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    form: str = "auto"

    def __post_init__(self) -> None:
        _check.choice(self.form, "form", "Kalman", FORMS)

    def trace(self, process: Process, stretch: Stretch) -> list[Trace]:
        """Run over all sequences; those that share model, inputs' effect on covariances and gaps share one pass."""
        alike = len(stretch.y) == 1 or same_gaps(stretch.y)
        own_model = isinstance(process.model, Bilinear) or (process.S is not None and process.S.any())
        if (alike and not own_model) or len(stretch.y) == 1:
            return [self._shared(self._arrays(process, stretch), stretch)]
        parts = [stretch.sequence(s) for s in range(len(stretch.y))]
        p, n = process.n_outputs, process.n_states
        if own_model or stretch.is_diffuse or self.form not in ("auto", "covariance") or (self.form == "auto" and p > n):
            return for_each(parts, lambda part: self._shared(self._arrays(process, part), part))
        arrays = linear_arrays(process, stretch.u, stretch.start)
        if self.form == "auto" and len(components(arrays, stretch.cov)) > 1:
            return [self._proper(arrays.sequences(slice(s, s + 1)), part) for s, part in enumerate(parts)]
        return [self._safe(trace, arrays.sequences(slice(s, s + 1)), parts[s]) for s, trace in enumerate(separate_passes(arrays, stretch))]

    @staticmethod
    def _arrays(process: Process, stretch: Stretch) -> LinearArrays:
        return decorrelate(linear_arrays(process, stretch.u, stretch.start), process.S, stretch.y[0])

    def _shared(self, arrays: LinearArrays, stretch: Stretch) -> Trace:
        if stretch.diffuse is None or not stretch.is_diffuse:
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
        return self._safe(trace, arrays, stretch)

    def _safe(self, trace: Trace, arrays: LinearArrays, stretch: Stretch) -> Trace:
        """The trace, or that of the square-root form where cancellation took too many digits."""
        if self.form == "covariance":
            return trace
        if trace.share < LEAST_SHARE:  # -1 from the sequential step: an output without variance
            return square_root_pass(arrays, stretch)
        trace.extra["square root"] = lambda: square_root_pass(arrays, stretch)
        return trace

    def _collapsed(self, whole: LinearArrays, stretch: Stretch, arrays: LinearArrays, short: Stretch, left: np.ndarray) -> Trace:
        """Filter the collapsed problem and put back what was left out."""
        trace = Kalman()._proper(arrays, short)
        form = "information" if trace.form == "covariance" else "information, " + trace.form
        yp = None if stretch.store == "last" else outputs(whole, trace.xp)
        return replace(trace, yp=yp, C=whole.C, R=whole.R, log_density=trace.log_density + left, form=form)


def same_gaps(y: np.ndarray) -> bool:
    """Whether all sequences (S, T, p) miss the same entries."""
    gaps = np.isnan(y)
    return bool((gaps == gaps[:1]).all())


def covariance_pass(arrays: LinearArrays, stretch: Stretch, sequential: bool = False) -> Trace:
    """Covariances and gains in covariance form, all outputs at once or one at a time, then the means of all sequences."""
    return _passes(arrays, stretch, ~np.isnan(stretch.y[:1]), sequential)[0]


def separate_passes(arrays: LinearArrays, stretch: Stretch) -> list[Trace]:
    """`covariance_pass` for every sequence of one model, each with gaps of its own: one task a thread, not one a sequence."""
    S, T, _ = stretch.y.shape
    most = max(1, int(4e6 / max(1, T * stretch.cov.size)))  # sequences in one task, by memory
    edges = np.linspace(0, S, max(numba.get_num_threads(), -(-S // most)) + 1).astype(int).tolist()

    def task(span: tuple[int, int]) -> list[Trace]:
        part = stretch.sequences(slice(*span))
        return _passes(arrays.sequences(slice(*span)), part, ~np.isnan(part.y), False)

    return [trace for traces in for_each([e for e in pairwise(edges) if e[0] < e[1]], task) for trace in traces]


def _passes(arrays: LinearArrays, stretch: Stretch, seen: np.ndarray, sequential: bool) -> list[Trace]:
    """One trace a pattern of gaps, seen (S, T, p), or one of all sequences where seen is (1, T, p)."""
    step = sequential_kernels.condition if sequential else conditioning.condition
    (S, T, p), n, store = seen.shape, len(stretch.cov), stretch.store
    kept = S * T if store == "all" else 1
    Pp, Pf, K, W = empty((kept, n, n)), empty((kept, n, n)), empty((S * T, n, p)), empty((S * T, p, p))
    const, rank, index, P = empty((S * T,)), empty((S * T,), np.int64), empty((S, T), np.int64), np.empty((S, n, n))
    slots, share = np.empty(S, dtype=np.int64), np.empty(S)
    filtering.covariances(
        step.as_argument(), propagation.propagate.as_argument(), arrays.AT, arrays.C, arrays.Q, arrays.R, seen, stretch.cov,
        arrays.is_invariant, Pp, Pf, K, W, const, rank, index, P, slots, share)  # fmt: skip
    xp, xf, yp, log_density, mean = mean_pass(arrays, stretch, (K, W, const, rank, index))
    form = "sequential" if sequential else "covariance"
    traces = []
    for s in range(S):
        of = slice(None) if S == 1 else slice(s, s + 1)
        place = slice(s * T, s * T + slots[s])
        traces.append(Trace(xp[of], xf[of], None if yp is None else yp[of], Pp[place] if store == "all" else None,
                            Pf[place] if store == "all" else None, index[s] - s * T if s else index[0], arrays.AT, arrays.Q,
                            arrays.C, arrays.R, log_density[of], mean[of], P[s],
                            share_of_means(float(share[s]), const, index[s], log_density[of]), form))  # fmt: skip
    return traces


def share_of_means(share: float, const: np.ndarray, index: np.ndarray, log_density: np.ndarray) -> float:
    """The share left of a variance, less where innovations are many deviations |W e| long: a gain's error counts as often.

    const, index, log_density: as of the mean pass, so that their difference is |W e|^2 / 2, infinite where a measurement is impossible.
    """
    if share <= 0 or share > AMPLE:
        return share
    half_squares = const[index] - log_density
    longest = np.max(half_squares, initial=0.5, where=np.isfinite(half_squares))
    return share / float(np.sqrt(2.0 * longest))
