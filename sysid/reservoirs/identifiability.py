"""What the data say of a reservoir's hyperparameters: observed information, standard errors, profile likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._show import Shown
from .forced import Parameters
from .likelihood import Objective

CONFOUNDED = 1e4
MANY = 200      # entries of Q to ask the data about, two gradients each


@dataclass(frozen=True, eq=False, repr=False)
class Information(Shown):
    """Observed information of hyperparameters on their fitting scale: leak as it is, logarithms of scales and variances.

        I = -d^2 log p(y) / dv^2,    Cov(v) ~ I^-1

    names: k labels. matrix: (k, k), the readout profiled out by its Gauss-Newton information where it is estimated.
    standard_errors: (k,) of the parameters themselves (delta method), of the Cholesky factor for a full R; NaN where I is not positive definite.
    condition: ratio of the extreme eigenvalues of I scaled to unit diagonal; weakest: the direction (k,) least seen.
    loose: entries of full blocks of Q, which are not among the names; the others are stated with those known to a factor e or better,
    by the data or as a prior. determined: how many of them the data determine, sum l / (1 + l) over the eigenvalues l of their information
    on relative changes; NaN where there are too many to look at.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    standard_errors: np.ndarray
    covariance: np.ndarray
    condition: float
    weakest: np.ndarray
    loose: int = 0
    determined: float = 0.0

    def notes(self) -> list[str]:
        """Sentences on confounded or unidentified parameters."""
        return [*self._noise_notes(), *self._other_notes()]

    def _noise_notes(self) -> list[str]:
        if not self.loose:
            return []
        if np.isnan(self.determined):
            return [f"Q has {self.loose} free entries in full blocks, too many to ask which of them the data determine; standard errors hold them"]
        words = f"Q has {self.loose} free entries in full blocks, of which the data determine {self.determined:.1f}"
        if self.determined > 0.9 * self.loose:
            return [words]
        return [f"{words} to better than a factor e: it is not identified, and what is open stays near the start or on the floor. Fewer "
                "blocks, groups or Q='diagonal' ask for less"]

    def _other_notes(self) -> list[str]:
        if not np.isfinite(self.condition):
            return ["the information matrix is not positive definite at the estimate, so standard errors are NaN: a parameter "
                    "is at a bound, or two trade off along a ridge; fix one of them"]
        if self.condition > CONFOUNDED:
            parts = ", ".join(f"{name} {w:+.2f}" for name, w in zip(self.names, self.weakest) if abs(w) > 0.2)
            return [f"confounded: condition number {self.condition:.2g}; the data hardly see the combination {parts} "
                    "(in units of single standard deviations); fix one of them"]
        return []

    def summary(self) -> dict[str, Any]:
        return {"parameters": ", ".join(self.names), "standard errors": self.standard_errors,
                "condition": self.condition}


def observed_information(target: Objective, p: Parameters) -> Information:
    """Observed information at p by central differences of the exact gradient: 2 k gradients of O(T n^3)."""
    c = target.coordinates
    labels = c.labels()
    v = c.pack(p)
    loose = np.array([i for i, label in enumerate(labels) if "," in label], int)
    looked = loose if len(loose) <= MANY else loose[:0]
    named = np.array([i for i, label in enumerate(labels) if label.split("[")[0] not in ("readout", "initial") and "," not in label], int)
    hyper = np.concatenate([named, looked])
    rest = np.array([i for i, label in enumerate(labels) if label.startswith("readout")], int)
    rows = np.empty((len(hyper), len(v)))
    for a, i in enumerate(hyper):
        linear = labels[i].startswith("leak") and not c.time_unit
        h = 1e-4 * (min(v[i], 1.0) if linear else max(1.0, abs(v[i])))
        up, down = v.copy(), v.copy()
        up[i] += h
        down[i] -= h
        if linear and up[i] > 1.0:
            up[i] = v[i]
        rows[a] = -(target.value_and_gradient(up)[1] - target.value_and_gradient(down)[1]) / (up[i] - down[i])
    matrix = rows[:, hyper]
    matrix = (matrix + matrix.T) / 2
    if len(rest):                     # whitened readout: its own information is the identity in Gauss-Newton form
        matrix = matrix - rows[:, rest] @ rows[:, rest].T
    matrix, determined = _profiled(matrix, len(named))
    names = tuple("tau" + labels[i][4:] if c.time_unit and labels[i].startswith("leak") else labels[i] for i in named)
    found = _information(names, matrix, _derivatives(labels, named, v, p, target))
    return replace(found, loose=len(loose), determined=determined if len(looked) == len(loose) else np.nan)


def _profiled(matrix: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """The information of the first k parameters, the others known to a factor e or better, and how many of those are determined."""
    if len(matrix) == k or not np.all(np.isfinite(matrix)):
        return matrix[:k, :k], 0.0
    values, vectors = np.linalg.eigh(matrix[k:, k:])
    values = np.maximum(values, 0.0)
    across = matrix[:k, k:] @ vectors
    return matrix[:k, :k] - (across / (1.0 + values)) @ across.T, float(np.sum(values / (1.0 + values)))


def _derivatives(labels: list[str], hyper: np.ndarray, v: np.ndarray, p: Parameters, target: Objective) -> np.ndarray:
    """d parameter / d coordinate for every hyperparameter."""
    c, out = target.coordinates, np.empty(len(hyper))
    for a, i in enumerate(hyper):
        name, _, rest = labels[i].partition("[")
        which = int(rest[:-1]) if rest else 0
        if name == "leak":
            out[a] = c.time_unit * np.exp(v[i]) if c.time_unit else 1.0
        elif name == "Q":
            out[a] = c.freedom.variances(p.Q)[which]
        elif name == "R" and c.R_form == "scaled":
            out[a] = np.diag(p.R).mean()
        elif name == "R" and c.R_form == "full":
            out[a] = np.exp(v[i]) if which < len(p.R) else 1.0
        elif name == "scale":
            out[a] = p.scale
        else:
            out[a] = np.exp(v[i])
    return out


def _information(names: tuple[str, ...], matrix: np.ndarray, derivatives: np.ndarray) -> Information:
    k = len(names)
    nan = np.full((k, k), np.nan)
    if k == 0:
        return Information(names, matrix, np.zeros(0), matrix, 1.0, np.zeros(0))
    diagonal = np.diag(matrix)
    if np.any(~np.isfinite(matrix)) or np.any(diagonal <= 0):
        return Information(names, matrix, nan[0], nan, np.inf, nan[0])
    unit = matrix / np.sqrt(np.outer(diagonal, diagonal))
    values, vectors = np.linalg.eigh(unit)
    if values[0] <= 1e-12:
        return Information(names, matrix, nan[0], nan, np.inf, vectors[:, 0])
    covariance = np.linalg.inv(unit) / np.sqrt(np.outer(diagonal, diagonal)) * np.outer(derivatives, derivatives)
    return Information(names, matrix, np.sqrt(np.diag(covariance)), covariance, float(values[-1] / values[0]), vectors[:, 0])


