"""Gaussian random vectors, and what is known of a state before the first measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown


def psd_factor(cov: np.ndarray) -> np.ndarray:
    """A factor L (n, n) with L L' = cov for a positive semidefinite, possibly singular, covariance.

    Eigenvalues below n eps times the largest count as zero. Cost O(n^3).
    """
    if cov.shape[-1] == 0:
        return np.zeros_like(cov)
    values, vectors = np.linalg.eigh((cov + np.swapaxes(cov, -1, -2)) / 2)
    floor = cov.shape[-1] * np.finfo(float).eps * np.abs(values).max(axis=-1, keepdims=True)
    return vectors * np.sqrt(np.where(values > floor, values, 0.0))[..., None, :]


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(Shown):
    """A Gaussian random vector.

        p(x) = |2 pi cov|^(-1/2) exp(-(x - mean)' cov^-1 (x - mean) / 2)

    mean: (n,). cov: (n, n) positive semidefinite, or (n,) variances, or one variance.
    Raises ValueError where cov is not symmetric or has a negative eigenvalue.
    """

    mean: np.ndarray
    cov: np.ndarray

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, mean: ArrayLike, cov: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        mean = _check.vector(self.mean, "mean", "Gaussian")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "cov", _check.covariance(self.cov, "cov", "Gaussian", len(mean)))

    @property
    def n(self) -> int:
        """Dimension of the vector."""
        return len(self.mean)

    @property
    def std(self) -> np.ndarray:
        """Standard deviations (n,)."""
        return np.sqrt(np.diag(self.cov))

    def sample(self, rng: np.random.Generator, size: int | None = None) -> np.ndarray:
        """Draw vectors: (n,), or (size, n). Raises TypeError without an rng or for a size that is not a whole number."""
        rng = _check.generator(rng, "Gaussian.sample")
        count = 1 if size is None else _check.count(size, "size", "Gaussian.sample", least=0)
        draws = rng.standard_normal((count, self.n)) @ psd_factor(self.cov).T + self.mean
        return draws[0] if size is None else draws

    def log_density(self, x: np.ndarray) -> float | np.ndarray:
        """Log density at x (n,) or (k, n), all 2 pi terms included; the covariance must be regular.

        Raises ValueError or TypeError for x of another size or not of finite numbers, or a singular covariance.
        """
        x = _check.real_array(x, "x", "Gaussian.log_density")
        x = x.reshape(1) if x.ndim == 0 and self.n == 1 else x
        if x.ndim not in (1, 2) or x.shape[-1] != self.n:
            raise ValueError(f"Gaussian.log_density: expected x with shape ({self.n},) or (k, {self.n}); received {x.shape}.")
        try:
            chol = np.linalg.cholesky(self.cov)
        except np.linalg.LinAlgError:
            raise ValueError(
                "Gaussian.log_density: expected a regular covariance; received a singular one, which has no density."
            ) from None
        e = scipy.linalg.solve_triangular(chol, np.atleast_2d(x - self.mean).T, lower=True)
        values = -0.5 * (e * e).sum(0) - np.log(np.diag(chol)).sum() - 0.5 * self.n * np.log(2 * np.pi)
        return float(values[0]) if x.ndim == 1 else values

    def summary(self) -> dict[str, Any]:
        return {"dimension": self.n, "mean": self.mean, "standard deviation": self.std}


@dataclass(frozen=True)
class Stationary:
    """The initial state of a stable model in its stationary law: mean (I - A)^-1 c, covariance from Lyapunov's equation."""


@dataclass(frozen=True)
class Diffuse:
    """Nothing known of the initial state: the exact limit of an infinite prior covariance, not a large number."""
