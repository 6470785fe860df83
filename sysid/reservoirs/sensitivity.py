"""How a reservoir's predictions move with its readout and its hyperparameters: the Gauss-Newton information."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .coordinates import Coordinates
from .forced import GAINS, Driven, ForcedReservoir, Parameters, Stretch
from .likelihood import Objective


def gauss_newton(target: Objective, p: Parameters) -> np.ndarray:
    """Information of (readout rows, leak and log scales), filter gains held: sum_t J_t' S_t^-1 J_t plus the prior.

        dm[t+1] = A (I - K C) dm[t] - A K d(C x + d) + df,    J_t = -(d(C x + d) + C dm[t])

    Order: p rows of n + 1 entries, then the coordinates of `moving`. Cost O(T n^2 p n).
    """
    p_out, n = p.C.shape
    moves = moving(target.coordinates)
    size = p_out * (n + 1) + len(moves)
    H = np.zeros((size, size))
    for j, a in enumerate(target.prior):
        index = j * (n + 1) + np.arange(n)
        H[index, index] += a
    for s in target.reservoir.sequences:
        H += _one(target, p, s, size)
    return H


def moving(c: Coordinates) -> list[str]:
    """Labels of the coordinates that move the state's mean: leak groups and scales."""
    return [label for label in c.labels() if label.split("[")[0] in ("leak", "scale", *GAINS)]


def _one(target: Objective, p: Parameters, s: Driven, size: int) -> np.ndarray:
    run = target.reservoir.run(p, s)
    h, slope, *_ = target.reservoir.derivatives(run)
    df = transition_derivatives(target.reservoir, target.coordinates, p, s, run, h, slope)
    H = np.zeros((size, size))
    for J, inverse in zip(output_sensitivities(target.reservoir, p, s, run, df), run.inverse):
        H += J.T @ inverse @ J
    return H


def output_sensitivities(reservoir: ForcedReservoir, p: Parameters, s: Driven, run: Stretch, df: np.ndarray,
                         ) -> Iterator[np.ndarray]:
    """Derivatives (p, p (n+1) + k) of the one-step prediction in readout rows and k hyperparameters, step by step.

    run: the filter's pass over s; df (T, n, k): derivatives of the transition in the hyperparameters.
    """
    p_out, n = p.C.shape
    slope = reservoir.derivatives(run)[1]
    step = p_out * (n + 1)
    first = step if reservoir.holds_state else 0
    M, W0 = np.zeros((n, step + df.shape[2] - first)), p.scale * reservoir.W
    for t in range(len(s.y)):
        J = np.hstack([np.zeros((p_out, first)), p.C @ M])
        for j in range(p_out):
            J[j, j * (n + 1):j * (n + 1) + n] += run.means[t]
            J[j, j * (n + 1) + n] += 1.0
        yield J
        W, missing = W0, np.isnan(s.y[t])
        if reservoir.W_fb.shape[1] and missing.any():
            W = W + p.gains[1] * reservoir.W_fb[:, missing] @ p.C[missing]
        inside = M - run.gain[t] @ J[:, first:]
        M = (1.0 - p.leak)[:, None] * inside + (p.leak * slope[t])[:, None] * (W @ inside)
        M[:, step - first:] += df[t]


def transition_derivatives(reservoir: ForcedReservoir, c: Coordinates, p: Parameters, s: Driven, run: Stretch, h: np.ndarray,
                           slope: np.ndarray) -> np.ndarray:
    """df (T, n, k): the transition's derivative in the coordinates of `moving`, at the filtered mean; h and slope are s and s' there."""
    out: list[np.ndarray] = []
    inward = p.leak * slope
    recurrent = inward * p.scale * (run.filtered @ reservoir.W.T)
    for label in moving(c):
        name = label.split("[")[0]
        if name == "leak":
            group = int(label[5:-1]) if "[" in label else 0
            column = (c.groups == group) * (h - run.filtered)
            column = column + recurrent * c.log_cap(p)[1] if "scale" in c.names else column
            out.append(column * c.leak_steps(p)[group])
        elif name == "scale":
            out.append(recurrent)
        else:
            k = GAINS.index(name)
            out.append(inward * p.gains[k] * s.drive[k])
    return np.stack(out, 2) if out else np.zeros((*h.shape, 0))


def whitened(target: Objective, p: Parameters) -> Objective:
    """The objective with readout steps taken from p, scaled by the root of their covariance, and moving along with the
    hyperparameters as Gauss-Newton says: what is left to the hyperparameters is the profile likelihood to first order."""
    if "readout" not in target.coordinates.names:
        return target
    H = gauss_newton(target, p)
    step = p.C.shape[0] * (p.C.shape[1] + 1)
    readout = H[:step, :step]
    readout[np.diag_indices(step)] += 1e-10 * np.trace(readout) / step
    root = np.linalg.inv(np.linalg.cholesky(readout)).T
    drift = -np.linalg.solve(readout, H[:step, step:])
    reference = replace(target.coordinates.start, C=p.C, d=p.d)
    c = replace(target.coordinates, start=reference, root=root, drift=drift)
    return replace(target, coordinates=replace(c, centre=c.moves(p)))
