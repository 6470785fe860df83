"""Linear models one after another, side by side, and in a loop.

    series      [x1]+   [ A1     0 ] [x1]   [ B1   ]           y = D2 C1 x1 + C2 x2 + D2 D1 u
                [x2]  = [ B2 C1  A2] [x2] + [ B2 D1] u
    feedback    y = P (u + s K y),   s = -1 unless told;   well posed where I - s D_P D_K is regular
                                                                            [Zhou, Doyle & Glover 1996, Sec. 3.6 and 5.2]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from .. import _check
from ..core.signals import refuse_swapped
from .lti import LTI

__all__ = ["feedback", "parallel", "series"]


def series(first: Any, *others: Any) -> LTI:
    """Connect models one after another: the outputs of each are the inputs of the next.

    first, others: LTI models of one dt, n_1, n_2, ... states, in the order that the signal passes; a matrix (p, m) or a
    number is a gain. Returns an LTI with all states, in that order; offsets pass along, and so do the names of the
    inputs of the first and the outputs of the last. Nothing is cancelled: a common pole and
    zero stay (`minimal` removes them). Raises ValueError where sizes or sampling intervals do not fit.
    """
    chain = _models((first, *others), "series")
    total = chain[0]
    for k, model in enumerate(chain[1:], 2):
        if model.n_inputs != total.n_outputs:
            raise ValueError(f"series: expected model {k} with {total.n_outputs} inputs, the outputs of the one before; received "
                             f"{model.n_inputs}. The order is that of the signal: series(first, second).")
        refuse_swapped(total.output_names, model.input_names, f"series: expected the inputs of model {k}", "as the outputs of the one before")
        A = np.block([[total.A, np.zeros((total.n_states, model.n_states))], [model.B @ total.C, model.A]])
        B = np.vstack([total.B, model.B @ total.D])
        C = np.hstack([model.D @ total.C, model.C])
        c = np.concatenate([total.c, model.B @ total.d + model.c])
        total = LTI(A, B, C, model.D @ total.D, total.dt, c, model.D @ total.d + model.d,
                    output_names=model.output_names, input_names=total.input_names)  # fmt: skip
    return total


def parallel(first: Any, *others: Any) -> LTI:
    """Connect models side by side: one input drives all, and their outputs add up.

    first, others: LTI models of one dt with the same inputs and outputs; a matrix (p, m) or a number is a gain. Returns an LTI with
    all states, in order, under the first names of the channels. A difference is parallel(a, series(b, -1)). Raises ValueError where sizes or dt do not fit.
    """
    models = _models((first, *others), "parallel")
    shape = models[0].D.shape
    for k, model in enumerate(models[1:], 2):
        if model.D.shape != shape:
            raise ValueError(f"parallel: expected model {k} with {shape[1]} inputs and {shape[0]} outputs as the first; received "
                             f"{model.n_inputs} and {model.n_outputs}.")
    outputs, inputs = (_agreed([getattr(m, field) for m in models], kind)
                       for field, kind in (("output_names", "outputs"), ("input_names", "inputs")))
    n = sum(m.n_states for m in models)
    A = np.asarray(scipy.linalg.block_diag(*[m.A for m in models])).reshape(n, n)
    return LTI(A, np.vstack([m.B for m in models]), np.hstack([m.C for m in models]), np.sum([m.D for m in models], axis=0), models[0].dt,
               np.concatenate([m.c for m in models]), np.sum([m.d for m in models], axis=0), output_names=outputs, input_names=inputs)  # fmt: skip


def feedback(forward: Any, back: Any = 1.0, sign: int = -1) -> LTI:
    """Close a loop, y = forward (u + sign back y): negative feedback unless sign is +1.

    forward: LTI with m inputs and p outputs. back: LTI of the same dt with p inputs and m outputs, or a gain as a matrix (m, p) or
    a number; unit feedback unless given. Returns an LTI from u to y, the states of `forward` first; offsets pass along, and so do the
    names of the outputs. Those of the inputs do not: u is a signal of its own, added to what reaches `forward`.
    Raises ValueError where sizes or dt do not fit, and where the loop has no solution (I - sign D_f D_b singular).
    """
    if sign not in (-1, 1):
        raise ValueError(f"feedback: expected sign = -1 or 1; received {sign!r}.")
    P, K = _models((forward, back), "feedback")
    if (K.n_inputs, K.n_outputs) != (P.n_outputs, P.n_inputs):
        raise ValueError(f"feedback: expected the model in the return path with {P.n_outputs} inputs and {P.n_inputs} outputs; "
                         f"received {K.n_inputs} and {K.n_outputs}.")
    refuse_swapped(P.output_names, K.input_names, "feedback: expected the inputs of the return path", "as the outputs of the forward one")
    refuse_swapped(P.input_names, K.output_names, "feedback: expected the outputs of the return path", "as the inputs of the forward one")
    K = LTI(K.A, K.B, sign * K.C, sign * K.D, K.dt, K.c, sign * K.d)
    loop = np.eye(P.n_outputs) - P.D @ K.D
    if P.n_outputs and not np.linalg.cond(loop) < 1e12:
        raise ValueError("feedback: expected a loop in which outputs follow from states and inputs; received one that feeds itself "
                         "through without delay (I - sign D_f D_b is singular). Does one path need a delay?")
    # y = E (C_P x_P + D_P C_K x_K + D_P u + offsets), and the input of P is u + C_K x_K + D_K y + d_K.
    E = np.linalg.inv(loop)
    Cy, Dy, dy = E @ np.hstack([P.C, P.D @ K.C]), E @ P.D, E @ (P.D @ K.d + P.d)
    Cv = K.D @ Cy + np.hstack([np.zeros((P.n_inputs, P.n_states)), K.C])
    Dv, dv = K.D @ Dy + np.eye(P.n_inputs), K.D @ dy + K.d
    A = scipy.linalg.block_diag(P.A, K.A).reshape((P.n_states + K.n_states,) * 2) + np.vstack([P.B @ Cv, K.B @ Cy])
    return LTI(A, np.vstack([P.B @ Dv, K.B @ Dy]), Cy, Dy, P.dt, np.concatenate([P.B @ dv + P.c, K.B @ dy + K.c]), dy,
               output_names=P.output_names)  # fmt: skip


def _agreed(candidates: list[Any], kind: str) -> Any:
    """The first names among those of several models; refused where another has them in another order."""
    known = [names for names in candidates if names is not None]
    for other in known[1:]:
        refuse_swapped(known[0], other, f"parallel: expected {kind}", "as in the first model that names them")
    return known[0] if known else None


def _models(things: tuple[Any, ...], call: str) -> list[LTI]:
    """LTI models of one dt; numbers and matrices become gains without states, a number of the size that its neighbour asks for."""
    known = [t for t in things if isinstance(t, LTI)]
    if not known:
        raise TypeError(f"{call}: expected at least one LTI model; received {', '.join(type(t).__name__ for t in things)}.")
    dt = known[0].dt
    out: list[LTI] = []
    for i, thing in enumerate(things):
        if isinstance(thing, LTI):
            same = thing.dt is dt if thing.dt is None or dt is None else abs(thing.dt - dt) <= 1e-9 * dt
            if not same:
                raise ValueError(f"{call}: expected models of one dt; received {dt} and {thing.dt}. Sample one: sysid.discretize(model, dt).")
            out.append(thing)
            continue
        if hasattr(thing, "n_states"):
            raise TypeError(f"{call}: expected LTI models or gains; received {type(thing).__name__}. "
                            f"Linearise it: sysid.linearize(model, x=..., u=...).{_check.instead(thing, 'model')}")
        if np.ndim(thing) not in (0, 2):
            raise TypeError(f"{call}: expected LTI models, or gains as a matrix (p, m) or a number; received {type(thing).__name__}.")
        gain = _check.real_array(thing, "a gain", call)
        if gain.ndim == 0:
            gain = gain * np.eye(*_size(things, i, call))
        out.append(LTI(np.zeros((0, 0)), np.zeros((0, gain.shape[1])), np.zeros((len(gain), 0)), gain, dt))
    return out


def _size(things: tuple[Any, ...], i: int, call: str) -> tuple[int, int]:
    """Rows and columns of a number that stands at place i: those of a matrix that fits the nearest model."""
    if call != "series":
        model = next(t for t in things if isinstance(t, LTI))
        if model.n_inputs != model.n_outputs and call == "feedback":
            raise ValueError(f"feedback: expected the return path as an LTI or a matrix ({model.n_inputs}, {model.n_outputs}) because "
                             "inputs and outputs differ in number; received a number.")
        return model.n_outputs, model.n_inputs
    before = [t.n_outputs for t in things[:i] if isinstance(t, LTI)]
    after = [t.n_inputs for t in things[i:] if isinstance(t, LTI)]
    k = before[-1] if before else after[0]
    return k, k
