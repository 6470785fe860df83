"""The verb `fit`: a model from measured data by the method that the user names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from .._show import Shown, counted
from ..core.data import Data, experiments
from ..core.status import Status, closed_form
from ..models.names import check_names, renamed, shown_names


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Fit(Shown):
    """A model estimated from data, and how the estimation went.

    model: the estimated model. process: model, noise and prior; None where the method estimates no noise.
    status: whether the iteration converged and why it stopped, in a sentence.
    history: what each iteration reached, arrays under "log_likelihood" or "loss"; empty for closed forms.
    log_likelihood: of the estimation data under `process`, None where there is no likelihood.
    standard_errors: one array a parameter, under the parameter's name; NaN where one does not exist, with the
    reason in `notes`; None where the method gives none.
    initial_states: (S, n), the state at the first sample of each experiment; None where none is estimated.
    n_parameters: how many the likelihood was maximised over, changes of the state's coordinates and initial states not
    counted; None where it was not. n_samples: samples in time with a measurement, over all experiments.
    notes: sentences the user ought to read.
    A method with more to report returns a subclass that adds its fields.
    """

    model: Any
    process: Any = None
    status: Status = field(default_factory=closed_form)
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    log_likelihood: float | None = None
    standard_errors: Mapping[str, np.ndarray] | None = None
    initial_states: np.ndarray | None = None
    n_parameters: int | None = None
    n_samples: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the iteration reached its tolerance."""
        return self.status.converged

    @property
    def aic(self) -> float | None:
        """Akaike's criterion 2 k - 2 log L, k = n_parameters; None without a maximised likelihood [Akaike 1974]."""
        return None if self.n_parameters is None or self.log_likelihood is None else 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float | None:
        """The Bayesian criterion k log N - 2 log L, N = n_samples; None without a maximised likelihood [Schwarz 1978]."""
        aic = self.aic
        return None if aic is None or not self.n_samples or self.n_parameters is None else aic + self.n_parameters * (float(np.log(self.n_samples)) - 2.0)

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"model": _one_line(self.model), "converged": self.converged, "status": self.status.reason}
        if self.status.iterations:
            out["iterations"] = self.status.iterations
        if len(self.history.get("ridge", ())) > 1:
            out["ridge, the best"] = float(self.history["ridge"][np.argmin(self.history["loss"])])
        if "ridge" in self.history and self.process is not None:
            out["residuals, std"] = np.sqrt(np.diag(self.process.R))
        if self.log_likelihood is not None:
            out["log likelihood"] = self.log_likelihood
        if self.bic is not None:
            out["parameters"] = self.n_parameters
            out["AIC, BIC"] = f"{self.aic:.6g}, {self.bic:.6g}"
        out |= shown_names(self.model)
        for i, note in enumerate(self.notes):
            out["note" if len(self.notes) == 1 else f"note {i + 1}"] = note
        return out

    def plot(self, ax: Any = None) -> Any:
        """Draw what the iterations reached (what was maximised, the log likelihood or the loss), or the loss of each ridge; return the axes.

        Raises ValueError where the method has no history.
        """
        from .. import plot
        name = next((k for k in ("objective", "log_likelihood", "loss") if k in self.history), None)
        if name is None or len(self.history.get("ridge", (0, 0))) == 1:
            raise ValueError("Fit.plot: this method solved in closed form and has no history to draw; "
                             "sysid.validate(fit.process, data).plot() shows the fit itself.")
        ax = plot.axes(ax)
        values = np.asarray(self.history[name])
        if len(self.history.get("ridge", ())) == len(values):
            draw = ax.loglog if (values > 0).all() else ax.semilogx
            draw(self.history["ridge"], values, "o-", color=plot.COLOURS["model"], markersize=4, linewidth=1.2)
            ax.set(xlabel="ridge", ylabel="loss")
            return ax
        ax.plot(np.arange(len(values)), values, color=plot.COLOURS["model"], linewidth=1.2)
        ax.set_xlabel("iteration")
        ax.set_ylabel(name.replace("_", " "))
        return ax


F_co = TypeVar("F_co", bound=Fit, covariant=True)


class FitMethod(Protocol[F_co]):
    """What `fit` asks of a method: a frozen dataclass of its options with this one public method."""

    def fit(self, data: list[Data], start: Any) -> F_co:
        """Estimate from single sequences of equal channel counts and sampling interval; `start` may be None."""
        ...


def fit(data: Data | Iterable[Data], method: FitMethod[F_co], start: Any = None) -> F_co:
    """Estimate a model from data by a method.

    data: one experiment, a batch, or a list of experiments of any lengths; NaN in y marks missing entries.
    method: Subspace(), PredictionError(), EM(), ARX(...), Readout(...), ... There is no default, because which
    method suits is a scientific choice; the table in the documentation on identification helps.
    start: a model, process or earlier Fit to begin from, where the method takes or needs one.
    Returns a Fit, its models under the names that the data's channels were given. An interrupted iteration (Ctrl-C) returns the best estimate so far and says so in `status`.
    Raises TypeError or ValueError for data that cannot be fitted: fewer than two samples, an output that was
    never measured, unequal channels or sampling intervals between experiments, names in another order than the start's.
    """
    records = experiments(data, "fit")
    if isinstance(method, type):
        raise TypeError(f"fit: expected a method object; received the class {method.__name__}. "
                        f"Did you forget the parentheses: {method.__name__}()?")
    if not callable(getattr(method, "fit", None)):
        raise TypeError(f"fit: expected a method such as sysid.Subspace() or sysid.EM(); received {type(method).__name__}.")
    _measured(records)
    if isinstance(start, Fit):
        start = start.model if start.process is None else start.process
    check_names(start, records[0], "fit")
    return renamed(method.fit(records, start), records[0], start)


def measured_samples(records: Iterable[Data]) -> int:
    """Samples in time at which any output was measured."""
    return int(sum((~d.missing).any(-1).sum() for d in records))


def _measured(records: list[Data]) -> None:
    """Refuse series too short to hold dynamics and outputs that were never seen."""
    for i, d in enumerate(records):
        if d.n_steps < 2:
            raise ValueError(f"fit: expected at least 2 samples in every experiment; experiment {i} has {d.n_steps}. "
                             "Time is the first axis: did you pass the transpose?")
    seen = sum((~d.missing).sum(0) for d in records)
    for name, n in zip(records[0].output_names or (), seen):
        if n == 0:
            raise ValueError(f"fit: expected measured samples of every output; {name} is NaN throughout. "
                             "Leave the channel out, or check how the file was read.")


def _one_line(model: Any) -> str:
    sizes = [counted(getattr(model, key), word) for key, word in
             (("n_states", "state"), ("n_inputs", "input"), ("n_outputs", "output")) if hasattr(model, key)]
    return type(model).__name__ + (f" with {', '.join(sizes)}" if sizes else "")
