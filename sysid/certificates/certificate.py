"""The result of certify, and the property it speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check, plot
from .._show import Shown


@dataclass(frozen=True)
class Contraction:
    """Two trajectories under the same input approach each other at a geometric rate.

    $$ \\| x_t - \\bar x_t \\|_P \\le \\kappa^t \\, \\| x_0 - \\bar x_0 \\|_P, \\qquad \\kappa < 1 $$

    For a reservoir this implies the echo-state property for every input sequence. [ESN-SSM, Eqs. 10, 11, 45]

    Parameters
    ----------
    rate : the default ladder climbs until a rate below this is proved; 1 asks for contraction and no more
    seconds : time budget of the default ladder, None for as long as it needs; at least the first rung is tried
    exact : prove the inequality in rational arithmetic too; small models only (n <= 25)
    input_bound : |u_i| <= bound, a number or (m,); needed by bilinear models and others whose dynamics scale with u
    Raises TypeError or ValueError for a rate outside (0, 1], negative seconds, or a negative input_bound.
    """

    rate: float = 1.0
    seconds: float | None = None
    exact: bool = False
    input_bound: Any = None

    def __post_init__(self) -> None:
        _check.options(self, rate="share", seconds="nonnegative", exact="flag")
        if self.input_bound is not None:
            bound = _check.real_array(self.input_bound, "input_bound", type(self).__name__)
            if (bound < 0).any():
                raise ValueError(f"{type(self).__name__}: expected input_bound >= 0; received {self.input_bound!r}.")

    def input_box(self, n_inputs: int) -> np.ndarray:
        """The bound of each input (m,). Raises ValueError where there is none, or not one a channel."""
        bound = None if self.input_bound is None else np.asarray(self.input_bound, dtype=np.float64)
        if bound is None or bound.shape not in ((), (1,), (n_inputs,)):
            raise ValueError("certify: expected Contraction(input_bound=...), a number or one for each of the "
                             f"{n_inputs} inputs; received {'none' if bound is None else f'shape {bound.shape}'}.")
        return np.array(np.broadcast_to(bound, (n_inputs,)))


@dataclass(frozen=True)
class Stability(Contraction):
    """The equilibrium of every constant input is globally exponentially stable. [ESN-SSM, Eq. 8]

    For slope-bounded networks the inequality is that of contraction: an equilibrium x* is one of two trajectories.
    Parameters rate, seconds, exact and input_bound as for `Contraction`.
    """


@dataclass(frozen=True)
class Gain(Contraction):
    """Contraction, and with it a bounded gain from differences of the input to differences of the state or output.

    $$ \\sup_t |x_t - \\bar x_t| \\le g\\, \\sup_t |u_t - \\bar u_t|, \\qquad x_0 = \\bar x_0 $$

    Parameters
    ----------
    bound : the certificate holds only if the gain found is not above it; None asks for the figure alone
    output : gain to the output of the readout instead of the state

    Others as for `Contraction`. The figure is `certificate.details["gain"]`, Euclidean norms. [ESN-SSM, Eq. 45]
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    bound: float | None = None
    output: bool = False

    def __post_init__(self) -> None:
        _check.options(self, bound="positive", output="flag")
        super().__post_init__()


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Shown):
    """What was proved about a model, and how far from the truth the proof can be.

    rate: per-step contraction in the norm of P; given also when it is not below 1 or not proved.
    verified: the inequality for (P, T, rate) was proved by Cholesky with a bound on every rounding error (or exactly).
    holds: verified and rate < 1. P: (n, n) metric, T: (n,) multiplier; None where a method has none.
    rate_floor: the true contraction rate is not below it. method_floor: no certificate of this family can show less.
    Both are computed in floating point and are information, not proof.
    reason: one sentence, why it holds or does not. model: what was certified, in words.
    exact : whether the inequality was also proved in rational arithmetic. details : what the method has to say besides
    """

    rate: float
    P: np.ndarray | None
    T: np.ndarray | None
    verified: bool
    method: str
    model: str = ""
    reason: str = ""
    rate_floor: float = 0.0
    method_floor: float = 0.0
    exact: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """The property is proved."""
        small = self.details.get("gain", 0.0) <= self.details.get("gain_bound", np.inf)
        return bool(self.verified and self.rate < 1.0 and small)

    @property
    def overshoot(self) -> float:
        """sqrt(cond P): |x_t - z_t| <= overshoot * rate^t |x_0 - z_0| in the Euclidean norm; 1 if P is None."""
        if self.P is None:
            return float(self.details.get("overshoot", 1.0))
        values = np.linalg.eigvalsh(self.P)
        return float(np.sqrt(values[-1] / values[0])) if values[0] > 0 else np.inf

    def __bool__(self) -> bool:
        return self.holds

    def summary(self) -> dict[str, Any]:
        out: dict[str, Any] = {"holds": self.holds, "rate": self.rate,
                               "verified": ("exactly" if self.exact else "yes") if self.verified else "no",
                               "method": self.method, "overshoot": self.overshoot}
        if self.rate_floor:
            out["true rate at least"] = self.rate_floor
        if self.method_floor:
            out["this family at least"] = self.method_floor
        if "gain" in self.details:
            out["gain from input"] = self.details["gain"]
        out["certified map"] = self.model
        out["reason"] = self.reason
        if not self.holds and self.rate_floor:
            # The floor is computed, not proved: it decides up to rounding.
            out["what is open"] = ("nothing, up to rounding: admissible slopes keep distances from shrinking" if self.rate_floor >= 1 else
                                   "neither proved nor refuted: another method, or a reservoir moved by scale_to_certified, may pass")
        return out

    def plot(self, ax: Any = None, steps: int | None = None) -> Any:
        """Draw the proved envelope of the distance of two trajectories, and the one below which no proof can go."""
        ax = plot.axes(ax)
        steps = steps or int(np.clip(8 / max(1e-3, 1 - min(self.rate, 0.999)), 20, 2000))
        t = np.arange(steps)
        label = f"proved: rate {self.rate:.4g}" if self.holds else f"not proved: {self.rate:.4g}"
        ax.semilogy(t, self.rate**t, color=plot.COLOURS["model"], linestyle="-" if self.holds else "--", label=label)
        if 0 < self.rate_floor:
            ax.semilogy(t, self.rate_floor**t, color=plot.COLOURS["second"], linewidth=1.0,
                        label=f"worst case not below {self.rate_floor:.4g}")
        ax.set_xlabel("steps")
        ax.set_ylabel("distance in the norm of P")
        ax.legend(frameon=False)
        return ax
