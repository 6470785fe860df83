"""Subspace identification of bilinear models: a predictor whose Markov parameters are words in A and N_i."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..inference.filter import filter
from ..models.bilinear import Bilinear
from ..models.process import Process
from .excitation import check_excitation
from .fit import Fit
from .joint_regression import Record
from .records import common_scales
from .triangular import triangle

_ROWS = 4096
_MAX_COLUMNS = 600
_MOST = 10  # states that are tried
_LITTLE = 30.0  # per cent explained on the estimation data below which a note says so


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BilinearSubspaceFit(Fit):
    """A bilinear estimate: Fit (model, process, status, ...) with the figures that it was made by.

    gain: K (n, p). innovation_cov: (p, p). singular_values: of the predicted futures (k,). lags: of the predictor.
    order_criterion: (k + 1,) information criterion by the order, smallest is best, NaN where not tried; None for a given order.
    """

    gain: np.ndarray
    innovation_cov: np.ndarray
    singular_values: np.ndarray
    lags: int
    order_criterion: np.ndarray | None = None

    def summary(self) -> dict[str, Any]:
        return super().summary() | {"lags": self.lags, "singular values": self.singular_values[:8]}

    def plot(self, ax: Any = None) -> Any:
        """Draw the singular values, and the information criterion if the order was chosen; return the axes."""
        from .order_figure import draw_order
        return draw_order(self.singular_values, self.order_criterion, self.model.n_states, ax)


@dataclass(frozen=True)
class BilinearSubspace:
    """Estimate a bilinear process by predictor-based subspace regression [van Wingerden & Verhaegen 2009].

        x[t+1] = A x + sum_i u_i N_i x + B u + K e,   so with A~ = A - K C and M(u) = A~ + sum_i u_i N_i
        y[t] = C sum_j M(u[t-1]) ... M(u[t-j+1]) [B K] [u; y][t-j] + D u[t] + e[t]

    The regression of y on all these words, each a product of past inputs with a past sample, gives the Markov
    parameters C M_w [B K]; those that share a beginning predict the state, a singular value decomposition finds its
    coordinates, and A, N, B, C, D, K follow by least squares.
    n_states: order, or None for the largest drop of the singular values (at most 10). Beside it the fit holds a Bayesian
    criterion of the filter's likelihood for orders 1, 2, ..., until three in a row are worse, and says where the two differ.
    The drop speaks of the plant; the criterion of these estimates, whose words cut short are paid for by further states.
    lags: length of the words; None for as many as keep the regression below 600 columns and a tenth of the samples.
    future: length of the beginnings. ridge: relative to the mean square of the regressors.
    Start of sysid.EM for the likelihood estimate. Raises ValueError where the samples do not suffice for two lags.
    Cost O(T k^2), k = (m + p + 1) ((1 + m)^lags - 1) / m columns.
    """

    n_states: int | None = None
    lags: int | None = None
    future: int = 3
    ridge: float = 1e-8

    def __post_init__(self) -> None:
        _check.options(self, n_states="count", lags="count", ridge="nonnegative")
        _check.count(self.future, "future", "BilinearSubspace")

    def fit(self, data: list[Data], start: Any = None) -> BilinearSubspaceFit:
        """Estimate from single sequences; `start` must be None.

        Raises ValueError for a start, data without inputs, or n_states beyond what the horizons tell apart.
        """
        call = "fit(BilinearSubspace)"
        if start is not None:
            raise ValueError(f"{call}: expected no start, because the method does not iterate; received one. Refine with sysid.EM.")
        m, p = data[0].n_inputs, data[0].n_outputs
        if m == 0:
            raise ValueError(f"{call}: expected data with inputs; received none.")
        scales = common_scales(data, call)
        records = scales.apply(data)
        lags = self.lags or _affordable(sum(len(d) for d in data), m, p)
        check_excitation(data, lags, call)
        words = _Words(m, m + p + 1, lags)
        theta = self._regress(records, words, call)
        futures = _futures(theta, words, p, min(self.future, lags))
        R = _feature_triangle(records, words)
        _, s, V = np.linalg.svd(R @ futures.T, full_matrices=False)
        if (self.n_states or 1) > len(s):
            raise ValueError(f"{call}: expected n_states up to {len(s)} for future = {self.future}; received {self.n_states}. Raise future.")
        to_state = (V @ futures) / np.maximum(s, 1e-300)[:, None] * np.sqrt(sum(len(y) for y, _ in records))

        def of_order(n: int) -> BilinearSubspaceFit:
            return _finish(records, words, to_state[:n], scales, data, s, lags)

        return of_order(self.n_states) if self.n_states else _by_drop(of_order, s, data)

    def _regress(self, records: Sequence[Record], words: _Words, call: str) -> np.ndarray:
        """Coefficients (k, p) of y[t] on the words, the inputs of time t projected out."""
        p, m = records[0][0].shape[1], records[0][1].shape[1]
        R, count = np.zeros((0, words.size + m + p)), 0
        for y, u in records:
            for a in range(words.lags, len(y), _ROWS):
                b = min(a + _ROWS, len(y))
                rows = np.hstack([u[a:b], words.features(y, u, a, b), y[a:b]])
                rows = rows[~np.isnan(rows).any(1)]
                count += len(rows)
                R = triangle(np.vstack([R, rows]))
        if count < 2 * words.size:
            raise ValueError(f"{call}: expected at least {2 * words.size} samples with a complete past for {words.lags} lags; received "
                             f"{count}. Lower lags, or record longer.")  # fmt: skip
        F, g = R[:, m : m + words.size], R[:, m + words.size :]
        F, g = F[m:], g[m:]
        weight = np.sqrt(self.ridge) * np.linalg.norm(F) / np.sqrt(words.size)
        stacked = np.vstack([F, weight * np.eye(words.size)])
        return np.linalg.lstsq(stacked, np.vstack([g, np.zeros((words.size, p))]), rcond=1e-12)[0]


@dataclass(frozen=True)
class _Words:
    """Products mu[t-1] x ... x mu[t-j+1] x z[t-j], mu = [1, u], z = [u, y, 1], for j = 1..lags, newest factor first."""

    m: int
    r: int
    lags: int

    @property
    def size(self) -> int:
        return sum((1 + self.m) ** j for j in range(self.lags)) * self.r

    def place(self, j: int) -> slice:
        """Columns of lag j, (1 + m)^(j-1) r of them."""
        at = sum((1 + self.m) ** i for i in range(j - 1)) * self.r
        return slice(at, at + (1 + self.m) ** (j - 1) * self.r)

    def features(self, y: np.ndarray, u: np.ndarray, a: int, b: int) -> np.ndarray:
        """Rows for times a..b-1, a >= lags: (b - a, size)."""
        out = []
        prefix = np.ones((b - a, 1))
        for j in range(1, self.lags + 1):
            z = np.hstack([u[a - j : b - j], y[a - j : b - j], np.ones((b - a, 1))])
            out.append((prefix[:, :, None] * z[:, None, :]).reshape(b - a, -1))
            mu = np.hstack([np.ones((b - a, 1)), u[a - j : b - j]])
            prefix = (prefix[:, :, None] * mu[:, None, :]).reshape(b - a, -1)
        return np.hstack(out)


def _affordable(samples: int, m: int, p: int) -> int:
    lags = 1
    while _Words(m, m + p + 1, lags + 1).size <= min(_MAX_COLUMNS, samples / 10):
        lags += 1
    return max(lags, 2)


def _futures(theta: np.ndarray, words: _Words, p: int, future: int) -> np.ndarray:
    """Rows C M_v x[t] as combinations of the words at t, for every beginning v of up to future - 1 letters.

    The coefficient of word w at lag j in C M_v x is that of the word v w at lag j + |v|; longer words are left out.
    """
    rows, k = [], 1 + words.m
    for length in range(future):
        for v in range(k**length):
            block = np.zeros((p, words.size))
            for j in range(1, words.lags - length + 1):
                source = theta[words.place(j + length)].reshape(k**length, -1, p)[v]
                block[:, words.place(j)] = source.T
            rows.append(block)
    return np.concatenate(rows)


def _feature_triangle(records: Sequence[Record], words: _Words) -> np.ndarray:
    R = np.zeros((0, words.size))
    for y, u in records:
        for a in range(words.lags, len(y), _ROWS):
            rows = words.features(y, u, a, min(a + _ROWS, len(y)))
            R = triangle(np.vstack([R, rows[~np.isnan(rows).any(1)]]))
    return R


def _drop(s: np.ndarray) -> int:
    kept = s[: min(len(s), _MOST + 1)]
    return int(np.argmax(kept[:-1] / np.maximum(kept[1:], 1e-12 * s[0]))) + 1 if len(kept) > 1 else 1


def _by_drop(of_order: Callable[[int], BilinearSubspaceFit], s: np.ndarray, data: list[Data]) -> BilinearSubspaceFit:
    """The estimate at the largest drop of the singular values, with the criterion of all orders that were tried."""
    chosen = _drop(s)
    fits: list[BilinearSubspaceFit] = []
    criterion = [np.nan]
    for n in range(1, min(len(s), _MOST) + 1):
        fits.append(of_order(n))
        criterion.append(_criterion(fits[-1], data))
        if n >= max(4, chosen) and not np.nanmin([*criterion[-3:], np.inf]) <= np.nanmin([*criterion[:-3], np.inf]):
            break
    best = int(np.nanargmin(criterion)) if np.isfinite(criterion).any() else chosen
    notes = () if best == chosen else (f"the singular values drop most behind n_states = {chosen}, the criterion is smallest at {best}: compare both on other data",)
    fit = fits[chosen - 1]
    return replace(fit, order_criterion=np.array(criterion), notes=(*fit.notes, *notes))


def _criterion(fit: BilinearSubspaceFit, data: list[Data]) -> float:
    """-2 log p(y) + k log T [Schwarz 1978], k free parameters: changes of the state's coordinates count for nothing."""
    n, m, p = fit.model.n_states, fit.model.n_inputs, fit.model.n_outputs
    assert fit.process is not None
    try:
        with np.errstate(all="ignore"):
            value = sum(float(filter(fit.process, d, store="last").log_likelihood) for d in data)
    except (ValueError, FloatingPointError, np.linalg.LinAlgError):
        return np.nan
    return -2 * value + (m * n * n + n * (m + 2 * p)) * np.log(sum(len(d) for d in data)) if np.isfinite(value) else np.nan


def _at_rest(model: Bilinear) -> Bilinear:
    """The same model with the state measured from its rest under zero input, so that c = 0: B_i + N_i x_rest, d + C x_rest."""
    gap = np.eye(model.n_states) - model.A
    if np.linalg.cond(gap) > 1e8:
        return model
    rest = np.linalg.solve(gap, model.c)
    B = model.B + np.stack([N @ rest for N in model.N], axis=1)
    return replace(model, B=B, c=np.zeros(model.n_states), d=model.d + model.C @ rest)


def _finish(records, words: _Words, to_state: np.ndarray, scales, data: list[Data], s: np.ndarray, lags: int) -> BilinearSubspaceFit:
    """The matrices by two regressions on the state sequence, in original units."""
    n, m = len(to_state), words.m
    now, later, inputs, outputs = [], [], [], []
    for y, u in records:
        x = np.concatenate([words.features(y, u, a, min(a + _ROWS, len(y))) @ to_state.T for a in range(words.lags, len(y), _ROWS)])
        now.append(x[:-1])
        later.append(x[1:])
        inputs.append(u[words.lags : -1])
        outputs.append(y[words.lags : -1])
    x, x1, u, y = (np.concatenate(part) for part in (now, later, inputs, outputs))
    use = ~(np.isnan(x).any(1) | np.isnan(x1).any(1) | np.isnan(y).any(1))
    x, x1, u, y = x[use], x1[use], u[use], y[use]
    ones = np.ones((len(x), 1))
    h = np.hstack([x, u, ones])
    out = np.linalg.lstsq(h, y, rcond=1e-12)[0].T
    e = y - h @ out.T
    products = (u[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    z = np.hstack([x, products, u, ones, e])
    state = np.linalg.lstsq(z, x1, rcond=1e-12)[0].T
    w = x1 - z[:, : -e.shape[1]] @ state[:, : -e.shape[1]].T
    k = n * (1 + m)
    A, N = state[:, :n], state[:, n:k].reshape(n, m, n).transpose(1, 0, 2)
    us, um, ys, ym = scales.u_scale, scales.u_mean, scales.y_scale, scales.y_mean
    N = N / us[:, None, None]
    B, c = state[:, k : k + m] / us, state[:, k + m]
    D = out[:, n : n + m] * ys[:, None] / us
    model = _at_rest(Bilinear(A - np.tensordot(um, N, 1), B, N, out[:, :n] * ys[:, None], D, data[0].dt, c - B @ um,
                              out[:, -1] * ys + ym - D @ um))  # fmt: skip
    cov, K = e.T @ e / len(e) * np.outer(ys, ys), state[:, k + m + 1 :] / ys
    Q = w.T @ w / len(w)
    S = w.T @ e / len(w) * ys
    process = Process(model, Q, cov, S, Gaussian(np.zeros(n), x.T @ x / len(x)))
    explained = 100 * (1 - e.std(0) / np.maximum(y.std(0), 1e-300)).min()
    notes = () if explained > _LITTLE else (
        f"one step ahead the model explains {explained:.1f} % of the worst output on the estimation data itself: n_states = {n} is too small, "
        f"words of {lags} samples are too short for a plant this slow (resample the data), or noise prevails",)  # fmt: skip
    return BilinearSubspaceFit(model=model, process=process, gain=K, innovation_cov=cov, singular_values=s, lags=lags, notes=notes)
