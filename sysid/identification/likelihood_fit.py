"""Direct maximisation of the exact Kalman likelihood by quasi-Newton steps: PredictionError(focus="likelihood").

    max_theta log p(y; A, B, C, D, d, Q, R, m0),   gradient by Fisher's identity, curvature from the observed information

The gain varies in time, so a gap is a gap: the filter predicts across it and its next corrections are larger. The
maximum is that of EM; a few dozen steps reach it where EM needs hundreds.

Where every matrix is free the likelihood is a ridge: changes of state coordinates leave it as it is, and so does the split
of the same noise between Q and R, the first samples apart. Steps go across the ridge, and P0 is held by the spread that
it gives to the first outputs: held entry by entry, it would be moved by whatever rescales the state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg as sla

from ..core.data import Data
from ..core.gaussian import Gaussian, Stationary
from ..core.status import Status
from ..inference.filter import filter
from ..linear.covariances import mean_and_covariance
from ..linear.riccati import filter_riccati
from ..models.lti import LTI
from ..models.process import Process
from .elements import gauge, unseen
from .em_step import Maximiser
from .exact_likelihood import Coordinates
from .expectation import Expectation, gaussian_start, grouped, kept_law
from .fit import measured_samples
from .observed_information import INTERRUPTED, ObservedInformation, information, n_parameters, unknown
from .progress import Progress

if TYPE_CHECKING:
    from .prediction_error import PredictionError, PredictionErrorFit

_CALL = "fit(PredictionError)"
_ROUND = 20  # steps between two looks at the curvature


def fit_likelihood(method: PredictionError, data: list[Data], start: Any) -> PredictionErrorFit:
    """Refine a Process around an LTI, or a subspace estimate where start is None."""
    if method.loss != "gaussian":
        raise ValueError(f'{_CALL}: expected loss="gaussian" under focus="likelihood"; received {method.loss!r}. For outliers use '
                         'focus="prediction", or sysid.EM(noise="student").')  # fmt: skip
    if isinstance(start, LTI):
        start = _noisy(start, data)
    process, notes = gaussian_start(data, start, _CALL)
    if method.free is None or "Q" in method.free:
        process = _excited(process, data, notes)
    if method.free is None:
        process = _whitened(process, data)
    law, maximise = kept_law(start, _maximiser(method, process, data), data, notes, _CALL)
    process = maximise.project(process)
    expectation = Expectation(grouped(data, process, None), None, None, maximise, law)
    coordinates = Coordinates.of(maximise, process, method.free is None)
    vector = coordinates.vector(process)
    search = _Search(coordinates, expectation, vector, unseen if method.free is None else gauge)
    status, interrupted = search.run(method.max_iterations, method.tolerance)
    return _result(search, maximise, status, interrupted, notes)


def _noisy(model: LTI, data: list[Data]) -> Process:
    """A model without noise with half of the outputs' variance on either side, for a start."""
    spread = np.nanvar(np.concatenate([d.y for d in data]), 0)
    share = spread.sum() / max(np.linalg.norm(model.C) ** 2, 1e-300)
    return Process(model, 0.1 * share * np.eye(model.n_states), 0.1 * np.diag(spread), initial=Stationary())


def _excited(process: Process, data: list[Data], notes: list[str]) -> Process:
    """The same process with a small variance, 1e-4 of the state's spread, where it had none: at zero the likelihood has no slope."""
    still = np.flatnonzero(np.diag(process.Q) <= 0)
    if not len(still):
        return process
    states = np.concatenate([filter(process, d).filtered.mean for d in data])
    small = np.zeros(process.n_states)
    small[still] = 1e-4 * np.var(states, axis=0)[still]
    notes.append(f"states {still.tolist()} started without process noise, where the likelihood has no slope: they were given a small variance")
    return replace(process, Q=process.Q + np.diag(small))


def _whitened(process: Process, data: list[Data]) -> Process:
    """The same process in coordinates in which the filtered states have unit second moments about their mean."""
    paths = [filter(process, d).predicted for d in data]
    states = np.concatenate([path.mean[:-1] for path in paths])
    cov = mean_and_covariance(states)[1] + np.mean([path.cov[-1] for path in paths], axis=0)
    values, vectors = np.linalg.eigh(cov)
    T = vectors * np.sqrt(np.maximum(values, 1e-10 * values.max(initial=1e-300)))
    inverse = np.linalg.inv(T)
    law = Gaussian(inverse @ process.initial.mean, inverse @ process.initial.cov @ inverse.T)
    return Process(process.model.transform(T), inverse @ process.Q @ inverse.T, process.R, None, law)


def _maximiser(method: PredictionError, process: Process, data: list[Data]) -> Maximiser:
    held = {"c"} if method.feedthrough else {"c", "D"}
    structure: dict[str, Any] = {}
    if method.free is not None:
        held = {key for key in ("A", "B", "c", "C", "D", "d", "Q", "R") if key not in method.free}
        structure = {key: np.broadcast_to(mask, getattr(process.model, key)[:, None].shape if key in ("c", "d") else getattr(process.model, key).shape)
                     for key, mask in method.free.items() if key not in ("Q", "R")}  # fmt: skip
    initial = "fixed" if not method.estimate_initial_states else "both" if len(data) >= 5 else "mean"
    return Maximiser.of(process, structure, sorted(held), initial, {})


@dataclass
class _Search:
    """Quasi-Newton steps (BFGS) in coordinates in which the information of each round's origin is the identity.

    still: the directions (k, g) at a vector that leave the law of the outputs as it is (`elements.py`); every round moves
    across those at its origin, the data-driven local coordinates of [McKelvey, Helmersson & Ribarits 2004].
    """

    coordinates: Coordinates
    expectation: Expectation
    best: np.ndarray
    still: Callable[[Coordinates, np.ndarray], np.ndarray]
    value: float = -np.inf
    history: list[float] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)

    def _negative(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far is refused below
            try:
                process = self.coordinates.process(vector)
                value, moments, parts = self.expectation(process)
                gradient = self.coordinates.score(vector, process, moments)
            except (ValueError, FloatingPointError, np.linalg.LinAlgError):
                return np.inf, np.zeros(len(vector))
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.zeros(len(vector))
        if value > self.value:
            self.best, self.value, self.parts = vector.copy(), value, parts
        return -value, -gradient

    def run(self, iterations: int, tolerance: float) -> tuple[Status, bool]:
        """Maximise; the best point visited is kept whatever ends the search. Returns how it ended, and whether the user ended it."""
        value, _ = self._negative(self.best)
        if not np.isfinite(value):
            raise ValueError(f"{_CALL}: expected a start under which the data have a finite likelihood; received one with a singular "
                             "innovation covariance or a diverging filter.")  # fmt: skip
        self.history.append(self.value)
        used, status = 0, None
        with Progress(_CALL, iterations) as progress:
            while used < iterations:
                before = self.value
                gain, steps = self._round(min(iterations - used, _ROUND), tolerance, progress)
                used += max(steps, 1)
                if self.value - before < tolerance or gain < tolerance:
                    status = Status(True, f"a further step would gain less than {tolerance:g} in log likelihood", used)
                    break
        if progress.interrupted is not None:
            return progress.interrupted, True
        return status or Status(False, f"stopped after {used} steps, before the gain fell below {tolerance:g}", used), False

    def _round(self, iterations: int, tolerance: float, progress: Progress) -> tuple[float, int]:
        """One search with fresh curvature; the gain that its last gradient still promises, and the steps taken."""
        from scipy import optimize
        minimize: Any = optimize.minimize  # its stubs know no callback beside jac=True
        origin = self.best
        section = sla.null_space(self.still(self.coordinates, origin).T)
        T = section @ _preconditioner(section.T @ information(self.coordinates, origin, self.expectation) @ section)

        def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self._negative(origin + T @ z)
            return value, T.T @ gradient

        def record(_: Any) -> None:
            self.history.append(self.value)
            progress.show(log_likelihood=self.value)

        options = {"maxiter": max(iterations, 1), "gtol": 0.1 * np.sqrt(tolerance), "norm": 2}
        found = minimize(negative, np.zeros(T.shape[1]), jac=True, method="BFGS", callback=record, options=options)
        return 0.5 * float(np.dot(found.jac, found.jac)), int(found.nit)


def _preconditioner(matrix: np.ndarray) -> np.ndarray:
    """T with T' |I| T = 1, small curvature raised to a thousandth of a nat so that no step runs away."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-8))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    size = np.maximum(np.abs(values), 1e-6 * np.abs(values).max(initial=1.0))
    return vectors / np.sqrt(size) / scale[:, None]


def _result(search: _Search, maximise: Maximiser, status: Status, interrupted: bool, notes: list[str]) -> PredictionErrorFit:
    from .prediction_error import PredictionErrorFit
    process = search.coordinates.process(search.best)
    errors = (ObservedInformation.at(process, maximise, search.expectation, search.still is unseen).errors() if not interrupted
              else unknown(process, INTERRUPTED))
    model = process.model
    solution = filter_riccati(model.A, model.C, process.Q, process.R, None)
    cov = model.C @ solution.X @ model.C.T + process.R if solution.converged else process.R
    if not solution.converged:
        notes.append(f"no stationary gain: {solution.message}")
    return PredictionErrorFit(
        model=model, process=search.expectation.lawful(process), status=status, initial_states=np.concatenate([part.initial_states for part in search.parts]),
        gain=solution.gain if solution.converged else None, innovation_cov=cov, log_likelihood=search.value,
        history={"log_likelihood": np.array(search.history)}, uncertainty=errors.uncertainty,
        n_parameters=n_parameters(search.coordinates, search.still), n_samples=measured_samples(search.expectation.data),
        standard_errors=errors.deviations, notes=tuple(notes + errors.notes))  # fmt: skip
