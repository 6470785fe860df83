"""A lifted model: a dictionary of observables and the linear or bilinear model that moves them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from .._show import Shown
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.names import Named, names, shown_names
from ..models.protocol import Functions


@dataclass(frozen=True, eq=False, repr=False)
class LiftedModel(Named, Shown):
    """The dynamics of observables z = phi(x): z[t+1] = A z + B u + sum_i u_i N_i z + c,    x[t] = C z[t] + d.

    [ESN-SSM, Eq. 23, 24, 52]. dictionary : phi, states (T, n) to features (T, N). core : the LTI or Bilinear in z.
    input_map : columns that u (T, m) is widened to before it acts, such as squares; None for u itself.
    residual : (N, N) covariance of the one-step residual z[t+1] - (A z + B u + ...) on the data it was made from, or None.
    scatter : (N, N) mean of z z' on the same data, or None.
    It is a model with N states: simulate, filter, certify and every analysis take it; `start(x)` gives z[0].
    """

    dictionary: Any
    core: Any
    input_map: Any = None
    residual: np.ndarray | None = None
    scatter: np.ndarray | None = None

    @property
    def lti(self) -> LTI:
        """The linear model of the observables; refused where the lift is bilinear."""
        if isinstance(self.core, Bilinear):
            raise ValueError("LiftedModel.lti: expected a lift linear in the state; this one has bilinear terms. "
                             "model.bilinear is the whole of it, model.bilinear.along(u) its LTV along an input.")
        return self.core

    @property
    def bilinear(self) -> Bilinear:
        """The bilinear model of the observables, with N = 0 where the lift is linear."""
        if isinstance(self.core, Bilinear):
            return self.core
        a = self.core
        return Bilinear(a.A, a.B, np.zeros((a.n_inputs, a.n_states, a.n_states)), a.C, a.D, a.dt, a.c, a.d, **names(self))

    @property
    def n_states(self) -> int:
        """Observables N."""
        return self.core.n_states

    @property
    def n_inputs(self) -> int:
        """Inputs of the core."""
        return self.core.n_inputs

    @property
    def n_outputs(self) -> int:
        """States of the original system, read back."""
        return self.core.n_outputs

    @property
    def n_feedback(self) -> int:
        """Outputs fed back from measurements: none."""
        return 0

    @property
    def dt(self) -> float | None:
        """Sampling interval."""
        return self.core.dt

    def functions(self) -> Functions:
        """The functions of the core."""
        return self.core.functions()

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The input itself (T, m)."""
        return u

    def inputs(self, u: np.ndarray) -> np.ndarray:
        """The core's inputs for measured inputs u (T, m)."""
        return u if self.input_map is None else self.input_map(np.asarray(u, dtype=float))

    def observe(self, x: np.ndarray) -> np.ndarray:
        """Observables (T', N) of states x (T, n); T' = T less the delays of the dictionary."""
        return self.dictionary(np.atleast_2d(np.asarray(x, dtype=float)))

    def start(self, x: np.ndarray) -> np.ndarray:
        """The lifted state (N,) after a stretch of states (T, n), or at one state (n,)."""
        return self.observe(x)[-1]

    def eigenvalues(self) -> np.ndarray:
        """Discrete-time eigenvalues of A (N,), largest modulus first."""
        values = np.linalg.eigvals(self.core.A)
        return values[np.argsort(-np.abs(values), kind="stable")]

    def generator(self) -> np.ndarray:
        """log(A)/dt (N, N), the generator of the observables in continuous time.

        Frequencies above pi/dt are aliased: an eigenvalue near the negative real axis is warned of, because its
        logarithm is not determined by samples.
        """
        values = self.eigenvalues()
        if (np.abs(values) < 1e-12).any():
            raise ValueError("LiftedModel.generator: expected A without eigenvalues at 0; received one, which no flow has.")
        if (np.abs(np.angle(values)) > 0.9 * np.pi).any():
            warnings.warn("LiftedModel.generator: an eigenvalue lies near the negative real axis; the sampling interval "
                          "is too long to tell its frequency.", RuntimeWarning, stacklevel=2)
        return np.real(linalg.logm(self.core.A)) / float(self.dt or 1.0)

    def eigenpairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues (N,), left eigenvectors as columns (N, N), and the residual of each eigenfunction on the data (N,).

        The eigenfunction w'phi has the residual |w'e| / |w'phi| (root mean squares), small for a true Koopman
        eigenfunction and not for one the dictionary made up [Colbrook, Ayton & Szoke 2023].
        """
        values, left = linalg.eig(self.core.A.T)
        order = np.argsort(-np.abs(values), kind="stable")
        values, left = values[order], left[:, order]
        if self.residual is None or self.scatter is None:
            return values, left, np.full(len(values), np.nan)
        quadratic = [np.real(np.einsum("ik,ij,jk->k", left.conj(), M, left)) for M in (self.residual, self.scatter)]
        return values, left, np.sqrt(np.maximum(quadratic[0], 0) / np.maximum(quadratic[1], 1e-300))

    def summary(self) -> dict[str, Any]:
        out = {"dictionary": type(self.dictionary).__name__, "observables": self.n_states, "states read back": self.n_outputs,
               "core": type(self.core).__name__, "spectral radius of A": np.abs(self.eigenvalues()).max()}  # fmt: skip
        if self.residual is not None:
            out["one-step residual, rms"] = float(np.sqrt(np.trace(self.residual)))
        return out | shown_names(self)
