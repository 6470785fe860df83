"""How far a drive bends the units of a reservoir: slopes and shares of saturated units along data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..models.gated_esn import GatedESN
from .states import driven_states, without_gaps


@dataclass(frozen=True, eq=False, repr=False)
class Saturation(Shown):
    """Preactivations and slopes along data.

    mean_slope : average of s'(xi) over units and time. least_slope : 1st percentile. share : of units and times with a
    slope below a quarter of the largest. spread : standard deviation of the preactivations.
    """

    mean_slope: float
    least_slope: float
    share: float
    spread: float

    def summary(self) -> dict[str, Any]:
        return {"mean slope": self.mean_slope, "1st percentile of slopes": self.least_slope,
                "share of saturated units": self.share, "std of preactivations": self.spread}


def preactivations(model: Any, data: Data, washout: int = 0) -> np.ndarray:
    """xi[t] = W x[t] + W_in u[t] + W_fb y[t] + bias (T - washout, n) along one sequence; of a gated one W is that at u[t]."""
    network = getattr(model, "flat", model)
    x, _ = driven_states(model, data)
    xi = (network.W @ x.T).T + data.inputs @ network.W_in.T + network.bias
    if isinstance(network, GatedESN):
        xi = xi + ((x @ network.W_gate.T) * (data.inputs @ network.G.T)) @ network.P.T
    if network.n_feedback:
        xi = xi + without_gaps(data.y) @ network.W_fb.T
    return xi[washout:]


def saturation(model: Any, data: Any, washout: int = 0) -> Saturation:
    """Measure the slopes at which the units of a reservoir (`model`) work along `data`; washout samples are dropped.

    Raises TypeError or ValueError for what is no reservoir, or sequences no longer than the washout.
    """
    records, washout = experiments(data, "saturation"), _check.count(washout, "washout", "saturation", least=0)
    _check.kind(model, hasattr(model, "act"), "a reservoir such as sysid.ESN", "saturation")
    if any(d.n_steps <= washout for d in records):
        raise ValueError(f"saturation: expected more than washout = {washout} samples in every sequence; "
                         f"received {min(d.n_steps for d in records)}.")
    xi = np.vstack([preactivations(model, d, washout) for d in records])
    slopes = model.act.derivative(xi)
    top = max(abs(s) for s in model.act.slope)
    return Saturation(float(slopes.mean()), float(np.quantile(slopes, 0.01)), float((slopes < top / 4).mean()), float(xi.std()))
