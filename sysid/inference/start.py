"""Starts of a filter: the law of the first state from what the process says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.gaussian import Diffuse, Gaussian, Stationary
from ..core.initial import Blocks, Estimated
from ..linear.equations import discrete_lyapunov, smith_doubling
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.process import Process


@dataclass(frozen=True)
class Start:
    """x[0] = mean + diffuse delta + xi, xi ~ N(0, cov), delta of infinite variance. diffuse: (n, d), d = 0 for a proper law."""

    mean: np.ndarray
    cov: np.ndarray
    diffuse: np.ndarray


def starting_law(process: Process, call: str) -> Start:
    """The law of x[0], all blocks together. Estimated blocks count as diffuse: see `estimated_start`."""
    n, initial = process.n_states, process.initial
    if isinstance(initial, Gaussian):
        return Start(initial.mean, initial.cov, np.zeros((n, 0)))
    if isinstance(initial, Stationary):
        return Start(*_stationary(process, np.arange(n), call), np.zeros((n, 0)))
    blocks = initial.blocks if isinstance(initial, Blocks) else ((np.arange(n), initial),)
    named = np.concatenate([states for states, _ in blocks]) if blocks else np.zeros(0, int)
    if sorted(named.tolist()) != list(range(n)):
        raise ValueError(f"{call}: expected initial blocks that name each of the {n} states once; received {sorted(named.tolist())}.")
    mean, cov, diffuse = np.zeros(n), np.zeros((n, n)), []
    for states, law in blocks:
        if isinstance(law, Diffuse | Estimated):
            if not isinstance(process.model, LTI | LTV | Bilinear):
                raise ValueError(f"{call}: expected initial=Gaussian(mean, cov) for {type(process.model).__name__}; received "
                                 f"{type(law).__name__}(), which only linear models have exactly.")  # fmt: skip
            diffuse.append(np.eye(n)[:, states])
            continue
        mean[states], cov[np.ix_(states, states)] = (law.mean, law.cov) if isinstance(law, Gaussian) else _stationary(process, states, call)
    return Start(mean, cov, np.hstack([np.zeros((n, 0)), *diffuse]))


def stationary_law(process: Process, call: str) -> Gaussian:
    """The law that a stable LTI settles in under zero input."""
    return Gaussian(*_stationary(process, np.arange(process.n_states), call))


def _stationary(process: Process, states: np.ndarray, call: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean (I - A)^-1 c and covariance P = A P A' + Q of a block of states under zero input, for a stable LTI."""
    model = process.model
    if not isinstance(model, LTI) or process.Q.ndim == 3:
        raise ValueError(f"{call}: expected an LTI model with constant Q for initial=Stationary(); received "
                         f"{type(model).__name__}. Give initial=Gaussian(mean, cov) instead.")  # fmt: skip
    rows, others = model.A[states], np.ones(model.n_states, dtype=bool)
    others[states] = False
    if rows[:, others].any():
        raise ValueError(f"{call}: expected a stationary block that no other state drives; received A with entries from "
                         f"states {np.flatnonzero(others).tolist()} into states {states.tolist()}.")  # fmt: skip
    A, Q = rows[:, states], process.Q[states][:, states]
    cov = smith_doubling(A, Q)
    if cov is None:  # not comfortably stable
        radius = np.abs(np.linalg.eigvals(A)).max(initial=0.0)
        if radius >= 1:
            raise ValueError(f"{call}: expected a stable model for initial=Stationary(); received poles of modulus up to "
                             f"{radius:.6g}. Use Diffuse(), or a mix of blocks.")  # fmt: skip
        cov = discrete_lyapunov(A, Q)
    c = model.c[states]
    return np.linalg.solve(np.eye(len(A)) - A, c) if c.any() else np.zeros(len(A)), cov


def has_estimated(initial: Any) -> bool:
    """Whether any part of the start is to be estimated."""
    laws = [law for _, law in initial.blocks] if isinstance(initial, Blocks) else [initial]
    return any(isinstance(law, Estimated) for law in laws)


def estimated_start(process: Process, smoothed_start: Any) -> Process:
    """The process with its estimated blocks set to their smoothed values, which are the maximum-likelihood estimates.

    smoothed_start: (n,) the smoothed x[0] under an exact diffuse start of those blocks.
    """
    n = process.n_states
    initial = process.initial
    blocks = initial.blocks if isinstance(initial, Blocks) else ((np.arange(n), initial),)
    fixed = [(s, Gaussian(smoothed_start[s], np.zeros((len(s), len(s)))) if isinstance(law, Estimated) else law)
             for s, law in blocks]  # fmt: skip
    return replace(process, initial=Blocks(*fixed))
