"""One-pole models in series: deeper linear networks, and what a nonlinearity between them changes.

Stage l filters its input with pole a_l between weights b_l and c_l. In series the linear gains multiply, so D stages are a linear
network of N = 2 D scalar layers w acting on u filtered by all poles:

    tau dw_j/dt = (prod_{i != j} w_i) (eta - sigma S),   S = prod w;      balanced:  tau dS/dt = N S^(2 - 2/N) (eta - sigma S)

[Saxe, McClelland & Ganguli 2014; LDSSM]. All w_i^2 - w_j^2 are conserved. With phi between stages, y = stage_2(phi(stage_1(u))),
there is no closed form; `train_series` computes the curve by descent with exact adjoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from .modes import _positive, _statistics
from .multimode import _increasing, _integrate
from .statistics import pole_responses


def series_gain(t: Any, sigma: float, eta: float, weights0: Any, tau: float = 1.0) -> np.ndarray:
    """Integrate the gain S(t) (n,) of a linear network of scalar layers; two layers are `mode_gain`.

    t (n,) increasing, >= 0; sigma, eta: statistics of the data at the poles in series; weights0 (N,), one a layer.
    tau : time constant of the flow, in the unit of t
    Raises ValueError for weights0 that is no vector, or empty.
    """
    from scipy.integrate import solve_ivp
    call = "series_gain"
    sigma, eta, tau = _statistics(sigma, eta, tau, call)
    w0 = _check.vector(weights0, "weights0", call)
    if not len(w0):
        raise ValueError(f"{call}: expected weights0 with at least one layer; received none.")

    def flow(_: float, w: np.ndarray) -> np.ndarray:
        return _others(w) * (eta - sigma * np.prod(w)) / tau

    return np.prod(_integrate(solve_ivp, flow, _increasing(t, call), w0, call), axis=1)


def series_time(gain: float, sigma: float, eta: float, s0: float, n_layers: int, tau: float = 1.0) -> float:
    """Return the time from s0 to `gain` for N balanced layers: tau int ds / (N s^(2-2/N) (eta - sigma s)).

    n_layers: N. 0 < s0 <= gain < eta / sigma.
    Raises TypeError or ValueError for n_layers that is not a whole number, or a gain that is not reached.
    """
    from scipy.integrate import quad
    call = "series_time"
    sigma, eta, tau = _statistics(sigma, eta, tau, call)
    start, gain, n = _positive(s0, "s0", call), _positive(gain, "gain", call), _check.count(n_layers, "n_layers", call)
    target = eta / sigma
    if not start <= gain < target:
        raise ValueError(f"{call}: expected s0 = {start:g} <= gain < eta / sigma = {target:g}; received {gain:g}.")
    # In x = log(s / (S* - s)) the integrand s^(2/N - 1) / (N eta) is smooth from the smallest gains up to the target.
    first, last = (np.log(s) - np.log(target - s) for s in (start, gain))
    value, _ = quad(lambda x: (target / (1 + np.exp(-x))) ** (2 / n - 1), first, last, epsabs=0.0, epsrel=1e-11, limit=200)
    return float(tau * value / (n * eta))


@dataclass(frozen=True, eq=False, repr=False)
class SeriesCurve(Shown):
    """Training of stages in series. times (R,); losses (R,); weights (R, D, 2), the b_l and c_l of each stage."""

    times: np.ndarray
    losses: np.ndarray
    weights: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Product of all weights (R,)."""
        return self.weights.prod(axis=(1, 2))

    def summary(self) -> dict[str, Any]:
        return {"stages": self.weights.shape[1], "first loss": float(self.losses[0]), "last loss": float(self.losses[-1])}

    def plot(self, ax: Any = None) -> Any:
        """Draw the gain against training time."""
        from .. import plot
        ax = plot.axes(ax)
        ax.plot(self.times, self.gain, color=plot.COLOURS["model"])
        ax.set(xlabel="training time", ylabel="gain")
        return ax


def train_series(poles: Any, u: Any, y: Any, weights0: Any, learning_rate: float, n_iterations: int,
                 activation: str = "linear") -> SeriesCurve:
    """Train the weights of one-pole stages in series by gradient descent on (1/2) mean (y - yhat)^2.

    poles (D,) fixed, in (-1, 1); u, y (T,); weights0 (D, 2) = rows (b_l, c_l); activation "linear" or "tanh" between stages.
    learning_rate, n_iterations: of the descent. Raises ValueError where the loss stops being finite, naming the iteration. Cost O(n_iterations D T).
    """
    call = "train_series"
    a = _check.vector(poles, "poles", call)
    if not len(a) or (np.abs(a) >= 1).any():
        raise ValueError(f"{call}: expected poles in (-1, 1), one a stage; received {a[np.argmax(np.abs(a))] if len(a) else 'none'}.")
    n_iterations = _check.count(n_iterations, "n_iterations", call)
    u, y = _check.vector(u, "u", call), _check.vector(y, "y", call)
    if len(u) != len(y) or not len(u):
        raise ValueError(f"{call}: expected u and y of equal length, one sample at least; received {len(u)} and {len(y)}.")
    w = np.array(_check.matrix(weights0, "weights0", call, (len(a), 2), f"there are {len(a)} poles"))
    _check.choice(activation, "activation", call, ("linear", "tanh"))
    rate = _positive(learning_rate, "learning_rate", call)
    losses, kept = np.empty(n_iterations + 1), np.empty((n_iterations + 1, *w.shape))
    for k in range(n_iterations + 1):
        kept[k] = w
        losses[k], gradient = _series_gradient(a, u, y, w, activation == "tanh")
        if not np.isfinite(losses[k]) or (k and losses[k] > 1e6 * max(losses[0], 1e-300)):
            raise ValueError(f"{call}: expected a learning_rate below the stability limit; with {rate:g} the loss "
                             f"grows without bound by iteration {k}.")
        w = w - rate * gradient
    return SeriesCurve(rate * np.arange(n_iterations + 1), losses, kept)


def _series_gradient(poles: np.ndarray, u: np.ndarray, y: np.ndarray, w: np.ndarray, curved: bool) -> tuple[float, np.ndarray]:
    signals, inputs, filtered = u, [], []
    for stage, a in enumerate(poles):
        if stage and curved:
            signals = np.tanh(signals)
        inputs.append(signals)
        filtered.append(pole_responses(np.array([a]), signals)[:, 0])
        signals = w[stage, 0] * w[stage, 1] * filtered[-1]
    error = signals - y
    back, gradient = error / len(u), np.empty_like(w)
    for stage in range(len(poles) - 1, -1, -1):
        slope = float(back @ filtered[stage])
        gradient[stage] = slope * w[stage, ::-1]
        # The adjoint of a causal filter runs backwards in time.
        back = w[stage, 0] * w[stage, 1] * pole_responses(poles[stage:stage + 1], back[::-1])[::-1, 0]
        if stage and curved:
            back = back * (1 - inputs[stage] ** 2)
    return 0.5 * float((error**2).mean()), gradient


def _others(w: np.ndarray) -> np.ndarray:
    """prod_{i != j} w_i without division."""
    left = np.concatenate([[1.0], np.cumprod(w[:-1])])
    right = np.concatenate([np.cumprod(w[:0:-1])[::-1], [1.0]])
    return left * right
