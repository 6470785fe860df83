"""Squared losses of a linear state-space model, in time and frequency domain, with their gradients.

Population:  L = (1/2) E |y - yhat|^2 for stationary input, through the Gramians of the error system
Sample:      L = (1/2T) sum_t |y[t] - yhat[t]|^2 = (1/2T^2) sum_k |Y_k - H(e^(i w_k)) U_k|^2          [LDSSM, Eq. loss]

The two sample forms agree only where the record is periodic: the transform divides by 1 - a e^(-iw), which assumes the
periodic initial state. From rest the states differ by exactly a^(t+1) v_per[T-1]; see `SampleLoss(domain=...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import _check
from ..core.data import Data, experiments
from ..kernels import rollout
from ..kernels._jit import as_float
from ..linear.equations import discrete_lyapunov
from ..models.lti import LTI

_ENTRIES = 1 << 20  # of the resolvents held at a time in the frequency domain


class LTIGradient(NamedTuple):
    """Derivatives of a loss with respect to A, B, C, D of an LTI."""

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray


@dataclass(frozen=True, eq=False)
class PopulationLoss:
    """The expected loss against a teacher under stationary input.

    teacher: a stable LTI. shaping: a stable LTI that colours unit white noise into the input; None for white input of
    unit variance. Infinite, and refused, for an unstable student. Cost O(N^3), N the states of student, teacher, shaping.
    Raises ValueError where shaping has other outputs than the teacher inputs.
    """

    teacher: LTI
    shaping: LTI | None = None

    def __post_init__(self) -> None:
        _require_stable(self.teacher, "teacher", "PopulationLoss")
        if self.shaping is not None:
            _require_stable(self.shaping, "shaping", "PopulationLoss")
            if self.shaping.n_outputs != self.teacher.n_inputs:
                raise ValueError(f"PopulationLoss: expected shaping with {self.teacher.n_inputs} outputs, the teacher's "
                                 f"inputs; received {self.shaping.n_outputs}.")
        m = self.teacher.n_inputs
        white = LTI(np.zeros((0, 0)), np.zeros((0, m)), np.zeros((m, 0)), np.eye(m))
        object.__setattr__(self, "_shaping", self.shaping or white)

    def value(self, model: LTI) -> float:
        """The loss, in squared units of y."""
        A, B, C, D = self._error_system(model)
        P = discrete_lyapunov(A, B @ B.T)
        return float(np.trace(C @ P @ C.T) + (D * D).sum()) / 2

    def gradient(self, model: LTI) -> tuple[float, LTIGradient]:
        """The loss and its derivatives: dL/dA = Q A P, dL/dB = Q B, dL/dC = C P of the error system, student's blocks."""
        A, B, C, D = self._error_system(model)
        P, Q = discrete_lyapunov(A, B @ B.T), discrete_lyapunov(A.T, C.T @ C)
        first = self.teacher.n_states
        own, rest = slice(first, first + model.n_states), slice(first + model.n_states, None)
        W: LTI = self._shaping  # type: ignore[attr-defined]
        grad_A, grad_B, grad_C = Q @ A @ P, Q @ B, C @ P
        gradient = LTIGradient(grad_A[own, own], grad_A[own, rest] @ W.C.T + grad_B[own] @ W.D.T, grad_C[:, own],
                               grad_C[:, rest] @ W.C.T + D @ W.D.T)
        return float(np.trace(grad_C @ C.T) + (D * D).sum()) / 2, gradient

    def _error_system(self, model: LTI) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        _require_stable(model, "model", "PopulationLoss")
        T, W = self.teacher, self._shaping  # type: ignore[attr-defined]
        if (model.n_inputs, model.n_outputs) != (T.n_inputs, T.n_outputs):
            raise ValueError(f"PopulationLoss: expected a model with {T.n_inputs} inputs and {T.n_outputs} outputs as the "
                             f"teacher; received {model.n_inputs} and {model.n_outputs}.")
        zero = np.zeros
        n, k, w = T.n_states, model.n_states, W.n_states
        A = np.block([[T.A, zero((n, k)), T.B @ W.C], [zero((k, n)), model.A, model.B @ W.C], [zero((w, n + k)), W.A]])
        B = np.concatenate([T.B @ W.D, model.B @ W.D, W.B])
        gap = model.D - T.D
        return A, B, np.concatenate([-T.C, model.C, gap @ W.C], axis=1), gap @ W.D


@dataclass(frozen=True, eq=False)
class SampleLoss:
    """The mean squared error of a model's own outputs on measured records.

    data: one or several records, without missing outputs. domain: "time" starts at rest; "frequency" uses the discrete
    Fourier transform and so assumes the periodic initial state. Cost O(T n^2), in the frequency domain O(T n^3).
    Raises ValueError for another domain, missing outputs, or a model whose outputs overflow; TypeError for what is no LTI.
    """

    data: Data | list[Data]
    domain: str = "time"

    def __post_init__(self) -> None:
        _check.choice(self.domain, "domain", "SampleLoss", ("time", "frequency"))
        records = experiments(self.data, "SampleLoss")
        if any(d.missing.any() for d in records):
            raise ValueError("SampleLoss: expected records without missing outputs; received NaN in y.")
        object.__setattr__(self, "data", records)

    def value(self, model: LTI) -> float:
        """The loss, averaged over all samples."""
        return self.gradient(model)[0]

    def gradient(self, model: LTI) -> tuple[float, LTIGradient]:
        """The loss and its exact derivatives, by the adjoint recursion or frequency by frequency.

        Raises TypeError for what is no LTI, ValueError for other channels than the data's, or outputs that overflow.
        """
        records: list[Data] = self.data  # type: ignore[assignment]
        _check.kind(model, isinstance(model, LTI), "an LTI model", "SampleLoss")
        if (model.n_inputs, model.n_outputs) != (records[0].n_inputs, records[0].n_outputs):
            raise ValueError(f"SampleLoss: expected a model with {records[0].n_inputs} inputs and {records[0].n_outputs} outputs as the "
                             f"data; received {model.n_inputs} and {model.n_outputs}.")
        total = sum(d.n_steps for d in records)
        one = _time_gradient if self.domain == "time" else _frequency_gradient
        loss, parts = 0.0, [np.zeros(a.shape) for a in (model.A, model.B, model.C, model.D)]
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            for d in records:
                value, gradient = one(model, d.inputs, d.y)
                loss += value / total
                parts = [a + g / total for a, g in zip(parts, gradient)]
        if not np.isfinite(loss):
            raise ValueError("SampleLoss: expected a model whose outputs stay finite along the data; received one that overflows, with a "
                             f"pole of modulus {np.abs(model.poles()).max(initial=0.0):.6g}.")
        return loss, LTIGradient(*parts)


def _time_gradient(model: LTI, u: np.ndarray, y: np.ndarray) -> tuple[float, LTIGradient]:
    n, T = model.n_states, len(u)
    X, final = np.empty((T, n)), np.empty(n)
    rollout.linear(model.A[None], as_float(u @ model.B.T), np.zeros(n), X, final)
    error = X @ model.C.T + u @ model.D.T - y
    # Adjoint: lam[t] = C' e[t] + A' lam[t+1], run backwards as a forward recursion on reversed time.
    back = np.empty((T, n))
    rollout.linear(np.ascontiguousarray(model.A.T)[None], as_float((error @ model.C)[::-1]), np.zeros(n), back, final)
    following = back[::-1]  # lam[t+1]
    return 0.5 * float((error**2).sum()), LTIGradient(following.T @ X, following.T @ u, error.T @ X, error.T @ u)


def _frequency_gradient(model: LTI, u: np.ndarray, y: np.ndarray) -> tuple[float, LTIGradient]:
    T, n = len(u), model.n_states
    U, Y = np.fft.fft(u, axis=0), np.fft.fft(y, axis=0)
    z = np.exp(2j * np.pi * np.arange(T) / T)
    if n and np.abs(z[:, None] - np.linalg.eigvals(model.A)[None, :]).min() < 1e-12:
        raise ValueError("SampleLoss: expected no pole on a frequency of the transform; received one on the unit circle, "
                         "where the periodic state is infinite or, with no input power there, undetermined.")
    loss, parts = 0.0, [np.zeros(a.shape) for a in (model.A, model.B, model.C, model.D)]
    some = max(1, _ENTRIES // max(n * n, 1))
    for cut in (slice(k, k + some) for k in range(0, T, some)):
        resolvent = z[cut, None, None] * np.eye(n) - model.A
        X = np.linalg.solve(resolvent, (U[cut] @ model.B.T)[:, :, None])[:, :, 0]
        E = X @ model.C.T + U[cut] @ model.D.T - Y[cut]  # [LDSSM, Eq. loss]
        back = np.linalg.solve(resolvent.conj().transpose(0, 2, 1), (E @ model.C)[:, :, None])[:, :, 0]
        loss += 0.5 * float((np.abs(E) ** 2).sum()) / T
        for part, left, right in zip(parts, (back, back, E, E), (X, U[cut], X, U[cut])):
            part += (left.T @ right.conj()).real / T
    return loss, LTIGradient(*parts)


def frequency_loss(model: LTI, teacher: LTI, input_spectrum: np.ndarray) -> float:
    """Evaluate the population loss as a mean over frequencies, (1/2) mean_k |H(w_k) - H*(w_k)|^2 S(w_k).

    model, teacher: LTI with one input. input_spectrum (F,): S at w_k = 2 pi k / F, the variance density with mean one for
    unit variance. Converges exponentially in F to `PopulationLoss.value`.
    Raises ValueError for an empty or negative spectrum, an unstable model, more than one input, or other outputs than the teacher's.
    """
    call = "frequency_loss"
    spectrum = _check.vector(input_spectrum, "input_spectrum", call)
    if not len(spectrum) or (spectrum < 0).any():
        raise ValueError(f"{call}: expected a spectrum (F,) >= 0; received {spectrum.min() if len(spectrum) else 'none'}.")
    _require_stable(model, "model", call)
    _require_stable(teacher, "teacher", call)
    if model.n_inputs != 1 or teacher.n_inputs != 1:
        raise ValueError(f"{call}: expected one input; received {model.n_inputs} and {teacher.n_inputs}.")
    if model.n_outputs != teacher.n_outputs:
        raise ValueError(f"{call}: expected a model with {teacher.n_outputs} outputs as the teacher; received {model.n_outputs}.")
    z = np.exp(2j * np.pi * np.arange(len(spectrum)) / len(spectrum))
    gap = _transfer(model, z) - _transfer(teacher, z)
    return 0.5 * float(((np.abs(gap) ** 2).sum(axis=1) * spectrum).mean())


def _transfer(model: LTI, z: np.ndarray) -> np.ndarray:
    states = np.linalg.solve(z[:, None, None] * np.eye(model.n_states) - model.A, model.B.astype(complex)[None])
    return (model.C @ states + model.D)[:, :, 0]


def _require_stable(model: LTI, name: str, call: str) -> None:
    if not isinstance(model, LTI):
        raise TypeError(f"{call}: expected {name} as an LTI; received {type(model).__name__}.")
    radius = np.abs(model.poles()).max(initial=0.0)
    if model.dt is None or radius >= 1:
        raise ValueError(f"{call}: expected {name} stable in discrete time; received "
                         f"{'dt=None' if model.dt is None else f'a pole of modulus {radius:.6g}'}. "
                         "The expected loss of stationary input is infinite otherwise.")
