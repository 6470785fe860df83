r"""What the data leave open about a readout fitted by inference, and one-step bands that know it.

    theta = (C, d) row by row ~ N(theta_MAP, H^-1),   H = sum_t J_t' S_t^-1 J_t + diag(prior)        [ESN-SSM, Eq. 74]
    Var y[t+1] = C P C' + R + J H^-1 J'                                                              [ESN-SSM, Eq. 91]

J_t is the derivative of the one-step prediction in the readout, the filter's response to it included: where the state
is known it is (x, 1) and H is the precision of the paper; where it is uncertain Eq. 74 is its mean-field form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..inference.laws import Banded
from ..models.names import check_names, labelled
from ..models.process import Process
from .forced import ForcedReservoir, Parameters
from .joint_posterior import JointPosterior
from .stacks import written_out


@dataclass(frozen=True, eq=False, repr=False)
class OneStep(Banded):
    """One-step predictions along data, with what the state, the estimated parameters and the noise each add to their variance.

    y_mean (T, p), y_cov (T, p, p): law of y[t] given the past; interval() and plot() show it in original units.
    latent, parameters (T, p): variances from the state, and from readout, leak and scales together; the rest is noise.
    """

    data: Data
    y_mean: np.ndarray
    covariance: np.ndarray = field(repr=False)
    latent: np.ndarray
    parameters: np.ndarray

    @property
    def y_cov(self) -> np.ndarray:
        return self.covariance

    def summary(self) -> dict[str, Any]:
        total = np.diagonal(self.covariance, axis1=1, axis2=2)
        return {"steps": len(self.y_mean), "standard deviation, mean": np.sqrt(total).mean(0),
                "share of the variance from the state": (self.latent / total).mean(0),
                "share of the variance from parameters": (self.parameters / total).mean(0)}


@dataclass(frozen=True, eq=False, repr=False)
class ReadoutPosterior(Shown):
    """The Gaussian posterior of an estimated readout.

    mean: (p, n+1), the rows (C, d). information: (p (n+1), p (n+1)), prior included. parameters: (p,) effective number of
    weights the data determine. samples: (p,) measurements. noise_factor: (p,), by which R at the joint mode is too
    small, samples / (samples - parameters); 1 where R was not estimated along.
    """

    mean: np.ndarray
    information: np.ndarray
    parameters: np.ndarray
    samples: np.ndarray
    noise_factor: np.ndarray

    @classmethod
    def of(cls, p: Parameters, information: np.ndarray, prior: np.ndarray, samples: np.ndarray, noise_estimated: bool,
           ) -> ReadoutPosterior | None:
        """From the information of the readout (prior included); None where it is singular."""
        k, n = p.C.shape
        try:
            cov = linalg.inv(information)
        except np.linalg.LinAlgError:
            return None
        spread = np.diag(cov).reshape(k, n + 1)[:, :n].sum(1)
        used = np.clip(n + 1 - prior * spread, 0.0, np.maximum(samples - 1.0, 0.0))
        factor = samples / (samples - used) if noise_estimated else np.ones(k)
        return cls(np.column_stack([p.C, p.d]), information, used, samples, factor)

    @property
    def cov(self) -> np.ndarray:
        """Posterior covariance (p (n+1), p (n+1)), rows of (C, d) one after the other."""
        return linalg.inv(self.information)

    @property
    def standard_errors(self) -> np.ndarray:
        """Posterior standard deviations (p, n+1)."""
        return np.sqrt(np.diag(self.cov)).reshape(self.mean.shape)

    def summary(self) -> dict[str, Any]:
        return {"outputs": len(self.mean), "weights": self.mean.shape[1], "effective weights": self.parameters,
                "samples": self.samples, "noise factor": self.noise_factor}


def one_step(process: Process, data: Data, posterior: ReadoutPosterior | None, joint: JointPosterior | None = None,
             averaged: bool = False) -> OneStep:
    """Filter one sequence and add the parameters' uncertainty to every one-step prediction. O(T n^2 p n)."""
    if not isinstance(data, Data) or data.is_batch:
        raise TypeError(f"ReservoirFit.predict: expected one sequence as sysid.Data; received {type(data).__name__}"
                        f"{' with a batch' if isinstance(data, Data) else ''}. Take data.sequences() one by one.")
    check_names(process, data, "ReservoirFit.predict")
    shown = labelled(data, process)
    process, _ = written_out(process)
    esn = process.model
    if data.n_outputs != len(esn.C) or data.n_inputs != esn.n_inputs:
        raise ValueError(f"ReservoirFit.predict: expected data with {len(esn.C)} outputs and {esn.n_inputs} inputs as in the "
                         f"model; received {data.n_outputs} and {data.n_inputs}.")
    _check.same_time_step(esn.dt, data.dt, "ReservoirFit.predict")
    reservoir, p = ForcedReservoir.of(esn, [data], averaged=averaged), Parameters.of(process, "ReservoirFit.predict")
    s = reservoir.sequences[0]
    run = reservoir.run(p, s)
    noise, latent = p.R, reservoir.output_covariances(p, s)
    extra = np.zeros_like(latent)
    if posterior is not None:
        root = np.sqrt(posterior.noise_factor)
        noise = p.R * np.outer(root, root)
    if joint is not None:
        factor = linalg.cho_factor(joint.information)
        for t, J in enumerate(joint.sensitivities(reservoir, p, s, run)):
            extra[t] = J @ linalg.cho_solve(factor, J.T)
    return OneStep(shown, run.means @ p.C.T + p.d, latent + extra + noise, np.diagonal(latent, axis1=1, axis2=2),
                   np.diagonal(extra, axis1=1, axis2=2))
