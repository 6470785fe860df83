"""Gauss-Newton for linear predictors: analytic Jacobian, any similarity gauge, robust losses, several experiments.

The criterion is the negative log likelihood of the one-step (or simulation) errors with their scale matrix
concentrated out; under the Gaussian law N/2 log det(E'E / N) [Ljung 1999, Eq. 15.2]. A full parametrisation of A, B,
K, C, D is redundant by n^2 directions. Each step is the damped least-squares step of least norm, which has no
component along them: the data-driven local coordinates of [McKelvey, Helmersson & Ribarits 2004].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.status import Status
from ..kernels.sensitivity import error_jacobian, predict_linear
from .joint_regression import Record
from .progress import Progress
from .records import DIVERGED
from .robust_loss import ErrorLaw
from .structure import Predictor, Structure
from .triangular import triangle

_ROWS = 2048
_DEPENDENT = 1e-12  # least eigenvalue of the errors' correlations
_RANK = 1e-9  # singular values below it, relative, are the gauge's


@dataclass(frozen=True)
class Point:
    """A parameter vector with initial states (S, n), what the predictor does there, and the criterion."""

    theta: np.ndarray
    x0: np.ndarray
    predictor: Predictor
    states: list[np.ndarray]
    errors: list[np.ndarray]
    value: float
    cov: np.ndarray
    weights: list[np.ndarray]


@dataclass(frozen=True)
class Optimum:
    """The best point, the criterion per iteration, how it ended, and the covariance of theta with its sandwich form.

    interrupted: the status where the user ended it, else None.
    """

    point: Point
    history: np.ndarray
    status: Status
    covariance: np.ndarray
    robust_covariance: np.ndarray
    rank: int
    interrupted: Status | None = None

    @property
    def n_parameters(self) -> int:
        """Directions of theta that the data determine, and the entries of the errors' covariance."""
        p = len(self.point.cov)
        return self.rank + p * (p + 1) // 2


@dataclass(frozen=True)
class LinearProblem:
    """Errors of a structured linear predictor over records, and their minimisation.

    A - K C is held inside the unit circle, unless the start lies outside.
    """

    records: Sequence[Record]
    template: Predictor
    structure: Structure
    law: ErrorLaw
    estimate_x0: bool = True

    def evaluate(self, theta: np.ndarray, x0: np.ndarray) -> Point:
        """Run the predictor over all experiments."""
        predictor = self.template.replaced(self.structure.vector(theta))
        P, states, errors = predictor, [], []
        drift, level = P.c[:, None], P.d
        for (y, u), start in zip(self.records, x0):
            wide = np.ascontiguousarray(np.hstack([u, np.ones((len(u), 1))]))
            X, E = np.empty((len(y), len(P.A))), np.empty(y.shape)
            B, D = np.ascontiguousarray(np.hstack([P.B, drift])), np.ascontiguousarray(np.hstack([P.D, level[:, None]]))
            predict_linear(P.A, B, P.C, D, P.K, wide, y, start.copy(), X, E)
            states.append(X)
            errors.append(E)
        value, cov, weights = self._criterion(errors)
        return Point(theta, x0, predictor, states, errors, value, cov, weights)

    def _criterion(self, errors: list[np.ndarray]) -> tuple[float, np.ndarray, list[np.ndarray]]:
        """Negative log likelihood, scale matrix, and a weight for every entry; channels apart where rows have gaps."""
        E = np.concatenate(errors)
        p = E.shape[1]
        seen = ~np.isnan(E)
        whole = seen.all(1)
        if np.isinf(E).any() or not np.abs(E[seen]).max(initial=0.0) < DIVERGED:
            return np.inf, np.eye(p), [np.ones(e.shape) for e in errors]
        W = np.zeros(E.shape)
        if p == 1 or (whole == seen.any(1)).all():
            value, cov, w = self.law.fit(E[whole])
            W[whole] = w[:, None]
        else:
            value, cov = 0.0, np.eye(p)
            for k in range(p):
                part, c, w = self.law.fit(E[seen[:, k], k : k + 1])
                value, cov[k, k], W[seen[:, k], k] = value + part, c[0, 0], w
        ends = np.cumsum([len(e) for e in errors])[:-1]
        return value, cov, np.split(W, ends)

    def _blocks(self, point: Point, s: int) -> Iterator[np.ndarray]:
        """Whitened rows [x0 | theta | e] of experiment s, a few thousand samples at a time."""
        P, (y, u) = point.predictor, self.records[s]
        n, p, q = len(P.A), y.shape[1], len(P.A) + u.shape[1] + 1
        X, V, work = np.zeros((q + p + 1, n, n)), np.zeros((q, p, n)), np.empty((max(n, 1), n))
        X[-1] = np.eye(n)
        root = np.linalg.inv(np.linalg.cholesky(point.cov))
        start = (q + p) * n
        for a in range(0, len(y), _ROWS):
            part = slice(a, a + _ROWS)
            z = np.ascontiguousarray(np.hstack([point.states[s][part], u[part], np.ones((len(u[part]), 1))]))
            E = np.ascontiguousarray(point.errors[s][part])
            J = np.empty((len(z), p, (q + p + 1) * n + q * p))
            error_jacobian(P.A, P.C, P.K, z, E, X, V, work, J)
            vector = np.concatenate([J[:, :, :start], J[:, :, start + n :]], axis=2)
            rows = np.concatenate([J[:, :, start : start + n], vector @ self.structure.M, np.nan_to_num(E)[:, :, None]], axis=2)
            rows[np.isnan(E)] = 0.0
            rows = np.einsum("kl,tlj->tkj", root, rows) * np.sqrt(point.weights[s][part])[:, :, None]
            yield rows

    def _triangles(self, point: Point) -> tuple[np.ndarray, list[np.ndarray]]:
        """R of the shared columns [theta | e] with the initial states eliminated, and each experiment's head."""
        n, k = len(point.predictor.A), len(point.theta)
        stack, heads = np.zeros((0, k + 1)), []
        for s in range(len(self.records)):
            R = np.zeros((0, n + k + 1))
            for rows in self._blocks(point, s):
                R = triangle(np.vstack([R, rows.reshape(-1, n + k + 1)]))
            first = n if self.estimate_x0 else 0
            heads.append(R[:first])
            stack = triangle(np.vstack([stack, R[first:, n:]]))
        return stack, heads

    def minimise(self, theta: np.ndarray, x0: np.ndarray, iterations: int, tolerance: float, name: str) -> Optimum:
        """Levenberg-Marquardt from a start; the criterion never rises. Cost O(T (n + m + p) n^3) an iteration."""
        best = self.evaluate(theta, x0)
        _check_start(best, name)
        radius = max(1.0 - 1e-9, _radius(best.predictor) + 1e-6)
        history, damping, status = [best.value], 1e-6, None
        with Progress(name, iterations) as progress:
            for iteration in progress:
                R, heads = self._triangles(best)
                direction = _Step(R)
                if direction.gain < tolerance:
                    status = Status(True, f"the next step would gain less than {tolerance:g} in log likelihood", iteration - 1)
                    break
                trial, damping = self._search(best, direction, heads, damping, radius)
                if trial is None:
                    done = bool(direction.gain < 1e-4 * max(1.0, abs(best.value)) ** 0.5)
                    status = Status(done, "no step lowers the criterion any further" + ("" if done else
                                    ", although its gradient is not zero: rounding, or a bound on stability"), iteration)
                    break
                gained, best = best.value - trial.value, trial
                history.append(best.value)
                progress.show(loss=best.value)
                if gained < tolerance:
                    status = Status(True, f"the last step gained less than {tolerance:g} in log likelihood", iteration)
                    break
        if status is None:
            status = Status(False, f"stopped after {iterations} iterations, before the gain fell below {tolerance:g}", iterations)
        status = status if progress.interrupted is None else progress.interrupted
        return self._optimum(best, np.array(history), status, progress.interrupted)

    def _search(self, best: Point, direction: _Step, heads: list[np.ndarray], damping: float, radius: float,
                ) -> tuple[Point | None, float]:
        for _ in range(25):
            step = direction(damping)
            x0 = best.x0.copy()
            if self.estimate_x0:
                n = x0.shape[1]
                for s, h in enumerate(heads):
                    x0[s] -= np.linalg.lstsq(h[:, :n], h[:, -1] + h[:, n:-1] @ step, rcond=1e-10)[0]
            trial = self.evaluate(best.theta + step, x0)
            if trial.value < best.value and _radius(trial.predictor) < radius:
                return trial, max(damping / 10, 1e-14)
            damping *= 8
        return None, damping

    def _optimum(self, best: Point, history: np.ndarray, status: Status, interrupted: Status | None) -> Optimum:
        R, _ = self._triangles(best)
        step = _Step(R)
        basis = step.basis()
        weights = np.concatenate(best.weights)
        # Fisher information of an elliptical law: the mean of psi^2 over the square of the mean of psi' for the bulk.
        active = weights[weights > 0]
        factor = 1.0 if self.law.kind == "gaussian" else float(1.0 / max(active.mean(), 1e-12))
        covariance = basis @ basis.T * factor
        return Optimum(best, history, status, covariance, self._sandwich(best, basis), basis.shape[1], interrupted)

    def _sandwich(self, best: Point, basis: np.ndarray) -> np.ndarray:
        """Covariance from sums of scores over blocks of about T^(1/2) samples: valid under coloured errors."""
        n, k = len(best.predictor.A), len(best.theta)
        total = sum(len(y) for y, _ in self.records)
        length = max(20, int(np.sqrt(total)))
        meat = np.zeros((basis.shape[1], basis.shape[1]))
        for s in range(len(self.records)):
            scores = [np.einsum("tkj,tk->tj", r[:, :, n : n + k], r[:, :, -1]) @ basis for r in self._blocks(best, s)]
            stacked = np.concatenate(scores)
            sums = np.add.reduceat(stacked, np.arange(0, len(stacked), length), axis=0)
            meat += sums.T @ sums
        return basis @ meat @ basis.T


class _Step:
    """The damped step of least norm from R of [theta | e], columns scaled; singular values of the gauge dropped."""

    def __init__(self, R: np.ndarray):
        J, r = R[:, :-1], R[:, -1]
        self.scale = np.linalg.norm(J, axis=0)
        self.scale = np.where(self.scale > 1e-300, self.scale, 1.0)
        U, s, Vt = np.linalg.svd(J / self.scale, full_matrices=False)
        keep = s > _RANK * s.max(initial=0.0)
        self.s, self.V, self.r = s[keep], Vt[keep].T, U[:, keep].T @ r
        self.gain = 0.5 * float(self.r @ self.r)

    def __call__(self, damping: float) -> np.ndarray:
        s = self.s
        return -(self.V @ (self.r * s / (s * s + damping * s.max(initial=1.0) ** 2))) / self.scale

    def basis(self) -> np.ndarray:
        """N (k, rank) with N N' the inverse information in the directions that the data determine."""
        return (self.V / self.s) / self.scale[:, None]


def _check_start(start: Point, name: str) -> None:
    """Refuse a start without a finite criterion, and errors of which one follows from the others."""
    if not all(np.abs(e[~np.isnan(e)]).max(initial=0.0) < DIVERGED for e in start.errors):
        raise ValueError(f"{name}: expected a start whose errors stay finite over the data; received one that diverges. "
                         "Is its predictor unstable? Start from sysid.Subspace, with stable=True for a simulation.")  # fmt: skip
    spread = np.sqrt(np.diag(start.cov))
    if not (spread > 0).all() or np.linalg.eigvalsh(start.cov / np.outer(spread, spread))[0] < _DEPENDENT:
        raise ValueError(f"{name}: expected outputs whose errors are linearly independent; received some that are not, and the likelihood "
                         "has no maximum. Does one output repeat others, or is the record free of noise? Leave that output out.")  # fmt: skip


def _radius(P: Predictor) -> float:
    return float(np.abs(np.linalg.eigvals(P.A - P.K @ P.C)).max(initial=0.0))
