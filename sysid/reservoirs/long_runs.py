"""Long and many sequences: chunks with the certified overlap, FFT kernels of a frozen model, ensembles."""

from __future__ import annotations

import warnings
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

    esn : a reservoir without output feedback, of tanh or sigmoid units, whose states are bounded; of others say `overlap`. u : (T, m). n_chunks : run side by side, one matrix
    product a step for all. The overlap comes from a certificate of contraction (rate kappa, overshoot G), computed if none is
    given; a reservoir without one is refused unless `overlap` is said, and then nothing is promised.
    Returns x (T, n). The work grows by the overlap's share of a chunk. [ESN-SSM, Eq. 81]
    Raises TypeError or ValueError for output feedback, inputs of another shape, or states that nothing bounds.
    """
    call = "chunked_states"
    if getattr(esn, "n_feedback", 0):
        raise ValueError(f"{call}: expected a reservoir without output feedback; received one with.")
    u = _check.signal(u, "u", call, esn.n_inputs)
    T, count = len(u), _check.count(n_chunks, "n_chunks", call)
    overlap = _certified_overlap(esn, u, certificate, tolerance, call) if overlap is None else _check.count(overlap, "overlap", call, least=0)
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


def _certified_overlap(esn: Any, u: np.ndarray, certificate: Any, tolerance: float, call: str) -> int:
    from ..certificates.certificate import Contraction
    from ..certificates.certify import certify
    from ..models.memory import memory_horizon

    name = getattr(getattr(esn, "act", None), "name", type(esn).__name__)
    if name not in ("tanh", "sigmoid"):
        raise ValueError(f"{call}: expected tanh or sigmoid units, whose states stay in the unit cube; received {name}. "
                         "How far others are from rest is not known: say overlap=... and check.")
    # The bound matters to gated reservoirs alone, which contract as their inputs are small.
    certificate = certify(esn, Contraction(input_bound=np.abs(u).max(0))) if certificate is None else certificate
    if not certificate.holds:
        raise ValueError(f"{call}: expected a reservoir certified to contract; received one without a certificate "
                         f"({certificate.method}). Scale it with sysid.scale_to_certified, or say overlap=... and check.")
    reach = 2.0 * np.sqrt(esn.n_states)  # states of a leaky tanh network stay in the unit cube
    return memory_horizon(certificate, input_bound=reach, tolerance=tolerance)


def kernel_outputs(lti: LTI, u: Any, *, tolerance: float = 1e-12) -> np.ndarray:
    """Compute the outputs (T, p) of a stable linear model from rest by its impulse response and the FFT.

    lti : a linearisation or a lift. u : (T, m) in original units; offsets are kept. tolerance : of the response cut off, relative to
    its largest entry. O(T log T p m + K n^2) for K lags kept, against O(T n^2) step by step.
    Raises TypeError for what is no LTI, ValueError for an unstable model or inputs of another shape.
    """
    from scipy.signal import oaconvolve

    _check.kind(lti, isinstance(lti, LTI), "an LTI model", "kernel_outputs", " Linearise it: sysid.linearize(model, x=..., u=...).")
    u = _check.signal(u, "u", "kernel_outputs", lti.n_inputs)
    T = len(u)
    # The offset c is one more input, held at 1: its modes may be slower than those that u excites.
    B, D = lti.B, np.asarray(lti.D)
    if np.any(lti.c):
        u, B, D = np.column_stack([u, np.ones(T)]), np.column_stack([B, lti.c]), np.column_stack([D, np.zeros(lti.n_outputs)])
    kept, block = [D], np.array(B)
    largest = np.abs(D).max(initial=0.0)
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
    y = np.zeros((T, lti.n_outputs))
    for i in range(u.shape[1]):
        y += oaconvolve(u[:, [i]], kernel[:, :, i], axes=0)[:T]
    return y + lti.d


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleForecast(Shown):
    """Forecasts of several models. paths : (K, h, p). mean : (h, p). data : the history."""

    paths: np.ndarray
    mean: np.ndarray
    data: Data

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Band between members, low and high (h, p), in original units: disagreement, not noise.

        Raises ValueError for a level outside (0, 1).
        """
        level = _check.level(level, "interval")
        ends = [self.data.to_original(_among(np.nanquantile, self.paths, q)) for q in (0.5 - level / 2, 0.5 + level / 2)]
        return np.minimum(*ends), np.maximum(*ends)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation between members (h, p)."""
        return _among(np.nanstd, self.paths)

    def summary(self) -> dict[str, Any]:
        return {"members": len(self.paths), "horizon": self.paths.shape[1], "diverged": int(np.isnan(self.paths).any((1, 2)).sum()),
                "spread, first and last": [self.spread[0].mean(), self.spread[-1].mean()]}


def ensemble_forecast(models: Any, data: Data, horizon: int, u: Any = None) -> EnsembleForecast:
    """Forecast with several trained reservoirs, such as one recipe at several seeds; the median is the forecast.

    models : trained reservoirs. data : one sequence of history. horizon : h. u : (h, m) future inputs.
    Members that diverge drop out from the step where they do; NaN where none is left.
    Raises ValueError for fewer than two models.
    """
    members = list(models)
    if len(members) < 2:
        raise ValueError(f"ensemble_forecast: expected at least two models; received {len(members)}.")
    paths = np.stack([forecast(m, data, horizon, u).mean for m in members])
    return EnsembleForecast(paths, _among(np.nanmedian, paths), data)


def _among(statistic: Any, paths: np.ndarray, *arguments: float) -> np.ndarray:
    """A statistic over the members that are left, NaN where none is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of slices that are NaN throughout
        return statistic(paths, *arguments, axis=0)
