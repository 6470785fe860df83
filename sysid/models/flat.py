"""A structured reservoir that, written out, is one leaky echo-state network: everything but its structure is taken there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .activation import Activation
from .names import Named
from .protocol import Functions


class Flat(Named):
    """Mixin: a model whose `flat` attribute is the same map as an `ESN`, state for state.

    A verb that knows the structure uses it (simulate, certify, the model's own per-layer and per-frequency methods);
    every other verb sees the flat network, so that each result holds for the structured one.
    """

    flat: Any
    C: Any
    d: Any

    @property
    def n_states(self) -> int:
        """Units n, of all parts together."""
        return self.flat.n_states

    @property
    def n_inputs(self) -> int:
        """Inputs m."""
        return self.flat.n_inputs

    @property
    def n_outputs(self) -> int:
        """Outputs p of the readout; those fed back where there is no readout yet."""
        return self.flat.n_outputs

    @property
    def n_feedback(self) -> int:
        """Outputs fed back from measurements."""
        return self.flat.n_feedback

    @property
    def act(self) -> Activation:
        """The activation with its derivative and slope range."""
        return self.flat.act

    @property
    def leaks(self) -> np.ndarray:
        """Leak of every unit (n,)."""
        return self.flat.leaks

    @property
    def dense_W(self) -> np.ndarray:
        """The whole W as an array (n, n), made dense."""
        return self.flat.dense_W

    def slope_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest slope of every unit's activation: two arrays (n,)."""
        return self.flat.slope_bounds()

    def with_readout(self, C: Any, d: Any = None) -> Any:
        """The same reservoir with readout C (p, k) and offset d (p,)."""
        return replace(self, C=C, d=d, output_names=self._output_names_for(C))  # type: ignore[call-arg]

    def require_readout(self, call: str) -> None:
        """Raise ValueError where outputs are asked of a reservoir without a readout."""
        self.flat.require_readout(call)

    def functions(self) -> Functions:
        """The functions f, g and Jacobians of the flat network."""
        return self.flat.functions()

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """[u, y] (T, m + r) with measured outputs y (T, r), NaN where the model's own are to be fed back."""
        return self.flat.extended_input(u, y)

    def equilibrium(self, u: Any = None, x0: Any = None, **options: Any) -> np.ndarray:
        """The state (n,) that stays under constant input u (m,), by Newton from x0 (zero if None)."""
        return self.flat.equilibrium(u, x0, **options)
