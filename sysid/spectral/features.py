"""Project past inputs on the filters, over a whole record by FFT or step by step.

    U+[t, k] = sum_j phi_k[j+1] u[t-j],      U-[t, k] = sum_j (-1)^j phi_k[j+1] u[t-j],      j = 0..L-1, u = 0 before 0

Inputs older than L steps have left the window. Source: [STU, Sec. 3].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .filters import FilterBank


def spectral_features(bank: FilterBank, u: Any, *, negative: bool = False, shift: int = 0) -> np.ndarray:
    """Compute U+ (or U- with `negative`) of one record, delayed by `shift` steps.

    u (T, m); returns (T, K, m), unscaled: multiply by bank.scale for the weights of [STU, Eq. 4].
    Cost O(K m (T + L) log(T + L)).
    """
    call = "spectral_features"
    u = _check.real_array(u, "u", call)
    if u.ndim == 1:
        u = u[:, None]
    if u.ndim != 2:
        raise ValueError(f"{call}: expected u with shape (T, m); received {u.shape}.")
    shift = _check.count(shift, "shift", call, least=0)
    filters = bank.filters * alternating_signs(bank.n_steps) if negative else bank.filters
    n_steps = len(u)
    by_channel = np.zeros((bank.n_filters, u.shape[1], n_steps))
    if n_steps > shift and u.shape[1]:
        causal_convolution(filters, u[:n_steps - shift], by_channel[:, :, shift:])
    return by_channel.transpose(2, 0, 1)


def alternating_signs(n_steps: int) -> np.ndarray:
    """The signs 1, -1, 1, ... (L,)."""
    return 1.0 - 2.0 * (np.arange(n_steps) % 2)


def causal_convolution(filters: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """Fill out[k, i, t] = sum_j filters[k, j] u[t-j, i]; filters (K, L), u (T, m), out (K, m, T).

    Overlap-save in blocks of four filter lengths, which keeps the transforms within the processor's cache.
    """
    from scipy import fft
    n_steps, length = len(u), min(filters.shape[1], len(u))
    block = min(n_steps, 4 * length)
    n = fft.next_fast_len(block + length - 1, real=True)
    spectrum = fft.rfft(filters[:, :length], n)[:, None, :]
    padded = np.ascontiguousarray(np.concatenate([np.zeros((length - 1, u.shape[1])), u]).T)
    for start in range(0, n_steps, block):
        stop = min(n_steps, start + block)
        piece = fft.rfft(padded[:, start:start + block + length - 1], n)
        past = fft.irfft(spectrum * piece, n)
        out[:, :, start:stop] = past[:, :, length - 1:length - 1 + stop - start]


def matrix_convolution(taps: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Compute y[t] = sum_j taps[j] u[t-j] by FFT; taps (L, p, m), u (T, m), y (T, p)."""
    from scipy import fft
    n_steps, length = len(u), min(len(taps), len(u))
    if taps.shape[1] * taps.shape[2] == 0 or n_steps == 0:
        return np.zeros((n_steps, taps.shape[1]))
    n = fft.next_fast_len(n_steps + length - 1, real=True)
    spectrum = np.einsum("fpm,fm->fp", fft.rfft(taps[:length], n, axis=0), fft.rfft(u, n, axis=0))
    return fft.irfft(spectrum, n, axis=0)[:n_steps]


class FeatureStream:
    """Hold the last L inputs and give the features of the newest one, for online use.

    Each step costs one (K, L) by (L, m) product; the history is kept in a buffer of twice the length, so nothing is
    moved but once every L steps.
    """

    def __init__(self, bank: FilterBank, n_inputs: int):
        self.bank = bank
        self.n_inputs = _check.count(n_inputs, "n_inputs", "FeatureStream")
        length = bank.n_steps
        # Newest input last, so filters are reversed once; both branches share the product.
        reversed_filters = bank.filters[:, ::-1]
        self._filters = np.ascontiguousarray(
            np.concatenate([reversed_filters, (bank.filters * alternating_signs(length))[:, ::-1]]))
        self._buffer = np.zeros((2 * length, self.n_inputs))
        self._end = length

    def step(self, u: Any) -> tuple[np.ndarray, np.ndarray]:
        """Take u[t] (m,) and return U+[t] and U-[t], each (K, m)."""
        u = _check.vector(u, "u", "FeatureStream.step", self.n_inputs)
        length = self.bank.n_steps
        if self._end == len(self._buffer):
            self._buffer[:length] = self._buffer[length:]
            self._end = length
        self._buffer[self._end] = u
        self._end += 1
        both = self._filters @ self._buffer[self._end - length:self._end]
        return both[:self.bank.n_filters], both[self.bank.n_filters:]
