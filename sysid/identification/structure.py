"""Which entries of a linear predictor are free: an affine map from parameters to all matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BLOCKS = ("A", "B", "c", "K", "C", "D", "d")


@dataclass(frozen=True)
class Predictor:
    """x[t+1] = A x + B u + c + K e, e = y - C x - D u - d: the matrices as one vector and back.

    A (n, n), B (n, m), c (n,), K (n, p), C (p, n), D (p, m), d (p,). The vector stacks columns of [A B c K], then of [C D d].
    """

    A: np.ndarray
    B: np.ndarray
    c: np.ndarray
    K: np.ndarray
    C: np.ndarray
    D: np.ndarray
    d: np.ndarray

    def vector(self) -> np.ndarray:
        """All entries as one vector."""
        upper = np.hstack([self.A, self.B, self.c[:, None], self.K])
        lower = np.hstack([self.C, self.D, self.d[:, None]])
        return np.concatenate([upper.T.ravel(), lower.T.ravel()])

    def replaced(self, vector: np.ndarray) -> Predictor:
        """The same shapes with other entries."""
        n, m, p = len(self.A), self.B.shape[1], len(self.C)
        split = (n + m + 1 + p) * n
        upper = np.ascontiguousarray(vector[:split].reshape(-1, n).T)
        lower = np.ascontiguousarray(vector[split:].reshape(-1, p).T)
        cut = [np.ascontiguousarray(M) for M in np.split(upper, [n, n + m, n + m + 1], axis=1)]
        C, D, d = (np.ascontiguousarray(M) for M in np.split(lower, [n, n + m], axis=1))
        return Predictor(cut[0], cut[1], cut[2][:, 0].copy(), cut[3], C, D, d[:, 0].copy())

    def places(self) -> dict[str, np.ndarray]:
        """Index of every entry in the vector, as arrays of the blocks' shapes."""
        numbered = self.replaced(np.arange(len(self.vector()), dtype=float))
        return {key: getattr(numbered, key).astype(int) for key in BLOCKS}

    def transform(self, T: np.ndarray) -> Predictor:
        """Change coordinates, x = T z."""
        inverse = np.linalg.inv(T)
        return Predictor(inverse @ self.A @ T, inverse @ self.B, inverse @ self.c, inverse @ self.K, self.C @ T, self.D, self.d)


@dataclass(frozen=True)
class Structure:
    """vector = base + M theta: which entries are free (unit columns), shared or tied (several entries a column)."""

    base: np.ndarray
    M: np.ndarray

    @classmethod
    def of_free(cls, predictor: Predictor, free: Mapping[str, np.ndarray | bool]) -> Structure:
        """Free the marked entries (masks of the blocks' shapes, or True for a whole block), hold the others."""
        vector, places = predictor.vector(), predictor.places()
        index = np.concatenate([places[key][np.broadcast_to(mask, places[key].shape)] for key, mask in free.items()])
        M = np.zeros((len(vector), len(index)))
        M[index, np.arange(len(index))] = 1.0
        base = vector.copy()
        base[index] = 0.0
        return cls(base, M)

    def vector(self, theta: np.ndarray) -> np.ndarray:
        """The entries at theta."""
        return self.base + self.M @ theta

    def theta(self, vector: np.ndarray) -> np.ndarray:
        """The parameters of entries that obey the structure."""
        return np.linalg.lstsq(self.M, vector - self.base, rcond=None)[0]
