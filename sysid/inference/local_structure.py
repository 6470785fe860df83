"""Local observability and reachability of nonlinear models along a trajectory, and empirical Gramians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..models.analysis import controllability_matrix, observability_matrix
from ..models.ltv import LTV
from ..transforms.linearize import linearize
from .simulate import simulate


@dataclass(frozen=True, eq=False, repr=False)
class LocalStructure(Shown):
    """Ranks and conditioning of the h-step Jacobians, one row for each window of the trajectory.

    observed: (k, n) singular values of the Jacobian of h outputs in the first state, descending. reached: (k, n) those of the
    last state in h inputs. observability_rank, controllability_rank: (k,). horizon: h.
    A full rank is local observability (reachability) of the linearisation: sufficient for the nonlinear model near the
    trajectory, not necessary. The ratio of last to first value is what noise will make of it.
    """

    observed: np.ndarray
    reached: np.ndarray
    observability_rank: np.ndarray
    controllability_rank: np.ndarray
    horizon: int

    def summary(self) -> dict[str, Any]:
        def worst(values: np.ndarray) -> float:
            if not values.size or not values.any():
                return 0.0
            return float(np.min(values[:, -1] / np.maximum(values[:, 0], np.finfo(float).tiny)))

        return {"windows": len(self.observed), "horizon": self.horizon, "states": self.observed.shape[1],
                "observability rank, smallest": int(self.observability_rank.min()),
                "controllability rank, smallest": int(self.controllability_rank.min()),
                "observability, smallest over largest": worst(self.observed),
                "reachability, smallest over largest": worst(self.reached)}  # fmt: skip


def local_structure(model: Any, x: Any, u: Any = None, *, horizon: int | None = None, tolerance: float = 1e-10,
                    feedback: Any = None) -> LocalStructure:
    """Measure what h outputs tell of the state, and what h inputs do to it, along a trajectory of a nonlinear model.

        O = [C_0; C_1 A_0; C_2 A_1 A_0; ...],   R = [B_(h-1), A_(h-1) B_(h-2), ...]

    model: ESN, Nonlinear, Bilinear, any model that `linearize` takes. x: (T, n) states, such as simulate(model, u).x.
    u: (T, m). horizon: h, n unless given (at most T). tolerance: singular values below this share of the largest do not count.
    Returns a LocalStructure for the T - h + 1 windows. Cost O((T - h + 1) (h n^3 + h n^2 (m + p))).
    [Hermann & Krener 1977; Nijmeijer 1982]
    feedback : (r,) constant outputs fed back, the model's own if None
    Raises TypeError or ValueError for shapes that do not fit, or a horizon beyond the trajectory.
    """
    x = _check.signal(x, "x", "local_structure", model.n_states, "the model has as many states")
    h = min(model.n_states, len(x)) if horizon is None else _check.count(horizon, "horizon", "local_structure")
    if h > len(x):
        raise ValueError(f"local_structure: expected horizon <= {len(x)}, the length of the trajectory; received {h}.")
    extra = {} if feedback is None else {"feedback": feedback}
    ltv = linearize(model, x=x, u=u, **extra)
    assert isinstance(ltv, LTV)
    observed, reached = [], []
    for start in range(len(x) - h + 1):
        A, B, C = (np.broadcast_to(M, (len(x), *M.shape[1:]))[start: start + h] for M in (ltv.A, ltv.B, ltv.C))
        window = LTV(A, B, C, dt=ltv.dt)
        observed.append(_values(observability_matrix(window), model.n_states))
        reached.append(_values(controllability_matrix(window), model.n_states))
    seen, moved = np.array(observed), np.array(reached)
    return LocalStructure(seen, moved, _rank(seen, tolerance), _rank(moved, tolerance), h)


def _values(matrix: np.ndarray, n: int) -> np.ndarray:
    values = np.linalg.svd(matrix, compute_uv=False) if matrix.size else np.zeros(0)
    return np.concatenate((values, np.zeros(n)))[:n]


def _rank(values: np.ndarray, tolerance: float) -> np.ndarray:
    return np.sum(values > tolerance * np.maximum(values[:, :1], np.finfo(float).tiny), axis=1)


def empirical_gramians(model: Any, n_steps: int, *, x0: Any = None, u0: Any = None, scale_x: Any = 1e-3,
                       scale_u: Any = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Estimate both Gramians of a nonlinear model over n_steps from simulated pulses and shifted starts.

        Wc = sum_j sum_t dx_j(t) dx_j(t)' / c_j^2,    Wo_ij = sum_t dy_i(t)' dy_j(t) / (e_i e_j)

    with dx_j half the difference of the states after pulses +-c_j on input j, dy_i half the difference of the outputs
    from starts x0 +- e_i. model: discrete-time, with outputs. x0: (n,) operating point, an equilibrium for u0 (m,); zero if None.
    scale_x, scale_u: sizes e and c, scalars or (n,) and (m,): the size of motion that matters. Returns (Wc, Wo), (n, n) each.
    For a linear model of any scale: its Gramians over n_steps. Cost 2 (n + m) simulations. [Lall, Marsden & Glavaski 2002]
    Raises TypeError or ValueError for shapes that do not fit, or scales not above 0.
    """
    call = "empirical_gramians"
    n_steps = _check.count(n_steps, "n_steps", call)
    n, m = model.n_states, model.n_inputs
    x0 = _check.vector(np.zeros(n) if x0 is None else x0, "x0", call, n, "the model has as many states")
    u0 = _check.vector(np.zeros(m) if u0 is None else u0, "u0", call, m, "the model has as many inputs")
    e, c = (np.broadcast_to(_check.real_array(v, name, call), (size,))
            for v, name, size in ((scale_x, "scale_x", n), (scale_u, "scale_u", m)))  # fmt: skip
    if not ((e > 0).all() and (c > 0).all()):
        raise ValueError(f"{call}: expected scale_x > 0 and scale_u > 0; received a size that is not positive.")

    def run(start: np.ndarray, pulse: np.ndarray) -> Any:
        u = np.tile(u0, (n_steps + 1, 1))
        u[0] = u[0] + pulse
        path = simulate(model, u, x0=start) if m else simulate(model, n_steps=n_steps + 1, x0=start)
        if path.diverged is not None:
            raise ValueError(f"{call}: a simulation diverged at step {path.diverged}. Use smaller scales or fewer steps.")
        return path

    Wc, motions = np.zeros((n, n)), np.zeros((n, n_steps * model.n_outputs))
    for j in range(m):
        pulse = np.zeros(m)
        pulse[j] = c[j]
        dx = (run(x0, pulse).x - run(x0, -pulse).x)[1:] / (2 * c[j])
        Wc += dx.T @ dx
    for i in range(n):
        shift = np.zeros(n)
        shift[i] = e[i]
        motions[i] = ((run(x0 + shift, np.zeros(m)).y - run(x0 - shift, np.zeros(m)).y)[:n_steps] / (2 * e[i])).ravel()
    return Wc, motions @ motions.T
