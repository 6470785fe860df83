"""The verb certify: a proved property of a model, or an honest refusal with the best bound found."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from .. import _check
from ..models.bilinear import Bilinear
from ..models.continuous_esn import ContinuousESN
from ..models.deep_esn import DeepESN
from ..models.esn import ESN
from ..models.field_esn import ConvolutionalESN, GraphESN
from ..models.gated_esn import GatedESN
from ..models.lti import LTI
from ..models.ltv import LTV
from ..transforms.lure import LureModel
from .cascade import Cascade
from .certificate import Certificate, Contraction, Gain
from .continuous import ContinuousContraction
from .field import FrequencyCircle
from .floors import contraction_floor
from .gain import input_to_state_gain
from .gated import GateVertices
from .ladder import Ladder
from .lure import LureCircle, LureSystem
from .network import LeakyNetwork
from .polytope import CommonLyapunov
from .registry import as_network, is_network

FLOOR_LIMIT = 300                                         # beyond it the search for a floor costs more than the proof


@singledispatch
def default_method(model: Any) -> Any:
    """The method that certify takes for a model's type; a higher layer registers its own."""
    way_out = _check.instead(model, "model") or (
        " Along a trajectory it is certified as sysid.linearize(model, x=..., u=...)." if hasattr(model, "n_states") else "")
    raise TypeError(f"certify: expected a model such as ESN, LTI, LTV or Bilinear; received {_check.received(model)}.{way_out}")


@default_method.register(ESN)
@default_method.register(LeakyNetwork)
@default_method.register(LureModel)
def _(model: Any) -> Ladder:
    return Ladder()


@default_method.register(LTI)
@default_method.register(LTV)
@default_method.register(Bilinear)
def _(model: Any) -> CommonLyapunov:
    return CommonLyapunov()


@default_method.register
def _(model: DeepESN) -> Cascade:
    return Cascade()


@default_method.register
def _(model: GatedESN) -> GateVertices:
    return GateVertices()


@default_method.register(ConvolutionalESN)
@default_method.register(GraphESN)
def _(model: Any) -> FrequencyCircle:
    return FrequencyCircle()


@default_method.register
def _(model: ContinuousESN) -> ContinuousContraction:
    return ContinuousContraction()


@default_method.register
def _(model: LureSystem) -> LureCircle:
    return LureCircle()


def certify(model: Any, wanted: Contraction | None = None, method: Any = None) -> Certificate:
    """Prove that a model contracts, or say why it could not be proved.

    $$ \\| x_{t+1} - \\bar x_{t+1} \\|_P \\le \\kappa \\, \\| x_t - \\bar x_t \\|_P $$

    Parameters
    ----------
    model : ESN (its driven map: outputs fed back are taken as measured; the autonomous one is `esn.closed_loop()`),
        LTI, LTV, Bilinear, or another model with a method registered
    wanted : the property, Contraction() if None
    method : NormBound(), PerronBound(), DiagonalScaling(), CircleCriterion(...), LMI(), ...; chosen from the model if None

    Returns
    -------
    Certificate : holds only if the inequality was proved with a bound on every rounding error and the rate is below 1.
        No solver's word is taken. What cannot be proved comes back with verified=False and the reason.

    Raises ValueError for models that are not well defined (NaN in W, slopes without bounds, a leak of 0).
    """
    wanted = Contraction() if wanted is None else wanted
    if isinstance(wanted, type) or not hasattr(wanted, "rate"):
        raise TypeError(f"certify: expected a property such as Contraction() as second argument; received "
                        f"{_check.received(wanted)}. The method comes third: certify(model, Contraction(), NormBound()).")
    method = default_method(model) if method is None else method
    if isinstance(method, type) or not hasattr(method, "certify"):
        raise TypeError(f"certify: expected a method such as CircleCriterion('optimal'); received {_check.received(method)}.")
    found = method.certify(model, wanted)
    # A local certificate covers fewer slopes than the model's range: the global floor does not apply to it.
    if found.rate_floor == 0 and not getattr(method, "local", False) and is_network(model) \
            and as_network(model).n_states <= FLOOR_LIMIT:
        below = contraction_floor(as_network(model))
        found = replace(found, rate_floor=below, method_floor=max(found.method_floor, below))
    return _with_gain(found, model, wanted) if isinstance(wanted, Gain) else found


def _with_gain(found: Certificate, model: Any, wanted: Gain) -> Certificate:
    """The certificate with the gain that follows from it."""
    if not found.holds:
        return found
    gain = input_to_state_gain(found, model, wanted.output) * (1 + 1e-9)
    limit = np.inf if wanted.bound is None else wanted.bound
    reason = found.reason if gain <= limit else f"contraction is proved, but the gain found is {gain:.6g}, above {limit:g}"
    return replace(found, reason=reason, details={**found.details, "gain": gain, "gain_bound": limit})
