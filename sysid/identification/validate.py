"""The verb `validate`: how well a model explains data it has not seen, and whether it may be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..core.signals import listed
from ..models.lti import LTI
from ..models.names import check_names, labelled, names
from ..models.process import Process
from .fit import Fit
from .records import DIVERGED
from .replay import INITIAL, Replay
from .residuals import Correlation, independence, whiteness

_TOO_FEW = 20  # residuals that say nothing of whiteness


@dataclass(frozen=True, eq=False, repr=False)
class Validation(Shown):
    """What a model explains of data. All fits are 100 (1 - |y - y_hat| / |y - mean y|) in %, per output (p,).

    fit_simulation: without measured outputs after the first samples; -inf where the simulation diverges.
    fit_prediction: `steps` ahead from the process's filter; None for a model without noise.
    rms_simulation, rms_prediction: (p,) root mean square errors in the units of y.
    whiteness: of the one-step (else simulation) errors. cross_correlation: of those with past inputs; None without inputs.
    simulated, predicted: (T, p) of each experiment in `data`. steps: horizon of the prediction. unscored: samples at the
    start of each experiment that are not scored (there `simulated` holds one-step predictions where the run starts from
    the filter's state behind them). simulation_is_meaningful: False for unstable models and for runs that
    do worse than the mean of the data. verdict: one sentence.
    """

    data: list[Data]
    fit_simulation: np.ndarray
    fit_prediction: np.ndarray | None
    rms_simulation: np.ndarray
    rms_prediction: np.ndarray | None
    whiteness: Correlation
    cross_correlation: Correlation | None
    simulated: list[np.ndarray]
    predicted: list[np.ndarray] | None
    steps: int
    unscored: int
    simulation_is_meaningful: bool

    @property
    def verdict(self) -> str:
        """One sentence: may this model be trusted, and for what."""
        return _verdict(self)

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"verdict": self.verdict, "fit in simulation, %": self.fit_simulation}
        if self.fit_prediction is not None:
            out[f"fit {self.steps} step{'s' if self.steps > 1 else ''} ahead, %"] = self.fit_prediction
        out["residuals white"] = f"{'yes' if self.whiteness.passed else 'no'} (p = {self.whiteness.p_value:.2g})"
        if self.cross_correlation is not None:
            passed = self.cross_correlation.passed
            out["residuals independent of inputs"] = f"{'yes' if passed else 'no'} (p = {self.cross_correlation.p_value:.2g})"
        if (outputs := names(self.data[0])["output_names"]) is not None:
            out["outputs"] = listed(outputs)
        out["samples"] = sum(len(d) for d in self.data)
        return out

    def plot(self, ax: Any = None) -> Any:
        """Draw data, simulation and prediction of the first experiment, one panel an output; return the axes."""
        from .. import plot
        d = self.data[0]
        t = plot.times(d)
        grid = np.atleast_1d(plot.axes(ax, d.n_outputs)).reshape(-1)
        for i, name in enumerate(d.output_names or ()):
            a = grid[min(i, len(grid) - 1)]
            a.plot(t, d.y[:, i], color=plot.COLOURS["data"], linewidth=2.4, alpha=0.35, label="data")
            if self.simulation_is_meaningful:
                a.plot(t, self.simulated[0][:, i], color=plot.COLOURS["model"], linewidth=1.0,
                       label=f"simulation, {self.fit_simulation[i]:.1f} %")  # fmt: skip
            if self.predicted is not None and self.fit_prediction is not None:
                a.plot(t, self.predicted[0][:, i], color=plot.COLOURS["second"], linewidth=0.8,
                       label=f"{self.steps} ahead, {self.fit_prediction[i]:.1f} %")  # fmt: skip
            a.axvspan(t[0], t[min(self.unscored, len(d) - 1)], color=plot.COLOURS["grid"], alpha=0.4, linewidth=0)
            a.set_ylabel(name)
            plot.legend(a)
        plot.time_axes(grid, t)
        return grid[0] if len(grid) == 1 else grid


def validate(process: Any, data: Data | Iterable[Data], steps: int = 1, unscored: int = INITIAL) -> Validation:
    """Judge a model on data, best on data it was not estimated from.

        fit = 100 (1 - |y - y_hat| / |y - mean y|) %

    process: a Process, a model (then only simulation is judged), or a Fit. data: one experiment or a list of them,
    y (T, p). steps: horizon of the prediction. unscored: samples at the start of each experiment from which the state
    is estimated that the simulation starts from, and which are left out of every score (at most half of the experiment):
    what the filter knows after them for a linear Process, the best estimate under its noise, and for a reservoir without
    process noise, which is judged one step ahead by its run from there; what they leave in a bare model that feeds outputs
    back (take as many as it needs to forget its start); else least squares of the simulation over them. 0 scores every
    sample, from the state whose simulation fits the first 50 best.
    Returns a Validation. Raises ValueError where model and data do not fit in channels or dt.
    """
    model, process = _unwrap(process)
    records = [labelled(d, model) for d in experiments(data, "validate")]
    _check_fit(model, records)
    steps = _check.count(steps, "steps", "validate")
    unscored = min(_check.count(unscored, "unscored", "validate", least=0), min(len(d) for d in records) // 2)
    runs = [Replay.of(model, process, d, unscored) for d in records]
    simulated, predicted = [r.simulated() for r in runs], _all([r.predicted(steps) for r in runs])
    fit_s, rms_s = _scores(records, simulated, unscored)
    fit_p, rms_p = (None, None) if predicted is None else _scores(records, predicted, unscored)
    one = predicted if steps == 1 else _all([r.predicted(1) for r in runs])
    errors = [(d.y - e)[unscored:] for d, e in zip(records, one or simulated)]
    errors = [np.where(np.abs(e) < DIVERGED, e, np.nan) for e in errors]
    outputs = tuple(records[0].output_names or ())
    n_lags = max(1, min(25, min(len(e) for e in errors) // 4))
    cross = None
    if records[0].n_inputs and n_lags > 1:
        pairs = tuple(f"residual of {y} with past {u}" for y in outputs for u in records[0].input_names or ())
        cross = independence(errors, [d.inputs[unscored:] for d in records], pairs, n_lags)
    white = whiteness(errors, tuple(f"residual of {y} with its past" for y in outputs), n_lags)
    return Validation(records, fit_s, fit_p, rms_s, rms_p, white, cross, simulated, predicted,
                      steps, unscored, _meaningful(model, fit_s))  # fmt: skip


def _all(predicted: list[np.ndarray | None]) -> list[np.ndarray] | None:
    """The predictions of all records, None where a bare model makes none."""
    return None if any(y is None for y in predicted) else [y for y in predicted if y is not None]


def _unwrap(thing: Any) -> tuple[Any, Process | None]:
    if isinstance(thing, Fit):
        thing = thing.model if thing.process is None else thing.process
    if isinstance(thing, Process):
        return thing.model, thing
    if not hasattr(thing, "n_outputs"):
        raise TypeError(f"validate: expected a Process, a model or a Fit; received {type(thing).__name__}.")
    return thing, None


def _check_fit(model: Any, records: list[Data]) -> None:
    _check.same_time_step(model.dt, records[0].dt, "validate")
    if (model.n_inputs, model.n_outputs) != (records[0].n_inputs, records[0].n_outputs):
        raise ValueError(f"validate: expected data with {model.n_inputs} inputs and {model.n_outputs} outputs as in the model; "
                         f"received {records[0].n_inputs} and {records[0].n_outputs}.")  # fmt: skip
    check_names(model, records[0], "validate")


def _scores(records: list[Data], guesses: list[np.ndarray], unscored: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit in % and root mean square error of each output (p,), over the measured and scored samples."""
    y = np.concatenate([d.y[unscored:] for d in records])
    seen = ~np.isnan(y)
    e = y - np.concatenate([g[unscored:] for g in guesses])
    level = np.concatenate([np.broadcast_to(np.nanmean(d.y[unscored:], 0), d.y[unscored:].shape) for d in records])
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.where(seen, np.where(np.isnan(e), np.inf, e), 0.0)
        squares = (error**2).sum(0)
        total = np.where(seen, (y - level) ** 2, 0.0).sum(0)
        return 100 * (1 - np.sqrt(squares / np.maximum(total, 1e-300))), np.sqrt(squares / np.maximum(seen.sum(0), 1))


def _meaningful(model: Any, fit: np.ndarray) -> bool:
    """Whether a run without measurements says anything: not for unstable models nor runs that leave the data."""
    stable = not isinstance(model, LTI) or np.abs(model.poles()).max(initial=0.0) < 1 + 1e-6
    return bool(stable and (fit > 0).all())


def _verdict(v: Validation) -> str:
    independent = v.cross_correlation is None or v.cross_correlation.passed
    has_inputs = v.cross_correlation is not None
    if not v.simulation_is_meaningful and has_inputs:
        ahead = "" if v.fit_prediction is None else (
            f"; {v.steps} step{'s' if v.steps > 1 else ''} ahead it explains {v.fit_prediction.min():.1f} % or more of each output")
        return ("Do not simulate with this model: it is unstable, or its simulation is worse than the mean of the data" + ahead
                + ". Judge it by prediction over the horizon that you need.")
    worst = v.fit_simulation.min() if has_inputs or v.fit_prediction is None else v.fit_prediction.min()
    kind = "simulation" if has_inputs or v.fit_prediction is None else "prediction"
    level = "most" if worst > 80 else "a good part" if worst > 50 else "little"
    head = f"The model explains {level} of the data in {kind} ({worst:.1f} % for the worst output)"
    scored = sum(len(d) - v.unscored for d in v.data)
    if scored < _TOO_FEW:
        return head + f"; {scored} scored samples are too few for tests of its residuals."
    if independent and v.whiteness.passed:
        return head + (f"; its residuals are white{' and independent of the inputs' if has_inputs else ''}: nothing is left that a linear "
                       "model could explain.")  # fmt: skip
    if not has_inputs:
        return head + "; its residuals are not white: a part of the next value is still in the past ones, and its intervals are not to be trusted."
    if independent:
        return head + ("; its residuals do not depend on the inputs but are not white: trust the response to inputs, "
                       "not the noise model or its intervals.")  # fmt: skip
    return head + ("; its residuals still depend on the inputs: the order, the delay or the linearity is not right, so do not trust "
                   "it beyond signals like these.")  # fmt: skip
