"""The M-step of a leaky reservoir: exact weighted least squares on smoothed moments.

Around the smoothed mean, row i of the state equation is linear in products of parameters,

    x[t+1] - x[t] = leak (f0 + scale f1 + sum_k gains[k] f_k) + w,
    f0 = -x + s(xi) - s'(xi) xi,   f1 = s'(xi) W x,   f_k = s'(xi) drive_k,

so that the expected complete-data log-likelihood [ESN-SSM, Eq. 70] needs, row by row where Q is diagonal and between rows
where it is not, the second moments of (w, f0, f1, f_k) with the covariances of smoothed states, the lag-one ones included
(through Cov(w[t], x[t])). Steps whose noise is scheduled count by the inverse of their factor.
The drives share the leak: all coefficients are estimated jointly (corrections #25).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..kernels.reservoir_moments import reservoir_moments
from .coordinates import LEAK_LOW, Coordinates
from .e_steps import SmoothedReservoir
from .forced import GAINS, Driven, ForcedReservoir, Parameters, activation_derivatives
from .process_noise import is_correlated
from .reduced import ReducedReservoir


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over time that the M-step needs, at the parameters of the E-step.

    rows (n, 6, 6): row-wise second moments of (w, f0, f1, f_input, f_feedback, f_bias) over `transitions` steps, or (n, 6, n, 6)
    between rows where Q correlates units.
    states (p, n+1, n+1), cross (p, n+1), counts (p,): second moments of (x, 1), and with y, where output j was measured.
    squares (p, p): those of y where both were. first (S, n): smoothed first states.
    """

    log_likelihood: float
    rows: np.ndarray
    transitions: int
    states: np.ndarray
    cross: np.ndarray
    squares: np.ndarray
    counts: np.ndarray
    first: np.ndarray


def smoothed_moments(reservoir: ForcedReservoir, p: Parameters, *, rows: bool = True, between: bool | None = None) -> Moments:
    """The E-step: smooth every sequence with the extended Kalman smoother and sum moments [ESN-SSM, Eq. 67]. O(T n^3).

    between: whether rows' moments are wanted with each other; None where Q at p correlates units.
    """
    n, k = len(p.leak), len(p.C)
    between = is_correlated(p.Q) if between is None else between
    total, table = 0.0, np.zeros((n, 6, n, 6) if between else (n, 6, 6))
    states, cross = np.zeros((k, n + 1, n + 1)), np.zeros((k, n + 1))
    squares, counts, transitions, first = np.zeros((k, k)), np.zeros(k), 0, []
    for s in reservoir.sequences:
        value, smoothed, cov_rows, cov_states = _smooth(reservoir, p, s, rows, between)
        total += value
        table += _covariances_between(cov_rows) if between else _covariance_part(cov_rows)
        used = _driven_steps(reservoir, s)
        if rows:
            table += _mean_part(reservoir, p, s, smoothed, used, between)
        transitions += int(used.sum())
        states[:, :n, :n] += cov_states
        share = 1.0 / np.sqrt(s.factors[:, :1])
        x1, y = share * np.column_stack([smoothed, np.ones(len(smoothed))]), share * s.y
        for j, column in enumerate(y.T):
            seen = ~np.isnan(column)
            states[j] += x1[seen].T @ x1[seen]
            cross[j] += column[seen] @ x1[seen]
            counts[j] += seen.sum()
        known = np.nan_to_num(y)
        squares += known.T @ known
        first.append(smoothed[0])
    return Moments(total, table, transitions, states, cross, squares, counts, np.array(first))


def _smooth(reservoir: ForcedReservoir, p: Parameters, s: Driven, rows: bool, between: bool):
    if isinstance(reservoir, ReducedReservoir | SmoothedReservoir):
        return reservoir.smooth(p, s, between)
    n, k = len(p.leak), len(p.C)
    smoothed, cov_states = np.empty((len(s.y), n)), np.zeros((k, n, n))
    cov_rows, cov_between = np.zeros((n, 6)), np.zeros((3 * n, 3 * n) if between else (0, 0))
    r, root = np.zeros(n), np.zeros((n, n))
    total, backwards = reservoir.stretches(p, s)
    end = len(s.y)
    if not np.isfinite(total):
        return -np.inf, np.zeros_like(smoothed), cov_between if between else cov_rows, cov_states
    for run in backwards:
        slope = reservoir.derivatives(run)[1]
        out = np.empty((len(run.y), n))
        reservoir_moments(reservoir.code, run.y, reservoir.W, reservoir.W_fb, p.leak, p.scale, p.gains[1], p.C, p.Q, run.factors,
                          run.covs, run.filtered, run.arguments, slope, run.weight, run.inverse, run.spread,
                          end == len(s.y), rows, r, root, out, cov_rows, cov_between, cov_states)
        smoothed[end - len(out):end] = out
        end -= len(out)
    return total, smoothed, cov_between if between else cov_rows, cov_states


def _driven_steps(reservoir: ForcedReservoir, s: Driven) -> np.ndarray:
    """Transitions that feed no unmeasured output back: those are left to the direct likelihood."""
    steps = np.ones(len(s.y), bool)
    steps[-1] = False
    if reservoir.W_fb.shape[1]:
        steps &= ~np.isnan(s.y).any(1)
    return steps


def _covariance_part(c: np.ndarray) -> np.ndarray:
    ww, wx, wz, xx, xz, zz = c.T
    table = np.zeros((len(c), 6, 6))
    table[:, 0, 0], table[:, 1, 1], table[:, 2, 2] = ww, xx, zz
    table[:, 0, 1] = table[:, 1, 0] = -wx
    table[:, 0, 2] = table[:, 2, 0] = wz
    table[:, 1, 2] = table[:, 2, 1] = -xz
    return table


def _covariances_between(c: np.ndarray) -> np.ndarray:
    """From the upper blocks of the covariance (3n, 3n) of (w, x, z)."""
    n = len(c) // 3
    blocks, sign = c.reshape(3, n, 3, n), (1.0, -1.0, 1.0)      # f0 holds -x
    table = np.zeros((n, 6, n, 6))
    for a in range(3):
        for b in range(a, 3):
            block = sign[a] * sign[b] * blocks[a, :, b]
            table[:, a, :, b] = block
            table[:, b, :, a] = block.T
    return table


def _mean_part(reservoir: ForcedReservoir, p: Parameters, s: Driven, x: np.ndarray, used: np.ndarray, between: bool) -> np.ndarray:
    Wx = x @ reservoir.W.T
    xi = p.scale * Wx + np.tensordot(p.gains, s.drive, 1)
    h, slope, _ = activation_derivatives(reservoir.code, xi)
    w = x[1:] - ((1.0 - p.leak) * x + p.leak * h)[:-1]
    f = np.stack([h - x - slope * xi, slope * Wx, *(slope * s.drive)])[:, used]
    z = np.concatenate([w[used[:-1]][None], f]) / np.sqrt(s.factors[used, 1])[:, None]
    if between:
        flat = z.transpose(1, 2, 0).reshape(z.shape[1], -1)
        return (flat.T @ flat).reshape(z.shape[2], 6, z.shape[2], 6)
    return np.einsum("atn,btn->nab", z, z, optimize=True)


def maximize(m: Moments, p: Parameters, c: Coordinates, prior: np.ndarray, names: Collection[str] | None = None) -> Parameters:
    """One exact M-step over the free parameters of c, or those named; its floors keep Q and R away from zero.

    prior (p,): precision of the Gaussian prior on the weights of each output's readout, zero for none.
    """
    names = c.names if names is None else names
    new = _process(m, p, c, names)
    if "readout" in names:
        new = _readout(m, new, prior)
    if "R" in names:
        new = replace(new, R=_measurement_noise(m, new, c.R_form, c.floor_R))
    if "initial" in names:
        new = replace(new, m0=m.first.mean(0))
    return new


def _process(m: Moments, p: Parameters, c: Coordinates, names: Collection[str]) -> Parameters:
    """Leak, scales and Q together: each is exact given the other, in turn until leak and scales stand still."""
    new = p
    for _ in range(100):
        before = new
        new = _dynamics(m, p, before, names, c.groups)
        if "Q" not in names:
            return new
        new = replace(new, Q=c.freedom.maximize(_residual_covariance(m, p, new)))
        settled = max(np.abs(new.leak - before.leak).max(), abs(new.scale / before.scale - 1), np.abs(new.gains / before.gains - 1).max())
        if c.freedom.size == 1 or settled <= 1e-10:        # one factor leaves the weights as they are
            return new
    return new


def _residual_covariance(m: Moments, old: Parameters, new: Parameters) -> np.ndarray:
    """E[sum w w'] / N at new parameters (n, n), its diagonal alone where rows' moments are row-wise [ESN-SSM, Eq. 68], corrected."""
    b = _steps(old, new.leak, np.concatenate([[1.0, new.scale], new.gains]))
    if m.rows.ndim == 3:
        return np.diag(np.einsum("na,nab,nb->n", b, m.rows, b) / m.transitions)
    V = np.einsum("na,namb,mb->nm", b, m.rows, b, optimize=True) / m.transitions
    return (V + V.T) / 2


def _steps(old: Parameters, leak: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Coefficients (n, 6) of (w, f...) in the residual of the new parameters: w - sum delta_i f_i."""
    before = np.concatenate([[1.0, old.scale], old.gains])
    return np.column_stack([np.ones(len(leak)), np.outer(old.leak, before) - np.outer(leak, inner)])


@dataclass(frozen=True, eq=False)
class _Weighted:
    """The quadratic form sum_ij b_i' Q^-1[i, j] rows[i, j] b_j of coefficients (n, 6)."""

    table: np.ndarray

    @classmethod
    def of(cls, m: Moments, Q: np.ndarray) -> _Weighted:
        if m.rows.ndim == 3:
            return cls(m.rows / np.diag(Q)[:, None, None])
        return cls(m.rows * np.linalg.inv(Q)[:, None, :, None])

    def times(self, b: np.ndarray) -> np.ndarray:
        """The form's matrix times coefficients (n, 6) or (n, 6, k)."""
        if self.table.ndim == 3:
            return np.einsum("nab,nb...->na...", self.table, b)
        n = len(b)
        return (self.table.reshape(6 * n, 6 * n) @ b.reshape(6 * n, -1)).reshape(b.shape)


def _dynamics(m: Moments, old: Parameters, p: Parameters, names: Collection[str], groups: np.ndarray) -> Parameters:
    """Gauss-Newton on E[(w - sum delta f)' Q^-1 (w - sum delta f)], exact in one step where all products are free.

    H_ij = sum tr(M_i' Q^-1 M_j X), g_i = sum tr(M_i' Q^-1 X_cross)          (corrections #25, for [ESN-SSM, Eq. 71])
    """
    free = [i + 1 for i, name in enumerate(("scale", *GAINS)) if name in names]
    n_leaks = int(groups.max()) + 1 if "leak" in names else 0
    if not free and not n_leaks:
        return p
    weighted = _Weighted.of(m, p.Q)
    leak, inner = p.leak.copy(), np.concatenate([[1.0, p.scale], p.gains])

    def cost(leak: np.ndarray, inner: np.ndarray) -> float:
        b = _steps(old, leak, inner)
        return float(np.sum(b * weighted.times(b)))

    value = cost(leak, inner)
    for _ in range(50):
        J = np.zeros((len(leak), 6, n_leaks + len(free)))
        for g in range(n_leaks):
            J[groups == g, 1:, g] = -inner
        for c, i in enumerate(free):
            J[:, 1 + i, n_leaks + c] = -leak
        turned = weighted.times(J)
        gradient = np.einsum("nac,na->c", turned, _steps(old, leak, inner))
        H = np.einsum("nac,nad->cd", J, turned)
        move = -np.linalg.lstsq(H, gradient, rcond=1e-14)[0]
        fraction = 1.0
        while fraction > 1e-8:
            trial_leak, trial = leak.copy(), inner.copy()
            if n_leaks:
                trial_leak = np.clip(leak + fraction * move[groups], LEAK_LOW, 1.0)
            trial[free] = np.maximum(inner[free] + fraction * move[n_leaks:], 1e-4 * inner[free])
            new = cost(trial_leak, trial)
            if new < value:
                break
            fraction *= 0.5
        else:
            break
        done = value - new <= 1e-12 * abs(value)
        leak, inner, value = trial_leak, trial, new
        if done:
            break
    return replace(p, leak=leak, scale=float(inner[1]), gains=inner[2:])


def _readout(m: Moments, p: Parameters, prior: np.ndarray) -> Parameters:
    """The MAP readout with smoothed moments: C S + R C diag(prior) = sum y x'   (corrections #26, for [ESN-SSM, Eq. 73]).

    Rotated by the eigenvectors of R the equation falls apart into one linear system a row.
    """
    n = len(p.leak)
    penalty = np.diag(np.append(np.ones(n), 0.0))
    if np.array_equal(p.R, np.diag(np.diag(p.R))):
        rows = np.stack([np.linalg.solve(S + r * a * penalty, b)
                         for S, r, a, b in zip(m.states, np.diag(p.R), prior, m.cross)])
    else:
        r, U = np.linalg.eigh(p.R)
        rotated = [np.linalg.solve(m.states[0] + v * prior[0] * penalty, b) for v, b in zip(r, U.T @ m.cross)]
        rows = U @ np.stack(rotated)
    return replace(p, C=np.ascontiguousarray(rows[:, :n]), d=rows[:, n].copy())


def _measurement_noise(m: Moments, p: Parameters, form: str, floor: np.ndarray) -> np.ndarray:
    """The measurement noise, [ESN-SSM, Eq. 69], entry by entry where y is partly missing."""
    C1 = np.column_stack([p.C, p.d])
    if form == "full":
        power = (m.squares - C1 @ m.cross.T - m.cross @ C1.T + C1 @ m.states[0] @ C1.T) / m.counts[0]
        values, U = np.linalg.eigh((power + power.T) / 2)
        return (U * np.maximum(values, floor.min())) @ U.T
    variances = np.diag(m.squares) - 2 * np.einsum("pk,pk->p", C1, m.cross) + np.einsum("pk,pkl,pl->p", C1, m.states, C1)
    variances = np.maximum(variances / m.counts, floor)
    return np.diag(variances) if form == "diagonal" else p.R * np.mean(variances / np.diag(p.R))
