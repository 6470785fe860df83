"""The spectral transform unit: a linear predictor on fixed filters with outputs fed back at weight one.

    y[t] = y[t-2] + sum_{i=1..3} M_i u[t+1-i] + sum_k N+_k s_k^(1/4) U+[t-2, k] + sum_k N-_k s_k^(1/4) U-[t-2, k]

Three forms: "standard" as written [STU, Eq. 4]; "alternating", one branch on the second Hankel matrix [STU, Eq. 8];
"positive", one branch and y[t-1], for poles in [0, 1] [STU, Eq. 2] [Hazan, Singh & Zhang 2017].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..models.lti import LTI
from ..models.names import names
from . import forms
from .filters import FilterBank
from .modes_of_lti import representation
from .predictor import SpectralPredictor, check_weights


@dataclass(frozen=True, eq=False, repr=False)
class STU(SpectralPredictor):
    """Hold the weights of a spectral transform unit.

    bank: filters (K, L). taps (k_u, p, m): M_i on u[t+1-i]. plus, minus (K, p, m): weights of the scaled features,
    minus None unless form is "standard". dt: sampling interval.
    Exact for symmetric A with poles in [-1, 1] up to an error that falls exponentially with K (`error_bound`).
    Poles off the real axis are not covered by that guarantee.
    """

    bank: FilterBank
    taps: np.ndarray
    plus: np.ndarray
    minus: np.ndarray | None = None
    form: str = "standard"
    dt: float = 1.0

    def __post_init__(self) -> None:
        check_weights(self, "STU")
        super().__post_init__()

    @property
    def feedback(self) -> np.ndarray:
        """F (k, p, p): the identity on y[t-2] (on y[t-1] for the positive form)."""
        F = np.zeros((self.shift, self.n_outputs, self.n_outputs))
        F[-1] = np.eye(self.n_outputs)  # [STU, Eq. 4]
        return F

    @classmethod
    def from_lti(cls, model: LTI, n_filters: int = 24, n_steps: int = 512, form: str = "standard") -> STU:
        """Compute the weights that represent a known linear system with symmetric A.

        With modes a_l and columns c_l, b_l of C and B, N_k = s_k^(-1/4) sum_l <phi_k, mu(a_l)> (1 + |a_l|) c_l b_l'.
        The error within the first L steps is bounded by `sysid.spectral.bounds.error_bound`.
        Raises ValueError for A that is not symmetric, poles outside [-1, 1] (below 0 in the positive form) or
        continuous time. Cost O(n L K).
        """
        bank = forms.bank(form, n_steps, n_filters)
        taps, plus, minus = representation(model, bank, form, "STU.from_lti")
        return cls(bank, taps, plus, minus, form, model.dt or 1.0, **names(model))

    def truncate(self, n_filters: int) -> STU:
        """Keep the first n_filters filters and their weights."""
        bank = self.bank.truncate(n_filters)
        minus = None if self.minus is None else self.minus[:n_filters]
        return STU(bank, self.taps, self.plus[:n_filters], minus, self.form, self.dt, **names(self))

    def summary(self) -> dict[str, Any]:
        return {**super().summary(), "weights": self.taps.size + self.plus.size * (1 if self.minus is None else 2)}
