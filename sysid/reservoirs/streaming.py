"""Readout from a stream: exact ridge regression with memory that does not grow with time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..identification.fit import Fit
from ..models.esn_functions import readout_features
from ..models.process import Process
from .least_squares import Triangle, penalties
from .states import driven_states, require_fit, reservoir_of


@dataclass
class ReadoutStream:
    """Statistics of a readout that grows stretch by stretch: the triangle of [features, targets], and the state carried on.

    model : the reservoir. washout : samples dropped after every `reset`. chunk : samples driven at once.
    """

    model: Any
    n_outputs: int
    washout: int = 100
    chunk: int = 2048
    triangle: Triangle = field(init=False)
    state: np.ndarray = field(init=False)
    seen: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        phi = readout_features(self.model)
        self.triangle = Triangle(np.size(phi(np.zeros(self.model.n_states))), self.n_outputs)
        self.reset()

    def reset(self) -> ReadoutStream:
        """Begin another sequence from rest; what was learnt stays. Returns itself."""
        self.state, self.seen = np.zeros(self.model.n_states), 0
        return self

    def extend(self, data: Data) -> ReadoutStream:
        """Go on with the next stretch of the same sequence (single, in order). Rows with a missing target are left out."""
        require_fit(self.model, data, "ReadoutStream.extend")
        if data.is_batch or data.n_outputs != self.n_outputs:
            raise ValueError(f"ReadoutStream.extend: expected one sequence with {self.n_outputs} outputs; received "
                             f"{data.y.shape}.")
        phi = readout_features(self.model)
        for a in range(0, data.n_steps, self.chunk):
            part = data[a : a + self.chunk]
            x, self.state = driven_states(self.model, part, self.state)
            skip = max(self.washout - self.seen, 0)
            self.seen += part.n_steps
            keep = np.asarray(~part.missing.any(1))
            keep[:skip] = False
            if keep.any():
                self.triangle.add(phi(x)[keep], part.y[keep])
        return self

    def merge(self, other: ReadoutStream) -> ReadoutStream:
        """Add what another stream has seen, from another sequence or machine. Returns itself."""
        self.triangle.merge(other.triangle)
        return self

    def solve(self, ridge: Any = 1e-6) -> Fit:
        """Train on what was seen so far; several penalties are compared by generalised cross-validation."""
        values = penalties(ridge, "ReadoutStream.solve")
        path, n = self.triangle.path(), self.model.n_states
        losses = np.array([path.gcv(float(r)) for r in values])
        best = float(values[np.argmin(losses)])
        trained = self.model.with_readout(*path.solve(best))
        cov = path.R.T @ path.R / max(path.count - 1, 1.0)
        initial = Gaussian(path.mean_x[:n], cov[:n, :n]) if len(cov) >= n else None
        process = Process(trained, Q=np.zeros((n, n)), R=path.residual_covariance(best), initial=initial)
        return Fit(model=trained, process=process, history={"ridge": values, "loss": losses})


@dataclass(frozen=True)
class StreamingReadout:
    """Train the readout in chunks with constant memory; the result is `Readout`'s to rounding.

    ridge : as in `Readout`; several are compared by generalised cross-validation. washout : samples dropped at the start
    of every sequence. chunk : samples driven at once. For data that arrive over time: `stream = method.begin(esn, p)`,
    `stream.extend(data)` as often as wanted, `stream.solve()` at any time.
    O(T k^2) time, O(k^2 + chunk n) memory.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    ridge: Any = 1e-6
    washout: int = 100
    chunk: int = 2048

    def __post_init__(self) -> None:
        penalties(self.ridge, "StreamingReadout")
        _check.count(self.washout, "washout", "StreamingReadout", least=0)
        _check.count(self.chunk, "chunk", "StreamingReadout")

    def begin(self, esn: Any, n_outputs: int) -> ReadoutStream:
        """Return an empty stream for a reservoir and p outputs. Raises TypeError or ValueError for what is no reservoir or no count."""
        n_outputs = _check.count(n_outputs, "n_outputs", "StreamingReadout.begin")
        return ReadoutStream(reservoir_of(esn, "StreamingReadout.begin"), n_outputs, self.washout, self.chunk)

    def fit(self, data: list[Data], start: Any) -> Fit:
        """Train on single sequences; `start` is the reservoir. Raises ValueError for sequences no longer than the washout."""
        stream = self.begin(start, data[0].n_outputs)
        for sequence in data:
            if sequence.n_steps <= self.washout:
                raise ValueError(f"fit(StreamingReadout): expected more than washout = {self.washout} samples in every "
                                 f"sequence; received {sequence.n_steps}.")
            stream.reset().extend(sequence)
        return stream.solve(self.ridge)
