"""Linear time-varying models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown
from .family import MatrixModel
from .lti import LTI
from .names import names, shown_names


@dataclass(frozen=True, eq=False, repr=False)
class LTV(MatrixModel, Shown):
    """A linear time-varying model in discrete time with optional offsets.

        x[t+1] = A[t] x[t] + B[t] u[t] + c[t],    y[t] = C[t] x[t] + D[t] u[t] + d[t],    t = 0..T-1

    A: (T, n, n). B: (T, n, m), None for no input. C: (T, p, n). D: (T, p, m). c: (T, n). d: (T, p).
    Any of them may be given without the time axis and is then constant; D, c, d are zero if None.
    Frozen-time poles say nothing of stability: x+ = A[t] x may diverge with every spectral radius below 1.
    Raises ValueError or TypeError for shapes that do not fit, or dt not above 0.
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray = _check.UNSET
    dt: float = 1.0
    c: np.ndarray = _check.UNSET
    d: np.ndarray = _check.UNSET

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, A: ArrayLike, B: ArrayLike | None, C: ArrayLike, D: ArrayLike | None = None, dt: float = 1.0,
                     c: ArrayLike | None = None, d: ArrayLike | None = None, *, output_names: Sequence[str] | None = None,
                     input_names: Sequence[str] | None = None) -> None: ...

    def __post_init__(self) -> None:
        A, C = _stack(self.A, "A", 3), _stack(self.C, "C", 3)
        n, p = A.shape[-1], C.shape[-2]
        B = _stack(np.zeros((n, 0)) if self.B is None else self.B, "B", 3)
        m = B.shape[-1]
        arrays = {"A": A, "B": B, "C": C,
                  "D": _stack(np.zeros((p, m)) if self.D is None else self.D, "D", 3),
                  "c": _stack(np.zeros(n) if self.c is None else self.c, "c", 2),
                  "d": _stack(np.zeros(p) if self.d is None else self.d, "d", 2)}  # fmt: skip
        wanted = {"A": (n, n), "B": (n, m), "C": (p, n), "D": (p, m), "c": (n,), "d": (p,)}
        T = max(len(a) for a in arrays.values())
        for name, array in arrays.items():
            if array.shape[1:] != wanted[name] or len(array) not in (1, T):
                raise ValueError(f"LTV: expected {name} with shape {(T, *wanted[name])}; received {array.shape}. "
                                 "Time is the first axis.")  # fmt: skip
            object.__setattr__(self, name, array)
        dt = _check.time_step(self.dt, "LTV")
        if dt is None:
            raise ValueError("LTV: expected a sampling interval dt > 0; received None.")
        object.__setattr__(self, "dt", dt)
        super().__post_init__()

    @property
    def n_steps(self) -> int:
        """Steps T for which the matrices are given; 1 if all are constant."""
        return max(len(a) for a in (self.A, self.B, self.C, self.D, self.c, self.d))

    def at(self, t: int) -> LTI:
        """The matrices of step t, 0..T-1, as an LTI model; of any step where all are constant. Raises ValueError beyond them."""
        t = _check.count(t, "t", "LTV.at", least=0)
        if t >= self.n_steps > 1:
            raise ValueError(f"LTV.at: expected t from 0 to {self.n_steps - 1}, the steps of the model; received {t}.")
        pick = [a[t if len(a) > 1 else 0] for a in (self.A, self.B, self.C, self.D, self.c, self.d)]
        A, B, C, D, c, d = pick
        return LTI(A, B, C, D, self.dt, c, d, **names(self))

    def summary(self) -> dict[str, Any]:
        return {"steps": self.n_steps, "states": self.n_states, "inputs": self.n_inputs, "outputs": self.n_outputs,
                "dt": self.dt} | shown_names(self)  # fmt: skip


def _stack(value: Any, name: str, ndim: int) -> np.ndarray:
    """With a leading time axis: 1 where the value is constant. Read-only."""
    array = _check.real_array(value, name, "LTV")
    if array.ndim == ndim - 1:
        array = array[None]
    if array.ndim != ndim:
        raise ValueError(f"LTV: expected {name} with {ndim} axes, time first; received shape {array.shape}.")
    return _check.frozen(array)
