"""Comparing reservoirs (size, topology, seed) by their marginal likelihood, in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..models.names import renamed
from .hyperparameters import ReservoirEM
from .reservoir_fit import ReservoirFit


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Shown):
    """Candidates in the order of their evidence.

    names: labels. fits: one ReservoirFit each, None where it failed. evidence (k,): Laplace log marginal likelihood, -inf
    where it failed. reasons: why a fit failed, empty where it did not.
    """

    names: tuple[str, ...]
    fits: tuple[ReservoirFit | None, ...]
    evidence: np.ndarray
    reasons: tuple[str, ...]

    @property
    def best(self) -> ReservoirFit:
        """The fit with the highest evidence. Raises ValueError where none could be fitted."""
        if self.fits[0] is None:
            raise ValueError(f"Selection.best: no candidate could be fitted; the first failed with: {self.reasons[0]}")
        return self.fits[0]

    @property
    def weights(self) -> np.ndarray:
        """Posterior probability of every candidate (k,) under equal prior odds."""
        w = np.exp(self.evidence - self.evidence.max())
        return w / w.sum()

    def summary(self) -> dict[str, Any]:
        return {name: f"evidence {e:.2f}, weight {w:.3f}" if fit is not None else f"failed: {why}"
                for name, e, w, fit, why in zip(self.names, self.evidence, self.weights, self.fits, self.reasons)}


def select_reservoir(data: Data | Iterable[Data], method: ReservoirEM, candidates: Mapping[str, Any], *, n_jobs: int = 1,
                     ) -> Selection:
    """Fit every candidate start and rank them by the marginal likelihood of the data.

        log p(y) ~ log p(y | theta, C) + log p(C) + (k / 2) log 2 pi - (1 / 2) log |I|      [MacKay 1992, Laplace]

    with the hyperparameters at their estimates and the readout integrated out with its Gauss-Newton information I.
    Without "readout" in `method.estimate` it is the maximised likelihood itself.

    data: as for `fit`. candidates: label -> Process, such as reservoirs of other sizes, topologies or seeds.
    n_jobs: processes of joblib, which takes its backend from the caller: under
    `joblib.parallel_config(backend="dask")` the candidates go to a Dask cluster.
    Raises TypeError for candidates that are no dict of processes, ValueError for none.
    """
    from joblib import Parallel, delayed

    records = experiments(data, "select_reservoir")
    if not isinstance(candidates, Mapping):
        raise TypeError("select_reservoir: expected candidates as a dict of label -> Process, such as {'small': a, 'large': b}; "
                        f"received {_check.received(candidates)}.")
    _check.count(len(candidates), "the number of candidates", "select_reservoir")
    found = Parallel(n_jobs=n_jobs)(delayed(_fitted)(records, method, start) for start in candidates.values())
    evidence = np.array([-np.inf if fit is None else fit.log_evidence for fit, _ in found])
    if not np.isfinite(evidence).any():  # under a flat prior no candidate has an evidence: those that were fitted rank alike
        evidence = np.array([-np.inf if fit is None and any(other for other, _ in found) else 0.0 for fit, _ in found])
    order = np.argsort(-evidence, kind="stable")
    names = list(candidates)
    return Selection(tuple(names[i] for i in order), tuple(found[i][0] for i in order), evidence[order],
                     tuple(found[i][1] for i in order))


def _fitted(records: list[Data], method: ReservoirEM, start: Any) -> tuple[ReservoirFit | None, str]:
    try:
        return renamed(method.fit(records, start), records[0], start), ""
    except (ValueError, np.linalg.LinAlgError) as error:
        return None, str(error)
