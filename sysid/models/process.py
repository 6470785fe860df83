"""A model with what is random: process noise, measurement noise, the initial state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _check
from .._show import Shown
from ..core.gaussian import Diffuse, Gaussian, Stationary
from ..core.initial import Blocks, Estimated
from .lti import LTI
from .names import shown_names
from .protocol import is_model


@dataclass(frozen=True, eq=False, repr=False)
class Process(Shown):
    """A stochastic state-space process around a model.

        x[t+1] = f(x[t], u[t]) + w[t],    y[t] = g(x[t], u[t]) + v[t],    (w, v) ~ N(0, [[Q, S], [S', R]]) white
                                                                                            [ESN-SSM, Eqs. 1, 4, 90]

    model: LTI, LTV, Bilinear, Nonlinear, ESN or any other model in discrete time; in continuous time (LTI with
    dt=None) Q is the intensity of the white noise dx = (A x + B u) dt + dw until `discretize` integrates it.
    Q: (n, n), or (n,) variances, or one variance; (T, n, n) where it changes. R: the same with p. S: (n, p) or None.
    initial: the law of x[0]: a Gaussian, Stationary(), Diffuse(), Estimated(), or Blocks of them; by default Stationary() for a
    stable LTI, Diffuse() for any other LTI, and N(0, I) for other models.
    Raises ValueError for covariances that are not symmetric and positive semidefinite, jointly with S where given.
    """

    model: Any
    Q: np.ndarray
    R: np.ndarray
    S: np.ndarray | None = None
    initial: Any = None

    if TYPE_CHECKING:  # given: numbers, lists or arrays; held: arrays

        def __init__(self, model: Any, Q: ArrayLike, R: ArrayLike, S: ArrayLike | None = None, initial: Any = None) -> None: ...

    def __post_init__(self) -> None:
        if not is_model(self.model):
            raise TypeError(
                f"Process: expected a model such as LTI, Nonlinear or ESN; received {type(self.model).__name__}."
                + _check.instead(self.model, "model")
            )
        n, p = self.model.n_states, self.model.n_outputs
        Q = _check.covariance(self.Q, "Q", "Process", n, time_varying=True)
        R = _check.covariance(self.R, "R", "Process", p, time_varying=True)
        S = None
        if self.S is not None:
            S = _check.matrix(self.S, "S", "Process", (n, p), f"the model has {n} states and {p} outputs")
            if Q.ndim == 2 and R.ndim == 2:
                _check.covariance(np.block([[Q, S], [S.T, R]]), "[[Q, S], [S', R]]", "Process", n + p)
        initial = self._default_initial() if self.initial is None else self.initial
        if isinstance(initial, Gaussian) and initial.n != n:
            raise ValueError(
                f"Process: expected initial with dimension {n} as the model has states; received {initial.n}."
            )
        if isinstance(initial, type) or not (
            isinstance(initial, Gaussian | Stationary | Diffuse | Estimated | Blocks)
        ):
            raise TypeError(f"Process: expected initial as sysid.Gaussian(mean, cov), sysid.Stationary(), sysid.Diffuse() "
                            f"or a mix of blocks; received {_check.received(initial)}.")  # fmt: skip
        for key, value in {"Q": Q, "R": R, "S": S, "initial": initial}.items():
            object.__setattr__(self, key, value)

    def _default_initial(self) -> Gaussian | Stationary | Diffuse:
        if isinstance(self.model, LTI):
            return Stationary() if self.model.is_stable() else Diffuse()
        n = self.model.n_states
        return Gaussian(np.zeros(n), np.eye(n))

    @property
    def n_states(self) -> int:
        """States of the model."""
        return self.model.n_states

    @property
    def n_outputs(self) -> int:
        """Outputs of the model."""
        return self.model.n_outputs

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """Names of the model's outputs, None without any."""
        return getattr(self.model, "output_names", None)

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """Names of the model's inputs, None without any."""
        return getattr(self.model, "input_names", None)

    def summary(self) -> dict[str, Any]:
        def spread(cov: np.ndarray) -> Any:
            deviations = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
            return (
                deviations if cov.ndim == 2 and len(cov) <= 4 else f"{deviations.min():.4g} to {deviations.max():.4g}"
            )

        out = {"model": type(self.model).__name__, "states": self.n_states, "outputs": self.n_outputs}
        if self.n_states:
            out["process noise, std"] = spread(self.Q)
        out["measurement noise, std"] = spread(self.R)
        return out | {
            "cross covariance": "none" if self.S is None else "given",
            "initial state": type(self.initial).__name__,
        } | shown_names(self.model)
