"""Stacks of reservoirs: layer certificates compose into one for the stack, whatever joins the layers downwards.

With V_i = |x_i|_{P_i} of layer i, P_i <= 2 T_i and slopes at most L,
$$ V_i^+ \\le \\kappa_i V_i + \\sum_{j<i} g_{ij} V_j, \\qquad g_{ij} = \\lambda_i L \\, \\| (2T_i)^{1/2} V_{ij} P_j^{-1/2} \\| . $$
The comparison matrix N = diag(kappa) + (g_ij) is nonnegative and triangular, so any kappa above max_i kappa_i has positive
x, z with N x <= kappa x and N' z <= kappa z, and P = blkdiag(w_i P_i), w = z / x, contracts at kappa (Schur's test).
[ESN-SSM, Eqs. 83-85], made global; corrections 30.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import block_diag, solve_triangular

from .. import _check
from ..models.deep_esn import DeepESN
from .certificate import Certificate, Contraction
from .enclosure import Enclosure
from .ladder import Ladder
from .network import LeakyNetwork
from .registry import as_network


@dataclass(frozen=True)
class Cascade:
    """Certify a stack layer by layer and compose.

    Parameters
    ----------
    layer : method for each layer, the default ladder with the circle criterion on top
    margin : share of the way from the slowest layer to 1 given up for the joints; a larger one has a smaller overshoot

    The rate is (1 - margin) max_i kappa_i + margin. The overshoot grows with the gains of the joints and the number of
    layers: it is reported beside the rate and should be read with it.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    layer: Any = field(default_factory=Ladder)
    margin: float = 0.08

    def __post_init__(self) -> None:
        _check.options(self, margin="positive")
        if not self.margin < 1:
            raise ValueError(f"Cascade: expected margin in (0, 1); received {self.margin!r}.")

    def layer_rate(self, rate: float) -> float:
        """The rate that every layer must have for a stack to contract at `rate`; 1 where the margin alone passes it."""
        below = (rate - self.margin) / (1 - self.margin)
        return below * (1 - 1e-9) if 0 < below < 1 else 1.0

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a DeepESN. Raises TypeError for other models."""
        wanted = wanted or Contraction()
        if not isinstance(model, DeepESN):
            raise TypeError(f"Cascade: expected a DeepESN; received {type(model).__name__}.")
        networks = [as_network(layer) for layer in model.layers]
        joints = {(i, j): np.asarray(V) for i in range(len(networks)) for j, V in model.joints(i)}
        goal = Contraction(rate=self.layer_rate(wanted.rate), seconds=wanted.seconds)
        layers = [self.layer.certify(network, goal) for network in networks]
        return compose(networks, layers, joints, self.margin)


def compose(networks: list[LeakyNetwork], layers: list[Certificate], joints: dict[tuple[int, int], np.ndarray],
            margin: float = 0.08) -> Certificate:
    """One certificate from those of layers and their joints {(to, from): (n_to, n_from)}, to > from.

    Parameters
    ----------
    networks, layers : the layers and their certificates; margin : as for `Cascade`

    Raises ValueError for a joint that runs upwards.
    """
    if not 0 < margin < 1:
        raise ValueError(f"Cascade: expected margin in (0, 1); received {margin!r}.")
    rates = [c.rate for c in layers]
    words = f"driven map of {len(layers)} layers, any input"
    metrics = [(c.P, c.T) for c in layers if c.holds and c.P is not None and c.T is not None]
    if len(metrics) < len(layers):
        weak = [i for i, c in enumerate(layers) if not c.holds or c.P is None or c.T is None]
        return Certificate(max(rates), None, None, False, "cascade", words,
                           f"layer {weak[0]} has no certificate: {layers[weak[0]].reason}", details={"layers": layers})
    N = np.diag(rates)
    for (i, j), V in joints.items():
        if not j < i:
            raise ValueError(f"Cascade: expected joints from earlier to later layers; received {(i, j)}.")
        N[i, j] += _gain(networks[i], metrics[i][1], V, metrics[j][0])
    rate = (1 - margin) * max(rates) + margin
    under = rate * (1 - 1e-9) * np.eye(len(N))            # a hair below, so that N x <= rate x survives rounding
    x = solve_triangular(under - N, np.ones(len(N)), lower=True)
    z = solve_triangular(under - N.T, np.ones(len(N)), lower=False)
    # Sums of a few nonnegative terms: a relative 1e-12 covers their rounding.
    good = (x > 0).all() and (z > 0).all() and (N @ x * (1 + 1e-12) <= rate * x).all() \
        and (N.T @ z * (1 + 1e-12) <= rate * z).all()
    if not good:
        return Certificate(rate, None, None, False, "cascade", words, "the layers' gains could not be composed",
                           details={"layers": layers})
    w = z / x
    P = block_diag(*[a * P for a, (P, _) in zip(w, metrics)])
    T = np.concatenate([a * T for a, (_, T) in zip(w, metrics)])
    spectra = [np.linalg.eigvalsh(P) for P, _ in metrics]
    overshoot = np.sqrt(max(a * s[-1] for a, s in zip(w, spectra)) / min(a * s[0] for a, s in zip(w, spectra)))
    floor = max((c.rate_floor for c in layers), default=0.0)
    return Certificate(rate, _check.frozen(P), _check.frozen(T), True, "cascade of layer certificates", words,
                       f"every layer contracts (slowest {max(rates):.6g}) and the joints run downwards", floor, floor,
                       details={"layers": layers, "gains": N, "weights": w, "overshoot": float(overshoot)})


def _gain(network: LeakyNetwork, T: np.ndarray, V: np.ndarray, P: np.ndarray) -> float:
    """g with g^2 P_j - V' diag(2 t (leak L)^2) V > 0 proved."""
    slope = np.maximum(np.abs(network.lower), np.abs(network.upper)) * network.leak
    weight = 2 * T * slope**2 * (1 + 1e-14)
    inverse = np.linalg.inv(np.linalg.cholesky(P))
    gain = float(np.linalg.norm(np.sqrt(weight)[:, None] * V @ inverse.T, 2))
    Ve = Enclosure.of(V)
    square = Ve.T @ (Enclosure.of(weight[:, None]) * Ve)
    for delta in (1e-9, 1e-7, 1e-5, 1e-3, 1e-1):
        g = gain * (1 + delta) + 1e-12
        if (Enclosure.of(g) * Enclosure.of(g) * Enclosure.of(P) - square).positive_definite():
            return g
    raise ValueError("Cascade: the metric of a layer is too badly conditioned to bound a joint's gain; "
                     "give the layers a larger slack, for example CircleCriterion('balanced').")
