"""Whether a filter's own uncertainty is true: normalised innovations and errors against their chi-square laws.

    NIS[t] = e' S^-1 e ~ chi2(p),   NEES[t] = (x - x(t|t))' P(t|t)^-1 (x - x(t|t)) ~ chi2(n)   [Bar-Shalom et al. 2001, Sec. 5.4]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from .results import Filtered


@dataclass(frozen=True, eq=False, repr=False)
class Consistency(Shown):
    """Tests of a filter run. nis: (T,) NaN-free, with degrees (T,) the entries measured. nees: (T,) or None.

    nis_share: mean NIS over its degrees, 1 if the model is right, with nis_band its chi-square interval at `level`; nees_share and
    nees_band alike. whiteness: (p,) p-values of Ljung-Box tests on the standardised innovations. log_likelihoods: (T,).
    """

    nis: np.ndarray
    degrees: np.ndarray
    nis_share: float
    nis_band: tuple[float, float]
    whiteness: np.ndarray
    log_likelihoods: np.ndarray
    level: float
    nees: np.ndarray | None = None
    nees_share: float | None = None
    nees_band: tuple[float, float] | None = None

    @property
    def findings(self) -> list[str]:
        """What looks wrong, in sentences; empty if nothing does."""
        said = []
        low, high = self.nis_band
        if self.nis_share > high:
            said.append(f"innovations are {np.sqrt(self.nis_share):.3g} times as large as predicted: R, Q or the initial "
                        "covariance is too small, or the model is wrong")  # fmt: skip
        if self.nis_share < low:
            said.append(f"innovations are {np.sqrt(self.nis_share):.3g} times as large as predicted: R or Q is too large")
        coloured = np.flatnonzero(self.whiteness < (1 - self.level) / len(self.whiteness))
        if len(coloured):
            said.append(f"innovations of outputs {(coloured + 1).tolist()} are not white: dynamics or an input are missing")
        if self.nees_share is not None and self.nees_band is not None and not self.nees_band[0] <= self.nees_share <= self.nees_band[1]:
            said.append(f"state errors are {np.sqrt(self.nees_share):.3g} times as large as the covariance says")
        if np.isneginf(self.log_likelihoods).any():
            said.append(f"the measurement at step {int(np.argmin(self.log_likelihoods))} is impossible under the model")
        return said

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"NIS / degrees": self.nis_share, f"{100 * self.level:g} % band": list(self.nis_band),
                               "whiteness, p-values": self.whiteness}  # fmt: skip
        if self.nees_share is not None:
            out |= {"NEES / degrees": self.nees_share, f"{100 * self.level:g} % band of NEES": list(self.nees_band or ())}
        return out | {"findings": "; ".join(self.findings) or "nothing contradicts the model"}

    def plot(self, ax: Any = None) -> Any:
        """Draw NIS over time with its bounds; return the axes."""
        from scipy.special import chdtri

        from .. import plot

        ax = plot.axes(ax)
        ax.plot(self.nis, ".", markersize=3, color=plot.COLOURS["model"])
        bound = chdtri(np.maximum(self.degrees, 1), 1 - self.level)
        ax.plot(bound, color=plot.COLOURS["second"], linewidth=1.0, label=f"{100 * self.level:g} % bound")
        ax.set_xlabel("step")
        ax.set_ylabel("NIS")
        plot.legend(ax)
        return ax


def consistency(filtered: Filtered, states: Any = None, *, level: float = 0.95, lags: int = 20) -> Consistency:
    """Test whether a filter run agrees with its own covariances.

    filtered: the result of `filter` for one sequence, with store="all". states: (T, n) true states of a simulation, which
    add the NEES. level: of the bands, in (0, 1). lags: of the Ljung-Box tests, fewer for short series.
    Returns a Consistency, whose summary says when the model looks wrong. Raises ValueError for a batch.
    Valid for innovations that are white under the model, so the bands hold for T well above n. Cost O(T p^3).
    """
    if not isinstance(filtered, Filtered):
        raise TypeError(f"consistency: expected the result of sysid.filter(process, data); received {type(filtered).__name__}.")
    if filtered.data.is_batch:
        raise ValueError("consistency: expected one sequence; received a batch. Call it for each of them.")
    _check.level(level, "consistency")
    seen = ~filtered.data.missing & np.isfinite(np.diagonal(filtered.y_cov, axis1=1, axis2=2))
    white = standardised(filtered.innovations, filtered.y_cov, seen)
    nis, degrees = np.nansum(white**2, axis=1), seen.sum(1)
    whiteness = np.array([_ljung_box(w, lags) for w in white.T])
    result = Consistency(nis, degrees, float(nis.sum() / max(degrees.sum(), 1)), _band(degrees.sum(), level), whiteness,
                         filtered.log_likelihoods, level)  # fmt: skip
    if states is None:
        return result
    x = _check.signal(states, "states", "consistency", filtered.process.n_states)
    error = standardised(x - filtered.filtered.mean, filtered.filtered.cov, np.ones(x.shape, dtype=bool))
    nees = np.nansum(error**2, axis=1)
    count = error.shape[1]
    # Errors are correlated in time: their number is taken as that of independent ones by the first autocorrelation.
    r = np.corrcoef(nees[1:], nees[:-1])[0, 1] if len(nees) > 2 and nees.std() > 0 else 0.0
    effective = len(nees) * (1 - max(r, 0.0)) / (1 + max(r, 0.0))
    return Consistency(result.nis, degrees, result.nis_share, result.nis_band, whiteness, result.log_likelihoods, level, nees,
                       float(nees.mean() / count), _band(effective * count, level))  # fmt: skip


def _band(degrees: float, level: float) -> tuple[float, float]:
    """The central interval of chi2(degrees) / degrees, exact where the model is linear and right."""
    from scipy.special import chdtri
    degrees = max(float(degrees), 1.0)
    return float(chdtri(degrees, 0.5 + level / 2) / degrees), float(chdtri(degrees, 0.5 - level / 2) / degrees)


def standardised(e: np.ndarray, cov: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """L^-1 e with L L' the covariance of the entries seen (T, p), NaN elsewhere; singular directions are left out."""
    out = np.full(e.shape, np.nan)
    for t in range(len(e)):
        rows = np.flatnonzero(seen[t])
        if not len(rows):
            continue
        block = cov[t][np.ix_(rows, rows)]
        try:
            out[t, rows] = np.linalg.solve(np.linalg.cholesky(block), e[t, rows])
        except np.linalg.LinAlgError:
            unit = np.sqrt(np.where(np.diag(block) > 0, np.diag(block), 1.0))
            values, vectors = np.linalg.eigh(block / np.outer(unit, unit))
            keep = values > 1e-12 * values[-1]
            part = np.zeros(len(rows))
            part[keep] = (vectors.T @ (e[t, rows] / unit))[keep] / np.sqrt(values[keep])
            out[t, rows] = part
    return out


def _ljung_box(w: np.ndarray, lags: int) -> float:
    """p-value of Ljung and Box's test of w (T,) with gaps as NaN, each lag by the pairs that are there; 1 for series too short to tell."""
    from scipy.special import chdtrc
    seen = ~np.isnan(w)
    n = int(seen.sum())
    lags = min(lags, n // 4)
    if lags < 1 or not np.nanstd(w) > 0:
        return 1.0
    w = np.where(seen, w - np.nanmean(w), 0.0)
    pairs = np.array([(seen[k:] & seen[:-k]).sum() for k in range(1, lags + 1)])
    r = np.array([w[k:] @ w[:-k] for k in range(1, lags + 1)]) / (w @ w) * n / np.maximum(pairs, 1)
    return float(chdtrc((pairs > 0).sum(), ((n + 2) / n * pairs * r**2).sum()))
