r"""Bayesian ridge readout: penalty and noise from the evidence, and predictive bands that know the readout is uncertain.

    y = C phi + d + e,   e ~ N(0, 1/beta),   C_i ~ N(0, I/alpha)
    Cov(C_i | y) = (alpha I + beta X'X)^-1,   ridge = alpha/beta                                    [ESN-SSM, Eq. 74]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..core.status import Status
from ..identification.fit import Fit
from ..models.esn_functions import readout_features
from .least_squares import RidgePath, Triangle
from .readout import readout_process
from .states import driven_states, patterns, reservoir_of, rows


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Shown):
    """One-step predictions along data: mean and std (T, p), the std of a new measurement; readout_std (T, p) without the noise."""

    mean: np.ndarray
    std: np.ndarray
    readout_std: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Central Gaussian interval, low and high (T, p). Raises ValueError for a level outside (0, 1)."""
        from scipy.special import ndtri

        half = ndtri(0.5 + _check.level(level, "interval") / 2) * self.std
        return self.mean - half, self.mean + half

    def summary(self) -> dict[str, Any]:
        return {"steps": len(self.mean), "outputs": self.mean.shape[1], "mean band, std": self.std.mean(0)}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BayesianFit(Fit):
    """A Bayesian readout: precisions alpha, beta (p,), and the posterior covariance of each output's weights in factors.

    Outputs measured at the same times are a group. group : (p,) of every output. modes : (G, k, k) orthonormal directions V of a
    group's features. center : (G, k) their means. variances : (p, k) posterior variance along the directions. counts : (p,) rows.
    """

    alpha: np.ndarray
    beta: np.ndarray
    modes: np.ndarray
    variances: np.ndarray
    center: np.ndarray
    group: np.ndarray
    counts: np.ndarray

    @property
    def ridge(self) -> np.ndarray:
        """alpha/beta of every output (p,): the penalty of the equivalent ridge regression."""
        return self.alpha / self.beta

    def predict(self, data: Data) -> Prediction:
        """Predict the outputs along one sequence (measured outputs fed back where the reservoir does), with bands."""
        x, _ = driven_states(self.model, data)
        phi = readout_features(self.model)(x)
        readout = np.empty((len(phi), len(self.beta)))
        for g, (V, center) in enumerate(zip(self.modes, self.center)):
            readout[:, self.group == g] = ((phi - center) @ V) ** 2 @ self.variances[self.group == g].T
        readout += 1.0 / (self.beta * self.counts)
        return Prediction(phi @ self.model.C.T + self.model.d, np.sqrt(readout + 1.0 / self.beta), np.sqrt(readout))


@dataclass(frozen=True)
class BayesianReadout:
    r"""Train the readout by Bayesian ridge regression, precisions by maximal evidence [MacKay 1992; Tipping 2001].

    .. math:: \gamma = \sum_j \frac{\beta s_j^2}{\alpha + \beta s_j^2}, \quad \alpha \leftarrow \frac{\gamma}{|C|^2},
              \quad \beta \leftarrow \frac{N - 1 - \gamma}{|y - Cx - d|^2}

    washout : samples dropped at the start of every sequence. max_iterations, tolerance : of the fixed point, on log ridge.
    One decomposition serves all iterations and outputs. Each output has its own precisions. `fit.predict(data)` gives
    bands; `fit.log_likelihood` is the log evidence. O(T k^2 + k^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    washout: int = 100
    max_iterations: int = 200
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        _check.options(self, tolerance="nonnegative")
        _check.count(self.washout, "washout", "BayesianReadout", least=0)
        _check.count(self.max_iterations, "max_iterations", "BayesianReadout")

    def fit(self, data: list[Data], start: Any) -> BayesianFit:
        """Train on single sequences; `start` is the reservoir."""
        model = reservoir_of(start, "fit(BayesianReadout)")
        samples = list(rows(model, data, self.washout, "fit(BayesianReadout)"))
        k, p = samples[0][0].shape[1], samples[0][1].shape[1]
        C, d, alpha, beta = np.zeros((p, k)), np.zeros(p), np.zeros(p), np.zeros(p)
        variances, counts, evidence, steps, done = np.zeros((p, k)), np.zeros(p), 0.0, 0, True
        group = np.zeros(p, int)
        paths: list[RidgePath] = []
        for columns, _ in patterns(np.vstack([y for _, y in samples])):
            path, group[columns] = _path(samples, columns), len(paths)
            paths.append(path)
            for i, j in enumerate(columns):
                a, b, log_evidence, n, converged = self._precisions(path, i)
                c, offset = path.solve(a / b)
                C[j], d[j], alpha[j], beta[j], counts[j] = c[i], offset[i], a, b, path.count
                variances[j] = 1.0 / (a + b * path.svd[1] ** 2)
                evidence, steps, done = evidence + log_evidence, max(steps, n), done and converged
        trained = model.with_readout(C, d)
        reason = "the precisions settled" if done else f"the precisions still moved after {self.max_iterations} iterations"
        return BayesianFit(model=trained, process=readout_process(trained, np.diag(1.0 / beta), samples),
                           status=Status(done, reason, steps), log_likelihood=evidence, alpha=alpha, beta=beta,
                           modes=np.stack([path.svd[2] for path in paths]), variances=variances,
                           center=np.stack([path.mean_x for path in paths]), group=group, counts=counts)

    def _precisions(self, path: RidgePath, i: int) -> tuple[float, float, float, int, bool]:
        UZ, s, _ = path.svd
        z2, s2, N = UZ[:, i] ** 2, s ** 2, path.count - 1
        rest = float(path.E[:, i] @ path.E[:, i])
        total = float(z2.sum()) + rest
        if not s2.any():  # states that never move say nothing about C: its prior stays, of unit precision
            beta = N / max(total, 1e-300)
            return 1.0, beta, 0.5 * N * (np.log(beta / (2 * np.pi)) - 1), 0, True
        beta = N / max(0.1 * total, 1e-300)
        alpha = beta * 1e-6 * max(float(s2.max(initial=0.0)), 1e-300)
        converged, n = False, 0
        while not converged and n < self.max_iterations:
            n += 1
            gain = beta * s2 / (alpha + beta * s2)
            size = float((z2 * gain ** 2 / np.where(s2 > 0, s2, 1.0)).sum())
            error = float((z2 * (1 - gain) ** 2).sum()) + rest
            gamma = float(gain.sum())
            older, alpha = alpha / beta, gamma / max(size, 1e-300)
            beta = max(N - gamma, 1e-3) / max(error, 1e-300 + 1e-30 * total)
            converged = abs(np.log(alpha / beta) - np.log(older)) < self.tolerance
        gain = beta * s2 / (alpha + beta * s2)
        fit = beta * (float((z2 * (1 - gain)).sum()) + rest)
        log_det = float(np.log1p(beta * s2 / alpha).sum())
        return alpha, beta, 0.5 * (N * np.log(beta / (2 * np.pi)) - log_det - fit), n, converged


def _path(samples: list, columns: np.ndarray) -> RidgePath:
    triangle = Triangle(samples[0][0].shape[1], len(columns))
    for X, Y in samples:
        keep = ~np.isnan(Y[:, columns[0]])
        triangle.add(X[keep], Y[keep][:, columns])
    return triangle.path()
