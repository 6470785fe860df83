"""Recursions behind the series of `sysid.datasets`: delay equation, Runge-Kutta flows, NARMA, Henon."""

from __future__ import annotations

import numba
import numpy as np

from ._jit import integer, kernel, mat, out_mat, out_vec, real, vec

LORENZ, ROSSLER, LORENZ96, DUFFING, VAN_DER_POL = range(5)


@kernel(real, real, real, real, integer, integer, real, integer, out_mat, out_vec)
def mackey_glass(beta, gamma, power, h, n_delay, substeps, x0, skip, ring, out):
    """x' = beta x(t - tau)/(1 + x(t - tau)^power) - gamma x by RK4; the delayed value at half steps is cubic Hermite.

    ring (2, n_delay + 1) holds the values and slopes of the last steps, out (T,) takes the samples. Up to t = tau the
    delayed value is the constant history, so that no interpolation crosses the corner at t = 0.
    """
    size = n_delay + 1
    x, now = x0, 0
    for t in range(skip + out.shape[0]):
        if t >= skip:
            out[t - skip] = x
        for _ in range(substeps):
            first = now < n_delay
            left, right = (now - n_delay) % size, (now - n_delay + 1) % size
            old = x0 if first else ring[0, left]
            k1 = beta * old / (1.0 + old ** power) - gamma * x
            ring[0, now % size], ring[1, now % size] = x, k1
            new = x0 if first else ring[0, right]
            half = x0 if first else 0.5 * (old + new) + h / 8.0 * (ring[1, left] - ring[1, right])
            f1 = beta * half / (1.0 + half ** power)
            f2 = beta * new / (1.0 + new ** power)
            k2 = f1 - gamma * (x + 0.5 * h * k1)
            k3 = f1 - gamma * (x + 0.5 * h * k2)
            k4 = f2 - gamma * (x + h * k3)
            x += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            now += 1


@numba.njit(cache=True)
def _field(kind, x, u, p, dx):
    if kind == 0:
        dx[0] = p[0] * (x[1] - x[0])
        dx[1] = x[0] * (p[1] - x[2]) - x[1]
        dx[2] = x[0] * x[1] - p[2] * x[2]
    elif kind == 1:
        dx[0] = -x[1] - x[2]
        dx[1] = x[0] + p[0] * x[1]
        dx[2] = p[1] + x[2] * (x[0] - p[2])
    elif kind == 2:
        n = x.shape[0]
        for i in range(n):
            dx[i] = (x[(i + 1) % n] - x[(i - 2) % n]) * x[(i - 1) % n] - x[i] + p[0]
    elif kind == 3:
        dx[0] = x[1]
        dx[1] = -p[0] * x[1] - p[1] * x[0] - p[2] * x[0] ** 3 + u[0]
    else:
        dx[0] = x[1]
        dx[1] = p[0] * (1.0 - x[0] ** 2) * x[1] - x[0] + u[0]


@kernel(integer, vec, mat, vec, real, integer, integer, out_mat, out_mat)
def flow(kind, p, u, x0, h, substeps, skip, work, out):
    """Sample x' = f(x, u) by RK4 with the input held over each sample; work (6, n), u (T, m) with m = 0 or 1."""
    x, k1, k2, k3, k4, trial = work[0], work[1], work[2], work[3], work[4], work[5]
    n = x.shape[0]
    x[:] = x0
    for t in range(skip + out.shape[0]):
        row = max(t - skip, 0)
        if t >= skip:
            out[row] = x
        for _ in range(substeps):
            _field(kind, x, u[row], p, k1)
            for i in range(n):
                trial[i] = x[i] + 0.5 * h * k1[i]
            _field(kind, trial, u[row], p, k2)
            for i in range(n):
                trial[i] = x[i] + 0.5 * h * k2[i]
            _field(kind, trial, u[row], p, k3)
            for i in range(n):
                trial[i] = x[i] + h * k3[i]
            _field(kind, trial, u[row], p, k4)
            for i in range(n):
                x[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])


@kernel(integer, vec, out_vec)
def narma(order, u, y):
    """y[t+1] = .3 y + .05 y sum_i y[t-i] + 1.5 u[t-order+1] u[t] + .1; above order 10 through tanh, with .01 and + .2."""
    for t in range(y.shape[0] - 1):
        total = 0.0
        for i in range(min(order, t + 1)):
            total += y[t - i]
        old = u[t - order + 1] if t >= order - 1 else 0.0
        drive = 0.3 * y[t] + 0.05 * y[t] * total + 1.5 * old * u[t]
        y[t + 1] = drive + 0.1 if order <= 10 else np.tanh(drive + 0.01) + 0.2


@kernel(real, real, integer, out_mat)
def henon(a, b, skip, out):
    """x1+ = 1 - a x1^2 + x2, x2+ = b x1 from the origin."""
    x, y = 0.0, 0.0
    for t in range(skip + out.shape[0]):
        if t >= skip:
            out[t - skip, 0] = x
            out[t - skip, 1] = y
        x, y = 1.0 - a * x * x + y, b * x
