r"""Large reservoirs: covariances on the few directions that the outputs see and the noise excites.

    P(t|t-1) ~ V Z V' + P_open,     V = L U,  T = U'L^-1,   W_c = L L',   L'W_o L = U diag(s^2) U' + rest      [Moore 1981]

W_c is the controllability Gramian of the mean linearisation under Q; W_o the observability Gramian averaged over the
trajectory's own linearisations, so that directions which only moving slopes couple are kept too. Balanced truncation to
r directions; what is left out, P_open = L (I - U U') L', is taken as unobserved. The mean stays in all n states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels._jit import as_float
from ..kernels.reduced_backward import reduced_gradient, reduced_moments
from ..kernels.reduced_filter import reduced_filter
from ..linear.equations import smith_doubling
from .forced import Driven, ForcedReservoir, Parameters, Stretch, activation_derivatives

SAMPLES = 60        # times at which the observability Gramian is averaged
LAGS = 400          # steps back at most


@dataclass(frozen=True, eq=False)
class Basis:
    """r directions V (n, r), their dual T' (n, r), the covariance left out (n, n), and the share of the trace it holds."""

    V: np.ndarray
    dual: np.ndarray
    open: np.ndarray
    neglected: float

    @classmethod
    def at(cls, reservoir: ForcedReservoir, p: Parameters, rank: int) -> Basis:
        """Balance the linearisation along the trajectory driven by the data at p. O(n^3 + T n^2)."""
        n = len(p.leak)
        slopes = [_slopes(reservoir, p, s) for s in reservoir.sequences]
        mean = np.mean(np.concatenate(slopes), 0)
        A = np.diag(1.0 - p.leak) + (p.leak * mean * p.scale)[:, None] * reservoir.W
        L = np.linalg.cholesky(_controllability(A, p.Q))
        Wo = sum(_observability(reservoir, p, s) for s in slopes)
        values, U = np.linalg.eigh(L.T @ Wo @ L)
        U = U[:, ::-1][:, :rank]
        V = L @ U
        dual = np.linalg.solve(L.T, U)
        left = L @ L.T - V @ V.T
        return cls(as_float(V), as_float(dual), as_float((left + left.T) / 2),
                   float(max(values[: n - rank].sum(), 0.0) / values.sum()))


def _slopes(reservoir: ForcedReservoir, p: Parameters, s: Driven) -> np.ndarray:
    """s'(xi) (T, n) along the trajectory driven by the data, states uncorrected."""
    n = len(p.leak)
    blank = Basis(np.zeros((n, 1)), np.zeros((n, 1)), np.zeros((n, n)), 1.0)
    run = ReducedReservoir(reservoir.code, reservoir.W, reservoir.W_fb, reservoir.sequences, blank)._filter(p, s)
    return activation_derivatives(reservoir.code, run.arguments)[1]


def _controllability(A: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """X = A X A' + Q, a mean linearisation that does not contract pulled just inside the unit circle."""
    X = smith_doubling(A, Q)
    if X is None:
        X = smith_doubling(A * (0.999 / np.abs(np.linalg.eigvals(A)).max()), Q)
    if X is None:
        raise ValueError("covariance_rank: expected a reservoir whose mean linearisation contracts; its Gramian does not exist. "
                         "Lower the scale of the start, or leave covariance_rank out.")
    return X + 1e-12 * np.trace(X) / len(X) * np.eye(len(X))


def _observability(reservoir: ForcedReservoir, p: Parameters, slopes: np.ndarray) -> np.ndarray:
    """Sum over lags of A'..A'C'C A..A, mean over sampled times. O(samples p lags n^2)."""
    T, k = len(slopes), len(p.C)
    times = np.unique(np.linspace(min(T - 1, LAGS // 4), T - 1, SAMPLES).astype(int))
    v = np.tile((p.C / np.sqrt(np.diag(p.R))[:, None]).T, (1, len(times)))
    at, total = np.repeat(times, k), np.zeros((len(p.leak), len(p.leak)))
    first = None
    for lag in range(LAGS):
        gram = v @ v.T
        total += gram / len(times)
        first = np.trace(gram) if first is None else first
        if np.trace(gram) <= 1e-8 * first:
            break
        g = p.leak[:, None] * slopes[np.maximum(at - 1 - lag, 0)].T
        v = (1.0 - p.leak)[:, None] * v + p.scale * (reservoir.W.T @ (g * v))
    return total


@dataclass(frozen=True, eq=False)
class ReducedReservoir(ForcedReservoir):
    """A driven reservoir whose covariances live on a basis; the same services at O(T (n^2 + n r^2))."""

    basis: Basis

    @classmethod
    def about(cls, reservoir: ForcedReservoir, p: Parameters, rank: int) -> ReducedReservoir:
        """The reservoir with its basis balanced at p."""
        return cls(reservoir.code, reservoir.W, reservoir.W_fb, reservoir.sequences, Basis.at(reservoir, p, rank))

    @property
    def holds_state(self) -> bool:
        """The readout's information is taken at held states: the filter's response to it would cost O(T n^3)."""
        return True

    def _filter(self, p: Parameters, s: Driven) -> Stretch:
        b, (T, k), (n, r) = self.basis, s.y.shape, self.basis.V.shape
        out: Any = [np.empty(T), np.empty((T, n)), np.empty((T, r, r)), np.empty((T, n)), np.empty((T, n)), np.empty((T, n, k)),
                    np.empty((T, k)), np.empty((T, k, k))]
        noise, open_gain = b.dual.T @ p.Q @ b.dual, b.open @ p.C.T
        total = reduced_filter(
            self.code, s.y, s.drive, self.W, p.leak, p.scale, p.gains, p.C, p.d, p.R, p.m0, as_float(b.dual.T @ p.P0 @ b.dual),
            b.dual, b.V, as_float(self.W @ b.V), as_float(noise), as_float(p.C @ open_gain), as_float(open_gain), *out)
        kept: Any = [*out, np.empty(0), np.empty((0, 0)), np.empty((0, 0, 0))]        # what only the exact passes need
        return Stretch(total, s.y, s.drive, s.factors, *kept)

    def run(self, p: Parameters, s: Driven) -> Stretch:
        return self._filter(p, s)

    def log_likelihood(self, p: Parameters) -> float:
        total = sum(self._filter(p, s).log_likelihood for s in self.sequences)
        return total if np.isfinite(total) else -np.inf

    def output_covariances(self, p: Parameters, s: Driven) -> np.ndarray:
        H = p.C @ self.basis.V
        return np.einsum("pi,tij,qj->tpq", H, self._filter(p, s).covs, H, optimize=True) + p.C @ self.basis.open @ p.C.T

    def smooth(self, p: Parameters, s: Driven, between: bool = False) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, smoothed means (T, n), row-wise covariances (n, 6) and sums of covariances (p, n, n).

        Moments between rows are not kept (`ReservoirEM` refuses such a Q here).
        """
        assert not between
        b, run = self.basis, self._filter(p, s)
        (T, k), (n, r) = s.y.shape, b.V.shape
        smoothed, rows, states, moves = np.zeros((T, n)), np.zeros((n, 6)), np.zeros((k, r, r)), np.zeros((2, r, r))
        if np.isfinite(run.log_likelihood):
            slopes, WV, WP = activation_derivatives(self.code, run.arguments)[1], as_float(self.W @ b.V), self.W @ b.open
            left = as_float(np.column_stack([np.diag(WP), np.sum(WP * self.W, 1)]))
            reduced_moments(self.code, s.y, self.W, p.leak, p.scale, p.C, as_float(p.q), b.dual, b.V, WV, left, run.covs, run.filtered,
                            run.arguments, slopes, run.gain, run.weight, run.inverse, smoothed, rows, states, moves)
            rows[:, 0] -= p.q**2 * np.sum((b.dual @ moves[1]) * b.dual, 1)
            rows[:, 3] = np.sum((b.V @ moves[0]) * b.V, 1) + (T - 1) * np.diag(b.open)
        counts = np.sum(~np.isnan(s.y), 0)
        total = b.V @ states @ b.V.T + counts[:, None, None] * b.open
        return (run.log_likelihood if np.isfinite(run.log_likelihood) else -np.inf), smoothed, rows, total

    def gradient(self, p: Parameters) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient, basis and left-out covariance held."""
        b, n, k, r = self.basis, len(p.leak), len(p.C), self.basis.V.shape[1]
        g = {"m0": np.zeros(n), "scale": np.zeros(1), "gains": np.zeros(3), "leak": np.zeros(n), "C": np.zeros((k, n)),
             "d": np.zeros(k), "R": np.zeros((k, k)), "noise": np.zeros((r, r)), "open": np.zeros((n, k))}
        total, WV = 0.0, as_float(self.W @ b.V)
        for s in self.sequences:
            run, bar_m, bar_Z = self._filter(p, s), np.zeros(n), np.zeros((r, r))
            total += run.log_likelihood
            if not np.isfinite(total):
                return -np.inf, g
            reduced_gradient(s.y, s.drive, self.W, p.leak, p.scale, p.C, b.dual, b.V, WV, run.means, run.covs, run.filtered,
                             *activation_derivatives(self.code, run.arguments), run.gain, run.weight, run.inverse, bar_m, bar_Z,
                             g["scale"], g["gains"], g["leak"], g["C"], g["d"], g["R"], g["noise"], g["open"])
            g["m0"] += bar_m
        g["C"] += 2.0 * g["R"] @ p.C @ b.open + g["open"].T @ b.open
        g["Q"] = b.dual @ g["noise"] @ b.dual.T
        g["scale"] = g["scale"][0]
        return total, g
