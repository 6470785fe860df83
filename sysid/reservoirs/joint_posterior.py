r"""The joint law of an estimated readout, leak and scales around their mode, by Laplace's method.

    theta = (C, d; leaks, log scales) ~ N(theta_MAP, H^-1),    H = sum_t J_t' S_t^-1 J_t + diag(prior)        [MacKay 1992]

J_t is the derivative of the one-step prediction in all of theta, filter gains held: the Gauss-Newton form, which leaves out what the
innovations' size says of theta and is the wider for it. Noise variances move the prediction through the gains alone; their errors,
jointly with leak and scales, are in `ReservoirFit.information`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from .._show import Shown
from .coordinates import Coordinates
from .forced import Driven, ForcedReservoir, Parameters, Stretch
from .likelihood import Objective
from .sensitivity import moving, output_sensitivities, transition_derivatives


@dataclass(frozen=True, eq=False, repr=False)
class JointPosterior(Shown):
    """What is free among readout, leaks and scales, with its information.

    names: k labels; leaks as they are (log tau where tau is fitted), scales as logarithms, readout rows of n weights and an offset.
    information: (k, k), the readout's prior included.
    """

    names: tuple[str, ...]
    information: np.ndarray
    columns: np.ndarray = field(repr=False)
    coordinates: Coordinates = field(repr=False)

    @classmethod
    def at(cls, target: Objective, p: Parameters, information: np.ndarray) -> JointPosterior | None:
        """The posterior at a mode, from `gauss_newton` there; None where nothing is free or the data leave a direction open."""
        c, (outputs, n) = target.coordinates, p.C.shape
        moves, step = moving(c), outputs * (n + 1)
        columns = np.arange(0 if "readout" in c.names else step, step + len(moves))
        H = information[np.ix_(columns, columns)]
        scale = np.sqrt(np.diag(H))
        if not len(columns) or np.any(scale <= 0) or linalg.eigvalsh(H / np.outer(scale, scale))[0] <= 1e-12:
            return None
        rows = [f"readout[{i}]" for i in range(step)] if "readout" in c.names else []
        return cls((*rows, *moves), H, columns, c)

    @property
    def cov(self) -> np.ndarray:
        """Posterior covariance (k, k)."""
        return linalg.inv(self.information)

    def sensitivities(self, reservoir: ForcedReservoir, p: Parameters, s: Driven, run: Stretch) -> Iterator[np.ndarray]:
        """Derivatives (p, k) of the one-step prediction along one sequence, step by step."""
        h, slope, *_ = reservoir.derivatives(run)
        df = transition_derivatives(reservoir, self.coordinates, p, s, run, h, slope)
        for J in output_sensitivities(reservoir, p, s, run, df):
            yield J[:, self.columns]

    def summary(self) -> dict[str, Any]:
        free = [i for i, name in enumerate(self.names) if not name.startswith("readout")]
        deviation = np.sqrt(np.diag(self.cov))
        return {"free": len(self.names), "readout weights": len(self.names) - len(free),
                **{f"deviation of {self.names[i]}": float(deviation[i]) for i in free}}
