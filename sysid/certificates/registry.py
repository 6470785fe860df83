"""Which models are leaky networks, and as which."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from ..models.deep_esn import DeepESN
from ..models.esn import ESN
from ..models.field_esn import ConvolutionalESN, GraphESN
from ..transforms.lure import LureModel
from .network import LeakyNetwork


@singledispatch
def as_network(model: Any) -> LeakyNetwork:
    """The leaky network that a model's driven map is; TypeError for other models."""
    raise TypeError(f"certify: expected an ESN for this method; received {type(model).__name__}. "
                    "Leave the method out to have one chosen for the model.")


@as_network.register
def _(model: LeakyNetwork) -> LeakyNetwork:
    return model


@as_network.register
def _(model: ESN) -> LeakyNetwork:
    lower, upper = model.slope_bounds()
    return LeakyNetwork(model.W, model.leak, lower, upper)


@as_network.register(DeepESN)
@as_network.register(ConvolutionalESN)
@as_network.register(GraphESN)
def _(model: Any) -> LeakyNetwork:
    return as_network(model.flat)


@as_network.register
def _(model: LureModel) -> LeakyNetwork:
    # The composite slope of v'phi, not the features' own: hundreds of times smaller (corrections #13).
    return LeakyNetwork(model.network.W, model.network.leaks, *model.slope_range)      # [ESN-SSM, Eq. 33]


def is_network(model: Any) -> bool:
    """Whether the model is registered as a leaky network."""
    return as_network.dispatch(type(model)) is not as_network.dispatch(object)
