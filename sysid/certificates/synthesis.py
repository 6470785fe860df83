"""Coupling matrices with a certificate: the nearest to a given one, and by a convex program in P, T and Y = T W.

With T fixed and slopes in [0, L], the rate kappa is certified for W where the numerical range of D W D^-1 lies in a convex
set, h(phi) <= 1 / c(phi). That is an intersection of half-space constraints on W, one family an angle, and Dykstra's
alternating projections find the nearest member. With T free, the circle inequality is linear in (P, T, Y) for s = 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from .contraction import CircleCriterion, multiplier_of
from .network import LeakyNetwork
from .registry import as_network, is_network
from .scaling import largest_certified_scale


def nearest_certified(esn: Any, rate: float = 0.98, multiplier: str = "balanced", angles: int = 17, sweeps: int = 60) -> Any:
    """The reservoir whose W is nearest in the norm |D (W - W0) D^-1| among those certified at a rate.

    Parameters
    ----------
    esn : ESN or LeakyNetwork with one leak and slopes in [0, L]
    rate : in (0, 1], above 1 - leak
    multiplier : fixes D, as for CircleCriterion
    angles, sweeps : of Dykstra's projections; what they leave undone is made up by scaling

    Keeps far more of W than scaling does. A reservoir certified already is returned unchanged. Cost O(angles n^3) a sweep.
    Raises TypeError for other models, ValueError for unequal leaks, slopes that may be negative, or a rate out of
    reach.
    """
    _check.kind(esn, is_network(esn), "an ESN", "nearest_certified")
    angles, sweeps = _check.count(angles, "angles", "nearest_certified", least=3), _check.count(sweeps, "sweeps", "nearest_certified")
    network = as_network(esn)
    if np.ptp(network.leak) > 0 or network.lower.min() < 0:
        raise ValueError("nearest_certified: expected one leak and slopes that are not negative; received others. "
                         "Use scale_to_certified.")
    leak = float(network.leak[0])
    if not (np.isfinite(rate) and 1 - leak < rate <= 1):
        raise ValueError(f"nearest_certified: expected rate between 1 - leak = {1 - leak:g} and 1; received {rate!r}.")
    goal = rate if rate < 1 else 1 - 1e-6
    found = CircleCriterion(multiplier).certify(network)
    if found.verified and found.rate <= goal:
        return esn
    t = multiplier_of(LeakyNetwork(network.W, network.leak, 0.0, network.upper), multiplier).t
    d = np.sqrt(t) * np.sqrt(np.maximum(network.upper, 1e-12))
    e = np.sqrt(t) / np.sqrt(np.maximum(network.upper, 1e-12))
    start = d[:, None] * network.coupling / e             # D L W D^-1 with the slopes' bounds in the rows
    W = project_numerical_range(start, leak, goal * (1 - 2e-4), angles, sweeps) * e / d[:, None]
    moved = LeakyNetwork(W, network.leak, network.lower, network.upper)
    alpha = min(1.0, largest_certified_scale(moved, goal, CircleCriterion(multiplier)))
    if alpha <= 0:
        raise ValueError(f"nearest_certified: could not reach rate {rate:g}; ask for a larger one.")
    return replace(esn, W=W * alpha)


def project_numerical_range(W: np.ndarray, leak: float, rate: float, angles: int = 17, sweeps: int = 60) -> np.ndarray:
    """The real matrix nearest to W (n, n) with |1 - leak + leak h(phi) e^{i phi}| <= rate on a grid of angles.

    Dykstra's algorithm: at each angle the Hermitian part of e^{-i phi} W has its eigenvalues above the bound cut off.
    """
    a, phis = 1 - leak, np.linspace(0, np.pi, angles)
    bounds = (np.sqrt(rate**2 - (a * np.sin(phis)) ** 2) - a * np.cos(phis)) / leak
    X = np.array(W, dtype=np.float64)
    memory = [np.zeros_like(X) for _ in phis]
    for _ in range(sweeps):
        before = X.copy()
        for i, (phi, bound) in enumerate(zip(phis, bounds)):
            Y = X + memory[i]
            X = _clipped(Y, phi, bound)
            memory[i] = Y - X
        if np.abs(X - before).max() < 1e-6 * np.abs(X).max():
            break
    return X


def _clipped(Y: np.ndarray, phi: float, bound: float, rounds: int = 3) -> np.ndarray:
    """Real Y with the spectrum of Herm(e^{-i phi} Y) cut at the bound; the mirror angle is cut with it."""
    for _ in range(rounds if 0 < phi < np.pi else 1):
        turned = np.exp(-1j * phi) * Y
        values, vectors = np.linalg.eigh((turned + turned.conj().T) / 2)
        over = values > bound
        if not over.any():
            break
        V = vectors[:, over]
        excess = (V * (values[over] - bound)) @ V.conj().T
        # A real change moves both the angle and its mirror: the real part is doubled where the two do not overlap.
        step = np.real(np.exp(1j * phi) * excess)
        Y = Y - step * (1.0 if phi in (0.0, np.pi) else 1.5)
    return Y


def synthesize(esn: Any, rate: float = 0.95, solver: str = "CLARABEL") -> Any:
    """The reservoir with W = T^-1 Y nearest to the given one in |Y - T W0| over all metrics and multipliers.

    Parameters
    ----------
    esn : ESN or LeakyNetwork with slopes in [0, L], n <= 30
    rate : in (0, 1]; solver : "CLARABEL" or "SCS"

    Convex: the circle inequality is linear in (P, T, Y). The result is certified again; ValueError if that fails.
    Raises TypeError for other models, ValueError for too many units, or a rate that the solver does not reach or
    whose proof fails.
    """
    import cvxpy as cp

    from .lmi import LIMIT

    _check.kind(esn, is_network(esn), "an ESN", "synthesize")
    network = as_network(esn)
    n = network.n_states
    _check.choice(solver, "solver", "synthesize", ("CLARABEL", "SCS"))
    if not (np.isfinite(rate) and 0 < rate <= 1):
        raise ValueError(f"synthesize: expected rate in (0, 1]; received {rate!r}.")
    if n > LIMIT:
        raise ValueError(f"synthesize: expected n <= {LIMIT}; received n = {n}. Use nearest_certified.")
    if network.lower.min() < 0:
        raise ValueError("synthesize: expected slopes that are not negative; received a negative lower bound.")
    decay, gain = np.diag(1 - network.leak), network.leak * network.upper
    P, t, Y = cp.Variable((n, n), symmetric=True), cp.Variable(n), cp.Variable((n, n))
    T, drive = cp.diag(t), cp.diag(gain) @ Y
    # low = decay, up = decay + gain W: T low = T decay, T up = T decay + gain Y.
    cross = decay @ (T @ decay + drive)
    corner = 2 * T @ decay + drive
    M = cp.bmat([[rate**2 * P + cross + cross.T, -corner.T], [-corner, 2 * T - P]])
    eps = 1e-5
    problem = cp.Problem(cp.Minimize(cp.sum_squares(Y - cp.diag(t) @ network.coupling)),
                         [(M + M.T) / 2 >> eps * np.eye(2 * n), P >> eps * np.eye(n), t >= 1])
    problem.solve(solver=solver)
    if Y.value is None:
        raise ValueError(f"synthesize: the solver found no coupling at rate {rate:g} ({problem.status}); "
                         "is the rate above 1 - leak?")
    W = Y.value / t.value[:, None]
    moved = LeakyNetwork(W, network.leak, network.lower, network.upper)
    alpha = min(1.0, largest_certified_scale(moved, rate, CircleCriterion("optimal")))
    if alpha < 0.9:
        raise ValueError(f"synthesize: the solver's coupling could not be proved at rate {rate:g}.")
    return replace(esn, W=W * alpha)
