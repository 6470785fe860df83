"""The frozen-time view of a time-varying model, with what it cannot tell beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from .ltv import LTV

WARNING = ("Frozen-time poles prove nothing about a time-varying model: every spectral radius may be below 1 and the product "
           "of the matrices still grow, and the other way round. `growth` is what the product does.")  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class FrozenTime(Shown):
    """Poles and responses of the LTI model of each step, and the growth of the true transition matrix.

    poles: (T, n) complex. radius: (T,) spectral radii. response: (T, F, p, m) complex, or None. growth: (T,) with
    growth[t] = ||A[t] ... A[0]||^(1/(t+1)), the honest rate. warning: why the two differ.
    """

    poles: np.ndarray
    radius: np.ndarray
    response: np.ndarray | None
    growth: np.ndarray
    dt: float = 1.0
    warning: str = WARNING

    def summary(self) -> dict[str, Any]:
        return {"steps": len(self.radius), "frozen spectral radius, largest": self.radius.max(initial=0.0),
                "growth a step of the transition matrix": self.growth[-1] if len(self.growth) else 0.0,
                "warning": self.warning}  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw frozen radius and true growth over time; return the axes."""
        from .. import plot

        ax = plot.axes(ax)
        time = self.dt * np.arange(len(self.radius))
        ax.plot(time, self.radius, color=plot.COLOURS["model"], linewidth=1.0, label="frozen spectral radius")
        ax.plot(time, self.growth, color=plot.COLOURS["second"], linewidth=1.2, label="growth of the product, a step")
        ax.axhline(1.0, color=plot.COLOURS["data"], linewidth=0.8, linestyle=":")
        ax.set(xlabel="time", ylabel="rate a step")
        ax.legend(frameon=False, fontsize="small")
        return ax


def frozen_time(model: LTV, omega: Any = None) -> FrozenTime:
    """Look at an LTV model one step at a time: poles, and responses at omega, of the model frozen at each step.

    model: LTV, such as a linearisation along a trajectory. omega: (F,) rad per unit of time, or None for no responses.
    Returns a FrozenTime, which carries the warning of corrections #16: A[0] = [[.5, 2], [0, .5]], A[1] = A[0]' have radius .5
    each and a product of radius 4.49. Cost O(T n^3). [ESN-SSM, Eq. 63]
    Raises TypeError for other models, ValueError for omega that is no vector.
    """
    if not isinstance(model, LTV):
        raise TypeError(f"frozen_time: expected an LTV model; received {type(model).__name__}. "
                        "sysid.linearize(model, x=trajectory, u=inputs) gives one.")  # fmt: skip
    T = model.n_steps
    A = np.broadcast_to(model.A, (T, *model.A.shape[1:]))
    poles = np.linalg.eigvals(A).astype(complex)
    response = None
    if omega is not None:
        omega = _check.vector(omega, "omega", "frozen_time")
        response = np.stack([model.at(t).frequency_response(omega) for t in range(T)])
    return FrozenTime(poles, np.abs(poles).max(axis=1, initial=0.0), response, _growth(A), model.dt)


def _growth(A: np.ndarray) -> np.ndarray:
    """||A[t] ... A[0]||^(1/(t+1)), carried as a scaled product so that it neither overflows nor vanishes."""
    product, logarithm = np.eye(A.shape[-1]), 0.0
    out = np.zeros(len(A))
    for t, step in enumerate(A):
        product = step @ product
        size = float(np.linalg.norm(product, 2)) if product.size else 0.0
        if size == 0.0:
            break
        logarithm += np.log(size)
        product = product / size
        out[t] = np.exp(logarithm / (t + 1))
    return out
