"""The largest scaling of W that keeps a certificate, and the scaling of W or of (leak, W) that gives one."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from .. import _check
from ..models.deep_esn import DeepESN
from .cascade import Cascade
from .contraction import CircleCriterion, NormBound, multiplier_of
from .network import LeakyNetwork
from .numerical_range import support_function
from .pencil import smallest_rate
from .proof import certified, proved
from .registry import as_network, is_network


def largest_certified_scale(model: Any, rate: float = 1.0, method: Any = None) -> float:
    """The largest alpha for which alpha W is certified at a rate not above `rate`, as far as the method reaches.

    Parameters
    ----------
    model : ESN or LeakyNetwork
    rate : target in (0, 1]; 1 asks for contraction just below 1
    method : NormBound() or CircleCriterion(...), the optimal one if None (balanced above n = 200)

    The last value tried was proved. The result is 0 when even W = 0 does not reach the rate (1 - leak above it), infinite for W = 0.
    Raises TypeError for other models and methods, ValueError for a rate outside (0, 1].
    """
    call = "largest_certified_scale"
    _check.kind(model, is_network(model), "an ESN", call)
    network = as_network(model)
    if not (np.isfinite(rate) and 0 < rate <= 1):
        raise ValueError(f"{call}: expected rate in (0, 1]; received {rate!r}.")
    goal = rate * (1 - 1e-9) if rate < 1 else 1 - 1e-6
    if (1 - network.leak).max() >= goal:
        return 0.0
    if not np.any(network.coupling):
        return float("inf")
    if isinstance(method, NormBound):
        return _bisect(lambda a: method.certify(network.scaled(a)).rate <= goal, _start(network, goal))
    if method is not None and not isinstance(method, CircleCriterion):
        raise TypeError(f"{call}: expected NormBound() or CircleCriterion(...); received {method!r}.")
    kind = method.multiplier if method is not None else ("optimal" if network.n_states <= 200 else "balanced")
    alpha, t = _start(network, goal), None
    for _ in range(4 if kind == "optimal" else 1):        # the best multiplier depends on the scale: alternate
        search = multiplier_of(network.scaled(alpha), kind)
        new = _reach(network, search.t, goal, alpha)
        if search.interrupted:
            warnings.warn("scale_to_certified: interrupted by the user; the scale so far is proved all the same, "
                          "a longer search may allow a larger one", UserWarning, stacklevel=2)
        if t is not None and new <= alpha:
            break
        old, alpha = alpha, max(new, alpha if t is not None else 0.0)
        t = search.t
        if alpha < old * (1 + 1e-3) or search.interrupted:
            break
    assert t is not None
    for shrink in (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
        if _proves(network.scaled(alpha * (1 - shrink)), t, goal):
            return float(alpha * (1 - shrink))
    return 0.0


def scale_to_certified(esn: Any, rate: float = 0.95, method: Any = None) -> Any:
    """The reservoir with W scaled, only as far as needed, so that certify proves the wanted rate.

    Parameters
    ----------
    esn : ESN, LeakyNetwork, or DeepESN, whose layers are scaled each; rate : in (0, 1]; method : as for `largest_certified_scale`

    A reservoir that is certified already is returned unchanged; `certify(safe, Contraction(rate=rate))` shows the proof. Raises ValueError when no scaling helps, that is when
    1 - leak is not below the rate (of a stack: below the slightly smaller one that its layers need).
    """
    _check.kind(esn, is_network(esn), "an ESN", "scale_to_certified")
    if not (np.isfinite(rate) and 0 < rate <= 1):
        raise ValueError(f"scale_to_certified: expected rate in (0, 1]; received {rate!r}.")
    if isinstance(esn, DeepESN):
        goal = Cascade().layer_rate(rate) * (1 - 1e-5)    # a proof at the very edge of a layer may need a little more
        layers = [scale_to_certified(layer, goal, method) for layer in esn.layers]
        return esn if all(new is old for new, old in zip(layers, esn.layers)) else replace(esn, layers=tuple(layers))
    alpha = largest_certified_scale(esn, rate, method)
    if alpha <= 0:
        slowest = float((1 - as_network(esn).leak).max())
        raise ValueError(f"scale_to_certified: expected a rate above 1 - leak = {slowest:g}, which even W = 0 has; "
                         f"received rate = {rate:g}. Raise the leak or the rate.")
    return esn if alpha >= 1 else replace(esn, W=esn.W * alpha)


def _start(network: LeakyNetwork, goal: float) -> float:
    """A scale that the norm bound certifies."""
    gain = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
    size = np.linalg.norm(gain[:, None] * network.coupling, 2) if network.W.shape[0] else 0.0
    return float((goal - (1 - network.leak).max()) / size) if size > 0 else 1.0


def _reach(network: LeakyNetwork, t: np.ndarray, goal: float, start: float) -> float:
    """The largest scale that multiplier t certifies; by the numerical range where it has a closed form."""
    if np.ptp(network.leak) == 0 and not network.lower.any():
        return _by_numerical_range(network, t, goal)

    def rate(a: float) -> float:
        low, up = network.scaled(a).endpoints()
        return smallest_rate(low, up, t, network.leak)

    low, high = start, start
    if rate(start) > goal:
        low = 0.0
    else:
        for _ in range(60):
            high *= 1.5
            if rate(high) > goal:
                break
            low = high
        else:
            return low
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) <= goal else (low, middle)
    return low


def _by_numerical_range(network: LeakyNetwork, t: np.ndarray, goal: float) -> float:
    d, leak = np.sqrt(t), float(network.leak[0])
    W = (d * network.upper)[:, None] * network.coupling / d

    def reach(angles: np.ndarray) -> np.ndarray:
        h = np.maximum(support_function(W, angles), 1e-300)
        a = 1 - leak
        return (np.sqrt(goal**2 - (a * np.sin(angles)) ** 2) - a * np.cos(angles)) / (leak * h)

    angles = np.linspace(0, np.pi, 33)
    values = reach(angles)
    for _ in range(3):                                    # refine around the smallest
        i = int(np.argmin(values))
        near = np.linspace(angles[max(i - 1, 0)], angles[min(i + 1, len(angles) - 1)], 9)
        angles = np.concatenate([angles, near])
        values = np.concatenate([values, reach(near)])
        order = np.argsort(angles)
        angles, values = angles[order], values[order]
    return float(values.min())


def _proves(network: LeakyNetwork, t: np.ndarray, goal: float) -> bool:
    low, up = network.endpoints()
    rate = smallest_rate(low, up, t, network.leak)
    found = certified(network, t, rate)
    return found is not None and found[1] <= goal and proved(network, found[0], t, found[1])


def _bisect(good: Any, start: float) -> float:
    low, high = 0.0, start
    for _ in range(60):
        if not good(high):
            break
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return float(low)
