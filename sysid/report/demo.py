"""The main job on the yearly sunspot numbers: fit by EM, certify, analyse, forecast, and show it on one page."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..certificates.certificate import Certificate
from ..certificates.certify import certify
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..core.storage import save
from ..datasets.shipped import sunspots
from ..identification.fit import fit
from ..inference.filter import filter
from ..inference.forecast import Forecast, forecast
from ..models.analysis import h2_norm, hankel_singular_values
from ..models.esn import ESN
from ..models.lti import LTI
from ..models.process import Process
from ..reservoirs.hyperparameters import ReservoirEM
from ..reservoirs.readout import Readout
from ..transforms.linearize import linearize
from . import figures
from .page import Page, Picture, Summary, Table, Text

FIRST_UNSEEN = 1921
FREE_FROM = 1987
HORIZON = 44
SEED = 7


@dataclass(frozen=True)
class Score:
    """How one-step predictions did on the unseen years, in counts."""

    name: str
    nrmse: float
    coverage: float
    width: float

    @classmethod
    def of(cls, name: str, y: np.ndarray, median: np.ndarray, low: np.ndarray, high: np.ndarray) -> Score:
        """Scores of a path (T,) with a band: error over the spread of y, share inside the band, its mean width."""
        inside = (y >= low) & (y <= high)
        return cls(name, float(np.sqrt(np.mean((y - median) ** 2)) / y.std()), float(inside.mean()),
                   float((high - low).mean()))


@dataclass(frozen=True)
class Study:
    """Everything the page shows, computed when first asked for; y is the square root of the counts."""

    series: Data
    starts: dict[str, Any]

    @classmethod
    def of(cls, n_states: int = 100) -> Study:
        """Fit the reservoir to the years before FIRST_UNSEEN, from two starting leaks."""
        series = sunspots().map(np.sqrt, inverse=np.square)
        train = series[: FIRST_UNSEEN - 1700]
        method = ReservoirEM(estimate=("leak", "Q", "R", "readout"), max_iterations=60, readout_prior=10.0)
        return cls(series, {f"start {leak:g}": fit(train, method, start=_start(train, n_states, leak))
                            for leak in (0.3, 1.0)})

    @cached_property
    def best(self) -> Any:
        """The fit of the highest likelihood."""
        return max(self.starts.values(), key=lambda f: f.objective)

    @cached_property
    def esn(self) -> ESN:
        """The fitted reservoir."""
        return self.best.model

    @cached_property
    def certificate(self) -> Certificate:
        """Of the driven map."""
        return certify(self.esn)

    @cached_property
    def driven(self) -> LTI:
        """The linearisation from the measured output to its prediction, at the mean level."""
        level = self.series.y.mean(0)
        return linearize(self.esn, x=self.esn.equilibrium(feedback=level), feedback=level)

    @cached_property
    def free(self) -> LTI:
        """The linearisation of the closed loop at its equilibrium."""
        closed = self.esn.closed_loop()
        return linearize(closed, x=closed.equilibrium(x0=self.esn.equilibrium(feedback=self.series.y.mean(0))))

    @cached_property
    def one_step(self) -> Any:
        """The filter over all years; its predictions use the past of each year only."""
        return filter(self.best.process, self.series)

    @cached_property
    def ahead(self) -> Forecast:
        """The free forecast from FREE_FROM."""
        return forecast(self.best.process, self.series[: FREE_FROM - 1700], HORIZON)

    def scores(self) -> tuple[Score, Score]:
        """Reservoir and AR(9) on the unseen years."""
        k = FIRST_UNSEEN - 1700
        y = self.series.original[k:, 0]
        low, high = (band[k:, 0] for band in self.one_step.interval())
        return (Score.of("reservoir", y, self.one_step.median[k:, 0], low, high),
                Score.of("AR(9)", y, *autoregression(self.series.y[:, 0], 9, k)))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies in cycles a year and the density of the closed loop driven by its own noise."""
        frequency = np.linspace(0.005, 0.5, 1500)
        A, C, R = self.free.A, self.free.C, self.best.process.R
        # An innovation of the output enters the state through the feedback as well as through w.
        gain = self.esn.leaks[:, None] * self._slope * self.esn.W_fb
        Q = self.best.process.Q + gain @ R @ gain.T
        z = np.exp(2j * np.pi * frequency)
        density = [((C @ (X := np.linalg.inv(zk * np.eye(len(A)) - A)) @ Q @ X.conj().T @ C.T) + R).real.item() for zk in z]
        return frequency, np.array(density)

    @cached_property
    def _slope(self) -> np.ndarray:
        x = self.esn.equilibrium(feedback=self.series.y.mean(0))
        return self.esn.act.derivative(self.esn.dense_W @ x + self.esn.W_fb @ self.series.y.mean(0) + self.esn.bias)[:, None]


def _start(train: Data, n_states: int, leak: float) -> Process:
    """A reservoir with a ridge readout, and the noise its residuals suggest."""
    esn = ESN.random(n_states, 0, 1, spectral_radius=0.7, leak=leak, input_scale=0.3, bias_scale=0.5,
                     rng=np.random.default_rng(SEED))
    first = fit(train, Readout(ridge=np.logspace(-3, 2, 11), washout=20), start=esn)
    return replace(first.process, Q=np.full(n_states, 1e-4), initial=Gaussian(first.process.initial.mean, 0.1))


def autoregression(y: np.ndarray, order: int, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One-step predictions of the square root from `split` on by AR(order) with a constant: median, 95 % band, in counts."""
    rows = np.column_stack([np.ones(len(y) - order), *(y[order - k:len(y) - k] for k in range(1, order + 1))])
    seen = split - order
    weights = np.linalg.lstsq(rows[:seen], y[order:split], rcond=None)[0]
    residual = y[order:split] - rows[:seen] @ weights
    half = 1.959964 * np.sqrt(residual @ residual / (seen - order - 1))
    mean = rows[seen:] @ weights
    return mean**2, np.maximum(mean - half, 0) ** 2, (mean + half) ** 2


def run(folder: Path) -> str:
    """Do the job, write index.html and sunspots.npz into the folder, return the summary."""
    began = time.perf_counter()
    study = Study.of()
    ours, peer = study.scores()
    page = Page("Sunspots: a reservoir fitted, certified and analysed",
                f"A reservoir of {study.esn.n_states} units learns the yearly sunspot numbers of 1700 to {FIRST_UNSEEN - 1}; "
                "expectation maximisation finds its leak, its noise levels and its readout. It is then proved to forget its start, "
                "analysed like any linear system, and asked for years it has not seen.")
    frequency, density = study.spectrum()
    period = 1 / frequency[np.argmax(density * (frequency > 0.03))]
    inside = f"{100 * ours.coverage:.0f} %"
    page.cards += [(f"{ours.nrmse / peer.nrmse:.2f}", "one-step error over that of AR(9)"),
                   (inside, "of unseen years inside the 95 % band"),
                   (f"{study.certificate.rate:.3f}", "certified contraction a year" if study.certificate.holds
                    else "smallest rate tried; not certified"),
                   (f"{period:.1f} years", "resonance of the closed loop")]
    _predictions(page, study, ours, peer)
    _estimation(page, study)
    _proof(page, study)
    _analysis(page, study, frequency, density, period)
    _beyond(page, study)
    model = save(study.best, folder / "sunspots.npz")
    _reuse(page)
    seconds = time.perf_counter() - began
    page.footer = f"Written by `python -m sysid demo` in {seconds:.0f} s. Series: SILSO, Royal Observatory of Belgium, 1700-2008."
    (folder / "index.html").write_text(page.html(), encoding="utf-8")
    return "\n".join([
        f"sunspots: one-step error {ours.nrmse:.3f} of the spread, {ours.nrmse / peer.nrmse:.2f} of that of AR(9)",
        f"  95 % band holds {inside} of {len(study.series) - FIRST_UNSEEN + 1700} unseen years",
        f"  leak {float(np.mean(study.esn.leaks)):.3f}, log-likelihood {study.best.log_likelihood:.2f}",
        f"  contraction {'certified' if study.certificate.holds else 'not certified'}, rate {study.certificate.rate:.4f}",
        f"  closed loop resonates at {period:.1f} years",
        f"wrote {folder / 'index.html'} and {model} in {seconds:.0f} s"])


def _predictions(page: Page, study: Study, ours: Score, peer: Score) -> None:
    k = FIRST_UNSEEN - 1700
    time_, y = study.series.time[k:], study.series.original[k:, 0]
    low, high = (band[k:, 0] for band in study.one_step.interval())
    page.section(
        "One year ahead, on years it has not seen",
        Text("Each prediction uses the measured past only. Fitted and scored on the square root, which evens the spread; "
             "errors and bands are in counts."),
        figures.path(time_, y, [figures.Track(time_, study.one_step.median[k:, 0], low, high, "predicted a year ahead")],
                     "sunspot number", "year",
                     f"Points are measured, the line is the prediction made a year before, the shade its 95 % band. "
                     f"{100 * ours.coverage:.0f} % of the points lie inside; the band is narrow at the minima, where the counts are small.",
                     points=True),
        Table(("", "error / spread", "inside 95 % band", "mean width of band"),
              [(s.name, f"{s.nrmse:.3f}", f"{100 * s.coverage:.0f} %", f"{s.width:.0f}") for s in (ours, peer)]))


def _estimation(page: Page, study: Study) -> None:
    runs = {name: f.history["log_likelihood"] for name, f in study.starts.items()}
    leaks = {name: np.asarray(f.history["leak"]) for name, f in study.starts.items()}
    page.section(
        "Hyperparameters by expectation maximisation",
        Text("x[t+1] = (1 − λ) x[t] + λ tanh(W x[t] + W_fb y[t] + b) + w[t],    y[t] = C x[t] + d + v[t]", "eq"),
        Text("The smoother estimates the states, weighted least squares the leak λ, the noise of w and v, and the readout C, d. "
             "Steps that would lower the likelihood are not taken."),
        figures.ascent(runs, leaks, "leak λ",
                       "Above: distance to the best log-likelihood over the iterations, from two starting leaks. "
                       "Below: the leak on the way. Both starts should meet."),
        Summary(study.best.summary()))


def _proof(page: Page, study: Study) -> None:
    cert = study.certificate
    page.section(
        "It forgets its start: a certificate",
        Text("Two copies started apart and driven by the same measurements approach each other at the certified rate, whatever "
             "the measurements. The inequality behind it was verified with a bound on every rounding error."),
        _decay(study),
        Summary(cert.summary()),
        Text("The certificate speaks of the driven map. On its own the model feeds back its own outputs, which is another map."))


def _decay(study: Study) -> Picture:
    """Distances of sampled pairs in the certificate's norm, under the bound."""
    rng, esn, cert = np.random.default_rng(0), study.esn, study.certificate
    P = np.eye(esn.n_states) if cert.P is None else cert.P
    X = rng.uniform(-1, 1, (2, 12, esn.n_states))
    steps, distances = 60, []
    for t in range(steps):
        gap = X[0] - X[1]
        distances.append(np.sqrt(np.einsum("ki,ij,kj->k", gap, P, gap)))
        drive = study.series.y[t] @ esn.W_fb.T + esn.bias
        X = (1 - esn.leaks) * X + esn.leaks * esn.act.function(X @ esn.dense_W.T + drive)
    relative = np.array(distances).T / np.array(distances).T[:, :1]
    return figures.decay(relative, cert.rate ** np.arange(steps),
                         f"Twelve pairs of starts under the measured series, in the norm of the certificate. The bound falls by the factor "
                         f"{cert.rate:.3f} a year; no pair may cross it.")


def _analysis(page: Page, study: Study, frequency: np.ndarray, density: np.ndarray, period: float) -> None:
    y = study.series.y[: FIRST_UNSEEN - 1700, 0]
    power = np.abs(np.fft.rfft((y - y.mean()) * np.hanning(len(y)))) ** 2 / (np.hanning(len(y)) ** 2).sum()
    omega = np.geomspace(0.02, np.pi, 400)
    values = hankel_singular_values(study.driven)
    shown = values[values > values[0] * 1e-10][:30]
    page.section(
        "The system inside",
        Text("Around its working point the reservoir is a linear system, and everything known of linear systems applies to it."),
        figures.spectrum(frequency, density, (np.arange(len(power))[1:] / len(y), power[1:]), "frequency, cycles a year",
                         "power", f"Spectrum of the closed loop's linearisation, driven by its own noise, over the periodogram of the years it learnt. "
                         f"It peaks at {period:.1f} years.", 1 / period),
        figures.poles(study.free.poles(), "Poles of the closed loop. The pair nearest the circle is the solar cycle: its angle is the "
                      "period, its distance from the circle how fast the cycle is forgotten."),
        figures.bode(omega, study.driven.frequency_response(omega)[:, :, -1].T, ["measured to predicted"],
                     "Gain and phase from the measured series to the prediction of the driven reservoir.", "rad a year"),
        figures.stems(shown, "state, in order of energy", "Hankel singular value",
                      "Hankel singular values of the same map, from both Gramians: how much each balanced state carries from past to future. "
                      "Few matter: the reservoir is larger than what it does."),
        Summary({"spectral radius of the closed loop": float(np.abs(study.free.poles()).max()),
                 "H2 norm, measured to predicted": h2_norm(study.driven),
                 "states for 99 % of the Hankel sum": int(np.searchsorted(np.cumsum(values) / values.sum(), 0.99) + 1)}))


def _beyond(page: Page, study: Study) -> None:
    ahead, k = study.ahead, FREE_FROM - 1700
    low, high = ahead.interval()
    since = slice(k - 45, None)
    page.section(
        f"On its own from {FREE_FROM}",
        Text("Now nothing is measured any more: the model feeds its own outputs back and carries its uncertainty along."),
        figures.path(study.series.time[since], study.series.original[since, 0],
                     [figures.Track(ahead.time, ahead.median[:, 0], low[:, 0], high[:, 0], "free forecast")],
                     "sunspot number", "year",
                     f"The forecast knows the years left of the dashed line. Measured values to {study.series.time[-1]:.0f} are drawn over it; the band "
                     "widens as the phase of the cycle is lost.", boundary=FREE_FROM - 0.5))


def _reuse(page: Page) -> None:
    page.section("The fitted model", Text("It was saved as arrays beside this page and is read back bit for bit:"),
                 Text('import numpy as np, sysid\n\nfit = sysid.load("demo/sunspots.npz")\n'
                      "series = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)\n"
                      "print(sysid.forecast(fit.process, series, horizon=20).interval(0.95))", "code"))
