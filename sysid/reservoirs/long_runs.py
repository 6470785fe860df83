"""Long and many sequences: chunks with the certified overlap, FFT kernels of a frozen model, ensembles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..inference.forecast import forecast
from ..inference.simulate import simulate
from ..models.lti import LTI


def chunked_states(esn: Any, u: Any, n_chunks: int = 16, *, tolerance: float = 1e-10, overlap: int | None = None,
                   certificate: Any = None) -> np.ndarray:  # fmt: skip
    r"""Compute the states of one long sequence as a batch of chunks, each begun early enough to have forgotten its start.

    .. math:: \| x_t - \hat x_t \| \le G\, \kappa^{\text{overlap}}\, \| x_0 - \hat x_0 \| \le \text{tolerance}

    esn : a reservoir without output feedback and with bounded states. u : (T, m). n_chunks : run side by side, one matrix
    product a step for all. The overlap comes from a certificate of contraction (rate kappa, overshoot G), computed if none is
    given; a reservoir without one is refused unless `overlap` is said, and then nothing is promised.
    Returns x (T, n). The work grows by the overlap's share of a chunk. [ESN-SSM, Eq. 81]
    Raises TypeError or ValueError for output feedback, or inputs of another shape.
    """
    call = "chunked_states"
    if getattr(esn, "n_feedback", 0):
        raise ValueError(f"{call}: expected a reservoir without output feedback; received one with.")
    u = _check.signal(u, "u", call, esn.n_inputs)
    T, count = len(u), _check.count(n_chunks, "n_chunks", call)
    if overlap is None:
        overlap = _certified_overlap(esn, certificate, tolerance, call)
    size = -(-T // count)
    if count == 1 or overlap >= 4 * size or size < 2:
        return simulate(esn, u).x
    starts = np.arange(0, T, size)
    padded = np.vstack([np.zeros((overlap, u.shape[1])), u, np.zeros((size, u.shape[1]))])
    pieces = np.stack([padded[s : s + overlap + size] for s in starts])
    x = simulate(esn, pieces).x[:, overlap:]
    out = np.ascontiguousarray(x).reshape(-1, esn.n_states)[:T]
    first = min(T, overlap + size)
    out[:first] = simulate(esn, u[:first]).x  # the first chunk begins at rest, not in zeros
    return out


def _certified_overlap(esn: Any, certificate: Any, tolerance: float, call: str) -> int:
    from ..certificates.certify import certify
    from ..models.memory import memory_horizon

    certificate = certify(esn) if certificate is None else certificate
    if not certificate.holds:
        raise ValueError(f"{call}: expected a reservoir certified to contract; received one without a certificate "
                         f"({certificate.method}). Scale it with sysid.scale_to_certified, or say overlap=... and check.")
    reach = 2.0 * np.sqrt(esn.n_states)  # states of a leaky tanh network stay in the unit cube
    return memory_horizon(certificate, input_bound=reach, tolerance=tolerance)


def kernel_outputs(lti: LTI, u: Any, *, tolerance: float = 1e-12) -> np.ndarray:
    """Compute the outputs (T, p) of a stable linear model from rest by its impulse response and the FFT.

    lti : a linearisation or a lift. u : (T, m) in original units; offsets are kept. tolerance : of the response cut off, relative to
    its largest entry. O(T log T p m + K n^2) for K lags kept, against O(T n^2) step by step.
    Raises ValueError for an unstable model or inputs of another shape.
    """
    from scipy.signal import oaconvolve

    u = _check.signal(u, "u", "kernel_outputs", lti.n_inputs)
    T = len(u)
    kept, block = [np.asarray(lti.D)], np.array(lti.B)
    largest = np.abs(lti.D).max(initial=0.0)
    rest = 0.0
    radius = float(np.abs(np.linalg.eigvals(lti.A)).max(initial=0.0))
    if radius >= 1:
        raise ValueError(f"kernel_outputs: expected a stable model; received spectral radius {radius:.6g}.")
    while len(kept) < T:
        h = lti.C @ block
        kept.append(h)
        largest = max(largest, float(np.abs(h).max(initial=0.0)))
        block = lti.A @ block
        rest = float(np.abs(lti.C).sum(1).max(initial=0.0) * np.abs(block).max(initial=0.0)) / (1 - radius)
        if rest <= tolerance * largest:
            break
    kernel = np.array(kept)
    y = sum(oaconvolve(u[:, [i]], kernel[:, :, i], axes=0)[:T] for i in range(lti.n_inputs)) if lti.n_inputs else np.zeros((T, lti.n_outputs))
    if np.any(lti.c):
        still = LTI(lti.A, np.asarray(lti.c)[:, None], lti.C)
        steps = min(T, len(kept) + 1)
        drift = np.cumsum(simulate(still, np.eye(1, steps).T).y, axis=0)
        y = y + np.vstack([drift, np.repeat(drift[-1:], T - steps, axis=0)])
    return y + lti.d


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleForecast(Shown):
    """Forecasts of several models. paths : (K, h, p). mean : (h, p). data : the history."""

    paths: np.ndarray
    mean: np.ndarray
    data: Data

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Band between members, low and high (h, p), in original units: disagreement, not noise."""
        ends = [self.data.to_original(np.nanquantile(self.paths, q, axis=0)) for q in (0.5 - level / 2, 0.5 + level / 2)]
        return np.minimum(*ends), np.maximum(*ends)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation between members (h, p)."""
        return np.nanstd(self.paths, axis=0)

    def summary(self) -> dict[str, Any]:
        return {"members": len(self.paths), "horizon": self.paths.shape[1], "diverged": int(np.isnan(self.paths).any((1, 2)).sum()),
                "spread, first and last": [self.spread[0].mean(), self.spread[-1].mean()]}


def ensemble_forecast(models: Any, data: Data, horizon: int, u: Any = None) -> EnsembleForecast:
    """Forecast with several trained reservoirs, such as one recipe at several seeds; the median is the forecast.

    models : trained reservoirs. data : one sequence of history. horizon : h. u : (h, m) future inputs.
    Members that diverge drop out from the step where they do.
    Raises ValueError for fewer than two models.
    """
    members = list(models)
    if len(members) < 2:
        raise ValueError(f"ensemble_forecast: expected at least two models; received {len(members)}.")
    paths = np.stack([forecast(m, data, horizon, u).mean for m in members])
    return EnsembleForecast(paths, np.nanmedian(paths, axis=0), data)
