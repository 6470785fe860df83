"""Standard errors of a likelihood estimate from its observed information [Louis 1982; Oakes 1999].

The information is the negative derivative of the exact score by central differences. A direction that it does not
see, such as a change of state coordinates, makes the errors of the elements that move along it NaN, with a reason;
what does not move along it, such as a pole, keeps its error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla

from ..models.lti import LTI
from ..models.process import Process
from .elements import elements, gauge, shapes_of, unseen
from .em_step import Maximiser
from .exact_likelihood import Coordinates
from .uncertainty import Uncertainty

INTERRUPTED = "the search was interrupted"
_STEP = 1e-4
_FLAT = 1e-7    # of the largest scaled eigenvalue: below it a direction is not seen
_INSIDE = 1e-3  # share of an element's gradient along such directions above which it has no error


@dataclass(frozen=True)
class Errors:
    """Standard deviations by name, bands for an LTI, and the sentences that say what is missing."""

    deviations: Mapping[str, np.ndarray]
    uncertainty: Uncertainty | None
    notes: list[str]


def unknown(process: Process, reason: str) -> Errors:
    """No errors, and why."""
    return Errors({key: np.full(shape, np.nan) for key, shape in shapes_of(process).items()}, None, [f"no standard errors: {reason}"])


@dataclass(frozen=True)
class ObservedInformation:
    """The information (k, k) in the coordinates of a process, and where it was taken; reason: why there is none, or ""."""

    coordinates: Coordinates
    vector: np.ndarray
    matrix: np.ndarray
    reason: str = ""
    still: Callable[[Coordinates, np.ndarray], np.ndarray] = gauge

    @classmethod
    def at(cls, process: Process, maximise: Maximiser, expectation: Callable[[Process], tuple], anchored: bool = False) -> ObservedInformation:
        """Differentiate the score at a process; anchored: with P0 held by what it does to the outputs. Cost 2 k E-steps."""
        for name, cov in (("Q", process.Q), ("R", process.R)):
            if np.linalg.eigvalsh(cov).min(initial=np.inf) <= 1e-12 * np.trace(cov) / max(len(cov), 1):
                return cls(_none(process, maximise), np.zeros(0), np.zeros((0, 0)), f"{name} is singular there, a bound of the parameters")
        coordinates = Coordinates.of(maximise, process, anchored)
        vector = coordinates.vector(process)
        if getattr(expectation, "degrees", None) is not None:
            return cls(coordinates, vector, np.zeros((0, 0)), "under Student noise only a bound of the likelihood is known")
        return cls(coordinates, vector, information(coordinates, vector, expectation), still=unseen if anchored else gauge)

    def errors(self) -> Errors:
        """Standard deviations of all elements and poles."""
        shapes, at, jacobian = elements(self.coordinates, self.vector) if len(self.vector) else ({}, {}, np.zeros((0, 0)))
        if self.reason:
            return unknown(self.coordinates.template, self.reason)
        free = sla.null_space(self.still(self.coordinates, self.vector).T)  # of changes of state coordinates
        found = _Inverse.of(self.matrix, free)
        if found is None:
            return Errors({key: np.full(shape, np.nan) for key, shape in shapes.items()}, None,
                          ["no standard errors: the observed information has negative eigenvalues, so this is no maximum yet; "
                           "lower the tolerance and raise max_iterations"])  # fmt: skip
        spread, lost = found.deviations(jacobian)
        out = {key: spread[at[key]].reshape(shape) for key, shape in shapes.items()}
        notes = []
        if found.flat:
            notes.append(f"{len(self.vector) - free.shape[1]} of {len(self.vector)} directions of the parameters only change the state's "
                         f"coordinates{' or split the same noise otherwise between Q and R' if self.still is unseen else ''} and {found.flat - len(self.vector) + free.shape[1]} more are not determined by the data: "
                         f"{int(lost.sum())} elements have no standard error. Fix the coordinates by `structure`; poles and bands have theirs")  # fmt: skip
        bands = _bands(self.coordinates, jacobian, at, found)
        if bands is not None:
            out["poles"] = bands.pole_deviations()
        return Errors(out, bands, notes)


def n_parameters(coordinates: Coordinates, still: Callable[[Coordinates, np.ndarray], np.ndarray]) -> int:
    """Free parameters of model and noise, less the directions that leave the likelihood as it is; the initial law not counted.

    Counted where all are of one size: at an estimate noises near zero hide directions behind rounding.
    """
    vector = 0.5 * np.random.default_rng(0).standard_normal(len(coordinates.vector(coordinates.template)))
    free = coordinates.parts()["m0"].start
    return free - int(np.linalg.matrix_rank(still(coordinates, vector)[:free])) if free else 0


def information(coordinates: Coordinates, vector: np.ndarray, expectation: Callable[[Process], tuple]) -> np.ndarray:
    """Negative second derivatives of the log likelihood (k, k) by central differences of the score."""
    out = np.empty((len(vector), len(vector)))
    for i, value in enumerate(vector):
        step = np.zeros(len(vector))
        step[i] = _STEP * max(1.0, abs(value))
        out[i] = (score(coordinates, vector - step, expectation) - score(coordinates, vector + step, expectation)) / (2 * step[i])
    return (out + out.T) / 2


def score(coordinates: Coordinates, vector: np.ndarray, expectation: Callable[[Process], tuple]) -> np.ndarray:
    """Gradient of the log likelihood at a vector. Cost one E-step."""
    process = coordinates.process(vector)
    return coordinates.score(vector, process, expectation(process)[1])


@dataclass(frozen=True)
class _Inverse:
    """factor F (k, r) with F F' the inverse information where it is seen; null: directions that are not seen (k, flat)."""

    factor: np.ndarray
    null: np.ndarray

    @property
    def flat(self) -> int:
        return self.null.shape[1]

    @classmethod
    def of(cls, matrix: np.ndarray, free: np.ndarray) -> _Inverse | None:
        """Within the span of `free` (k, f); None where the matrix is not positive semidefinite there to rounding."""
        scale = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-300))
        basis = np.linalg.qr(free * scale[:, None])[0] if free.shape[1] else free
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = basis.T @ (matrix / np.outer(scale, scale)) @ basis
        if not np.isfinite(scaled).all():
            return None  # a diagonal of nothing beside entries that are not
        values, vectors = np.linalg.eigh(scaled)
        top = values.max(initial=0.0)
        if values.min(initial=0.0) < -1e3 * _FLAT * top:
            return None
        seen = values > _FLAT * top
        factor = basis @ (vectors[:, seen] / np.sqrt(values[seen])) / scale[:, None]
        return cls(factor, sla.null_space(factor.T))

    def deviations(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviations of linear functions (rows), NaN where they are not determined, and which those are."""
        size = np.linalg.norm(rows, axis=1)
        lost = np.linalg.norm(rows @ self.null, axis=1) > _INSIDE * np.maximum(size, 1e-300)
        spread = np.linalg.norm(rows @ self.factor, axis=1)
        return np.where(lost, np.nan, spread), lost


def _bands(c: Coordinates, jacobian: np.ndarray, at: Mapping[str, np.ndarray], found: _Inverse) -> Uncertainty | None:
    """The covariance of [A B c K] and [C D d] with columns stacked and K = 0, for bands."""
    model = c.template.model
    if not isinstance(model, LTI):
        return None
    n, m, p = model.n_states, model.n_inputs, model.n_outputs
    upper, lower = n * (n + m + 1), p * (n + m + 1)
    rows = np.concatenate([jacobian[:upper], np.zeros((n * p, jacobian.shape[1])), jacobian[upper : upper + lower]]) @ found.factor
    return Uncertainty(c.process(c.vector(c.template)).model, np.zeros((n, p)), rows @ rows.T)


def _none(process: Process, maximise: Maximiser) -> Coordinates:
    from .exact_likelihood import CovarianceCoordinates
    held = CovarianceCoordinates(np.zeros((0, 0)), np.zeros(0, int), (np.zeros(0, int), np.zeros(0, int)))
    return Coordinates(maximise, process, held, held, held)
