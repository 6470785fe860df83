"""Outputs of a linear model over very long inputs: blocks as matrix products, or convolution by FFT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..linear import structured
from ..linear.gramians import gramian_horizon
from ..linear.response import markov_parameters
from ..models.analysis import require_lti
from ..models.lti import LTI


@dataclass(frozen=True, eq=False, repr=False)
class LongRun(Shown):
    """Outputs of a long run. y: (T, p). final: (n,), x[T], from which the next chunk goes on. method: how it was computed."""

    y: np.ndarray
    final: np.ndarray
    method: str

    def summary(self) -> dict[str, Any]:
        return {"steps": len(self.y), "outputs": self.y.shape[1], "method": self.method}


def simulate_outputs(model: LTI, u: Any, x0: Any = None, *, method: str = "blocked", block: int | None = None) -> LongRun:
    """Simulate the outputs of a discrete LTI model over a long input, without keeping the states.

        blocked   x[t+L] = A^L x[t] + [A^(L-1) B, ..., B] u,  y = [C; CA; ...] x[t] + Toeplitz(h) u,  block by block
        fft       y = h * u by FFT, h cut where the Gramian's tail is below rounding; needs a stable model

    u: (T, m). x0: (n,), zero if None. block: L, chosen from the sizes if None. Feed `.final` as the next x0 to run in
    chunks: the result does not depend on where they are cut. Cost of blocked: T (n m + n p + L p m) in matrix products
    against T n^2 for the recursion; worth it from n of about 20 on. Use `simulate` where the states are wanted.
    Returns a LongRun. Raises ValueError for a continuous model, or method="fft" with an unstable one.
    """
    model = require_lti(model, "simulate_outputs")
    method = _check.choice(method, "method", "simulate_outputs", ("blocked", "fft"))
    if model.dt is None:
        raise ValueError("simulate_outputs: expected a discrete-time model; received dt=None. Discretise it first.")
    u = _check.signal(u, "u", "simulate_outputs", model.n_inputs, "the model has as many inputs")
    n = model.n_states
    x0 = _check.vector(np.zeros(n) if x0 is None else x0, "x0", "simulate_outputs", n, "the model has as many states")
    # The offset is one more input, held at 1.
    B, D = np.column_stack((model.B, model.c)), np.column_stack((model.D, model.d))
    wide = np.column_stack((u, np.ones(len(u))))
    run = _blocked if method == "blocked" else _by_fft
    y, final = run(model.A, B, model.C, D, wide, x0, block)
    return LongRun(y, final, method)


def _blocked(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, u: np.ndarray, x: np.ndarray, block: int | None,
             ) -> tuple[np.ndarray, np.ndarray]:
    T, m = u.shape
    p, n = C.shape
    L = int(np.clip(np.sqrt(n * (n + 1) / max(m * p, 1)), 8, 128)) if block is None else block
    L = max(1, min(_check.count(L, "block", "simulate_outputs"), T))
    h = markov_parameters(A, B, C, D, L)
    seen = _observability(A, C, L)
    reach = _reachability(A, B, L)  # (n, L m), oldest input first
    lag = np.subtract.outer(np.arange(L), np.arange(L))
    toeplitz = np.where((lag >= 0)[:, :, None, None], h[np.abs(lag)], 0.0).transpose(0, 2, 1, 3).reshape(L * p, L * m)
    whole = T // L
    inputs = u[: whole * L].reshape(whole, L * m)
    pushed = inputs @ reach.T
    starts, power = np.empty((whole, n)), np.linalg.matrix_power(A, L)
    for k in range(whole):
        starts[k] = x
        x = power @ x + pushed[k]
    y = np.empty((T, p))
    y[: whole * L] = (starts @ seen.T + inputs @ toeplitz.T).reshape(whole * L, p)
    for t in range(whole * L, T):
        y[t] = C @ x + D @ u[t]
        x = A @ x + B @ u[t]
    return y, x


def _observability(A: np.ndarray, C: np.ndarray, L: int) -> np.ndarray:
    rows = [C]
    for _ in range(L - 1):
        rows.append(rows[-1] @ A)
    return np.vstack(rows)


def _reachability(A: np.ndarray, B: np.ndarray, L: int) -> np.ndarray:
    columns = [B]
    for _ in range(L - 1):
        columns.append(A @ columns[-1])
    return np.hstack(columns[::-1])


def _by_fft(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, u: np.ndarray, x: np.ndarray, block: int | None,
            ) -> tuple[np.ndarray, np.ndarray]:
    """Convolve; the start and the end are exact recursions over one length of the impulse response."""
    T = len(u)
    L = min(T, int(gramian_horizon(A, np.hstack((B, np.eye(len(A)))), 1e-32)) + 1) if len(A) else 1
    y = structured.overlap_add(markov_parameters(A, B, C, D, L), u)[:T]
    free = x
    for t in range(L):
        y[t] += C @ free
        free = A @ free
    final = x if T == L else np.zeros_like(x)
    for t in range(T - L, T):
        final = A @ final + B @ u[t]
    return y, final
