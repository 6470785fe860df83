"""Smoothers other than Rauch-Tung-Striebel: with a fixed delay, and without any inverse.

    x(t|t+L) = x(t|t) + sum_{j=1..L} G(t) ... G(t+j-1) (x(t+j|t+j) - x(t+j|t+j-1))       [Anderson & Moore 1979, Ch. 7]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .kalman import Kalman
from .rts import RTS, Backward
from .trace import Trace


@dataclass(frozen=True)
class FixedLag:
    """Smooth each state with the measurements up to `lag` samples after it, as a delayed estimator would in operation.

    lag: L >= 0, 0 being the filter. filtering: the filter to run first; None for the model's default.
    The lagged covariances of the result are those of neighbouring states given the data up to t + L.
    Cost O(L T n^2) for means and O(L T n^3) for covariances.
    """

    lag: int
    filtering: Any = None

    def __post_init__(self) -> None:
        _check.count(self.lag, "lag", "FixedLag", least=0)

    def backward(self, trace: Trace) -> Backward:
        """Smooth all sequences of a trace."""
        if "prefix" in trace.extra or "Lf" in trace.extra:
            raise ValueError("FixedLag: expected a proper start and the covariance form; received a run from a diffuse start "
                             "or in square-root form. Give initial=Gaussian(...), or use RTS().")  # fmt: skip
        whole = RTS().backward(trace)
        if whole.GT is None or trace.Pf is None or trace.Pp is None:
            raise ValueError("FixedLag: expected a problem that the covariance form solves; this one lost too many digits.")
        T, n = trace.xf.shape[1:]
        index = trace.index
        G = whole.GT[index].swapaxes(1, 2)
        x, P = trace.xf.copy(), trace.Pf[index]
        gain_x = trace.xf - trace.xp
        gain_P = trace.Pf[index] - trace.Pp[index]
        M = np.broadcast_to(np.eye(n), (T, n, n))
        for j in range(1, min(self.lag, T - 1) + 1):
            M = M[: T - j] @ G[j - 1 : T - 1]
            x[:, : T - j] += (M @ gain_x[:, j:, :, None])[..., 0]
            P[: T - j] += M @ gain_P[j:] @ M.swapaxes(1, 2)
        P = (P + P.swapaxes(1, 2)) / 2
        cross = np.concatenate([P[1:] @ G[:-1].swapaxes(1, 2), np.zeros((1, n, n))])
        return Backward(x, P, np.arange(T), trace.share, cross=cross)


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
