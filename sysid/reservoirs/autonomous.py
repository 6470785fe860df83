"""A starting reservoir for a series without inputs: outputs fed back, certified by construction, nearly linear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data, experiments
from ..core.gaussian import Gaussian
from ..models.esn import ESN
from ..models.process import Process
from ..models.topology import orthogonal
from .readout import Readout


def autonomous_start(data: Data | Iterable[Data], rng: np.random.Generator, *, n_states: int = 100, radius: float = 0.98,
                     feedback_scale: float = 0.05, bias_scale: float = 1.0, leak: float = 0.7, ridge: float = 1e-2,
                     noise: float = 1e-6) -> Process:
    """Draw a reservoir that feeds the outputs back and teach it a first readout, ready for `ReservoirEM`.

        x[t+1] = (1 - leak) x[t] + leak tanh(W x[t] + W_fb y[t] + bias) + w[t],    y[t] = C x[t] + d + v[t]

    data: outputs y (T, p) without inputs; scale them to unit variance first. rng: draws the weights.
    W = radius times an orthogonal matrix keeps the driven map contracting at rate 1 - leak (1 - radius) whatever is fed
    back. A small feedback_scale keeps units in the nearly linear part of tanh, so that a swing larger than any in the
    training data is still met by a proportional response; bias_scale spreads the units' curvature.
    ridge: of the first readout. noise: variance of w. R starts at the readout's residual variance.
    Returns a Process that starts at rest: a vague x[0] would be a hundred parameters more, remembered for long. O(T n^2 + n^3).
    Raises TypeError or ValueError for a series with inputs, numbers out of range, or a missing rng.
    """
    records = experiments(data, "autonomous_start")
    rng = _check.generator(rng, "autonomous_start")
    if records[0].n_inputs:
        raise ValueError("autonomous_start: expected a series without inputs; received data with inputs u. "
                         "Draw a driven reservoir with sysid.ESN.random instead.")
    n, p = _check.count(n_states, "n_states", "autonomous_start"), records[0].n_outputs
    radius, feedback_scale, bias_scale, noise = (
        _check.positive(value, name, "autonomous_start", zero=True) for value, name in
        ((radius, "radius"), (feedback_scale, "feedback_scale"), (bias_scale, "bias_scale"), (noise, "noise")))
    W = radius * np.asarray(orthogonal(n, rng=rng))
    esn = ESN(W, None, bias_scale * rng.uniform(-1, 1, n), leak, W_fb=feedback_scale * rng.uniform(-1, 1, (n, p)),
              dt=records[0].dt)
    taught: Any = Readout(ridge=ridge, washout=min(20, records[0].n_steps // 5)).fit(records, esn)
    return Process(taught.model, Q=np.full(n, noise), R=taught.process.R, initial=Gaussian(np.zeros(n), np.full(n, noise)))
