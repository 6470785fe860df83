"""The main job on the yearly sunspot numbers: fit by EM, certify, analyse, forecast, and show it on one page."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ..core.storage import save
from ..models.analysis import h2_norm, hankel_singular_values
from . import figures
from .page import Page, Picture, Summary, Table, Text
from .study import FIRST_UNSEEN, FREE_FROM, Score, Study

# What the filter compiles on a first run, in a second process while the fit compiles its own; only Numba's cache is shared.
_AHEAD = """
from sysid.kernels import conditioning, evaluation, extended, handful, propagation
for kernel in (conditioning.condition, extended.extended(0), handful.absorb, propagation.propagate, evaluation.linearised):
    kernel.compile()
"""


def run(folder: Path, n_states: int = 100) -> str:
    """Do the job, write index.html and sunspots.npz into the folder, return the summary."""
    with subprocess.Popen([sys.executable, "-c", _AHEAD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ahead:
        try:
            return _run(folder, n_states)
        finally:
            ahead.terminate()


def _run(folder: Path, n_states: int) -> str:
    began = time.perf_counter()
    study = Study.of(n_states)
    ours, peer = study.scores()
    page = Page("Sunspots: a reservoir fitted, certified and analysed",
                f"A reservoir of {study.esn.n_states} units learns the yearly sunspot numbers of 1700 to {FIRST_UNSEEN - 1}; "
                "expectation maximisation finds its leak, its noise level and its readout. It is then proved to forget its start, "
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
              [(s.name, f"{s.nrmse:.3f}", f"{100 * s.coverage:.0f} %", f"{s.width:.0f}") for s in (ours, peer)]),
        Text("Read the ratio with care: the reservoir's kind and scales in this demonstration were settled while these years were "
             "in view. Where every reservoir picks its settings by its evidence before 1921, the error is larger than that of "
             "AR(9); the figures, seed by seed, stand in docs/evidence.md."))


def _estimation(page: Page, study: Study) -> None:
    runs = {name: np.asarray(f.history["objective"]) for name, f in study.starts.items()}
    leaks = {name: np.asarray(f.history["leak"]) for name, f in study.starts.items()}
    page.section(
        "Hyperparameters by expectation maximisation",
        Text("x[t+1] = (1 − λ) x[t] + λ tanh(W x[t] + W_fb y[t] + b) + w[t],    y[t] = C x[t] + d + v[t]", "eq"),
        Text("The smoother estimates the states; exact weighted least squares then gives the leak λ, the noise of v and the readout "
             "C, d under a Gaussian prior. No step may lower the posterior, and the gradient of the likelihood finishes the climb."),
        figures.ascent(runs, leaks, "leak λ",
                       "Above: how far each run is below the best value found of the log posterior, over its iterations. "
                       "Below: the leak on the way, once a scan of leaks has chosen where to climb. Where the two runs end tells how well the data know the leak."),
        figures.profile(study.profile.values, study.profile.objective,
                        {name: (float(np.mean(f.model.leaks)), f.objective) for name, f in study.starts.items()}, "leak λ",
                        "The log posterior over the leak, noise and readout taught anew at every value, and where the two runs ended. "
                        "A leak within 1.92 nats of the top is as good as the data can tell."),
        Summary({"leak": float(np.mean(study.esn.leaks)), "standard deviation of v": float(np.sqrt(study.best.process.R[0, 0])),
                 "log-likelihood": study.best.log_likelihood, "iterations": study.best.status.iterations,
                 "ended because": study.best.status.reason, "note": "; ".join(study.best.notes) or "none"}))


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
