"""Elliptical error laws: Gaussian, Huber, Student; weights, scale and negative log density [Lange et al. 1989]."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

import numpy as np


@dataclass(frozen=True)
class ErrorLaw:
    """The density |cov|^-1/2 exp(-rho(s)), s = e' cov^-1 e, of errors e (p,).

    kind: "gaussian"  rho = s / 2;   "huber"  rho = s / 2 to s = k^2, then k s^1/2 - k^2 / 2, with k = 1.345 p^1/2;
    "student"  rho = (nu + p) / 2 log(1 + s / nu) with nu degrees of freedom. Huber's cov is scaled by the median of s.
    """

    kind: str = "gaussian"
    degrees: float = 4.0

    def weights(self, s: np.ndarray, p: int) -> np.ndarray:
        """2 rho'(s): how much each error counts, 1 for the Gaussian."""
        if self.kind == "gaussian":
            return np.ones_like(s)
        if self.kind == "student":
            return (self.degrees + p) / (self.degrees + s)
        k = 1.345 * np.sqrt(p)
        return np.minimum(1.0, k / np.sqrt(np.maximum(s, 1e-300)))

    def rho(self, s: np.ndarray, p: int) -> np.ndarray:
        """Negative log density but for |cov|^1/2 and the constant."""
        if self.kind == "gaussian":
            return s / 2
        if self.kind == "student":
            return (self.degrees + p) / 2 * np.log1p(s / self.degrees)
        k = 1.345 * np.sqrt(p)
        return np.where(s <= k * k, s / 2, k * np.sqrt(s) - k * k / 2)

    def log_constant(self, p: int) -> float:
        """Log of the normalising constant."""
        if self.kind == "student":
            v = self.degrees
            return lgamma((v + p) / 2) - lgamma(v / 2) - p / 2 * np.log(np.pi * v)
        if self.kind == "gaussian":
            return -p / 2 * np.log(2 * np.pi)
        # Huber: surface of the sphere times the radial integral, by quadrature.
        r = np.linspace(0.0, 60.0 * np.sqrt(p), 60_001)
        radial = (r ** (p - 1) * np.exp(-self.rho(r * r, p))).sum() * (r[1] - r[0])
        return -(np.log(2.0) + p / 2 * np.log(np.pi) - lgamma(p / 2) + np.log(radial))

    def fit(self, e: np.ndarray, cov: np.ndarray | None = None) -> tuple[float, np.ndarray, np.ndarray]:
        """Negative log likelihood, scale matrix (p, p) at its maximum, and weights (N,) of errors (N, p) without gaps."""
        N, p = e.shape
        if not np.isfinite(e).all() or N == 0:
            return np.inf, np.eye(p), np.ones(N)
        cov = e.T @ e / N if cov is None else cov
        for _ in range(100 if self.kind != "gaussian" else 1):
            s = _distance(e, cov)
            w = self.weights(s, p)
            new = (e * (w * w if self.kind == "huber" else w)[:, None]).T @ e / N
            if self.kind == "huber":
                # A scale that outliers cannot inflate: squared weights, and half of the distances below chi-square's median.
                from scipy.special import gammaincinv
                new *= np.median(_distance(e, new)) / (2 * gammaincinv(p / 2, 0.5))
            change = np.abs(new - cov).max() / max(np.abs(cov).max(), 1e-300)
            cov = new
            if change < 1e-12:
                break
        s = _distance(e, cov)
        try:
            logdet = 2 * np.log(np.diag(np.linalg.cholesky(cov))).sum()
        except np.linalg.LinAlgError:
            return np.inf, cov, self.weights(s, p)  # errors of which one follows from the others
        return N * (logdet / 2 - self.log_constant(p)) + float(self.rho(s, p).sum()), cov, self.weights(s, p)


def _distance(e: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """e' cov^-1 e, row by row; a singular cov is regularised to rounding."""
    jitter = 1e-13 * np.trace(cov) / len(cov) + 1e-300
    L = np.linalg.cholesky(cov + jitter * np.eye(len(cov)))
    return (np.linalg.solve(L, e.T) ** 2).sum(0)
