"""Subspace identification of plants with a known integrator behind every output."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.data import Data
from ..core.gaussian import Gaussian
from ..models.lti import LTI
from ..models.process import Process
from .joint_regression import joint_regression, prediction_errors
from .records import common_scales

if TYPE_CHECKING:
    from .subspace import Subspace, SubspaceFit


def fit_integrated(method: Subspace, data: list[Data]) -> SubspaceFit:
    """Estimate x+ = A x + B u, y[t+1] - y[t] = C x + D u from the differences, then put the sum behind it.

        [x; y]+ = [[A, 0], [C, I]] [x; y] + [B; D] u + drift

    B, D, the drift, the output offset and the initial states then minimise the simulation error of y itself: an offset
    of the input, which differences hardly show, moves an integrator without bound.
    """
    differences = [replace(d, y=np.diff(d.y, axis=0), u=None if d.u is None else d.u[:-1]) for d in data]
    p = data[0].n_outputs
    n = method.n_states
    if n is not None and n <= p:
        raise ValueError(f"fit(Subspace): expected n_states above {p}, the integrators among them; received {n}.")
    inner = replace(method, integrators=0, n_states=None if n is None else n - p).fit(differences)
    scales = common_scales(data, "fit(Subspace)")
    k = inner.model.n_states
    A = np.block([[inner.model.A, np.zeros((k, p))], [inner.model.C / scales.y_scale[:, None], np.eye(p)]])
    C = np.hstack([np.zeros((p, k)), np.eye(p)])
    records = [(y, np.hstack([u, np.ones((len(u), 1))])) for y, u in scales.apply(data)]
    rest = joint_regression(A, C, records, None, feedthrough=False, offset=False)  # the integrators hold the level
    parts = scales.restore(A, rest.B[:, :-1], C, np.zeros((p, data[0].n_inputs)), rest.d)
    model = LTI(**(parts | {"c": parts["c"] + rest.B[:, -1]}), dt=data[0].dt)
    cov = np.diag(rest.mean_square * scales.y_scale**2)
    states = np.concatenate([_states(model, d, x) for d, x in zip(data, rest.initial_states)])
    prior = Gaussian(states.mean(0), np.cov(states.T, bias=True).reshape(k + p, k + p))
    errors = prediction_errors(A, rest.B, C, np.zeros((p, records[0][1].shape[1])), rest.d, np.zeros((k + p, p)), rest.initial_states, records)
    note = "an integrator stands behind every output; the noise is white noise on the output with the variance of the simulation error"
    return replace(inner, model=model, process=Process(model, np.zeros((k + p, k + p)), cov, None, prior), gain=np.zeros((k + p, p)),
                   innovation_cov=cov, initial_states=rest.initial_states, notes=(note,),
                   history={"loss": np.array([np.nanmean(np.concatenate(errors) ** 2)])})  # fmt: skip


def _states(model: LTI, d: Data, x0: np.ndarray) -> np.ndarray:
    from ..inference.simulate import simulate
    return simulate(model, d.u, x0, n_steps=None if d.n_inputs else len(d)).x
