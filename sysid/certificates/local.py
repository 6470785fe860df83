"""Certificates that hold where the state lives: an invariant box, or a tube around an equilibrium or a trajectory.

Far out the slopes of a saturating activation are small and near the origin they are 1; on a smaller set the range of
slopes is smaller, and a reservoir without a global certificate may have one there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from .. import _check
from ..models.esn import ESN
from .certificate import Certificate, Contraction
from .contraction import CircleCriterion
from .network import LeakyNetwork
from .proof import roomy

_OUT = 1e-9                                               # ranges are widened by this, far above rounding


def slope_range(name: str, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest slope (n,) of a built-in activation for arguments between `low` and `high` (n,)."""
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    far = np.maximum(np.abs(low), np.abs(high))
    if name == "tanh":
        return _tanh_slope(far) * (1 - _OUT), np.minimum(_tanh_slope(near) * (1 + _OUT), 1.0)
    if name == "sigmoid":
        return _tanh_slope(far / 2) / 4 * (1 - _OUT), np.minimum(_tanh_slope(near / 2) / 4 * (1 + _OUT), 0.25)
    if name == "identity":
        return np.ones_like(low), np.ones_like(low)
    if name == "relu":
        return (low > 0) * 1.0, (high > 0) * 1.0
    raise ValueError(f"certify: expected a built-in activation for a local certificate; received {name!r}. "
                     "Declare the slopes on your set: LeakyNetwork(W, leak, lower, upper).")


@dataclass(frozen=True)
class InvariantBox:
    """Certify on the smallest box |x_i| <= r_i found that no input within its bound lets the state leave.

    $$ r \\leftarrow \\sigma(|W| r + |W_{in}| \\bar u + |b|) $$ from r = 1, for tanh; every state with |x_i| <= 1 enters it.
    Needs Contraction(input_bound=...). With dense coupling the box is nearly the whole cube and little is gained.

    Parameters
    ----------
    method : for the network with the slopes of the box
    """

    method: Any = field(default_factory=CircleCriterion)
    local: ClassVar[bool] = True

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify an ESN on its invariant box.

        Raises ValueError for other activations, output feedback, or no bound on the input.
        """
        wanted = wanted or Contraction()
        _esn(model, "InvariantBox")
        if wanted.input_bound is None or model.act.name != "tanh" or model.n_feedback:
            raise ValueError("InvariantBox: expected a tanh ESN without output feedback and Contraction(input_bound=...); "
                             f"received activation {model.act.name!r}, input_bound={wanted.input_bound!r}.")
        bound = wanted.input_box(model.n_inputs)
        drive = np.abs(model.W_in) @ bound
        size, box = np.abs(model.dense_W), np.ones(model.n_states)
        for _ in range(200):
            reach = (size @ box + drive + np.abs(model.bias)) * (1 + _OUT)
            smaller = np.minimum(box, np.tanh(reach) * (1 + _OUT))
            done, box = np.abs(box - smaller).max() < 1e-10, smaller
            if done:
                break
        half = (size @ box + drive) * (1 + _OUT)
        lower, upper = slope_range("tanh", model.bias - half, model.bias + half)
        found = self.method.certify(LeakyNetwork(model.W, model.leak, lower, upper), wanted)
        return replace(found, method=f"{found.method}, on an invariant box",
                       model=f"driven map on |x_i| <= r_i, inputs within +-{np.array2string(bound, precision=3)}",
                       details={**found.details, "box": _check.frozen(box)})


@dataclass(frozen=True)
class Tube:
    """Certify a neighbourhood of an equilibrium or a trajectory, as large as can be proved.

    Within |W_i (x - x*)| <= eta_i every slope lies in a known range; the circle criterion with these ranges gives P, and
    the ball |x - x*|_P <= rho with rho = min_i eta_i / |W_i P^{-1/2}| lies inside. Two trajectories that start in the
    tube around a solution of the model stay in it and approach each other.

    Parameters
    ----------
    x : (n,) equilibrium or (T, n) trajectory; None for the equilibrium at constant input
    u : (m,) or (T, m) inputs along it, zero if None
    method : for the network with the slopes of the tube
    rate : the tube is the largest whose rate stays below this
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    x: Any = None
    u: Any = None
    method: Any = field(default_factory=CircleCriterion)
    rate: float = 0.9999
    local: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check.options(self, rate="share")

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify an ESN in a tube; details hold the radius and the centre. Raises ValueError for output feedback."""
        wanted = wanted or Contraction()
        _esn(model, "Tube")
        if model.n_feedback:
            raise ValueError("Tube: expected an ESN without output feedback; received one with W_fb. Give esn.closed_loop().")
        x, v = self._path(model)
        low, high = v.min(axis=0), v.max(axis=0)
        shape = np.linalg.norm(model.dense_W, axis=1)
        best, good, bad = None, 0.0, None
        scale = 0.02
        for _ in range(24):
            found, shape_new = self._attempt(model, low, high, scale * shape, wanted)
            if found is not None:
                best, good, shape = found, scale, shape_new
                scale = 2 * scale if bad is None else (good + bad) / 2
            else:
                bad = scale
                scale = (good + bad) / 2 if good else scale / 4
            if (bad is not None and good and bad - good < 0.02 * bad) or scale < 1e-6 or scale > 1e6:
                break
        words = f"driven map in a tube around {'an equilibrium' if len(x) == 1 else 'a trajectory'}"
        if best is None:
            lower, upper = slope_range(model.act.name, low, high)
            found = self.method.certify(LeakyNetwork(model.W, model.leak, lower, upper), wanted)
            return replace(found, verified=False, model=words,
                           reason="no tube was certified: the rate along the path itself is "
                                  f"{found.rate:.6g}, and tubes are wanted below {self.rate:g}")
        radius = best.details["radius"]
        return replace(best, model=f"{words}: |x - x*|_P <= {radius:.4g}",
                       details={**best.details, "centre": _check.frozen(x)})

    def _path(self, model: ESN) -> tuple[np.ndarray, np.ndarray]:
        u = np.zeros((1, model.n_inputs)) if self.u is None else np.atleast_2d(_check.real_array(self.u, "u", "Tube"))
        x = model.equilibrium(u[0]) if self.x is None else self.x
        x = np.atleast_2d(_check.real_array(x, "x", "Tube"))
        if x.shape[1] != model.n_states or u.shape[1] != model.n_inputs or (len(u) not in (1, len(x))):
            raise ValueError(f"Tube: expected x (n,) or (T, n) and u (m,) or (T, m); received {x.shape} and {u.shape}.")
        return x, x @ model.dense_W.T + u @ model.W_in.T + model.bias

    def _attempt(self, model: ESN, low: np.ndarray, high: np.ndarray, eta: np.ndarray, wanted: Contraction,
                 ) -> tuple[Certificate | None, np.ndarray]:
        lower, upper = slope_range(model.act.name, low - eta * (1 + _OUT) - _OUT, high + eta * (1 + _OUT) + _OUT)
        found = self.method.certify(LeakyNetwork(model.W, model.leak, lower, upper), wanted)
        if not found.holds or found.rate >= self.rate or found.P is None:
            return None, eta
        wider = found.rate + 0.5 * (self.rate - found.rate)
        P = None if found.T is None else roomy(LeakyNetwork(model.W, model.leak, lower, upper), found.T, wider)
        if P is not None:                                 # a well conditioned ball fills more of the slopes' box
            found = replace(found, P=P, rate=wider)
        unit = 2.0 ** -np.round(np.log2(np.linalg.eigvalsh(found.P)[-1]))    # exact; the radius is then nearly Euclidean
        found = replace(found, P=_check.frozen(found.P * unit), T=None if found.T is None else found.T * unit)
        rows = np.linalg.norm(np.linalg.solve(np.linalg.cholesky(found.P), model.dense_W.T), axis=0)
        radius = float((eta / np.maximum(rows, 1e-300)).min()) * (1 - 1e-6)
        # The next attempt widens every unit in proportion to what this metric lets it move.
        new = rows / np.linalg.norm(rows) * np.linalg.norm(np.linalg.norm(model.dense_W, axis=1))
        return replace(found, details={**found.details, "radius": radius, "slopes": (lower, upper)}), new


def _tanh_slope(v: np.ndarray) -> np.ndarray:
    """1 / cosh(v)^2 without overflow, 0 far out."""
    e = np.exp(-2 * np.abs(v))
    return 4 * e / (1 + e) ** 2


def _esn(model: Any, call: str) -> None:
    if not isinstance(model, ESN):
        raise TypeError(f"{call}: expected an ESN; received {type(model).__name__}.")
