"""A coarse look along the leak before a fit: its likelihood is often flat or has several tops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .climb import Climb
from .forced import Parameters
from .likelihood import Objective
from .m_step import maximize, smoothed_moments


def scanned(target: Objective, p: Parameters, count: int, climb: Climb) -> Parameters:
    """The best of the start and `count` leaks from 0.1 to 1, readout and R taught anew at each by two EM steps."""
    c = target.coordinates
    linear = tuple(name for name in c.names if name in ("readout", "R"))
    best, top = p, climb.offer(target.reservoir.log_likelihood(p), p, "start")
    for leak in np.geomspace(0.1, 1.0, count):
        trial = c.unpack(c.clip(c.pack(c.certified(replace(p, leak=np.full_like(p.leak, leak))))))
        for _ in range(2 if linear else 0):
            moments = smoothed_moments(target.reservoir, trial, rows=False)
            if not np.isfinite(moments.log_likelihood):
                break
            trial = maximize(moments, trial, c, target.prior, linear)
        value = target.value(trial)
        if value > top:
            best, top = trial, value
    return best
