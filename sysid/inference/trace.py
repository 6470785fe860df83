"""What one run of a filter leaves behind, and what it starts from: the arrays that smoothers and forecasts read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .memory import empty

STORE = ("all", "mean", "last")


@dataclass(frozen=True)
class Stretch:
    """S sequences of one length to run a filter over.

    u: (S or 1, T, m). y: (S, T, p), NaN where missing. mean: (S, n), cov: (n, n), the law of the first state.
    start: the step number of the first sample, for models that vary in time. store: "all" keeps means and covariances,
    "mean" the means, "last" the end alone. diffuse: (n, d) directions of infinite variance in the first state.
    """

    u: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    start: int = 0
    store: str = "all"
    diffuse: np.ndarray | None = None

    @property
    def is_diffuse(self) -> bool:
        return self.diffuse is not None and self.diffuse.shape[1] > 0

    @property
    def n_steps(self) -> int:
        return self.y.shape[1]

    def sequence(self, s: int) -> Stretch:
        """The stretch of sequence s alone."""
        return self.sequences(slice(s, s + 1))

    def sequences(self, which: slice) -> Stretch:
        """The stretch of some sequences alone."""
        u = self.u if len(self.u) == 1 else self.u[which]
        return Stretch(u, self.y[which], self.mean[which], self.cov, self.start, self.store, self.diffuse)


@dataclass(frozen=True)
class Trace:
    """The run of a filter over S sequences that share their covariances.

    xp, xf: (S, T, n) predicted and filtered means. yp: (S, T, p) predicted outputs, None where not kept.
    Pp, Pf: (k, n, n) covariances in slots named by index (T,), None where not kept.
    AT, Q: (k or 1, n, n) transposed state matrices and process covariances as the smoother needs them.
    C, R: (k or 1, p, n), (k or 1, p, p) as the innovation covariance needs them.
    log_density: (S, T). mean: (S, n), cov: (n, n), the law of the state after the last step. share: the smallest share
    that cancellation left of any variance. n_diffuse: measurements spent on a diffuse start. end: (n, d) directions of
    infinite variance left after the last step. extra: what a method keeps for its own smoother.
    """

    xp: np.ndarray
    xf: np.ndarray
    yp: np.ndarray | None
    Pp: np.ndarray | None
    Pf: np.ndarray | None
    index: np.ndarray
    AT: np.ndarray
    Q: np.ndarray
    C: np.ndarray
    R: np.ndarray
    log_density: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    share: float = 1.0
    form: str = "covariance"
    n_diffuse: int = 0
    end: np.ndarray | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def n_sequences(self) -> int:
        return len(self.xf)

    def predicted_cov(self) -> np.ndarray:
        """P(t|t-1): (T, n, n), with infinite variances where a diffuse start has not been resolved."""
        return with_infinite(unfolded(self._kept(self.Pp), self.index), self.extra.get("infinite predicted"))

    def filtered_cov(self) -> np.ndarray:
        """P(t|t): (T, n, n), with infinite variances where a diffuse start has not been resolved."""
        return with_infinite(unfolded(self._kept(self.Pf), self.index), self.extra.get("infinite filtered"))

    def innovation_cov(self) -> np.ndarray:
        """C P(t|t-1) C' + R: (T, p, p), with infinite variances where a diffuse start has not been resolved."""
        if "S" in self.extra:
            return self.extra["S"]
        Pp = self._kept(self.Pp)
        if len(self.C) == 1 and len(self.R) == 1:
            S = unfolded(self.C[0] @ Pp @ self.C[0].T + self.R[0], self.index)
        else:
            S = self.C @ unfolded(Pp, self.index) @ self.C.swapaxes(1, 2) + self.R
        S = (S + S.swapaxes(1, 2)) / 2
        none = np.diagonal(S, axis1=1, axis2=2) <= 0  # rounding may take a variance of zero below it
        if none.any():
            S[none[:, :, None] | none[:, None, :]] = 0.0
        return with_infinite(S, self.extra.get("infinite outputs"))

    def _stored(self) -> Trace:
        """Without what later passes would compute from it by functions."""
        return replace(self, extra={key: value for key, value in self.extra.items() if not callable(value)})

    def __getstate__(self) -> dict[str, Any]:
        return dict(self._stored().__dict__)

    @staticmethod
    def _kept(P: np.ndarray | None) -> np.ndarray:
        if P is None:
            raise ValueError('filter: covariances were not kept; call it with store="all".')
        return P


def unfolded(P: np.ndarray, index: np.ndarray) -> np.ndarray:
    """P[index], (T, ., .): P itself, read-only, where every step has a slot of its own."""
    if len(P) == len(index) > 0 and index[-1] == len(P) - 1:
        whole = P.view()
        whole.setflags(write=False)
        return whole
    whole = empty((len(index), *P.shape[1:]))
    return np.take(P, index, axis=0, mode="clip", out=whole)  # for small matrices many times faster than indexing


def with_infinite(cov: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    """Set the variances marked in `where` (k, n), the first k steps, to infinity."""
    if where is not None:
        cov = cov if cov.flags.writeable else cov.copy()
        step, i = np.nonzero(where)
        cov[step, i, i] = np.inf
    return cov
