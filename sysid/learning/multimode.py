"""Several modes at once: aligned input-output modes at one pole, and competing poles.

One pole, several channels, whitened states E v v' = sigma I and balanced start along the singular vectors of E y v': the modes
decouple and each follows the logistic of `mode_gain`, with eta the singular value.
Several poles, one channel, r = h - G s, s_i = b_i c_i:

    tau db_i/dt = c_i r_i,   tau dc_i/dt = b_i r_i;      balanced:  tau ds_i/dt = 2 s_i (h - G s)_i

a generalised Lotka-Volterra system, with no closed form unless G is diagonal; b_i^2 - c_i^2 is conserved for every i.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _check
from .modes import _times, balanced_gain


class AlignedModes(NamedTuple):
    """Singular value decomposition of E y v' (p, m): outputs (p, r), eta (r,) descending, inputs (r, m)."""

    outputs: np.ndarray
    eta: np.ndarray
    inputs: np.ndarray


def aligned_modes(cross_covariance: Any) -> AlignedModes:
    """Decompose E y v' into the directions that are learnt independently; the largest eta is learnt first.

    cross_covariance: E y v' (p, m). Returns outputs (p, r), eta (r,), inputs (r, m).
    Raises ValueError for what is not a matrix, or an empty one.
    """
    cross = _check.matrix(cross_covariance, "cross_covariance", "aligned_modes")
    if not cross.size:
        raise ValueError(f"aligned_modes: expected at least one output and one input; received cross_covariance {cross.shape}.")
    U, s, Vt = np.linalg.svd(cross, full_matrices=False)
    return AlignedModes(U, s, Vt)


def aligned_gain(t: Any, sigma: float, cross_covariance: Any, s0: float, tau: float = 1.0) -> np.ndarray:
    """Evaluate C(t) B(t) (n, p, m) from a balanced start of gain s0 > 0 on every singular direction of E y v' (p, m).

    cross_covariance: E y v' (p, m). Exact for gradient flow at A = a I with E v v' = sigma I; a mode with eta = 0 decays
    as 1 / t.
    tau : time constant of the flow, in the unit of t
    """
    modes = aligned_modes(cross_covariance)
    gains = np.stack([balanced_gain(t, sigma, eta, s0, tau) for eta in modes.eta], axis=1)
    return np.einsum("pr,nr,rm->npm", modes.outputs, gains, modes.inputs)


def pole_flow(t: Any, G: Any, h: Any, b0: Any, c0: Any, tau: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Integrate the flow of input and output weights at several fixed poles; returns b, c (n, k).

    t (n,) increasing, >= 0; G (k, k), h (k,) from `population_statistics`; b0, c0 (k,).
    tau : time constant of the flow, in the unit of t
    Raises ValueError for b0 or c0 of another length.
    """
    from scipy.integrate import solve_ivp
    call = "pole_flow"
    times = _increasing(t, call)
    G, h = _moments(G, h, call)
    k, tau = len(h), _check.positive(tau, "tau", call)
    start = np.concatenate([_check.vector(b0, "b0", call, k), _check.vector(c0, "c0", call, k)])

    def flow(_: float, z: np.ndarray) -> np.ndarray:
        b, c = z[:k], z[k:]
        r = h - G @ (b * c)
        return np.concatenate([c * r, b * r]) / tau

    z = _integrate(solve_ivp, flow, times, start, call)
    return z[:, :k], z[:, k:]


def lotka_volterra(t: Any, G: Any, h: Any, s0: Any, tau: float = 1.0) -> np.ndarray:
    """Integrate tau ds/dt = 2 s (h - G s), the gains (n, k) of competing poles from a balanced start.

    t (n,) increasing, >= 0; G (k, k), h (k,) from `population_statistics`; s0 (k,) > 0; tau > 0.

    The logarithms of the gains are integrated, so that gains stay positive however small.
    Raises ValueError for starts not above 0.
    """
    from scipy.integrate import solve_ivp
    call = "lotka_volterra"
    times = _increasing(t, call)
    G, h = _moments(G, h, call)
    start, tau = _check.vector(s0, "s0", call, len(h), "h has that many poles"), _check.positive(tau, "tau", call)
    if (start <= 0).any():
        raise ValueError(f"{call}: expected s0 > 0; received {start.min():g}. Gains of either sign: use pole_flow.")
    return np.exp(_integrate(solve_ivp, lambda _, x: 2 * (h - G @ np.exp(x)) / tau, times, np.log(start), call))


def _integrate(solve_ivp: Any, flow: Any, times: np.ndarray, start: np.ndarray, call: str) -> np.ndarray:
    solution = solve_ivp(flow, (0.0, float(times[-1]) or 1.0), start, t_eval=times, method="DOP853", rtol=1e-11, atol=1e-13)
    if not solution.success:
        raise ValueError(f"{call}: the integration failed: {solution.message}")
    return solution.y.T


def _increasing(t: Any, call: str) -> np.ndarray:
    times = _times(t, call)
    if not len(times) or (np.diff(times) <= 0).any():
        raise ValueError(f"{call}: expected increasing times; received {times}.")
    return times


def _moments(G: Any, h: Any, call: str) -> tuple[np.ndarray, np.ndarray]:
    G = _check.square(G, "G", call)
    if (np.diag(G) <= 0).any():
        raise ValueError(f"{call}: expected G with a positive diagonal; received {np.diag(G).min():g}. "
                         "An input without power at a pole does not excite it.")
    return G, _check.vector(h, "h", call, len(G), f"G is {len(G)} x {len(G)}")
