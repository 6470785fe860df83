"""When the state-space view of a reservoir fails: one report, one sentence, one remedy [ESN-SSM, Sec. 5.3 (E4), 10]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..inference.simulate import simulate
from ..transforms.linearize import linearize
from ..transforms.structure import diagonal_form
from .saturation import Saturation, saturation
from .states import driven_states, without_gaps


@dataclass(frozen=True, eq=False, repr=False)
class Fidelity(Shown):
    """How far a reservoir is from its linear, modal picture.

    departure : Henrici's departure from normality of A, |A|_F^2 - sum |lambda|^2 relative to |A|_F^2, in [0, 1].
    transient : max_k |A^k|, 1 for a normal contraction. modal_condition : of the eigenvectors, inf where defective.
    saturation : of the units along the data. linear_share : share of the state's variance that the linearisation predicts
    along the data. kernel_change : (K,) relative change of the impulse response at `amplitudes` (K,) against an
    infinitesimal pulse. delay_share : of the data's input-output correlation at lags beyond the linear memory horizon, nan
    without outputs. verdict : one sentence. remedy : one sentence.
    """

    departure: float
    transient: float
    modal_condition: float
    saturation: Saturation
    linear_share: float
    amplitudes: np.ndarray
    kernel_change: np.ndarray
    delay_share: float
    verdict: str
    remedy: str

    def summary(self) -> dict[str, Any]:
        return {"departure from normality": self.departure, "largest |A^k|": self.transient,
                "condition of the modes": self.modal_condition, "share of saturated units": self.saturation.share,
                "mean slope": self.saturation.mean_slope, "variance the linearisation explains": self.linear_share,
                **{f"kernel change at amplitude {a:g}": c for a, c in zip(self.amplitudes, self.kernel_change)},
                "correlation beyond the memory": self.delay_share, "verdict": self.verdict, "remedy": self.remedy}

    def plot(self, ax: Any = None) -> Any:
        """Draw the change of the kernel against the amplitude; return the axes."""
        from .. import plot

        ax = plot.axes(ax)
        ax.loglog(self.amplitudes, np.maximum(self.kernel_change, 1e-16), "o-", color=plot.COLOURS["model"])
        ax.set_xlabel("amplitude of the pulse")
        ax.set_ylabel("relative change of the kernel")
        return ax


def fidelity(esn: Any, data: Data, *, amplitudes: Any = (0.1, 0.3, 1.0, 3.0), washout: int = 100) -> Fidelity:
    """Report how well the linearised view of a reservoir describes it along data.

    esn : a reservoir, with or without readout. data : one sequence of the inputs (and outputs) it is used on.
    amplitudes : of the pulses on the first input, in standard deviations of that input, or its size where it never moves.
    The linearisation is taken at the equilibrium of the mean input. O(n^3 + T n^2).
    washout : steps left out at the start
    Raises TypeError or ValueError for other than one sequence longer than the washout, or amplitudes not above 0.
    """
    washout = _check.count(washout, "washout", "fidelity", least=0)
    _check.kind(esn, hasattr(esn, "act"), "a reservoir such as sysid.ESN", "fidelity")
    if not isinstance(data, Data) or data.is_batch or data.n_steps <= washout + 10:
        raise ValueError(f"fidelity: expected one sequence with more than washout + 10 = {washout + 10} samples; received "
                         f"{f'{data.n_steps} samples' if isinstance(data, Data) else type(data).__name__}.")
    u0 = data.inputs.mean(0)
    extra = {"feedback": np.nanmean(data.y, 0)} if esn.n_feedback else {}
    lti = linearize(esn, u=u0, **extra)
    A = lti.A
    values = np.linalg.eigvals(A)
    size = float(np.linalg.norm(A) ** 2)
    departure = max(size - float((np.abs(values) ** 2).sum()), 0.0) / max(size, 1e-300)
    report = saturation(esn, data, washout)
    share = _linear_share(esn, lti, data, washout)
    sizes = np.array([_check.positive(a, "amplitudes", "fidelity") for a in np.atleast_1d(amplitudes)])
    change = _kernel_change(esn, data, sizes, extra) if esn.n_inputs else np.full(len(sizes), np.nan)
    radius = float(np.abs(values).max(initial=0.0))
    parts = (departure, _transient(A, radius), _modal_condition(lti), report, share, sizes, change, _delay_share(data, radius))
    return Fidelity(*parts, *_verdict(*parts, radius))


def _linear_share(esn: Any, lti: Any, data: Data, washout: int) -> float:
    x, _ = driven_states(esn, data)
    wide = np.hstack([data.inputs, without_gaps(data.y)]) if esn.n_feedback else data.inputs
    if np.abs(np.linalg.eigvals(lti.A)).max(initial=0.0) >= 1:
        return float("-inf")
    linear = simulate(lti, wide, x[0]).x if wide.shape[1] else simulate(lti, x0=x[0], n_steps=len(x)).x
    error = ((x - linear)[washout:] ** 2).sum()
    return float(1 - error / max(((x[washout:] - x[washout:].mean(0)) ** 2).sum(), 1e-300))


def _kernel_change(esn: Any, data: Data, amplitudes: np.ndarray, extra: dict) -> np.ndarray:
    """Relative change of the state's pulse response, per unit of pulse, against that of a tiny one."""
    u0, steps = data.inputs.mean(0), 60
    spread, size = float(data.inputs[:, 0].std()), float(np.abs(data.inputs[:, 0]).max())
    scale = spread if spread > 1e-12 * size else size or 1.0  # of an input that never moves, its size
    rest = esn.equilibrium(u0, **extra)
    feedback = np.tile(extra["feedback"], (steps, 1)) if extra else None

    def response(a: float) -> np.ndarray:
        u = np.tile(u0, (steps, 1))
        u[0, 0] += a * scale
        return (simulate(esn, u, rest, feedback=feedback).x - rest) / (a * scale)

    tiny = response(1e-4)
    return np.array([np.linalg.norm(response(a) - tiny) / max(float(np.linalg.norm(tiny)), 1e-300) for a in amplitudes])


def _transient(A: np.ndarray, radius: float) -> float:
    if radius >= 1:
        return float("inf")
    largest, power = 1.0, np.eye(len(A))
    for _ in range(int(min(400, 10 + 5 / max(1 - radius, 1e-2)))):
        power = power @ A
        norm = float(np.linalg.norm(power, 2))
        largest = max(largest, norm)
        if norm < 1e-3:
            break
    return largest


def _modal_condition(lti: Any) -> float:
    try:
        return diagonal_form(lti).condition
    except ValueError:
        return float("inf")


def _delay_share(data: Data, radius: float) -> float:
    """Share of the squared input-output correlation at lags beyond the e-folding time of the slowest mode."""
    if data.n_inputs == 0 or np.isnan(data.y).any():
        return float("nan")
    u, y = data.inputs[:, 0] - data.inputs[:, 0].mean(), data.y[:, 0] - data.y[:, 0].mean()
    top = min(200, data.n_steps // 4)
    memory = int(np.ceil(1 / -np.log(max(radius, 1e-6)))) if radius < 1 else top
    corr = np.array([u[: len(u) - k] @ y[k:] for k in range(top)]) / max(np.linalg.norm(u) * np.linalg.norm(y), 1e-300)
    power = np.maximum(corr ** 2 - 4.0 / len(u), 0.0)  # above chance
    return float(power[3 * memory :].sum() / max(power.sum(), 1e-300)) if 3 * memory < top else 0.0


def _verdict(departure: float, transient: float, condition: float, report: Saturation, share: float, sizes: np.ndarray,
             change: np.ndarray, delay: float, radius: float) -> tuple[str, str]:  # fmt: skip
    if radius >= 1:
        return (f"The linearisation at the mean input is unstable (spectral radius {radius:.3g}), so no kernel describes the "
                "reservoir there.", "Lower the spectral radius, or analyse the trajectory: sysid.linearize(esn, x=..., u=...).")
    if report.share > 0.2 or report.mean_slope < 0.5:
        return (f"The units saturate ({100 * report.share:.0f} % of the time at a quarter of the full slope or less), so the "
                "small-signal kernel is not the one at work.",
                "Lower the input scale: reservoirs.design(..., data=data, level=0.5) whitens the input and sets the drive.")
    if transient > 10 or condition > 1e6:
        return (f"The reservoir is far from normal (|A^k| grows to {transient:.3g}, modes of condition {condition:.2g}), so its "
                "eigenvalues do not tell its memory.",
                "Use a normal W: reservoirs.normal(poles=...), orthogonal, cycle or circulant.")
    if delay > 0.5:
        return (f"{100 * delay:.0f} % of the input-output correlation lies beyond the reservoir's memory: the task is dominated "
                "by delays.", "Lengthen the memory (reservoirs.design(half_life=...)) or feed delayed inputs.")
    if share < 0.9:
        return (f"The linearisation explains {100 * share:.0f} % of the states' variance along these data: the reservoir works "
                "as a nonlinear system.", "Analyse it as one (certify, filter), or lift it: sysid.EDMD, sysid.Carleman.")
    mild = sizes[change < 0.1].max(initial=0.0)
    kernel = "" if np.isnan(change).all() else (
        f", and the kernel keeps its shape up to pulses of {mild:g} standard deviations" if mild else
        f", though the kernel changes by {100 * change.min():.0f} % at pulses of {sizes.min():g} standard deviations already")
    return f"The state-space view holds: the linearisation explains {100 * share:.1f} % of the states' variance{kernel}.", "None needed."
