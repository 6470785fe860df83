"""Full multiplier blocks for pairs of units: between the diagonal circle criterion and the vertex inequality.

With v = W x, q = diag(delta) v and a symmetric 4 x 4 block Pi_ij for each pair,
$$ \\kappa^2 |x|_P^2 - |(1-\\lambda) x + \\lambda q|_P^2 - \\sum_{i<j} z_{ij}' \\Pi_{ij} z_{ij} > 0, \\qquad
   z_{ij} = (v_i, v_j, q_i, q_j), $$
where [I; D]' Pi_ij [I; D] >= 0 at the four vertices of D = diag(delta_i, delta_j) and Pi_ij is concave in each delta.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .certificate import Certificate
from .contraction import reason
from .enclosure import Enclosure
from .floors import contraction_floor
from .network import LeakyNetwork

PAIRS_LIMIT = 20


def pairwise_form(network: LeakyNetwork, P: Any, parts: dict[str, Any], square: Any) -> list[Any]:
    """The inequality and the conditions on the blocks, for cvxpy; tuples are constraints without the margin."""
    n = network.n_states
    J, X = _maps(network)
    body = X.T @ (square * P) @ X - J.T @ P @ J
    conditions: list[Any] = []
    for (i, j), block in zip(itertools.combinations(range(n), 2), parts.values()):
        Z = _selector(network, i, j)
        body = body - Z.T @ block @ Z
        conditions += [(block[2, 2] <= 0,), (block[3, 3] <= 0,)]
        for corner in _corners(network, i, j):
            conditions.append((corner.T @ block @ corner >> 0,))
    return [body, *conditions]


def pairwise_certificate(network: LeakyNetwork, rate: float, best: tuple | None, name: str, said: str, failures: int,
                         ) -> Certificate:
    """Prove the solver's answer: blocks are first moved into their cone, then the inequality is proved."""
    floor = contraction_floor(network)
    if best is not None:
        P = (best[0] + best[0].T) / 2
        blocks = [_inside(network, i, j, (B + B.T) / 2)
                  for (i, j), B in zip(itertools.combinations(range(network.n_states), 2), best[1:])]
        if all(B is not None for B in blocks):
            for delta in (1e-7, 1e-5, 1e-4, 1e-3, 1e-2):
                k = rate * (1 + delta)
                if _proved(network, P, blocks, k):
                    return Certificate(k, P, None, True, name, said, reason(k, True), floor, floor,
                                       details={"solver_rate": rate, "solver_failures": failures, "blocks": blocks})
    return Certificate(rate, None, None, False, name, said, reason(rate, False), floor, floor,
                       details={"solver_failures": failures})


def _proved(network: LeakyNetwork, P: np.ndarray, blocks: list[Any], rate: float) -> bool:
    n = network.n_states
    leak, eye, zero = Enclosure.of(network.leak[:, None]), Enclosure.of(np.eye(n)), Enclosure.of(np.zeros((n, n)))
    J = Enclosure.block([[eye * (Enclosure.of(1.0) - leak), eye * leak]])
    X = Enclosure.block([[eye, zero]])
    k, metric = Enclosure.of(rate), Enclosure.of(P)
    body = X.T @ (((k * k) * metric) @ X) - J.T @ (metric @ J)
    for (i, j), block in zip(itertools.combinations(range(n), 2), blocks):
        Z = Enclosure.of(_selector(network, i, j))
        body = body - Z.T @ (Enclosure.of(block) @ Z)
    return metric.positive_definite() and body.positive_definite()


def _inside(network: LeakyNetwork, i: int, j: int, block: np.ndarray) -> np.ndarray | None:
    """The block raised until its vertex conditions are proved; raising costs a little of the inequality's slack.

    Adds -eps (q - s v)(q - L v) for both units, which is positive inside the sector and concave in the slope.
    """
    s, L = network.lower[[i, j]], network.upper[[i, j]]
    size = np.abs(block).max() + 1e-300
    for eps in (1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
        raised = block.copy()
        raised[np.diag_indices(4)] += np.r_[np.full(2, size * eps), 0, 0]
        for m in range(2):
            e = eps * size
            raised[m, m] -= e * s[m] * L[m]
            raised[m, m + 2] += e * (s[m] + L[m]) / 2
            raised[m + 2, m] = raised[m, m + 2]
            raised[m + 2, m + 2] -= e
        if raised[2, 2] > 0 or raised[3, 3] > 0:
            raised[2, 2], raised[3, 3] = min(raised[2, 2], 0.0), min(raised[3, 3], 0.0)
        corners = [Enclosure.of(c) for c in _corners(network, i, j)]
        if all((c.T @ (Enclosure.of(raised) @ c)).positive_definite() for c in corners):
            return raised
    return None


def _maps(network: LeakyNetwork) -> tuple[np.ndarray, np.ndarray]:
    n = network.n_states
    return np.hstack([np.diag(1 - network.leak), np.diag(network.leak)]), np.hstack([np.eye(n), np.zeros((n, n))])


def _selector(network: LeakyNetwork, i: int, j: int) -> np.ndarray:
    n, W = network.n_states, network.coupling
    Z = np.zeros((4, 2 * n))
    Z[0, :n], Z[1, :n], Z[2, n + i], Z[3, n + j] = W[i], W[j], 1, 1
    return Z


def _corners(network: LeakyNetwork, i: int, j: int) -> list[np.ndarray]:
    ends = itertools.product((network.lower[i], network.upper[i]), (network.lower[j], network.upper[j]))
    return [np.vstack([np.eye(2), np.diag(d)]) for d in ends]
