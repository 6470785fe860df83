"""The eigensystem realisation algorithm, from measured impulse responses or through an observer (OKID)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..models.lti import LTI
from .arx import ARX, PolynomialFit, innovations_process
from .fit import Fit
from .joint_regression import joint_regression
from .records import common_scales


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ERAFit(Fit):
    """A realisation: Fit (model, process, status, ...) with the singular values of the Hankel matrix.

    singular_values: (k,), largest first.
    """

    singular_values: np.ndarray

    def plot(self, ax: Any = None) -> Any:
        """Draw the singular values and the order; return the axes."""
        from .. import plot
        ax = plot.axes(ax)
        s = self.singular_values[:40]
        ax.semilogy(np.arange(1, len(s) + 1), np.maximum(s, s[0] * 1e-16), "o-", color=plot.COLOURS["model"], markersize=3)
        ax.axvline(self.model.n_states, color=plot.COLOURS["second"], linewidth=0.8, label="chosen")
        plot.legend(ax)
        ax.set_xlabel("order")
        ax.set_ylabel("singular value")
        return ax


@dataclass(frozen=True)
class ERA:
    """Realise a model from impulse responses [Juang & Pappa 1985; Juang, Phan, Horta & Longman 1993].

        H_k = [h_{i+j+k+1}],   H_0 = U S V',   A = S^-1/2 U' H_1 V S^-1/2,  B, C from the first columns and rows,  D = h_0

    n_states: order, or None for the largest drop of the singular values.
    horizon: block rows and columns of the Hankel matrix. lags: of the observer that is fitted to the data first (an ARX
    model, whose impulse response is that of the system); None for twice the horizon, or fewer where the data are short.
    Suits lightly damped systems with little noise; otherwise Subspace. Cost O(T (lags (m + p))^2 + (horizon p)^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_states: int | None = None
    horizon: int = 20
    lags: int | None = None

    def __post_init__(self) -> None:
        _check.options(self, n_states="count", lags="count")
        _check.count(self.horizon, "horizon", "ERA", least=2)

    def fit(self, data: list[Data], start: Any = None) -> ERAFit:
        """Realise the impulse response of an observer; `start` must be None.

        Raises ValueError for a start, data without inputs, or records too short for the horizon.
        """
        if start is not None:
            raise ValueError("fit(ERA): expected no start, because the method does not iterate; received one.")
        p, m = data[0].n_outputs, data[0].n_inputs
        if m == 0:
            raise ValueError("fit(ERA): expected data with inputs; received none. For free decays use sysid.Subspace.")
        samples = sum(len(d) for d in data)
        lags = self.lags or int(max(1, min(2 * self.horizon, samples / (5 * (m + p)))))
        observer = ARX(lags, lags + 1, 0).fit(data)
        A, B, C, D, s = realise(observer.model.markov_parameters(2 * self.horizon + 1), self.n_states)
        return _finished(A, C, s, observer, data)


def realise(h: np.ndarray, n_states: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A (n, n), B (n, m), C (p, n), D (p, m) and singular values from Markov parameters h (2 k + 1, p, m), h[0] = D."""
    k, (p, m) = (len(h) - 1) // 2, h.shape[1:]
    blocks = np.stack([[h[i + j + 1] for j in range(k)] for i in range(k)])
    later = np.stack([[h[i + j + 2] for j in range(k)] for i in range(k - 1)])
    H0 = blocks.transpose(0, 2, 1, 3).reshape(k * p, k * m)
    H1 = later.transpose(0, 2, 1, 3).reshape((k - 1) * p, k * m)
    U, s, Vt = np.linalg.svd(H0[: (k - 1) * p], full_matrices=False)
    n = n_states or _largest_drop(s)
    if n >= len(s):
        raise ValueError(f"fit(ERA): expected n_states below {len(s)}, the size of the Hankel matrix; received {n}. Raise horizon.")
    root = np.sqrt(s[:n])
    A = (U[:, :n] / root).T @ H1 @ (Vt[:n].T / root)
    return A, root[:, None] * Vt[:n, :m], U[:p, :n] * root, h[0], s


def _largest_drop(s: np.ndarray) -> int:
    """The order before the largest ratio of neighbouring singular values above rounding."""
    kept = s[s > 1e-10 * s[0]]
    if len(kept) < len(s) // 2:
        return len(kept)  # what follows is rounding
    half = max(1, min(len(kept) - 1, len(s) // 2))
    return int(np.argmax(kept[:half] / kept[1 : half + 1])) + 1 if len(kept) > 1 else 1


def _finished(A, C, s: np.ndarray, observer: PolynomialFit, data: list[Data]) -> ERAFit:
    """B, D, offset and initial states by simulation error where A is stable, the noise as white measurement noise."""
    notes = []
    if np.abs(np.linalg.eigvals(A)).max(initial=0.0) > 1 + 1e-3:
        raise ValueError("fit(ERA): the realisation is unstable, so its response cannot be fitted. Lower n_states or lags, or use "
                         'sysid.Subspace(weighting="ssarx").')  # fmt: skip
    scales = common_scales(data, "fit(ERA)")
    scaled_C = C / scales.y_scale[:, None]
    rest = joint_regression(A, np.ascontiguousarray(scaled_C), scales.apply(data))
    model = LTI(**scales.restore(A, rest.B, scaled_C, rest.D, rest.d), dt=data[0].dt)
    cov = np.diag(rest.mean_square * scales.y_scale**2)
    process = innovations_process(model, np.zeros((len(A), len(C))), cov, data)
    if not np.isfinite(cov).all():
        notes.append("the simulation error is not finite")
    return ERAFit(model=model, process=process, singular_values=s, initial_states=rest.initial_states, notes=tuple(notes))
