"""State space from transfer functions, and from zeros, poles and gain."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .interconnection import series
from .lti import LTI


def from_transfer_function(num: Any, den: Any, dt: float | None) -> LTI:
    """Companion form of num / den; one block an input, or one an output where those are fewer. [Kailath 1980, Sec. 2.1]"""
    call = "LTI.from_transfer_function"
    den = np.trim_zeros(_check.vector(den, "den", call), "f")
    num = _check.real_array(num, "num", call)
    if num.ndim <= 1:
        num = num.reshape(1, 1, -1)
    if num.ndim != 3 or not num.size:
        raise ValueError(f"{call}: expected num with shape (k,) or (p, m, k), coefficients in descending powers; received {np.shape(num)}.")
    if not len(den):
        raise ValueError(f"{call}: expected a denominator with a coefficient that is not zero; received none.")
    n = len(den) - 1
    if num.shape[2] > n + 1:
        if num[..., : num.shape[2] - n - 1].any():
            raise ValueError(f"{call}: expected numerators of degree {n} at most, that of the denominator; received one of degree "
                             f"{num.shape[2] - 1}: it would need a derivative, or values of the future.")
        num = num[..., num.shape[2] - n - 1:]
    num = np.concatenate([np.zeros((*num.shape[:2], n + 1 - num.shape[2])), num], axis=2) / den[0]
    den = den / den[0]
    D = num[..., 0]
    rest = num[..., 1:] - D[..., None] * den[1:]
    p, m = D.shape
    if p < m:  # one block an output is the transpose of one block an input of the transposed system
        A, B, C = _companion(den, rest.transpose(1, 0, 2))
        return LTI(A.T, C.T, B.T, D, dt)
    A, B, C = _companion(den, rest)
    return LTI(A, B, C, D, dt)


def _companion(den: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Controllable companion blocks of den (n+1,) with numerators (p, m, n), one block an input."""
    n, (p, m) = len(den) - 1, rest.shape[:2]
    block = np.vstack([-den[None, 1:], np.eye(n - 1, n)]) if n else np.zeros((0, 0))
    B = np.zeros((m, n, m))
    if n:
        B[np.arange(m), 0, np.arange(m)] = 1.0
    return np.kron(np.eye(m), block), B.reshape(m * n, m), rest.reshape(p, m * n)


def from_zpk(zeros: Any, poles: Any, gain: float, dt: float | None) -> LTI:
    """A chain of sections of first and second order, whose poles and zeros keep their digits at any order."""
    call = "LTI.from_zpk"
    k = _check.real_array(gain, "gain", call)
    if k.ndim:
        raise ValueError(f"{call}: expected gain as one number because the system has one input and one output; received shape {k.shape}.")
    (z2, z1), (p2, p1) = _groups(zeros, "zeros", call), _groups(poles, "poles", call)
    if 2 * len(z2) + len(z1) > 2 * len(p2) + len(p1):
        raise ValueError(f"{call}: expected no more zeros than poles; received {2 * len(z2) + len(z1)} and {2 * len(p2) + len(p1)}.")
    dens = [np.array([1.0, -2 * p.real, abs(p) ** 2]) for p in p2]
    while len(dens) < len(z2) or len(p1) > 1:
        dens.append(np.poly([p1.pop(0), p1.pop(0)]))
    dens += [np.array([1.0, -p]) for p in p1]
    nums = [np.array([1.0, -2 * z.real, abs(z) ** 2]) for z in z2]
    for den in dens[len(nums):]:
        take = min(len(den) - 1, len(z1))
        nums.append(np.atleast_1d(np.poly(z1[:take])).astype(float))
        del z1[:take]
    sections, left = [], float(k)
    for b, a in zip(nums, dens):
        section, size = _levelled(b, a, dt)
        sections.append(section)
        left *= size
    return series(*sections, left) if sections else LTI(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)), np.array([[left]]), dt)


def _levelled(b: np.ndarray, a: np.ndarray, dt: float | None) -> tuple[LTI, float]:
    """A section b / a divided by its gain near its pole, and that gain; states scaled alike at input and output.

    A chain of such sections has couplings of order one, so that rounding in one section does not grow through the others.
    A complex pair is written as a rotation, whose poles are its entries.
    """
    if len(a) == 3 and a[1] ** 2 < 4 * a[2]:
        real, imag = -a[1] / 2, np.sqrt(a[2] - a[1] ** 2 / 4)
        b = np.concatenate([np.zeros(3 - len(b)), b])
        rest = b[1:] - b[0] * a[1:]
        A, B, D = np.array([[real, imag], [-imag, real]]), np.array([[1.0], [0.0]]), b[0]
        C = np.array([[rest[0], -(rest[1] + rest[0] * real) / imag]])
        pole = complex(real, imag)
    else:
        plain = from_transfer_function(b, a, dt)
        A, B, C, D = plain.A, plain.B, plain.C, plain.D[0, 0]
        pole = complex(np.roots(a)[0])
    at = 1j * abs(pole) if dt is None else np.exp(1j * np.angle(pole))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = float(abs(np.polyval(b, at) / np.polyval(a, at)))
    size = size if np.isfinite(size) and size > 0 else 1.0
    level = float(np.sqrt(max(float(np.linalg.norm(C)) / size, 1e-300) / float(np.linalg.norm(B)))) if C.any() else 1.0
    return LTI(A, B * level, C / (size * level), np.array([[D / size]]), dt), size


def _groups(values: Any, name: str, call: str) -> tuple[list[complex], list[float]]:
    """Upper halves of conjugate pairs, and real values."""
    values = _check.complex_vector(values, name, call)
    real = np.abs(values.imag) <= 1e-12 * np.abs(values)
    upper, lower = values[~real & (values.imag > 0)], values[~real & (values.imag < 0)].conj()
    order = [np.lexsort((np.round(h.imag, 12), np.round(h.real, 12))) for h in (upper, lower)]
    if len(upper) != len(lower) or np.abs(upper[order[0]] - lower[order[1]]).max(initial=0.0) > 1e-8 * np.abs(values).max(initial=0.0):
        raise ValueError(f"{call}: expected complex {name} in conjugate pairs, as those of a real system are; received one alone.")
    return list(upper[order[0]]), sorted(float(v) for v in values[real].real)
