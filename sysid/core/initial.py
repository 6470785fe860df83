"""Initial laws beyond a single Gaussian: a mix of blocks of the state, and a start estimated from the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from .gaussian import Diffuse, Gaussian, Stationary


@dataclass(frozen=True)
class Estimated:
    """The initial state as an unknown constant, estimated by maximum likelihood from the data it starts.

    The estimate is the smoothed x[0] under an exact diffuse start; the filter then starts there without uncertainty.
    """


@dataclass(frozen=True, eq=False, repr=False)
class Blocks(Shown):
    """Independent laws for blocks of the initial state.

        sysid.Blocks(([0, 1], sysid.Diffuse()), ([2, 3], sysid.Stationary()))

    blocks: pairs (state numbers, law), law a Gaussian of the block's dimension, Stationary(), Diffuse() or Estimated().
    A stationary block must not be driven by states outside it. States that no block names are refused by the filter.
    Raises TypeError or ValueError for what is not a pair (state numbers, law), a Gaussian of another size, or a
    state in two blocks.
    """

    blocks: tuple[tuple[np.ndarray, Any], ...]

    def __init__(self, *pairs: Any, blocks: Any = ()):
        if not pairs and not blocks:
            raise TypeError("Blocks: expected pairs (state numbers, law), such as ([0, 1], sysid.Diffuse()); received none.")
        checked: list[tuple[np.ndarray, Any]] = []
        used: set[int] = set()
        for pair in pairs or blocks:
            if not (isinstance(pair, tuple | list) and len(pair) == 2):
                raise TypeError(f"Blocks: expected pairs (state numbers, law); received {pair!r}.")
            states = _check.frozen(np.atleast_1d(np.array(pair[0])))
            if states.ndim != 1 or states.dtype.kind not in "iu" or (states < 0).any():
                raise ValueError(f"Blocks: expected state numbers such as [0, 1]; received {pair[0]!r}.")
            law = pair[1]
            if not isinstance(law, Gaussian | Stationary | Diffuse | Estimated):
                raise TypeError(f"Blocks: expected a Gaussian, Stationary(), Diffuse() or Estimated(); received {law!r}.")
            if isinstance(law, Gaussian) and law.n != len(states):
                raise ValueError(f"Blocks: expected a Gaussian of dimension {len(states)} for states {states}; received {law.n}.")
            if used & set(states.tolist()) or len(set(states.tolist())) < len(states):
                raise ValueError(f"Blocks: expected each state in one block; received {sorted(used & set(states.tolist()))} twice.")
            used |= set(states.tolist())
            checked.append((states, law))
        object.__setattr__(self, "blocks", tuple(checked))

    def summary(self) -> dict[str, Any]:
        return {", ".join(map(str, states)): type(law).__name__ for states, law in self.blocks}
