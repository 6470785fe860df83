"""How small the true contraction rate can possibly be: products of Jacobians that are reached."""

from __future__ import annotations

import numpy as np

from .network import LeakyNetwork
from .pencil import spectral_radius


def contraction_floor(network: LeakyNetwork, searches: int = 3, length: int = 2) -> float:
    """A rate that contraction cannot beat, whatever the metric: max rho(J_1 ... J_l)^(1/l) over slopes found.

    Every choice of slopes in the declared range is a linear system the certificate covers, so its spectral radius
    bounds every certificate from below. Slopes are flipped along the eigenvectors' sensitivity
    d|mu| / d delta_i, one vertex at a time, from the all-upper, the all-lower and a few fixed random vertices.
    Computed, not proved. Cost O(n^3) a step, a few dozen steps.
    """
    n = network.n_states
    rng = np.random.default_rng(0)
    starts = [np.ones(n, bool), np.zeros(n, bool), *(rng.random(n) < 0.5 for _ in range(searches))]
    if n > 100:
        starts = starts[:3]
    best = 0.0
    for start in starts:
        rate, picks = _climb(network, [start], steps=12 if n <= 100 else 5)
        best = max(best, rate)
        if length > 1 and n <= 60:
            best = max(best, _climb(network, [picks[0], ~picks[0] ^ (rng.random(n) < 0.2)], steps=8)[0])
    return best


def _climb(network: LeakyNetwork, picks: list[np.ndarray], steps: int) -> tuple[float, list[np.ndarray]]:
    best, kept = 0.0, picks
    gain = network.leak * (network.upper - network.lower)
    for _ in range(steps):
        factors = [network.jacobian(np.where(p, network.upper, network.lower)) for p in picks]
        product = factors[0] if len(factors) == 1 else factors[1] @ factors[0]
        if len(factors) == 1 and not np.any(product - np.diag(np.diag(product))):
            rate = spectral_radius(product)
            return max(rate, best), picks
        values, right = np.linalg.eig(product)
        i = int(np.argmax(np.abs(values)))
        rate = float(np.abs(values[i])) ** (1 / len(factors))
        if rate <= best * (1 + 1e-9):
            break
        best, kept = rate, picks
        mu, x = values[i], right[:, i]
        z = _left(product, mu)
        if z is None or mu == 0:
            break
        phase = np.conj(mu) / np.abs(mu) / (z.conj() @ x)
        new = []
        for j in range(len(factors)):                     # d mu = z* (factors after) diag(gain d) W (factors before) x
            before = x if j == 0 else factors[0] @ x
            after = z.conj() if j == len(factors) - 1 else z.conj() @ factors[1]
            sensitivity = np.real(phase * after * gain * (network.coupling @ before))
            new.append(sensitivity > 0)
        picks = new
    return best, kept


def _left(A: np.ndarray, mu: complex) -> np.ndarray | None:
    """A left eigenvector for eigenvalue mu by one step of inverse iteration."""
    n = len(A)
    shifted = A.T.conj() - np.conj(mu) * (1 + 1e-10) * np.eye(n) - 1e-14 * np.eye(n)
    try:
        z = np.linalg.solve(shifted, np.ones(n) + 0.1 * np.arange(n) / n)
        z = np.linalg.solve(shifted, z / np.linalg.norm(z))
    except np.linalg.LinAlgError:
        return None
    size = np.linalg.norm(z)
    return z / size if np.isfinite(size) and size > 0 else None
