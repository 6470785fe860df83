"""Linear time-invariant models, in discrete or continuous time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown
from ..linear import response
from ..linear.zeros import invariant_zeros
from . import responses
from .family import MatrixModel
from .figures import LinearFigures
from .names import names, shown_names


@dataclass(frozen=True, eq=False, repr=False)
class LTI(MatrixModel, Shown):
    """A linear time-invariant state-space model with optional offsets.

        x[t+1] = A x[t] + B u[t] + c,    y[t] = C x[t] + D u[t] + d          (dx/dt on the left where dt is None)
                                                                                    [ESN-SSM, Eqs. 4, 5, 57]

    so that h_0 = D, h_k = C A^(k-1) B and H(z) = C (zI - A)^-1 B + D.
    A: (n, n). B: (n, m), None for no input. C: (p, n). D: (p, m), zero if None or 0. A number stands for a matrix (1, 1).
    c: (n,), d: (p,) offsets, zero if None.
    dt: sampling interval, None for continuous time.
    output_names, input_names: labels of the channels for figures and summaries; `with_names` sets them later.
    Poles, Gramians, norms and transfer functions are those of the deviations; the offsets do not enter them.
    Raises ValueError for shapes that do not fit, NaN or infinities.
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray = _check.UNSET
    dt: float | None = 1.0
    c: np.ndarray = _check.UNSET
    d: np.ndarray = _check.UNSET

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, A: ArrayLike, B: ArrayLike | None, C: ArrayLike, D: ArrayLike | None = None, dt: float | None = 1.0,
                     c: ArrayLike | None = None, d: ArrayLike | None = None, *, output_names: Sequence[str] | None = None,
                     input_names: Sequence[str] | None = None) -> None: ...

    def __post_init__(self) -> None:
        for key, value in checked_parts(self, "LTI").items():
            object.__setattr__(self, key, value)
        super().__post_init__()

    @staticmethod
    def from_transfer_function(num: Any, den: Any, dt: float | None = 1.0) -> LTI:
        """Build a model from num / den in descending powers of z (of s where dt is None), the inverse of `transfer_function`.

        num: (k,), or (p, m, k) over one denominator den (n+1,). The companion form has n min(p, m) states, which `minimal`
        thins; for high orders `from_zpk` keeps more digits. Raises ValueError where num has the higher degree.
        """
        return import_module(".rational", __package__).from_transfer_function(num, den, dt)

    @staticmethod
    def from_zpk(zeros: Any, poles: Any, gain: float, dt: float | None = 1.0) -> LTI:
        """Build a model with one input and one output from zeros (k,), poles (n,) and gain, as sections of second order.

        H(z) = gain prod (z - zeros) / prod (z - poles), in s where dt is None. Complex values come in conjugate pairs.
        """
        return import_module(".rational", __package__).from_zpk(zeros, poles, gain, dt)

    @classmethod
    def from_undelayed(cls, A: Any, B: Any, C: Any, D: Any = None, dt: float | None = 1.0) -> LTI:
        """Convert from x[t] = A x[t-1] + B u[t], y[t] = C x[t] + D u[t], the convention of S4, LRU and STU [STU, Eq. 1].

        With z[t] = x[t-1] the same input-output map is (A, B, C A, C B + D). A: (n, n), B: (n, m), C: (p, n), D: (p, m).
        """
        plain = cls(A, B, C, D, dt=dt)
        return cls(plain.A, plain.B, plain.C @ plain.A, plain.C @ plain.B + plain.D, dt=dt)  # [STU, Eq. 1]

    def to_undelayed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return (A, B, C', D') of x[t] = A x[t-1] + B u[t], y[t] = C' x[t] + D' u[t], the inverse of `from_undelayed`.

        Needs C' with C' A = C; raises ValueError where C is not in the row space of A (a pole at zero that is seen).
        """
        C = np.linalg.lstsq(self.A.T, self.C.T, rcond=None)[0].T
        scale = np.abs(self.C).max(initial=0.0)
        if np.abs(C @ self.A - self.C).max(initial=0.0) > 1e-9 * max(scale, 1e-300):
            raise ValueError(
                "LTI.to_undelayed: expected C in the row space of A; received a model with a pole at zero that the "
                "output sees, which has no form without the delay. Reduce it, or keep the delayed convention."
            )
        return self.A, self.B, C, self.D - C @ self.B

    def poles(self) -> np.ndarray:
        """Eigenvalues of A (n,), complex."""
        return np.linalg.eigvals(self.A).astype(complex)

    def is_stable(self) -> bool:
        """Whether every pole lies inside the unit circle (discrete) or in the open left half plane (continuous)."""
        poles = self.poles()
        return bool((np.abs(poles) < 1).all() if self.dt is not None else (poles.real < 0).all())

    def zeros(self) -> np.ndarray:
        """Finite invariant zeros (k,), complex, for any number of inputs and outputs. [Emami-Naeini & Van Dooren 1982]"""
        return invariant_zeros(self.A, self.B, self.C, self.D)

    def dc_gain(self) -> np.ndarray:
        """Response to a constant input of 1 in the long run (p, m). Raises ValueError where the model integrates."""
        return responses.dc_gain(self)

    def equilibrium(self, u: Any = None) -> np.ndarray:
        """The state (n,) that stays under a constant input u (m,), zero if None. Raises ValueError where there is none."""
        return responses.equilibrium(self, u)

    def markov_parameters(self, n_steps: int) -> np.ndarray:
        """Markov parameters h_0 = D, h_k = C A^(k-1) B: (n_steps, p, m). [ESN-SSM, Eq. 60], with the delay made explicit.

        Raises TypeError or ValueError for n_steps that is not a whole number from 1.
        """
        n_steps = _check.count(n_steps, "n_steps", "LTI.markov_parameters")
        return response.markov_parameters(self.A, self.B, self.C, self.D, n_steps)

    def impulse_response(self, n_steps: int | None = None, *, t: Any = None) -> np.ndarray:
        """Response to a unit pulse at step 0, of height 1 and not 1/dt: (n_steps, p, m), the Markov parameters.

        Continuous time: give t (T,), equally spaced from 0; returns C e^(A t) B (T, p, m), without the Dirac pulse of D.
        """
        return responses.impulse_response(self, n_steps, t)

    def step_response(self, n_steps: int | None = None, *, t: Any = None) -> np.ndarray:
        """Response from rest to an input of 1 from step 0 on: (n_steps, p, m); continuous time: at times t (T,)."""
        return responses.step_response(self, n_steps, t)

    def frequency_response(self, omega: Any) -> np.ndarray:
        """H(e^(i omega dt)), or H(i omega) in continuous time: (F, p, m) complex.  [ESN-SSM, Eq. 58]

        omega: (F,) in rad per unit of time. Cost O(n^3) once and O(n^2) a frequency. Raises ValueError at a pole.
        """
        return responses.frequency_response(self, omega)

    def transfer_function(self) -> tuple[np.ndarray, np.ndarray]:
        """Numerators num (p, m, n+1) over one denominator den (n+1,), descending powers of z (of s in continuous time).

        Warns where the polynomials no longer reproduce the frequency response, as they do not for large n.
        """
        return responses.transfer_function(self)

    def transform(self, T: Any) -> LTI:
        """Change coordinates, x = T z with T (n, n) regular: (T^-1 A T, T^-1 B, C T, D).

        Raises ValueError for T of another size or singular.
        """
        T = _check.matrix(T, "T", "LTI.transform", (self.n_states, self.n_states), "the model has as many states")
        if self.n_states and np.linalg.cond(T) > 1e14:
            raise ValueError("LTI.transform: expected a regular T; received one with condition above 1e14.")
        solve = np.linalg.solve(T, np.column_stack([self.A @ T, self.B, self.c]))
        n = self.n_states
        return LTI(solve[:, :n], solve[:, n:-1], self.C @ T, self.D, self.dt, solve[:, -1], self.d, **names(self))

    @property
    def plot(self) -> LinearFigures:
        """Figures: plot.bode(), plot.nyquist(), plot.pole_zero(), plot.impulse(), plot.step(), plot.hankel(), plot.memory()."""
        return LinearFigures(self)

    def to_scipy(self) -> Any:
        """As scipy.signal.StateSpace. Raises ValueError where the model has offsets."""
        return import_module(".interchange", __package__).to_scipy(self)

    @staticmethod
    def from_scipy(system: Any) -> LTI:
        """From a scipy.signal system: state space, transfer function or zeros-poles-gain."""
        return import_module(".interchange", __package__).from_scipy(system)

    def to_control(self) -> Any:
        """As control.StateSpace of python-control. Raises ValueError where the model has offsets."""
        return import_module(".interchange", __package__).to_control(self)

    @staticmethod
    def from_control(system: Any) -> LTI:
        """From a python-control state space or transfer function."""
        return import_module(".interchange", __package__).from_control(system)

    def _title(self) -> str:
        return f"LTI, {'continuous time' if self.dt is None else f'dt = {self.dt:g}'}"

    def summary(self) -> dict[str, Any]:
        poles = self.poles()
        out: dict[str, Any] = {"states": self.n_states, "inputs": self.n_inputs, "outputs": self.n_outputs, "stable": self.is_stable()}
        if len(poles):
            out |= ({"spectral radius": np.abs(poles).max()} if self.dt is not None
                    else {"rightmost pole": poles.real.max()})  # fmt: skip
        if self.c.any() or self.d.any():
            out["offsets"] = "yes"
        return out | shown_names(self)


def checked_parts(model: Any, call: str) -> dict[str, Any]:
    """A (n, n), B (n, m), C (p, n), D (p, m), c (n,), d (p,) and dt of a linear or bilinear model as arrays that fit, read-only."""
    A = _check.square(_grid(model.A), "A", call)
    n = len(A)
    B = _check.matrix(np.zeros((n, 0)) if model.B is None else _grid(model.B), "B", call, (n, None), f"A is {n} x {n}")
    C = _check.matrix(_grid(model.C), "C", call, (None, n), f"A is {n} x {n}")
    p, m = len(C), B.shape[1]
    none = model.D is None or (_is_number(model.D) and model.D == 0)
    D = _check.matrix(np.zeros((p, m)) if none else _grid(model.D), "D", call, (p, m), f"C has {p} rows and B {m} columns")
    c = _check.vector(np.zeros(n) if model.c is None else model.c, "c", call, n, f"A is {n} x {n}")
    d = _check.vector(np.zeros(p) if model.d is None else model.d, "d", call, p, f"C has {p} rows")
    return {"A": A, "B": B, "C": C, "D": D, "c": c, "d": d, "dt": _check.time_step(model.dt, call)}


def _grid(value: Any) -> Any:
    """A number as a matrix (1, 1); anything else as it is."""
    return [[value]] if _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
