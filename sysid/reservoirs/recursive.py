"""Readout that adapts: recursive least squares with forgetting, in square-root form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from .. import _check
from ..core.data import Data
from ..identification.fit import Fit
from ..kernels import recursive_least_squares
from ..kernels._jit import as_float
from .readout import readout_process
from .states import reservoir_of, rows


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RecursiveFit(Fit):
    """An adaptive readout after the last sample. predicted : one (T', p) array a sequence, each row made before its target."""

    predicted: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class RecursiveReadout:
    r"""Train the readout sample by sample, old samples forgotten geometrically [Haykin 2002, ch. 15].

    .. math:: \min_{C,d} \sum_t \beta^{T-t} \| y_t - C\varphi_t - d \|^2 + \beta^T \text{ridge}\,\|C\|^2

    forgetting : beta in (0, 1]; 1/(1 - beta) samples count. ridge : of the start, forgotten with the rest.
    washout : samples dropped at the start of every sequence. The triangular factor is rotated, never an inverse updated,
    so it stays definite however long it runs. With forgetting = 1 the result is the ridge regression of `Readout` with an
    intercept penalised by 1e-12 of the ridge. `fit.predicted` holds the predictions made before each sample was seen.
    A row with a missing target is left out; `fit.history["loss"]`, the mean square of what each row was missed by, is NaN there. O(T k^2).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    forgetting: float = 0.999
    ridge: float = 1e-6
    washout: int = 100

    def __post_init__(self) -> None:
        _check.options(self, forgetting="share", ridge="positive")
        _check.count(self.washout, "washout", "RecursiveReadout", least=0)

    def fit(self, data: list[Data], start: Any) -> RecursiveFit:
        """Train on single sequences, one after the other; `start` is the reservoir."""
        model = reservoir_of(start, "fit(RecursiveReadout)")
        samples = list(rows(model, data, self.washout, "fit(RecursiveReadout)"))
        k, p = samples[0][0].shape[1] + 1, samples[0][1].shape[1]
        R, Z, work = np.sqrt(self.ridge) * np.eye(k), np.zeros((k, p)), np.empty(k + p)
        R[-1, -1] *= 1e-6
        predicted = []
        for X, Y in samples:
            out = np.empty(Y.shape)
            wide = as_float(np.hstack([X, np.ones((len(X), 1))]))
            recursive_least_squares.square_root(wide, as_float(Y), self.forgetting, True, R, Z, out, work)
            predicted.append(out)
        weights = linalg.solve_triangular(R, Z).T
        trained = model.with_readout(np.ascontiguousarray(weights[:, :-1]), weights[:, -1])
        errors = np.vstack([out - Y for out, (_, Y) in zip(predicted, samples)])
        known = ~np.isnan(errors).any(1)
        recent = errors[known][len(errors[known]) // 2 :]
        R_noise = recent.T @ recent / max(len(recent), 1)
        return RecursiveFit(model=trained, process=readout_process(trained, R_noise, samples), predicted=tuple(predicted),
                            history={"loss": (errors ** 2).mean(1)})
