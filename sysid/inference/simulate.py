"""The verb simulate: a model's states and outputs along an input, or one sampled path of a process."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..core.gaussian import psd_factor
from ..models.lti import LTI
from ..models.names import names, shown_names
from ..models.process import Process
from ..models.protocol import is_model, wide_input
from .paths import Drive, Path, default_run
from .reservoir_paths import run_together, runs_together
from .start import starting_law

_GROWTH = 1e6  # of the states over what drives them, beyond which an unstable path is worth a warning


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Shown):
    """A simulated path. x: (T, n), x[0..T-1]. final: (n,), x[T]. u: (T, m) or None.

    outputs: (T, p), read as `y`; None for a reservoir without a readout. Arrays of a batch have a leading S.
    diverged: the first step whose next state or output is not finite, None if none; what came before it is kept.
    output_names, input_names: those of the model, None for none.
    """

    outputs: np.ndarray | None
    x: np.ndarray
    final: np.ndarray
    u: np.ndarray | None = None
    dt: float = 1.0
    diverged: int | None = None
    output_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None

    @property
    def y(self) -> np.ndarray:
        """Outputs (T, p); refused for a reservoir without a readout. Raises ValueError for a reservoir without a readout."""
        if self.outputs is None:
            raise ValueError("simulate: this ESN has states x and no readout, so no outputs y. "
                             "Train one: sysid.fit(data, sysid.Readout(), start=esn).model")  # fmt: skip
        return self.outputs

    @property
    def data(self) -> Data:
        """Outputs and inputs as Data under the model's names, to be fitted, filtered or drawn. Raises ValueError as `y` does."""
        return Data(self.y, self.u, self.dt, self.output_names, self.input_names)

    @property
    def time(self) -> np.ndarray:
        """Times of the samples (T,)."""
        return self.dt * np.arange(self.x.shape[-2])

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"sequences": len(self.x)} if self.x.ndim == 3 else {}
        out |= {"steps": self.x.shape[-2], "states": self.x.shape[-1]}
        out |= {"outputs": "no readout yet" if self.outputs is None else self.outputs.shape[-1], "dt": self.dt}
        if self.diverged is not None:
            out["diverged at step"] = self.diverged
        return out | shown_names(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw the outputs, or the states of a reservoir without a readout; return the axes."""
        from .. import plot

        ax = plot.axes(ax)
        shown, label = (self.x, "state x") if self.outputs is None else (self.outputs, "output y")
        lines = [ax.plot(self.time, path, linewidth=1.0) for path in (shown if shown.ndim == 3 else shown[None])]
        ax.set_xlabel("time")
        labels = None if self.outputs is None else self.output_names
        ax.set_ylabel(labels[0] if labels is not None and len(labels) == 1 else label)
        if labels is not None and 1 < len(labels) <= 12:
            for line, name in zip(lines[0], labels):
                line.set_label(name)
            plot.legend(ax)
        return ax


def simulate(model: Any, u: Any = None, x0: Any = None, *, n_steps: int | None = None, feedback: Any = None,
             rng: np.random.Generator | None = None) -> Simulation:  # fmt: skip
    """Run a model along an input, or sample one path of a process.

        x[t+1] = f(x[t], u[t]) + w[t],    y[t] = g(x[t], u[t]) + v[t],    t = 0..T-1

    model: any model in discrete time, or a Process together with rng.
    u: (T, m), (T,) for one channel, or a batch (S, T, m). n_steps: T, for a model without inputs.
    x0: (n,), or (S, n) starts of a batch; zero if None, drawn from the process's initial law where there is one.
    feedback: (T, p) measured outputs for a model that feeds them back (teacher forcing), NaN where the model's own are
    to be used; all its own if None.
    Returns a Simulation. Raises ValueError for shapes that do not fit, missing rng, or continuous time. Warns where an
    unstable LTI has run until what its modes amplify dwarfs what the inputs did.
    Cost O(T n^2) for a dense linear model or reservoir.
    """
    process = model if isinstance(model, Process) else None
    model = model.model if process else model
    if process and rng is None:
        raise ValueError("simulate(Process): expected rng=numpy.random.default_rng(seed) to sample a path; received none. "
                         "For the path without noise pass process.model.")  # fmt: skip
    if process is None and rng is not None:
        raise ValueError("simulate: expected rng only with a Process; received it with a model, which has no noise to draw. "
                         "Add it: sysid.Process(model, Q=..., R=...).")  # fmt: skip
    if not is_model(model):
        raise TypeError(f"simulate: expected a model such as LTI, Nonlinear or ESN; received {type(model).__name__}."
                        + _check.instead(model, "model"))  # fmt: skip
    if model.dt is None:
        raise ValueError("simulate: expected a discrete-time model; received dt=None (continuous time). "
                         "Sample it first: sysid.discretize(model, dt).")  # fmt: skip
    inputs, batched = _inputs(model, u, n_steps, feedback, x0)
    S, T = inputs.shape[:2]
    starts = _starts(model, process, x0, S, rng)
    known = _feedback(model, feedback, S, T)
    if S > 1 and process is None and runs_together(model, known):
        return _together(model, inputs, starts, known)
    paths = []
    for s in range(S):
        w, v = _noise(process, T, rng) if process else (None, None)
        paths.append(
            default_run(model)(model, Drive(inputs[s], starts[s], known[s] if known is not None else None, w, v))
        )
    found = _result(model, paths, inputs, batched)
    if process is None and isinstance(model, LTI):
        _warn_of_growth(model, found)
    return found


def _warn_of_growth(model: LTI, found: Simulation) -> None:
    """Say where a path is the growth of an unstable mode; the poles are looked at only where the path is that large."""
    size = np.abs(found.x).max((0, -1)) if found.x.ndim == 3 else np.abs(found.x).max(-1, initial=0.0)
    drive = np.abs(found.x[..., 0, :]).max(initial=0.0) + np.abs(model.c).max(initial=0.0)
    if found.u is not None:
        drive += np.abs(model.B).max(initial=0.0) * np.abs(found.u).max()
    if found.diverged is None and not size[-1] > _GROWTH * drive:
        return
    radius = float(np.abs(model.poles()).max(initial=0.0))
    if radius > 1.0:
        end = f"is not finite after step {found.diverged}" if found.diverged is not None else f"ends at states of {size[-1]:.2g}"
        warnings.warn(f"simulate: the model is unstable (largest |pole| {radius:.6g}), so the path {end} and amplifies every error of the "
                      "start. Predict a few steps ahead instead, sysid.predict(process, data, steps), or fit again with "
                      "sysid.Subspace(stable=True) if the plant is stable.", UserWarning, stacklevel=3)  # fmt: skip


def _together(model: Any, inputs: np.ndarray, starts: np.ndarray, known: np.ndarray | None) -> Simulation:
    """All sequences of a batch at once, one matrix product a step."""
    x, final, y = run_together(model, inputs, starts, known)
    bad = np.append(~np.isfinite(x).all((0, 2)), not np.isfinite(final).all())
    if y is not None:
        bad[:-1] |= ~np.isfinite(y).all((0, 2))
    if not bad.any():
        return Simulation(y, x, final, inputs if model.n_inputs else None, model.dt, **names(model))
    T = max(int(np.argmax(bad)), 1)
    u = inputs[:, :T] if model.n_inputs else None
    return Simulation(None if y is None else y[:, :T], x[:, :T], x[:, T - 1], u, model.dt, T - 1, **names(model))


def _stop(path: Path) -> int:
    """The first step whose next state or output is not finite, -1 if none; 0 too where the very first output is not."""
    _, _, y, stop = path
    if y is None:
        return stop
    finite = np.isfinite(y if stop < 0 else y[: stop + 1])
    return stop if finite.all() else max(int(np.argmin(finite.all(1))) - 1, 0)


def _result(model: Any, paths: list[Path], inputs: np.ndarray, batched: bool) -> Simulation:
    """Stack the paths; after a divergence keep what came before the earliest one."""
    stops = [stop for p in paths if (stop := _stop(p)) >= 0]
    diverged = min(stops) if stops else None
    T = inputs.shape[1] if diverged is None else diverged + 1
    u = inputs[:, :T] if model.n_inputs else None
    if not batched:  # the arrays themselves: a copy would cost as much as the recursion of a small reservoir
        x, final, y, _ = paths[0]
        u = None if u is None else u[0]
        return Simulation(None if y is None else y[:T], x[:T], final if diverged is None else x[T - 1], u, model.dt, diverged, **names(model))
    x = np.stack([p[0][:T] for p in paths])
    final = np.stack([p[1] if diverged is None else p[0][T - 1] for p in paths])
    outputs = [p[2][:T] for p in paths if p[2] is not None]
    y = np.stack(outputs) if outputs else None
    return Simulation(y, x, final, u, model.dt, diverged, **names(model))


def _inputs(model: Any, u: Any, n_steps: int | None, feedback: Any, x0: Any = None) -> tuple[np.ndarray, bool]:
    """Inputs (S, T, m), and whether the caller gave a batch."""
    if u is None:
        if n_steps is None and feedback is not None:
            n_steps = np.shape(feedback)[-2 if np.ndim(feedback) > 1 else 0]
        if n_steps is None:
            raise ValueError("simulate: expected inputs u, or n_steps for a model without inputs; received neither.")
        T = _check.count(n_steps, "n_steps", "simulate")
        many = len(feedback) if np.ndim(feedback) == 3 else (len(x0) if np.ndim(x0) == 2 else 0)
        alone = wide_input(None, T, model.n_inputs, "simulate")
        return np.broadcast_to(alone, (max(many, 1), *alone.shape)), many > 0
    u = _check.real_array(u, "u", "simulate")
    if u.ndim == 1:
        u = u[:, None]
    if u.ndim not in (2, 3) or u.shape[-2] == 0:
        raise ValueError(f"simulate: expected u with shape (T, m) or (S, T, m); received {u.shape}.")
    if model.n_inputs == 0 and u.shape[-1] == getattr(model, "n_feedback", 0) > 0:
        raise ValueError("simulate: expected no u for a model without inputs; received one as wide as the outputs it feeds back. Measured outputs "
                         "to be fed back are simulate(model, feedback=y).")  # fmt: skip
    wide_input(u[0] if u.ndim == 3 else u, u.shape[-2], model.n_inputs, "simulate")
    if n_steps is not None and n_steps != u.shape[-2]:
        raise ValueError(f"simulate: expected n_steps = {u.shape[-2]} as u has samples; received {n_steps}.")
    return (u if u.ndim == 3 else u[None]), u.ndim == 3


def _starts(model: Any, process: Process | None, x0: Any, S: int, rng: np.random.Generator | None) -> np.ndarray:
    """Initial states (S, n)."""
    n = model.n_states
    if x0 is not None:
        x0 = _check.real_array(x0, "x0", "simulate")
        x0 = x0.reshape(1) if x0.ndim == 0 and n == 1 else x0
        if x0.shape not in ((n,), (S, n)):
            slip = " A lifted model starts from model.start(x)." if hasattr(model, "start") else ""
            raise ValueError(f"simulate: expected x0 with shape ({n},) or ({S}, {n}); received {x0.shape}.{slip}")
        return np.ascontiguousarray(np.broadcast_to(x0, (S, n)))
    if process is None:
        return np.zeros((S, n))
    law = starting_law(process, "simulate")
    if law.diffuse.shape[1]:
        raise ValueError(f"simulate: expected a proper initial law to draw x[0] from; received "
                         f"{type(process.initial).__name__}(). Pass x0, or initial=sysid.Gaussian(mean, cov).")  # fmt: skip
    return _check.generator(rng, "simulate").standard_normal((S, n)) @ psd_factor(law.cov).T + law.mean


def _feedback(model: Any, feedback: Any, S: int, T: int) -> np.ndarray | None:
    """Measured outputs to feed back (S, T, r)."""
    if feedback is None:
        return None
    if not model.n_feedback:
        raise ValueError("simulate: expected no feedback for a model that feeds no outputs back; received some.")
    y = _check.real_array(feedback, "feedback", "simulate", nan=True)
    y = y[:, None] if y.ndim == 1 else y
    y = y[None] if y.ndim == 2 else y
    if y.shape != (S, T, model.n_feedback):
        raise ValueError(
            f"simulate: expected feedback with shape ({T}, {model.n_feedback}); received {np.shape(feedback)}."
        )
    return y


def _noise(process: Process, T: int, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """One draw of w (T, n) and v (T, p), correlated through S."""
    rng = _check.generator(rng, "simulate")
    n = process.n_states
    if process.S is not None:
        R = process.R
        if process.Q.ndim == 3 or R.ndim == 3:
            raise ValueError(
                "simulate: expected constant Q and R with a cross covariance S; received time-varying ones."
            )
        joint = psd_factor(np.block([[process.Q, process.S], [process.S.T, R]]))
        draws = rng.standard_normal((T, len(joint))) @ joint.T
        return np.ascontiguousarray(draws[:, :n]), np.ascontiguousarray(draws[:, n:])
    return _draw(process.Q, T, rng), _draw(process.R, T, rng)


def _draw(cov: np.ndarray, T: int, rng: np.random.Generator) -> np.ndarray:
    factor = psd_factor(cov)
    z = rng.standard_normal((T, cov.shape[-1]))
    if cov.ndim == 2:
        return z @ factor.T
    if len(cov) < T:
        raise ValueError(f"simulate: expected time-varying covariances for {T} steps; received {len(cov)}.")
    return (factor[:T] @ z[:, :, None])[:, :, 0]
