"""Paths drawn from the law of all states given all data.

    x = E[x | y] + (x+ - E[x | y+]),   (x+, y+) a path of the process itself                 [Durbin & Koopman 2002]
"""

from __future__ import annotations

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from ..models.process import Process
from .filter import check_data
from .simulate import simulate
from .smooth import smooth
from .start import starting_law


def sample_posterior(process: Process, data: Data, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw state paths given all measurements, for a linear process: the simulation smoother.

    process: LTI, LTV or Bilinear, any start, singular covariances allowed. data: one sequence, NaN where missing.
    n_samples: k. Returns paths (k, T, n), independent and exact, so that their moments are those of `smooth`.
    Raises ValueError for a batch and TypeError for a nonlinear model. Cost that of k mean passes.
    """
    rng = _check.generator(rng, "sample_posterior")
    n_samples = _check.count(n_samples, "n_samples", "sample_posterior")
    check_data(process, data, "sample_posterior")
    model = process.model
    if not isinstance(model, LTI | LTV | Bilinear):
        raise TypeError(f"sample_posterior: expected a linear model; received {type(model).__name__}. "
                        "Linearise it along the smoothed path: sysid.linearize(model, x, u).")  # fmt: skip
    if data.is_batch:
        raise ValueError("sample_posterior: expected one sequence; received a batch. Call it for each of data.sequences().")
    law = starting_law(process, "sample_posterior")  # the draw of a diffuse part cancels, so it is left at zero
    starts = Gaussian(law.mean, law.cov).sample(rng, n_samples)
    u = data.u if model.n_inputs else None
    paths = [simulate(process, u, x0=x, n_steps=None if u is not None else data.n_steps, rng=rng) for x in starts]
    y = np.where(data.missing, np.nan, np.stack([p.y for p in paths]))
    wide = None if u is None else np.broadcast_to(u, (n_samples, *u.shape))
    centre = smooth(process, data).smoothed.mean
    return centre + np.stack([p.x for p in paths]) - smooth(process, Data(y, wide, data.dt)).smoothed.mean
