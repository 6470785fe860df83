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
