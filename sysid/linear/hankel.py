"""Hankel matrices of Markov parameters, Hankel singular values and the balancing transformation."""

from __future__ import annotations

import numpy as np

from .gramians import gramian_factor

__all__ = ["balancing", "hankel_matrix", "hankel_singular_values", "project"]


def hankel_matrix(markov: np.ndarray, rows: int, columns: int, shift: int = 1) -> np.ndarray:
    """Stack Markov parameters into H[i, j] = h_(i + j + shift).

    markov: (L, p, m) with h_0 = D first and L >= rows + columns + shift - 1. Returns (rows p, columns m). shift=1 is
    observability times controllability, shift=2 has A in between. [Ho & Kalman 1966]
    """
    _, p, m = markov.shape
    index = np.add.outer(np.arange(rows), np.arange(columns)) + shift
    return markov[index].transpose(0, 2, 1, 3).reshape(rows * p, columns * m)


def hankel_singular_values(A: np.ndarray, B: np.ndarray, C: np.ndarray, *, continuous: bool = False) -> np.ndarray:
    """Compute the Hankel singular values sigma_i = sqrt(lambda_i(Wc Wo)) from the factors of both Gramians.

    A: (n, n) stable. B: (n, m). C: (p, n). Returns (n,), descending. sigma = svd(Zo' Zc) keeps values down to
    eps sigma_1 where the product of Gramians loses everything below sqrt(eps) sigma_1. Cost O(n^3).
    [Laub, Heath, Paige & Ward 1987, Alg. 1]
    """
    Zc = gramian_factor(A, B, continuous=continuous, call="hankel_singular_values")
    Zo = gramian_factor(A.T, C.T, continuous=continuous, call="hankel_singular_values")
    values = np.linalg.svd(Zo.T @ Zc, compute_uv=False) if Zo.size and Zc.size else np.zeros(0)
    return np.concatenate((values, np.zeros(max(0, len(A) - len(values)))))[: len(A)]


def balancing(A: np.ndarray, B: np.ndarray, C: np.ndarray, *, continuous: bool = False,
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the square-root projection onto the balanced states, all that rounding can tell from none.

    A: (n, n) stable. B: (n, m). C: (p, n). Returns (left (r, n), right (n, r), values (n,)) with left @ right = I;
    left A right, left B, C right is balanced: both its Gramians are diag(values[:r]). Its first k states are given by
    left[:k], right[:, :k]. Cost O(n^3). [Laub, Heath, Paige & Ward 1987; Tombs & Postlethwaite 1987]
    """
    Zc = gramian_factor(A, B, continuous=continuous, call="balancing")
    Zo = gramian_factor(A.T, C.T, continuous=continuous, call="balancing")
    return project(Zc, Zo)


def project(Zc: np.ndarray, Zo: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Balance two factors Zc (n, k), Zo (n, l) of Gramians Zc Zc', Zo Zo'; returns as `balancing`."""
    n = len(Zc)
    U, values, Vt = np.linalg.svd(Zo.T @ Zc, full_matrices=False)
    rank = int(np.sum(values > n * np.finfo(float).eps * values.max(initial=0.0)))
    scale = 1 / np.sqrt(values[:rank])
    left = scale[:, None] * (U[:, :rank].T @ Zo.T)
    right = Zc @ Vt[:rank].T * scale
    return left, right, np.concatenate((values, np.zeros(n)))[:n]
