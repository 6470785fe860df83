"""Realise the impulse response of a spectral predictor as a small state-space model.

The predictor keeps a window of L inputs; its Markov parameters h_1, h_2, ... fill a Hankel matrix whose truncated singular
value decomposition gives A, B, C [Ho & Kalman 1966; Kung 1978]. Gramians, Bode diagrams, filters and certificates then apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import _check
from .._show import Shown
from ..models.lti import LTI
from ..models.names import names


class Window(Protocol):
    """What is realised: a causal response over a window of inputs, as STU and ARSTU have."""

    dt: float

    @property
    def n_steps(self) -> int: ...
    @property
    def shift(self) -> int: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    def markov_parameters(self, n_steps: int) -> np.ndarray: ...


@dataclass(frozen=True, eq=False, repr=False)
class Realization(Shown):
    """A realised model; hankel_singular_values (r,) of the window; markov_error, the largest deviation of its impulse
    response from the predictor's within the window, relative to the largest entry."""

    model: LTI
    hankel_singular_values: np.ndarray
    markov_error: float

    def summary(self) -> dict[str, Any]:
        return {"states": self.model.n_states, "markov error": self.markov_error,
                "spectral radius": float(np.abs(self.model.poles()).max(initial=0.0))}


def realize(predictor: Window, n_states: int | None = None, tolerance: float = 1e-8, rows: int = 400,
            ) -> Realization:
    """Compute an LTI with the predictor's impulse response over its window.

    predictor: an STU or ARSTU. n_states: order; None keeps singular values above tolerance times the largest.
    rows: block rows of the Hankel matrix, at most half the window. Cost O(rows^3 p m min(p, m)).
    Raises TypeError for other models, ValueError for one without inputs, or n_states beyond the window.
    """
    call = "realize"
    _check.kind(predictor, hasattr(predictor, "shift") and hasattr(predictor, "markov_parameters"), "an STU or ARSTU", call)
    tolerance = _check.positive(tolerance, "tolerance", call, zero=True)
    horizon = predictor.n_steps + predictor.shift
    half = min(_check.count(rows, "rows", call, least=2), horizon // 2)
    if half < 1 or predictor.n_inputs == 0:
        raise ValueError(f"{call}: expected inputs and a window of at least 2 steps; received "
                         f"{predictor.n_inputs} inputs and {predictor.n_steps} steps.")
    p, m = predictor.n_outputs, predictor.n_inputs
    markov = predictor.markov_parameters(horizon)
    blocks = np.lib.stride_tricks.sliding_window_view(markov[1:2 * half], half, axis=0)    # (rows, p, m, columns)
    hankel = blocks.transpose(0, 1, 3, 2).reshape(half * p, half * m)
    U, s, Vt = np.linalg.svd(hankel, full_matrices=False)
    order = int(np.count_nonzero(s > tolerance * s[0])) if n_states is None else _check.count(n_states, "n_states", call)
    if order > (half - 1) * min(p, m):
        raise ValueError(f"{call}: expected n_states <= {(half - 1) * min(p, m)} for a window of {horizon} steps; "
                         f"received {order}. Raise the tolerance or lengthen the window.")
    root = np.sqrt(s[:order])
    observability, controllability = U[:, :order] * root, root[:, None] * Vt[:order]
    A = np.linalg.lstsq(observability[:-p], observability[p:], rcond=None)[0] if order else np.zeros((0, 0))
    model = LTI(A, controllability[:, :m], observability[:p], markov[0], predictor.dt, **names(predictor))
    error = np.abs(model.markov_parameters(horizon) - markov).max() / max(np.abs(markov).max(), 1e-300)
    return Realization(model, s, float(error))
