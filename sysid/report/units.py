"""Models that were fitted on a scale of zero mean and unit variance, brought back to the units of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core.scaling import Scaling
from ..identification.fit import Fit
from ..identification.subspace import SubspaceFit
from ..models.esn import ESN
from ..models.lti import LTI


def in_units(fitted: Fit, scaling: Scaling) -> Fit:
    """The same estimate for data in their own units: y = m + s y', u = m + s u'; the state is what it was.

    fitted: of an LTI or an ESN whose readout is linear in the state, with its process.
    """
    size = scaling.y_scale
    model = _linear(fitted.model, scaling) if isinstance(fitted.model, LTI) else _reservoir(fitted.model, scaling)
    process = fitted.process
    moved: dict[str, Any] = {"model": model, "log_likelihood": None}
    if process is not None:
        moved["process"] = replace(process, model=model, R=process.R * np.outer(size, size), S=None if process.S is None else process.S * size)
    if isinstance(fitted, SubspaceFit):
        moved |= {"gain": None if fitted.gain is None else fitted.gain / size, "innovation_cov": fitted.innovation_cov * np.outer(size, size)}
    return replace(fitted, **moved)


def _linear(model: LTI, s: Scaling) -> LTI:
    B, D = model.B / s.u_scale, s.y_scale[:, None] * model.D / s.u_scale
    return replace(model, B=B, c=model.c - B @ s.u_mean, C=s.y_scale[:, None] * model.C, D=D,
                   d=s.y_scale * model.d + s.y_mean - D @ s.u_mean)  # fmt: skip


def _reservoir(esn: ESN, s: Scaling) -> ESN:
    W_in, W_fb = esn.W_in / s.u_scale, None if esn.W_fb is None else esn.W_fb / s.y_scale
    bias = esn.bias - W_in @ s.u_mean - (0.0 if W_fb is None else W_fb @ s.y_mean)
    assert esn.C is not None and esn.d is not None  # the readout is fitted
    return replace(esn, W_in=W_in, W_fb=W_fb, bias=bias, C=s.y_scale[:, None] * esn.C, d=s.y_scale * esn.d + s.y_mean)
