"""`model.plot`: the figures of an LTI model. Each method draws, and returns the matplotlib axes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _check, plot, plot_systems
from ..linear.hankel import hankel_singular_values

if TYPE_CHECKING:
    from .lti import LTI


class LinearFigures:
    """The figures of one LTI model; made by `model.plot`."""

    def __init__(self, model: LTI):
        self._model = model

    @property
    def _channels(self) -> plot_systems.Channels:
        return plot_systems.Channels(self._model.output_names, self._model.input_names)

    def _driven(self, figure: str) -> None:
        if not (self._model.n_inputs and self._model.n_outputs):
            raise ValueError(f"LTI.plot.{figure}: expected a model with inputs and outputs; received {self._model.n_inputs} inputs and "
                             f"{self._model.n_outputs} outputs. Poles have a figure of their own: model.plot.pole_zero().")  # fmt: skip

    def __repr__(self) -> str:
        return "figures of an LTI model: bode(), nyquist(), pole_zero(), impulse(), step(), hankel(), memory()"

    def __call__(self, ax: Any = None) -> Any:
        """Draw the Bode diagram, the figure most often meant; return the axes."""
        return self.bode(ax=ax)

    def bode(self, omega: Any = None, ax: Any = None, label: str | None = None) -> Any:
        """Draw gain and phase for every input and output; return the axes (2 p, m).

        omega: (F,) rad per unit of time; by default around the poles, up to the Nyquist frequency, drawn dotted.
        ax: those of another model, beside which this one is drawn in the next colour. label: for the legend.
        """
        self._driven("bode")
        omega = self._frequencies() if omega is None else _check.vector(omega, "omega", "LTI.plot.bode")
        if not (omega > 0).all():
            raise ValueError(f"LTI.plot.bode: expected frequencies above 0, for a logarithmic axis; received {omega.min():g}.")
        edge = None if self._model.dt is None else np.pi / self._model.dt
        return plot_systems.bode(omega, self._model.frequency_response(omega), ax, edge, label, channels=self._channels)

    def nyquist(self, omega: Any = None, ax: Any = None, label: str | None = None) -> Any:
        """Draw the response in the complex plane with its mirror image and the point -1; return the axes."""
        self._driven("nyquist")
        omega = self._frequencies() if omega is None else _check.vector(omega, "omega", "LTI.plot.nyquist")
        return plot_systems.nyquist_curve(self._model.frequency_response(omega), ax, label, channels=self._channels)

    def pole_zero(self, ax: Any = None) -> Any:
        """Draw poles and zeros with the stability boundary and curves of equal damping; return the axes."""
        model = self._model
        return plot_systems.pole_zero(model.poles(), model.zeros(), ax, continuous=model.dt is None)

    def impulse(self, n_steps: int | None = None, t: Any = None, ax: Any = None, label: str | None = None) -> Any:
        """Draw the impulse response of every pair; n_steps or t as in `impulse_response`, by default until it has settled."""
        time, values = self._response("impulse_response", n_steps, t, ax)
        style = "line" if self._model.dt is None else "stems"
        return plot_systems.responses(time, values, ax, style=style, ylabel="impulse response", label=label, channels=self._channels)

    def step(self, n_steps: int | None = None, t: Any = None, ax: Any = None, label: str | None = None) -> Any:
        """Draw the step response of every pair; n_steps or t as in `step_response`, by default until it has settled."""
        time, values = self._response("step_response", n_steps, t, ax)
        style = "line" if self._model.dt is None else "held"
        return plot_systems.responses(time, values, ax, style=style, ylabel="step response", label=label, channels=self._channels)

    def hankel(self, ax: Any = None, label: str | None = None) -> Any:
        """Draw the Hankel singular values on a logarithmic scale; return the axes."""
        model = self._model
        values = hankel_singular_values(model.A, model.B, model.C, continuous=model.dt is None)
        return plot_systems.decay(values, ax, "Hankel singular value", "balanced state", label)

    def memory(self, n_delays: int = 60, noise: float = 0.0, ax: Any = None) -> Any:
        """Draw the memory function, the share of u[t-k] that the states still hold; return the axes."""
        values = import_module(".memory", __package__).memory_spectrum(self._model, n_delays, noise)
        ax = plot_systems.axes(ax)
        for j, column in enumerate(values.T):
            ax.plot(np.arange(1, n_delays + 1), column, linewidth=1.2, label=plot.channel("input", j, self._model.input_names, True))
        ax.set(xlabel="delay, steps", ylabel="squared correlation", ylim=(0, 1.05))
        if values.shape[1] > 1 or self._model.input_names:
            ax.legend(frameon=False)
        return ax

    def _response(self, name: str, n_steps: int | None, t: Any, ax: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Times and values; until it has settled, and not shorter than what is drawn there already."""
        self._driven(name.split("_")[0])
        model = self._model
        end = max(7.0 / self._slowest(), plot_systems.drawn_until(ax))
        if model.dt is None:
            times = np.linspace(0.0, end, 500) if t is None else np.asarray(t, dtype=float)
            return times, getattr(model, name)(t=times)
        steps = int(np.clip(np.ceil(end / model.dt * (1 - 1e-12)), 10, 5000)) if n_steps is None else n_steps
        return model.dt * np.arange(steps), getattr(model, name)(steps)

    def _rates(self) -> np.ndarray:
        """Poles as rates per unit of time; a pole at zero of a discrete model is dead at once and left out."""
        poles = self._model.poles()
        return poles if self._model.dt is None else np.log(poles[poles != 0]) / self._model.dt

    def _slowest(self) -> float:
        """The slowest decay rate; of a model that does not decay, a tenth of its slowest growth or turn."""
        rates = self._rates()
        decay = np.abs(rates.real)[np.abs(rates.real) > 1e-6 * np.abs(rates)]
        return float(decay.min()) if len(decay) else float(0.1 * np.abs(rates).max(initial=0.0)) or 1.0

    def _frequencies(self) -> np.ndarray:
        """400 frequencies around the poles, and finer ones close to each resonance."""
        dt, size = self._model.dt, np.abs(self._rates())
        size = size[size > 1e-8 * size.max(initial=0.0)]
        top = np.pi / dt if dt is not None else 30 * size.max(initial=1.0 if not len(size) else 0.0)
        low = min(size.min(initial=top) / 30, top / 100)
        near = [np.abs(r.imag) + np.tan(np.linspace(-1.45, 1.45, 61)) * abs(r.real) for r in self._rates() if abs(r.imag) > low]
        omega = np.unique(np.concatenate((np.geomspace(low, top, 400), *near[:200])))
        omega = omega[(omega >= low) & (omega <= top)]
        return omega if dt is None else omega[omega < top * (1 - 1e-9)]
