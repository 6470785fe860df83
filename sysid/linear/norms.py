"""System norms: H2, H-infinity with its peak frequency, and the peak-to-peak (l1) gain.

The H-infinity norm is exact: a level g is above it if and only if a Hamiltonian matrix built from g has no imaginary
eigenvalue [Bruinsma & Steinbuch 1990]. Discrete time is carried over by the Cayley transform, which leaves the norm
unchanged. Peaks are refined on the response itself, so the value is attained and not only bracketed.
"""

from __future__ import annotations

import numpy as np
import scipy

from .gramians import gramian
from .response import Resolvent, markov_parameters, transfer_at
from .stability import refuse_unstable

__all__ = ["h2_norm", "hinf_norm", "l1_gain"]

_CURE = "Split off the stable part, or look at the response over a finite horizon."


def h2_norm(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, *, continuous: bool = False) -> float:
    """Compute the H2 norm, the root mean square output for white noise of unit intensity.

        discrete   ||H||^2 = tr(C W C' + D D')      continuous   ||H||^2 = tr(C W C'), infinite unless D = 0

    A: (n, n) stable. B: (n, m). C: (p, n). D: (p, m). Returns the norm (in continuous time the sampling-free one).
    Raises ValueError for an unstable A. Cost O(n^3). [Zhou, Doyle & Glover 1996, Lemma 4.4; corrections #5, #36]
    """
    if continuous and np.any(D):
        refuse_unstable(A, "h2_norm", "the H2 norm", continuous=True, cure=_CURE)
        return float("inf")
    dual = len(C) < B.shape[1]
    if dual:
        A, B, C = A.T, C.T, B.T
    W = gramian(A, B, continuous=continuous, call="h2_norm")
    return float(np.sqrt(max(np.sum((C @ W) * C), 0.0) + np.sum(D**2)))


def hinf_norm(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, *, continuous: bool = False,
              tolerance: float = 1e-10) -> tuple[float, float]:
    """Compute the H-infinity norm, the largest gain over frequency, and the frequency of the peak.

        ||H|| = sup_w sigma_max(H(iw))   or   sup_w sigma_max(H(e^(iw)))

    A: (n, n) stable. B: (n, m). C: (p, n). D: (p, m). tolerance: relative; the value returned is attained at the
    frequency returned, and no gain exceeds it by more than this factor. Returns (value, w): w >= 0 in radians per
    unit of time, per step in discrete time; inf where the peak is the feed-through D. Raises ValueError for an
    unstable A. Cost O(n^3), one Hamiltonian eigenproblem of size 2n a level, mostly one or two levels.
    [Bruinsma & Steinbuch 1990]
    """
    if 0 in D.shape:
        return 0.0, 0.0
    A, B, C, D, unit = _in_balanced_units(A, B, C, D)
    gains = _Gains(A, B, C, D, continuous)
    refuse_unstable(A, "hinf_norm", "the H-infinity norm", continuous=continuous, cure=_CURE, poles=gains.poles)
    value, omega = gains.peak(gains.candidates())
    if len(A) == 0:
        return unit * value, omega
    Ac, Bc, Cc, Dc, back = _regular_form(A, B, C, D, gains, continuous)
    for _ in range(30):
        crossings = back(_crossings(Ac, Bc, Cc, Dc, value * (1 + tolerance)))
        if len(crossings) == 0:
            break
        # Between two crossings the gain lies above the level, or below it throughout: look at both and refine.
        points = np.unique(np.concatenate((crossings, (crossings[1:] + crossings[:-1]) / 2, crossings * 0.5,
                                           crossings * 1.5 if continuous else np.minimum(crossings * 1.5, np.pi))))
        higher, where = gains.peak(points)
        if higher <= value * (1 + tolerance):
            break
        value, omega = higher, where
    return unit * gains.exactly_at(omega), omega


def _in_balanced_units(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray) -> tuple:
    """The same system with states of comparable size and entries of B, C, D at most 1; its gains times the last item are the given ones."""
    if len(A):
        A, (size, _) = scipy.linalg.matrix_balance(A, permute=False, separate=True)
        B, C = B / size[:, None], C * size
    b, c = np.abs(B).max(initial=0.0), np.abs(C).max(initial=0.0)
    if b == 0.0 or c == 0.0:
        return A, B, C, D, 1.0
    unit = max(b * c, float(np.abs(D).max(initial=0.0)), 1e-300)
    return A, B / b, C / c * (b * c / unit), D / unit, unit


def _largest(H: np.ndarray) -> np.ndarray:
    """Largest singular value of each (p, m) matrix of a stack (F, p, m)."""
    if H.shape[1] == 1 or H.shape[2] == 1:
        return np.sqrt(np.sum(H.real**2 + H.imag**2, axis=(1, 2)))
    return np.linalg.norm(H, 2, axis=(1, 2))


class _Gains:
    """sigma_max of the response along the boundary, many frequencies at a time."""

    def __init__(self, A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, continuous: bool):
        self.continuous = continuous
        self._model = A, B, C, D
        self._left, self._right = C, B
        poles, V = np.linalg.eig(A)
        self.poles = poles.astype(complex)
        # Partial fractions are the fastest way to search; where A is close to defective a Schur form is the safe one.
        self._resolvent = None
        try:
            inverse = np.linalg.inv(V)
            with np.errstate(over="ignore"):
                separate = len(A) == 0 or np.linalg.norm(V) * np.linalg.norm(inverse) < 1e6
            if separate:
                self._left, self._right = C @ V, inverse @ B
            else:
                self._resolvent = Resolvent(A, B, C, D)
        except np.linalg.LinAlgError:
            self._resolvent = Resolvent(A, B, C, D)
        self.at_infinity = float(np.linalg.norm(D, 2)) if continuous else 0.0

    def at(self, omega: np.ndarray) -> np.ndarray:
        """Gains at frequencies (F,): (F,)."""
        points = 1j * omega if self.continuous else np.exp(1j * omega)
        if self._resolvent is not None:
            return _largest(self._resolvent.at(points))
        fractions = 1 / (points[:, None] - self.poles)
        return _largest((self._left * fractions[:, None, :]) @ self._right + self._model[3])

    def exactly_at(self, omega: float) -> float:
        """The gain at one frequency by a direct solve."""
        if np.isinf(omega):
            return self.at_infinity
        return float(_largest(transfer_at(*self._model, np.array([1j * omega if self.continuous else np.exp(1j * omega)])))[0])

    def candidates(self) -> np.ndarray:
        """Frequencies near which the response may peak: those of the poles, and a grid."""
        poles = self.poles
        rates = poles if self.continuous else np.log(np.where(poles == 0, 1e-300, poles))
        if len(rates) > 150:
            rates = rates[np.argsort(-rates.real / np.maximum(np.abs(rates), 1e-300))[::-1][:150]]
        size = np.abs(rates)
        damping = -rates.real / np.maximum(size, 1e-300)
        resonant = size * np.sqrt(np.maximum(1 - 2 * damping**2, 0))
        low, high = (float(size.min()) / 100, float(size.max()) * 100) if len(size) and size.min() > 0 else (1e-3, 1e3)
        if not self.continuous:
            low, high = min(max(low, 1e-8), 1e-2), float(np.pi)
        points = np.concatenate((np.zeros(1), np.abs(rates.imag), resonant, np.geomspace(low, high, 60)))
        return np.unique(points if self.continuous else np.append(np.minimum(points, np.pi), np.pi))

    def peak(self, frequencies: np.ndarray) -> tuple[float, float]:
        """Refine the best of sorted frequencies by repeated bracketing; return (gain, frequency)."""
        gains = self.at(frequencies)
        best = int(np.argmax(gains))
        value, omega = float(gains[best]), float(frequencies[best])
        low, high = frequencies[max(best - 1, 0)], frequencies[min(best + 1, len(frequencies) - 1)]
        for _ in range(40):
            grid = np.concatenate((np.linspace(low, omega, 9), np.linspace(omega, high, 9)[1:]))
            gains = self.at(grid)
            best = int(np.argmax(gains))
            settled = high - low <= 1e-12 * max(high, 1e-300) or np.ptp(gains) <= 1e-15 * gains[best]
            if gains[best] > value:
                value, omega = float(gains[best]), float(grid[best])
            if settled:
                break
            low, high = grid[max(best - 1, 0)], grid[min(best + 1, 16)]
            omega = min(max(omega, low), high)
        return (value, float(omega)) if value >= self.at_infinity else (self.at_infinity, float("inf"))


def _regular_form(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, gains: _Gains, continuous: bool) -> tuple:
    """Choose a continuous realisation with the same gains whose feed-through lies well below the peak.

    Two points of the boundary can be sent to infinity: 0 or infinity in continuous time, z = 1 or z = -1 in discrete
    time. The one with the smaller gain goes there. Returns (A, B, C, D, map from its frequencies to the given ones).
    """
    ends = gains.at(np.array([0.0] if continuous else [0.0, np.pi]))
    if continuous:
        if ends[0] >= gains.at_infinity:
            return A, B, C, D, lambda w: w
        solved = np.linalg.solve(A, np.hstack((np.eye(len(A)), B)))  # s -> 1/s
        inverse, AB = solved[:, : len(A)], solved[:, len(A):]
        return inverse, AB, -C @ inverse, D - C @ AB, lambda w: 1 / np.maximum(w[::-1], 1e-300)
    sign = 1.0 if ends[1] <= ends[0] else -1.0  # z -> -z swaps the two ends
    shifted = sign * A + np.eye(len(A))
    solved = np.linalg.solve(shifted, np.hstack((sign * A - np.eye(len(A)), np.sqrt(2) * B)))
    Ac, Bc = solved[:, : len(A)], solved[:, len(A):]
    Cc = np.sqrt(2) * sign * np.linalg.solve(shifted.T, C.T).T
    Dc = D - sign * C @ Bc / np.sqrt(2)
    if sign > 0:
        return Ac, Bc, Cc, Dc, lambda w: 2 * np.arctan(w)
    return Ac, Bc, Cc, Dc, lambda w: np.pi - 2 * np.arctan(w[::-1])


def _crossings(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, level: float) -> np.ndarray:
    """Return the frequencies (k,), ascending, at which a singular value of the response may equal `level`.

    A superset: eigenvalues close to the imaginary axis are kept and the response itself decides. Empty proves that
    the level lies above every gain.
    """
    R = D.T @ D - level**2 * np.eye(D.shape[1])
    S = D @ D.T - level**2 * np.eye(len(D))
    RDC = np.linalg.solve(R, D.T @ C)
    corner = A - B @ RDC
    H = np.block([[corner, -level * B @ np.linalg.solve(R, B.T)],
                  [level * C.T @ np.linalg.solve(S, C), -corner.T]])  # [Bruinsma & Steinbuch 1990, Eq. 2.3]
    values = scipy.linalg.eigvals(H, overwrite_a=True, check_finite=False)
    size = np.abs(values)
    close = np.abs(values.real) <= 1e-5 * size + 1e-12 * size.max()
    return np.unique(np.abs(values.imag[close]))


def l1_gain(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, *, continuous: bool = False,
            tolerance: float = 1e-8) -> float:
    """Compute the peak-to-peak gain, the largest output amplitude for inputs of amplitude 1.

        discrete   max_i sum_j sum_k |h_k[i, j]|      continuous   max_i sum_j (|D_ij| + int |h_ij(t)| dt)

    A: (n, n) stable. B: (n, m). C: (p, n). D: (p, m). tolerance: relative. Discrete: the tail beyond the horizon is
    bounded in the norm of the observability Gramian of A, so the error is proven. Continuous: the integral is the
    total variation of the step response on a grid that is halved until it settles. Raises ValueError for an unstable A.
    Cost O(n^2 T + n^3), T growing like 1 / (1 - rho). [Dahleh & Diaz-Bobillo 1995, Sec. 2.3]
    """
    refuse_unstable(A, "l1_gain", "the l1 gain", continuous=continuous, cure=_CURE)
    if 0 in D.shape:
        return 0.0
    if len(A) == 0:
        return float(np.abs(D).sum(axis=1).max())
    A, B, C, D, unit = _in_balanced_units(A, B, C, D)
    return unit * (_l1_continuous if continuous else _l1_discrete)(A, B, C, D, tolerance)


def _l1_discrete(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, tolerance: float) -> float:
    # V = A'VA + I gives |A^k x|_V <= r^k |x|_V with r^2 = 1 - 1/lambda_max(V), and |x| <= |x|_V.
    V = gramian(A.T, np.eye(len(A)), call="l1_gain")
    share = 1 / np.linalg.eigvalsh(V)[-1]
    lost = share / (1 + np.sqrt(1 - share))  # 1 - r
    total, state, count = np.abs(D), B, 256
    while True:
        h = markov_parameters(A, state, C, np.zeros(D.shape), count + 1)[1:]
        total = total + np.abs(h).sum(axis=0)
        state = np.linalg.matrix_power(A, count) @ state
        inputs = np.sqrt(np.maximum(np.sum(state * (V @ state), axis=0), 0))  # (m,)
        tail = np.linalg.norm(C, axis=1)[:, None] * inputs / lost
        gain = total.sum(axis=1).max()
        if (total + tail).sum(axis=1).max() <= gain * (1 + tolerance) or not tail.any():
            return float(gain)
        count = min(2 * count, 65536)


def _l1_continuous(A: np.ndarray, B: np.ndarray, C: np.ndarray, D: np.ndarray, tolerance: float) -> float:
    spans = _spans(np.linalg.eigvals(A), np.log(1e3 / tolerance))
    x = np.linalg.solve(A, B)  # step response s(t) = C (e^(At) - I) A^-1 B
    previous = -1.0
    for halvings in range(20):
        total, state, samples = np.zeros(D.shape), x, 0
        for length, step in spans:
            count = max(int(np.ceil(length / step * 2**halvings)), 1)
            variation, state = _variation(scipy.linalg.expm(A * (length / count)), C, state, count)
            total, samples = total + variation, samples + count
        gain = float((np.abs(D) + total).sum(axis=1).max())
        if abs(gain - previous) <= tolerance * gain or samples > 4_000_000:
            return gain
        previous = gain
    return gain


def _spans(poles: np.ndarray, decay: float) -> list[tuple[float, float]]:
    """Lengths of time and the step that resolves the fastest mode alive in each; a mode dies when decay / |Re pole| is over."""
    ends, sizes = -decay / poles.real, np.abs(poles)
    order = np.argsort(ends)
    starts = np.concatenate([[0.0], ends[order][:-1]])
    alive = np.maximum.accumulate(sizes[order][::-1])[::-1]
    return [(end - start, 0.5 / fastest) for start, end, fastest in zip(starts, ends[order], alive) if end > start]


def _variation(E: np.ndarray, C: np.ndarray, state: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Total variation (p, m) of C E^k x over k = 0..count, and E^count x."""
    total = np.zeros((len(C), state.shape[1]))
    for start in range(0, count, 65536):
        k = min(65536, count - start)
        values = markov_parameters(E, state, C, np.zeros(total.shape), k + 2)[1:]
        total += np.abs(np.diff(values, axis=0)).sum(axis=0)
        state = np.linalg.matrix_power(E, k) @ state
    return total, state
