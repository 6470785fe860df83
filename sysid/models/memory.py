"""How long a model remembers: capacities, horizons, half-lives, resonances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from .. import _check
from .._show import Shown
from ..linear.equations import discrete_lyapunov
from ..linear.gramians import gramian_factor
from ..linear.response import residues
from ..linear.stability import refuse_unstable
from .analysis import require_lti
from .lti import LTI


def memory_capacity(model: LTI, noise: float = 0.0) -> float:
    """Compute the total linear memory capacity of the states of a model, exactly.

        sum_k max_w corr^2(u[t-k], w' x[t]) = tr(W (W + noise I)^-1),   W the controllability Gramian

    for white inputs of unit variance, all states read. noise: variance of white noise added to each state when it is
    read, in the states' units squared. Without noise it is the rank of W at working precision, so n for any
    controllable linear reservoir of n states, however fast it forgets; only the depth moves with the poles
    (corrections #21). Raises ValueError for an unstable model. Cost O(n^3). [Jaeger 2001; White, Lee & Sompolinsky 2004]
    """
    values = _spectrum(model, "memory_capacity", noise)[0]
    return float(np.sum(values / (values + noise)))


def memory_spectrum(model: LTI, n_delays: int, noise: float = 0.0) -> np.ndarray:
    """Compute the memory function m_k = b' A'^(k-1) (W + noise I)^-1 A^(k-1) b of lags k = 1..n_delays.

    model: a stable discrete LTI. m_k in [0, 1] is the squared correlation between u[t-k] and its best linear reconstruction from x[t].
    Returns (n_delays, m), one column an input. The sum over all delays and inputs is `memory_capacity`.
    Raises ValueError for an unstable model, TypeError for another than an LTI.
    Cost O(n^3 + n_delays n^2 m). [White, Lee & Sompolinsky 2004, Eq. 6]
    """
    n_delays = _check.count(n_delays, "n_delays", "memory_spectrum")
    values, vectors = _spectrum(model, "memory_spectrum", noise)
    weight = vectors / np.sqrt(values + noise)
    out = np.empty((n_delays, model.n_inputs))
    X = model.B
    for k in range(n_delays):
        out[k] = np.sum((weight.T @ X) ** 2, axis=0)
        X = model.A @ X
    return out


def _spectrum(model: Any, call: str, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """The non-zero eigenvalues (r,) and eigenvectors (n, r) of the controllability Gramian, from its factor."""
    model = require_lti(model, call)
    if model.dt is None:
        raise ValueError(f"{call}: expected a discrete-time model; received dt=None. Discretise it first.")
    _check.positive(noise, "noise", call, zero=True)
    U, scale, _ = np.linalg.svd(gramian_factor(model.A, model.B, call=call), full_matrices=False)
    seen = scale > model.n_states * np.finfo(float).eps * scale.max(initial=0.0)
    return scale[seen] ** 2, U[:, seen]


def memory_horizon(source: Any, input_bound: float = 1.0, tolerance: float = 1e-3, *, persistent: bool = False) -> int:
    """Find how many steps it takes until a perturbation is forgotten to within `tolerance`.

        pulse       G kappa^(h-1) input_bound <= tolerance
        persistent  G kappa^(h-1) input_bound / (1 - kappa) <= tolerance

    source: a certificate (its `rate` kappa < 1 and `overshoot` G), or a stable LTI model, for which kappa and G come from
    Lyapunov norms (so they hold for defective and non-normal A, where c rho^k does not) and include ||B|| and ||C||.
    input_bound: size of the perturbation that enters the state (certificate), or of the input (LTI). persistent: the
    perturbation goes on for all steps before; one pulse otherwise. Returns h >= 0, in steps.
    Raises ValueError where there is no rate below 1. [ESN-SSM, Eq. 56; corrections #6, #7, #8]
    """
    _check.positive(input_bound, "input_bound", "memory_horizon")
    _check.positive(tolerance, "tolerance", "memory_horizon")
    bounds = _linear_decay(source) if isinstance(source, LTI) else [_certified_decay(source)]
    return min(_steps(rate, gain * input_bound, tolerance, persistent) for rate, gain in bounds)


def _steps(rate: float, size: float, tolerance: float, persistent: bool) -> int:
    """The smallest h with size rate^(h-1) <= tolerance, the sum of the tail for a persistent perturbation."""
    size = size / (1 - rate) if persistent else size
    if size <= tolerance:
        return 0
    if rate <= 0.0:
        return 1
    return 1 + int(np.ceil(np.log(size / tolerance) / -np.log(rate) - 1e-12))


def _linear_decay(model: LTI) -> list[tuple[float, float]]:
    """Pairs (rate, gain) with ||C A^(h-1) B|| <= gain rate^(h-1), for rates between the spectral radius and 1.

    V = (A/rate)' V (A/rate) + I = L L' gives |L'A^k x| <= rate^k |L'x|. The closer the rate to the spectral radius, the
    larger the gain of a non-normal A; each pair holds, so the best may be taken.
    """
    if model.dt is None:
        raise ValueError("memory_horizon: expected a discrete-time model; received dt=None. Discretise it first.")
    if 0 in (model.n_states, model.n_inputs, model.n_outputs):
        return [(0.0, 0.0)]
    poles = refuse_unstable(model.A, "memory_horizon", "a horizon", continuous=False, cure="Its memory never fades.")
    radius = max(float(np.abs(poles).max()), 1e-3)
    pairs = []
    for share in (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7):
        rate = radius ** (1 - share)
        L = np.linalg.cholesky(discrete_lyapunov(model.A.T / rate, np.eye(model.n_states)))
        seen = scipy.linalg.solve_triangular(L, model.C.T, lower=True)
        pairs.append((rate, float(np.linalg.norm(L.T @ model.B, 2) * np.linalg.norm(seen, 2))))
    return pairs


def _certified_decay(source: Any) -> tuple[float, float]:
    """The rate and overshoot of a certificate."""
    rate = getattr(source, "rate", None)
    if rate is None:
        raise TypeError(f"memory_horizon: expected a certificate or an LTI model; received {type(source).__name__}.")
    if not rate < 1:
        raise ValueError(f"memory_horizon: expected a contraction rate below 1; received {rate:.6g}: "
                         "no horizon follows from it.")  # fmt: skip
    if not getattr(source, "holds", True):
        raise ValueError("memory_horizon: expected a certificate that holds; received one that was not proved.")
    overshoot = getattr(source, "overshoot", None)
    return float(rate), float(1.0 if overshoot is None else overshoot)


def half_life(rate: Any, dt: float = 1.0) -> Any:
    """Return the time ln 2 / -ln(rate) dt after which a mode of modulus `rate` in (0, 1) has halved. [corrections #9]"""
    return np.log(2.0) * _e_folding(rate, dt, "half_life")


def e_folding_time(rate: Any, dt: float = 1.0) -> Any:
    """Return the time dt / -ln(rate) after which a mode of modulus `rate` in (0, 1) has fallen to 1/e; ln 2 of it is the half-life."""
    return _e_folding(rate, dt, "e_folding_time")


def _e_folding(rate: Any, dt: float, call: str) -> Any:
    rate = _check.real_array(rate, "rate", call)
    dt = _check.positive(dt, "dt", call)
    if not np.all((rate > 0) & (rate < 1)):
        raise ValueError(f"{call}: expected rates between 0 and 1; received {rate}.")
    out = dt / -np.log(rate)
    return float(out) if out.ndim == 0 else out


def rate_for_half_life(time: float, dt: float = 1.0) -> float:
    """Return the modulus 2^(-dt/time) of a mode with that half-life. [ESN-SSM, Eq. 76; corrections #9].

    Raises TypeError or ValueError for numbers not above 0.
    """
    time, dt = (_check.positive(value, name, "rate_for_half_life") for name, value in (("time", time), ("dt", dt)))
    return float(2.0 ** (-dt / time))


@dataclass(frozen=True, eq=False, repr=False)
class Resonances(Shown):
    """The modes of a model, the ones that carry most energy first; a conjugate pair is one row.

    poles: (k,) complex, imaginary part >= 0. radius: (k,) modulus (discrete), or e^(real part) per unit of time.
    frequency: (k,) rad per unit of time. damping: (k,). half_life: (k,) time, inf where the mode does not decay.
    residue: (k,) largest modulus over inputs and outputs. weight: (k,) sum |R|^2 / (1 - |pole|^2) or / (-2 Re pole), twice
    for a pair: the energy this mode alone would put into the impulse response; nan where it does not decay.
    condition: of the eigenvectors; beyond 1e8 single modes mean little.
    """

    poles: np.ndarray
    radius: np.ndarray
    frequency: np.ndarray
    damping: np.ndarray
    half_life: np.ndarray
    residue: np.ndarray
    weight: np.ndarray
    condition: float
    dt: float | None = 1.0

    def table(self) -> str:
        """The modes as aligned text."""
        rows = ["   radius  frequency    damping  half-life    residue     weight"]
        columns = (self.radius, self.frequency, self.damping, self.half_life, self.residue, self.weight)
        rows += ["".join(f"{v:>11.4g}"[-11:] for v in row) for row in zip(*columns)]
        return "\n".join(rows)

    def summary(self) -> dict[str, Any]:
        lines = self.table().splitlines()
        out: dict[str, Any] = {"modes": len(self.poles), "eigenvector condition": self.condition, "": lines[0]}
        return out | {str(i + 1): line for i, line in enumerate(lines[1:13])}

    def plot(self, ax: Any = None) -> Any:
        """Draw weight against frequency; return the axes."""
        from .. import plot_systems

        return plot_systems.stems(self.frequency, self.weight, ax, "frequency, rad per unit of time", "energy of the mode")


def resonances(model: LTI) -> Resonances:
    """Tabulate the modes of a model: radius, frequency, damping, half-life, residue and energy.

    Raises ValueError for a defective A. The partial fractions H = sum_i R_i / (z - pole_i) + D. Cost O(n^3 + n p m). [ESN-SSM, Eq. 59; corrections #3]
    """
    model = require_lti(model, "resonances")
    poles, R, condition = residues(model.A, model.B, model.C)
    if not np.isfinite(condition):
        raise ValueError("resonances: expected a diagonalisable A; received a defective one, whose modes cannot be told apart. "
                         "Reduce the model first: sysid.reduce(model, n_states=...).")  # fmt: skip
    keep = poles.imag >= 0
    poles, R = poles[keep], R[keep]
    if model.dt is None:
        rates = poles
    else:
        rates = np.log(np.where(poles == 0, 1e-300, poles).astype(complex)) / model.dt
    size = np.abs(rates)
    decays = rates.real < 0
    loss = -2 * poles.real if model.dt is None else 1 - np.abs(poles) ** 2
    energy = np.sum(np.abs(R) ** 2, axis=(1, 2)) * np.where(poles.imag > 0, 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(decays, energy / np.where(decays, loss, 1), np.nan)
        half = np.where(decays, np.log(2) / np.where(decays, -rates.real, 1), np.inf)
        damping = np.where(size > 0, -rates.real / np.where(size > 0, size, 1), 1.0)
    order = np.argsort(-np.nan_to_num(weight, nan=np.inf), kind="stable")
    radius = np.exp(poles.real) if model.dt is None else np.abs(poles)
    residue = np.abs(R).max(axis=(1, 2), initial=0.0)
    return Resonances(poles[order], radius[order], np.abs(rates.imag)[order], damping[order], half[order],
                      residue[order], weight[order], condition, model.dt)  # fmt: skip
