"""What a report says in words: which model to take, what is wrong with it, how fast it is and how strongly inputs act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..identification.fit import Fit
from ..identification.validate import validate
from ..models.lti import LTI
from .page import Table

if TYPE_CHECKING:
    from ..core.data import Data

_ALIKE = 2.0   # percent points of fit that are no reason to prefer a model
_LITTLE = 20.0  # per cent of fit below which a model explains next to nothing


def sentences(linear: Fit, unseen: Data, scores: dict[str, np.ndarray]) -> list[str]:
    """The reading of a report, a sentence a thought. scores: fit of both models on the unseen half, per output, in %."""
    said = [f"Linear model, on the unseen half: {_lowered(validate(linear, unseen).verdict)}"]
    fits = {label: float(values.mean()) for label, values in scores.items()}
    if len(fits) < 2:
        return said + [f"The {label} diverges when it is simulated." for label in ("linear model", "reservoir") if label not in fits]
    ahead = fits["reservoir"] - fits["linear model"]
    if max(fits.values()) < _LITTLE:
        said.append("Neither model explains much: what moves the outputs may not be among the inputs, or changes over the record.")
    elif ahead > _ALIKE:
        said.append(f"The reservoir does better by {ahead:.1f} points: the system is not linear over this range, and a nonlinear model is worth its price.")
    elif ahead > -_ALIKE:
        said.append("The reservoir does no better than the linear model: nothing here asks for a nonlinear one.")
    else:
        said.append(f"The linear model does better by {-ahead:.1f} points: take it.")
    return said


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def time_scales(model: LTI) -> Table | None:
    """Time constant, period and damping of each mode; None without states."""
    poles = model.poles()
    poles = poles[(poles.imag >= 0) & (np.abs(poles) > 1e-12)]
    if not len(poles):
        return None
    rates = np.log(poles.astype(complex)) / (model.dt or 1.0)
    rows = []
    for rate in rates[np.argsort(np.abs(rates.real))]:
        constant = "grows" if rate.real > 0 else "lasts" if rate.real == 0 else f"{-1 / rate.real:.4g}"
        rows.append((constant, f"{2 * np.pi / rate.imag:.4g}" if rate.imag > 1e-12 else "-", f"{-rate.real / abs(rate):.2g}" if abs(rate) else "-"))
    return Table(("time constant", "period", "damping"), rows)


def steady_gains(model: LTI, data: Data) -> Table | None:
    """What a lasting step of one unit of each input does to each output; None where the model does not settle."""
    if not (model.n_inputs and model.is_stable()):
        return None
    gains = model.dc_gain()
    return Table(("lasting change of", *(f"by one unit of {name}" for name in data.input_names or ())),
                 [(name, *(f"{value:.4g}" for value in row)) for name, row in zip(data.output_names or (), gains)])
