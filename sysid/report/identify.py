"""The report on a user's file: a linear model and a reservoir, side by side on the half they have not seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .._show import counted
from ..certificates.certify import certify
from ..core.data import Data
from ..core.scaling import Scaling
from ..core.storage import save
from ..identification.fit import Fit, fit
from ..identification.subspace import Subspace
from ..inference.filter import filter
from ..inference.simulate import simulate
from ..models.analysis import hankel_singular_values
from ..models.esn import ESN
from ..models.lti import LTI
from ..plot import times
from ..reservoirs.readout import Readout
from ..transforms.linearize import linearize
from . import figures
from .page import Page, Picture, Summary, Table, Text
from .units import in_units
from .words import sentences, steady_gains, time_scales

LEAST = 60
UNITS = 100
LEAKS, INPUT_SCALES = (0.03, 0.1, 0.3, 1.0), (0.2, 0.8)
SEED = 1
COLOURS = {"linear model": "#0b6bcb", "reservoir": "#c2410c"}


@dataclass(frozen=True)
class Survey:
    """The models of one record, fitted on its first half on a common scale, and their paths over all of it."""

    data: Data
    linear: Fit
    reservoir: Fit
    scaling: Scaling
    scaled: Data
    tried: list[tuple[float, float, float]]

    @classmethod
    def of(cls, data: Data) -> Survey:
        """Fit both models on the first half."""
        train, _ = data.split(0.5)
        scaling = train.standardize()[1]
        scaled = scaling.apply(data)
        part = scaled.split(0.5)[0]
        reservoir, tried = _reservoir(part)
        return cls(data, fit(part, Subspace()), reservoir, scaling, scaled, tried)

    @property
    def half(self) -> int:
        """First sample that no model has seen."""
        return self.data.split(0.5)[0].n_steps

    @property
    def driven(self) -> bool:
        """Whether there are inputs, so that simulation has a meaning."""
        return self.data.n_inputs > 0

    @cached_property
    def simulated(self) -> dict[str, np.ndarray]:
        """Outputs (T, p) from the inputs alone, in original units; empty without inputs."""
        if not self.driven:
            return {}
        start = self.linear.initial_states
        paths = {"linear model": simulate(self.linear.model, self.scaled.u, x0=None if start is None else start[0]),
                 "reservoir": simulate(self.reservoir.model, self.scaled.u)}
        return {name: self.scaling.inverse_y(p.y) for name, p in paths.items() if p.diverged is None}

    @cached_property
    def filtered(self) -> dict[str, Any]:
        """One-step predictions of both, each from the measured past."""
        return {"linear model": filter(self.linear.process, self.scaled),
                "reservoir": filter(self.reservoir.process, self.scaled)}

    def predicted(self, name: str) -> np.ndarray:
        """One-step predictions (T, p) in original units."""
        return self.scaling.inverse_y(self.filtered[name].y_mean)

    def fit_percent(self, path: np.ndarray) -> np.ndarray:
        """100 (1 - |y - path| / |y - mean y|) over the unseen half, one number an output."""
        y, path = self.data.y[self.half:], path[self.half:]
        error = np.sqrt(np.nansum((y - path) ** 2, 0) / np.nansum((y - np.nanmean(y, 0)) ** 2, 0))
        return 100 * (1 - error)

    @cached_property
    def linearised(self) -> LTI:
        """The reservoir around the mean input and output, in scaled units."""
        esn = self.reservoir.model
        model: Any = linearize(esn, u=np.zeros(esn.n_inputs), feedback=np.zeros(esn.n_feedback) if esn.n_feedback else None)
        return model


def _reservoir(part: Data) -> tuple[Fit, list[tuple[float, float, float]]]:
    """Leak and input scale that do best on the last quarter of the first half; refitted on all of it."""
    learn, check = part.split(0.75)
    tried: list[tuple[float, float, float]] = []
    for leak, scale in product(LEAKS, INPUT_SCALES):
        model = fit(learn, _readout(learn), start=_network(part, leak, scale)).model
        path = simulate(model, part.u, n_steps=part.n_steps, feedback=part.y if model.n_feedback else None).outputs
        assert path is not None  # the readout is fitted
        error = float(np.sqrt(np.nanmean((path[learn.n_steps:] - check.y) ** 2)))
        tried.append((leak, scale, error if np.isfinite(error) else np.inf))
    leak, scale, _ = min(tried, key=lambda row: row[2])
    return fit(part, _readout(part), start=_network(part, leak, scale)), tried


def _network(part: Data, leak: float, scale: float) -> ESN:
    feedback = 0 if part.n_inputs else part.n_outputs
    return ESN.random(UNITS, part.n_inputs, feedback, spectral_radius=0.7, leak=leak, input_scale=scale, bias_scale=0.2,
                      rng=np.random.default_rng(SEED), dt=part.dt)


def _readout(part: Data) -> Readout:
    return Readout(ridge=np.logspace(-6, 2, 17), washout=min(50, part.n_steps // 5))


def run(data: Data, folder: Path, name: str) -> str:
    """Identify the system behind the data; write index.html and the models into the folder; return the summary."""
    if data.n_steps < LEAST:
        raise ValueError(f"report: expected at least {LEAST} samples, half to fit and half to judge on; "
                         f"received {data.n_steps}.")
    _require_judged(data)
    began = time.perf_counter()
    survey = Survey.of(data)
    page = Page(f"What is behind {name}",
                f"A linear model and a reservoir were fitted to the first half of {data.n_steps} samples and judged on the second, "
                "which neither has seen.")
    scores = {label: survey.fit_percent(path) for label, path in survey.simulated.items()}
    ahead = {label: survey.fit_percent(survey.predicted(label)) for label in survey.filtered}
    shown = scores if survey.driven else ahead
    kind = "simulated from the inputs" if survey.driven else "one step ahead"
    page.cards += [(f"{values.mean():.1f} %", f"{label}: fit {kind}, unseen half") for label, values in shown.items()]
    page.cards += [(str(survey.linear.model.n_states), "states of the linear model")]
    linear, reservoir = (in_units(f, survey.scaling) for f in (survey.linear, survey.reservoir))
    said = sentences(linear, data[survey.half:], shown)
    _in_words(page, said, linear, data)
    _records(page, survey)
    _judged(page, survey, scores, ahead)
    _linear(page, survey)
    _network_section(page, survey)
    _residuals(page, survey)
    models = [save(linear, folder / "linear.npz"), save(reservoir, folder / "reservoir.npz")]
    page.section("The fitted models", Text("Saved beside this page as arrays, in the units of the file:"), Text(_usage(data), "code"))
    page.footer = f"Written by `python -m sysid report` in {time.perf_counter() - began:.0f} s."
    (folder / "index.html").write_text(page.html(), encoding="utf-8")
    lines = [f"{name}: {data.n_steps} samples, {counted(data.n_outputs, 'output')}, {counted(data.n_inputs, 'input')}",
             *(f"  {label}: {values.mean():.1f} % fit on the unseen half, {kind}" for label, values in shown.items()),
             *(f"  {sentence}" for sentence in said),
             f"wrote {folder / 'index.html'}, {models[0].name} and {models[1].name}"]
    return "\n".join(lines)


def _in_words(page: Page, said: list[str], linear: Fit, data: Data) -> None:
    items: list[Any] = [*(Text(sentence) for sentence in said), *(Text(f"A note on the linear model: {note}.") for note in linear.notes)]
    scales, gains = time_scales(linear.model), steady_gains(linear.model, data)
    if scales is not None:
        items += [Text(f"How fast the linear model is, in the unit of time in which the samples are {data.dt:g} apart:"), scales]
    if gains is not None:
        items += [Text("How strongly each input acts in the end, in the units of the file:"), gains]
    page.section("In words", *items)


def _usage(data: Data) -> str:
    ahead = "u=future_inputs, " if data.n_inputs else ""
    return ('import sysid\n\nfit = sysid.load("linear.npz")        # or reservoir.npz\nprint(fit.model)\n'
            + ("sysid.simulate(fit.model, inputs).y       # the outputs that inputs (T, m) give\n" if data.n_inputs else "")
            + f"sysid.forecast(fit.process, data, {ahead}horizon=20).interval(0.95)")  # fmt: skip


def _require_judged(data: Data) -> None:
    """Refuse what the unseen half cannot judge: a batch, or an output that is not measured or does not move there."""
    if data.is_batch:
        raise ValueError(f"report: expected one record; received a batch of {len(data.y)}. Take data.sequences() one by one.")
    unseen = data.split(0.5)[1].y
    for name, y in zip(data.output_names or (), unseen.T):
        if np.isnan(y).all() or np.nanmax(y) == np.nanmin(y):
            raise ValueError(f"report: expected outputs that vary on the second half, on which models are judged; {name} is "
                             f"{'not measured' if np.isnan(y).all() else 'constant'} there. Leave it out, or cut the record.")


def _records(page: Page, survey: Survey) -> None:
    data = survey.data
    t = times(data)
    boundary = t[survey.half] - (t[survey.half] - t[survey.half - 1]) / 2
    page.section("The record", Summary(data.summary()),
                 figures.records(data, boundary, "Outputs, then inputs, each held from one sample to the next. "
                                 "Models learn left of the dashed line and are judged right of it."))


def _judged(page: Page, survey: Survey, scores: dict[str, np.ndarray], ahead: dict[str, np.ndarray]) -> None:
    data, half = survey.data, survey.half
    paths = survey.simulated if survey.driven else {label: survey.predicted(label) for label in survey.filtered}
    said = ("Simulated from the inputs alone: no measurement corrects the path." if survey.driven
            else "Each prediction is made one sample before, from the measured past.")
    pictures = [figures.path(times(data)[half:], data.y[half:, j],
                             [figures.Track(times(data)[half:], path[half:, j], label=label, colour=COLOURS[label])
                              for label, path in paths.items()], output, "time" if data.dates is None else "", said)
                for j, output in enumerate((data.output_names or ())[:4])]
    rows = [(label, output, *(f"{table[label][j]:.1f} %" if label in table else "-" for table in
                              ((scores, ahead) if survey.driven else (ahead,))))
            for label in survey.filtered for j, output in enumerate(data.output_names or ())]
    columns = ("", "output", *(("simulated",) if survey.driven else ()), "one step ahead")
    page.section("On the half not seen", *pictures, Table(columns, rows),
                 Text("The fit is 100 % less the error's share of the output's spread; 0 % is no better than the mean, "
                      "and below it is worse."))


def _linear(page: Page, survey: Survey) -> None:
    model = survey.linear.model
    items: list[Any] = [Summary(survey.linear.summary()),
                        figures.poles(model.poles(), "Poles of the linear model against the unit circle: the angle is the "
                                      "frequency, the distance from the circle the damping.")]
    if survey.driven:
        items += [_bode(survey)]
        if model.is_stable():
            values = hankel_singular_values(model)
            items.append(figures.stems(values[values > values[0] * 1e-12], "state, in order of energy", "Hankel singular value",
                                       "What each balanced state carries from past inputs to future outputs."))
    page.section("The linear model", *items)


def _bode(survey: Survey) -> Picture:
    data = survey.data
    omega = np.geomspace(np.pi / data.dt / data.n_steps * 4, np.pi / data.dt, 300)
    models = {"linear model": survey.linear.model, "reservoir, linearised": survey.linearised}
    curves = np.array([m.frequency_response(omega)[:, 0, 0] for m in models.values()])
    names = f"{(data.input_names or ('u',))[0]} to {(data.output_names or ('y',))[0]}"
    return figures.bode(omega, curves, list(models), f"Gain and phase from {names}, both scaled to unit variance: the linear model, and "
                        "the reservoir for small inputs around the mean. Where they part, size of the input matters or data are few.",
                        "rad per unit of time")


def _network_section(page: Page, survey: Survey) -> None:
    esn, certificate = survey.reservoir.model, certify(survey.reservoir.model)
    page.section(
        "The reservoir", Summary(esn.summary()),
        Table(("leak", "input scale", "error on the last quarter of the first half"),
              [(leak, scale, f"{error:.4f}") for leak, scale, error in survey.tried]),
        Text("Whether it forgets its start, whatever the input:"), Summary(certificate.summary()))


def _residuals(page: Page, survey: Survey) -> None:
    lags = np.arange(1, min(30, survey.half // 4))
    values = {}
    for label, result in survey.filtered.items():
        e = np.nan_to_num(result.innovations[survey.half:, 0])
        e = e - e.mean()
        values[label] = np.array([e[k:] @ e[:-k] for k in lags]) / max(e @ e, 1e-300)
    page.section("What is left over",
                 figures.correlation(lags, values, 1.96 / np.sqrt(survey.data.n_steps - survey.half),
                                     "Autocorrelation of one-step errors of the first output on the unseen half. Bars outside the shade "
                                     "say that the past still holds something the model does not use."))
