"""The autoregressive spectral transform unit: the feedback of outputs is learnt as well.

    y[t] = sum_{i=1..k_y} M^y_i y[t-i] + sum_{i=1..k_u} M^u_i u[t+1-i] + the two spectral sums of the STU     [STU, Eq. 6]

It starts from M^y_2 = alpha I and no other feedback [STU, Eq. 5]; alpha = 1 is the STU itself. With alpha < 1 the
representation bound is lost: (a^2 - alpha) a^i is not in the span of mu(a) near |a| = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..models.names import names
from . import forms
from .filters import FilterBank
from .predictor import SpectralPredictor, check_weights
from .stu import STU


@dataclass(frozen=True, eq=False, repr=False)
class ARSTU(SpectralPredictor):
    """Hold the weights of an autoregressive spectral transform unit.

    bank, taps (k_u, p, m), plus, minus, form, dt: as in STU. autoregression (k_y, p, p): M^y_i on y[t-i].
    Raises ValueError where autoregression is not (k_y, p, p).
    """

    bank: FilterBank
    taps: np.ndarray
    plus: np.ndarray
    minus: np.ndarray | None
    autoregression: np.ndarray
    form: str = "standard"
    dt: float = 1.0

    def __post_init__(self) -> None:
        check_weights(self, "ARSTU")
        F = _check.real_array(self.autoregression, "autoregression", "ARSTU")
        if F.ndim != 3 or F.shape[1:] != (self.n_outputs, self.n_outputs):
            raise ValueError(f"ARSTU: expected autoregression with shape (k_y, {self.n_outputs}, {self.n_outputs}) because "
                             f"taps has {self.n_outputs} outputs; received {F.shape}.")
        object.__setattr__(self, "autoregression", _check.frozen(F))
        super().__post_init__()

    @property
    def feedback(self) -> np.ndarray:
        return self.autoregression

    @classmethod
    def from_stu(cls, stu: STU, alpha: float = 1.0, k_y: int = 2, k_u: int = 3) -> ARSTU:
        """Start from an STU: its weights, alpha on its own feedback, zeros elsewhere. alpha = 1 predicts as the STU does.

        Raises TypeError or ValueError for k_y or k_u below what the STU itself takes.
        """
        call = "ARSTU.from_stu"
        alpha = _alpha(alpha, call)
        k_y, k_u = _check.count(k_y, "k_y", call, least=stu.shift), _check.count(k_u, "k_u", call, least=len(stu.taps))
        F = np.zeros((k_y, stu.n_outputs, stu.n_outputs))
        F[stu.shift - 1] = alpha * np.eye(stu.n_outputs)  # [STU, Eq. 5]
        taps = np.zeros((k_u, stu.n_outputs, stu.n_inputs))
        taps[:len(stu.taps)] = stu.taps
        return cls(stu.bank, taps, stu.plus, stu.minus, F, stu.form, stu.dt, **names(stu))

    @classmethod
    def initial(cls, n_inputs: int, n_outputs: int, n_filters: int = 24, n_steps: int = 512, *, alpha: float = 1.0,
                k_y: int = 2, k_u: int = 3, form: str = "standard", dt: float = 1.0) -> ARSTU:
        """Start with all input weights zero and alpha on the fed-back output, as for training by gradient [STU, App. C]."""
        bank = forms.bank(form, n_steps, n_filters)
        zero = np.zeros((n_filters, n_outputs, n_inputs))
        taps = np.zeros((forms.least_taps(form), n_outputs, n_inputs))
        stu = STU(bank, taps, zero, zero if form == "standard" else None, form, dt)
        return cls.from_stu(stu, alpha, k_y, k_u)

    def summary(self) -> dict[str, Any]:
        return {**super().summary(), "k_y": len(self.autoregression), "k_u": len(self.taps)}


def _alpha(alpha: Any, call: str) -> float:
    value = float(_check.vector(alpha, "alpha", call, 1)[0])
    if not 0 <= value <= 1:
        raise ValueError(f"{call}: expected alpha in [0, 1]; received {value:g}. "
                         "Above one the predictor fed by its own outputs is unstable.")
    return value
