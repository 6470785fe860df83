"""Train an STU by stochastic gradient, one record a step, as the paper's experiment does [STU, Sec. 3.1].

The loss is quadratic, so its curvature is known beforehand: gradient descent diverges for learning rates above
2 / lambda_max of the mean Hessian, and that is reported before the first step. `SpectralFiltering` solves the same problem
at once; this method exists to compare sample counts under equal training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.status import Status
from ..identification.progress import Progress
from . import forms
from .adam import Adam, TrainingFit
from .regression import Layout, rows
from .spectral_filtering import LOSSES
from .stu import STU


@dataclass(frozen=True)
class STUTraining:
    """Fit an STU by gradient steps from zero weights.

    rng: draws the order of the records. learning_rate, n_iterations; optimizer "sgd" or "adam". n_filters, n_steps (the longest
    record if None), form, loss: as in SpectralFiltering.
    scale: "quarter" weights features by s^(1/4) as in the paper, "unit" leaves the filters at unit norm, which conditions
    the problem better; the model is the same. snapshot_every: keep the model each so many steps, 0 for never.
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    rng: np.random.Generator
    n_filters: int = 24
    learning_rate: float = 1e-2
    n_iterations: int = 1000
    optimizer: str = "adam"
    loss: str = "one_step"
    form: str = "standard"
    scale: str = "quarter"
    n_steps: int | None = None
    snapshot_every: int = 0

    def __post_init__(self) -> None:
        _check.options(self, n_filters="count", learning_rate="positive", n_steps="count", snapshot_every="whole")
        call = "STUTraining"
        _check.generator(self.rng, call)
        _check.choice(self.optimizer, "optimizer", call, ("sgd", "adam"))
        _check.choice(self.loss, "loss", call, LOSSES)
        _check.choice(self.scale, "scale", call, ("quarter", "unit"))
        _check.count(self.n_iterations, "n_iterations", call)
        _check.choice(self.form, "form", call, forms.FORMS)

    def fit(self, data: list[Data], start: Any = None) -> TrainingFit:
        """Train; history["loss"] is each step's mean squared error on its record. `start` is not used: the loss is convex.

        Raises ValueError for data without inputs, or a learning_rate with which gradient descent would diverge.
        """
        first = data[0]
        if first.n_inputs == 0:
            raise ValueError("STUTraining: expected data with inputs u; received none.")
        bank = forms.bank(self.form, self.n_steps or max(d.n_steps for d in data), self.n_filters)
        layout = Layout(bank, self.form, first.n_inputs, first.n_outputs, forms.least_taps(self.form))
        factor = self._column_scale(layout)
        regressions = [rows(layout, d, self.loss, "zero")[:2] for d in data]
        regressions = [(X / factor, Y) for X, Y in regressions]
        if self.optimizer == "sgd":
            self._check_rate(regressions)
        theta = before = np.zeros((layout.n_columns, first.n_outputs))
        adam = Adam(theta.size, self.learning_rate)
        losses, status = np.full(self.n_iterations, np.nan), None
        snapshots: dict[int, STU] = {}

        def model() -> STU:
            taps, plus, minus, _ = layout.weights(theta / factor[:, None])
            return STU(bank, taps, plus, minus, self.form, first.dt)

        with Progress("STU", self.n_iterations) as progress, np.errstate(over="ignore", invalid="ignore"):
            for step in progress:
                X, Y = regressions[self.rng.integers(len(data))]
                error = X @ theta - Y
                gradient = 2.0 / max(error.size, 1) * (X.T @ error)
                losses[step - 1] = (error**2).sum() / max(error.size, 1)
                if not np.isfinite(losses[step - 1]) or not np.isfinite(gradient).all():
                    status = Status(False, f"the loss is not finite at step {step}: the weights before are returned; lower learning_rate", step)
                    theta, losses[step - 1] = before, np.nan
                    break
                before, theta = theta, theta + (adam.step(gradient.ravel()).reshape(theta.shape) if self.optimizer == "adam"
                                 else -self.learning_rate * gradient)
                if self.snapshot_every and step % self.snapshot_every == 0:
                    snapshots[step] = model()
                progress.show(loss=losses[step - 1])
        ran = Status(False, f"ran all {self.n_iterations} iterations", self.n_iterations)
        status = next(s for s in (progress.interrupted, status, ran) if s is not None)  # a Status that failed is falsy
        return TrainingFit(model=model(), status=status, history={"loss": losses[~np.isnan(losses)]}, snapshots=snapshots)

    def _column_scale(self, layout: Layout) -> np.ndarray:
        scale = np.ones(layout.n_columns)
        if self.scale == "unit":
            m = layout.n_inputs
            scale[layout.n_taps * m:] = np.tile(np.repeat(layout.bank.scale, m), layout.n_branches)
        return scale

    def _check_rate(self, regressions: list) -> None:
        # The loss averages over outputs too, hence the second division.
        hessian = 2.0 * sum(X.T @ X / max(Y.size, 1) for X, Y in regressions) / len(regressions)
        limit = 2.0 / max(float(np.linalg.eigvalsh(hessian)[-1]), 1e-300)
        if self.learning_rate > limit:
            raise ValueError(f"STUTraining: expected learning_rate below the stability limit 2 / lambda_max = {limit:.4g} of "
                             f"these data; received {self.learning_rate:g}, with which gradient descent diverges.")
