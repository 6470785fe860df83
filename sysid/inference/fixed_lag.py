"""Smoothers other than Rauch-Tung-Striebel: with a fixed delay, and without any inverse.

    x(t|s) = x(t|t) + G (x(t+1|s) - x(t+1|t)),   P(t|s) = B + G P(t+1|s) G',   s = t + L    [Anderson & Moore 1979, Ch. 7]

B is what x[t] keeps of its covariance once x[t+1] is known. Each of the L turns takes all steps back by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .diffuse import Prefix, reverse_step, symmetric, unresolved
from .kalman import Kalman
from .rts import RTS, Backward
from .square_root import rotations
from .trace import Trace

Law = tuple[np.ndarray, np.ndarray]  # means (S, T, n), covariances (T, n, n)


@dataclass(frozen=True)
class FixedLag:
    """Smooth each state with the measurements up to `lag` samples after it, as a delayed estimator would in operation.

    lag: L >= 0, 0 being the filter. filtering: the filter to run first; None for the model's default. Any start, any form.
    The lagged covariances of the result, Cov(x[t+1], x[t]), are given the data up to t + L.
    Cost O(L T n^2) for means and O(L T n^3) for covariances.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    lag: int
    filtering: Any = None

    def __post_init__(self) -> None:
        _check.count(self.lag, "lag", "FixedLag", least=0)

    def backward(self, trace: Trace) -> Backward:
        """Smooth all sequences of a trace."""
        if "prefix" in trace.extra:
            return self._from_diffuse(trace, trace.extra["prefix"], trace.extra["rest"])
        (x, P), cross, _ = self._proper(trace)
        return Backward(x, P, np.arange(len(P)), trace.share, cross=cross)

    def _proper(self, trace: Trace) -> tuple[Law, np.ndarray, list[Law]]:
        """Means and covariances, Cov(x[t+1], x[t]) (T, n, n), and the law of the first state at each lag from 0 on."""
        turn, start, lagged = _by_factors(trace) if "Lf" in trace.extra else _by_gains(trace)
        state, ahead, firsts = start, None, []
        for _ in range(min(self.lag, trace.xf.shape[1] - 1)):
            firsts.append(_first(lagged.law(state)))
            ahead, state = state, turn(state)
        firsts.append(_first(lagged.law(state)))
        return lagged.law(state), lagged.cross(ahead), firsts

    def _from_diffuse(self, trace: Trace, prefix: Prefix, rest: Trace | None) -> Backward:
        """The proper steps, then each diffuse one back from as far ahead as the lag reaches."""
        S, T, n = trace.xf.shape
        k, none = prefix.n_steps, np.zeros((n, 0))
        firsts: list[Law] = []
        tail, later = (np.zeros((S, 0, n)), np.zeros((0, n, n))), np.zeros((0, n, n))
        if rest is not None:
            tail, later, firsts = self._proper(rest)
        steps = [reverse_step(prefix, t) for t in range(k)]
        x, P, cross, infinite = np.empty((k, S, n)), np.empty((k, n, n)), np.empty((k, n, n)), np.zeros((k, n), dtype=bool)
        for t in range(k):
            end = min(t + self.lag, T - 1)
            if end >= k:
                (mean, cov), X = firsts[min(end - k, len(firsts) - 1)], none
            else:
                mean, cov, X = prefix.xf[end], prefix.Pf[end], prefix.X[end]
            cross[t] = prefix.A[t] @ cov
            for j in range(min(end, k) - 1, t - 1, -1):
                G, C, Xc = steps[j]
                cross[t] = cov @ G.T
                mean = prefix.xf[j] + (mean - prefix.xf[j] @ prefix.A[j].T - prefix.b[j]) @ G.T
                cov, X = symmetric(C + G @ cov @ G.T), np.hstack([Xc, G @ X])
            x[t], P[t], infinite[t] = mean, cov, unresolved(np.eye(n), X)
        return Backward(np.concatenate([x.swapaxes(0, 1), tail[0]], axis=1), np.concatenate([P, tail[1]]), np.arange(T), trace.share,
                        cross=np.concatenate([cross, later]), infinite=infinite)  # fmt: skip


@dataclass(frozen=True)
class _Lagged:
    """How a turn's arrays become laws and lagged covariances."""

    law: Callable[[Law], Law]
    cross: Callable[[Law | None], np.ndarray]


def _first(law: Law) -> Law:
    return law[0][:, 0], law[1][0]


def _by_gains(trace: Trace) -> tuple[Callable[[Law], Law], Law, _Lagged]:
    """The turn by the gains of Rauch, Tung and Striebel, or by factors where those have lost their digits."""
    whole = RTS().backward(trace)
    if whole.GT is None:
        return _by_factors(trace.extra["square root"]())
    assert trace.Pf is not None and trace.Pp is not None
    index, Pp = trace.index, trace.Pp
    A, Q, Pf = trace.AT.swapaxes(1, 2), trace.Q, trace.Pf[index]
    G = whole.GT[index].swapaxes(1, 2)
    G[-1] = 0.0  # no step follows the last: the kernel leaves its gain unwritten
    left = np.eye(Pf.shape[-1]) - G @ A
    base = left @ Pf @ left.swapaxes(1, 2) + G @ Q @ G.swapaxes(1, 2)

    def turn(state: Law) -> Law:
        x, P = trace.xf.copy(), base.copy()
        x[:, :-1] += (G[:-1] @ (state[0][:, 1:] - trace.xp[:, 1:])[..., None])[..., 0]
        P[:-1] += G[:-1] @ state[1][1:] @ G[:-1].swapaxes(1, 2)
        return x, (P + P.swapaxes(1, 2)) / 2

    def cross(ahead: Law | None) -> np.ndarray:
        P = Pp[index] if ahead is None else ahead[1]
        return np.concatenate([P[1:] @ G[:-1].swapaxes(1, 2), np.zeros((1, *P.shape[1:]))])

    return turn, (trace.xf.copy(), Pf.copy()), _Lagged(lambda state: state, cross)


def _by_factors(trace: Trace) -> tuple[Callable[[Law], Law], Law, _Lagged]:
    """The turn on square-root factors: x = x(t|t) + L rho, P = L N N' L', a turn's arrays being rho and N."""
    T, n = trace.xf.shape[1:]
    index, of = trace.index, trace.extra
    Theta, after = rotations(trace)
    Theta, after, L, Gamma, zeta = Theta[index], after[index], of["Lf"][index], of["turn"][index], of["zeta"]

    def turn(state: Law) -> Law:
        rho, N = np.zeros_like(state[0]), np.broadcast_to(np.eye(n), (T, n, n)).copy()
        onward = zeta[:, 1:] + (Gamma[1:] @ state[0][:, 1:, :, None])[..., 0]
        rho[:, :-1] = (Theta[:-1, :, :n] @ onward[..., None])[..., 0]
        array = np.concatenate([Theta[:-1, :, n:], Theta[:-1, :, :n] @ Gamma[1:] @ state[1][1:]], axis=2)
        if T > 1:
            N[:-1] = np.asarray(np.linalg.qr(array.swapaxes(1, 2), mode="r")).swapaxes(1, 2)
        return rho, N

    def law(state: Law) -> Law:
        half = L @ state[1]
        P = half @ half.swapaxes(1, 2)
        return trace.xf + (L @ state[0][..., None])[..., 0], (P + P.swapaxes(1, 2)) / 2

    def cross(ahead: Law | None) -> np.ndarray:
        Z = np.broadcast_to(np.eye(n), (T - 1, n, n)) if ahead is None else Gamma[1:] @ ahead[1][1:]
        pair = after[:-1] @ Z @ (L[:-1] @ Theta[:-1, :, :n] @ Z).swapaxes(1, 2)
        return np.concatenate([pair, np.zeros((1, n, n))])

    return turn, (np.zeros_like(trace.xf), np.broadcast_to(np.eye(n), (T, n, n)).copy()), _Lagged(law, cross)


@dataclass(frozen=True)
class BrysonFrazier:
    """Smooth by the adjoint (disturbance) recursion on square-root factors: no covariance is inverted.

        x(t|T) = x(t|t) + L rho,  P(t|T) = L N N' L',  with (rho, N) carried backward by orthogonal and shrinking maps

    Exact for singular Q, R and predicted covariances; linear processes with a proper start, or after a diffuse one.
    Cost O(T n^3). [Bryson & Frazier 1963; Bierman 1973]
    """

    @property
    def filtering(self) -> Kalman:
        """The filter that keeps the factors."""
        return Kalman(form="sqrt")

    def backward(self, trace: Trace) -> Backward:
        """Smooth all sequences of a trace."""
        return RTS().backward(trace)
