"""A stack of reservoirs through inference: written out as one network for the fit, put together again from its estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..models.deep_esn import DeepESN
from ..models.esn import ESN
from ..models.process import Process


def written_out(start: Any) -> tuple[Any, np.ndarray | None]:
    """The process around the flat network of a stack, and the group of every leak: one a layer and a value in it.

    Anything else comes back as it is, without groups.
    """
    if not isinstance(start, Process) or not isinstance(start.model, DeepESN):
        return start, None
    layer = np.repeat(np.arange(len(start.model.layers)), np.diff(start.model.bounds))
    groups = np.unique(np.column_stack([layer, start.model.leaks]), axis=0, return_inverse=True)[1].reshape(-1)
    return _around(start, start.model.flat), groups


def put_together(stack: DeepESN, fitted: ESN, scale: float, gains: tuple[float, float, float]) -> DeepESN:
    """The stack with estimated leaks and readout; scale multiplies every W, V and skip, gains the inputs, feedback and biases."""
    layers = []
    for layer, leaks in zip(stack.layers, stack.split(fitted.leaks)):
        leak = float(leaks[0]) if np.ptp(leaks) == 0 else leaks
        layers.append(replace(layer, W=layer.W * scale, W_in=layer.W_in * gains[0], bias=layer.bias * gains[2], leak=leak,
                              W_fb=None if layer.W_fb is None else layer.W_fb * gains[1]))
    return replace(stack, layers=layers, V=[scale * V for V in stack.V], skips={k: scale * S for k, S in stack.skips.items()},
                   C=fitted.C, d=fitted.d)


def _around(process: Process, model: Any) -> Process:
    return Process(model, Q=process.Q, R=process.R, S=process.S, initial=process.initial)


def restacked(fit: Any, stack: DeepESN) -> Any:
    """A fit of the flat network as one of the stack."""
    model = put_together(stack, fit.model, fit.scale, (fit.input_scale, fit.feedback_scale, fit.bias_scale))
    return replace(fit, model=model, process=_around(fit.process, model))
