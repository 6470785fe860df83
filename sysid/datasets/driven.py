"""Driven benchmark systems: NARMA, Duffing, van der Pol, the slow manifold, marginally stable linear systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..kernels import generators as kernels
from .chaotic import _bounded, _flow, _interval


def narma(order: int, n_steps: int, rng: np.random.Generator) -> Data:
    r"""Draw the NARMA task of the given order, with u uniform on [0, 0.5] [Atiya & Parlos 2000].

    .. math:: y_{t+1} = 0.3 y_t + 0.05 y_t \sum_{i=0}^{k-1} y_{t-i} + 1.5 u_{t-k+1} u_t + 0.1

    Above order 10 the saturated form y_{t+1} = tanh(... + 0.01) + 0.2 is used [Rodan & Tino 2011]. y[t] depends on
    u[t-1] and older. A draw that runs away (rare at order 10) is drawn again from the same generator.
    Returns Data with y (T, 1), u (T, 1).
    Raises TypeError or ValueError for counts that are not whole numbers, a missing rng, or a recursion that runs
    away in every draw.
    """
    k, T = _check.count(order, "order", "narma"), _check.count(n_steps, "n_steps", "narma")
    rng = _check.generator(rng, "narma")
    for _ in range(100):
        u, y = rng.uniform(0.0, 0.5, T), np.zeros(T)
        kernels.narma(k, u, y)
        if np.isfinite(y).all() and np.abs(y).max() < 10.0:
            return Data(y[:, None], u[:, None])
    raise ValueError(f"narma: the recursion of order {k} ran away in each of 100 draws of {n_steps} steps. "
                     "Orders up to 10 and the saturated orders 11 to 30 stay bounded.")


def duffing(u: Any, dt: float = 0.05, *, damping: float = 0.3, stiffness: float = -1.0, cubic: float = 1.0,
            x0: Any = (0.0, 0.0), substeps: int = 10) -> Data:
    r"""Simulate the forced Duffing oscillator, with u held over each sample.

    .. math:: \ddot q + \delta \dot q + \alpha q + \beta q^3 = u

    u : (T,) force. Returns Data with y (T, 2) = (q, q'), u (T, 1).
    damping, stiffness, cubic : delta, alpha and beta of the equation. x0 : (2,) first position and speed.
    substeps : RK4 steps a sample
    Raises ValueError for u of another shape.
    """
    force = _check.signal(u, "u", "duffing", 1)
    return _flow("duffing", kernels.DUFFING, (damping, stiffness, cubic), x0, 2, len(force), dt, 0, substeps, force)


def van_der_pol(u: Any, dt: float = 0.05, *, mu: float = 1.0, x0: Any = (0.1, 0.0), substeps: int = 10) -> Data:
    r"""Simulate the forced van der Pol oscillator q'' - mu (1 - q^2) q' + q = u, with u held over each sample.

    u : (T,) force. Returns Data with y (T, 2) = (q, q'), u (T, 1).
    x0 : (2,) first state. substeps : RK4 steps a sample
    Raises ValueError for u of another shape.
    """
    force = _check.signal(u, "u", "van_der_pol", 1)
    return _flow("van_der_pol", kernels.VAN_DER_POL, (mu,), x0, 2, len(force), dt, 0, substeps, force)


def slow_manifold(n_steps: int, dt: float = 0.1, *, mu: float = -0.05, decay: float = -1.0,
                  x0: Any = (1.0, -1.0)) -> Data:
    r"""Sample the slow-manifold system exactly; it is linear in (x1, x2, x1^2) [Brunton et al. 2016].

    .. math:: \dot x_1 = \mu x_1, \quad \dot x_2 = \lambda (x_2 - x_1^2), \qquad
              x_2 - b x_1^2 = c\, e^{\lambda t},\ b = \lambda/(\lambda - 2\mu)

    The generator of (x1, x2, x1^2) has the eigenvalues mu, lambda, 2 mu. Returns Data with y (T, 2).
    decay : lambda. x0 : (2,) first state
    Raises TypeError or ValueError for x0 of another length, or decay = 2 mu, where the modes coincide.
    """
    T = _check.count(n_steps, "n_steps", "slow_manifold")
    a, b0 = _check.vector(x0, "x0", "slow_manifold", 2)
    if decay == 2 * mu:
        raise ValueError("slow_manifold: expected decay != 2 mu, where the two modes coincide; "
                         f"received decay = {decay:g}, mu = {mu:g}.")
    interval = _interval(dt, "slow_manifold")
    t, b = np.arange(T) * interval, decay / (decay - 2 * mu)
    x1 = a * np.exp(mu * t)
    return Data(np.column_stack([x1, b * x1 ** 2 + (b0 - b * a ** 2) * np.exp(decay * t)]), dt=interval)


def forced_slow_manifold(u: Any, *, a: float = 0.9, b: float = 0.5, c: float = 0.3, x0: Any = (0.0, 0.0)) -> Data:
    r"""Simulate x1+ = a x1 + u, x2+ = b x2 + c x1^2, linear in (x1, x2, x1^2) with x1 u and u^2 as inputs.

    u : (T,). Returns Data with y (T, 2), u (T, 1). A lift without the bilinear and u^2 terms cannot be exact
    (corrections #32).
    x0 : (2,) first state
    Raises ValueError for u or x0 of another shape, or a solution that overflows.
    """
    from scipy.signal import lfilter
    drive = _check.signal(u, "u", "forced_slow_manifold", 1)
    start = _check.vector(x0, "x0", "forced_slow_manifold", 2)
    with np.errstate(over="ignore", invalid="ignore"):  # said by `_bounded`
        x1 = lfilter([1.0], [1.0, -a], np.concatenate([[start[0]], drive[:-1, 0]]))
        x2 = lfilter([1.0], [1.0, -b], np.concatenate([[start[1]], c * x1[:-1] ** 2]))
    return Data(_bounded(np.column_stack([x1, x2]), 1.0, "forced_slow_manifold").y, drive)


def marginally_stable(n_steps: int, n_states: int, rng: np.random.Generator, *, oscillating: bool = False,
                      noise: float = 0.0) -> Data:
    r"""Draw a linear system that never forgets, and simulate it on white input.

    .. math:: y_t = \sum_k r_k s_{k,t} + \text{noise}, \qquad s_{k,t+1} = p_k s_{k,t} + u_t

    n_states : n modes with Gaussian residues of variance 1/n^2. The poles p are uniform on [-1, 1] with the largest
    moved to +1 (a symmetric system); with oscillating they are conjugate pairs uniform on the unit circle.
    noise : standard deviation of the added white noise. Returns Data with y (T, 1), u (T, 1). Cost O(n T).
    Raises TypeError or ValueError for an odd n_states where poles come in pairs, or a missing rng.
    """
    from scipy.signal import lfilter
    call = "marginally_stable"
    T, n = _check.count(n_steps, "n_steps", call), _check.count(n_states, "n_states", call)
    rng = _check.generator(rng, call)
    if oscillating:
        if n % 2:
            raise ValueError(f"{call}: expected an even n_states for conjugate pairs; received {n}.")
        poles = np.exp(1j * rng.uniform(0.0, np.pi, n // 2))
        residues = (rng.standard_normal(n // 2) + 1j * rng.standard_normal(n // 2)) * 2 / n
    else:
        poles = rng.uniform(-1.0, 1.0, n)
        poles[np.argmax(np.abs(poles))] = 1.0
        residues = rng.standard_normal(n) / n
    u = rng.standard_normal(T)
    y = sum(np.real(lfilter([0.0, r], [1.0, -p], u)) for p, r in zip(poles, residues))
    return Data((y + noise * rng.standard_normal(T))[:, None], u[:, None])
