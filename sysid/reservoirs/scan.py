"""A coarse look over leak and scale before a fit: their likelihood often has several tops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .climb import Climb
from .forced import ForcedReservoir, Parameters
from .likelihood import Objective
from .m_step import maximize

LEAKS = (0.05, 0.08, 0.135, 0.22, 0.37, 0.61, 1.0)
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
SAMPLES = 1000        # looked at, over all sequences
TOPS = 3              # hills climbed a few steps


def scanned(target: Objective, p: Parameters, count: int, climb: Climb) -> Parameters:
    """The best of the start and `count` leaks from 0.1 to 1, readout and R taught anew at each by two EM steps."""
    c = target.coordinates
    linear = tuple(name for name in c.names if name in ("readout", "R"))
    best, top = p, climb.offer(target.reservoir.log_likelihood(p), p, "start")
    for leak in np.geomspace(0.1, 1.0, count):
        trial = c.unpack(c.clip(c.pack(c.certified(replace(p, leak=np.full_like(p.leak, leak))))))
        for _ in range(2 if linear else 0):
            moments = target.moments(trial, rows=False)
            if not np.isfinite(moments.log_likelihood):
                break
            trial = maximize(moments, trial, c, target.prior, linear)
        value = target.value(trial)
        if value > top:
            best, top = trial, value
    return best


def coarse_start(target: Objective, p: Parameters) -> Parameters:
    """The start, or the highest of a grid's hills over leak and scale where that ends above it, readout fixed.

    Two filter passes over at most SAMPLES samples a point, with R as given and as large as the innovations ask; the start and
    the highest hills then take two EM steps each. At most 35 points.
    """
    c = target.coordinates
    short = replace(target, reservoir=_beginning(target.reservoir))
    leaks = LEAKS if "leak" in c.names and c.n_groups == 1 else (float(p.leak[0]),)
    scales = SCALES if "scale" in c.names else (p.scale,)
    trials = [[_at(target, p, leak, scale, len(leaks) > 1) for scale in scales] for leak in leaks]
    found = [[_noise_fitted(short, trial) for trial in row] for row in trials]
    values = np.array([[value for value, _ in row] for row in found])
    edged = np.pad(values, 1, constant_values=-np.inf)
    around = np.max([edged[:-2, 1:-1], edged[2:, 1:-1], edged[1:-1, :-2], edged[1:-1, 2:]], axis=0)
    hills = [found[i][j] for i, j in np.argwhere((values >= around) & np.isfinite(values))]
    hills.sort(key=lambda hill: -hill[0])
    climbed = [_climbed(short, trial) for trial in (p, *(trial for _, trial in hills[:TOPS]))]
    best = max(range(len(climbed)), key=lambda i: climbed[i][0])
    return p if best == 0 else climbed[best][1]


def _beginning(reservoir: ForcedReservoir) -> ForcedReservoir:
    """The reservoir over the first samples of its sequences, SAMPLES in all."""
    left, kept = SAMPLES, []
    for s in reservoir.sequences:
        if left > 1:
            kept.append(s.part(slice(left)))
            left -= len(s.y)
    return replace(reservoir, sequences=tuple(kept))


def _at(target: Objective, p: Parameters, leak: float, scale: float, leak_moves: bool) -> Parameters:
    c = target.coordinates
    placed = replace(p, leak=np.full_like(p.leak, leak) if leak_moves else p.leak, scale=scale)
    return c.unpack(c.clip(c.pack(c.certified(placed))))


def _noise_fitted(target: Objective, p: Parameters) -> tuple[float, Parameters]:
    """The objective at p, or with R at the mean squared innovation where that is higher and R is free."""
    value, squares, counts = target.log_prior(p), np.zeros(len(p.C)), np.zeros(len(p.C))
    for s in target.reservoir.sequences:
        run = target.reservoir.run(p, s)
        if not np.isfinite(run.log_likelihood):
            return -np.inf, p
        value += run.log_likelihood
        e = s.y - run.means @ p.C.T - p.d
        squares += np.nansum(e * e, 0)
        counts += np.sum(~np.isnan(e), 0)
    if "R" not in target.coordinates.names or not np.all(np.isfinite(squares)) or np.any(squares <= 0):
        return value, p
    root = np.sqrt(squares / np.maximum(counts, 1) / np.diag(p.R))
    noisier = replace(p, R=p.R * np.outer(root, root))
    other = target.value(noisier)
    return (other, noisier) if other > value else (value, p)


def _climbed(target: Objective, p: Parameters) -> tuple[float, Parameters]:
    """p after two EM steps, as far as they climb."""
    value = target.value(p)
    for _ in range(2 if np.isfinite(value) else 0):
        c = target.coordinates
        moments = target.moments(p)
        new = c.unpack(c.clip(c.pack(c.certified(maximize(moments, p, c, target.prior)))))
        after = target.value(new)
        if not after > value:
            break
        p, value = new, after
    return value, p
