"""The set of (leak, scale) with a certificate, and projection on it: a constraint for identification.

With the multiplier T fixed and h the support function of D W D^-1, D = T^(1/2), a rate kappa is certified where
$$ | \\theta_1 + \\theta_2\\, h(\\varphi) e^{i \\varphi} | \\le \\kappa \\quad \\text{for all } \\varphi, \\qquad
   \\theta_1 = 1 - \\lambda, \\; \\theta_2 = \\lambda \\alpha. $$
Every constraint is a second-order cone in two unknowns, so the set is convex, and h is computed once for many projections.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from .contraction import multiplier_of
from .network import LeakyNetwork
from .numerical_range import outer, support_function
from .proof import proved
from .reduction import metric
from .registry import as_network


@dataclass(frozen=True, eq=False)
class CertifiedSet:
    """Pairs (leak, scale) for which leak and scale * W contract at a rate, for one multiplier.

    Parameters
    ----------
    h : (J,) support function of D (L W) D^-1 at angles (J,), raised to cover the angles between
    rate : in (0, 1]
    T : (n,) the multiplier
    """

    h: np.ndarray
    angles: np.ndarray
    rate: float
    T: np.ndarray

    @classmethod
    def of(cls, model: Any, rate: float = 0.999, multiplier: str = "optimal", n_angles: int = 257) -> CertifiedSet:
        """Prepare the set for the W of an ESN with one leak; the multiplier is tuned at its present leak and scale.

        Slopes may lie anywhere in [0, L]; a positive lower bound is not used. Cost n_angles eigenvalues, once.
        Raises ValueError for a rate outside (0, 1], unequal leaks, slopes that may be negative, another multiplier, or fewer than 3 angles.
        """
        network, n_angles = as_network(model), _check.count(n_angles, "n_angles", "CertifiedSet", least=3)
        if not (np.isfinite(rate) and 0 < rate <= 1):
            raise ValueError(f"CertifiedSet: expected rate in (0, 1]; received {rate!r}.")
        if np.ptp(network.leak) > 0:
            raise ValueError("CertifiedSet: expected one leak for all units; received leaks that differ. "
                             "Use scale_to_certified, which scales W alone.")
        if network.lower.min() < 0:
            raise ValueError("CertifiedSet: expected slopes that are not negative; received a lower bound of "
                             f"{network.lower.min():g}. Use scale_to_certified.")
        network = LeakyNetwork(network.W, network.leak, 0.0, network.upper)
        t = multiplier_of(network, multiplier).t
        d = np.sqrt(t)
        angles = np.linspace(0, np.pi, n_angles)
        h = support_function((d * network.upper)[:, None] * network.coupling / d, angles)
        return cls(outer(h, angles), angles, float(rate), t)

    def contains(self, leak: float, scale: float) -> bool:
        """Whether (leak, scale) lies in the set."""
        low, high = self._interval(leak * scale)
        return bool(low <= 1 - leak <= high)

    def largest_scale(self, leak: float) -> float:
        """The largest scale certified at this leak; 0 where 1 - leak alone exceeds the rate."""
        a = 1 - leak
        if a > self.rate:
            return 0.0
        # |a + theta2 h e^{i phi}| = rate solved for theta2 on every ray.
        reach = np.sqrt(self.rate**2 - (a * np.sin(self.angles)) ** 2) - a * np.cos(self.angles)
        with np.errstate(divide="ignore"):
            return float(np.min(np.where(self.h > 0, reach / np.maximum(self.h, 1e-300), np.inf)) / leak)

    def project(self, leak: float, scale: float, weight: Any = None) -> tuple[float, float]:
        """The certified (leak, scale) nearest to the given pair.

        Parameters
        ----------
        leak, scale : the wanted pair
        weight : (2, 2) positive definite, of the distance in (1 - leak, leak * scale); identity if None. An EM M-step
            passes its Hessian, and the projection is then the exact constrained maximiser.

        Golden section on theta2 with theta1 in closed form; a pair inside the set is returned unchanged.
        Cost O(60 J), about a millisecond.
        Raises ValueError for a weight that is not positive definite or numbers that are not finite.
        """
        G = np.eye(2) if weight is None else np.asarray(weight, dtype=np.float64)
        if G.shape != (2, 2) or not np.isfinite(G).all() or G[0, 0] <= 0 or np.linalg.det((G + G.T) / 2) <= 0:
            raise ValueError(f"CertifiedSet.project: expected weight (2, 2) positive definite; received {weight!r}.")
        if not (np.isfinite(leak) and np.isfinite(scale)):
            raise ValueError(f"CertifiedSet.project: expected finite numbers; received leak={leak!r}, scale={scale!r}.")
        G = (G + G.T) / 2
        target = np.array([1 - leak, leak * scale])
        if 0 < leak <= 1 and scale >= 0 and self.contains(leak, scale):
            return float(leak), float(scale)

        def best(theta2: float) -> tuple[float, float]:
            low, high = self._interval(theta2)
            free = target[0] - G[0, 1] / G[0, 0] * (theta2 - target[1])
            theta1 = min(max(free, low), high)
            e = np.array([theta1 - target[0], theta2 - target[1]])
            return float(e @ G @ e), theta1

        theta2 = _golden(lambda x: best(x)[0], 0.0, self._largest_theta2())
        theta1 = best(theta2)[1]
        leak = 1 - theta1
        return float(leak), float(theta2 / leak)

    def _interval(self, theta2: float) -> tuple[float, float]:
        """theta1 certified with theta2, within [0, rate]; empty intervals have low > high."""
        across = theta2 * self.h * np.sin(self.angles)
        room = self.rate**2 - across**2
        if room.min() < 0:
            return 1.0, -1.0
        along, half = theta2 * self.h * np.cos(self.angles), np.sqrt(room)
        # A leak of 0 never contracts: theta1 stays a little below 1 even where rate is 1.
        return max(0.0, float((-along - half).max())), min(1 - 1e-6, float((half - along).min()))

    def _largest_theta2(self) -> float:
        low, high = 0.0, self.rate / max(self.h.max(), 1e-12)
        if self._interval(high)[0] <= self._interval(high)[1]:
            return high
        for _ in range(60):
            middle = (low + high) / 2
            a, b = self._interval(middle)
            low, high = (middle, high) if a <= b else (low, middle)
        return low


def project_to_certified(esn: Any, rate: float = 0.95, multiplier: str = "optimal") -> Any:
    """The reservoir with the nearest (leak, scale of W) that is certified at a rate; the result is proved.

    Nearest in (1 - leak, leak * scale). Unlike `scale_to_certified` it may raise the leak to keep more of W.

    Parameters
    ----------
    esn : ESN or LeakyNetwork with one leak; rate : in (0, 1]; multiplier : as for CircleCriterion

    A reservoir inside the set is returned unchanged.
    Raises ValueError for a rate that cannot be reached or proved.
    """
    for margin in (0.0, 1e-6, 1e-5, 1e-4, 1e-3):          # the set is computed, the rate is proved: leave room for rounding
        goal = rate * (1 - margin)
        region = CertifiedSet.of(esn, goal, multiplier)
        network = as_network(esn)
        leak, scale = region.project(float(network.leak[0]), 1.0)
        moved = LeakyNetwork(network.W * scale, leak, network.lower, network.upper)
        low, up = moved.endpoints()
        P = metric(low, up, region.T, rate, 1e-9)
        if P is not None and proved(moved, P, region.T, rate):
            unchanged = scale == 1.0 and leak == float(network.leak[0])
            return esn if unchanged else replace(esn, W=esn.W * scale, leak=leak)
    raise ValueError(f"project_to_certified: could not prove rate {rate:g} for the projected reservoir. "
                     "Ask for a slightly larger rate.")


def _golden(f: Any, low: float, high: float, steps: int = 70) -> float:
    """Minimiser of a convex function on an interval."""
    ratio = (np.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    fa, fb = f(a), f(b)
    for _ in range(steps):
        if fa <= fb:
            high, b, fb = b, a, fa
            a = high - ratio * (high - low)
            fa = f(a)
        else:
            low, a, fa = a, b, fb
            b = low + ratio * (high - low)
            fb = f(b)
    return (low + high) / 2
