"""Structured forms of a linear model: diagonal (modal) and diagonal plus low rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from .. import _check
from .._show import Shown
from ..models.lti import LTI


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalForm(Shown):
    r"""A model in modal coordinates, complex: h_k = C diag(poles)^(k-1) B.

    .. math:: h_k = \sum_i p_i^{k-1} C_i B_i \qquad (k \ge 1), \qquad h_0 = D

    [ESN-SSM, Eq. 62]. poles : (n,). B : (n, m). C : (p, n). D : (p, m). V : (n, n) eigenvectors.
    condition : of V; its digits are those lost in residues and kernels, and above about 1e8 the form should not be used.
    """

    poles: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray
    V: np.ndarray
    condition: float

    def markov_parameters(self, n_steps: int) -> np.ndarray:
        """h_0..h_{n_steps-1} (n_steps, p, m) by powers of the poles, O(n n_steps p m).

        Raises TypeError or ValueError for n_steps that is not a whole number from 0.
        """
        k = np.arange(max(_check.count(n_steps, "n_steps", "DiagonalForm.markov_parameters", least=0) - 1, 0))
        powers = self.poles[None] ** k[:, None]
        kernel = np.einsum("pi,ki,im->kpm", self.C, powers, self.B).real
        return np.concatenate([self.D[None], kernel])[:n_steps]

    def residues(self) -> np.ndarray:
        """(n, p, m) residue of every mode."""
        return np.einsum("pi,im->ipm", self.C, self.B)

    def summary(self) -> dict[str, Any]:
        return {"modes": len(self.poles), "spectral radius": np.abs(self.poles).max(initial=0.0),
                "condition of the eigenvectors": self.condition}


@dataclass(frozen=True, eq=False, repr=False)
class LowRankForm(Shown):
    """A = U (diag(poles) + P Q^H) U^H, normal plus low rank (DPLR).

    poles : (n,) complex. P, Q : (n, r). U : (n, n) unitary. error : |A - the form| / |A|.
    """

    poles: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    U: np.ndarray
    error: float

    def matrix(self) -> np.ndarray:
        """The real matrix (n, n) that the form stands for."""
        return np.real(self.U @ (np.diag(self.poles) + self.P @ self.Q.conj().T) @ self.U.conj().T)

    def summary(self) -> dict[str, Any]:
        return {"states": len(self.poles), "rank": self.P.shape[1], "relative error": self.error}


def diagonal_form(lti: Any) -> DiagonalForm:
    """Write a linear model `lti` (n states) in modal coordinates. Raises ValueError where A is defective to working precision. O(n^3)."""
    _check.kind(lti, isinstance(lti, LTI), "an LTI model", "diagonal_form", " Linearise it: sysid.linearize(model, x=..., u=...).")
    poles, V = np.linalg.eig(lti.A)
    condition = float(np.linalg.cond(V)) if len(poles) else 1.0
    if condition > 1e13:
        raise ValueError(f"diagonal_form: expected a diagonalisable A; received one whose eigenvectors have condition "
                         f"{condition:.2g}. Use the model itself, or a Schur form.")
    return DiagonalForm(poles, np.linalg.solve(V, lti.B.astype(complex)), lti.C @ V, np.array(lti.D), V, condition)


def diagonal_plus_low_rank(A: Any, rank: int) -> LowRankForm:
    r"""Write A as normal plus rank r: a shift and the skew part are normal, the rest of the symmetric part is cut.

    .. math:: A = s I + \tfrac12 (A - A^\top) + \sum_{i \le r} \mu_i w_i w_i^\top + \dots

    s is the mean of the n - r neighbouring eigenvalues of the symmetric part that lie closest together, which makes the Frobenius
    error the least that any shift and r terms leave. Exact for HiPPO matrices at rank 1 (LegS). rank : r. O(n^3).
    Raises ValueError for A that is not square, or a rank below 0.
    """
    A = _check.square(A, "A", "diagonal_plus_low_rank")
    r = _check.count(rank, "rank", "diagonal_plus_low_rank", least=0)
    symmetric, skew = (A + A.T) / 2, (A - A.T) / 2
    values, vectors = np.linalg.eigh(symmetric)
    left = max(len(A) - r, 0)  # how many are replaced by the shift: neighbours in the ordered values
    first = int(np.argmin([np.var(values[i : i + left]) for i in range(len(A) - left + 1)])) if left else 0
    shift = float(values[first : first + left].mean()) if left else 0.0
    keep = np.r_[0:first, first + left : len(A)]
    # i times a skew matrix is Hermitian, so eigh gives unitary eigenvectors even where eig would not.
    frequencies, U = linalg.eigh(-1j * skew)
    P = U.conj().T @ (vectors[:, keep] * (values[keep] - shift))
    form = LowRankForm(shift + 1j * frequencies, P, U.conj().T @ vectors[:, keep], U, 0.0)
    error = float(np.linalg.norm(form.matrix() - A) / max(float(np.linalg.norm(A)), 1e-300))
    return LowRankForm(form.poles, form.P, form.Q, U, error)
