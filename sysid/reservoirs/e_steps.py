"""Other E-steps of reservoir EM: iterated and unscented smoothers, and one linear model for all times, lifted or not [ESN-SSM, 6.1, 6.2].

Each gives smoothed means and covariances and a log-likelihood of its own, which the M-step takes as it takes the extended
smoother's. They store all covariances, O(T n^2), and have no gradient: EM runs alone, without a polish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.data import Data
from ..inference.filter import filter
from ..inference.iterated import IteratedSmoother
from ..inference.smooth import smooth
from ..inference.ukf import UnscentedKalman
from ..models.lti import LTI
from ..models.process import Process
from .forced import Driven, ForcedReservoir, Parameters, activation_derivatives
from .lifted_step import lifted_problem

GRADIENT = ("extended", "statistical")      # those whose likelihood has a gradient here
CHOICES = (*GRADIENT, "iterated", "unscented", "linear", "lifted")


@dataclass(frozen=True, eq=False)
class SmoothedReservoir(ForcedReservoir):
    """A driven reservoir whose moments come from another smoother; `run` and `gradient` stay those of the extended filter."""

    start: Process
    records: tuple[Data, ...]
    kind: str
    degree: int = 3

    @classmethod
    def of_kind(cls, reservoir: ForcedReservoir, start: Process, records: Sequence[Data], kind: str, degree: int = 3) -> SmoothedReservoir:
        return cls(reservoir.code, reservoir.W, reservoir.W_fb, reservoir.sequences, start, tuple(records), kind, degree)

    def notes(self, p: Parameters) -> list[str]:
        """What the E-step leaves out at p."""
        if self.kind not in ("linear", "lifted"):
            return []
        exact, here = plain(self).log_likelihood(p), self.log_likelihood(p)
        words = f"the E-step's one linear model for all times has a log-likelihood of {here:.1f}, the extended filter at the same parameters {exact:.1f}"
        if self.kind == "linear":
            return [words]
        shares = [self._lifted(p, i)[2] for i in range(len(self.records))]
        return [f"{words}; the lift of degree {self.degree} adds {100 * max(shares):.3g} % to the variance of the process noise"]

    def _lifted(self, p: Parameters, i: int) -> tuple[Process, Data, float]:
        return lifted_problem(self, p, self.sequences[i], self.degree, self.records[i].dt)

    def _problem(self, p: Parameters, i: int) -> tuple[Process, Data]:
        if self.kind == "lifted":
            return self._lifted(p, i)[:2]
        process, data = self._linear(p, i) if self.kind == "linear" else (p.process(self.start), self.records[i])
        factors = self.sequences[i].factors
        if np.all(factors == 1.0):
            return process, data
        R, Q = (f[:, None, None] * np.asarray(cov) for f, cov in zip(factors.T, (process.R, process.Q)))
        return Process(process.model, Q=Q, R=R, initial=process.initial), data

    def _linear(self, p: Parameters, i: int) -> tuple[Process, Data]:
        """x[t+1] = A x[t] + c[t] with one A: slopes at the mean of the trajectory, drives through the map itself."""
        s = self.sequences[i]
        known = np.tensordot(p.gains, s.drive, 1)
        centre = ForcedReservoir.run(self, p, s).filtered.mean(0)
        inside = p.scale * self.W @ centre
        h, slope, _ = activation_derivatives(self.code, inside + known)
        slope = slope.mean(0)
        A = np.diag(1.0 - p.leak) + (p.leak * slope * p.scale)[:, None] * self.W
        offset = p.leak * (h - slope * inside)
        model = LTI(A, np.eye(len(A)), p.C, d=p.d, dt=self.records[i].dt)
        process = p.process(self.start)
        return (Process(model, Q=process.Q, R=process.R, initial=process.initial),
                Data(s.y, offset, dt=self.records[i].dt))

    def log_likelihood(self, p: Parameters) -> float:
        method = UnscentedKalman() if self.kind == "unscented" else None
        total = 0.0
        for i in range(len(self.records)):
            process, data = self._problem(p, i)
            try:
                total += self._smoothed(process, data).log_likelihood if self.kind == "iterated" \
                    else filter(process, data, method).log_likelihood
            except (ValueError, np.linalg.LinAlgError):
                return -np.inf
        return total if np.isfinite(total) else -np.inf

    def _smoothed(self, process: Process, data: Data) -> Any:
        methods: dict[str, Any] = {"iterated": IteratedSmoother(), "unscented": UnscentedKalman()}
        return smooth(process, data, methods.get(self.kind))

    def smooth(self, p: Parameters, s: Driven, between: bool) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, smoothed means (T, n), covariances row by row (n, 6) or between rows (3n, 3n), and sums of covariances (p, n, n)."""
        i = next(k for k, other in enumerate(self.sequences) if other is s)
        process, data = self._problem(p, i)
        result = self._smoothed(process, data)
        n = len(p.leak)
        x, P, X = result.smoothed.mean[:, :n], result.smoothed.cov[:, :n, :n], result.cross_cov[:, :n, :n]
        xi = p.scale * x @ self.W.T + np.tensordot(p.gains, s.drive, 1)
        slope = activation_derivatives(self.code, xi)[1]
        seen = ~np.isnan(s.y)
        used = seen.all(1)[:-1] if self.W_fb.shape[1] else np.ones(len(x) - 1, bool)
        add = _between if between else _rows
        rows = np.zeros((3 * n, 3 * n) if between else (n, 6))
        for t in np.flatnonzero(used):
            rows += add(self.W, p, slope[t], P[t], P[t + 1], X[t]) / s.factors[t, 1]
        return result.log_likelihood, x, rows, np.einsum("tp,tij->pij", seen / s.factors[:, :1], P)


def _transition(W: np.ndarray, p: Parameters, slope: np.ndarray) -> np.ndarray:
    return np.diag(1.0 - p.leak) + (p.leak * slope * p.scale)[:, None] * W


def _rows(W: np.ndarray, p: Parameters, slope: np.ndarray, P: np.ndarray, after: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Row-wise covariances (n, 6) of (w, x, z = s'(xi) W x) from P(t|T), P(t+1|T) and the lag-one covariance X."""
    A = _transition(W, p, slope)
    wx, WP = X - A @ P, W @ P
    ww = np.diag(after) - 2 * np.sum(X * A, 1) + np.sum((A @ P) * A, 1)
    return np.column_stack([ww, np.diag(wx), slope * np.sum(wx * W, 1), np.diag(P), slope * np.diag(WP),
                            slope**2 * np.sum(WP * W, 1)])


def _between(W: np.ndarray, p: Parameters, slope: np.ndarray, P: np.ndarray, after: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The covariance (3n, 3n) of (w, x, z): that of (x[t+1], x[t]) turned."""
    none, one = np.zeros_like(W), np.eye(len(W))
    turn = np.block([[one, -_transition(W, p, slope)], [none, one], [none, slope[:, None] * W]])
    return turn @ np.block([[after, X], [X.T, P]]) @ turn.T


def plain(reservoir: ForcedReservoir) -> ForcedReservoir:
    """The extended filter's reservoir behind another E-step's, for gradients."""
    if not isinstance(reservoir, SmoothedReservoir):
        return reservoir
    return ForcedReservoir(reservoir.code, reservoir.W, reservoir.W_fb, reservoir.sequences)
