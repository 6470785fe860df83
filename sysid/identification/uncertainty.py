"""What the covariance of estimated matrices means for poles, step responses and frequency responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..models.lti import LTI
from ..models.names import names
from .records import Scales
from .structure import Predictor


@dataclass(frozen=True, eq=False, repr=False)
class Band(Shown):
    """An estimate with its pointwise interval: axis (k,), mean, low, high (k, p, m).

    label : name of the curve in a legend. output_names, input_names : labels of the channels, None for numbers
    """

    axis: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    label: str = ""
    output_names: Sequence[str] | None = None
    input_names: Sequence[str] | None = None

    def summary(self) -> dict[str, Any]:
        return {"of": self.label, "points": len(self.axis), "outputs": self.mean.shape[1], "inputs": self.mean.shape[2],
                "largest half width": (self.high - self.low).max() / 2}  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw every channel with its band; return the axes.

        A magnitude is drawn as a band of gain into the axes of `model.plot.bode()`.
        """
        from .. import plot, plot_systems
        p, m = self.mean.shape[1:]
        if self.label == "magnitude" and np.shape(ax) == (2 * p, m):
            plot_systems.gain_band(self.axis, self.low, self.high, ax)
            return ax
        grid = np.atleast_1d(plot.axes(ax, p, m)).reshape(-1)
        for i in range(p * m):
            a = grid[min(i, len(grid) - 1)]
            at = np.s_[:, i // m, i % m]
            plot.band(a, self.axis, self.low[at], self.high[at])
            a.plot(self.axis, self.mean[at], color=plot.COLOURS["model"], linewidth=1.2)
            a.set_ylabel(self.label)
            a.set_title(plot.pair(i // m, i % m, (p, m), self.output_names, self.input_names), fontsize=9, loc="left")
            a.set_xlabel("frequency, rad per unit of time" if self.label == "magnitude" else "time")
            if self.label == "magnitude":
                a.set(xscale="log", yscale="log")
                plot.few_decades(a)
        return grid[0] if len(grid) == 1 else grid


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Shown):
    """The covariance of the estimated entries of A, B, C, D, K, propagated to first order.

    model: the estimate. gain: K (n, p). covariance: (k, k) of the vector that stacks the columns of [A B c K] and then
    those of [C D d]; singular along the directions of a change of state coordinates, in which nothing can be known and
    nothing measurable changes. All bands are those of coordinate-free quantities.
    """

    model: LTI
    gain: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of_linear(cls, model: LTI, gain: np.ndarray, covariance: np.ndarray, scales: Scales) -> Uncertainty:
        """From the covariance on the common scale of the data."""
        n, p, ys, us = model.n_states, model.n_outputs, scales.y_scale, scales.u_scale
        ones = Predictor(np.ones((n, n)), np.ones((n, len(us))) / us, np.ones(n), np.ones((n, p)) / ys,
                         np.ones((p, n)) * ys[:, None], np.ones((p, len(us))) * ys[:, None] / us, ys)  # fmt: skip
        factor = ones.vector()
        return cls(model, gain, _check.frozen(covariance * np.outer(factor, factor)))

    def _blocks(self) -> tuple[slice, slice, slice, slice, slice]:
        n, m, p = self.model.n_states, self.model.n_inputs, self.model.n_outputs
        lower = (n + m + 1 + p) * n
        return (slice(0, n * n), slice(n * n, n * (n + m)), slice(n * (n + m + 1), lower),
                slice(lower, lower + p * n), slice(lower + p * n, lower + p * (n + m)))  # fmt: skip

    def pole_covariances(self) -> tuple[np.ndarray, np.ndarray]:
        """Poles (n,) and the covariance (n, 2, 2) of their real and imaginary parts.

            d lambda = w' dA v / (w' v),   w, v the left and right eigenvectors
        """
        import scipy.linalg as sla
        values, left, right = sla.eig(self.model.A, left=True, right=True)
        cov = self.covariance[self._blocks()[0], self._blocks()[0]]
        out = np.empty((len(values), 2, 2))
        for i in range(len(values)):
            w, v = left[:, i].conj(), right[:, i]
            gradient = (np.outer(w, v) / (w @ v)).T.ravel()  # columns of A are stacked
            rows = np.stack([gradient.real, gradient.imag])
            out[i] = rows @ cov @ rows.T
        return values, out

    def pole_deviations(self) -> np.ndarray:
        """Standard deviations (n,) of the poles: the root of the trace of each covariance; NaN for (nearly) equal poles."""
        values, cov = self.pole_covariances()
        total = np.trace(cov, axis1=1, axis2=2)
        out = np.sqrt(np.where(total >= 0, total, np.nan))  # negative where rounding is all that is left of a covariance
        for i, value in enumerate(values):
            others = np.delete(values, i)
            if len(others) and np.abs(others - value).min() < 1e-6 * max(1.0, abs(value)):
                out[i] = np.nan  # a multiple pole moves like a root: no first-order deviation exists
        return out

    def frequency_response(self, omega: Any = None, level: float = 0.95) -> Band:
        """Magnitude of H (k, p, m) at omega (k,) in rad per unit of time, with its interval, exp-normal in the magnitude.

        Near a zero of H, where that interval has no end, it ends with the ellipse that holds the complex H at `level`.
        omega: None for three and a half decades up to pi / dt.
        Raises ValueError for omega that is no vector.
        """
        omega = np.geomspace(1e-3, np.pi, 200) / self._dt if omega is None else _check.vector(omega, "omega", "Uncertainty.frequency_response")
        z = np.exp(1j * omega * self.model.dt)
        A, B, C, D = self.model.A, self.model.B, self.model.C, self.model.D
        n, m, p = len(A), B.shape[1], len(C)
        mean, spread, reach = np.empty((len(z), p, m)), np.empty((len(z), p, m)), np.empty((len(z), p, m))
        a, b, _, c, d = self._blocks()
        for k, point in enumerate(z):
            resolvent = np.linalg.inv(point * np.eye(n) - A)
            left, right = C @ resolvent, resolvent @ B
            H = left @ B + D
            for i in range(p):
                for j in range(m):
                    gradient = np.zeros(len(self.covariance), dtype=complex)
                    gradient[a] = np.outer(left[i], right[:, j]).T.ravel()
                    gradient[b] = np.outer(np.eye(m)[j], left[i]).ravel()
                    gradient[c] = np.outer(right[:, j], np.eye(p)[i]).ravel()
                    gradient[d] = np.outer(np.eye(m)[j], np.eye(p)[i]).ravel()
                    size = max(abs(H[i, j]), 1e-300)
                    log_gradient = (gradient * H[i, j].conj()).real / size**2
                    mean[k, i, j] = size
                    spread[k, i, j] = np.sqrt(max(log_gradient @ self.covariance @ log_gradient, 0.0))
                    plane = np.stack([gradient.real, gradient.imag])
                    reach[k, i, j] = np.sqrt(max(np.linalg.eigvalsh(plane @ self.covariance @ plane.T)[1], 0.0))
        q, ellipse = _quantile(level), np.sqrt(-2 * np.log(1 - level))  # of chi-square with two degrees of freedom
        with np.errstate(over="ignore"):
            high = np.minimum(mean * np.exp(q * spread), mean + ellipse * reach)
        return Band(omega, mean, mean * np.exp(-q * spread), high, "magnitude", **names(self.model))

    @property
    def _dt(self) -> float:
        return self.model.dt or 1.0  # fitted to samples: never continuous

    def step_response(self, n_steps: int, level: float = 0.95) -> Band:
        """Step response (n_steps, p, m) with its pointwise interval.

        Raises TypeError or ValueError for n_steps that is not a whole number from 1.
        """
        n_steps = _check.count(n_steps, "n_steps", "Uncertainty.step_response")
        A, B, C, D = self.model.A, self.model.B, self.model.C, self.model.D
        n, m, p = len(A), B.shape[1], len(C)
        mean, spread = np.empty((n_steps, p, m)), np.empty((n_steps, p, m))
        a, b, _, c, d = self._blocks()
        for j in range(m):
            x, dx = np.zeros(n), np.zeros((n, len(self.covariance)))
            for t in range(n_steps):
                gradient = C @ dx
                for i in range(p):
                    gradient[i, c.start + i : c.stop : p] += x
                    gradient[i, d.start + j * p + i] += 1.0
                mean[t, :, j] = C @ x + D[:, j]
                spread[t, :, j] = np.sqrt(np.maximum(np.einsum("ik,kl,il->i", gradient, self.covariance, gradient), 0.0))
                dx = A @ dx
                for i in range(n):
                    dx[i, a.start + i : a.stop : n] += x
                    dx[i, b.start + j * n + i] += 1.0
                x = A @ x + B[:, j]
        q = _quantile(level)
        return Band(self._dt * np.arange(n_steps), mean, mean - q * spread, mean + q * spread, "step response", **names(self.model))

    def summary(self) -> dict[str, Any]:
        values, cov = self.pole_covariances()
        return {f"pole {i + 1}": f"{v if v.imag else v.real:.4g} +- {np.sqrt(np.trace(c)):.2g}" for i, (v, c) in enumerate(zip(values, cov))}

    def plot(self, ax: Any = None, omega: Any = None) -> Any:
        """Draw the magnitude response with its band on logarithmic axes, or the band alone into those of `model.plot.bode()`; return the axes."""
        return self.frequency_response(omega).plot(ax)


def _quantile(level: float) -> float:
    from scipy.special import ndtri
    if not 0 < level < 1:
        raise ValueError(f"Uncertainty: expected a level between 0 and 1, such as 0.95; received {level}.")
    return float(ndtri(0.5 + level / 2))
