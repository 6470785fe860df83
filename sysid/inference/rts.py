"""The Rauch-Tung-Striebel smoother over the trace of any filter.

    x(t|T) = x(t|t) + G (x(t+1|T) - x(t+1|t)),   G = P(t|t) A' P(t+1|t)^-1,   Cov(x[t+1], x[t] | T) = P(t+1|T) G'
                                                                                   [Rauch, Tung & Striebel 1965; ESN-SSM, Eq. 66]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..kernels import propagation, smoothing
from .decoupled import blocks, shared_slots
from .diffuse import Prefix, smooth_prefix, unresolved
from .memory import empty
from .square_root import square_root_backward
from .trace import Trace, unfolded, with_infinite

LEAST_SHARE = 1e-6  # below this share of a variance left by filter and smoother together, too few of its digits are
LEAST_GAIN_SHARE = 1e-5  # below this share left by cancellation, the gains are worth too few digits in covariance form


@dataclass(frozen=True)
class Backward:
    """The smoothed run: x (S, T, n); P (k, n, n) in slots `place` (T,).

    GT: (slots, n, n) transposed gains in slots `index` (T,), with Cov(x[t+1], x[t]) = P(t+1|T) G'; or None, and then
    cross: (T, n, n) holds Cov(x[t+1], x[t]), the last row unused. infinite: (k, n), variances that stay infinite after a
    diffuse start. weights: (T, p) of the measurements, and status: how the iteration ended, where a smoother has them.
    """

    x: np.ndarray
    P: np.ndarray
    place: np.ndarray
    share: float
    GT: np.ndarray | None = None
    index: np.ndarray | None = None
    cross: np.ndarray | None = None
    infinite: np.ndarray | None = None
    weights: np.ndarray | None = None
    status: Any = None

    def cov(self) -> np.ndarray:
        """P(t|T): (T, n, n), with infinite variances of what the data never determine."""
        return with_infinite(unfolded(self.P, self.place), self.infinite)

    def cross_cov(self) -> np.ndarray:
        """Cov(x[t+1], x[t] | y): (T-1, n, n)."""
        if self.GT is None or self.index is None:
            assert self.cross is not None
            return self.cross[: len(self.place) - 1]
        return self.P[self.place[1:]] @ self.GT[self.index[:-1]]  # [ESN-SSM, Eq. 66]


@dataclass(frozen=True)
class RTS:
    """The Rauch-Tung-Striebel smoother after a filter.

    filtering: the filter to run first, such as UnscentedKalman(); None for the model's default.
    Covariances come in the symmetric form that stays positive semidefinite; a singular P(t+1|t) is taken care of exactly.
    Cost O(T n^3), O(T n^2) where the covariances have converged.
    """

    filtering: Any = None

    def backward(self, trace: Trace) -> Backward:
        """Smooth all sequences of a trace. Raises ValueError where the filter kept no covariances."""
        if trace.Pf is None:
            raise ValueError('smooth: expected the filter run with store="all".')
        if "prefix" in trace.extra:
            return self._from_diffuse(trace, trace.extra["prefix"], trace.extra["rest"])
        if "parts" in trace.extra:
            return self._apart(trace, *trace.extra["parts"])
        if "Lf" in trace.extra:
            x, Ps, cross, place = square_root_backward(trace)
            return Backward(x, Ps, place, 1.0, cross=cross[place])
        S, T, n = trace.xf.shape
        GT, place, P = empty(trace.Pf.shape), np.empty(T, dtype=np.int64), np.empty((n, n))
        # The recursion settles where the filter has; otherwise each step needs a slot.
        Ps = empty((T, n, n))
        slots, share = smoothing.covariances(propagation.propagate.as_argument(), trace.AT, trace.Q, trace.Pp, trace.Pf, trace.index,
                                             trace.Pf[trace.index[-1]], GT, Ps, place, P)  # fmt: skip
        # What the filter lost, the smoother divides once more.
        if (share < LEAST_GAIN_SHARE or share * trace.share < LEAST_SHARE) and "square root" in trace.extra:
            return self.backward(trace.extra["square root"]())
        x = empty(trace.xf.shape)
        smoothing.means(GT, trace.index, trace.xf, trace.xp, np.ascontiguousarray(trace.xf[:, -1]), x)
        return Backward(x, Ps[:slots], place, min(share, trace.share), GT, trace.index)

    def _apart(self, trace: Trace, states: list[np.ndarray], traces: list[Trace]) -> Backward:
        """Smooth by themselves the parts of a decoupled process."""
        passes, n = [self.backward(t) for t in traces], trace.xf.shape[2]
        x = np.empty_like(trace.xf)
        for rows, b in zip(states, passes):
            x[..., rows] = b.x
        place, chosen = shared_slots([b.place for b in passes])
        back = Backward(x, blocks(n, states, [b.P[c] for b, c in zip(passes, chosen)]), place, min(b.share for b in passes))
        gains = [(b.GT, b.index) for b in passes if b.GT is not None and b.index is not None]
        if len(gains) < len(passes):
            pairs = [np.concatenate([b.cross_cov(), np.zeros((1, len(rows), len(rows)))]) for rows, b in zip(states, passes)]
            return replace(back, cross=blocks(n, states, pairs))
        index, chosen = shared_slots([index for _, index in gains])
        return replace(back, GT=blocks(n, states, [GT[c] for (GT, _), c in zip(gains, chosen)]), index=index)

    def _from_diffuse(self, trace: Trace, prefix: Prefix, rest: Trace | None) -> Backward:
        """The proper steps, then back through the diffuse ones."""
        k, n = prefix.n_steps, trace.xf.shape[2]
        if rest is None:  # the last step is its own smoothed law
            head = smooth_prefix(prefix, prefix.mean, prefix.cov, prefix.end)
            x, P, place, later = head.x, head.P, np.zeros(0, dtype=np.int64), np.zeros((0, n, n))
            x[-1], P[-1], head.X[-1] = prefix.xf[-1], prefix.Pf[-1], prefix.X[-1]
        else:
            tail = self.backward(rest)
            head = smooth_prefix(prefix, tail.x[:, 0], tail.P[tail.place[0]], np.zeros((n, 0)))
            x = np.concatenate([head.x, tail.x.swapaxes(0, 1)])
            P, place, later = np.concatenate([head.P, tail.P]), k + tail.place, tail.cross_cov()
        infinite = np.array([unresolved(np.eye(n), X) for X in head.X])
        place = np.concatenate([np.arange(k), place])
        cross = np.concatenate([P[place[1 : k + 1]] @ head.GT[: len(place) - 1], later])
        return Backward(x.swapaxes(0, 1), P, place, trace.share, cross=cross, infinite=infinite)
