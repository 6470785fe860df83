"""Responses of an LTI model over time and frequency; the methods of `LTI` of the same names call these."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from .. import _check
from ..linear.response import markov_parameters, transfer_at, transfer_polynomials

if TYPE_CHECKING:
    from .lti import LTI


def frequency_response(model: LTI, omega: Any) -> np.ndarray:
    """Evaluate C (zI - A)^-1 B + D at z = e^(i omega dt), or at i omega: (F, p, m) complex."""
    omega = _check.vector(omega, "omega", "LTI.frequency_response")
    points = 1j * omega if model.dt is None else np.exp(1j * omega * model.dt)
    return transfer_at(model.A, model.B, model.C, model.D, points)


def dc_gain(model: LTI) -> np.ndarray:
    """Evaluate the response at frequency 0: (p, m)."""
    M = -model.A if model.dt is None else np.eye(model.n_states) - model.A
    _refuse_integrator(M, "LTI.dc_gain")
    return model.C @ np.linalg.solve(M, model.B) + model.D


def equilibrium(model: LTI, u: Any) -> np.ndarray:
    """Solve x = A x + B u + c, or 0 = A x + B u + c: (n,)."""
    u = _check.vector(np.zeros(model.n_inputs) if u is None else u, "u", "LTI.equilibrium", model.n_inputs)
    M = -model.A if model.dt is None else np.eye(model.n_states) - model.A
    _refuse_integrator(M, "LTI.equilibrium")
    return np.linalg.solve(M, model.B @ u + model.c)


def _refuse_integrator(M: np.ndarray, call: str) -> None:
    if len(M) and not np.linalg.cond(M) < 1 / (4 * np.finfo(float).eps):
        raise ValueError(f"{call}: expected no pole at frequency 0; received a model that integrates, whose response to a "
                         "constant input grows without bound.")  # fmt: skip


def impulse_response(model: LTI, n_steps: int | None, t: Any) -> np.ndarray:
    """Discrete: h_0..h_(n_steps-1). Continuous: C e^(A t) B at equally spaced times. (T, p, m)."""
    call = "LTI.impulse_response"
    if model.dt is not None:
        return _markov(model, n_steps, t, call)
    return _exponential(model.A, model.B, model.C, _times(t, call, n_steps))


def step_response(model: LTI, n_steps: int | None, t: Any) -> np.ndarray:
    """Response to a unit step from rest: (T, p, m)."""
    call = "LTI.step_response"
    if model.dt is not None:
        return np.cumsum(_markov(model, n_steps, t, call), axis=0)
    n, m = model.n_states, model.n_inputs
    # The integral of the impulse response is the impulse response of [[A, B], [0, 0]] from its lower end.
    wide = np.block([[model.A, model.B], [np.zeros((m, n)), np.zeros((m, m))]])
    start = np.vstack((np.zeros((n, m)), np.eye(m)))
    return _exponential(wide, start, np.hstack((model.C, model.D)), _times(t, call, n_steps))


def _markov(model: LTI, n_steps: int | None, t: Any, call: str) -> np.ndarray:
    if t is not None or n_steps is None:
        raise ValueError(f"{call}: expected n_steps for a discrete-time model; received {'t' if t is not None else 'none'}. "
                         "Its samples stand at multiples of dt.")  # fmt: skip
    return markov_parameters(model.A, model.B, model.C, model.D, _check.count(n_steps, "n_steps", call))


def _times(t: Any, call: str, n_steps: Any) -> np.ndarray:
    if t is None or n_steps is not None:
        raise ValueError(f"{call}: expected t=times for a continuous-time model, by name and equally spaced from 0, such as "
                         f"t=np.linspace(0, 10, 201); received {'none' if n_steps is None else 'n_steps'}.")  # fmt: skip
    t = _check.vector(t, "t", call)
    steps = np.diff(t)
    if len(t) < 2 or not np.all(steps > 0) or np.ptp(steps) > 1e-9 * t[-1] or abs(t[0]) > 1e-12 * t[-1]:
        raise ValueError(f"{call}: expected t equally spaced and increasing from 0, two times or more; received {t!r}.")
    return t


def _exponential(A: np.ndarray, B: np.ndarray, C: np.ndarray, t: np.ndarray) -> np.ndarray:
    """C e^(A t) B at equally spaced times from 0."""
    step = scipy.linalg.expm(A * (t[1] - t[0])) if len(A) else A
    return markov_parameters(step, B, C, np.zeros((len(C), B.shape[1])), len(t) + 1)[1:]


def transfer_function(model: LTI) -> tuple[np.ndarray, np.ndarray]:
    """Return num (p, m, n+1) and den (n+1,), checked against the state-space response at a few frequencies."""
    num, den = transfer_polynomials(model.A, model.B, model.C, model.D)
    if model.n_states and num.size:
        error = _polynomial_error(model, num, den)
        if not error < 1e-6:
            warnings.warn(f"LTI.transfer_function: with n = {model.n_states} the polynomial coefficients reproduce the "
                          f"frequency response only to a relative error of {error:.1g}. Use frequency_response, "
                          "sysid.resonances (pole-residue form), or sysid.reduce first.",
                          RuntimeWarning, stacklevel=3)  # fmt: skip
    return num, den


def _polynomial_error(model: LTI, num: np.ndarray, den: np.ndarray) -> float:
    """Largest error of num / den on 24 points of the boundary, relative to the largest gain there."""
    if model.dt is None:
        size = np.abs(np.linalg.eigvals(model.A))
        low, high = max(size.min(), 1e-6 * size.max(), 1e-300), max(size.max(), 1e-300)
        points = 1j * np.geomspace(low / 3, 3 * high, 24)
    else:
        points = np.exp(1j * (np.arange(24) + 0.5) * np.pi / 24)
    H = transfer_at(model.A, model.B, model.C, model.D, points)
    with np.errstate(all="ignore"):
        powers = points[:, None] ** np.arange(len(den) - 1, -1, -1)
        G = np.einsum("fk,pmk->fpm", powers, num) / (powers @ den)[:, None, None]
        error = float(np.abs(G - H).max() / max(np.abs(H).max(), 1e-300))
    return error if np.isfinite(error) else np.inf
