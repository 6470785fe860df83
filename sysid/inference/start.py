"""Starts of a filter: the law of the first state from what the process says of it."""

from __future__ import annotations

import numpy as np

from ..core.gaussian import Diffuse, Gaussian, Stationary
from ..linear.equations import discrete_lyapunov
from ..models.lti import LTI
from ..models.process import Process


def initial_law(process: Process, call: str) -> Gaussian:
    """The Gaussian law of x[0].

    Stationary: mean (I - A)^-1 c and covariance A P A' + Q = P, the law under zero input, for a stable LTI.
    """
    initial, model = process.initial, process.model
    if isinstance(initial, Gaussian):
        return initial
    if isinstance(initial, Stationary):
        if not isinstance(model, LTI) or process.Q.ndim == 3:
            raise ValueError(f"{call}: expected an LTI model with constant Q for initial=Stationary(); received "
                             f"{type(model).__name__}. Give initial=Gaussian(mean, cov) instead.")  # fmt: skip
        if not model.is_stable():
            raise ValueError(f"{call}: expected a stable model for initial=Stationary(); received poles of modulus up to "
                             f"{np.abs(model.poles()).max():.6g}. Use Diffuse(), or a mix of blocks.")  # fmt: skip
        cov = discrete_lyapunov(model.A, process.Q)
        return Gaussian(np.linalg.solve(np.eye(model.n_states) - model.A, model.c), (cov + cov.T) / 2)
    if isinstance(initial, Diffuse):
        raise NotImplementedError
    raise TypeError(f"{call}: expected initial as a Gaussian, Stationary() or Diffuse(); received {initial!r}.")
