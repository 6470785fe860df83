"""Train a linear recurrent unit by Adam on the squared error of its own outputs, with hand-derived adjoints.

    L = mean_t |Re(C h[t]) + D u[t] - y[t]|^2

Parametrisations of the eigenvalues [Orvieto et al. 2023]: "stable_exponential" lambda = exp(-exp(nu) + i exp(theta)),
"exponential" exp(-nu + i theta), "direct" a + i b; the last two may leave the unit disc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.status import Status
from ..identification.progress import Progress
from ..kernels.recurrence import diagonal_scan_adjoint
from .adam import Adam, TrainingFit, schedule
from .lru import LRU

PARAMETRIZATIONS = ("stable_exponential", "exponential", "direct")


@dataclass(frozen=True)
class Gradient:
    """Derivatives of the loss: complex entries hold d/dRe + i d/dIm."""

    eigenvalues: np.ndarray
    gamma: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray


def loss_and_gradient(model: LRU, u: np.ndarray, y: np.ndarray) -> tuple[float, Gradient]:
    """Compute the mean squared error (over measured entries of y) and its exact gradient. Cost O(T n (m + p))."""
    seen = ~np.isnan(y)
    weight = 2.0 / max(int(seen.sum()), 1)
    H = model.hidden(u)
    error = np.where(seen, (H @ model.C.T).real + u @ model.D.T - np.where(seen, y, 0.0), 0.0)
    force = weight * error
    G, grad_lam = np.empty_like(H), np.empty_like(model.eigenvalues)
    diagonal_scan_adjoint(model.eigenvalues, H, force @ model.C.conj(), G, grad_lam)
    grad_B = G.T @ u
    return float((error**2).sum() * weight / 2), Gradient(
        grad_lam, (grad_B * model.B.conj()).real.sum(axis=1), model.gamma[:, None] * grad_B, force.T @ H.conj(), force.T @ u)


@dataclass(frozen=True)
class LRUTraining:
    """Fit an LRU by stochastic gradient, one record a step.

    rng: draws the start and the order of the records. n_states: n complex states. learning_rate, n_iterations: of Adam.
    schedule: "constant", "cosine" (10 % warm-up) or "plateau": the rate is halved when the median loss over `patience` steps
    has not fallen by 5 %, and training has converged after six halvings. weight_decay: decoupled, on B, C, D.
    r_min, r_max, max_phase: of the ring.
    parametrization: of the eigenvalues. normalize: learn gamma from sqrt(1 - |lambda|^2); otherwise it stays at 1.
    snapshot_every: keep the model each so many steps, 0 for never.
    The loss is not convex: the result depends on rng, and convergence is claimed for a plateau of the loss alone.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    rng: np.random.Generator
    n_states: int = 32
    learning_rate: float = 3e-3
    n_iterations: int = 2000
    schedule: str = "constant"
    patience: int = 2000
    weight_decay: float = 0.0
    r_min: float = 0.0
    r_max: float = 1.0
    max_phase: float = 6.28
    parametrization: str = "stable_exponential"
    normalize: bool = True
    snapshot_every: int = 0

    def __post_init__(self) -> None:
        _check.options(self, learning_rate="positive", weight_decay="nonnegative", r_min="nonnegative", r_max="positive",
                       max_phase="nonnegative", normalize="flag", snapshot_every="whole")  # fmt: skip
        call = "LRUTraining"
        _check.generator(self.rng, call)
        _check.count(self.n_states, "n_states", call)
        _check.count(self.n_iterations, "n_iterations", call)
        _check.count(self.patience, "patience", call)
        _check.choice(self.schedule, "schedule", call, ("constant", "cosine", "plateau"))
        _check.choice(self.parametrization, "parametrization", call, PARAMETRIZATIONS)
        if not self.r_min < self.r_max <= 1:
            raise ValueError(f"{call}: expected r_min < r_max <= 1; received {self.r_min!r} and {self.r_max!r}.")

    def fit(self, data: list[Data], start: LRU | None = None) -> TrainingFit:
        """Train from `start`, or from a ring drawn with rng; history["loss"] is each step's loss on its record.

        Raises TypeError for a start that is no LRU, ValueError for data without inputs or of other sizes than
        the start's, or a start that the parametrisation cannot hold.
        """
        first = data[0]
        if first.n_inputs == 0:
            raise ValueError("LRUTraining: expected data with inputs u; received none.")
        model = start or LRU.random(self.n_states, first.n_inputs, first.n_outputs, self.rng, r_min=self.r_min,
                                    r_max=self.r_max, max_phase=self.max_phase, normalize=self.normalize, dt=first.dt)
        if not isinstance(model, LRU):
            raise TypeError(f"LRUTraining: expected start as an LRU; received {type(model).__name__}.")
        if (model.n_inputs, model.n_outputs) != (first.n_inputs, first.n_outputs):
            raise ValueError(f"LRUTraining: expected data with {model.n_inputs} inputs and {model.n_outputs} outputs as the start; "
                             f"received {first.n_inputs} and {first.n_outputs}.")
        parameters = _Parameters(model, self.parametrization, self.normalize)
        vector = parameters.pack(model)
        adam, losses, status = Adam(len(vector), self.learning_rate), np.full(self.n_iterations, np.nan), None
        snapshots: dict[int, LRU] = {}
        rate_of = schedule(self.schedule, self.n_iterations, self.patience)
        with Progress("LRU", self.n_iterations) as progress:
            for step in progress:
                record = data[self.rng.integers(len(data))]
                with np.errstate(over="ignore", invalid="ignore"):
                    loss, gradient = loss_and_gradient(model, record.inputs, record.y)
                    flat = parameters.chain(vector, model, gradient)
                if not np.isfinite(loss) or not np.isfinite(flat).all():
                    status = Status(False, f"the loss is not finite at step {step}: the model before that step is returned. "
                                           "Lower learning_rate or use the stable parametrisation", step)
                    break
                losses[step - 1] = loss
                rate = rate_of(step, loss)
                if self.weight_decay:
                    vector = vector - self.learning_rate * rate * self.weight_decay * vector * parameters.decays
                trial = vector + adam.step(flat, rate)
                following = parameters.unpack(trial)
                if following is None:
                    status = Status(False, f"an eigenvalue overflowed at step {step}", step)
                    break
                vector, model = trial, following
                if self.snapshot_every and step % self.snapshot_every == 0:
                    snapshots[step] = model
                progress.show(loss=loss)
                if rate_of.reached:
                    status = Status(True, "the loss has stopped falling, at the rate given and at six halves of it", step)
                    break
        losses = losses[~np.isnan(losses)]
        ran = Status(False, f"ran all {self.n_iterations} iterations", self.n_iterations)
        status = next(s for s in (progress.interrupted, status, ran) if s is not None)  # a Status that failed is falsy
        return TrainingFit(model=model, status=status, history={"loss": losses}, snapshots=snapshots)


class _Parameters:
    """The flat real vector that Adam moves, and the chain rule from the model's entries to it."""

    def __init__(self, model: LRU, parametrization: str, learn_gamma: bool):
        self.shapes = (len(model.eigenvalues), model.B.shape, model.C.shape, model.D.shape)
        self.parametrization, self.learn_gamma, self.dt = parametrization, learn_gamma, model.dt
        n = len(model.eigenvalues)
        size = 2 * n + n + 2 * model.B.size + 2 * model.C.size + model.D.size
        self.decays = np.zeros(size)
        self.decays[3 * n:] = 1.0

    def pack(self, model: LRU) -> np.ndarray:
        lam = model.eigenvalues
        if (model.gamma <= 0).any():
            raise ValueError("LRUTraining: expected start with gamma > 0, whose logarithm is trained; "
                             f"received {model.gamma.min():g}.")
        if self.parametrization == "direct":
            pair = lam.real, lam.imag
        else:
            radius, phase = np.abs(lam), np.mod(np.angle(lam), 2 * np.pi)
            if (radius == 0).any() or ((radius >= 1).any() and self.parametrization == "stable_exponential"):
                raise ValueError("LRUTraining: expected start with 0 < |lambda| < 1 for the exponential parametrisation.")
            pair = -np.log(radius), phase
            if self.parametrization == "stable_exponential":
                pair = np.log(pair[0]), np.log(np.maximum(phase, 1e-12))
        return np.concatenate([*pair, np.log(model.gamma), *(np.ravel(a) for a in (
            model.B.real, model.B.imag, model.C.real, model.C.imag, model.D))])

    def unpack(self, vector: np.ndarray) -> LRU | None:
        n, B, C, D = self.shapes
        sizes = [n, n, n, B[0] * B[1], B[0] * B[1], C[0] * C[1], C[0] * C[1]]
        first, second, log_gamma, b_re, b_im, c_re, c_im, d = np.split(vector, np.cumsum(sizes))
        with np.errstate(over="ignore", invalid="ignore"):
            if self.parametrization == "direct":
                lam = first + 1j * second
            elif self.parametrization == "exponential":
                lam = np.exp(-first + 1j * second)
            else:
                lam = np.exp(-np.exp(first) + 1j * np.exp(second))
            gamma = np.exp(log_gamma)
        if not (np.isfinite(lam).all() and np.isfinite(gamma).all()):
            return None
        return LRU(lam, gamma, (b_re + 1j * b_im).reshape(B), (c_re + 1j * c_im).reshape(C), d.reshape(D), self.dt)

    def chain(self, vector: np.ndarray, model: LRU, g: Gradient) -> np.ndarray:
        lam, slope = model.eigenvalues, g.eigenvalues.conj()
        if self.parametrization == "direct":
            pair = g.eigenvalues.real, g.eigenvalues.imag
        else:
            pair = (slope * -lam).real, (slope * 1j * lam).real
            if self.parametrization == "stable_exponential":
                n = len(lam)  # the phase itself, which may have passed 2 pi
                pair = pair[0] * np.exp(vector[:n]), pair[1] * np.exp(vector[n:2 * n])
        gamma = g.gamma * model.gamma if self.learn_gamma else np.zeros(len(lam))
        return np.concatenate([*pair, gamma, *(np.ravel(a) for a in (g.B.real, g.B.imag, g.C.real, g.C.imag, g.D))])
