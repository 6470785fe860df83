"""Rows of the linear regression behind an STU: taps, scaled features, and outputs fed back where they are learnt.

One step:      y[t] - y[t-q] = theta' phi[t]                          (q = 2, or 1 in the positive form)
Output error:  y[t] = theta' Phi[t],  Phi[t] = sum_{s<=t, s = t mod q} phi[s]

The second is linear because the fed-back output carries the fixed weight one: the predictor's own output is a sum of what
drove it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.data import Data
from . import forms
from .features import alternating_signs, causal_convolution
from .filters import FilterBank


@dataclass(frozen=True)
class Layout:
    """Which columns a regression has: taps of u, then features (plus, then minus), then past outputs."""

    bank: FilterBank
    form: str
    n_inputs: int
    n_outputs: int
    n_taps: int
    n_past: int = 0

    @property
    def shift(self) -> int:
        return forms.shift(self.form)

    @property
    def n_branches(self) -> int:
        return 2 if self.form == "standard" else 1

    @property
    def n_columns(self) -> int:
        return (self.n_taps + self.n_branches * self.bank.n_filters) * self.n_inputs + self.n_past * self.n_outputs

    def columns(self, n_filters: int) -> np.ndarray:
        """Indices of the columns that use the first n_filters filters."""
        K, m = self.bank.n_filters, self.n_inputs
        keep = np.zeros(self.n_columns, bool)
        keep[:self.n_taps * m] = True
        features = keep[self.n_taps * m:(self.n_taps + self.n_branches * K) * m].reshape(self.n_branches, K, m)
        features[:, :n_filters] = True
        keep[(self.n_taps + self.n_branches * K) * m:] = True
        return np.flatnonzero(keep)

    def regressors(self, u: np.ndarray) -> np.ndarray:
        """Columns that depend on the input: (T, (taps + branches K) m), zero input before the record."""
        T, m, K = len(u), self.n_inputs, self.bank.n_filters
        out = np.zeros((T, (self.n_taps + self.n_branches * K) * m))
        for i in range(min(self.n_taps, T)):
            out[i:, i * m:(i + 1) * m] = u[:T - i]
        filters = self.bank.filters * self.bank.scale[:, None]
        if self.n_branches == 2:
            filters = np.concatenate([filters, filters * alternating_signs(self.bank.n_steps)])
        if self.shift < T and m:
            features = np.empty((len(filters), m, T - self.shift))
            causal_convolution(filters, u[:T - self.shift], features)
            out[self.shift:, self.n_taps * m:] = features.reshape(-1, T - self.shift).T
        return out

    def weights(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
        """Unpack theta (columns, p) into taps (k_u, p, m), plus and minus (K, p, m), past (k_y, p, p)."""
        m, p, K = self.n_inputs, self.n_outputs, self.bank.n_filters
        ends = np.cumsum([self.n_taps * m, *([K * m] * self.n_branches)])
        taps, *branches, past = np.split(theta, ends)
        shaped = [b.reshape(-1, m, p).transpose(0, 2, 1) for b in branches]
        return (taps.reshape(self.n_taps, m, p).transpose(0, 2, 1), shaped[0], shaped[1] if len(shaped) == 2 else None,
                past.reshape(self.n_past, p, p).transpose(0, 2, 1))


def rows(layout: Layout, data: Data, loss: str, initial: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Regressors (R, F), targets (R, p) of one sequence and the number of rows left out for missing outputs.

    initial "zero": outputs before the record were zero. "free": they are unknown; the first rows are left out (one
    step), or a constant for each residue of t mod q is removed (output error).
    """
    X = layout.regressors(np.zeros((data.n_steps, 0)) if data.u is None else data.u)
    y, q = data.y, layout.shift
    if loss == "one_step":
        past = np.zeros((max(layout.n_past, 1 if layout.n_past else q), *y.shape))
        for i in range(len(past)):
            past[i, i + 1:] = y[:len(y) - i - 1]
        if layout.n_past:
            X = np.concatenate([X, *past], axis=1)
            target = y
        else:
            target = y - past[q - 1]
        keep = ~np.isnan(np.concatenate([target, X], axis=1)).any(axis=1)
        missing = int((~keep).sum())
        if initial == "free":
            keep[:len(past)] = False
        return X[keep], target[keep], missing
    for first in range(q):
        X[first::q] = np.cumsum(X[first::q], axis=0)
    keep = ~np.isnan(y).any(axis=1)
    X, y, residue = X[keep], y[keep], np.flatnonzero(keep) % q
    if initial == "free":
        y = y.copy()
        for first in range(q):
            own = residue == first
            if own.any():
                X[own] -= X[own].mean(axis=0)
                y[own] -= y[own].mean(axis=0)
    return X, y, int((~keep).sum())
