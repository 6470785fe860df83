"""The default: cheap certificates first, climbing only as far as it needs or as the time allows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .certificate import Certificate, Contraction
from .contraction import CircleCriterion, NormBound, PerronBound
from .network import DENSE_LIMIT
from .registry import as_network

OPTIMAL_LIMIT = 200
TIGHT_LIMIT = 100  # up to here every rung takes about a second together


@dataclass(frozen=True)
class Ladder:
    """Norm bound, Perron bound where W is nonnegative, circle criterion: balanced, then optimal.

    Stops at the first certificate below the wanted rate, or with the best proved so far when the time is spent, when
    it is interrupted, or at the top; where no rate below 1 is wanted and n <= 100, it goes on to the tightest, unless
    the rate already meets its floor. The first rung is always tried. The optimal multiplier is searched for n <= 200;
    above, ask for it: CircleCriterion("optimal"). Never calls a semidefinite solver.
    """

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a leaky network."""
        wanted, network = wanted or Contraction(), as_network(model)
        begin = time.perf_counter()
        best: Certificate | None = None
        ended = ""
        try:
            for rung in self._rungs(network):
                left = None if wanted.seconds is None else wanted.seconds - (time.perf_counter() - begin)
                if best is not None and left is not None and left <= 0:
                    ended = f"the time budget of {wanted.seconds:g} s ended the climb before {rung}"
                    break
                found = rung.certify(model, replace(wanted, seconds=left if left is None else max(left, 0.0)))
                best = _better(best, found)
                if best.verified and best.rate < wanted.rate and self._far_enough(best, wanted, network.n_states):
                    return best
        except KeyboardInterrupt:
            if best is None:
                raise
            ended = "interrupted"
        assert best is not None  # the first rung is always tried
        if not ended and not (best.verified and best.rate < wanted.rate):
            ended = "every rung was tried"
        return replace(best, reason=f"{best.reason}; {ended}") if ended else best

    @staticmethod
    def _far_enough(best: Certificate, wanted: Contraction, n_states: int) -> bool:
        """Whether a proved rate ends the climb: it is what was asked, or can hardly be bettered, or more costs too much."""
        return wanted.rate < 1 or n_states > TIGHT_LIMIT or best.rate <= best.rate_floor * (1 + 1e-6)

    @staticmethod
    def _rungs(network: Any) -> list[Any]:
        nonnegative = (network.W.data if hasattr(network.W, "nnz") else np.asarray(network.coupling)).min(initial=0.0) >= 0 \
            if network.n_states <= DENSE_LIMIT or hasattr(network.W, "nnz") else False
        large = network.n_states > DENSE_LIMIT
        rungs: list[Any] = [NormBound()]
        if nonnegative or (large and hasattr(network.W, "nnz")):
            rungs.append(PerronBound())
        if not large:
            rungs.append(CircleCriterion("balanced"))
            if network.n_states <= OPTIMAL_LIMIT:
                rungs.append(CircleCriterion("optimal"))
        return rungs


def _better(old: Certificate | None, new: Certificate) -> Certificate:
    """The proved one with the smaller rate, with the larger floor of the true rate."""
    if old is None:
        return new
    keep = new if (new.verified, -new.rate) > (old.verified, -old.rate) else old
    return replace(keep, rate_floor=max(old.rate_floor, new.rate_floor))
