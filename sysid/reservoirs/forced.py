"""A reservoir driven by measured data, as arrays: its likelihood, gradient and smoothed sums at given parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.data import Data
from ..core.gaussian import Gaussian
from ..kernels._jit import as_float
from ..kernels.reservoir_filter import reservoir_filter
from ..kernels.reservoir_gradient import reservoir_gradient
from ..models.esn import ESN
from ..models.process import Process
from .averaged import NODES, averaged_derivatives

GAINS = ("input_scale", "feedback_scale", "bias_scale")
STORED = 5.0e7        # covariance entries kept at a time: 400 MB


@dataclass(frozen=True, eq=False)
class Parameters:
    """Everything a fit may move; scale and gains multiply the start's W and (W_in, W_fb, bias).

    leak (n,), scale, gains (3,), C (p, n), d (p,), R (p, p), Q (n, n), m0 (n,), P0 (n, n).
    """

    leak: np.ndarray
    scale: float
    gains: np.ndarray
    C: np.ndarray
    d: np.ndarray
    R: np.ndarray
    Q: np.ndarray
    m0: np.ndarray
    P0: np.ndarray

    @property
    def q(self) -> np.ndarray:
        """Variances of the process noise (n,)."""
        return np.diag(self.Q)

    @classmethod
    def of(cls, process: Process, call: str) -> Parameters:
        """Read the parameters off a process around a tanh, relu, sigmoid or identity ESN."""
        esn = _supported(process, call)
        return cls(esn.leaks.copy(), 1.0, np.ones(3), as_float(esn.C), as_float(esn.d), as_float(process.R), as_float(process.Q),
                   as_float(process.initial.mean), as_float(process.initial.cov))

    def process(self, start: Process) -> Process:
        """The process with these parameters applied to the start's matrices."""
        esn = start.model
        leak = float(self.leak[0]) if np.ptp(self.leak) == 0 else self.leak
        model = replace(
            esn, W=esn.W * self.scale if self.scale != 1.0 else esn.W, W_in=esn.W_in * self.gains[0],
            W_fb=None if esn.W_fb is None else esn.W_fb * self.gains[1], bias=esn.bias * self.gains[2],
            leak=leak, C=self.C, d=self.d)
        return Process(model, Q=self.Q, R=self.R, initial=Gaussian(self.m0, self.P0))


def _supported(process: Any, call: str) -> ESN:
    if not isinstance(process, Process) or not isinstance(process.model, ESN):
        raise TypeError(f"{call}: expected start=sysid.Process(esn, Q=..., R=...) around an ESN; "
                        f"received {type(getattr(process, 'model', process)).__name__}.")
    esn = process.model
    esn.require_readout(call)
    if esn.features is not None:
        raise ValueError(f"{call}: expected a readout of the state; received one of features. "
                         "Fit the reservoir with features=None, or its readout alone with sysid.Readout.")
    if esn.act.code < 0:
        raise ValueError(f"{call}: expected a built-in activation; received {esn.act.name}. "
                         "Its filter runs through sysid.filter, but the gradient needs a known second derivative.")
    if process.Q.ndim != 2 or process.R.ndim != 2:
        raise ValueError(f"{call}: expected Q and R that do not change in time; received one that does.")
    if process.S is not None and np.any(process.S):
        raise ValueError(f"{call}: expected uncorrelated noises; received S different from zero.")
    if not isinstance(process.initial, Gaussian):
        raise TypeError(f"{call}: expected initial=sysid.Gaussian(mean, cov), because the state of a nonlinear map has no "
                        f"stationary law in closed form; received {type(process.initial).__name__}.")
    if np.any(np.linalg.eigvalsh(process.R) <= 0):
        raise ValueError(f"{call}: expected a positive definite R; received a singular one.")
    return esn


@dataclass(frozen=True, eq=False)
class Driven:
    """One experiment as the kernels take it: y (T, p), the known drives (3, T, n), gains not applied, and factors (T, 2) on R and Q."""

    y: np.ndarray
    drive: np.ndarray
    factors: np.ndarray

    def part(self, cut: slice) -> Driven:
        """A stretch of it."""
        return Driven(self.y[cut], np.ascontiguousarray(self.drive[:, cut]), self.factors[cut])


@dataclass(frozen=True, eq=False)
class Stretch:
    """What the filter left on one stretch of a sequence, every step kept."""

    log_likelihood: float
    y: np.ndarray
    drive: np.ndarray
    factors: np.ndarray
    log_density: np.ndarray
    means: np.ndarray
    covs: np.ndarray
    filtered: np.ndarray
    arguments: np.ndarray
    gain: np.ndarray
    weight: np.ndarray
    inverse: np.ndarray
    m_end: np.ndarray
    P_end: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, eq=False)
class ForcedReservoir:
    """The fixed side of a fit: W (n, n), W_fb (n, r), the activation's code and every sequence with its drives.

    averaged: the filter takes value and slope averaged over the filtered law of the argument, not at its mean.
    """

    code: int
    W: np.ndarray
    W_fb: np.ndarray
    sequences: tuple[Driven, ...]
    averaged: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, esn: ESN, records: Sequence[Data], factors: Sequence[np.ndarray] | None = None, averaged: bool = False) -> ForcedReservoir:
        """Put an ESN and its data into arrays; factors: (T, 2) on R and Q for every sequence, ones if None."""
        W_fb = np.zeros((esn.n_states, 0)) if esn.W_fb is None else as_float(esn.W_fb)
        every = [np.ones((d.n_steps, 2)) for d in records] if factors is None else factors
        return cls(esn.act.code, as_float(esn.dense_W), W_fb, tuple(_drives(esn, W_fb, d, f) for d, f in zip(records, every)),
                   averaged=averaged)

    @property
    def holds_state(self) -> bool:
        """Whether the information of the readout leaves out how the filter responds to it."""
        return False

    @property
    def n_steps(self) -> int:
        """Samples over all sequences."""
        return sum(len(s.y) for s in self.sequences)

    def _run(self, p: Parameters, s: Driven, m: np.ndarray, P: np.ndarray, keep: bool) -> Stretch:
        (T, k), n = s.y.shape, len(p.leak)
        every = 1 if keep else T
        covs = np.empty((T if keep else 1, n, n))
        out: Any = [np.empty(T), np.empty((T, n)), covs, np.empty((T, n)), np.empty((T, n)), np.empty((T, n, k)),
               np.empty((T, k)), np.empty((T, k, k)), np.empty(n), np.empty((n, n)),
               np.empty((T if keep or self.averaged else 0, 3, n))]
        total = reservoir_filter(self.code, NODES if self.averaged else NODES[:, :0].copy(), s.y, s.drive, self.W, self.W_fb, p.leak, p.scale, p.gains, p.gains[1],
                                 p.C, p.d, p.R, p.Q, s.factors, m, P, every, *out)
        return Stretch(total, s.y, s.drive, s.factors, *out)

    def run(self, p: Parameters, s: Driven) -> Stretch:
        """Filter one sequence, every step's mean and innovation covariance kept, the state covariances not."""
        return self._run(p, s, p.m0, p.P0, False)

    def output_covariances(self, p: Parameters, s: Driven) -> np.ndarray:
        """C P(t|t-1) C' along one sequence (T, p, p), measured or not."""
        _, backwards = self.stretches(p, s)
        parts = [np.einsum("pi,tij,qj->tpq", p.C, run.covs, p.C, optimize=True) for run in backwards]
        return np.concatenate(parts[::-1])

    def log_likelihood(self, p: Parameters) -> float:
        """The innovations log-likelihood of the extended Kalman filter; -inf where it breaks down."""
        total = sum(self._run(p, s, p.m0, p.P0, False).log_likelihood for s in self.sequences)
        return total if np.isfinite(total) else -np.inf

    def stretches(self, p: Parameters, s: Driven) -> tuple[float, Any]:
        """Run the filter over a sequence; return its log-likelihood and an iterator of stretches from last to first.

        Covariances are kept for one stretch at a time: the filter runs again over all but the last.
        """
        length = max(8, int(STORED // len(p.leak) ** 2))
        cuts = [slice(a, a + length) for a in range(0, len(s.y), length)]
        starts, total, m, P = [], 0.0, p.m0, p.P0
        for i, cut in enumerate(cuts):
            starts.append((m, P))
            run = self._run(p, s.part(cut), m, P, i == len(cuts) - 1)
            total, m, P = total + run.log_likelihood, run.m_end, run.P_end

        def backwards() -> Any:
            yield run
            for cut, (m, P) in list(zip(cuts, starts))[-2::-1]:
                yield self._run(p, s.part(cut), m, P, True)

        return total, backwards()

    def derivatives(self, run: Stretch) -> tuple[np.ndarray, ...]:
        """The filter's values and slopes along a run, the slopes' derivatives in the argument, those of both in its variance, and that; the
        last three are empty where nothing is averaged. (T, n) each."""
        if self.averaged:
            v = as_float(run.spread[:, 2])
            return *averaged_derivatives(self.code, run.arguments, v), v
        none = np.empty((0, run.arguments.shape[1]))
        return *activation_derivatives(self.code, run.arguments), none, none, none

    def gradient(self, p: Parameters) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its exact gradient with respect to every field of `Parameters`, by one reverse pass."""
        n, k = len(p.leak), len(p.C)
        g = {"m0": np.zeros(n), "P0": np.zeros((n, n)), "scales": np.zeros(2), "gains": np.zeros(3), "leak": np.zeros(n),
             "C": np.zeros((k, n)), "d": np.zeros(k), "R": np.zeros((k, k)), "Q": np.zeros((n, n))}
        total = 0.0
        for s in self.sequences:
            value, backwards = self.stretches(p, s)
            total += value
            if not np.isfinite(total):
                return -np.inf, g
            bar_m, bar_P = np.zeros(n), np.zeros((n, n))
            for run in backwards:
                h, slope, curve, *bends = self.derivatives(run)
                reservoir_gradient(
                    run.y, run.drive, self.W, self.W_fb, p.leak, p.scale, p.gains[1], p.C, p.d, p.R, run.factors, run.means, run.covs,
                    run.filtered, h, slope, curve, *bends, run.gain, run.weight, run.inverse, bar_m, bar_P, g["scales"],
                    g["gains"], g["leak"], g["C"], g["d"], g["R"], g["Q"])
            g["m0"] += bar_m
            g["P0"] += bar_P
        g["scale"] = g["scales"][0]
        g["gains"][1] += g["scales"][1]
        return total, g


def activation_derivatives(code: int, xi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """s, s' and s'' of a built-in activation, entry by entry."""
    if code == 1:
        h = np.tanh(xi)
        slope = 1.0 - h * h
        return h, slope, -2.0 * h * slope
    if code == 2:
        positive = (xi > 0).astype(float)
        return xi * positive, positive, np.zeros_like(xi)
    if code == 3:
        h = 0.5 * (1.0 + np.tanh(0.5 * xi))
        slope = h * (1.0 - h)
        return h, slope, slope * (1.0 - 2.0 * h)
    return xi.copy(), np.ones_like(xi), np.zeros_like(xi)


def _drives(esn: ESN, W_fb: np.ndarray, data: Data, factors: np.ndarray) -> Driven:
    y = as_float(data.y)
    fed_back = np.where(np.isnan(y), 0.0, y) @ W_fb.T if W_fb.shape[1] else np.zeros((len(y), esn.n_states))
    bias = np.broadcast_to(esn.bias, fed_back.shape)
    return Driven(y, np.ascontiguousarray(np.stack([data.inputs @ esn.W_in.T, fed_back, bias])), as_float(factors))
