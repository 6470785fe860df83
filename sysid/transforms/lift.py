"""The verb lift: a nonlinear model in more coordinates, where it is linear or nearly so; and how far any surrogate errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import _check
from .._show import Shown
from ..kernels._jit import as_float
from ..models.bilinear import Bilinear
from ..models.esn import ESN
from ..models.lti import LTI


class LiftMethod(Protocol):
    """What `lift` asks of a method: a frozen dataclass of its options with this one public method."""

    def lift(self, model: Any, x: np.ndarray | None, u: np.ndarray | None) -> Any:
        """Lift a model around a state x (n,) and a constant input u (m,)."""
        ...


def lift(model: Any, method: LiftMethod, x: Any = None, u: Any = None) -> Any:
    """Lift a reservoir into coordinates where it is linear, or into a linear core with a static nonlinearity.

    model : an ESN, or a network that is one written out. method : `Carleman(degree)` (monomials of deviations), `RandomFeatures(n_features, rng=rng)` (Lur'e form). From data
        the same is `fit(states, EDMD(dictionary))`.
    x : (n,) state to expand around, the equilibrium at u if None. u : (m,) constant input, zero if None.
    Returns what the method makes: a LiftedModel or a LureModel [ESN-SSM, Eqs. 25, 26, 30]. Raises TypeError for a model that is
    no reservoir and for a method that does not lift, ValueError where there is no equilibrium to expand around.
    """
    if isinstance(method, type) or not callable(getattr(method, "lift", None)):
        raise TypeError(f"lift: expected a method such as sysid.Carleman(degree=3); received {_check.received(method)}.")
    _network(model, "lift")
    return method.lift(model, x, u)


def _network(model: Any, call: str) -> ESN:
    """The reservoir as one ESN, a stack or a field written out; a gated one, whose inputs multiply its states, is none."""
    network = getattr(model, "flat", model)
    _check.kind(model, isinstance(network, ESN), "a reservoir such as sysid.ESN, or a stack or field of them", call)
    return network


@dataclass(frozen=True, eq=False, repr=False)
class SurrogateError(Shown):
    """How far a surrogate errs on states it was not made from.

    steps : (K,) horizons. measured : (K,) largest error of the state over all starts; typical : (K,) root mean square.
    bound : (K,) what the largest one-step residual met along the path allows, sum_j |C A^j| eps.
    """

    steps: np.ndarray
    measured: np.ndarray
    typical: np.ndarray
    bound: np.ndarray

    def summary(self) -> dict[str, Any]:
        return {f"{k} step{'s' if k > 1 else ''}": f"rms {t:.3g}, largest {m:.3g}, bound {b:.3g}"
                for k, m, t, b in zip(self.steps, self.measured, self.typical, self.bound)}


def surrogate_error(surrogate: Any, x: Any, u: Any = None, steps: Any = (1, 10)) -> SurrogateError:
    r"""Compare a linear, bilinear or lifted surrogate with a path of the true model, from every start on it.

    .. math:: \hat e_k \le \sum_{j<k} \| C A^j \|\, \varepsilon, \qquad \varepsilon = \max_t \| z_{t+1} - (A z_t + B u_t + c) \|

    surrogate : LTI, Bilinear, or LiftedModel. x : (T, n) true states. u : (T, m) their inputs. steps : horizons k.
    The bound beside the measurement is exact for linear cores [ESN-SSM, Eq. 25]; bilinear ones multiply the norms of
    their own A[t] and are looser. O(T N^2 max(steps)).
    Raises TypeError for other models, ValueError for shapes that do not fit, or more steps than samples.
    """
    call = "surrogate_error"
    core = getattr(surrogate, "core", surrogate)
    if not isinstance(core, LTI | Bilinear):
        raise TypeError(f"{call}: expected an LTI, Bilinear or LiftedModel; received {type(surrogate).__name__}.")
    lifted = core is not surrogate
    n = core.n_outputs if lifted else core.n_states
    x = _check.signal(x, "x", call, n, f"the surrogate stands for {n} states")
    z = surrogate.observe(x) if lifted else x
    offset = len(x) - len(z)
    v = np.zeros((len(x), 0)) if u is None else _check.signal(u, "u", call, np.shape(u)[1] if np.ndim(u) == 2 else 1)
    if len(v) != len(x):
        raise ValueError(f"{call}: expected u with as many samples as x, {len(x)}; received {len(v)}.")
    v = (surrogate.inputs(v) if lifted else v)[offset:]
    if v.shape[1] != core.n_inputs:
        raise ValueError(f"{call}: expected u with {core.n_inputs} columns after the input map; received {v.shape[1]}.")
    horizons = np.array(sorted({_check.count(k, "steps", call) for k in np.atleast_1d(steps).tolist()}))
    if not len(horizons) or horizons[-1] >= len(z):
        raise ValueError(f"{call}: expected steps below {len(z)}, the samples at hand; received {horizons.tolist()}.")
    C, d = (core.C, core.d) if lifted else (np.eye(core.n_states), np.zeros(core.n_states))
    step = _stepper(core, v)
    eps = float(np.linalg.norm(z[1:] - step(z[:-1], np.arange(len(z) - 1)), axis=1).max())
    reads = float(np.linalg.norm(x[offset:] - z @ C.T - d, axis=1).max())
    growth = _growth(core, C, v, int(horizons[-1]))
    measured, typical, ahead = [], [], z.copy()
    for k in range(1, int(horizons[-1]) + 1):
        starts = np.arange(len(z) - k)
        ahead = step(ahead[: len(starts)], starts + k - 1)
        if k in horizons:
            error = np.linalg.norm(x[offset + k :] - ahead @ C.T - d, axis=1)
            measured.append(error.max())
            typical.append(np.sqrt(np.mean(error ** 2)))
    bound = np.array([reads + eps * growth[:k].sum() for k in horizons])
    return SurrogateError(horizons, np.array(measured), np.array(typical), bound)


def _stepper(core: Any, v: np.ndarray) -> Any:
    """One step of many lifted states at once: (z (S, N), times (S,)) -> (S, N)."""
    N = getattr(core, "N", None)

    def step(z: np.ndarray, t: np.ndarray) -> np.ndarray:
        out = z @ core.A.T + v[t] @ core.B.T + core.c
        if N is not None:
            for i in range(len(N)):
                out += v[t, i][:, None] * (z @ N[i].T)
        return out

    return step


def _growth(core: Any, C: np.ndarray, v: np.ndarray, steps: int) -> np.ndarray:
    """|C A^j| for a linear core, |C| max_t |A[t]|^j for a bilinear one: (steps,)."""
    if isinstance(core, LTI):
        norms, block = np.empty(steps), C.copy()
        for j in range(steps):
            norms[j] = np.linalg.norm(block, 2)
            block = block @ core.A
        return norms
    # The norm is convex in u: its largest value lies at an end of the inputs' range, for several inputs at one met.
    extremes = np.array([v.min(0), v.max(0)]) if v.shape[1] == 1 else np.unique(v, axis=0)
    worst = max(np.linalg.norm(core.A + np.tensordot(u, core.N, axes=1), 2) for u in extremes)
    return np.linalg.norm(C, 2) * worst ** np.arange(steps)


def remainder_bound(model: Any, x: Any, u: Any = None, *, x0: Any, u0: Any = None) -> Any:
    r"""Bound the error that the linearisation at (x0, u0) makes in one step at states x with inputs u.

    .. math:: \| r \| \le \tfrac12 L_2 \left\| \lambda \circ \eta \circ \eta \right\|, \qquad
              \eta = W (x - x_0) + U (u - u_0), \quad L_2 = \sup |\sigma''|

    model : a reservoir whose activation has a bounded second derivative (tanh: 4/(3 sqrt 3), sigmoid, identity).
    x : (T, n) or (n,). u : (T, m) or (m,). Returns (T,) or a number. The bound is entry by entry, hence not above
    leak L_2/2 |W dx + U du|^2 as printed [ESN-SSM, Eq. 21]. It holds on all of space, outputs fed back at their operating values.
    Raises TypeError for what is no reservoir, ValueError for other activations, or shapes that do not fit.
    """
    call = "remainder_bound"
    network, n, m = _network(model, call), model.n_states, model.n_inputs
    curvature = network.act.curvature
    if curvature is None:
        raise ValueError(f"{call}: expected an activation with a bounded second derivative; received {model.act.name}.")
    states = _points(x, "x", n, call)
    inputs = np.zeros((1, m)) if u is None else _points(u, "u", m, call)
    if len(states) > 1 < len(inputs) and len(states) != len(inputs):
        raise ValueError(f"{call}: expected as many inputs as states, or one; received {len(inputs)} and {len(states)}.")
    origin = np.zeros(m) if u0 is None else _check.vector(u0, "u0", call, m)
    eta = (network.W @ as_float((states - _check.vector(x0, "x0", call, n)).T)).T + (inputs - origin) @ network.W_in.T
    r = 0.5 * curvature * np.linalg.norm(network.leaks * eta ** 2, axis=1)  # [ESN-SSM, Eq. 21]
    return r if len(r) > 1 or np.ndim(x) == 2 or np.ndim(u) == 2 else float(r[0])


def _points(value: Any, name: str, width: int, call: str) -> np.ndarray:
    """Points (T, width) from (T, width), one (width,), or (T,) where the width is 1."""
    array = _check.real_array(value, name, call)
    array = array.reshape(-1, 1) if width == 1 and array.ndim < 2 else np.atleast_2d(array)
    return _check.signal(array, name, call, width)


def validity_radius(model: Any, tolerance: float) -> float:
    """Return the radius r of the tube |W dx + U du| <= r on which one step of the linearisation errs below tolerance.

    model : a reservoir. r = sqrt(2 tolerance/(max leak L_2)) [ESN-SSM, Eq. 22]; infinite for the identity.
    Raises TypeError for other models, ValueError for a tolerance not above 0 or an activation without a second
    derivative.
    """
    network = _network(model, "validity_radius")
    curvature = network.act.curvature
    tolerance = _check.positive(tolerance, "tolerance", "validity_radius")
    if curvature is None:
        raise ValueError(f"validity_radius: expected an activation with a bounded second derivative; received {model.act.name}.")
    return float("inf") if curvature == 0 else float(np.sqrt(2 * tolerance / (network.leaks.max() * curvature)))
