"""What models of one family have in common: the sizes read off their matrices, and what follows from units of one kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from .. import _check
from ..core.signals import places
from .activation import Activation, activation
from .equilibrium import find_equilibrium
from .names import Named
from .packed import linear_functions
from .protocol import Functions


class MatrixModel(Named):
    """Mixin: a model given by matrices whose last axes are A (n, n), B (n, m) and C (p, n)."""

    A: Any
    B: Any
    C: Any
    D: Any
    d: Any

    @property
    def n_states(self) -> int:
        """Order n."""
        return self.A.shape[-1]

    @property
    def n_inputs(self) -> int:
        """Inputs m."""
        return self.B.shape[-1]

    @property
    def n_outputs(self) -> int:
        """Outputs p."""
        return self.C.shape[-2]

    @property
    def n_feedback(self) -> int:
        """Outputs fed back from measurements: none."""
        return 0

    def select(self, outputs: Any = None, inputs: Any = None) -> Self:
        """The model of some channels, in the order given: names, or numbers from 0; one or a list. None keeps all.

        Inputs left out are held at zero, and all states stay (`sysid.minimal` removes those that no longer count).
        Raises ValueError for channels that are not there or come twice.
        """
        call = f"{type(self).__name__}.select"
        i = places(outputs, self.output_names, self.n_outputs, "outputs", call)
        j = places(inputs, self.input_names, self.n_inputs, "inputs", call)
        bilinear = {"N": self.N[j]} if hasattr(self, "N") else {}
        chosen = {field: None if known is None else [known[k] for k in at]
                  for field, known, at in (("output_names", self.output_names, i), ("input_names", self.input_names, j))}
        return replace(self, B=self.B[..., j], C=self.C[..., i, :], D=self.D[..., i, :][..., j], d=self.d[..., i], **bilinear, **chosen)  # type: ignore[call-arg]

    def functions(self) -> Functions:
        """The model as the functions f, g and Jacobians that kernels take, compiled."""
        return linear_functions(self)

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The input itself (T, m)."""
        return u


class UnitNetwork(Named):
    """Mixin: a network of units of one activation, W (n, n), W_in (n, m), readout C (p, n) or none yet."""

    W: Any
    W_in: Any
    C: Any
    activation: Any
    functions: Any

    @property
    def n_states(self) -> int:
        """Units n."""
        return self.W.shape[0]

    @property
    def n_inputs(self) -> int:
        """Inputs m."""
        return self.W_in.shape[1]

    @property
    def n_feedback(self) -> int:
        """Outputs fed back, 0 without W_fb."""
        W_fb = getattr(self, "W_fb", None)
        return 0 if W_fb is None else W_fb.shape[1]

    @property
    def n_outputs(self) -> int:
        """Outputs p of the readout; those fed back where there is no readout yet."""
        return self.n_feedback if self.C is None else len(self.C)

    @property
    def act(self) -> Activation:
        """The activation with its derivative and slope range."""
        return activation(self.activation, type(self).__name__)

    def slope_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest slope of every unit's activation: two arrays (n,)."""
        low, high = self.act.slope
        return np.full(self.n_states, low), np.full(self.n_states, high)

    def with_readout(self, C: Any, d: Any = None) -> Self:
        """The same reservoir with readout C (p, k) and offset d (p,)."""
        return replace(self, C=C, d=d, output_names=self._output_names_for(C))  # type: ignore[call-arg]

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """[u, y] (T, m + r) with measured outputs y (T, r), NaN where the model's own are to be fed back."""
        if not self.n_feedback:
            return u
        y = np.full((len(u), self.n_feedback), np.nan) if y is None else y
        return np.ascontiguousarray(np.hstack([u, y]))

    def equilibrium(self, u: Any = None, x0: Any = None) -> np.ndarray:
        """The state (n,) that stays under constant input u (m,), by Newton from x0 (zero if None)."""
        call = f"{type(self).__name__}.equilibrium"
        u, x0 = (_check.vector(np.zeros(k) if v is None else v, name, call, k)
                 for v, name, k in ((u, "u", self.n_inputs), (x0, "x0", self.n_states)))
        return find_equilibrium(self.functions(), u, x0, getattr(self, "dt", None) is None, call)


class LeakyUnits(UnitNetwork):
    """Mixin: units that forget at a leak in (0, 1], one number or (n,)."""

    leak: Any

    @property
    def leaks(self) -> np.ndarray:
        """Leak of every unit (n,)."""
        return np.full(self.n_states, self.leak) if np.ndim(self.leak) == 0 else self.leak
