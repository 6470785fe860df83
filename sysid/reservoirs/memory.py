"""How much a reservoir remembers and how it separates: capacities by sampling, effective dimension, Lyapunov exponents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import linalg

from .. import _check
from .._show import Shown
from ..inference.simulate import simulate
from ..models.protocol import is_model


@dataclass(frozen=True, eq=False, repr=False)
class Capacity(Shown):
    """Capacities C = 1 - min |target - w'x|^2/|target|^2 of many targets on the same states [Dambre et al. 2012].

    total : sum of the significant ones. bound : rank of the states, which no total exceeds. threshold : above it a capacity
    is not chance. values : (K,) all of them, before the threshold. targets : (K,) their names. by_degree : total by degree.
    """

    total: float
    bound: int
    threshold: float
    values: np.ndarray
    targets: tuple[str, ...]
    by_degree: dict[int, float]

    def summary(self) -> dict[str, Any]:
        return {"total capacity": self.total, "bound (rank of the states)": self.bound, "threshold": self.threshold,
                "significant targets": int((self.values > self.threshold).sum()),
                **{f"degree {d}": c for d, c in self.by_degree.items()}}


def sampled_memory(model: Any, n_delays: int = 100, *, n_steps: int = 20_000, washout: int = 500, amplitude: float = 1.0,
                   rng: np.random.Generator) -> Capacity:  # fmt: skip
    """Estimate the linear memory capacity of a reservoir with one input on white uniform noise.

    model : one input. n_delays : targets u[t-1] .. u[t-n_delays]. amplitude : the input is uniform on [-amplitude, amplitude].
    A chance correlation of n states with any target is about n/T: only capacities above the chi-square threshold count,
    where the usual sum is biased upwards by n_delays n/T. `sysid.memory_capacity` is exact for a linear model; sampling
    falls far below it where the Gramian is ill-conditioned.
    washout : steps left out at the start
    Raises TypeError or ValueError as `information_processing`.
    """
    _check.count(n_delays, "n_delays", "sampled_memory")
    return information_processing(model, degrees={1: n_delays}, n_steps=n_steps, washout=washout, amplitude=amplitude, rng=rng)


def information_processing(model: Any, degrees: dict[int, int] | None = None, *, n_steps: int = 20_000, washout: int = 500,
                           amplitude: float = 1.0, chance: float = 1e-4, rng: np.random.Generator) -> Capacity:  # fmt: skip
    r"""Estimate the information processing capacity: products of Legendre polynomials of past inputs.

    .. math:: y_t = \prod_i P_{d_i}(u_{t-k_i}), \quad \sum_i d_i = \text{degree}, \qquad \sum_{\text{targets}} C \le \operatorname{rank}(x)

    model : a reservoir with one input and fading memory. degrees : {total degree: largest delay}, default {1: 50, 2: 12, 3: 6}.
    chance : probability that a capacity above the threshold is chance, threshold = chi2_r(1 - chance)/T with r the rank.
    O(T n^2 + T n targets).
    washout : steps left out at the start. amplitude : the input is uniform on [-amplitude, amplitude]
    Raises TypeError or ValueError for other than one input, output feedback, a washout shorter than the delays, or
    states that diverge.
    """
    call = "information_processing"
    if not is_model(model) or model.n_inputs != 1 or model.n_feedback:
        raise ValueError(f"{call}: expected a reservoir with one input and no output feedback; received {type(model).__name__}.")
    rng = _check.generator(rng, call)
    n_steps, washout = _check.count(n_steps, "n_steps", call, least=2), _check.count(washout, "washout", call, least=0)
    amplitude, chance = _check.positive(amplitude, "amplitude", call, zero=True), _check.level(chance, call)
    degrees = degrees or {1: 50, 2: 12, 3: 6}
    for degree, reach in degrees.items():
        _check.count(degree, "degree", call), _check.count(reach, "delays", call)
    if washout < max(degrees.values()):  # targets look back that far
        raise ValueError(f"{call}: expected washout >= {max(degrees.values())}, the largest delay; received {washout}.")
    u = rng.uniform(-1.0, 1.0, n_steps + washout)
    run = simulate(model, amplitude * u[:, None])
    if run.diverged is not None:
        raise ValueError(f"{call}: the states left every bound at step {run.diverged}; there is no fading memory to measure.")
    x = run.x[washout:]
    x = x - x.mean(0)
    basis, s, _ = linalg.svd(x, full_matrices=False, check_finite=False)
    rank = int((s > s.max(initial=0.0) * max(x.shape) * np.finfo(float).eps).sum())
    basis = basis[:, :rank]
    names, values, degree_of = [], [], []
    for degree, reach in degrees.items():
        for exponents in _compositions(degree, reach):
            target = np.ones(n_steps)
            for delay, power in exponents:
                target = target * _legendre(power, u[washout - delay : washout - delay + n_steps])
            target = target - target.mean()
            values.append(float(((basis.T @ target) ** 2).sum() / (target @ target)))
            names.append(" ".join(f"P{p}(u[t-{k}])" for k, p in exponents))
            degree_of.append(degree)
    threshold = _chi_square(rank, chance) / n_steps
    found = np.array(values)
    counted = np.where(found > threshold, found, 0.0)
    totals = {d: float(counted[np.array(degree_of) == d].sum()) for d in dict.fromkeys(degree_of)}
    return Capacity(float(counted.sum()), rank, float(threshold), found, tuple(names), totals)


def _compositions(degree: int, reach: int) -> list[list[tuple[int, int]]]:
    """All ways to spread a total degree over delays 1..reach: lists of (delay, degree there)."""
    out: list[list[tuple[int, int]]] = []
    for parts in range(1, degree + 1):
        for delays in combinations(range(1, reach + 1), parts):
            for cuts in combinations(range(1, degree), parts - 1):
                edges = [0, *cuts, degree]
                out.append([(k, b - a) for k, a, b in zip(delays, edges, edges[1:])])
    return out


def _legendre(degree: int, u: np.ndarray) -> np.ndarray:
    from numpy.polynomial import legendre

    return legendre.legval(u, np.eye(degree + 1)[degree]) * np.sqrt(2 * degree + 1)


def _chi_square(dof: int, chance: float) -> float:
    from scipy.special import chdtri

    return float(chdtri(dof, chance)) if dof else 0.0


def effective_dimension(model: Any, u: Any, *, washout: int = 100) -> float:
    """Return exp(entropy of the state covariance's normalised spectrum) along inputs u (T, m): between 1 and n.

    model : a reservoir. A state that moves along k directions with equal variance has dimension k.
    washout : steps left out at the start
    Raises TypeError or ValueError for inputs no longer than the washout, or states that diverge.
    """
    x = _states(model, u, washout, 2, "effective_dimension")
    values = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
    share = values / max(values.sum(), 1e-300)
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum())) if share.size else 0.0


def separation(model: Any, u: Any, v: Any, *, washout: int = 0) -> float:
    """Return the mean distance of the states of `model` under inputs u and v (T, m), relative to the mean distance of the inputs.

    washout : steps left out at the start
    Raises TypeError or ValueError for equal inputs, inputs of different lengths or no longer than the washout, or states that diverge.
    """
    a, b = (_states(model, w, washout, 1, "separation") for w in (u, v))
    if len(a) != len(b):
        raise ValueError(f"separation: expected two inputs of one length; received {len(a) + washout} and {len(b) + washout} samples.")
    gap = np.linalg.norm(np.asarray(u, float).reshape(len(a) + washout, -1) - np.asarray(v, float).reshape(len(b) + washout, -1),
                         axis=1).mean()
    if gap == 0:
        raise ValueError("separation: expected two different inputs; received equal ones.")
    return float(np.linalg.norm(a - b, axis=1).mean() / gap)


def conditional_lyapunov(model: Any, u: Any = None, *, feedback: Any = None, n_steps: int | None = None,
                         n_exponents: int = 1, washout: int = 100, x0: Any = None) -> np.ndarray:  # fmt: skip
    r"""Estimate the largest Lyapunov exponents of the driven map, per step, along inputs u (T, m).

    .. math:: \ell_i = \lim \frac1T \sum_t \log r_{ii}(t), \qquad J_t Q_t = Q_{t+1} R_t

    model : any with Jacobians; negative values are evidence of fading memory along this input, not a proof for others: a
    proof is `sysid.certify`. feedback : measured outputs fed back; without them, and with n_steps, the closed loop's own
    exponents, positive for a chaotic one. Returns (n_exponents,). O(T n^2 n_exponents) [Benettin et al. 1980].
    washout : steps before the average begins. x0 : (n,) first state, zero if None
    Raises TypeError or ValueError for more exponents than states, a run that diverges or is no longer than the washout.
    """
    count = _check.count(n_exponents, "n_exponents", "conditional_lyapunov")
    washout = _check.count(washout, "washout", "conditional_lyapunov", least=0)
    _check.kind(model, is_model(model), "a model such as sysid.ESN", "conditional_lyapunov")
    if count > model.n_states:
        raise ValueError(f"conditional_lyapunov: expected n_exponents <= {model.n_states}, the states; received {count}.")
    run = simulate(model, u, x0, n_steps=n_steps, feedback=feedback)
    x, T = run.x, len(run.x)
    if run.diverged is not None or washout + 2 > T:
        raise ValueError(f"conditional_lyapunov: expected a bounded run longer than washout = {washout}; received {T} steps"
                         f"{', diverged' if run.diverged is not None else ''}.")
    fun = model.functions()
    inputs = np.zeros((T, 0)) if u is None else np.asarray(u, dtype=float).reshape(T, -1)
    wide = np.ascontiguousarray(model.extended_input(inputs, None if feedback is None else np.asarray(feedback, float).reshape(T, -1)))
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((model.n_states, count)))[0]  # any start will do
    total = np.zeros(Q.shape[1])
    for t in range(T):
        Q, R = np.linalg.qr(fun.fx(np.ascontiguousarray(x[t]), wide[t], fun.p, t * (model.dt or 1.0)) @ Q)
        if t >= washout:
            total += np.log(np.maximum(np.abs(np.diag(R)), 1e-300))
    return total / (T - washout)


def restart_spread(model: Any, u: Any, *, n_starts: int = 20, scale: float = 1.0, rng: np.random.Generator) -> np.ndarray:
    """Return the largest distance between runs from random starts under one input u (T, m), step by step (T,).

    model : a reservoir. scale : standard deviation of the starts. Falling to 0 is evidence of the echo-state property for
    this input; a spread that stays refutes it.
    n_starts : random first states
    Raises TypeError or ValueError for n_starts that is not a whole number, a missing rng, or runs that diverge.
    """
    rng, scale = _check.generator(rng, "restart_spread"), _check.positive(scale, "scale", "restart_spread")
    _check.kind(model, is_model(model), "a model such as sysid.ESN", "restart_spread")
    starts = scale * rng.standard_normal((_check.count(n_starts, "n_starts", "restart_spread", least=2), model.n_states))
    u = _check.signal(u, "u", "restart_spread", model.n_inputs)
    run = simulate(model, np.broadcast_to(u, (len(starts), *u.shape)), starts)
    if run.diverged is not None:
        raise ValueError(f"restart_spread: the states left every bound at step {run.diverged}; nothing is forgotten there.")
    x = run.x
    return np.linalg.norm(x - x.mean(0), axis=2).max(0)


def _states(model: Any, u: Any, washout: int, least: int, call: str) -> np.ndarray:
    """States (T - washout, n) of a bounded run along one input, `least` of them or more."""
    washout, run = _check.count(washout, "washout", call, least=0), simulate(model, u)
    if run.x.ndim != 2 or len(run.x) < washout + least:
        raise ValueError(f"{call}: expected one input sequence of more than washout = {washout} samples; received {np.shape(u)}.")
    if run.diverged is not None:
        raise ValueError(f"{call}: the states left every bound at step {run.diverged}; there is nothing to measure.")
    return run.x[washout:]
