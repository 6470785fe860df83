r"""What is free about the process noise of a reservoir: factors, blocks, or directions.

    Q = B M B',    M = blockdiag(M_1, ..., M_k),    M_g = m_g I  or any positive definite matrix;    Q = B B' at the start

One factor, a factor a group, a diagonal, full blocks, and noise along given directions are all of this form. The M-step is exact:
with V = B^-1 E[sum w w'] B'^-1 / N the blocks are M_g = V_gg, or tr(V_gg) / size for one factor    [ESN-SSM, Eq. 68, corrected].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from . import cholesky


@dataclass(frozen=True, eq=False)
class NoiseForm:
    """The free blocks of Q; its vector holds log m_g, or of a full block the factor L of M_g = L L', logarithms on its diagonal.

    basis: B (n, n), or its diagonal (n,). groups (n,): block of every column of B. full (k,): whether a block is a free matrix.
    floor: neither factors nor eigenvalues of blocks fall below it.
    """

    basis: np.ndarray
    groups: np.ndarray
    full: tuple[bool, ...]
    floor: float

    @classmethod
    def of(cls, Q0: np.ndarray, asked: Any, floor: float, call: str) -> NoiseForm:
        """Read a choice of Q: "scaled", "diagonal", "full", (n,) groups, ("full", groups) or (n, r) directions."""
        n, correlated = len(Q0), is_correlated(Q0)
        one = np.zeros(n, int)
        if isinstance(asked, str) and asked in ("scaled", "full"):
            return cls(_root(Q0, call) if correlated or asked == "full" else np.sqrt(np.diag(Q0)), one, (asked == "full" and n > 1,), floor)
        blocks = isinstance(asked, tuple) and len(asked) == 2 and isinstance(asked[0], str) and asked[0] == "full"
        array = np.arange(n) if isinstance(asked, str) else np.asarray(asked[1] if blocks else asked)
        if not blocks and array.ndim == 2 and array.dtype.kind == "f" and len(array) == n:
            return cls._along(Q0, array, floor, call)
        groups = _grouped(array, n, asked, call)
        split = groups[:, None] != groups
        if np.any(Q0[split]):
            raise ValueError(f"{call}: expected a start whose Q does not correlate units of different groups, because the groups of Q "
                             "vary independently; received one that does. Start from variances, or free the whole matrix with Q='full'.")
        full = tuple(blocks and int(np.sum(groups == g)) > 1 for g in range(groups.max() + 1))
        return cls(_root(Q0, call) if correlated or any(full) else np.sqrt(np.diag(Q0)), groups, full, floor)

    @classmethod
    def _along(cls, Q0: np.ndarray, directions: np.ndarray, floor: float, call: str) -> NoiseForm:
        """A free matrix on the range of the directions and one variance across it."""
        n, r = directions.shape
        if not 0 < r < n or not np.all(np.isfinite(directions)) or np.linalg.matrix_rank(directions) < r:
            raise ValueError(f"{call}: expected Q as directions of shape (n, r) with r < n = {n} independent columns; received "
                             f"{directions.shape} of rank {np.linalg.matrix_rank(directions) if np.all(np.isfinite(directions)) else 'unknown'}.")
        U = np.linalg.qr(directions, mode="complete")[0]
        inside = U.T @ Q0 @ U
        across = float(np.mean(np.diag(inside)[r:]))
        expected = linalg.block_diag(inside[:r, :r], across * np.eye(n - r))
        if not np.allclose(inside, expected, rtol=1e-9, atol=1e-12 * np.abs(inside).max()):
            raise ValueError(f"{call}: expected a start whose Q has one variance across the given directions; received another. "
                             "Start from one variance for all units.")
        root = linalg.block_diag(_root(inside[:r, :r], call), np.sqrt(across) * np.eye(n - r))
        return cls(U @ root, np.r_[np.zeros(r, int), np.ones(n - r, int)], (r > 1, False), floor)

    @property
    def correlates(self) -> bool:
        """Whether Q may have entries off its diagonal."""
        return self.basis.ndim == 2

    @property
    def sizes(self) -> list[int]:
        """Free entries of every block."""
        counts = np.bincount(self.groups)
        return [int(n * (n + 1) // 2) if free else 1 for n, free in zip(counts, self.full)]

    @property
    def size(self) -> int:
        """Free entries."""
        return sum(self.sizes)

    def inner(self, V: np.ndarray) -> np.ndarray:
        """B^-1 V B'^-1 of a matrix (n, n), symmetric."""
        if self.basis.ndim == 1:
            return V / np.outer(self.basis, self.basis)
        half = np.linalg.solve(self.basis, V)
        out = np.linalg.solve(self.basis, half.T)
        return (out + out.T) / 2

    def outer(self, M: np.ndarray) -> np.ndarray:
        """B M B'."""
        if self.basis.ndim == 1:
            return M * np.outer(self.basis, self.basis)
        out = self.basis @ M @ self.basis.T
        return (out + out.T) / 2

    def maximize(self, V: np.ndarray) -> np.ndarray:
        """The Q of this form that maximises -log det Q - tr(Q^-1 V), floors kept."""
        inside, M = self.inner(V), np.zeros_like(V)
        for g, free in enumerate(self.full):
            at = np.flatnonzero(self.groups == g)
            block = inside[np.ix_(at, at)]
            if free:
                values, vectors = np.linalg.eigh(block)
                M[np.ix_(at, at)] = (vectors * np.maximum(values, self.floor)) @ vectors.T
            else:
                M[at, at] = max(float(np.trace(block)) / len(at), self.floor)
        return self.outer(M)

    def pack(self, Q: np.ndarray) -> np.ndarray:
        """Q -> vector."""
        inside, parts = self.inner(Q), []
        for g, free in enumerate(self.full):
            at = np.flatnonzero(self.groups == g)
            block = inside[np.ix_(at, at)]
            if free:
                parts.append(cholesky.entries(block))
            else:
                parts.append(np.array([np.log(np.trace(block) / len(at))]))
        return np.concatenate(parts)

    def unpack(self, v: np.ndarray) -> np.ndarray:
        """Vector -> Q (n, n)."""
        M, start = np.zeros((len(self.groups),) * 2), 0
        for g, (free, size) in enumerate(zip(self.full, self.sizes)):
            at, part = np.flatnonzero(self.groups == g), v[start:start + size]
            if free:
                M[np.ix_(at, at)] = cholesky.matrix(part, len(at))
            else:
                M[at, at] = np.exp(part[0])
            start += size
        return self.outer(M)

    def pull_back(self, g_Q: np.ndarray, Q: np.ndarray) -> np.ndarray:
        """Gradient in Q (n, n) -> gradient in the vector, at Q."""
        B = self.basis
        inside = g_Q * np.outer(B, B) if B.ndim == 1 else B.T @ g_Q @ B
        M, parts = self.inner(Q), []
        for g, free in enumerate(self.full):
            at = np.flatnonzero(self.groups == g)
            slope, block = inside[np.ix_(at, at)], M[np.ix_(at, at)]
            if free:
                parts.append(cholesky.pull_back(slope, block))
            else:
                parts.append(np.array([np.sum(slope * block)]))
        return np.concatenate(parts)

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Box of every coordinate."""
        out: list[tuple[float | None, float | None]] = []
        for free, size, count in zip(self.full, self.sizes, np.bincount(self.groups)):
            diagonal = int(count) if free else 1
            out += [(float(np.log(self.floor)) / (2 if free else 1), None)] * diagonal + [(None, None)] * (size - diagonal)
        return out

    def labels(self) -> list[str]:
        """One name a coordinate: Q or Q[block] for factors, Q[block,entry] for entries of full blocks."""
        if len(self.full) == 1 and not self.full[0]:
            return ["Q"]
        return [f"Q[{g},{i}]" if free else f"Q[{g}]" for g, (free, size) in enumerate(zip(self.full, self.sizes)) for i in range(size)]

    def variances(self, Q: np.ndarray) -> list[float]:
        """Mean variance of every block's units, or directions."""
        if self.basis.ndim == 1 or np.array_equal(self.groups, np.zeros(len(Q), int)):
            return [float(np.diag(Q)[self.groups == g].mean()) for g in range(len(self.full))]
        share = np.linalg.cholesky(self.inner(Q))
        power = np.sum((self.basis @ share) ** 2, 0)
        return [float(power[self.groups == g].mean()) for g in range(len(self.full))]

    def on_floor(self, Q: np.ndarray) -> bool:
        """Whether a factor or an eigenvalue of a block ended on the floor."""
        inside = self.inner(Q)
        for g, free in enumerate(self.full):
            at = np.flatnonzero(self.groups == g)
            block = inside[np.ix_(at, at)]
            if (np.linalg.eigvalsh(block)[0] if free else np.trace(block) / len(at)) <= 1.01 * self.floor:
                return True
        return False

    def about(self, Q: np.ndarray) -> NoiseForm:
        """The same form with Q as its start, so that its vector holds relative changes of Q."""
        if not self.correlates:
            return NoiseForm(np.sqrt(np.diag(Q)), self.groups, self.full, self.floor)
        return NoiseForm(self.basis @ np.linalg.cholesky(self.inner(Q)), self.groups, self.full, self.floor)


def is_correlated(Q: np.ndarray) -> bool:
    """Whether Q has entries off its diagonal."""
    return bool(np.any(Q - np.diag(np.diag(Q))))


def _root(Q: np.ndarray, call: str) -> np.ndarray:
    try:
        return np.linalg.cholesky(Q)
    except np.linalg.LinAlgError:
        raise ValueError(f"{call}: expected a positive definite Q at the start, so that no direction of the state is without noise for "
                         "good; received a singular one. Add a small variance to every unit.") from None


def _grouped(groups: np.ndarray, n: int, asked: Any, call: str) -> np.ndarray:
    if groups.shape != (n,) or groups.dtype.kind not in "iu" or set(groups) != set(range(groups.max() + 1)):
        raise ValueError(f"{call}: expected Q as 'scaled', 'diagonal', 'full', {n} whole numbers 0, 1, ... without gaps (one factor a group), "
                         f"('full', such numbers) or directions of shape ({n}, r); received {asked!r}.")
    return groups
