"""Whether B and D come from the simulation or the one-step error: decided on stretches left out of the estimation.

With the right order and noise model the prediction error is efficient, for simulations too; with a model too small
or too linear the simulation error is the safer one [Ljung 1999, sec. 8.5]. Which of the two holds is not visible on
the samples that were fitted, where the simulation error is always smaller under its own criterion. So every
experiment is cut in three (three or more experiments: dealt into three hands), each part is simulated by the models
of the other two from a state found on its first samples, and the smaller mean squared error wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..kernels.sensitivity import state_responses
from .candidates import UNSTABLE, Candidate, Search
from .joint_regression import Record, mean_square, prediction_errors, scaled_least_squares
from .realization import decompose
from .records import excerpt
from .windows import Windows, longest_horizon

_PARTS = 3
_HEAD = 50  # samples of a left-out part from which its initial state is found


def better_focus(records: Sequence[Record], found: dict[str, Candidate], search: Search) -> str:
    """The focus, a key of `found`, whose weighting and horizon simulate left-out parts best; unstable candidates lose."""
    stable = [focus for focus, c in found.items() if c.radius <= UNSTABLE]
    if len(stable) < 2:
        return (stable or list(found))[0]
    errors = {focus: 0.0 for focus in found}
    for kept, left_out in _parts(excerpt(records)):
        for focus, c in found.items():
            errors[focus] += _left_out_error(kept, left_out, c, replace(search, focus=focus))
    return min(stable, key=lambda focus: errors[focus])


def _parts(records: Sequence[Record]) -> list[tuple[list[Record], list[Record]]]:
    """(kept, left out) for each third."""
    if len(records) >= _PARTS:
        return [([r for i, r in enumerate(records) if i % _PARTS != j], list(records[j::_PARTS])) for j in range(_PARTS)]
    out = []
    for j in range(_PARTS):
        kept, left_out = [], []
        for y, u in records:
            a, b = j * len(y) // _PARTS, (j + 1) * len(y) // _PARTS
            left_out.append((y[a:b], u[a:b]))
            kept += [(y[s:e], u[s:e]) for s, e in ((0, a), (b, len(y))) if e > s]
        out.append((kept, left_out))
    return out


def _left_out_error(kept: Sequence[Record], left_out: Sequence[Record], like: Candidate, search: Search) -> float:
    """Mean log squared simulation error; infinite where the kept part is too short or gives an unstable model."""
    longest = longest_horizon(kept)
    past, future = min(like.part.past, longest), min(like.part.future, longest)
    if (future - 1) * len(like.C) < len(like.A):
        return np.inf
    windows = Windows.compress(kept, past + future)
    if windows.count < windows.R.shape[1]:
        return np.inf
    part = decompose(windows, past, future, like.part.weighting)
    if len(part.singular_values) < len(like.A):
        return np.inf
    model = search.realise(windows, kept, part)
    if model.radius > UNSTABLE:
        return np.inf
    errors = [_simulation_errors(model, *record) for record in left_out if len(record[0]) > 1]
    return float(np.log(np.maximum(mean_square(errors), 1e-300)).mean())


def _simulation_errors(model: Candidate, y: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Errors (T - k, p) of a simulation whose initial state fits the first k samples best."""
    n, p, k, r = len(model.A), len(model.C), min(_HEAD, len(y) // 2), model.rest

    def errors(start: np.ndarray, stop: int) -> np.ndarray:
        no_gain = np.zeros((n, p))
        return prediction_errors(model.A, r.B, model.C, r.D, r.d, no_gain, [start], [(y[:stop], u[:stop])])[0]

    responses = np.empty((k, p, n))
    state_responses(np.ascontiguousarray(model.A), np.array(model.C, order="C"), responses)
    base = errors(np.zeros(n), k).ravel()
    seen = ~np.isnan(base)
    return errors(scaled_least_squares(responses.reshape(-1, n)[seen], base[seen]), len(y))[k:]
