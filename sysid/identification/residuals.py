"""Tests of residuals: whiteness, and independence of the inputs [Ljung 1999, sec. 16.6]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._show import Shown
from .triangular import extended


@dataclass(frozen=True, eq=False, repr=False)
class Correlation(Shown):
    """Correlations of residuals with something, against a band.

    lags: (k,). values: (k, p, q) correlation coefficients. band: (k, p, q) half width of the pointwise interval at `level` under
    independence. share_outside: of the values. p_value: of the joint test, smallest over the channels (Bonferroni).
    passed: whether the p-value exceeds 1 - level. names: one label a pair of channels.
    """

    lags: np.ndarray
    values: np.ndarray
    band: np.ndarray
    level: float
    p_value: float
    names: tuple[str, ...]

    @property
    def share_outside(self) -> float:
        """Share of the correlations beyond their band; 1 - level is expected."""
        return float((np.abs(self.values) > self.band).mean()) if self.values.size else 0.0

    @property
    def passed(self) -> bool:
        """Whether independence is not rejected at the level."""
        return self.p_value > 1 - self.level

    def summary(self) -> dict[str, Any]:
        return {"passed": self.passed, "p-value": self.p_value, "share outside the band": self.share_outside}

    def plot(self, ax: Any = None) -> Any:
        """Draw the correlations of each pair and their band; return the axes."""
        from .. import plot
        p, q = self.values.shape[1:]
        grid = np.atleast_1d(plot.axes(ax, p, max(q, 1))).reshape(-1)
        for i in range(p * q):
            a = grid[min(i, len(grid) - 1)]
            at = np.s_[:, i // q, i % q]
            a.vlines(self.lags, 0, self.values[at], color=plot.COLOURS["model"], linewidth=1.2)
            plot.band(a, self.lags, -self.band[at], self.band[at])
            a.set_xlabel("lag")
            a.set_ylabel("correlation")
            a.set_title(self.names[i], fontsize=9, loc="left")
        return grid[0] if len(grid) == 1 else grid


def whiteness(errors: list[np.ndarray], names: tuple[str, ...], n_lags: int = 25, level: float = 0.99) -> Correlation:
    """Autocorrelation of each channel's residuals (T, p) at lags 1..n_lags, with the portmanteau test of Ljung and Box.

        Q = N (N + 2) sum_k rho_k^2 / (N - k),   chi-square with n_lags degrees of freedom for white residuals

    The values are means over the N - k pairs of a lag, so rho_k = (N - k) / N times them; the residuals are taken at their
    word, without removing a mean. Missing ones leave pairs out. [Ljung & Box 1978]
    """
    p = errors[0].shape[1]
    lags = np.arange(1, n_lags + 1)
    values, count = np.zeros((n_lags, p, 1)), np.ones((n_lags, p, 1))
    power, total = _mean([e**2 for e in errors])
    for k in lags:
        parts = [e[k:] * e[:-k] for e in errors if len(e) > k]
        if parts:
            values[k - 1, :, 0], count[k - 1, :, 0] = _mean(parts)
    values /= np.maximum(power, 1e-300)[:, None]
    statistic = (total + 2) / total * (count * values**2).sum(0)[:, 0]
    return Correlation(lags, values, _quantile(level) / np.sqrt(count), level, _joint(statistic, n_lags, p), names)


def independence(errors: list[np.ndarray], inputs: list[np.ndarray], names: tuple[str, ...], n_lags: int = 25,
                 level: float = 0.99) -> Correlation:  # fmt: skip
    """Correlation of residuals (T, p) with past inputs (T, m) at lags 0..n_lags.

    The variance of each coefficient is sum_l R_e(l) R_u(l) / N, so coloured inputs and residuals raise no false alarm
    [Ljung 1999, Eq. 16.31]; the joint test regresses residuals on lagged inputs after both went through the filter that
    whitens the residuals.
    """
    p, m = errors[0].shape[1], inputs[0].shape[1]
    lags = np.arange(0, n_lags + 1)
    e = [np.nan_to_num(x - np.nanmean(np.concatenate(errors), 0)) for x in errors]
    mean = np.concatenate(inputs).mean(0)
    u = [x - mean for x in inputs]
    N = sum(len(x) for x in e)
    reach = min(2 * n_lags, min(len(x) for x in e) - 1)
    Re, Ru = _autocovariance(e, reach), _autocovariance(u, reach)
    taper = 1 - np.arange(reach + 1) / (reach + 1)
    values, band = np.zeros((len(lags), p, m)), np.zeros((len(lags), p, m))
    statistics = []
    for i in range(p):
        for j in range(m):
            if Re[0, i] <= 0 or Ru[0, j] <= 0:
                continue
            c = np.array([sum(x[k:, i] @ w[: len(w) - k, j] for x, w in zip(e, u) if len(x) > k) / N for k in lags])
            products = taper * Re[:, i] * Ru[:, j]
            variance = (2 * products.sum() - products[0]) / N  # [Ljung 1999, Eq. 16.31]
            scale = np.sqrt(Re[0, i] * Ru[0, j])
            values[:, i, j] = c / scale
            band[:, i, j] = _quantile(level) * np.sqrt(max(variance, 1e-300)) / scale
            statistics.append(_joint_statistic([x[:, i] for x in e], [w[:, j] for w in u], n_lags))
    from scipy.special import gammaincc
    values_p = [gammaincc(k / 2, s / 2) for s, k in statistics]
    p_value = float(min(1.0, min(values_p, default=1.0) * max(len(values_p), 1)))
    return Correlation(lags, values, band, level, p_value, names)


def _joint_statistic(e: list[np.ndarray], u: list[np.ndarray], n_lags: int) -> tuple[float, int]:
    """N R^2 of the regression of residuals on the lagged input, both filtered so that the residuals are white first."""
    order = max(1, min(20, min(len(x) for x in e) // 20))
    past = _compressed([(x[:-1], x, order) for x in e if len(x) > order])
    a = np.linalg.lstsq(past[:, :-1], past[:, -1], rcond=None)[0]  # of the farthest lag first
    taps = np.concatenate([[1.0], -a[::-1]])
    filtered = [(np.convolve(w, taps, "valid"), np.convolve(x, taps, "valid")) for x, w in zip(e, u)]
    filtered = [(moved, white) for moved, white in filtered if len(white) > n_lags]
    R = _compressed([(moved, white, n_lags + 1) for moved, white in filtered])
    U, s, _ = np.linalg.svd(R[:, :-1], full_matrices=False)
    keep = s > 1e-6 * s[0]
    power = max(float(R[:, -1] @ R[:, -1]), 1e-300)
    return sum(len(white) - n_lags for _, white in filtered) * float(((U[:, keep].T @ R[:, -1]) ** 2).sum()) / power, int(keep.sum())


def _compressed(pairs: list[tuple[np.ndarray, np.ndarray, int]], chunk: int = 50_000) -> np.ndarray:
    """R of the rows [window of x, its target]: triples (x, y, width), where the last entries of y (T,) are the targets of x's windows."""
    R = np.zeros((0, pairs[0][2] + 1))
    for x, y, width in pairs:
        windows = np.lib.stride_tricks.sliding_window_view(x, width)
        targets = y[len(y) - len(windows) :]
        for a in range(0, len(windows), chunk):
            R = extended(R, np.column_stack([windows[a : a + chunk], targets[a : a + chunk]]))
    return R


def _autocovariance(x: list[np.ndarray], reach: int) -> np.ndarray:
    N = sum(len(s) for s in x)
    return np.array([sum((s[k:] * s[: len(s) - k]).sum(0) for s in x if len(s) > k) / N for k in range(reach + 1)])


def _mean(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Means (p,) over the entries present, and how many there are, at least 1."""
    together = np.concatenate(parts)
    here = ~np.isnan(together)
    count = np.maximum(here.sum(0), 1)
    return np.where(here, together, 0.0).sum(0) / count, count


def _joint(statistic: np.ndarray, degrees: int, channels: int) -> float:
    from scipy.special import gammaincc
    return float(min(1.0, gammaincc(degrees / 2, np.maximum(statistic, 0) / 2).min() * channels))


def _quantile(level: float) -> float:
    from scipy.special import ndtri
    return float(ndtri(0.5 + level / 2))
