r"""Ridge readout of a reservoir, one penalty or the whole path [Hoerl & Kennard 1970; Jaeger 2001].

    min_C,d  sum_t |y[t] - C phi(x[t]) - d|^2 + ridge |C|^2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..identification.fit import Fit
from ..models.process import Process
from .least_squares import RidgePath, Triangle, penalties
from .states import patterns, reservoir_of, rows


@dataclass(frozen=True)
class Readout:
    r"""Train the readout of a reservoir by ridge regression on its teacher-forced states.

    .. math:: \min_{C,d} \sum_t \| y_t - C \varphi(x_t) - d \|^2 + \text{ridge}\, \|C\|_F^2

    ridge : added to the sum of centred squares; the intercept d is free. Several values are compared on the whole path
        from one decomposition, and the best by `choose` is kept; `fit.history` holds them under "ridge" and "loss".
    washout : samples dropped at the start of every sequence.
    choose : "loo" (exact leave-one-out) or "gcv" (generalised cross-validation), used where several ridges are given.

    Solved by QR and SVD of the centred states, never by normal equations. Sequences are driven one by one from rest and
    never paired across their ends; outputs fed back are the measured ones; missing targets are left out.
    `fit.model` is the reservoir with C and d; `fit.process` adds R from the residuals (rows less effective parameters)
    and the mean and covariance of the states as the law of x[0]. O(T k^2 + k^3) for k features.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    ridge: Any = 1e-6
    washout: int = 100
    choose: str = "loo"

    def __post_init__(self) -> None:
        penalties(self.ridge, "Readout")
        _check.count(self.washout, "washout", "Readout", least=0)
        _check.choice(self.choose, "choose", "Readout", ("loo", "gcv"))

    def fit(self, data: list[Data], start: Any) -> Fit:
        """Train on single sequences; `start` is the reservoir."""
        model = reservoir_of(start, "fit(Readout)")
        samples = list(rows(model, data, self.washout, "fit(Readout)"))
        solution = RidgeSolution.of(samples, penalties(self.ridge, "Readout"), self.choose)
        trained = model.with_readout(solution.C, solution.d)
        note = () if solution.enough else (
            f"{solution.count:.0f} rows for {solution.C.shape[1]} features: the fit interpolates without its ridge.",)
        return Fit(model=trained, process=readout_process(trained, solution.R, samples),
                   history={"ridge": solution.ridges, "loss": solution.losses}, notes=note)


@dataclass(frozen=True, eq=False)
class RidgeSolution:
    """A trained readout: C (p, k), d (p,), residual covariance R (p, p), and what each penalty reached."""

    C: np.ndarray
    d: np.ndarray
    R: np.ndarray
    ridges: np.ndarray
    losses: np.ndarray
    count: float
    enough: bool

    @classmethod
    def of(cls, samples: list[tuple[np.ndarray, np.ndarray]], ridges: np.ndarray, choose: str) -> RidgeSolution:
        """Solve on rows (T, k), (T, p) with NaN targets left out; outputs that miss different rows are solved apart."""
        Y = np.vstack([y for _, y in samples])
        p, k = Y.shape[1], samples[0][0].shape[1]
        groups = patterns(Y)
        parts = [_part(samples, columns) for columns, _ in groups]
        losses = sum(_loss(path, ridges, kept, choose) * len(columns)
                     for (path, kept), (columns, _) in zip(parts, groups)) / p
        best = float(ridges[np.argmin(losses)])
        C, d, R = np.zeros((p, k)), np.zeros(p), np.zeros((p, p))
        for (path, _), (columns, _) in zip(parts, groups):
            C[columns], d[columns] = path.solve(best)
            R[np.ix_(columns, columns)] = path.residual_covariance(best)
        count = min(path.count for path, _ in parts)
        return cls(C, d, R, ridges, np.asarray(losses), count, bool(count > k + 1))


def _part(samples: list[tuple[np.ndarray, np.ndarray]], columns: np.ndarray) -> tuple[RidgePath, list]:
    kept = []
    for X, Y in samples:
        keep = ~np.isnan(Y[:, columns[0]])
        kept.append((X, Y[:, columns]) if keep.all() else (X[keep], Y[keep][:, columns]))
    triangle = Triangle(samples[0][0].shape[1], len(columns))
    for X, Y in kept:
        triangle.add(X, Y)
    return triangle.path(), kept


def _loss(path: RidgePath, ridges: np.ndarray, kept: list, choose: str) -> np.ndarray:
    if len(ridges) == 1:
        return np.array([np.trace(path.residual_scatter(float(ridges[0]))) / (path.count * path.Z.shape[1])])
    if choose == "gcv":
        return np.array([path.gcv(float(r)) for r in ridges]) / path.Z.shape[1]
    return path.leave_one_out(ridges, kept)


def readout_process(model: Any, R: np.ndarray, samples: list[tuple[np.ndarray, np.ndarray]]) -> Process:
    """The trained reservoir as a process: no state noise, R from residuals, x[0] drawn from the states seen."""
    n = model.n_states
    seen = np.vstack([X[:, :n] for X, _ in samples]) if samples[0][0].shape[1] >= n else np.zeros((1, n))
    cov = np.cov(seen, rowvar=False).reshape(n, n) if len(seen) > 1 else np.eye(n)
    return Process(model, Q=np.zeros(n), R=R, initial=Gaussian(seen.mean(axis=0), cov))
