"""A readout that learns on line by an extended Kalman filter of state and weights, and its schedules for drift [ESN-SSM, 6.3]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data, experiments
from ..identification.fit import Fit
from ..inference.filter import filter
from ..inference.laws import Banded
from ..kernels.online_readout import online_readout
from ..models.process import Process
from .forced import ForcedReservoir, Parameters
from .process_noise import is_correlated


@dataclass(frozen=True, eq=False, repr=False)
class Ahead(Banded):
    """One-step predictions made before each measurement: y_mean (T, p) and variances (T, p); bands in original units."""

    data: Data
    y_mean: np.ndarray
    variance: np.ndarray

    @property
    def y_cov(self) -> np.ndarray:
        return self.variance[:, :, None] * np.eye(self.variance.shape[1])

    def summary(self) -> dict[str, Any]:
        error = self.data.y - self.y_mean
        return {"steps": len(error), "root mean square error": np.sqrt(np.nanmean(error**2, 0))}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class OnlineFit(Fit):
    """A readout after the last sample. predictions: one a sequence; readout_cov: of (C, d) row by row (p (n+1), p (n+1))."""

    predictions: tuple[Ahead, ...]
    readout_cov: np.ndarray


@dataclass(frozen=True)
class OnlineReadout:
    r"""Learn the readout sample by sample, knowing how uncertain the state is.

    .. math:: \theta_{t+1} = \theta_t + \eta_t, \quad P^\theta_{t+1} = P^\theta_t / \beta + (q_\theta + a\,(\bar\nu_t - 1)_+) I

    with :math:`\bar\nu` the running mean of the squared normalised innovation: 1 while predictions are as good as they claim.
    forgetting: beta in (0, 1]. walk: q_theta, variance a step. adapt: a, opens the walk when predictions fail (covariance
    scheduling); pace: weight of the newest innovation in the running mean. prior: variance of the weights at the start about
    the start's readout (about zero where it has none).
    With forgetting 1 and no walk on known states this is recursive ridge regression. O(T (p n)^2 + T n^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    forgetting: float = 1.0
    walk: float = 0.0
    adapt: float = 0.0
    pace: float = 0.05
    prior: float = 1.0

    def __post_init__(self) -> None:
        _check.options(self, forgetting="share", pace="share")
        for name in ("walk", "adapt"):
            _check.positive(getattr(self, name), name, "OnlineReadout", zero=True)
        _check.positive(self.prior, "prior", "OnlineReadout")

    def fit(self, data: list[Data], start: Any) -> OnlineFit:
        """Learn along single sequences, one after the other; `start` is a Process around an ESN, whose R must be diagonal.

        Raises TypeError or ValueError for a start that is no Process around an ESN with diagonal Q and R, or
        data that do not fit it.
        """
        call = "OnlineReadout"
        p = Parameters.of(start, call)
        k, n = p.C.shape
        if np.any(p.R != np.diag(np.diag(p.R))):
            raise ValueError(f"{call}: expected a diagonal R; received a full one.")
        if is_correlated(p.Q):
            raise ValueError(f"{call}: expected a diagonal Q (one variance, or one a unit); received a full one.")
        if any(d.n_inputs != start.model.n_inputs or d.n_outputs != k for d in data):
            raise ValueError(f"{call}: expected data with {k} outputs and {start.model.n_inputs} inputs as in the model; "
                             f"received {data[0].n_outputs} and {data[0].n_inputs}.")
        reservoir = ForcedReservoir.of(start.model, data)
        theta, cov = np.column_stack([p.C, p.d]).ravel(), self.prior * np.eye(k * (n + 1))
        out, excess = [], []
        for record, s in zip(data, reservoir.sequences):
            if reservoir.W_fb.shape[1] and np.isnan(s.y).any():
                raise ValueError(f"{call}: expected measured outputs throughout where they are fed back; received NaN.")
            m, P = np.concatenate([p.m0, theta]), np.zeros((n + len(theta),) * 2)
            P[:n, :n], P[n:, n:] = p.P0, cov
            ahead = Ahead(record, np.empty(s.y.shape), np.empty(s.y.shape))
            excess.append(np.empty(len(s.y)))
            online_readout(reservoir.code, s.y, np.tensordot(p.gains, s.drive, 1), reservoir.W, p.leak, p.q.copy(), np.diag(p.R).copy(),
                           self.forgetting, self.walk, self.adapt, self.pace, m, P, ahead.y_mean, ahead.variance, excess[-1])
            theta, cov = m[n:].copy(), P[n:, n:].copy()
            out.append(ahead)
        rows = theta.reshape(k, n + 1)
        model = start.model.with_readout(rows[:, :n].copy(), rows[:, n].copy())
        process = Process(model, Q=start.Q, R=start.R, initial=start.initial)
        return OnlineFit(model=model, process=process, predictions=tuple(out), readout_cov=cov,
                         history={"loss": np.concatenate(excess)})


@dataclass(frozen=True, eq=False, repr=False)
class Switched(Shown):
    """Predictions of several processes mixed by how well each predicted lately.

    names; weights (T, K) before each measurement; prediction: the mixture's mean and variance; log_likelihood.
    """

    names: tuple[str, ...]
    weights: np.ndarray
    prediction: Ahead
    log_likelihood: float

    def summary(self) -> dict[str, Any]:
        return {"steps": len(self.weights), "log-likelihood": self.log_likelihood,
                **{f"mean weight of {name}": w for name, w in zip(self.names, self.weights.mean(0))}}


def switch_reservoirs(data: Data, processes: Mapping[str, Process], *, stay: float = 0.99) -> Switched:
    """Switch among designed processes along a stream by their predictive densities.

        w[t, k] ~ (M' w[t-1, .] p(y[t-1] | past, .))_k,   M = stay on the diagonal, the rest shared     [Herbster & Warmuth 1998]

    data: one sequence. processes: name -> Process, two or more; each filters the whole stream on its own.
    stay: probability of not switching at a step. Returns a Switched. O(K) filters.
    Raises TypeError or ValueError for what is not one sequence, no process, or stay outside (0, 1).
    """
    if not isinstance(data, Data) or data.is_batch:
        raise TypeError("switch_reservoirs: expected one sequence as sysid.Data.")
    _check.kind(processes, isinstance(processes, Mapping), "processes as a dict of label -> Process, such as {'calm': a, 'busy': b}", "switch_reservoirs")
    _check.count(len(processes), "the number of processes", "switch_reservoirs", least=2)
    if not 0 < stay < 1:
        raise ValueError(f"switch_reservoirs: expected stay in (0, 1); received {stay!r}.")
    experiments(data, "switch_reservoirs")
    runs = [filter(process, data) for process in processes.values()]
    density = np.stack([run.log_likelihoods for run in runs], 1)
    K, total = len(runs), 0.0
    weights, now = np.empty(density.shape), np.full(K, 1.0 / K)
    for t, row in enumerate(density):
        weights[t] = now
        top = row.max()
        if top == -np.inf:  # beyond what any of them can tell apart
            total = -np.inf
            continue
        joint = now * np.exp(row - top)
        total += top + np.log(joint.sum())
        joint /= joint.sum()
        now = stay * joint + (1 - stay) * (1 - joint) / (K - 1)
    means = np.stack([run.y_mean for run in runs])
    variances = np.stack([np.diagonal(run.y_cov, axis1=1, axis2=2) for run in runs])
    w = weights.T[:, :, None]
    mean = (w * means).sum(0)
    with np.errstate(over="ignore"):  # infinite after such a measurement
        spread = (w * (variances + (means - mean) ** 2)).sum(0)
    return Switched(tuple(processes), weights, Ahead(data, mean, spread), float(total))
