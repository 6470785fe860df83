"""Bilinear models: linear in the state along any given input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown
from .family import MatrixModel
from .lti import LTI, checked_parts
from .ltv import LTV
from .names import names, shown_names


@dataclass(frozen=True, eq=False, repr=False)
class Bilinear(MatrixModel, Shown):
    """A bilinear state-space model.

        x[t+1] = A x[t] + B u[t] + sum_i u_i[t] N_i x[t] + c,    y[t] = C x[t] + D u[t] + d          [ESN-SSM, Eq. 6]

    A: (n, n). B: (n, m). N: (m, n, n). C: (p, n). D: (p, m), zero if None. c: (n,), d: (p,) offsets, zero if None.
    dt: sampling interval, None for continuous time (dx/dt on the left).
    Raises ValueError or TypeError for shapes that do not fit.
    """

    A: np.ndarray
    B: np.ndarray
    N: np.ndarray
    C: np.ndarray
    D: np.ndarray = _check.UNSET
    dt: float | None = 1.0
    c: np.ndarray = _check.UNSET
    d: np.ndarray = _check.UNSET

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, A: ArrayLike, B: ArrayLike, N: ArrayLike, C: ArrayLike, D: ArrayLike | None = None, dt: float | None = 1.0,
                     c: ArrayLike | None = None, d: ArrayLike | None = None, *, output_names: Sequence[str] | None = None,
                     input_names: Sequence[str] | None = None) -> None: ...

    def __post_init__(self) -> None:
        for key, value in checked_parts(self, "Bilinear").items():
            object.__setattr__(self, key, value)
        n, m = self.B.shape
        N = _check.real_array(self.N, "N", "Bilinear")
        if N.shape != (m, n, n):
            raise ValueError(
                f"Bilinear: expected N with shape ({m}, {n}, {n}), one matrix an input; received {N.shape}."
            )
        object.__setattr__(self, "N", _check.frozen(N))
        super().__post_init__()

    @property
    def linear(self) -> LTI:
        """The linear part, N = 0."""
        return LTI(self.A, self.B, self.C, self.D, self.dt, self.c, self.d, **names(self))

    def along(self, u: np.ndarray, dt: float | None = None) -> LTV:
        """The exact time-varying model along an input u (T, m): A[t] = A + sum_i u_i[t] N_i.

        dt: of a continuous-time model, the interval over which u[t] is held; A[t] is then e^((A + sum_i u_i[t] N_i) dt),
        and what input and offset add is in c[t]. Raises ValueError for dt given to a discrete model, or missing.
        """
        u = _check.signal(u, "u", "Bilinear.along", self.n_inputs)
        if self.dt is not None:
            if dt is not None:
                raise ValueError(f"Bilinear.along: expected no dt for a model that is discrete already; received {dt}.")
            return LTV(self.A + np.tensordot(u, self.N, axes=1), self.B, self.C, self.D, self.dt, self.c, self.d, **names(self))
        step = _check.time_step(dt, "Bilinear.along")
        if step is None:
            raise ValueError("Bilinear.along: expected dt, the interval over which u is held, for a continuous-time model.")
        n = self.n_states
        flow = np.zeros((len(u), n + 1, n + 1))  # d/dt [x; 1] = [[A + u N, B u + c], [0, 0]] [x; 1]
        flow[:, :n, :n] = self.A + np.tensordot(u, self.N, axes=1)
        flow[:, :n, n] = u @ self.B.T + self.c
        E = scipy.linalg.expm(flow * step)
        return LTV(E[:, :n, :n], np.zeros((n, self.n_inputs)), self.C, self.D, step, E[:, :n, n], self.d, **names(self))

    def summary(self) -> dict[str, Any]:
        return {"states": self.n_states, "inputs": self.n_inputs, "outputs": self.n_outputs, "dt": self.dt,
                "spectral radius of A": np.abs(np.linalg.eigvals(self.A)).max(initial=0.0)} | shown_names(self)  # fmt: skip
