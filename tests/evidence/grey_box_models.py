"""Physical models of two benchmark plants, in continuous time, compiled."""

import numba
import numpy as np

import sysid


@numba.njit(cache=True)
def tanks_f(x, u, p, t):
    """Two tanks in cascade: pump with offset, square-root and linear outflow; what overflows the upper partly falls into the lower.

    A tank at its rim holds there: what would raise it runs over. Chosen among five structures (with and without
    overflow, a valve above a level, free exponents) by the simulation error on the part of the training record that a
    structure was not fitted to, the first and the last third in turn: 0.22 V against 0.37 to 0.87 V of the others.
    """
    upper, lower = max(x[0], 1e-9), max(x[1], 1e-9)
    through = p[0] * np.sqrt(upper) + p[1] * upper
    inflow = p[2] * (u[0] + p[3])
    spill = max(inflow - through, 0.0) + 0.5 * (upper - p[6]) if upper > p[6] else 0.0
    out = np.empty(2)
    out[0] = inflow - through - spill
    out[1] = p[8] * through + p[7] * spill - p[4] * np.sqrt(lower) - p[5] * lower
    if lower > p[9] and out[1] > 0:
        out[1] = -0.5 * (lower - p[9])
    return out


@numba.njit(cache=True)
def tanks_g(x, u, p, t):
    """The level, the end of the scale at p[10]."""
    out = np.empty(1)
    out[0] = min(x[1], p[10])
    return out


TANKS_START = np.array([0.05, 0.001, 0.05, 0.1, 0.05, 0.001, 10.0, 0.3, 1.0, 10.0, 10.0])
TANKS_BOUNDS = [(0.0, 0.3), (-0.02, 0.1), (0.005, 0.3), (-1.5, 1.0), (0.0, 0.3), (-0.02, 0.05), (8.0, 12.0), (0.0, 1.5), (0.1, 5.0),
                (9.5, 11.0), (9.5, 10.5)]  # fmt: skip


def tanks(dt=4.0):
    model = sysid.Nonlinear(tanks_f, tanks_g, 2, 1, 1, p=TANKS_START, dt=None)
    return sysid.discretize(model, dt, method="rk4", substeps=2)


@numba.njit(cache=True)
def duffing_f(x, u, p, t):
    """m y'' + d y' + a y + b y^2 + c y^3 = u + offset, divided by m."""
    out = np.empty(2)
    out[0] = x[1]
    out[1] = -p[0] * x[0] - p[1] * x[1] - p[2] * x[0] ** 3 - p[5] * x[0] ** 2 + p[3] * (u[0] + p[4])
    return out


@numba.njit(cache=True)
def duffing_g(x, u, p, t):
    out = np.empty(1)
    out[0] = x[0]
    return out


def duffing(start, dt):
    model = sysid.Nonlinear(duffing_f, duffing_g, 2, 1, 1, p=start, dt=None)
    return sysid.discretize(model, dt, method="rk4", hold="foh", substeps=1)
