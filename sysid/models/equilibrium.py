"""States that stay: x = f(x, u) at a constant input."""

from __future__ import annotations

import numpy as np

from .protocol import Functions


def find_equilibrium(functions: Functions, u: np.ndarray, x0: np.ndarray, continuous: bool, call: str) -> np.ndarray:
    """Solve x = f(x, u, p, 0), or 0 = f in continuous time, by damped Newton from x0.

    u: (k,) extended input. x0: (n,) start. Returns x (n,). Raises ValueError with the residual where the
    iteration stalls: another start may find another equilibrium, or there is none.
    """
    f, fx, p = functions.f, functions.fx, functions.p

    def residual(x: np.ndarray) -> np.ndarray:
        return f(x, u, p, 0.0) - (0.0 if continuous else x)

    x = np.ascontiguousarray(x0, dtype=float).copy()
    r = residual(x)
    for _ in range(200):
        size = np.abs(r).max(initial=0.0)
        if size <= 1e-12 * max(1.0, np.abs(x).max(initial=0.0)):
            return x
        J = fx(x, u, p, 0.0) - (0.0 if continuous else np.eye(len(x)))
        step = np.linalg.lstsq(J, -r, rcond=None)[0]
        scale = 1.0
        while scale > 1e-10:
            trial = x + scale * step
            r_trial = residual(trial)
            if np.isfinite(r_trial).all() and np.linalg.norm(r_trial) < (1 - 1e-4 * scale) * np.linalg.norm(r):
                break
            scale /= 2
        else:
            break
        x, r = trial, r_trial
    if np.abs(r).max(initial=0.0) <= 1e-9 * max(1.0, np.abs(x).max(initial=0.0)):
        return x
    raise ValueError(
        f"{call}: no equilibrium found from the given start; the residual stalled at {np.abs(r).max():.3g}. "
        "Try another x0, or another constant input."
    )
