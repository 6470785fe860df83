"""The three forms of a spectral transform unit: which outputs are fed back, how many taps stand before the filters, which filters.

    standard     y[t-2], three taps, filters of the standard Hankel matrix with and without alternating signs     [STU, Eq. 4]
    alternating  y[t-2], three taps, one branch of filters of the alternating Hankel matrix                       [STU, Eq. 8]
    positive     y[t-1], two taps, one branch of standard filters, for poles in [0, 1]                            [STU, Eq. 2]
"""

from __future__ import annotations

from .filters import FilterBank, spectral_filters

FORMS = ("standard", "alternating", "positive")


def shift(form: str) -> int:
    """Steps by which features are delayed and outputs fed back."""
    return 1 if form == "positive" else 2


def least_taps(form: str) -> int:
    """Taps on the inputs that the filters do not see."""
    return shift(form) + 1


def kind(form: str) -> str:
    """The Hankel matrix whose eigenvectors are the filters."""
    return "alternating" if form == "alternating" else "standard"


def bank(form: str, n_steps: int, n_filters: int) -> FilterBank:
    """The leading filters of a form, (n_filters, n_steps)."""
    return spectral_filters(n_steps, n_filters, kind(form))
