"""The verb reduce: balanced truncation and residualisation with their error bound, in both time bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.gaussian import psd_factor
from ..linear import realizations
from ..linear.hankel import balancing, project
from ..linear.low_rank import low_rank_gramian
from ..models.bilinear import Bilinear
from ..models.bilinear_analysis import generalized_gramian
from ..models.lti import LTI
from ..models.names import names

_MARGIN = 1e-12  # poles closer than this to the boundary are kept with the unstable ones


@dataclass(frozen=True, eq=False, repr=False)
class Reduction(Shown):
    """A reduced model and what it may cost.

    model: LTI or Bilinear. error_bound: no gain of the difference between the models exceeds it at any frequency;
    None for a Bilinear, which has none. hankel_singular_values: (n,) of the stable part, descending; the bound is twice the
    sum of those left out. method: how the states were cut. n_unstable: poles kept because they are not stable.
    """

    model: Any
    error_bound: float | None
    hankel_singular_values: np.ndarray
    method: str
    n_unstable: int = 0

    def summary(self) -> dict[str, Any]:
        out = {"method": self.method, "states": self.model.n_states,
               "states before": len(self.hankel_singular_values) + self.n_unstable}  # fmt: skip
        if self.error_bound is not None:
            out["error bound (H-infinity)"] = self.error_bound
        if self.n_unstable:
            out["unstable states kept"] = self.n_unstable
        return out | {"Hankel singular values": self.hankel_singular_values}

    def plot(self, ax: Any = None) -> Any:
        """Draw the Hankel singular values with the cut; return the axes."""
        from .. import plot_systems

        ax = plot_systems.decay(self.hankel_singular_values, ax, "Hankel singular value", "balanced state")
        ax.axvline(self.model.n_states - self.n_unstable + 0.5, color="#333333", linewidth=0.8, linestyle=":", label="kept before")
        ax.legend(frameon=False, fontsize="small")
        return ax


def reduce(model: LTI | Bilinear, n_states: int | None = None, *, method: str = "truncation",
           max_error: float | None = None, input_rms: float = 1.0) -> Reduction:
    """Reduce the number of states by balancing what inputs reach against what outputs see.

        ||H - H_r||_inf <= 2 (sigma_(r+1) + ... + sigma_n)

    model: LTI, stable or not (unstable modes are split off and kept), or a Bilinear, whose generalised Gramians must exist.
    n_states: states to keep, unstable ones included. max_error: instead of n_states, the fewest states whose bound
    does not exceed it, as far as rounding lets (`error_bound` says). method: "truncation" (exact where frequency goes to infinity, or at no frequency in discrete
    time) or "residualization" (exact at frequency 0). Offsets are kept through the equilibrium that they define; of a Bilinear
    they are projected with the states.
    input_rms: of a Bilinear, the root mean square of the inputs it will see: how much its bilinear term weighs depends on
    it, and the generalised Gramian at that scale is the state covariance under white inputs. A linear model needs none.
    Returns a Reduction with .model, .error_bound, .hankel_singular_values. Raises ValueError for more states than the model
    has, fewer than its unstable ones, or a split into states that rounding cannot tell from none. Cost O(n^3).
    [Moore 1981; Enns 1984; Al-Saggaf & Franklin 1987; Liu & Anderson 1989]
    """
    method = _check.choice(method, "method", "reduce", ("truncation", "residualization"))
    if (n_states is None) == (max_error is None):
        raise ValueError("reduce: expected either n_states or max_error; received "
                         + ("neither." if n_states is None else "both."))  # fmt: skip
    if not isinstance(model, LTI | Bilinear):
        raise TypeError(f"reduce: expected an LTI or Bilinear model; received {type(model).__name__}."
                        + (_check.instead(model, "model") or " Linearise it: sysid.linearize(model, x, u)."))  # fmt: skip
    if n_states is not None and _check.count(n_states, "n_states", "reduce", least=0) > model.n_states:
        raise ValueError(f"reduce: expected n_states <= {model.n_states}, the order of the model; received {n_states}.")
    if isinstance(model, Bilinear):
        return _reduce_bilinear(model, n_states, method, _check.positive(input_rms, "input_rms", "reduce"))
    if input_rms != 1.0:
        raise ValueError("reduce: expected no input_rms for an LTI model, whose reduction does not depend on it; "
                         f"received {input_rms}.")  # fmt: skip
    return _reduce_linear(model, n_states, max_error, method)


def _reduce_linear(model: LTI, n_states: int | None, max_error: float | None, method: str) -> Reduction:
    continuous = model.dt is None
    inputs = np.column_stack((model.B, model.c))
    (A, Bc, C), (Au, Bu, Cu) = realizations.split(model.A, inputs, model.C, continuous=continuous, margin=_MARGIN)
    if n_states is not None and n_states < len(Au):
        raise ValueError(f"reduce: expected n_states >= {len(Au)} because that many poles are not stable and must be kept; "
                         f"received {n_states}.")  # fmt: skip
    B, c, d = Bc[:, :-1], Bc[:, -1], model.d
    if c.any():  # the offset of the stable part becomes what it does to the output in the long run
        d = d + C @ np.linalg.solve(-A if continuous else np.eye(len(A)) - A, c)
    left, right, values = balancing(A, B, C, continuous=continuous)
    # Values below rounding add to the bound but belong to no state that could be kept.
    order = min(_fewest(values, max_error), len(left)) if n_states is None else n_states - len(Au)
    if order > len(left):
        raise ValueError(f"reduce: expected n_states <= {len(left) + len(Au)} because the model has {len(left)} Hankel "
                         f"singular values above rounding; received {n_states}. The other states carry nothing: ask for "
                         "fewer, or take sysid.minimal(model).")  # fmt: skip
    cut = _truncate if method == "truncation" else _residualize
    Ar, Br, Cr, Dr = cut(left @ A @ right, left @ B, C @ right, order, continuous)
    A = np.block([[Ar, np.zeros((order, len(Au)))], [np.zeros((len(Au), order)), Au]])
    reduced = LTI(A, np.vstack((Br, Bu[:, :-1])), np.hstack((Cr, Cu)), model.D + Dr, model.dt,
                  np.concatenate((np.zeros(order), Bu[:, -1])), d, **names(model))  # fmt: skip
    return Reduction(reduced, float(2 * np.sum(values[order:])), values, method, len(Au))


def _fewest(values: np.ndarray, max_error: Any) -> int:
    """The smallest order whose bound is within max_error."""
    limit = _check.positive(max_error, "max_error", "reduce")
    bounds = 2 * np.concatenate((np.cumsum(values[::-1])[::-1], [0.0]))
    return int(np.argmax(bounds <= limit))


def _truncate(A: np.ndarray, B: np.ndarray, C: np.ndarray, order: int, continuous: bool) -> tuple:
    return A[:order, :order], B[:order], C[:, :order], np.zeros((len(C), B.shape[1]))  # [Moore 1981]


def _residualize(A: np.ndarray, B: np.ndarray, C: np.ndarray, order: int, continuous: bool) -> tuple:
    """Let the other states settle at once, x2 = A21 x1 + A22 x2 + B2 u (0 on the left in continuous time)."""
    k = slice(order, None)
    M = -A[k, k] if continuous else np.eye(len(A) - order) - A[k, k]
    settled = np.linalg.solve(M, np.hstack((A[k, :order], B[k])))  # [Liu & Anderson 1989, Eq. 2.9]
    X, U = settled[:, :order], settled[:, order:]
    return (A[:order, :order] + A[:order, k] @ X, B[:order] + A[:order, k] @ U,
            C[:, :order] + C[:, k] @ X, C[:, k] @ U)  # fmt: skip


def _reduce_bilinear(model: Bilinear, n_states: int | None, method: str, scale: float) -> Reduction:
    """Balance the generalised Gramians and truncate [Zhang & Lam 2002]."""
    if n_states is None:
        raise ValueError("reduce: expected n_states for a Bilinear model, which has no error bound; received max_error.")
    if method != "truncation":
        raise ValueError(f"reduce: expected method='truncation' for a Bilinear model; received {method!r}.")
    scaled = Bilinear(model.A, scale * model.B, scale * model.N, model.C, model.D, model.dt)  # u = scale v, v of size 1
    left, right, values = project(psd_factor(generalized_gramian(scaled)), psd_factor(generalized_gramian(scaled, dual=True)))
    if n_states > len(left):
        raise ValueError(f"reduce: expected n_states <= {len(left)}, the Hankel values above rounding; received {n_states}.")
    left, right = left[:n_states], right[:, :n_states]
    reduced = Bilinear(left @ model.A @ right, left @ model.B, left @ model.N @ right, model.C @ right, model.D, model.dt,
                       left @ model.c, model.d, **names(model))  # fmt: skip
    return Reduction(reduced, None, values, method)


def reduce_sparse(A: Any, B: Any, C: Any, n_states: int, D: Any = None, *, dt: float | None = 1.0,
                  tolerance: float = 1e-9) -> Reduction:
    """Reduce a large sparse stable model to an LTI by balanced truncation with low-rank Gramians.

    A: (n, n) sparse array. B: (n, m). C: (p, n). D: (p, m), zero if None. n_states: states to keep. dt: None for continuous
    time. tolerance: relative residual of both Gramians. The A of order n is never made dense, so n may be 1e4 and more.
    Returns a Reduction; its bound counts the Hankel values of the factors, which leave out only what is below their
    residual. Raises TypeError or ValueError for A that is no square array, where a Gramian does not converge, or n_states exceeds
    its rank. Cost as `low_rank_gramian`.
    [Antoulas 2005, Sec. 12.4; Benner, Kurschner & Saak 2014]
    """
    n_states = _check.count(n_states, "n_states", "reduce_sparse")
    _check.kind(A, hasattr(A, "shape") and len(A.shape) == 2 and A.shape[0] == A.shape[1], "A as a square sparse array", "reduce_sparse")
    C = _check.matrix(C, "C", "reduce_sparse", (None, A.shape[0]), f"A is {A.shape[0]} x {A.shape[0]}")
    B = _check.matrix(B, "B", "reduce_sparse", (A.shape[0], None), f"A is {A.shape[0]} x {A.shape[0]}")
    factors = [low_rank_gramian(M, N, dt=dt, tolerance=tolerance) for M, N in ((A, B), (A.T, C.T))]
    if not all(f.converged for f in factors):
        worst = max(f.residual for f in factors)
        raise ValueError(f"reduce_sparse: a Gramian did not converge: relative residual {worst:.2g} above {tolerance:g}.")
    left, right, values = project(factors[0].Z, factors[1].Z)
    if n_states > len(left):
        raise ValueError(f"reduce_sparse: expected n_states <= {len(left)}, the Hankel values above rounding; "
                         f"received {n_states}.")  # fmt: skip
    left, right = left[:n_states], right[:, :n_states]
    model = LTI(left @ (A @ right), left @ B, C @ right, D, dt)
    return Reduction(model, float(2 * np.sum(values[n_states:])), values, "truncation, low-rank Gramians")
