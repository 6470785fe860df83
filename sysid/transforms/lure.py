"""Random-feature form of a reservoir: a linear core around a static nonlinearity (Lur'e's interconnection)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..models.activation import Activation

_GRID = 4001


@dataclass(frozen=True, eq=False)
class RandomFeatures:
    r"""Approximate the activation by N random sine features on an interval.

    .. math:: \sigma(\xi) \approx v^\top \varphi(\xi), \qquad
              x_{t+1} = (1-\lambda) x_t + \lambda V \Phi(W x_t + U u_t + b)

    [ESN-SSM, Eq. 28-30]. n_features : N. interval : half-width L of the preactivations that count. ridge : of the least
    squares on a grid, relative to the mean square of the features.
    weights : "least_squares", or "monte_carlo": the average of N sampled terms of the activation's Fourier series, whose
    error falls like 1/sqrt(N); least squares on the same features is far better.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_features: int = 50
    rng: np.random.Generator | None = None
    interval: float = 3.0
    ridge: float = 1e-8
    weights: str = "least_squares"

    def __post_init__(self) -> None:
        _check.options(self, n_features="count", rng="generator", interval="positive", ridge="nonnegative")
        _check.choice(self.weights, "weights", "RandomFeatures", ("least_squares", "monte_carlo"))

    def lift(self, model: Any, x: Any = None, u: Any = None) -> LureModel:
        """Put a reservoir in Lur'e form; x and u play no part, since the form is global on the interval.

        Raises TypeError or ValueError for output feedback, or a missing rng.
        """
        N, rng = self.n_features, _check.generator(self.rng, "RandomFeatures")
        network = getattr(model, "flat", model)
        if network.n_feedback:
            raise ValueError("RandomFeatures: expected a reservoir without output feedback; close it: esn.closed_loop().")
        grid = np.linspace(-self.interval, self.interval, _GRID)
        target = network.act.function(grid)
        if self.weights == "monte_carlo":
            omega, phase, v, offset, slope = _sampled_series(grid, target, N, rng)
        else:
            omega, phase = rng.standard_normal(N) * 1.5, rng.uniform(0, 2 * np.pi, N)
            Phi = np.column_stack([np.cos(np.outer(grid, omega) + phase), np.ones(_GRID), grid])
            penalty = np.sqrt(self.ridge * _GRID / 2) * np.eye(N + 2)
            solved = np.linalg.lstsq(np.vstack([Phi, penalty]), np.concatenate([target, np.zeros(N + 2)]), rcond=None)[0]
            v, offset, slope = solved[:N], float(solved[N]), float(solved[N + 1])
        return LureModel(network, omega, phase, v, offset, slope, float(self.interval))


@dataclass(frozen=True, eq=False, repr=False)
class LureModel(Shown):
    r"""A reservoir whose activation is v'phi(xi) = sum_k v_k cos(w_k xi + p_k) + offset + slope xi.

    x[t+1] = A0 x[t] + Bz Phi(Gx x[t] + Gu u[t] + g0), with A0 = (1 - leak) I, Bz = leak V, Gx = W, Gu = U, g0 = bias
    [ESN-SSM, Eq. 30]. V is block diagonal, (n, n N) (corrections #12).
    network : the reservoir it stands for. omega, phase, v : (N,). interval : half-width L on which the fit counts.
    `esn` is the same map as an ESN that every verb takes. Its composite slope range, and not the norms of v and phi
    apart, is what a certificate should use: the product of norms is tens to hundreds of times larger (corrections #13).
    """

    network: Any
    omega: np.ndarray
    phase: np.ndarray
    v: np.ndarray
    offset: float
    slope: float
    interval: float

    def features(self, xi: np.ndarray) -> np.ndarray:
        """phi (..., N + 2) at preactivations: cosines, one, and xi itself."""
        xi = np.asarray(xi, dtype=float)[..., None]
        return np.concatenate([np.cos(xi * self.omega + self.phase), np.ones_like(xi), xi], axis=-1)

    def nonlinearity(self, xi: np.ndarray) -> np.ndarray:
        """v'phi entry by entry."""
        xi = np.asarray(xi, dtype=float)
        return np.cos(xi[..., None] * self.omega + self.phase) @ self.v + self.offset + self.slope * xi

    def derivative(self, xi: np.ndarray) -> np.ndarray:
        """v'phi' entry by entry."""
        xi = np.asarray(xi, dtype=float)
        return -np.sin(xi[..., None] * self.omega + self.phase) @ (self.v * self.omega) + self.slope

    @cached_property
    def error(self) -> float:
        """Largest |s - v'phi| on the interval, from a grid [ESN-SSM, Eq. 28]."""
        grid = np.linspace(-self.interval, self.interval, _GRID)
        return float(np.abs(self.network.act.function(grid) - self.nonlinearity(grid)).max())

    @cached_property
    def slope_range(self) -> tuple[float, float]:
        """Range of v'phi' on the interval; widened by a bound between grid points, so it is not underestimated."""
        grid = np.linspace(-self.interval, self.interval, _GRID)
        values = self.derivative(grid)
        third = float(np.abs(self.v * self.omega ** 3).sum())
        margin = third * (grid[1] - grid[0]) ** 2 / 8  # |f' - chord| <= max|f'''| h^2/8 between the points
        return float(values.min() - margin), float(values.max() + margin)

    @property
    def norm_product(self) -> float:
        """|v| times the Lipschitz constant of phi: the printed bound on the slope [ESN-SSM, Eq. 33]."""
        weights = np.concatenate([self.v, [self.slope]])
        return float(np.linalg.norm(weights) * np.sqrt((self.omega ** 2).sum() + 1.0))

    @property
    def disturbance(self) -> float:
        """Largest |x[t+1] error| that the approximation adds in one step, |leak| sqrt(n) error (corrections #12)."""
        return float(np.linalg.norm(self.network.leaks) * self.error)

    @cached_property
    def esn(self) -> Any:
        """The approximate map as an ESN with its own activation; valid while preactivations stay in the interval."""
        act = Activation(self.nonlinearity, self.derivative, self.slope_range, "random features")
        return replace(self.network, activation=act)

    def summary(self) -> dict[str, Any]:
        low, high = self.slope_range
        return {"units": self.network.n_states, "features": len(self.v), "interval": [-self.interval, self.interval],
                "largest error of the activation": self.error, "slope range": [low, high],
                "product of norms": self.norm_product, "one-step disturbance": self.disturbance}


def _sampled_series(grid: np.ndarray, target: np.ndarray, N: int, rng: np.random.Generator) -> tuple:
    """N terms of the Fourier series of s less its chord, drawn with probability proportional to their size.

    The chord makes the remainder periodic, so its sine coefficients fall fast and their sum of moduli is finite. The
    average of the drawn terms has the series as its mean.
    """
    L = grid[-1]
    slope = (target[-1] - target[0]) / (2 * L)
    offset = (target[-1] + target[0]) / 2
    rest = target - offset - slope * grid
    k = np.arange(1, 200)
    waves = np.sin(np.pi * np.outer(k, (grid + L) / (2 * L)))
    coefficients = (waves[:, :-1] @ rest[:-1]) * (grid[1] - grid[0]) / L
    size = np.abs(coefficients).sum()
    share = np.abs(coefficients) / size if size > 0 else np.full(len(k), 1 / len(k))  # a straight line leaves nothing to draw by
    drawn = rng.choice(len(k), N, p=share)
    omega = np.pi * k[drawn] / (2 * L)
    v = np.sign(coefficients[drawn]) * size / N
    return omega, omega * L - np.pi / 2, v, float(offset), float(slope)
