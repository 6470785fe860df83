"""Chaotic benchmark series, computed and not downloaded; each is deterministic for given arguments.

Every generator returns `Data` with the samples in `y` and no input. Largest Lyapunov exponents (per unit of time)
for valid times: Mackey-Glass (tau = 17) 0.006, Lorenz 0.9056, Rossler 0.0714, Henon 0.419 per step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..kernels import generators as kernels


def mackey_glass(n_steps: int, tau: float = 17.0, dt: float = 1.0, *, beta: float = 0.2, gamma: float = 0.1,
                 power: float = 10.0, x0: float = 1.2, transient: int = 1000, substeps: int = 10) -> Data:
    r"""Sample the Mackey-Glass delay equation [Mackey & Glass 1977].

    .. math:: \dot x(t) = \frac{\beta x(t-\tau)}{1 + x(t-\tau)^{p}} - \gamma x(t)

    n_steps : T. tau, dt : delay and sampling interval, in the same unit of time. x0 : constant history.
    transient : samples dropped at the start. substeps : RK4 steps a sample; the delay must be a whole number of them.
    Returns Data with y (T, 1). Fourth order in dt/substeps; O(T substeps).
    power : the exponent p
    Raises TypeError or ValueError for n_steps that is not a whole number, or tau that is no multiple of the inner
    step.
    """
    T = _check.count(n_steps, "n_steps", "mackey_glass")
    skip, substeps = _counts("mackey_glass", transient, substeps)
    step = _interval(dt, "mackey_glass")
    h = step / substeps
    tau = _check.positive(tau, "tau", "mackey_glass")
    delay = round(tau / h)
    if delay < 1 or abs(delay * h - tau) > 1e-9 * max(tau, 1.0):
        raise ValueError(f"mackey_glass: expected tau to be a whole number of steps dt/substeps = {h:g}; "
                         f"received tau = {tau:g}. Another substeps fits.")
    out, ring = np.empty(T), np.empty((2, delay + 1))
    kernels.mackey_glass(float(beta), float(gamma), float(power), h, delay, substeps, float(x0), skip, ring, out)
    return _bounded(out[:, None], step, "mackey_glass")


def lorenz(n_steps: int, dt: float = 0.02, *, sigma: float = 10.0, rho: float = 28.0, beta: float = 8.0 / 3.0,
           x0: Any = (1.0, 1.0, 1.0), transient: int = 1000, substeps: int = 10) -> Data:
    r"""Sample the Lorenz system [Lorenz 1963].

    .. math:: \dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad \dot z = x y - \beta z

    Returns Data with y (T, 3). RK4 with `substeps` steps a sample.
    x0 : (3,) first state. transient : samples dropped at the start
    """
    return _flow("lorenz", kernels.LORENZ, (sigma, rho, beta), x0, 3, n_steps, dt, transient, substeps)


def rossler(n_steps: int, dt: float = 0.1, *, a: float = 0.2, b: float = 0.2, c: float = 5.7,
            x0: Any = (1.0, 1.0, 1.0), transient: int = 1000, substeps: int = 10) -> Data:
    r"""Sample the Rossler system: x' = -y - z, y' = x + a y, z' = b + z (x - c) [Rossler 1976]. Data with y (T, 3).

    x0 : (3,) first state. transient : samples dropped at the start. substeps : RK4 steps a sample
    """
    return _flow("rossler", kernels.ROSSLER, (a, b, c), x0, 3, n_steps, dt, transient, substeps)


def lorenz96(n_steps: int, n_states: int = 40, dt: float = 0.05, *, forcing: float = 8.0, x0: Any = None,
             transient: int = 500, substeps: int = 5) -> Data:
    r"""Sample the Lorenz 96 ring: x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F [Lorenz 1996]. Data with y (T, n).

    x0 : (n,), by default F everywhere and F + 0.01 in the first place.
    forcing : F. transient : samples dropped at the start. substeps : RK4 steps a sample
    Raises TypeError or ValueError for n_states below 4.
    """
    n = _check.count(n_states, "n_states", "lorenz96", least=4)
    if x0 is None:
        x0 = np.full(n, float(forcing))
        x0[0] += 0.01
    return _flow("lorenz96", kernels.LORENZ96, (forcing,), x0, n, n_steps, dt, transient, substeps)


def henon(n_steps: int, *, a: float = 1.4, b: float = 0.3, transient: int = 100) -> Data:
    r"""Iterate the Henon map: x1+ = 1 - a x1^2 + x2, x2+ = b x1 [Henon 1976]. Data with y (T, 2).

    transient : steps dropped at the start
    Raises TypeError or ValueError for counts that are not whole numbers.
    """
    T = _check.count(n_steps, "n_steps", "henon")
    out = np.empty((T, 2))
    kernels.henon(float(a), float(b), _check.count(transient, "transient", "henon", least=0), out)
    return _bounded(out, 1.0, "henon")


def kuramoto_sivashinsky(n_steps: int, n_points: int = 64, length: float = 22.0, dt: float = 0.25, *,
                         x0: Any = None, transient: int = 1000, substeps: int = 1) -> Data:
    r"""Sample the Kuramoto-Sivashinsky equation on a ring by ETDRK4 [Kassam & Trefethen 2005].

    .. math:: v_t = -v v_x - v_{xx} - v_{xxxx}, \qquad v(x + L) = v(x)

    x0 : (n_points,) start, by default a smooth one without symmetry. Returns Data with y (T, n_points).
    length : L. transient : samples dropped at the start. substeps : steps a sample
    Raises TypeError or ValueError for counts that are not whole numbers, or x0 of another length.
    """
    T, N = _check.count(n_steps, "n_steps", "kuramoto_sivashinsky"), _check.count(
        n_points, "n_points", "kuramoto_sivashinsky", least=8)
    skip, substeps = _counts("kuramoto_sivashinsky", transient, substeps)
    interval, length = _interval(dt, "kuramoto_sivashinsky"), _check.positive(length, "length", "kuramoto_sivashinsky")
    x = 2 * np.pi * np.arange(N) / N
    start = np.cos(x) * (1 + np.sin(x)) + 0.5 * np.cos(2 * x + 1) if x0 is None else _check.vector(x0, "x0", "kuramoto_sivashinsky", N)
    step = _etdrk4(N, length, interval / substeps)
    v, out = np.fft.rfft(start), np.empty((T, N))
    with np.errstate(over="ignore", invalid="ignore"):  # said by `_bounded`
        for t in range(skip + T):
            if t >= skip:
                out[t - skip] = np.fft.irfft(v, N)
            for _ in range(substeps):
                v = step(v)
    return _bounded(out, interval, "kuramoto_sivashinsky")


def _etdrk4(N: int, length: float, h: float) -> Any:
    """The step v -> v(t + h) in Fourier space; the phi functions come from contour integrals."""
    k = 2 * np.pi / length * np.arange(N // 2 + 1)
    linear = k ** 2 - k ** 4
    k[-1] *= N % 2  # the Nyquist mode has no first derivative
    half, full = np.exp(h * linear / 2), np.exp(h * linear)
    z = h * linear[:, None] + np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
    q = h * np.real(np.mean((np.exp(z / 2) - 1) / z, axis=1))
    f1 = h * np.real(np.mean((-4 - z + np.exp(z) * (4 - 3 * z + z ** 2)) / z ** 3, axis=1))
    f2 = h * np.real(np.mean((2 + z + np.exp(z) * (z - 2)) / z ** 3, axis=1))
    f3 = h * np.real(np.mean((-4 - 3 * z - z ** 2 + np.exp(z) * (4 - z)) / z ** 3, axis=1))

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return -0.5j * k * np.fft.rfft(np.fft.irfft(v, N) ** 2)

    def step(v: np.ndarray) -> np.ndarray:
        n0 = nonlinear(v)
        a = half * v + q * n0
        n1 = nonlinear(a)
        b = half * v + q * n1
        n2 = nonlinear(b)
        n3 = nonlinear(half * a + q * (2 * n2 - n0))
        return full * v + f1 * n0 + 2 * f2 * (n1 + n2) + f3 * n3

    return step


def _flow(call: str, kind: int, p: tuple, x0: Any, n: int, n_steps: Any, dt: Any, transient: Any, substeps: Any,
          u: np.ndarray | None = None) -> Data:
    T = _check.count(n_steps, "n_steps", call)
    skip, substeps = _counts(call, transient, substeps)
    step = _interval(dt, call)
    start = _check.vector(x0, "x0", call, n)
    out = np.empty((T, n))
    drive = np.zeros((T, 1)) if u is None else u
    kernels.flow(kind, np.array(p, dtype=float), drive, start, step / substeps, substeps, skip, np.empty((6, n)), out)
    data = _bounded(out, step, call)
    return data if u is None else Data(data.y, u, dt=step)


def _bounded(out: np.ndarray, dt: float, call: str) -> Data:
    bad = ~np.isfinite(out).all(axis=1)
    if bad.any():
        raise ValueError(f"{call}: the solution left every bound at sample {int(np.argmax(bad))}. "
                         "A smaller dt, more substeps or another start keeps it finite.")
    return Data(out, dt=dt)


def _interval(dt: Any, call: str) -> float:
    """The sampling interval, which a series must have."""
    step = _check.time_step(dt, call)
    if step is None:
        raise ValueError(f"{call}: expected a sampling interval dt > 0; received None.")
    return step


def _counts(call: str, transient: Any, substeps: Any) -> tuple[int, int]:
    return _check.count(transient, "transient", call, least=0), _check.count(substeps, "substeps", call)
