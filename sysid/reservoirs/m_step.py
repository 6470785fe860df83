"""The M-step of a leaky reservoir: exact weighted least squares on smoothed moments.

Around the smoothed mean, row i of the state equation is linear in products of parameters,

    x[t+1] - x[t] = leak (f0 + scale f1 + sum_k gains[k] f_k) + w,
    f0 = -x + s(xi) - s'(xi) xi,   f1 = s'(xi) W x,   f_k = s'(xi) drive_k,

so that the expected complete-data log-likelihood [ESN-SSM, Eq. 70] needs, row by row, the second moments of
(w, f0, f1, f_k) with the covariances of smoothed states, the lag-one ones included (through Cov(w[t], x[t])).
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
from .reduced import ReducedReservoir


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over time that the M-step needs, at the parameters of the E-step.

    rows (n, 6, 6): row-wise second moments of (w, f0, f1, f_input, f_feedback, f_bias) over `transitions` steps.
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


def smoothed_moments(reservoir: ForcedReservoir, p: Parameters, *, rows: bool = True) -> Moments:
    """The E-step: smooth every sequence with the extended Kalman smoother and sum moments [ESN-SSM, Eq. 67]. O(T n^3)."""
    n, k = len(p.leak), len(p.C)
    total, table = 0.0, np.zeros((n, 6, 6))
    states, cross = np.zeros((k, n + 1, n + 1)), np.zeros((k, n + 1))
    squares, counts, transitions, first = np.zeros((k, k)), np.zeros(k), 0, []
    for s in reservoir.sequences:
        value, smoothed, cov_rows, cov_states = _smooth(reservoir, p, s, rows)
        total += value
        table += _covariance_part(cov_rows)
        used = _driven_steps(reservoir, s)
        if rows:
            table += _mean_part(reservoir, p, s, smoothed, used)
        transitions += int(used.sum())
        states[:, :n, :n] += cov_states
        x1 = np.column_stack([smoothed, np.ones(len(smoothed))])
        for j, y in enumerate(s.y.T):
            seen = ~np.isnan(y)
            states[j] += x1[seen].T @ x1[seen]
            cross[j] += y[seen] @ x1[seen]
            counts[j] += seen.sum()
        known = np.nan_to_num(s.y)
        squares += known.T @ known
        first.append(smoothed[0])
    return Moments(total, table, transitions, states, cross, squares, counts, np.array(first))


def _smooth(reservoir: ForcedReservoir, p: Parameters, s: Driven, rows: bool):
    if isinstance(reservoir, ReducedReservoir | SmoothedReservoir):
        return reservoir.smooth(p, s)
    n, k = len(p.leak), len(p.C)
    smoothed, cov_rows, cov_states = np.empty((len(s.y), n)), np.zeros((n, 6)), np.zeros((k, n, n))
    r, N = np.zeros(n), np.zeros((n, n))
    total, backwards = reservoir.stretches(p, s)
    end = len(s.y)
    if not np.isfinite(total):
        return -np.inf, np.zeros_like(smoothed), cov_rows, cov_states
    for run in backwards:
        slope = activation_derivatives(reservoir.code, run.arguments)[1]
        out = np.empty((len(run.y), n))
        reservoir_moments(reservoir.code, run.y, reservoir.W, reservoir.W_fb, p.leak, p.scale, p.gains[1], p.C, p.q,
                          run.covs, run.filtered, run.arguments, slope, run.gain, run.weight, run.inverse,
                          end == len(s.y), rows, True, r, N, out, cov_rows, cov_states)
        smoothed[end - len(out):end] = out
        end -= len(out)
    return total, smoothed, cov_rows, cov_states


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


def _mean_part(reservoir: ForcedReservoir, p: Parameters, s: Driven, x: np.ndarray, used: np.ndarray) -> np.ndarray:
    Wx = x @ reservoir.W.T
    xi = p.scale * Wx + np.tensordot(p.gains, s.drive, 1)
    h, slope, _ = activation_derivatives(reservoir.code, xi)
    w = x[1:] - ((1.0 - p.leak) * x + p.leak * h)[:-1]
    f = np.stack([h - x - slope * xi, slope * Wx, *(slope * s.drive)])[:, used]
    z = np.concatenate([w[used[:-1]][None], f])
    return np.einsum("atn,btn->nab", z, z, optimize=True)


def maximize(m: Moments, p: Parameters, c: Coordinates, prior: np.ndarray, names: Collection[str] | None = None) -> Parameters:
    """One exact M-step over the free parameters of c, or those named; its floors keep Q and R away from zero.

    prior (p,): precision of the Gaussian prior on the weights of each output's readout, zero for none.
    """
    names = c.names if names is None else names
    new = _dynamics(m, p, names, c.groups)
    if "Q" in names:
        b = _steps(p, new.leak, np.concatenate([[1.0, new.scale], new.gains]))
        power = np.einsum("na,nab,nb->n", b, m.rows, b) / m.transitions      # [ESN-SSM, Eq. 68], corrected
        factors = np.bincount(c.q_groups, power / p.q) / np.bincount(c.q_groups)
        new = replace(new, q=np.maximum(p.q * factors[c.q_groups], c.floor_q))
    if "readout" in names:
        new = _readout(m, new, prior)
    if "R" in names:
        new = replace(new, R=_measurement_noise(m, new, c.R_form, c.floor_R))
    if "initial" in names:
        new = replace(new, m0=m.first.mean(0))
    return new


def _steps(old: Parameters, leak: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Coefficients (n, 6) of (w, f...) in the residual of the new parameters: w - sum delta_i f_i."""
    before = np.concatenate([[1.0, old.scale], old.gains])
    return np.column_stack([np.ones(len(leak)), np.outer(old.leak, before) - np.outer(leak, inner)])


def _dynamics(m: Moments, p: Parameters, names: Collection[str], groups: np.ndarray) -> Parameters:
    """Gauss-Newton on sum_i E[(w - sum delta f)^2] / q_i, exact in one step where all products are free.

    H_ij = sum tr(M_i' Q^-1 M_j X), g_i = sum tr(M_i' Q^-1 X_cross)          (corrections #25, for [ESN-SSM, Eq. 71])
    """
    free = [i + 1 for i, name in enumerate(("scale", *GAINS)) if name in names]
    n_leaks = int(groups.max()) + 1 if "leak" in names else 0
    if not free and not n_leaks:
        return p
    table = m.rows / p.q[:, None, None]
    leak, inner = p.leak.copy(), np.concatenate([[1.0, p.scale], p.gains])

    def cost(leak: np.ndarray, inner: np.ndarray) -> float:
        b = _steps(p, leak, inner)
        return float(np.einsum("na,nab,nb->", b, table, b))

    value = cost(leak, inner)
    for _ in range(50):
        J = np.zeros((len(leak), 6, n_leaks + len(free)))
        for g in range(n_leaks):
            J[groups == g, 1:, g] = -inner
        for c, i in enumerate(free):
            J[:, 1 + i, n_leaks + c] = -leak
        gradient = np.einsum("nac,nab,nb->c", J, table, _steps(p, leak, inner))
        H = np.einsum("nac,nab,nbd->cd", J, table, J)
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
