"""Networks in continuous time: contraction per unit of time, and the largest Euler step that keeps it.

If the Euler map x + h f(x) contracts at rate k in the norm of P, then so does every smaller step h' at rate
1 - (h'/h)(1 - k), being a mixture of the identity and the larger step; in the limit distances in the norm of P fall like
exp(-c t) with c = (1 - k) / h. [ESN-SSM, Eqs. 37 and 43], corrected.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import _check
from ..models.continuous_esn import ContinuousESN
from .certificate import Certificate, Contraction
from .contraction import CircleCriterion
from .ladder import Ladder
from .network import LeakyNetwork


@dataclass(frozen=True)
class ContinuousContraction:
    """Certify a ContinuousESN through its Euler map.

    Parameters
    ----------
    discrete : method for the Euler map, the default ladder if not given
    step : Euler step as a share of the shortest time constant, in (0, 1]; smaller is tighter

    The certificate's rate is exp(-c), the factor per unit of time; `details["decay"]` is c.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    discrete: Any = field(default_factory=Ladder)
    step: float = 0.05

    def __post_init__(self) -> None:
        _check.options(self, step="share")

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a ContinuousESN. Raises TypeError for other models."""
        if not isinstance(model, ContinuousESN):
            raise TypeError(f"ContinuousContraction: expected a ContinuousESN; received {type(model).__name__}.")
        h = self.step * float(model.taus.min())
        found = self.discrete.certify(euler_network(model, h), wanted)
        decay = (1 - found.rate) / h
        return replace(found, rate=float(np.exp(-decay)), rate_floor=continuous_floor(model), method_floor=0.0,
                       model="continuous-time network, any input; rate per unit of time",
                       details={**found.details, "decay": decay, "euler_step": h, "euler_rate": found.rate})


def continuous_floor(model: ContinuousESN, searches: int = 8) -> float:
    """A factor per unit of time that contraction cannot beat: exp of the largest real part of an eigenvalue over sampled slopes.

    Not that of the Euler map: for turning modes |1 + h s| exceeds exp(h Re s). Computed, not proved. O(searches n^3).
    """
    network, n = euler_network(model, float(model.taus.min())), model.n_states
    rng = np.random.default_rng(0)
    picks = [np.ones(n), np.zeros(n), *((rng.random(n) < 0.5) * 1.0 for _ in range(searches))]
    slopes = (network.lower + p * (network.upper - network.lower) for p in picks)
    fields = ((network.jacobian(s) - np.eye(n)) / model.taus.min() for s in slopes)
    return float(np.exp(max(np.linalg.eigvals(F).real.max() for F in fields)))


def euler_network(model: ContinuousESN, step: float) -> LeakyNetwork:
    """The Euler map of a continuous-time network: leak = step / tau."""
    low, high = model.act.slope
    return LeakyNetwork(model.W, step / model.taus, low, high)


def largest_euler_step(model: ContinuousESN, rate: float = 1.0, method: Any = None) -> float:
    """The largest step h, at most the shortest time constant, whose Euler map is certified below `rate`.

    Parameters
    ----------
    model : ContinuousESN
    rate : in (0, 1]; method : CircleCriterion("optimal") if None, "balanced" above n = 200

    Every smaller step keeps contraction in the same norm. Returns 0 where none is certified. In units of tau.
    Raises TypeError for other models, ValueError for a rate outside (0, 1].
    """
    if not isinstance(model, ContinuousESN):
        raise TypeError(f"largest_euler_step: expected a ContinuousESN; received {type(model).__name__}.")
    if not (np.isfinite(rate) and 0 < rate <= 1):
        raise ValueError(f"largest_euler_step: expected rate in (0, 1]; received {rate!r}.")
    method = method or CircleCriterion("optimal" if model.n_states <= 200 else "balanced")

    def good(h: float) -> bool:
        found = method.certify(euler_network(model, h), Contraction())
        return found.verified and found.rate < rate

    high = float(model.taus.min())
    if good(high):
        return high
    low = 0.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if good(middle) else (low, middle)
        if high - low < 1e-4 * high:
            break
    return low
