"""Computable error bounds of the spectral representation.

Let r(a) be the distance of a mode's sequence (a multiple of mu(a), see modes_of_lti) from the span of the K filters. A symmetric system with input |u[t]| <= b then
obeys, by Cauchy-Schwarz and e[t] = e[t-q] + delta[t] (q = 2, or 1 in the positive form),

    |y[t] - yhat[t]| <= b sum_l |c_l| |b_l| r(a_l) sum_{s <= t, s = t mod q} sqrt(max(s - q + 1, 0)),     t <= L

which is O(r b T^(3/2)). It replaces the constants of [STU, Theorems 2.1 and 3.1], whose printed form scales wrongly with
B, C and u (corrections #39).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..models.lti import LTI
from . import forms
from .filters import FilterBank, spectral_filters
from .modes_of_lti import mode_sequence, symmetric_modes


def mode_residual(poles: Any, bank: FilterBank) -> np.ndarray:
    """Return r_K(a) = |(I - P_K) mu(a)|, what K filters leave of each pole's vector; poles (n,) in [-1, 1], returns (n,).

    mu(a) = (a-1)(1, a, ...) for standard filters, which take |a| (negative poles have a branch of their own), and
    (a^2-1)(1, a, ...) for alternating ones. [STU, Lemma A.3]
    """
    a = _check.vector(poles, "poles", "mode_residual")
    if len(a) and np.abs(a).max() > 1:
        raise ValueError(f"mode_residual: expected poles in [-1, 1]; received {a[np.argmax(np.abs(a))]:g}.")
    a = np.abs(a)[:, None] if bank.kind == "standard" else a[:, None]
    n = np.arange(bank.n_steps)
    powers = np.where(n == 0, 1.0, np.abs(a) ** n * np.where(a < 0, (-1.0) ** n, 1.0))
    return np.linalg.norm(_remainder((a - 1 if bank.kind == "standard" else a * a - 1) * powers, bank), axis=1)


def _remainder(sequence: np.ndarray, bank: FilterBank) -> np.ndarray:
    # Twice is enough: the second projection removes what rounding left of the first.
    for _ in range(2):
        sequence = sequence - (sequence @ bank.filters.T) @ bank.filters
    return sequence


def error_bound(model: LTI, n_filters: int, n_steps: int, input_bound: float, form: str = "standard") -> np.ndarray:
    """Bound |y[t] - yhat[t]| of `STU.from_lti(model, n_filters, n_steps, form)` for |u[t]| <= input_bound.

    Returns (n_steps,), the bound at t = 0..L-1 in units of y, valid in exact arithmetic for every such input.
    Raises ValueError for a negative input_bound, or a system that is not symmetric.
    """
    call = "error_bound"
    limit = float(_check.vector(input_bound, "input_bound", call, 1)[0])
    if limit < 0:
        raise ValueError(f"{call}: expected input_bound >= 0; received {limit:g}.")
    bank = forms.bank(form, n_steps, n_filters)
    poles, c, b = symmetric_modes(model, form, call)
    residual = np.linalg.norm(_remainder(mode_sequence(poles, n_steps, form), bank), axis=1)
    size = float((np.linalg.norm(c, axis=1) * np.linalg.norm(b, axis=1)) @ residual)
    q = forms.shift(form)
    growth = np.sqrt(np.maximum(np.arange(n_steps) - q + 1.0, 0.0))
    for first in range(q):
        growth[first::q] = np.cumsum(growth[first::q])
    return limit * size * growth


def filters_needed(n_steps: int, tolerance: float, kind: str = "standard", most: int = 64) -> int:
    """Return the least K for which the sequence of every unit mode with a pole in [-1, 1] is left with at most `tolerance`.

    Raises ValueError where `most` filters do not suffice or the tolerance is not above 0.
    kind : the Hankel matrix, 'standard' or 'alternating'
    """
    tolerance = _check.positive(tolerance, "tolerance", "filters_needed")
    bank = spectral_filters(n_steps, min(_check.count(most, "most", "filters_needed"), n_steps), kind)
    # The residual varies on the scale 1 - |a| ~ 1/L near the ends.
    near = 1 - np.geomspace(1e-3 / n_steps, 1.0, 200)
    poles = np.concatenate([-near, near, [-1.0, 1.0]])
    sequence = mode_sequence(poles, bank.n_steps, kind)
    for k in range(1, bank.n_filters + 1):
        row = bank.filters[k - 1]
        sequence = sequence - np.outer(sequence @ row, row)
        if np.linalg.norm(sequence, axis=1).max() <= tolerance:
            return k
    raise ValueError(f"filters_needed: expected a tolerance that {bank.n_filters} filters can reach; received "
                     f"{tolerance:g}. Raise `most`, or ask for no less than about 1e-13.")
