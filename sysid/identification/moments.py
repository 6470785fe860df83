"""The E-step: expected moments of states and outputs given the data, additive over experiments.

With the regressors z[t] = [x, u_1 x, ..., u_m x, u, 1] (products only for bilinear models) and h[t] = [x, u, 1],

    xx = sum E[x[t+1] x[t+1]'],  xz = sum E[x[t+1] z[t]'],  zz = sum E[z z'],    yy, yh, hh likewise for outputs

Missing entries of y[t] are replaced by their law given the rest of y[t] and the state [Shumway & Stoffer 1982; Holmes 2013].
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import scipy.linalg as sla

from ..core.data import Data
from ..inference.filter import run
from ..inference.kalman import Kalman
from ..inference.rts import RTS, Backward
from ..models.bilinear import Bilinear
from ..models.process import Process


@dataclass(frozen=True)
class Moments:
    """Sums over time and experiments. first, second: sums of E[x0] (n,) and E[x0 x0'] (n, n) over `sequences`."""

    log_likelihood: float
    transitions: int
    xx: np.ndarray
    xz: np.ndarray
    zz: np.ndarray
    samples: int
    yy: np.ndarray
    yh: np.ndarray
    hh: np.ndarray
    sequences: int
    first: np.ndarray
    second: np.ndarray

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Expected:
    """Moments, smoothed initial states (S, n), and the precisions (T,) of heavy-tailed outputs, None for Gaussian ones."""

    moments: Moments
    initial_states: np.ndarray
    weights: np.ndarray | None = None


def expect(process: Process, data: Data, weights: np.ndarray | None = None, degrees: float | None = None) -> Expected:
    """Smooth one experiment, or a batch of equal length, and gather its moments.

    degrees: of freedom of Student's t for the output noise, None for Gaussian. weights: (T,) expected precisions of the
    outputs from the round before, by which R is divided; their update weighs the moments of the outputs. The
    log likelihood is then its variational bound.
    Cost O(T n^3), and O(T n^2) where the covariances have settled.
    """
    used = process
    if degrees is not None:
        weights = np.ones(data.n_steps) if weights is None else weights
        used = Process(process.model, process.Q, process.R / weights[:, None, None], None, process.initial)
    traces = run(used, data, Kalman(), "all")
    backs = [RTS().backward(trace) for trace in traces]
    y = data.y if data.is_batch else data.y[None]
    u = data.inputs if data.is_batch else data.inputs[None]
    total, starts, at, precisions = None, [], 0, None
    for trace, back in zip(traces, backs):
        rows = slice(at, at + len(back.x))
        at += len(back.x)
        value = float(trace.log_density.sum())
        if degrees is not None and weights is not None:
            precisions, gap = student_weights(process, back, y[0], u[0], weights, degrees)
            value += gap
        part = _moments(process, back, y[rows], u[rows], value, precisions)
        total = part if total is None else total + part
        starts.append(back.x[:, 0])
    assert total is not None
    return Expected(total, np.concatenate(starts), precisions)


def student_weights(process: Process, back: Backward, y: np.ndarray, u: np.ndarray, weights: np.ndarray,
                    degrees: float) -> tuple[np.ndarray, float]:  # fmt: skip
    """New precisions (T,) of outputs under Student noise, and what its bound adds to the Gaussian log likelihood.

        w ~ Gamma(nu / 2, nu / 2),  y | w ~ N(C x + D u + d, R / w):    E w = (nu + p) / (nu + E[e' R^-1 e])
    """
    from scipy.special import gammaln, psi
    model, R = process.model, process.R
    seen = ~np.isnan(y)
    e = np.where(seen, y - back.x[0] @ model.C.T - u @ model.D.T - model.d, 0.0)
    distance = np.zeros(len(y))
    for pattern, steps in gap_patterns(seen):
        o = np.flatnonzero(pattern)
        if len(o):
            inverse = np.linalg.inv(R[np.ix_(o, o)])
            C = model.C[o]
            spread = np.tensordot(back.P[back.place[steps]], C.T @ inverse @ C, 2)
            distance[steps] = np.einsum("ti,ij,tj->t", e[np.ix_(steps, o)], inverse, e[np.ix_(steps, o)]) + spread
    a0, count = degrees / 2, seen.sum(1)
    a = a0 + count / 2
    b = a / weights
    divergence = (a - a0) * psi(a) - gammaln(a) + gammaln(a0) + a0 * (np.log(b) - np.log(a0)) + a * (a0 - b) / b
    gap = (count / 2 * (psi(a) - np.log(a)) - divergence).sum()
    return 2 * a / (degrees + distance), float(gap)


def _moments(process: Process, back: Backward, y: np.ndarray, u: np.ndarray, value: float,
             weights: np.ndarray | None) -> Moments:  # fmt: skip
    x = back.x
    S, T, n = x.shape
    first = x[:, 0]
    later, earlier = x[:, 1:].reshape(-1, n), x[:, :-1]
    P_later, P_earlier, cross = _covariance_sums(back, u[:, :-1] if isinstance(process.model, Bilinear) else None)
    xx = later.T @ later + S * P_later
    z, k = _regressors(process, earlier, u[:, :-1])
    xz, zz = later.T @ z, z.T @ z
    if S == 1 or k == 1:
        zz[: k * n, : k * n] += S * P_earlier
        xz[:, : k * n] += S * cross
    samples, yy, yh, hh = _output_moments(process, back, y, u, weights)
    P0 = back.P[back.place[0]]
    return Moments(value, S * (T - 1), xx, xz, zz, samples, yy, yh, hh, S, first.sum(0), first.T @ first + S * P0)


def _regressors(process: Process, x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, int]:
    """z (S (T - 1), k n + m + 1) and the number k of state blocks."""
    x, u = x.reshape(-1, x.shape[-1]), u.reshape(x.shape[0] * x.shape[1], u.shape[-1])
    ones = np.ones((len(x), 1))
    if not isinstance(process.model, Bilinear):
        return np.hstack([x, u, ones]), 1
    products = (u[:, :, None] * x[:, None, :]).reshape(len(x), -1)
    return np.hstack([x, products, u, ones]), 1 + u.shape[1]


def _covariance_sums(back: Backward, u: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of P(t+1|T), of E[z z'] - mean mean' in its state blocks, and of Cov(x[t+1], z[t]), over t = 0..T-2."""
    place, index = back.place, back.index
    later = _weighted(back.P, place[1:])
    if u is None:
        earlier = _weighted(back.P, place[:-1])
        if back.GT is None or index is None:  # forms without gains keep the lagged covariances themselves
            return later, earlier, back.cross_cov().sum(0)
        pairs = place[1:].astype(np.int64) * len(back.GT) + index[:-1]
        if len(back.P) * len(back.GT) < 16 * len(pairs):
            counts = np.bincount(pairs)
            unique = np.flatnonzero(counts)
            counts = counts[unique]
        else:
            unique, counts = np.unique(pairs, return_counts=True)
        Ps, Gs = back.P[unique // len(back.GT)], back.GT[unique % len(back.GT)]
        return later, earlier, np.einsum("t,tij,tjk->ik", counts.astype(float), Ps, Gs, optimize=True)
    T, n = len(place), back.x.shape[2]
    wide = np.hstack([np.ones((T - 1, 1)), u[0]])
    k = wide.shape[1]
    weights = (wide[:, :, None] * wide[:, None, :]).reshape(T - 1, k * k)
    blocks = (weights.T @ back.P[place[:-1]].reshape(T - 1, n * n)).reshape(k, k, n, n)
    lagged = back.cross_cov().reshape(T - 1, n * n)
    cross = (wide.T @ lagged).reshape(k, n, n)
    return later, blocks.transpose(0, 2, 1, 3).reshape(k * n, k * n), cross.transpose(1, 0, 2).reshape(n, k * n)


def _weighted(P: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Sum of P[place[t]] over t."""
    counts = np.bincount(place)
    return np.tensordot(counts.astype(float), P[: len(counts)], 1)


def _output_moments(process: Process, back: Backward, y: np.ndarray, u: np.ndarray, weights: np.ndarray | None,
                    ) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Samples with any measurement, and sums of E[y y'], E[y h'], E[h h'] over them."""
    C, n, p = process.model.C, back.x.shape[2], y.shape[2]
    m = u.shape[2]
    seen = ~np.isnan(y[0])
    yy, yh, hh = np.zeros((p, p)), np.zeros((p, n + m + 1)), np.zeros((n + m + 1, n + m + 1))
    samples = 0
    for pattern, steps in gap_patterns(seen):
        if not pattern.any():
            continue
        S = len(y)
        h = np.concatenate([back.x[:, steps], np.broadcast_to(u, (S, *u.shape[1:]))[:, steps], np.ones((S, len(steps), 1))], 2)
        h = h.reshape(-1, n + m + 1)
        values = y[:, steps].reshape(-1, p)
        if weights is None:
            w, V = np.ones((len(values), 1)), S * _weighted(back.P, back.place[steps])
        else:
            w, V = weights[steps][:, None], np.tensordot(weights[steps], back.P[back.place[steps]], 1)
        samples += len(values)
        hh += (h * w).T @ h
        hh[:n, :n] += V
        if pattern.all():
            yy += (values * w).T @ values
            yh += (values * w).T @ h
            continue
        loss, spread = _imputation(process.R, pattern)
        mean = h @ np.hstack([C, process.model.D, process.model.d[:, None]]).T
        filled = np.nan_to_num(values) * pattern + (mean + (np.nan_to_num(values) - mean) * pattern @ (np.eye(p) - loss).T) * ~pattern
        through = loss @ C * (~pattern)[:, None]
        yy += (filled * w).T @ filled + len(values) * spread + through @ V @ through.T
        yh += (filled * w).T @ h
        yh[:, :n] += through @ V
    return samples, yy, yh, hh


def gap_patterns(seen: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The distinct rows of seen (T, p), each with the steps at which it occurs."""
    if seen.all():
        return [(seen[0], np.arange(len(seen)))]
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    return [(pattern, np.flatnonzero(which.reshape(-1) == k)) for k, pattern in enumerate(patterns)]


def _imputation(R: np.ndarray, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For missing entries: y_m = (C x)_m + G (y_o - (C x)_o) + noise: I - G in (p, p) form, and the noise covariance (p, p)."""
    p = len(R)
    G, spread = np.zeros((p, p)), np.zeros((p, p))
    o, miss = np.flatnonzero(pattern), np.flatnonzero(~pattern)
    gain = np.linalg.lstsq(R[np.ix_(o, o)], R[np.ix_(o, miss)], rcond=1e-12)[0].T
    G[np.ix_(miss, o)] = gain
    spread[np.ix_(miss, miss)] = R[np.ix_(miss, miss)] - gain @ R[np.ix_(o, miss)]
    return np.eye(p) - G, spread


def solve_psd(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """matrix^-1 right for a symmetric PSD matrix, by Cholesky after scaling to unit diagonal; least norm where singular."""
    # A zero on the diagonal is a zero row: scaled by itself, its rounding errors would be divided by nothing.
    scale = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), np.inf))
    scaled = matrix / np.outer(scale, scale)
    try:
        factor = sla.cho_factor(scaled)
        if np.diag(factor[0]).min() > 1e-7:
            return sla.cho_solve(factor, right / scale[:, None]) / scale[:, None]
    except np.linalg.LinAlgError:
        pass
    return np.linalg.lstsq(scaled, right / scale[:, None], rcond=1e-12)[0] / scale[:, None]
