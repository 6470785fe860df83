"""Reservoirs on fields: the circle criterion frequency by frequency, for slopes that vary over space.

W is block diagonal in the Fourier (or graph Fourier) basis with symbols W(w), (k, k) for k channels. A multiplier that
is the same in every cell, T = I x diag(t), commutes with the transform although the slopes do not, so the circle
inequality falls apart into one of size 2k per frequency, and P is built from its solutions. One slope per frequency,
max_w rho(W(w)) < 1, is not enough where slopes vary [ESN-SSM, Eq. 89]; corrections 31.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..models.field_esn import ConvolutionalESN, GraphESN
from .balance import balanced
from .certificate import Certificate, Contraction
from .contraction import reason
from .enclosure import Enclosure

DIRECT = 2000                                             # graphs above this many nodes are treated by cells of frequency


@dataclass(frozen=True)
class FrequencyCircle:
    """The circle criterion of a convolutional or graph reservoir, one small problem a frequency.

    Parameters
    ----------
    cells : cells into which the graph frequencies are grouped; every symbol within a cell is covered by the proof

    Cost O(grid k^3), so a million units are within reach. Leaks and slopes must be the same in every cell; otherwise
    the general methods on the written-out network apply (n <= 3000).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    cells: int = 4096

    def __post_init__(self) -> None:
        _check.options(self, cells="count")

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify a ConvolutionalESN or GraphESN. Raises TypeError for other models, ValueError for leaks that differ between nodes."""
        symbols, radius, leak, lower, upper = self._symbols(model)
        size = np.sqrt((np.abs(symbols) ** 2).mean(axis=0))
        d = balanced(size)
        t = d**2
        low, up = _endpoints(symbols, leak, lower), _endpoints(symbols, leak, upper)
        rate = _rate(low, up, t, leak)
        words = f"driven map of a field of {model.n_states} units, slopes free in every cell, any input"
        spread = radius * float((leak * np.maximum(np.abs(lower), np.abs(upper))).max())
        for delta in 1e-6 * 4.0 ** np.arange(10):
            k = rate * (1 + delta) + 2 * spread
            if k < 0.1 + 2 * rate and (P := _proved(low, up, t, leak, lower, upper, k, delta, radius)) is not None:
                values = np.linalg.eigvalsh(P)
                C = float(np.sqrt(values.max() / values.min()))
                return Certificate(k, None, _check.frozen(np.tile(t, model.n_states // len(t))), True,
                                   "circle criterion by frequency", words, reason(k, True), float(_floor(low, up)),
                                   details={"P_hat": P, "overshoot": C, "frequencies": len(symbols)})
        return Certificate(rate, None, None, False, "circle criterion by frequency", words, reason(rate, False),
                           float(_floor(low, up)))

    def _symbols(self, model: Any) -> tuple[np.ndarray, float, np.ndarray, np.ndarray, np.ndarray]:
        """Symbols (F, k, k), how far each may be off, and leak and slopes of the channels (k,)."""
        if not isinstance(model, ConvolutionalESN | GraphESN):
            raise TypeError(f"FrequencyCircle: expected ConvolutionalESN or GraphESN; received {type(model).__name__}.")
        low, high = model.act.slope if isinstance(model, ConvolutionalESN) else model.flat.act.slope
        if isinstance(model, ConvolutionalESN):
            k = len(model.bias)
            symbols = model.W.symbol().reshape(-1, k, k)
            radius = 64 * 2.0**-53 * float(np.abs(model.W.kernel).sum()) * np.log2(len(symbols) + 2)
            leak = np.broadcast_to(model.leak, (k,)).astype(np.float64)
        else:
            k = model.coefficients.shape[1]
            leaks = model.flat.leaks.reshape(-1, k)
            if np.ptp(leaks, axis=0).max(initial=0.0) > 0:
                raise ValueError("FrequencyCircle: expected the same leak in every node; received leaks that differ. "
                                 "Use certify(model, Contraction(), CircleCriterion()).")
            leak = leaks[0].astype(np.float64)
            # T_j(cos a) = cos(j a): every eigenvalue lies in a cell of angles, whatever the graph.
            norms = np.linalg.norm(model.coefficients, 2, axis=(1, 2))
            if model.laplacian.shape[0] <= DIRECT:
                angle = np.arccos(np.clip(2 * model.W.frequencies() / model.W.top - 1, -1, 1))
                radius = 0.0
            else:
                angle = (np.arange(self.cells) + 0.5) * np.pi / self.cells
                radius = float(np.pi / (2 * self.cells) * (np.arange(len(norms)) @ norms)) * (1 + 1e-9)
            # Eigenvalues are known to rounding, far below 1e-10 of the largest; T_j' is at most j^2 on the interval.
            radius += 1e-10 * float(np.arange(len(norms)) ** 2 @ norms) + 1e-14 * norms.sum()
            symbols = np.tensordot(np.cos(angle[:, None] * np.arange(len(norms))), model.coefficients, axes=1)
        return symbols, radius, leak, np.full(k, float(low)), np.full(k, float(high))


def _endpoints(symbols: np.ndarray, leak: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return np.diag(1 - leak) + (leak * slope)[:, None] * symbols


def _floor(low: np.ndarray, up: np.ndarray) -> float:
    return max(np.abs(np.linalg.eigvals(low)).max(), np.abs(np.linalg.eigvals(up)).max())


def _psi(low: np.ndarray, up: np.ndarray, t: np.ndarray, k: float, theta: float) -> np.ndarray:
    z = k * np.exp(1j * theta) * np.eye(len(t))
    half = np.conj(np.swapaxes(z - low, 1, 2)) @ (t[:, None] * (z - up))
    return half + np.conj(np.swapaxes(half, 1, 2))


def _rate(low: np.ndarray, up: np.ndarray, t: np.ndarray, leak: np.ndarray) -> float:
    """Bisection of the rate over time frequencies; symbols are complex, so theta runs over the whole circle."""
    a = float((1 - leak).max())
    phi = np.linspace(-np.pi, np.pi, 64, endpoint=False)
    radius = np.sqrt(1 - (a * np.sin(phi)) ** 2) - a * np.cos(phi)
    thetas = np.angle(a + radius * np.exp(1j * phi))

    def feasible(k: float) -> bool:
        return all(np.linalg.eigvalsh(_psi(low, up, t, k, th))[:, 0].min() > 0 for th in thetas)

    lo, hi = _floor(low, up), 1.0
    while not feasible(hi) and hi < 1e6:
        lo, hi = hi, 2 * hi
    for _ in range(22):
        middle = (lo + hi) / 2
        lo, hi = (lo, middle) if feasible(middle) else (middle, hi)
    return hi


def _proved(low: np.ndarray, up: np.ndarray, t: np.ndarray, leak: np.ndarray, lower: np.ndarray, upper: np.ndarray,
            k: float, delta: float, radius: float) -> np.ndarray | None:
    """P (F, k, k) by cyclic reduction at all frequencies at once, each inequality proved for every symbol in its ball."""
    n, d = len(t), np.sqrt(t)
    lo, hi = (d[:, None] * A / d for A in (low, up))
    adjoint = lambda M: np.conj(np.swapaxes(M, 1, 2))     # noqa: E731
    A = (lo + hi) / k
    Q = adjoint(lo) @ hi
    room = float(np.clip(k - (1 - leak).max(), 0.01, 1.0)) ** 2
    Q = (Q + adjoint(Q)) / k**2 + (2 - 0.25 * delta * room - 8 * radius) * np.eye(n)
    X = Q.copy()
    for _ in range(40):
        if np.linalg.eigvalsh(Q)[:, 0].min() <= 0:
            return None
        F = np.linalg.solve(Q, A)
        B, G = adjoint(A) @ F, A @ np.linalg.solve(Q, adjoint(A))
        X, Q, A = X - (B + adjoint(B)) / 2, Q - (B + adjoint(B)) / 2 - (G + adjoint(G)) / 2, A @ F
        if np.abs(B).max() < 1e-14 * np.abs(X).max():
            break
    P = d[:, None] * (2 * np.eye(n) - X) * d
    P = (P + adjoint(P)) / 2
    sure = all(_one_proved(P[i], low[i], up[i], t, leak, lower, upper, k, radius) for i in range(len(P)))
    return P if sure else None


def _one_proved(P: np.ndarray, low: np.ndarray, up: np.ndarray, t: np.ndarray, leak: np.ndarray, lower: np.ndarray,
                upper: np.ndarray, k: float, radius: float) -> bool:
    """The circle inequality at one frequency, complex matrices written as real ones of twice the size."""
    slack = (radius * leak * np.maximum(np.abs(lower), np.abs(upper)))[:, None] * np.ones((1, len(t)))

    def real(M: np.ndarray, ball: np.ndarray | float = 0.0) -> Enclosure:
        mid = np.block([[M.real, -M.imag], [M.imag, M.real]])
        rad = np.kron(np.ones((2, 2)), np.broadcast_to(ball, M.shape)) + 32 * 2.0**-53 * (1 + np.abs(mid))
        return Enclosure(mid, rad)

    Pe, lo, hi = Enclosure.of(real(P).mid), real(low, slack), real(up, slack)
    weight, kk = Enclosure.of(np.tile(t, 2)[:, None]), Enclosure.of(k)
    if not Pe.positive_definite():
        return False
    cross, corner = lo.T @ (weight * hi), weight * (lo + hi)
    two = Enclosure.of(2 * np.diag(np.tile(t, 2)))
    M = Enclosure.block([[(kk * kk) * Pe + cross + cross.T, -corner.T], [-corner, two - Pe]])
    return M.positive_definite()
