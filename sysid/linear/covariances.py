"""Algebra on covariance matrices in the units of their own variances."""

from __future__ import annotations

import numpy as np

EPS = np.finfo(float).eps


def covariance_inverse(P: np.ndarray) -> np.ndarray:
    """Invert a covariance on the span of its correlations.

        P^- = D^-1 (D^-1 P D^-1)^+ D^-1,    D = diag(P)^1/2

    P: (n, n) or (T, n, n), symmetric and positive semidefinite. Directions whose correlation rounding could have made, 16 n
    units of the last place, are left out. In other units the answer is the same in those units, which a bare pseudo-inverse
    is not: that one takes the noise of a sensor in volts beside one in microvolts for zero. Returns an array of P's shape.
    """
    d = np.sqrt(np.diagonal(P, axis1=-2, axis2=-1))
    unit = np.where(d > 0, d, 1.0)
    both = unit[..., :, None] * unit[..., None, :]
    return np.linalg.pinv(P / both, rcond=16 * P.shape[-1] * EPS, hermitian=True) / both


def mean_and_covariance(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (n,) and the covariance about it (n, n), sums divided by N, of samples (N, n), n = 1 included."""
    n = samples.shape[1]
    return samples.mean(0), np.cov(samples.T, bias=True).reshape(n, n)


def innovations_noise(K: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Q = K R K', R = cov and S = K R of the innovations form x+ = A x + B u + K e, y = C x + D u + e.

    K: (n, p), cov: (p, p). All three come from one root of cov, so that [[Q, S], [S', R]] stays symmetric and positive
    semidefinite whatever cancels. Cost O((n + p)^2 p).
    """
    values, vectors = np.linalg.eigh(cov)
    root = np.vstack([K, np.eye(len(cov))]) @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    joint, n = root @ root.T, len(K)
    return joint[:n, :n], joint[n:, n:], joint[:n, n:]
