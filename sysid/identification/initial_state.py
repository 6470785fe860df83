"""The state at the first sample of a record, from its first samples alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.data import Data
from ..inference.simulate import simulate
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.nonlinear import Nonlinear


def initial_state(model: Any, data: Data, samples: int = 50) -> np.ndarray:
    """Least-squares state x[0] (n,) that makes a noise-free run fit the first `samples` outputs.

    Linear and bilinear models: the run is affine in x[0], so n + 1 runs and one least-squares solution of least norm
    do. Nonlinear models: Gauss-Newton from zero. Other models (reservoirs, whose state the input drives) start at
    zero and forget. Cost O(n) runs over `samples` steps.
    """
    head = data[: min(samples, data.n_steps)]
    n = model.n_states
    if n == 0 or not isinstance(model, LTI | LTV | Bilinear | Nonlinear):
        return np.zeros(n)
    y, seen = head.y, ~head.missing

    def run(x0: np.ndarray) -> np.ndarray:
        out = np.full(y.shape, np.nan)
        path = simulate(model, head.u, x0, n_steps=None if head.n_inputs else head.n_steps).y
        out[: len(path)] = path
        return out

    x0 = np.zeros(n)
    affine = not isinstance(model, Nonlinear)
    best, best_error = x0, np.inf
    for _ in range(1 if affine else 20):
        base = run(x0)
        step = 1.0 if affine else 1e-5 * max(1.0, np.abs(x0).max())
        J = np.stack([(run(x0 + step * e) - base) / step for e in np.eye(n)], axis=-1)
        use = seen & np.isfinite(base) & np.isfinite(J).all(-1)
        if not use.any():
            return best
        residual = (y - base)[use]
        error = float(residual @ residual)
        if error < best_error:
            best, best_error = x0, error
        rows = J[use]
        size = np.maximum(np.linalg.norm(rows, axis=0), 1e-300)
        delta = np.linalg.lstsq(rows / size, residual, rcond=1e-8)[0] / size
        x0 = x0 + delta
        if affine:
            return x0
        if np.abs(delta).max() < 1e-9 * max(1.0, np.abs(x0).max()):
            break
    return best
