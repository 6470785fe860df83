"""Closed forms of gradient flow on one mode of a linear state-space model.

At a fixed pole a the model is y[t] = c'b v[t], v[t] = sum_k a^k u[t-k], with N latent copies b, c in R^N. Gradient flow on
(1/2) mean (y - c'b v)^2 obeys

    tau db/dt = c (eta - sigma S),   tau dc/dt = b (eta - sigma S),   S = b'c,   sigma = mean v^2,   eta = mean y v

With P = |b0 + c0|^2, Q = |b0 - c0|^2 and E(0) = 1 the solution for every N and every start is a scalar Riccati equation

    tau dE/dt = 2 eta E + (sigma/2) (Q - P E^2),      S = (P E - Q/E) / 4

The balanced case b0 = c0 is the logistic curve of a two-layer linear network [Saxe, McClelland & Ganguli 2014].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _check


class _Start(NamedTuple):
    plus: np.ndarray
    minus: np.ndarray
    P: float
    Q: float
    sigma: float
    eta: float
    tau: float


def _start(sigma: Any, eta: Any, b0: Any, c0: Any, tau: Any, call: str) -> _Start:
    b = _check.vector(b0, "b0", call)
    c = _check.vector(c0, "c0", call, len(b), "b0 has that many latent copies")
    sigma, eta, tau = _statistics(sigma, eta, tau, call)
    plus, minus = b + c, b - c
    return _Start(plus, minus, float(plus @ plus), float(minus @ minus), sigma, eta, tau)


def _statistics(sigma: Any, eta: Any, tau: Any, call: str) -> tuple[float, float, float]:
    sigma, eta, tau = (float(_check.vector(v, name, call, 1)[0])
                       for v, name in ((sigma, "sigma"), (eta, "eta"), (tau, "tau")))
    if sigma <= 0:
        raise ValueError(f"{call}: expected sigma > 0; received {sigma:g}. "
                         "An input without power at the pole does not excite the mode, and its gain cannot be learnt.")
    if tau <= 0:
        raise ValueError(f"{call}: expected tau > 0; received {tau:g}.")
    return sigma, eta, tau


def _times(t: Any, call: str) -> np.ndarray:
    t = np.atleast_1d(_check.real_array(t, "t", call))
    if t.ndim != 1 or (t < 0).any():
        raise ValueError(f"{call}: expected t as times >= 0 with shape (n,); received shape {t.shape}"
                         f"{' with negative entries' if t.ndim == 1 else ''}.")
    return t


def _roots(s: _Start) -> tuple[float, float, float]:
    """The fixed points E+ > 0 >= E- of the Riccati equation and its rate lambda."""
    root = np.sqrt(s.eta**2 + s.sigma**2 * s.P * s.Q / 4)
    # The root without cancellation first; the other from the product E+ E- = -Q/P.
    if s.eta >= 0:
        upper = (s.eta + root) / (s.sigma * s.P / 2)
        lower = -s.Q / (s.P * upper) if upper > 0 else 0.0
    else:
        lower = (s.eta - root) / (s.sigma * s.P / 2)
        upper = -s.Q / (s.P * lower)
    return upper, lower, 2 * root / s.tau


def _growth(t: np.ndarray, s: _Start) -> np.ndarray:
    """E(t), the square of the factor by which b + c has grown."""
    upper, lower, rate = _roots(s)
    if rate == 0.0:  # eta = 0 and one of P, Q zero: tau dE/dt = -(sigma/2) P E^2
        return 1.0 / (1.0 + s.sigma * s.P * t / (2 * s.tau))
    x = np.exp(-rate * t)
    return (lower * (upper - 1) * x + (1 - lower) * upper) / ((upper - 1) * x + (1 - lower))


def mode_gain(t: Any, sigma: float, eta: float, b0: Any, c0: Any, tau: float = 1.0) -> np.ndarray:
    """Evaluate the gain S(t) = b'c of one pole under gradient flow, for any start and any number of copies.

    Parameters
    ----------
    t (n,), training times >= 0; sigma = mean v^2 > 0; eta = mean y v; b0, c0 (N,), initial input and output weights;
    tau > 0, the inverse learning rate.

    Returns S (n,). It tends to eta / sigma unless b0 = -c0 and eta > 0 (or b0 = c0 and eta < 0), where the flow ends in the
    saddle b = c = 0. Cost O(N + n). Source: [LDSSM] derived in docs/learning.md.
    """
    s = _start(sigma, eta, b0, c0, tau, "mode_gain")
    times = _times(t, "mode_gain")
    if s.P == 0.0:  # mirror c -> -c, eta -> -eta, S -> -S
        mirrored = s._replace(plus=s.minus, minus=s.plus, P=s.Q, Q=0.0, eta=-s.eta)
        return -_gain(times, mirrored)
    return _gain(times, s)


def _gain(t: np.ndarray, s: _Start) -> np.ndarray:
    if s.P == 0.0:
        return np.zeros_like(t)
    E = _growth(t, s)
    return (s.P * E - (s.Q / E if s.Q else 0.0)) / 4  # [LDSSM, Eq. mode]


def mode_parameters(t: Any, sigma: float, eta: float, b0: Any, c0: Any, tau: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the weights b(t) and c(t), each (n, N), along the same flow as `mode_gain`."""
    s = _start(sigma, eta, b0, c0, tau, "mode_parameters")
    times = _times(t, "mode_parameters")
    if s.P == 0.0:
        b, minus_c = mode_parameters(times, sigma, -eta, b0, -np.atleast_1d(np.asarray(c0, float)), tau) if s.Q else (
            np.zeros((len(times), len(s.plus))), np.zeros((len(times), len(s.plus))))
        return b, -minus_c
    root = np.sqrt(_growth(times, s))[:, None]
    rest = s.minus / root if s.Q else np.zeros_like(s.minus) * root
    return (s.plus * root + rest) / 2, (s.plus * root - rest) / 2


def mode_rate(sigma: float, eta: float, b0: Any, c0: Any, tau: float = 1.0) -> float:
    """Return lambda = sqrt(4 eta^2 + sigma^2 |b0+c0|^2 |b0-c0|^2) / tau, the rate at which the mode settles.

    Balanced starts give 2 |eta| / tau for every N. Independent weights of variance v give about 2 N v sigma / tau, the
    time constant tau / (N sigma) of the paper up to its factor 2 v. [LDSSM, Eq. rates]
    """
    s = _start(sigma, eta, b0, c0, tau, "mode_rate")
    return float(np.sqrt(4 * s.eta**2 + s.sigma**2 * s.P * s.Q) / s.tau)


def mode_time(gain: float, sigma: float, eta: float, b0: Any, c0: Any, tau: float = 1.0) -> float:
    """Return the training time at which S reaches `gain`, which must lie between S(0) and eta / sigma.

    For a balanced start S0 -> Sf it is tau / (2 eta) log(Sf (S* - S0) / (S0 (S* - Sf))), S* = eta / sigma.
    Other arguments as in `mode_gain`.
    Raises ValueError for a gain that the path does not reach.
    """
    call = "mode_time"
    s, gain = _start(sigma, eta, b0, c0, tau, call), float(_check.vector(gain, "gain", call, 1)[0])
    start, target = (s.P - s.Q) / 4, s.eta / s.sigma
    if not min(start, target) <= gain <= max(start, target) or gain == target:
        raise ValueError(f"{call}: expected gain from S(0) = {start:g} up to but not including eta/sigma = {target:g}; "
                         f"received {gain:g}.")
    if (s.P == 0.0 and s.eta >= 0) or (s.Q == 0.0 and s.eta <= 0):
        raise ValueError(f"{call}: expected a start that leads to eta/sigma; received one whose flow ends at b = c = 0. "
                         "Do b0 and c0 have opposite signs while eta > 0, or equal ones while eta < 0?")
    if s.P == 0.0:  # mirror c -> -c, eta -> -eta, S -> -S
        s, gain = s._replace(P=s.Q, Q=0.0, eta=-s.eta), -gain
    upper, lower, rate = _roots(s)
    E = (2 * gain + np.sqrt(4 * gain**2 + s.P * s.Q)) / s.P if gain >= 0 else \
        s.Q / (np.sqrt(4 * gain**2 + s.P * s.Q) - 2 * gain)
    if E == 1.0:
        return 0.0
    return float(np.log((E - lower) * (upper - 1) / ((upper - E) * (1 - lower))) / rate)


def balanced_gain(t: Any, sigma: float, eta: float, s0: float, tau: float = 1.0) -> np.ndarray:
    """Evaluate the logistic curve tau dS/dt = 2 S (eta - sigma S) of a balanced start with S(0) = s0 > 0.

    Other arguments as in `mode_gain`.
    """
    call = "balanced_gain"
    root = np.sqrt(_positive(s0, "s0", call))
    return mode_gain(t, sigma, eta, [root], [root], tau)


def output_only_gain(t: Any, sigma: float, eta: float, b: Any, c0: Any, tau: float = 1.0) -> np.ndarray:
    """Evaluate S(t) when only c is trained: tau dS/dt = |b|^2 (eta - sigma S), linear with rate sigma |b|^2 / tau.

    b (N,) stays as it is; other arguments as in `mode_gain`.
    """
    s = _start(sigma, eta, b, c0, tau, "output_only_gain")
    b, c = (s.plus + s.minus) / 2, (s.plus - s.minus) / 2
    decay = np.exp(-s.sigma * float(b @ b) / s.tau * _times(t, "output_only_gain"))
    return s.eta / s.sigma + (float(b @ c) - s.eta / s.sigma) * decay


def tied_gain(t: Any, sigma: float, eta: float, b0: float, c0: float, n_copies: int, tau: float = 1.0) -> np.ndarray:
    """Evaluate S(t) = N b c when N copies share one b and one c: the flow of one copy with tau / N.

    The shared gradients are sums over the copies: balanced, tau dS/dt = 2 N S (eta - sigma S).
    n_copies is N, b0 and c0 the shared start; other arguments as in `mode_gain`.
    Raises TypeError or ValueError for n_copies that is not a whole number from 1.
    """
    call = "tied_gain"
    n = _check.count(n_copies, "n_copies", call)
    b, c = (np.sqrt(n) * _check.vector(value, name, call, 1) for value, name in ((b0, "b0"), (c0, "c0")))
    return mode_gain(t, sigma, eta, b, c, tau / n)


def conserved_quantity(b: Any, c: Any) -> np.ndarray:
    """Return b b' - c c' (N, N), constant along the flow; b, c (N,). Raises ValueError for b and c of different lengths."""
    b = _check.vector(b, "b", "conserved_quantity")
    c = _check.vector(c, "c", "conserved_quantity", len(b), "b has that many copies")
    return np.outer(b, b) - np.outer(c, c)


def _positive(value: Any, name: str, call: str) -> float:
    number = float(_check.vector(value, name, call, 1)[0])
    if number <= 0:
        raise ValueError(f"{call}: expected {name} > 0; received {number:g}.")
    return number
