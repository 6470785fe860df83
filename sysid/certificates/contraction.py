"""Contraction of leaky networks by a norm, by positive weights, and by the circle criterion.

Each method is a way to choose the multiplier T and the metric P; what it claims is proved by the same inequality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from .balance import balanced, perron_vectors
from .certificate import Certificate, Contraction
from .multiplier import MultiplierSearch, deadline
from .network import DENSE_LIMIT, LeakyNetwork
from .pencil import smallest_rate
from .proof import LEAST, certified, proved, roomy
from .registry import as_network
from .sparse import collatz_norm, collatz_radius

MULTIPLIERS = ("identity", "balanced", "optimal")


@dataclass(frozen=True)
class NormBound:
    """Contraction in the Euclidean norm. [ESN-SSM, Eqs. 3, 18, 46, 47 and 79]

    $$ \\kappa = 1 - \\lambda + \\lambda L \\|W\\|_2, \\qquad \\text{centred: }
       \\kappa = \\|(1-\\lambda) I + \\lambda c W\\|_2 + \\lambda r \\|W\\|_2, \\; c, r = (L \\pm s)/2 $$

    Parameters
    ----------
    centred : use the middle of the slope range, never worse and often much better

    Valid for any slope range; with leaks that differ the largest 1 - leak and the rows leak_i L_i W_i are taken.
    Above n = 3000 a sparse W is bounded by sqrt(rho(|W|'|W|)), proved on its entries in O(edges). Cost O(n^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    centred: bool = False

    def __post_init__(self) -> None:
        _check.options(self, centred="flag")

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        name = "norm bound, centred" if self.centred else "norm bound"
        if network.n_states > DENSE_LIMIT:
            return _sparse_norm(network, name, words(model))
        low, up = network.endpoints()
        gain = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
        middle, radius = (low + up) / 2, (up - low) / 2
        size, spread = _norm(middle), _norm(radius)
        plain = (1 - network.leak).max() + _norm(gain[:, None] * network.coupling)   # [ESN-SSM, Eq. 47]
        rate = size + spread if self.centred else plain
        # |A x + w|^2 <= (1 + b)|A x|^2 + (1 + 1/b)|w|^2 with b = |R|/|A|: the S-procedure for one full block.
        tau = 0.5 * (1 + size / spread) if spread > 0 else 0.5e6
        n = network.n_states
        return finished(network, np.eye(n), np.full(n, tau), float(rate), name, wanted, model)


@dataclass(frozen=True)
class PerronBound:
    """Contraction in a norm weighted by the Perron vectors of |W|; exact for nonnegative W.

    $$ \\kappa = 1 - \\lambda + \\lambda L\\, \\rho(|W|), \\qquad D^2 = \\mathrm{diag}(z / x), \\; |W| x = \\rho x, \\;
       |W|' z = \\rho z $$

    Useful for nonnegative, triangular, cyclic and very sparse W; useless for dense W of mixed signs. Above n = 3000 the
    proof is the Collatz-Wielandt bound on the entries. Cost O(edges) an iteration of the power method, then O(n^3).
    """

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        gain = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
        if network.n_states > DENSE_LIMIT:
            rate, weights = collatz_radius(network.W, network.leak, gain)
            return Certificate(rate, None, None, True, "Perron bound", words(model), reason(rate, True),
                               details={"weights": weights, "norm": "largest weighted entry",
                                        "overshoot": float(weights.max() / weights.min())})
        M = gain[:, None] * np.abs(network.coupling) + np.diag(1 - network.leak)
        x, z = perron_vectors(M)
        d = np.sqrt(z / x)
        rate = _norm(d[:, None] * M / d)
        return _weighted(network, d, rate, "Perron bound", wanted, model)


@dataclass(frozen=True)
class DiagonalScaling:
    """Contraction in the best diagonally weighted Euclidean norm.

    $$ \\kappa = 1 - \\lambda + \\lambda L \\min_{D} \\|D W D^{-1}\\|_2 $$

    Found like the circle multipliers, with one frequency. Never worse than the norm or the Perron bound.
    """

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        gain = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
        W = gain[:, None] * network.coupling
        d = balanced(W)
        B = d[:, None] * W / d
        search = MultiplierSearch(-B, B, network.leak, np.array([0.0]), expired=deadline(wanted.seconds)).run()
        d = d * np.sqrt(search.t)
        rate = float((1 - network.leak).max() + _norm(d[:, None] * W / d))
        return _weighted(network, d, rate, "diagonal scaling", wanted, model)


@dataclass(frozen=True)
class CircleCriterion:
    """The incremental circle criterion with a diagonal multiplier T, without a semidefinite program.

    For slopes in [0, L] and one leak the rate of T has a closed form through the numerical range of D W D^-1, D = T^(1/2):
    $$ \\kappa_T = \\max_\\varphi \\bigl| 1-\\lambda + \\lambda L\\, h(\\varphi)_+ e^{i \\varphi} \\bigr|, \\qquad
       h(\\varphi) = \\lambda_{\\max} \\mathrm{Herm}(e^{-i \\varphi} D W D^{-1}). $$
    P follows by cyclic reduction. Never worse than the norm bound with the same D.

    Parameters
    ----------
    multiplier : "identity", "balanced" (Osborne scaling, the choice for n > 200) or "optimal" (the smallest rate of
        the whole family, the rate of the LMI)
    seconds : time budget of the search for the optimal multiplier; the best so far is proved when it ends
    margin : in [0, 1), share of the way from the smallest rate to 1 given up for a better conditioned P: a few per cent
        lower the overshoot from hundreds to tens

    Cost: identity and balanced O(n^3) with a factor near 300; optimal the same times the Newton steps (30 to 100).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    multiplier: str = "optimal"
    seconds: float | None = None
    margin: float = 0.0

    def __post_init__(self) -> None:
        _check.options(self, seconds="nonnegative", margin="nonnegative")
        if not 0 <= self.margin < 1:
            raise ValueError(f"CircleCriterion: expected margin in [0, 1); received {self.margin!r}.")
        _check.choice(self.multiplier, "multiplier", "CircleCriterion", MULTIPLIERS)

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        seconds = self.seconds if self.seconds is not None else wanted.seconds
        search = multiplier_of(network, self.multiplier, deadline(seconds))
        t, floor = search.t, search.floor
        name = f"circle criterion, {self.multiplier} multiplier"
        low, up = network.endpoints()
        rate = smallest_rate(low, up, t, network.leak)
        found = certified(network, t, rate)
        if found is None:
            return refused(rate, name, model, floor)
        if self.margin and found[1] < 1:
            wider = found[1] + self.margin * (1 - found[1])
            P = roomy(network, t, wider)
            found = found if P is None else (P, wider)
        proof = result(network, found[0], t, found[1], name, wanted, model, floor)
        return replace(proof, reason=f"{proof.reason}; the search was interrupted by the user") if search.interrupted else proof


@dataclass(frozen=True)
class Multiplier:
    """T (n,), the floor of the whole family where the search gives one, and whether the user ended the search."""

    t: np.ndarray
    floor: float = 0.0
    interrupted: bool = False


def multiplier_of(network: LeakyNetwork, kind: str, expired: Callable[[], bool] = lambda: False) -> Multiplier:
    """The multiplier of the named kind."""
    n = network.n_states
    _check.choice(kind, "multiplier", "certify", MULTIPLIERS)
    if kind == "identity":
        return Multiplier(np.ones(n))
    d = balanced(network.coupling)
    if kind == "balanced":
        return Multiplier(d**2)
    low, up = (d[:, None] * A / d for A in network.endpoints())
    search = MultiplierSearch(low, up, network.leak, expired=expired).run()
    return Multiplier(d**2 * search.t, search.floor, search.interrupted)


def _norm(A: np.ndarray) -> float:
    return float(np.linalg.norm(A, 2)) if np.count_nonzero(A) else 0.0


def words(model: Any) -> str:
    """What the certificate speaks of."""
    if getattr(model, "n_feedback", 0):
        return "driven map: measured outputs are fed back (the free-running model is esn.closed_loop())"
    if hasattr(model, "interval"):
        return f"random-feature map while every preactivation stays within +-{model.interval:g}, any input"
    return "driven map, any input" if getattr(model, "n_inputs", 1) else "autonomous map, which has no inputs"


def reason(rate: float, verified: bool) -> str:
    if not verified:
        return f"the inequality could not be proved at rate {rate:.6g}"
    if rate < 1:
        return "proved for every input and every slope within the declared range"
    return f"the smallest rate this method can prove is {rate:.6g}, not below 1"


def _weighted(network: LeakyNetwork, d: np.ndarray, rate: float, name: str, wanted: Contraction, model: Any) -> Certificate:
    """A certificate in the norm |D x|."""
    low, up = network.endpoints()
    size, spread = (_norm(d[:, None] * A / d) for A in ((low + up) / 2, (up - low) / 2))
    tau = 0.5 * (1 + size / spread) if spread > 0 else 0.5e6
    return finished(network, np.diag(d**2), tau * d**2, rate, name, wanted, model)


def finished(network: LeakyNetwork, P: np.ndarray, T: np.ndarray, rate: float, name: str, wanted: Contraction,
              model: Any) -> Certificate:
    """Prove at the least increase of the rate that suffices."""
    rate = max(rate, LEAST)
    for delta in (1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
        if proved(network, P, T, rate * (1 + delta)):
            return result(network, P, T, rate * (1 + delta), name, wanted, model, 0.0)
    return refused(rate, name, model, 0.0)


def result(network: LeakyNetwork, P: np.ndarray, T: np.ndarray, rate: float, name: str, wanted: Contraction,
            model: Any, floor: float) -> Certificate:
    exact = wanted.exact and proved(network, P, T, rate, exact=True)
    return Certificate(rate, _check.frozen(P), _check.frozen(T), True, name, words(model), reason(rate, True),
                       method_floor=floor, exact=exact)


def refused(rate: float, name: str, model: Any, floor: float) -> Certificate:
    return Certificate(rate, None, None, False, name, words(model), reason(rate, False), method_floor=floor)


def _sparse_norm(network: LeakyNetwork, name: str, words: str) -> Certificate:
    gain = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
    rate = collatz_norm(network.W, network.leak, gain)
    return Certificate(rate, None, None, True, name + " on the sparse entries", words, reason(rate, True),
                       details={"norm": "Euclidean", "overshoot": 1.0})
