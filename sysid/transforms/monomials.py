"""Monomials of several variables: their exponents in a fixed order, and their values."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np


def exponents(n: int, degree: int) -> np.ndarray:
    """Exponents (N, n) of all monomials of degree 1..degree, by degree and then in the order of the variables."""
    rows = []
    for d in range(1, degree + 1):
        for places in combinations_with_replacement(range(n), d):
            row = np.zeros(n, dtype=int)
            np.add.at(row, list(places), 1)
            rows.append(row)
    return np.array(rows).reshape(-1, n)


def monomials(x: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Values (T, N) of the monomials with exponents (N, n) at x (T, n)."""
    out = np.ones((len(x), len(powers)))
    for j in range(x.shape[1]):
        top = powers[:, j].max(initial=0)
        table = np.cumprod(np.concatenate([np.ones((1, len(x))), np.repeat(x[:, j][None], top, 0)]), axis=0)
        out *= table[powers[:, j]].T
    return out
