"""The exact weights of a spectral transform unit for a known symmetric system, and what truncation to K filters loses.

In the delayed convention h_0 = D, h_i = sum_l a_l^(i-1) c_l b_l', the differences g_i = h_i - h_(i-q) (q = 2, or 1 in the
positive form) of each mode are multiples of mu(a) from index i = q + 1 on. The three taps take i = 0..q exactly, so the
first entry that the filters see is free; it is chosen to continue the sequence (|a| >= 1/4), or as the divided
difference (mu(a) - mu(0)) / a, which stays bounded as a -> 0.
"""

from __future__ import annotations

import numpy as np

from .. import _check
from ..models.lti import LTI
from . import forms
from .features import alternating_signs
from .filters import FilterBank

_SMALL = 0.25


def symmetric_modes(model: LTI, form: str, call: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return poles a (n,), columns of C (n, p) and rows of B (n, m) in eigenvector coordinates."""
    if not isinstance(model, LTI):
        raise TypeError(f"{call}: expected an LTI; received {type(model).__name__}.")
    _check.choice(form, "form", call, forms.FORMS)
    if model.dt is None:
        raise ValueError(f"{call}: expected a discrete-time model; received dt=None. Sample it: sysid.discretize(model, dt).")
    if model.c.any() or model.d.any():
        raise ValueError(f"{call}: expected a model without offsets; received c or d. Detrend the data instead.")
    gap = np.abs(model.A - model.A.T).max(initial=0.0)
    if gap > 1e-10 * max(1.0, np.abs(model.A).max(initial=0.0)):
        raise ValueError(f"{call}: expected a symmetric A, which the guarantee of spectral filtering needs (real poles and "
                         f"orthogonal modes); received a largest asymmetry of {gap:.3g}. Real poles can be made diagonal "
                         "with LTI.transform; complex poles have no such bound.")
    poles, V = np.linalg.eigh((model.A + model.A.T) / 2)
    if len(poles) and np.abs(poles).max() > 1 + 1e-10:
        raise ValueError(f"{call}: expected poles in [-1, 1]; received {poles[np.argmax(np.abs(poles))]:.6g}. "
                         "An unstable system is outside the class of spectral filtering.")
    poles = np.clip(poles, -1.0, 1.0)
    if form == "positive" and len(poles) and poles.min() < -1e-10:
        raise ValueError(f"{call}: expected poles in [0, 1] for the positive form; received {poles.min():.6g}. "
                         "Use form=\"standard\" or \"alternating\".")
    if form == "positive":
        poles = np.maximum(poles, 0.0)
    return poles, (model.C @ V).T, V.T @ model.B


def mode_sequence(poles: np.ndarray, length: int, form: str) -> np.ndarray:
    """What the filters must span for each unit mode: (n, length), alternating signs removed for poles below zero in the standard form."""
    a = poles[:, None]
    n = np.arange(length)
    first = a - 1 if form == "positive" else a * a - 1
    powers = np.where(n == 0, 1.0, np.abs(a) ** n * np.where(a < 0, (-1.0) ** n, 1.0))
    natural = np.abs(a) >= _SMALL
    sequence = first * powers / np.where(natural, a, 1.0)
    # (mu(a) - mu(0)) / a: drop the first power and continue one entry earlier.
    divided = np.concatenate([np.where(form == "positive", np.ones_like(a), a), (first * powers)[:, :-1]], axis=1)
    sequence = np.where(natural, sequence, divided)
    if form == "standard":
        sequence = np.where(a < 0, sequence * alternating_signs(length), sequence)
    return sequence


def representation(model: LTI, bank: FilterBank, form: str, call: str,
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return taps (3, p, m) (two in the positive form), plus (K, p, m) and minus (or None) for a symmetric model."""
    poles, c, b = symmetric_modes(model, form, call)
    natural = np.abs(poles) >= _SMALL
    inverse = np.where(natural, 1 / np.where(natural, poles, 1.0), 0.0)
    last_tap = np.einsum("l,lp,lm->pm", inverse, c, b) - model.D
    CB = model.C @ model.B
    taps = np.stack([model.D, last_tap] if form == "positive" else [model.D, CB, last_tap])
    projection = bank.filters @ mode_sequence(poles, bank.n_steps, form).T / bank.scale[:, None]  # (K, n)
    if form != "standard":
        return taps, np.einsum("kl,lp,lm->kpm", projection, c, b), None  # [STU, Eq. 2] or [STU, Eq. 8]
    below = poles < 0
    plus = np.einsum("kl,lp,lm->kpm", projection[:, ~below], c[~below], b[~below])
    minus = np.einsum("kl,lp,lm->kpm", projection[:, below], c[below], b[below])
    return taps, plus, minus
