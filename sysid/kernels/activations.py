"""Activations and slopes by their code, shared by the reservoir models."""

from __future__ import annotations

import numpy as np

from ._jit import helper


@helper
def value_of(code, v):
    """Built-in activation `code` at a number v."""
    if code == 1:
        return np.tanh(v)
    if code == 2:
        return max(v, 0.0)
    if code == 3:
        return 0.5 * (1.0 + np.tanh(0.5 * v))
    return v


@helper
def slope_of(code, v):
    """Its derivative."""
    if code == 1:
        s = np.tanh(v)
        return 1.0 - s * s
    if code == 2:
        return 1.0 if v > 0.0 else 0.0
    if code == 3:
        s = 0.5 * (1.0 + np.tanh(0.5 * v))
        return s * (1.0 - s)
    return 1.0


@helper
def activate(kind, xi, h, slope):
    """s(xi) and s'(xi): 0 identity, 1 tanh, 2 relu, 3 sigmoid."""
    for i in range(xi.size):
        if kind == 1:
            h[i] = np.tanh(xi[i])
            slope[i] = 1.0 - h[i] * h[i]
        elif kind == 2:
            slope[i] = 1.0 if xi[i] > 0.0 else 0.0
            h[i] = slope[i] * xi[i]
        elif kind == 3:
            h[i] = 0.5 * (1.0 + np.tanh(0.5 * xi[i]))
            slope[i] = h[i] * (1.0 - h[i])
        else:
            h[i], slope[i] = xi[i], 1.0
