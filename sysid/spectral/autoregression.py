"""The exact finite autoregression of a linear system, of order n in the outputs and n + 1 in the inputs.

With the monic characteristic polynomial z^n + c_1 z^(n-1) + ... + c_n of A and c_0 = 1,

    y[t] = -sum_{i=1..n} c_i y[t-i] + sum_{i=0..n} G_i u[t-i],     G_i = sum_{j<=i} c_j h_{i-j}

for every t if u and y vanish before t = 0, and from t = n on for any initial state. Source: [STU, Eq. 9], Theorem 5.1 (D.1);
the leading coefficient is the one that may be set to 1: for singular A the constant one is zero (corrections #38).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..kernels import recurrence
from ..kernels._jit import as_float
from ..models.lti import LTI
from ..models.protocol import wide_input
from .features import matrix_convolution


@dataclass(frozen=True, eq=False, repr=False)
class Autoregression(Shown):
    """Hold y[t] = sum_i F_i y[t-i] + sum_i G_i u[t-i]; feedback (n,) are the scalars F_i = -c_i, taps (n+1, p, m) the G_i."""

    feedback: np.ndarray
    taps: np.ndarray
    dt: float = 1.0

    def predict(self, data: Data) -> np.ndarray:
        """Predict y[t] (T, p) from the measured outputs before t; missing ones are replaced by predictions. (S, T, p) for a batch.

        Raises TypeError for what is no Data, ValueError for other inputs.
        """
        call = "Autoregression.predict"
        _check.kind(data, isinstance(data, Data), "data as sysid.Data(y, u)", call)
        out = [self._respond(wide_input(d.u, d.n_steps, self.taps.shape[2], call), d.y) for d in data.sequences()]
        return np.stack(out) if data.is_batch else out[0]

    def simulate(self, u: Any) -> np.ndarray:
        """Run on its own outputs from rest; u (T, m), returns (T, p)."""
        u = _check.signal(u, "u", "Autoregression.simulate", self.taps.shape[2])
        return self._respond(u, np.full((len(u), self.taps.shape[1]), np.nan))

    def _respond(self, u: np.ndarray, known: np.ndarray) -> np.ndarray:
        p = self.taps.shape[1]
        Y = np.empty((len(u), p))
        F = np.einsum("i,pq->ipq", self.feedback, np.eye(p))
        recurrence.feedback_response(as_float(F), as_float(matrix_convolution(self.taps, u)),
                                     np.zeros((len(F), p)), as_float(known), Y)
        return Y

    def summary(self) -> dict[str, Any]:
        return {"order": len(self.feedback), "outputs": self.taps.shape[1], "inputs": self.taps.shape[2]}


def finite_autoregression(model: LTI) -> Autoregression:
    """Compute the exact autoregression of a discrete-time LTI, singular A included.

    model: n states, p outputs, m inputs. Returns an Autoregression of order n. Cost O(n^3 + n^2 p m).
    Valid for any A, symmetric or not. The coefficients grow as binomials of n; beyond n of about 20 with clustered poles
    double precision loses the roots.
    Raises TypeError for other models, ValueError for one in continuous time.
    """
    call = "finite_autoregression"
    if not isinstance(model, LTI):
        raise TypeError(f"{call}: expected an LTI; received {type(model).__name__}.")
    if model.dt is None:
        raise ValueError(f"{call}: expected a discrete-time model; received dt=None. Sample it: sysid.discretize(model, dt).")
    n = model.n_states
    c = np.poly(model.A).real if n else np.ones(1)
    h = model.markov_parameters(n + 1)
    taps = np.stack([np.tensordot(c[:i + 1], h[i::-1], axes=(0, 0)) for i in range(n + 1)])  # [STU, Eq. 9]
    return Autoregression(_check.frozen(-c[1:]), _check.frozen(taps), model.dt)
