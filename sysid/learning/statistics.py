"""The data statistics that drive learning at fixed poles: sigma = E v^2 and eta = E y v, and their matrices.

    v_i[t] = sum_k a_i^k u[t-k],     G_ij = E v_i v_j,     h_i = E y v_i

For unit white input and a teacher with pole a* and gain s*: sigma = 1 / (1 - a^2), eta = s* / (1 - a a*). A coloured input
enters as its spectrum filtered by the pole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..kernels.recurrence import diagonal_scan
from ..linear.equations import discrete_lyapunov
from ..models.lti import LTI
from .loss import _require_stable


def population_statistics(poles: Any, teacher: LTI, shaping: LTI | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Compute G (n, n) and h (n,) in the stationary law; poles (n,) real in (-1, 1), teacher and shaping with one channel.

    For a single pole `sigma, eta = G[0, 0], h[0]`. Cost O(N^3), N the number of all states.
    Raises ValueError for poles outside (-1, 1), or models with more than one input or output.
    """
    call = "population_statistics"
    a = _check.vector(poles, "poles", call)
    if (np.abs(a) >= 1).any():
        raise ValueError(f"{call}: expected poles in (-1, 1); received {a[np.argmax(np.abs(a))]:g}.")
    for model, name in ((teacher, "teacher"), *(((shaping, "shaping"),) if shaping is not None else ())):
        _require_stable(model, name, call)
        if (model.n_inputs, model.n_outputs) != (1, 1):
            raise ValueError(f"{call}: expected {name} with one input and one output; received {model.n_inputs} and {model.n_outputs}.")
    n = len(a)
    bank = LTI.from_undelayed(np.diag(a), np.ones((n, 1)), np.eye(n))
    W = shaping or LTI(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), np.eye(1))
    k, w = teacher.n_states, W.n_states
    A = np.block([[bank.A, np.zeros((n, k)), bank.B @ W.C], [np.zeros((k, n)), teacher.A, teacher.B @ W.C],
                  [np.zeros((w, n + k)), W.A]])
    B = np.concatenate([bank.B @ W.D, teacher.B @ W.D, W.B])
    C = np.block([[bank.C, np.zeros((n, k)), bank.D @ W.C], [np.zeros((1, n)), teacher.C, teacher.D @ W.C]])
    D = np.concatenate([bank.D @ W.D, teacher.D @ W.D])
    moments = C @ discrete_lyapunov(A, B @ B.T) @ C.T + D @ D.T
    return _with_power(moments[:n, :n], call), moments[:n, n]


def sample_statistics(poles: Any, data: Data, *, periodic: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Compute G (n, n) and h (n,) of one record.

    poles (n,) real. data: one record with one input and one output.
    periodic: use the periodic initial state, as the discrete Fourier transform does; else start at rest. The two v differ by
    exactly a^(t+1) v_per[T-1].
    Raises ValueError for other than one record with one input, one output and no gaps, or
    responses that overflow.
    """
    call = "sample_statistics"
    _check.kind(data, isinstance(data, Data), "data as sysid.Data(y, u)", call)
    a = _check.vector(poles, "poles", call)
    if (data.n_inputs, data.n_outputs, data.is_batch) != (1, 1, False) or data.missing.any():
        raise ValueError(f"{call}: expected one record with one input and one output and nothing missing; received {data!r}.")
    v = pole_responses(a, data.inputs[:, 0], periodic=periodic)
    if not (np.abs(v) < 1e150).all():
        raise ValueError(f"{call}: expected poles whose responses stay finite over {len(v)} samples; received "
                         f"{a[np.argmax(np.abs(a))]:g}, beyond the unit circle.")
    return _with_power(v.T @ v / len(v), call), v.T @ data.y[:, 0] / len(v)


def pole_responses(poles: np.ndarray, u: np.ndarray, *, periodic: bool = False) -> np.ndarray:
    """Filter u (T,) through every pole (n,): v (T, n), from rest or from the periodic state."""
    T = len(u)
    if periodic:
        z = np.exp(-2j * np.pi * np.arange(T) / T)
        denominator = 1 - poles[None, :] * z[:, None]
        if np.abs(denominator).min() < 1e-12:
            raise ValueError("sample_statistics: expected poles off the unit circle for periodic statistics; received one on a "
                             "frequency of the transform, where the state is infinite or, without input power there, undetermined.")
        return np.fft.ifft(np.fft.fft(u)[:, None] / denominator, axis=0).real
    H = np.empty((T, len(poles)), complex)
    diagonal_scan(poles.astype(complex), np.repeat(u[:, None], len(poles), axis=1).astype(complex), H)
    return np.ascontiguousarray(H.real)


def _with_power(G: np.ndarray, call: str) -> np.ndarray:
    if (np.diag(G) <= 0).any():
        raise ValueError(f"{call}: expected input power at every pole; received an input whose response at pole number "
                         f"{int(np.argmin(np.diag(G)))} is zero, so its gain cannot be learnt.")
    return G
