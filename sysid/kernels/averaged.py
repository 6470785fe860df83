"""Activations averaged over a Gaussian argument, N(xi, v): statistical linearisation [Gelb 1974, section 6.3].

    h = E s(xi + sqrt(v) z),   slope = E s'(xi + sqrt(v) z) = Cov(s, xi) / v (Stein's identity),   z ~ N(0, 1)

Exact for identity and relu; by nine Gauss-Hermite points for tanh and sigmoid, to 1e-7 where v is below .1.
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import helper
from .activations import slope_of, value_of

BOUND = 350.0       # of exponents, whose products then stay finite
ROOT_2, ROOT_2PI = math.sqrt(2.0), math.sqrt(2.0 * math.pi)


@helper
def average(kind, nodes, xi, variance, h, slope):
    """h and slope (n,) at means xi and variances (n,); nodes (2, k), k odd, holds points and weights in ascending order."""
    for i in range(xi.size):
        root = np.sqrt(max(variance[i], 0.0))
        if kind == 0 or root == 0.0:
            h[i], slope[i] = value_of(kind, xi[i]), slope_of(kind, xi[i])
        elif kind == 2:
            a = xi[i] / root
            slope[i] = 0.5 * math.erfc(-a / ROOT_2)
            h[i] = xi[i] * slope[i] + root * np.exp(-0.5 * a * a) / ROOT_2PI
        else:
            # tanh(x) = 2 p(2 x) - 1 and p(x) = 1 / (1 + exp(-x)): points in pairs share an exponential
            c = 2.0 if kind == 1 else 1.0
            here, centre = np.exp(min(-c * xi[i], BOUND)), nodes.shape[1] // 2
            p = 1.0 / (1.0 + here)
            mean, bend = nodes[1, centre] * p, nodes[1, centre] * p * (1.0 - p)
            for k in range(centre + 1, nodes.shape[1]):
                away = np.exp(min(c * root * nodes[0, k], BOUND))
                up, down = 1.0 / (1.0 + here / away), 1.0 / (1.0 + here * away)
                mean += nodes[1, k] * (up + down)
                bend += nodes[1, k] * (up * (1.0 - up) + down * (1.0 - down))
            h[i], slope[i] = (2.0 * mean - 1.0, 4.0 * bend) if kind == 1 else (mean, bend)
