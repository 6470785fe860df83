"""Responses without a model: empirical transfer function, spectral analysis with coherence, regularised impulse response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..models.names import names
from .uncertainty import Band


@dataclass(frozen=True, eq=False, repr=False)
class FrequencyEstimate(Shown):
    """A frequency response without a model.

    omega: (k,) rad per unit of time. response: (k, p, m) complex. coherence: (k, p) share of each output's power that
    the inputs explain linearly, all ones for the empirical transfer function. noise: (k, p) power spectrum of the rest.
    deviation: (k, p, m) standard deviation of the response, NaN where it is not known. dt: sampling interval.
    output_names, input_names: labels of the channels, None for numbers.
    """

    omega: np.ndarray
    response: np.ndarray
    coherence: np.ndarray
    noise: np.ndarray
    deviation: np.ndarray
    dt: float
    output_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None

    def summary(self) -> dict[str, Any]:
        return {"frequencies": len(self.omega), "channels": self.response.shape[1:],
                "coherence, median": np.median(self.coherence, 0)}  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw magnitudes with two standard deviations, and coherence where it was estimated; return the axes.

        Into the axes of `model.plot.bode()` it draws gain, with two standard deviations, and phase beside the model's.
        """
        from .. import plot, plot_systems
        p, m = self.response.shape[1:]
        if np.shape(ax) == (2 * p, m):
            plot_systems.bode(self.omega, self.response, ax, label="without a model")
            size, spread = np.abs(self.response), 2 * self.deviation
            plot_systems.gain_band(self.omega, np.maximum(size - spread, size / 100), size + spread, ax)
            return ax
        alone = ax is not None and np.size(ax) == 1  # coherence has a scale of its own
        columns = m + bool((self.coherence < 1).any() and not alone)
        grid = np.atleast_1d(plot.axes(ax, p, columns)).reshape(-1)
        size = np.abs(self.response)
        for i in range(p):
            for j in range(columns):
                a = grid[min(i * columns + j, len(grid) - 1)]
                a.set_title(plot.pair(i, j, (p, m), self.output_names, self.input_names) if j < m
                            else plot.channel("output", i, self.output_names, p * m > 1), fontsize=9, loc="left")
                if j < m:
                    a.loglog(self.omega, size[:, i, j], color=plot.COLOURS["model"], linewidth=1.0)
                    plot.band(a, self.omega, np.maximum(size - 2 * self.deviation, size / 100)[:, i, j], (size + 2 * self.deviation)[:, i, j])
                else:
                    a.semilogx(self.omega, self.coherence[:, i], color=plot.COLOURS["second"], linewidth=1.0)
                    a.set_ylim(0, 1.02)
                plot.few_decades(a)
                a.set_ylabel("magnitude" if j < m else "coherence")
                a.set_xlabel("frequency, rad per unit of time")
        return grid


def spectral_response(data: Data | Iterable[Data], segment: int | None = None) -> FrequencyEstimate:
    """Estimate the frequency response by averaged cross spectra [Welch 1967; Ljung 1999, sec. 6.4].

        H = S_yu S_uu^-1,    coherence = H S_uy / S_yy,    var H = S_vv S_uu^-1 / K

    data: experiments with y (T, p), u (T, m), no gaps. segment: samples of each half-overlapping, Hann-windowed segment;
    by default such that there are about 15 segments. Several inputs are told apart, if they are not collinear.
    Raises ValueError for data without inputs or with gaps, or too few segments.
    """
    records = _complete(data, "spectral_response")
    m = records[0].n_inputs
    total = sum(len(d) for d in records)
    length = segment or max(16, min(2 * total // 16, *(len(d) for d in records)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    pieces = []
    for d in records:
        z = np.hstack([d.inputs, d.y])
        z = z - z.mean(0)
        for a in range(0, len(z) - length + 1, max(length // 2, 1)):
            part = z[a : a + length]
            pieces.append(np.fft.rfft((part - part.mean(0)) * window[:, None], axis=0))
    if len(pieces) <= m:
        raise ValueError(f"spectral_response: expected more than {m} segments of {length} samples, one an input; received {len(pieces)}. "
                         "Choose a shorter segment.")  # fmt: skip
    Z = np.stack(pieces)[:, 1:]
    S = np.einsum("ski,skj->kij", Z, Z.conj()) / len(Z) / (window**2).sum()
    Suu, Syu, Syy = S[:, :m, :m], S[:, m:, :m], np.einsum("kii->ki", S[:, m:, m:]).real
    inverse = np.linalg.pinv(Suu, rcond=1e-10, hermitian=True)
    H = Syu @ inverse
    explained = np.einsum("kij,kij->ki", H, Syu.conj()).real
    noise = np.maximum(Syy - explained, 0.0)
    # Half-overlapping Hann segments are worth about 0.9 independent ones each.
    spread = np.sqrt(noise[:, :, None] * np.einsum("kjj->kj", inverse).real[:, None, :] / max(0.9 * len(Z) - m, 1.0))
    omega = 2 * np.pi * np.fft.rfftfreq(length, records[0].dt)[1:]
    return FrequencyEstimate(omega, H, np.clip(explained / np.maximum(Syy, 1e-300), 0, 1), noise, spread, records[0].dt, **names(records[0]))


def empirical_response(data: Data) -> FrequencyEstimate:
    """Divide the transforms of one output record by those of its input, Y(w) / U(w): the empirical transfer function.

    data: one experiment with one input, y (T, p). Frequencies at which the input has less than 1e-6 of its largest
    amplitude are left out. Exact for periodic inputs over whole periods; otherwise as noisy as it is unbiased.
    Raises ValueError for several inputs, none, or gaps.
    """
    record = _complete(data, "empirical_response")[0]
    if record.n_inputs != 1:
        raise ValueError(f"empirical_response: expected one input; received {record.n_inputs}. Use spectral_response.")
    U, Y = np.fft.rfft(record.inputs[:, 0] - record.inputs.mean()), np.fft.rfft(record.y - record.y.mean(0), axis=0)
    omega = 2 * np.pi * np.fft.rfftfreq(len(record), record.dt)
    use = (np.abs(U) > 1e-6 * np.abs(U).max()) & (omega > 0)
    H = (Y[use] / U[use, None])[:, :, None]
    shape = H.shape[:2]
    return FrequencyEstimate(omega[use], H, np.ones(shape), np.full(shape, np.nan), np.full(H.shape, np.nan), record.dt, **names(record))


def impulse_response_estimate(data: Data | Iterable[Data], n_steps: int = 50, level: float = 0.95) -> Band:
    """Estimate impulse responses by least squares with a smooth, decaying prior [Pillonetto & De Nicolao 2010].

        y[t] = sum_k h_k u[t-k] + offset + e[t],    Cov(h_i, h_j) = s a^max(i, j)   ("tuned/correlated" kernel)

    s, a and the noise are found from the marginal likelihood, output by output: mean and band average over their law
    around its top, without which the band of a decayed response is far too narrow. data: y (T, p), u (T, m). n_steps: length of
    the response. level: of the band. Returns a Band over time with mean (n_steps, p, m). Cost O(T (m n_steps)^2) and some small solves.
    Raises TypeError or ValueError for data without inputs, or experiments no longer than n_steps.
    """
    records = experiments(data, "impulse_response_estimate")
    p, m = records[0].n_outputs, records[0].n_inputs
    if m == 0:
        raise ValueError("impulse_response_estimate: expected data with inputs; received none.")
    n_steps = _check.count(n_steps, "n_steps", "impulse_response_estimate")
    rows, targets = [], []
    for d in records:
        if len(d) >= n_steps:
            view = np.lib.stride_tricks.sliding_window_view(d.inputs, n_steps, axis=0)[:, :, ::-1]
            rows.append(view.reshape(len(view), -1))
            targets.append(d.y[n_steps - 1 :])
    if not rows or len(rows[0]) < 2:
        raise ValueError(f"impulse_response_estimate: expected experiments longer than n_steps = {n_steps}; received none.")
    X, Y = np.concatenate(rows), np.concatenate(targets)
    mean, spread = np.empty((n_steps, p, m)), np.empty((n_steps, p, m))
    for i in range(p):
        use = ~np.isnan(Y[:, i])
        h, deviation = _regularised(X[use], Y[use, i], n_steps, m)
        mean[:, i], spread[:, i] = h.reshape(m, n_steps).T, deviation.reshape(m, n_steps).T
    from scipy.special import ndtri
    q = float(ndtri(0.5 + level / 2))
    return Band(records[0].dt * np.arange(n_steps), mean, mean - q * spread, mean + q * spread, "impulse response", **names(records[0]))


def estimated_delay(data: Data | Iterable[Data], n_steps: int = 50, level: float = 0.99) -> np.ndarray:
    """Samples (p, m) before each input acts on each output: the first lag at which the impulse response leaves its band.

    data: y (T, p), u (T, m). n_steps, level: as for `impulse_response_estimate`. -1 where no lag does, for an input
    without visible effect.
    """
    band = impulse_response_estimate(data, n_steps, level)
    clear = (band.low > 0) | (band.high < 0)
    # A lone excursion is chance: the band must stay left at the next lag too, or be left by far.
    strong = np.abs(band.mean) > (band.high - band.low)
    lasting = clear & (np.vstack([clear[1:], clear[-1:]]) | strong)
    return np.where(lasting.any(0), lasting.argmax(0), -1)


def _regularised(X: np.ndarray, y: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import minimize
    scale = X.std(0).reshape(m, n).mean(1)
    scale = np.where(scale > 0, scale, 1.0)
    X, y = (X - X.mean(0)) / np.repeat(scale, n), y - y.mean()
    sigma_y = max(y.std(), 1e-300)
    R = np.asarray(np.linalg.qr(np.column_stack([X, y / sigma_y]), mode="r"))
    F, g, rest, N = R[: m * n, : m * n], R[: m * n, -1], float((R[m * n :, -1] ** 2).sum()), len(y)

    def kernel(s: float, a: float) -> np.ndarray:
        lag = np.arange(n)
        L = np.linalg.cholesky(s * a ** np.maximum(lag[:, None], lag[None]) + 1e-12 * s * np.eye(n))
        return np.kron(np.eye(m), L)

    def negative(v: np.ndarray) -> float:
        s, a, noise = np.exp(v[0]), 0.999 / (1 + np.exp(-v[1])), np.exp(v[2])
        FL = F @ kernel(s, a)
        Q = FL.T @ FL / noise + np.eye(m * n)
        C = np.linalg.cholesky(Q)
        z = np.linalg.solve(C, FL.T @ g / noise)
        return float(0.5 * (((g @ g) + rest) / noise - z @ z) + np.log(np.diag(C)).sum() + 0.5 * N * np.log(noise))

    first = min((np.array([s, a, e]) for s in (-3.0, 0.0) for a in (0.0, 2.0) for e in (-4.0, -1.0)), key=negative)
    best = minimize(negative, first, method="Nelder-Mead", options={"maxiter": 150, "xatol": 1e-2, "fatol": 1e-3}).x
    mean, second, total = np.zeros(m * n), np.zeros(m * n), 0.0
    for v, weight in _around(negative, best):
        s, a, noise = np.exp(v[0]), 0.999 / (1 + np.exp(-v[1])), np.exp(v[2])
        L = kernel(s, a)
        FL = F @ L
        Q = FL.T @ FL / noise + np.eye(m * n)
        h = L @ np.linalg.solve(Q, FL.T @ g / noise)
        mean += weight * h
        second += weight * (h**2 + np.einsum("ij,ji->i", L, np.linalg.solve(Q, L.T)))
        total += weight
    mean, second = mean / total, second / total
    units = sigma_y / np.repeat(scale, n)
    return mean * units, np.sqrt(np.maximum(second - mean**2, 0.0)) * units


def _around(negative: Callable[[np.ndarray], float], best: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Points and weights that average over exp(-negative) near its top: three a direction by Gauss-Hermite, reweighted."""
    k, step = len(best), 0.1
    unit = step * np.eye(k)
    H = np.array([[negative(best + a + b) - negative(best + a - b) - negative(best - a + b) + negative(best - a - b)
                   for a in unit] for b in unit]) / (4 * step**2)  # fmt: skip
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    root = vectors / np.sqrt(np.maximum(values, 0.25))
    top = negative(best)
    for corner in product((-1.0, 0.0, 1.0), repeat=k):
        z = np.sqrt(3.0) * np.array(corner)
        point = best + root @ z
        weight = np.prod(np.where(z == 0, 2 / 3, 1 / 6)) * np.exp(np.minimum(top - negative(point) + 0.5 * z @ z, 3.0))
        yield point, float(weight)


def _complete(data: Data | Iterable[Data], call: str) -> list[Data]:
    records = experiments(data, call)
    if records[0].n_inputs == 0:
        raise ValueError(f"{call}: expected data with inputs; received none.")
    if any(d.missing.any() for d in records):
        raise ValueError(f"{call}: expected complete records; received missing outputs. Take stretches without gaps, or fill them "
                         "with sysid.smooth.")  # fmt: skip
    return records
