"""Input signals for experiments: what moves a plant so that its dynamics show [Ljung 1999, sec. 13.3]."""

from __future__ import annotations

import numpy as np

from .. import _check

# Feedback taps of maximum-length shift registers of 2..20 bits [Golomb 1967].
_TAPS = {2: (2, 1), 3: (3, 2), 4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4), 9: (9, 5), 10: (10, 7), 11: (11, 9),
         12: (12, 11, 10, 4), 13: (13, 12, 11, 8), 14: (14, 13, 12, 2), 15: (15, 14), 16: (16, 15, 13, 4), 17: (17, 14),
         18: (18, 11), 19: (19, 18, 17, 14), 20: (20, 17)}  # fmt: skip


def prbs(n_steps: int, hold: int = 1, bits: int | None = None, amplitude: float = 1.0) -> np.ndarray:
    """Generate a maximum-length pseudo-random binary sequence, periodic and deterministic.

    n_steps: length. hold: samples a level lasts, so that the power reaches up to about 0.44 / hold of the sampling rate.
    bits: of the shift register, period hold (2^bits - 1); None for one period or more over n_steps.
    Returns (n_steps,) with values +-amplitude.
    Raises TypeError or ValueError for counts that are not whole numbers, or bits outside 2 to 20.
    """
    n_steps, hold = _check.count(n_steps, "n_steps", "prbs"), _check.count(hold, "hold", "prbs")
    if bits is None:
        bits = int(np.clip(np.ceil(np.log2(n_steps / hold + 1)), 2, 20))
    if _check.count(bits, "bits", "prbs") not in _TAPS:
        raise ValueError(f"prbs: expected bits between 2 and 20; received {bits}.")
    needed = min(2**bits - 1, -(-n_steps // hold))
    levels = 2.0 * np.array(_register(bits, needed), dtype=float) - 1.0
    return amplitude * np.resize(np.repeat(levels, hold), n_steps)


def _register(bits: int, count: int) -> list[int]:
    """The first outputs of the shift register, begun full of ones; bit k - 1 of the number is its stage k."""
    state, last, taps, out = (1 << bits) - 1, bits - 1, _TAPS[bits], []
    for _ in range(count):
        out.append(state >> last)
        feedback = 0
        for tap in taps:
            feedback ^= state >> (tap - 1)
        state = ((state << 1) | (feedback & 1)) & ((1 << bits) - 1)
    return out


def random_binary(n_steps: int, rng: np.random.Generator, switch: float = 0.1, amplitude: float = 1.0) -> np.ndarray:
    """Generate a generalised binary noise: at each of n_steps samples the level changes sign with probability `switch`.

    rng: the random generator. A small `switch` puts the power at low frequencies. Returns (n_steps,), +-amplitude.
    Raises TypeError or ValueError for switch outside (0, 1], or a missing rng.
    """
    rng = _check.generator(rng, "random_binary")
    if not _check.positive(switch, "switch", "random_binary") <= 1:
        raise ValueError(f"random_binary: expected switch in (0, 1]; received {switch}.")
    flips = rng.random(_check.count(n_steps, "n_steps", "random_binary")) < switch
    return amplitude * (1.0 - 2.0 * (np.cumsum(flips) % 2))


def multisine(n_steps: int, rng: np.random.Generator, lines: np.ndarray | None = None, rms: float = 1.0, tries: int = 20) -> np.ndarray:
    """Generate one period of a sum of cosines of equal amplitude with random phases, of low crest factor.

    n_steps: the period. rng: the random generator. lines: harmonics excited, whole numbers in 1..n_steps/2 - 1, all of
    them if None. tries: phase draws, the one with the smallest peak is kept. Returns (n_steps,) of root mean square rms.
    Repeated periods excite the lines alone, so leakage and noise can be told from response.
    Raises TypeError or ValueError for lines beyond the Nyquist frequency, or a missing rng.
    """
    n_steps = _check.count(n_steps, "n_steps", "multisine", least=4)
    rng = _check.generator(rng, "multisine")
    tries = _check.count(tries, "tries", "multisine")
    lines = np.arange(1, n_steps // 2) if lines is None else np.unique(np.asarray(lines))
    if len(lines) == 0 or lines.dtype.kind not in "iu" or lines[0] < 1 or lines[-1] >= n_steps / 2:
        raise ValueError(f"multisine: expected lines as whole numbers between 1 and {(n_steps - 1) // 2}; received {lines.tolist()[:5]}.")
    best = None
    for _ in range(tries):
        spectrum = np.zeros(n_steps // 2 + 1, dtype=complex)
        spectrum[lines] = np.exp(2j * np.pi * rng.random(len(lines)))
        signal = np.fft.irfft(spectrum, n_steps)
        signal *= rms / np.sqrt((signal**2).mean())
        if best is None or np.abs(signal).max() < np.abs(best).max():
            best = signal
    assert best is not None
    return best


def chirp(n_steps: int, low: float, high: float, dt: float = 1.0, amplitude: float = 1.0, logarithmic: bool = False) -> np.ndarray:
    """Generate a swept sine from low to high, in rad per unit of time.

    n_steps: samples. low, high: frequencies, scalars with 0 < low, high < pi / dt. dt: sampling interval.
    logarithmic: equal time an octave. Returns (n_steps,).
    amplitude : of the sine
    Raises TypeError or ValueError for frequencies outside 0 to pi/dt.
    """
    n_steps, dt = _check.count(n_steps, "n_steps", "chirp", least=2), _check.positive(dt, "dt", "chirp")
    low, high = _check.positive(low, "low", "chirp"), _check.positive(high, "high", "chirp")
    if not (0 < low < np.pi / dt and 0 < high < np.pi / dt):
        raise ValueError(f"chirp: expected frequencies between 0 and pi/dt = {np.pi / dt:.4g} rad per unit of time; received {low:g}, {high:g}.")
    s = np.arange(n_steps) / (n_steps - 1)
    span = dt * (n_steps - 1)
    if logarithmic and abs(high - low) > 1e-12:
        rate = np.log(high / low)
        return amplitude * np.sin(span * low * np.expm1(rate * s) / rate)
    return amplitude * np.sin(span * (low * s + (high - low) * s**2 / 2))
