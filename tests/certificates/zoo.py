"""Reservoirs of every kind on which the certificates are compared."""

from __future__ import annotations

import numpy as np


def reservoir(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """W (n, n) with spectral radius 1, of the named kind."""
    G = rng.normal(size=(n, n))
    if kind == "gaussian":
        W = G
    elif kind == "sparse":
        W = G * (rng.random((n, n)) < min(1.0, 10 / n))
    elif kind == "orthogonal":
        W = np.linalg.qr(G)[0]
    elif kind == "cyclic":
        W = np.roll(np.eye(n), 1, axis=0)
    elif kind == "nonnormal":
        W = 3 * np.triu(G, 1) / np.sqrt(n) + np.diag(rng.uniform(-1, 1, n))
    elif kind == "badly scaled":
        d = 10 ** rng.uniform(-1, 1, n)
        W = d[:, None] * G / d
    elif kind == "nonnegative":
        W = np.abs(G) * (rng.random((n, n)) < 0.5) + 0.01
    else:
        raise ValueError(kind)
    return W / np.abs(np.linalg.eigvals(W)).max()


KINDS = ("gaussian", "sparse", "orthogonal", "cyclic", "nonnormal", "badly scaled", "nonnegative")
