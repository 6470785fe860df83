"""The state at the first sample of a record, from its first samples alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.data import Data
from ..inference.simulate import simulate
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.nonlinear import Nonlinear
from .records import DIVERGED


def initial_state(model: Any, data: Data, samples: int = 50, guess: np.ndarray | None = None) -> np.ndarray:
    """Least-squares state x[0] (n,) that makes a noise-free run fit the first `samples` outputs.

    Linear and bilinear models: the run is affine in x[0], so n + 1 runs and one least-squares solution of least norm
    do. Nonlinear models: damped Gauss-Newton from `guess` (n,) and from zero, the better of the two. Other models
    (reservoirs, whose state the input drives) start at zero and forget. Cost O(n) runs over `samples` steps.
    """
    head = data[: min(samples, data.n_steps)]
    n = model.n_states
    if n == 0 or not isinstance(model, LTI | LTV | Bilinear | Nonlinear):
        return np.zeros(n)
    if not isinstance(model, Nonlinear):
        return _step(*_linearised(model, head, np.zeros(n), 1.0))
    tries = [_descend(model, head, x0) for x0 in (np.zeros(n), guess) if x0 is not None]
    return min(tries, key=lambda found: found[1])[0]


def initial_spread(model: Any, data: Data, x0: np.ndarray) -> np.ndarray:
    """Covariance (n, n) of the least-squares state x[0], s^2 (J'J)^+ with s^2 from what the run leaves of `data`, all of it."""
    n = len(x0)
    step = 1e-5 * max(1.0, np.abs(x0).max(initial=0.0)) if isinstance(model, Nonlinear) else 1.0
    J, e = _linearised(model, data, x0, step)
    size = np.maximum(np.linalg.norm(J, axis=0), 1e-300)
    inverse = np.linalg.pinv(J / size, rcond=1e-8) / size[:, None]
    return float(e @ e) / max(len(e) - n, 1) * inverse @ inverse.T


def run(model: Any, data: Data, x0: np.ndarray, taught: int = 0) -> np.ndarray:
    """Outputs (T, p) along the inputs of `data`, NaN from a divergence on; whoever judges them says what is unstable.

    taught: samples over which a model that feeds outputs back is fed the measured ones; its own afterwards.
    """
    out = np.full(data.y.shape, np.nan)
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="simulate: the model is unstable")
        known = np.where(np.arange(data.n_steps)[:, None] < taught, data.y, np.nan) if getattr(model, "n_feedback", 0) and taught else None
        path = simulate(model, data.u, x0, n_steps=None if data.n_inputs else data.n_steps, feedback=known).y
    out[: len(path)] = path
    return out


def _linearised(model: Any, head: Data, x0: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Jacobian (N, n) of the run by x[0] and errors (N,), over measured and finite entries."""
    base = run(model, head, x0)
    J = np.stack([(run(model, head, x0 + step * e) - base) / step for e in np.eye(len(x0))], axis=-1)
    with np.errstate(invalid="ignore"):
        use = ~head.missing & (np.abs(base) < DIVERGED) & (np.abs(J).max(-1, initial=0.0) < DIVERGED)
    return J[use], (head.y - base)[use]


def _step(J: np.ndarray, e: np.ndarray) -> np.ndarray:
    size = np.maximum(np.linalg.norm(J, axis=0), 1e-300)
    return np.linalg.lstsq(J / size, e, rcond=1e-8)[0] / size


def _error(model: Any, head: Data, x0: np.ndarray) -> float:
    e = (head.y - run(model, head, x0))[~head.missing]
    return float(e @ e) if np.isfinite(e).all() else np.inf


def _descend(model: Any, head: Data, x0: np.ndarray) -> tuple[np.ndarray, float]:
    """Gauss-Newton steps, halved until the squared error falls."""
    error = _error(model, head, x0)
    for _ in range(20):
        delta = _step(*_linearised(model, head, x0, 1e-5 * max(1.0, np.abs(x0).max())))
        for _ in range(12):
            trial = _error(model, head, x0 + delta)
            if trial < error or (np.isinf(error) and np.isinf(trial)):
                break
            delta = delta / 2
        else:
            break
        done = error - trial < 1e-10 * error
        x0, error = x0 + delta, trial
        if done:
            break
    return x0, error
