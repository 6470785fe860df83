"""What fitting a reservoir's hyperparameters gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.data import Data
from ..core.status import Status
from ..identification.fit import Fit
from ..models.process import Process
from .climb import Climb
from .coordinates import LEAK_HIGH, Coordinates
from .e_steps import SmoothedReservoir, plain
from .forced import GAINS, Parameters
from .identifiability import Information, observed_information
from .joint_posterior import JointPosterior
from .likelihood import Objective
from .readout_posterior import OneStep, ReadoutPosterior, one_step
from .reduced import ReducedReservoir
from .sensitivity import gauss_newton, whitened

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ReservoirFit(Fit):
    """A reservoir with estimated hyperparameters.

    scale, input_scale, feedback_scale, bias_scale: factors on the start's W, W_in, W_fb, bias; already applied in `model`.
    objective: log-likelihood plus the log prior of the readout, where it is estimated.
    estimates: the free scalars by name. standard_errors: of the same, on the same scale.
    log_evidence: the log-likelihood with an estimated readout integrated out under its prior, by Laplace's method with the
    Gauss-Newton information; the log-likelihood itself where the readout is fixed; -inf for a flat prior.
    readout: the readout's Gaussian posterior at held hyperparameters; None where it is fixed or flat.
    joint: the posterior of readout, leak and scales together, whose uncertainty `predict` adds to the bands; None where nothing of
    them is free.
    information: the observed information of leak, scales and noises with its covariance and condition number; None where not asked for.
    averaged: whether the filter averaged values and slopes over the law of their argument (e_step="statistical"); `predict` does as the fit did.
    """

    scale: float = 1.0
    input_scale: float = 1.0
    feedback_scale: float = 1.0
    bias_scale: float = 1.0
    objective: float = -np.inf
    estimates: Mapping[str, float] = field(default_factory=dict)
    log_evidence: float = -np.inf
    readout: ReadoutPosterior | None = None
    joint: JointPosterior | None = None
    information: Information | None = None
    averaged: bool = False

    @property
    def leak(self) -> Any:
        """The estimated leak, a number or (n,); (n,) for a stack."""
        return getattr(self.model, "leak", self.model.leaks)

    @property
    def tau(self) -> Any:
        """Time constant of the leak, tau = -dt / log(1 - leak), in the data's unit of time: 0 for leak 1."""
        with np.errstate(divide="ignore"):
            return -self.model.dt / np.log1p(-np.asarray(self.leak))

    def predict(self, data: Data) -> OneStep:
        """Predict one step ahead along data, with bands for the state, the noise and the estimated readout, leak and scales together.

        `sysid.filter(fit.process, data)` takes the readout as known, and R at the joint mode with it, which is too small
        by the weights it was estimated with. O(T n^2 p n).
        """
        return one_step(self.process, data, self.readout, self.joint, self.averaged)

    def summary(self) -> dict[str, Any]:
        out = super().summary()
        for name, value in self.estimates.items():
            error = (self.standard_errors or {}).get(name)
            out[name] = f"{value:.5g}" + ("" if error is None else f" +- {float(error):.2g}")
        if self.information is not None:
            out["condition of the information"] = self.information.condition
        return out


def scalars(c: Coordinates, p: Parameters) -> dict[str, float]:
    """The free hyperparameters as users know them: leak, scales, and standard deviations of the noises."""
    out: dict[str, float] = {}
    for name in c.names:
        if name == "leak":
            values = [float(p.leak[c.groups == g][0]) for g in range(c.n_groups)]
            word = "tau" if c.time_unit else "leak"
            if c.time_unit:
                values = [-c.time_unit / float(np.log1p(-min(v, LEAK_HIGH))) for v in values]
            out |= {word if len(values) == 1 else f"{word}[{g}]": v for g, v in enumerate(values)}
        elif name == "scale":
            out["scale"] = p.scale
        elif name in GAINS:
            out[name] = float(p.gains[GAINS.index(name)])
        elif name == "Q":
            variances = c.freedom.variances(p.Q)
            if len(variances) < len(p.q) or len(variances) == 1:
                out |= {"Q" if len(variances) == 1 else f"Q[{g}]": v for g, v in enumerate(variances)}
        elif name == "R":
            R = np.diag(p.R)
            out |= {"R": float(R.mean())} if c.R_form == "scaled" or len(R) == 1 else {f"R[{j}]": float(v) for j, v in enumerate(R)}
    return out


def reservoir_fit(climb: Climb, start: Process, status: Status, standard_errors: bool, said: tuple[str, ...] = ()) -> ReservoirFit:
    """Gather the best point of a climb into a result, with what was said on the way."""
    p, target = climb.best, climb.target
    assert p is not None
    notes, information, errors = [*said, *_floors(target.coordinates, p)], None, None
    if isinstance(target.reservoir, ReducedReservoir):
        basis = target.reservoir.basis
        notes.append(f"covariances kept on {basis.V.shape[1]} of {len(p.leak)} directions, which leave out "
                     f"{basis.neglected:.1e} of the energy carried from noise to outputs")
    if isinstance(target.reservoir, SmoothedReservoir):
        notes += target.reservoir.notes(p)
    if standard_errors:
        c = target.coordinates
        noise = None if c.noise is None else c.noise.about(p.Q)      # so that Q's coordinates are relative changes at the estimate
        free = replace(target, reservoir=plain(target.reservoir), coordinates=replace(c, region=None, noise=noise))
        information = observed_information(whitened(free, p), p)
        errors = {name: np.asarray(e) for name, e in zip(information.names, information.standard_errors)}
        notes += information.notes()
    process = p.process(start)
    H = gauss_newton(target, p)
    readout, evidence = _readout_posterior(target, p, climb, H)
    return ReservoirFit(
        model=process.model, process=process, status=status, history=climb.history(),
        log_likelihood=climb.log_likelihood, objective=climb.value, standard_errors=errors, notes=tuple(notes),
        scale=p.scale, input_scale=float(p.gains[0]), feedback_scale=float(p.gains[1]), bias_scale=float(p.gains[2]),
        estimates=scalars(target.coordinates, p), information=information,
        readout=readout, joint=JointPosterior.at(target, p, H), log_evidence=evidence,
        averaged=target.reservoir.averaged)


def _readout_posterior(target: Objective, p: Parameters, climb: Climb, H: np.ndarray) -> tuple[ReadoutPosterior | None, float]:
    """The readout's information and the Laplace evidence; the offset d has a flat prior and is counted as such."""
    if "readout" not in target.coordinates.names:
        return None, climb.log_likelihood
    outputs, n = p.C.shape
    step = outputs * (n + 1)
    H = H[:step, :step]
    samples = sum(np.sum(~np.isnan(q.y), 0) for q in target.reservoir.sequences).astype(float)
    posterior = ReadoutPosterior.of(p, H, target.prior, samples, "R" in target.coordinates.names)
    sign, log_det = np.linalg.slogdet(H)
    if sign <= 0 or np.any(target.prior <= 0):
        return posterior, -np.inf
    volume = 0.5 * n * float(np.sum(np.log(target.prior))) + 0.5 * outputs * LOG_2PI - 0.5 * float(log_det)
    return posterior, climb.value + volume


def _floors(c: Coordinates, p: Parameters) -> list[str]:
    """Say which noises ended on their floor and which parameters on a bound."""
    notes = []
    if c.noise is not None and c.noise.on_floor(p.Q):
        notes.append("Q ended on its floor: the data ask for no process noise" if not any(c.noise.full) else
                     "Q ended on its floor in some directions: the data ask for no process noise along them")
    if "R" in c.names and np.any(np.diag(p.R) <= 1.01 * c.floor_R):
        notes.append("R ended on its floor: all noise is in the state; raise noise_floor if the measurements are not exact")
    if "scale" in c.names and c.region is not None and np.log(p.scale) >= c.log_cap(p)[0] - 1e-6:
        notes.append(f"the scale ended on the certificate's edge: the constraint to contract at {c.region.rate:.4g} is active, "
                     "and standard errors treat it as absent")
    if "leak" in c.names and np.any(p.leak >= 1.0 - 1e-9):
        notes.append("the leak ended at 1: no slower memory is asked for")
    return notes


