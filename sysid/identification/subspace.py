"""Subspace identification: N4SID, MOESP, CVA, IVM and SSARX as one algorithm with different weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..models.lti import LTI
from ..models.process import Process
from .candidates import UNSTABLE, Candidate, Search
from .excitation import check_excitation
from .fit import Fit
from .held_out import better_focus
from .integrated import fit_integrated
from .joint_regression import Record, bridge
from .order import information_criterion
from .realization import WEIGHTINGS, decompose
from .records import Scales, common_scales
from .windows import ENOUGH, Windows, longest_horizon

_AMPLE = 10.0  # windows a column where the order is chosen by a likelihood ratio


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SubspaceFit(Fit):
    """A subspace estimate: Fit (model, process, status, history, ...) with the figures that the choices were made by.

    gain: K (n, p) of the innovations form, None where the Riccati equation failed (then `notes` says so).
    innovation_cov: (p, p). singular_values: of the weighted projection, and order_criterion: (k + 1,) information
    criterion for orders 0..k, smallest is best, both at a horizon with ten windows a column, where noise is flat. weighting, past, future, focus: what was used.
    candidates: (weighting, horizon, error) of every combination that was tried. factorisation: how the windows were
    compressed: "cholesky" of their Gram matrix, or "householder" where that would have cost more than half of the digits.
    """

    gain: np.ndarray | None
    innovation_cov: np.ndarray
    singular_values: np.ndarray
    order_criterion: np.ndarray
    weighting: str
    past: int
    future: int
    focus: str = "simulation"
    candidates: tuple[tuple[str, int, float], ...] = ()
    factorisation: str = "householder"

    def summary(self) -> dict[str, Any]:
        return super().summary() | {"weighting": self.weighting, "horizon (past, future)": (self.past, self.future), "focus": self.focus,
                                    "singular values": self.singular_values[:8], "windows compressed by": self.factorisation}  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw the singular values and the information criterion against the order; return the two axes. On one axes given, the first alone."""
        from .order_figure import draw_order
        return draw_order(self.singular_values, self.order_criterion, self.model.n_states, ax)


@dataclass(frozen=True)
class Subspace:
    """Estimate a linear process from windows of the data by projections and least squares [Van Overschee & De Moor 1996].

        Y_f = Gamma x + H U_f + E_f;   Gamma from a weighted projection of the future on the past;   A, C from Gamma
        B, D, offset and initial states jointly by least squares on the simulation error (prediction error without inputs)
        Q, R, S from the residuals of the state sequence, K from a Riccati equation or an autoregression, then refined

    n_states: order, or None to choose it: the Bayesian criterion on the error over the estimation data, each order at its
    best horizon, up to the order that the canonical correlations support [Bauer 2001] and at most 12.
    weighting: "n4sid", "moesp", "cva", "ivm", "ssarx" (also valid in closed loop), or "auto": the best of MOESP and
    CVA on the estimation data.
    horizon: block rows of past and future, one number or a pair; None tries several, as long as the windows outnumber
    their entries by half, and keeps the one with the smallest error on the estimation data: all have as many parameters.
    focus: what "smallest error" means and what B, D minimise: "simulation", or "prediction" (one step; always so
    without inputs and for "ssarx"). None tries both where the horizon is None too and keeps the one that simulates
    thirds left out of the estimation better; under a given horizon it means "simulation".
    feedthrough: estimate D; else D = 0. Set it False in closed loop without delay.
    integrators: 1 where every output is the sum of something stationary (a position, a level, an energy): the
    differences are identified and an integrator is put behind each output; the order counts them.
    stable: constrain A to be stable by a convex least-squares problem [Lacy & Bernstein 2003] where it is not.
    Missing outputs: windows with a gap are left out; where that leaves too few, gaps are bridged, which a note says. Several experiments: their windows are pooled.
    Cost O(T h (m + p)^2), on ill-conditioned records O(T (h (m + p))^2); memory O((h (m + p))^2) beyond the data.
    Raises ValueError where the horizon does not exceed the order, the samples are too few, an output is constant or
    the inputs are linearly dependent.
    """

    n_states: int | None = None
    weighting: str = "auto"
    horizon: int | tuple[int, int] | None = None
    focus: str | None = None
    feedthrough: bool = True
    stable: bool = False
    integrators: int = 0

    def __post_init__(self) -> None:
        _check.options(self, feedthrough="flag", stable="flag")
        if self.n_states is not None:
            _check.count(self.n_states, "n_states", "Subspace")
        _check.choice(self.weighting, "weighting", "Subspace", ("auto", *WEIGHTINGS))
        if self.focus is not None:
            _check.choice(self.focus, "focus", "Subspace", ("simulation", "prediction"))
        if self.integrators not in (0, 1):
            raise ValueError(f"Subspace: expected integrators 0 or 1; received {self.integrators!r}.")
        if self.horizon is not None:
            for h in self.horizon if isinstance(self.horizon, tuple) else (self.horizon,):
                _check.count(h, "horizon", "Subspace")

    def fit(self, data: list[Data], start: Any = None) -> SubspaceFit:
        """Estimate from single sequences; `start` must be None.

        Raises ValueError for a start, inputs that do not move independently, or records too short for the
        order.
        """
        if start is not None:
            raise ValueError("fit(Subspace): expected no start, because the method does not iterate; received one. "
                             "Refine its result: sysid.fit(data, sysid.PredictionError(), start=fit).")  # fmt: skip
        if self.integrators:
            return fit_integrated(self, data)
        scales = common_scales(data, "fit(Subspace)")
        records = scales.apply(data)
        gaps = any(np.isnan(y).any() for y, _ in records)
        ample = self._horizons(records, _AMPLE)
        largest = ample if gaps else self._horizons(records, ENOUGH)  # a long window seldom misses every gap
        windows, bridged = self._windows(records, sum(largest))
        self._enough(windows, records)
        criterion = information_criterion(windows, *ample)
        weightings = (self.weighting,) if self.weighting != "auto" else ("moesp", "cva") if windows.n_inputs else ("cva",)
        foci = self._foci(windows.n_inputs)
        search = Search(self.n_states or 1, foci[0], self.feedthrough, self.stable)
        decomposed = functools.cache(functools.partial(decompose, windows))  # orders and foci share them
        n = self.n_states or search.order(windows, records, lambda k: self._pairs(k, largest, records), weightings,
                                          min(max(int(np.argmin(criterion)), 1), self._carried(largest, windows)), decomposed)
        pairs = self._pairs(n, largest, records)
        check_excitation(data, n + min(f for _, f in pairs), "fit(Subspace)", windows)
        search = replace(search, n_states=n)
        found = {f: replace(search, focus=f).best(windows, records, pairs, weightings, decomposed) for f in foci}
        focus = better_focus(records, {f: candidate for f, (candidate, _) in found.items()}, search)
        best, table = found[focus]
        part = best.part
        seen = part if (part.past, part.future) == ample else decomposed(*ample, part.weighting)
        return _result(best.with_noise(windows, records), table, focus, (seen.singular_values, criterion), scales, data, bridged,
                       windows.factorisation)

    def _foci(self, n_inputs: int) -> tuple[str, ...]:
        """The criteria for B, D and the horizon to choose from."""
        if self.focus is not None:
            return (self.focus,)
        if n_inputs == 0 or self.weighting == "ssarx":
            return ("prediction",)
        return ("simulation", "prediction") if self.horizon is None else ("simulation",)

    def _windows(self, records: Sequence[Record], length: int) -> tuple[Windows, bool]:
        """The factor of the complete windows; where gaps leave too few, of all windows with the gaps bridged."""
        windows = Windows.compress(records, length)
        if windows.count >= 2 * windows.R.shape[1] or not any(np.isnan(y).any() for y, _ in records):
            return windows, False
        return Windows.compress([(bridge(y), u) for y, u in records], length), True

    def _horizons(self, records: Sequence[Record], windows_per_column: float) -> tuple[int, int]:
        """The horizon that was asked for, or the largest that leaves so many windows a column of the window matrix."""
        if self.horizon is not None:
            return self.horizon if isinstance(self.horizon, tuple) else (self.horizon, self.horizon)
        shortest = max(2, -(-(self.n_states or 1) // records[0][0].shape[1]) + 1)
        return (max(longest_horizon(records, windows_per_column), shortest),) * 2

    def _pairs(self, n: int, largest: tuple[int, int], records: Sequence[Record]) -> list[tuple[int, int]]:
        """Horizons to try for order n; refuse a horizon that cannot carry it."""
        p, m = records[0][0].shape[1], records[0][1].shape[1]
        past, future = largest
        if (future - 1) * p < n or past * (m + p) < n:
            need = max(-(-n // p) + 1, -(-n // (m + p)))
            raise ValueError(f"fit(Subspace): expected a horizon above the order, at least {need} block rows for n_states = {n} "
                             f"with {p} outputs; received horizon = {self.horizon or past}. Raise horizon or lower n_states.")  # fmt: skip
        if self.horizon is not None:
            return [largest]
        shortest = max(2, -(-n // p) + 1)
        return [(h, h) for h in sorted({round(h) for h in np.geomspace(shortest, past, 6)})]

    def _carried(self, largest: tuple[int, int], windows: Windows) -> int:
        """The largest order that a horizon can carry."""
        past, future = largest
        return min((future - 1) * windows.n_outputs, past * (windows.n_inputs + windows.n_outputs))

    def _enough(self, windows: Windows, records: Sequence[Record]) -> None:
        columns = windows.R.shape[1]
        if windows.count < columns:
            need = columns + windows.length - 1
            gaps = " without a gap" if any(np.isnan(y).any() for y, _ in records) else ""
            raise ValueError(f"fit(Subspace): expected at least {need} samples{gaps} for {windows.length // 2} block rows with "
                             f"{windows.n_inputs} inputs and {windows.n_outputs} outputs, that is {columns} windows; received "
                             f"{sum(len(y) for y, _ in records)} samples and {windows.count} windows. Lower horizon or n_states, or record longer.")  # fmt: skip


def _result(best: Candidate, table: list, focus: str, spectrum: tuple[np.ndarray, np.ndarray], scales: Scales, data: Sequence[Data], bridged: bool,
            factorisation: str) -> SubspaceFit:
    """The chosen realisation in original units, with its noise, prior and the sentences the user ought to read."""
    r, part = best.rest, best.part
    model = LTI(**scales.restore(best.A, r.B, best.C, r.D, r.d), dt=data[0].dt)
    noise, spread = best.noise, scales.y_scale
    assert noise is not None
    units = np.outer(spread, spread)
    notes = []
    if noise.gain is None:
        notes.append(f"no Kalman gain: the Riccati equation of the noise has no stabilising solution ({noise.failure}); "
                     "the model stands, its noise is the raw residual covariance")
    if bridged:
        notes.append("gaps leave too few complete windows: they were bridged by straight lines to find A and C; refine with "
                     "PredictionError or EM, which treat gaps as gaps")
    if best.radius > UNSTABLE:
        notes.append(f"the model is unstable (spectral radius {best.radius:.4f}): simulation is not meaningful, judge it by "
                     "prediction; if the plant is stable use stable=True, another horizon or a lower order")
    longest = max(len(d) for d in data)
    poles = np.linalg.eigvals(best.A)
    drifting = np.abs(poles[np.abs(np.angle(poles)) * longest < 2 * np.pi]).max(initial=0.0)  # less than one cycle in the record
    if np.exp(-1 / longest) < drifting and best.radius <= UNSTABLE and data[0].n_inputs:
        notes.append(f"the slowest mode (|pole| = {drifting:.4f}) outlasts the longest record ({longest} samples): its gain is not determined "
                     "by these data, and simulations of other records may drift; use records that hold the slow motion, a lower order, or "
                     "integrators=1 where the plant integrates")  # fmt: skip
    if best.stabilised:
        notes.append("A was constrained to be stable; the unconstrained shift equation gave an unstable one")
    # The state of the data around the mean operating point x = 0: where a record of this plant may begin.
    prior = Gaussian(np.zeros(len(best.A)), best.state_cov + noise.Q)
    process = Process(model, noise.Q, noise.R * units, noise.S * spread, prior)
    return SubspaceFit(model=model, process=process, initial_states=r.initial_states, notes=tuple(notes),
                       gain=None if noise.gain is None else noise.gain / spread, innovation_cov=noise.innovation_cov * units,
                       singular_values=spectrum[0], order_criterion=spectrum[1],
                       weighting=part.weighting, past=part.past, future=part.future, focus=focus, candidates=tuple(table),
                       factorisation=factorisation, history={"loss": np.array([best.loss])})  # fmt: skip
