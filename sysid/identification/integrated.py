"""Subspace identification of plants with a known integrator behind every output.

    x+ = A x + B u + K e,   y[t+1] - y[t] = C x + D u + e        from the differences, then the sum behind it:
    [x; y]+ = [[A, 0], [C, I]] [x; y] + [B; D] u + drift + [K; 1] e

B, D and the drift then minimise the simulation error of y itself: an offset of the input, which differences hardly
show, moves an integrator without bound. Whether inputs enter the increments at once (D) or through x alone is decided by
the one-step error. The state at the start of that run is the one that the filter reaches over
the first samples, not a free parameter: left free it absorbs what early errors add up to (dry friction at the first
motion), and no other run could be started as well. The noise is the innovations of the differences: what a
simulation leaves is their sum, which says nothing about the noise of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.data import Data
from ..core.gaussian import Gaussian
from ..inference.filter import filter
from ..inference.simulate import simulate
from ..inference.smooth import smooth
from ..linear.covariances import innovations_noise, mean_and_covariance
from ..models.lti import LTI
from ..models.process import Process
from .joint_regression import joint_regression, prediction_errors
from .records import Scales, common_scales

if TYPE_CHECKING:
    from .subspace import Subspace, SubspaceFit

_SETTLE = 50           # samples over which the filter finds the state that a run starts from
_NOTE = "an integrator stands behind every output; the noise enters with the increments, the outputs are measured all but exactly"
_ALMOST_EXACT = 1e-6   # variance of the outputs' own noise relative to that of their increments


@dataclass(frozen=True)
class _Integrated:
    """A (k + p), C and the gain [K; 1] of the integrated model, on unit scale of the outputs."""

    A: np.ndarray
    C: np.ndarray
    gain: np.ndarray

    @classmethod
    def behind(cls, inner: SubspaceFit, y_scale: np.ndarray) -> _Integrated:
        """Put an integrator behind every output of a model of the differences."""
        k, p = inner.model.n_states, inner.model.n_outputs
        A = np.block([[inner.model.A, np.zeros((k, p))], [inner.model.C / y_scale[:, None], np.eye(p)]])
        K = np.zeros((k, p)) if inner.gain is None else inner.gain * y_scale
        return cls(A, np.hstack([np.zeros((p, k)), np.eye(p)]), np.vstack([K, np.eye(p)]))

    def process(self, B: np.ndarray, records: list, starts: np.ndarray) -> Process:
        """With the inputs [u, 1] through B: the noise from the one-step errors of the differences."""
        n, p = len(self.A), len(self.C)
        k = n - p
        increments = [(np.diff(y, axis=0), u[:-1]) for y, u in records]
        errors = np.concatenate(prediction_errors(self.A[:k, :k], B[:k], self.A[k:, :k], B[k:], np.zeros(p), self.gain[:k], starts[:, :k], increments))
        errors = errors[~np.isnan(errors).any(1)]
        cov = errors.T @ errors / max(len(errors), 1)
        spread = np.maximum(np.nanvar(np.concatenate([y for y, _ in records]), axis=0), np.diag(cov)).max()
        Q, R, _ = innovations_noise(self.gain, cov)
        law = Gaussian(starts.mean(0), Q + spread * np.diag(np.r_[np.var(starts[:, :k], axis=0) + 1.0, np.ones(p)]))
        return Process(LTI(self.A, B, self.C), Q, _ALMOST_EXACT * np.diag(np.diag(R)), None, law)


def fit_integrated(method: Subspace, data: list[Data]) -> SubspaceFit:
    """Identify the differences, put the sum behind them, and fit what enters linearly to the runs of y."""
    p, n = data[0].n_outputs, method.n_states
    if n is not None and n <= p:
        raise ValueError(f"fit(Subspace): expected n_states above {p}, the integrators among them; received {n}.")
    differences = [replace(d, y=np.diff(d.y, axis=0), u=None if d.u is None else d.u[:-1], dates=None) for d in data]
    method = replace(method, integrators=0, n_states=None if n is None else n - p)
    inner = method.fit(differences)
    notes = [_NOTE]
    if np.abs(inner.model.poles()).max(initial=0.0) > 1.0:
        inner = replace(method, stable=True).fit(differences)  # runs of y, to which B is fitted below, must not diverge
        notes.append("the dynamics of the increments were constrained to be stable; the unconstrained estimate was not")
    scales = common_scales(data, "fit(Subspace)")
    plant = _Integrated.behind(inner, scales.y_scale)
    records = [(y, np.hstack([u, np.ones((len(u), 1))])) for y, u in scales.apply(data)]
    settle = min(_SETTLE, min(len(d) for d in data) // 4)
    tries = [_run(plant, records, settle, direct) for direct in ((False, True) if method.feedthrough else (False,))]
    best = min(tries, key=lambda found: np.linalg.slogdet(found.process.R)[1])
    return _result(inner, plant, best, scales, data, settle, tuple(notes))


@dataclass(frozen=True)
class _Run:
    """The process, B of [u, 1], the states (S, n) at the first sample and after settling, the mean squared error (p,)."""

    process: Process
    B: np.ndarray
    starts: np.ndarray
    reached: np.ndarray
    mean_square: np.ndarray


def _run(plant: _Integrated, records: list, settle: int, direct: bool) -> _Run:
    """B and the drift from the runs after `settle` samples; direct: whether inputs enter the increments at once."""
    n, p = len(plant.A), len(plant.C)
    free = np.ones((n, records[0][1].shape[1]), bool)
    # The drift enters through x alone: a second one would only move where x is zero.
    free[n - p :] = direct
    free[n - p :, -1] = False
    rest = joint_regression(plant.A, plant.C, records, None, False, False, free=free)  # the integrators hold the level
    B, starts = rest.B, rest.initial_states
    for _ in range(3):
        process = plant.process(B, records, starts)
        heads = [Data(y[: settle + 1], u[: settle + 1]) for y, u in records]
        reached = np.stack([filter(process, head).predicted.mean[settle] for head in heads])
        rest = joint_regression(plant.A, plant.C, [(y[settle:], u[settle:]) for y, u in records], None, False, False, reached, free)
        B = rest.B
    process = plant.process(B, records, starts)
    return _Run(process, B, np.stack([smooth(process, head).smoothed.mean[0] for head in heads]), reached, rest.mean_square)


def _result(inner: SubspaceFit, plant: _Integrated, found: _Run, scales: Scales, data: list[Data], settle: int, notes: tuple[str, ...]) -> SubspaceFit:
    """In original units."""
    process, B, p, ys = found.process, found.B, len(plant.C), scales.y_scale
    parts = scales.restore(plant.A, B[:, :-1], plant.C, np.zeros((p, data[0].n_inputs)), np.zeros(p))
    model = LTI(**(parts | {"c": parts["c"] + B[:, -1]}), dt=data[0].dt)
    states = np.concatenate([_states(model, d[settle:], x) for d, x in zip(data, found.reached)])
    prior = Gaussian(*mean_and_covariance(states))
    cov = process.R / _ALMOST_EXACT * np.outer(ys, ys)
    return replace(inner, model=model, process=Process(model, process.Q, process.R * np.outer(ys, ys), None, prior),
                   gain=plant.A @ plant.gain / ys, innovation_cov=cov, initial_states=found.starts, history={"loss": found.mean_square}, notes=notes)  # fmt: skip


def _states(model: LTI, d: Data, x0: np.ndarray) -> np.ndarray:
    return simulate(model, d.u, x0, n_steps=None if d.n_inputs else len(d)).x
