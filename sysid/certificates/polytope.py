"""One metric for several matrices: linear, time-varying and bilinear models, and all slope vertices of a small network.

$$ \\kappa^2 P - A_i' P A_i > 0 \\quad \\text{for all } i $$
implies the same for every convex combination (x' A' P A x is convex in A), hence contraction for every switching.
A spectral radius below 1 for each A_i implies nothing of the kind. [ESN-SSM, Eqs. 46 and 50], corrected.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.linalg import eigvalsh, matrix_balance

from .. import _check
from ..linear.equations import discrete_lyapunov
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.ltv import LTV
from .certificate import Certificate, Contraction
from .enclosure import Enclosure, Exact, Number

MOST_INPUTS = 10                                          # 2^m vertices


@singledispatch
def matrices_of(model: Any, wanted: Contraction) -> tuple[np.ndarray, str]:
    """The matrices (k, n, n) whose convex hull holds every Jacobian of a model, and the model in words."""
    raise TypeError(f"certify: expected LTI, LTV or Bilinear for this method; received {type(model).__name__}.")


@matrices_of.register
def _(model: LTI, wanted: Contraction) -> tuple[np.ndarray, str]:
    _discrete(model)
    return np.asarray(model.A)[None], "linear map, any input"


@matrices_of.register
def _(model: LTV, wanted: Contraction) -> tuple[np.ndarray, str]:
    return np.asarray(model.A), "time-varying map in any order of its matrices, any input"


@matrices_of.register
def _(model: Bilinear, wanted: Contraction) -> tuple[np.ndarray, str]:
    _discrete(model)
    m = model.n_inputs
    if wanted.input_bound is None:
        raise ValueError("certify: expected Contraction(input_bound=...) for a bilinear model, whose contraction depends "
                         "on the size of its input; received none.")
    if m > MOST_INPUTS:
        raise ValueError(f"certify: expected at most {MOST_INPUTS} inputs for a bilinear model; received {m}.")
    bound = wanted.input_box(m)
    corners = [model.A + np.tensordot(bound * sign, model.N, axes=1) for sign in itertools.product((-1.0, 1.0), repeat=m)]
    return np.array(corners), f"bilinear map, inputs within +-{np.array2string(bound, precision=3)}"


@dataclass(frozen=True)
class CommonLyapunov:
    """A common quadratic metric without a semidefinite solver: exact for one matrix, good for several.

    One matrix: Lyapunov's equation at a rate just above the spectral radius. Several: P is the Perron eigenvector of
    P -> sum_i w_i A_i' P A_i, and the weights move towards the matrices that contract least. LMI() finds the best P.

    Parameters
    ----------
    n_iterations : of the weights
    margin : share of the way from the rate found to 1 that is given up for a better conditioned metric

    Cost O(n_iterations k n^3).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_iterations: int = 60
    margin: float = 0.02

    def __post_init__(self) -> None:
        _check.options(self, n_iterations="count", margin="nonnegative")

    def certify(self, model: Any, wanted: Contraction | None = None) -> Certificate:
        """Certify an LTI, LTV or Bilinear model.

        Raises ValueError for a model without states, TypeError for a model of another kind.
        """
        wanted = wanted or Contraction()
        A, words = matrices_of(model, wanted)
        if not A.shape[-1]:
            raise ValueError("certify: expected a model with states; received one without, whose outputs forget everything at once.")
        floor = product_floor(A)
        P, rate = (_single(A[0], floor, self.margin) if len(A) == 1 else _several(A, self.n_iterations))
        return common_certificate(A, P, rate, "common Lyapunov metric", words, wanted, floor)


def common_certificate(A: np.ndarray, P: np.ndarray | None, rate: float, name: str, words: str, wanted: Contraction,
                       floor: float, family_floor: float = 0.0) -> Certificate:
    """Prove a common metric for matrices A (k, n, n) at the least increase of the rate that suffices, or refuse."""
    if P is not None:
        for delta in (0.0, 1e-9, 1e-7, 1e-5, 1e-3):
            k = rate * (1 + delta) + (1e-12 if rate == 0 else 0.0)
            if proved_common(A, P, k):
                exact = wanted.exact and proved_common(A, P, k, Exact)
                reason = ("proved for every order of the matrices and every mixture of them" if k < 1 else
                          f"the smallest rate found is {k:.6g}, not below 1")
                return Certificate(k, _check.frozen(P), None, True, name, words, reason, floor, max(floor, family_floor),
                                   exact)
    return Certificate(rate, None, None, False, name, words, f"no common metric could be proved at rate {rate:.6g}",
                       floor, max(floor, family_floor))


def proved_common(A: np.ndarray, P: Any, rate: float, number: Number = Enclosure) -> bool:
    """Whether rate^2 P - A_i' P A_i > 0 and P > 0 are proved."""
    P = np.asarray(P, dtype=np.float64)
    if not (np.isfinite(P).all() and np.isfinite(rate) and rate > 0 and np.array_equal(P, P.T)):
        return False
    metric, k = number.of(P), number.of(rate)
    if not metric.positive_definite():
        return False
    for a in A:
        J = number.of(a)                                  # [ESN-SSM, Eq. 49]
        if not ((k * k) * metric - J.T @ (metric @ J)).positive_definite():
            return False
    return True


def largest_ratio(A: np.ndarray, P: np.ndarray) -> tuple[float, np.ndarray]:
    """max_i |A_i|_P and all of them (k,)."""
    ratios = np.array([np.sqrt(max(eigvalsh(a.T @ P @ a, P)[-1], 0.0)) for a in A])
    return float(ratios.max()), ratios


def product_floor(A: np.ndarray, length: int = 3, most: int = 400) -> float:
    """The joint spectral radius is not below this: max rho(product)^(1/length). Computed, not proved."""
    rho = [float(np.abs(np.linalg.eigvals(a)).max(initial=0.0)) for a in A]
    best = max(rho, default=0.0)
    few = np.argsort(rho)[::-1][: max(2, int(most ** (1 / length)))]
    for size in range(2, length + 1):
        for pick in itertools.product(few, repeat=size):
            product = np.linalg.multi_dot([A[i] for i in pick])
            best = max(best, float(np.abs(np.linalg.eigvals(product)).max()) ** (1 / size))
    return best


def _single(A: np.ndarray, radius: float, margin: float) -> tuple[np.ndarray | None, float]:
    n = len(A)
    balanced, (size, _) = matrix_balance(A, permute=False, separate=True)  # powers of two: units of the states do not matter
    for share in (margin, 3 * margin, 10 * margin):
        rate = radius + share * max(1 - radius, 0.02 * radius) + 1e-9
        try:
            P = discrete_lyapunov((balanced / rate).T, np.eye(n)) / np.outer(size, size)
            np.linalg.cholesky(P)
        except (np.linalg.LinAlgError, ValueError):
            continue
        return P / np.abs(P).max(), largest_ratio(A[None], P)[0] * (1 + 1e-10)
    return None, radius


def _several(A: np.ndarray, iterations: int) -> tuple[np.ndarray | None, float]:
    k, n = len(A), A.shape[1]
    weight, P = np.full(k, 1 / k), np.eye(n)
    best, kept = largest_ratio(A, P)[0], P
    for step in range(iterations):
        for _ in range(30):
            new = sum(w * a.T @ P @ a for w, a in zip(weight, A) if w > 1e-12)
            new = new / np.trace(new) * n if np.trace(new) > 0 else np.eye(n)
            change, P = np.abs(new - P).max(), new
            if change < 1e-8:
                break
        P = (P + P.T) / 2 + 1e-6 * np.eye(n)
        rate, ratios = largest_ratio(A, P)
        if rate < best:
            best, kept = rate, P
        weight = weight * np.exp(8 / (1 + 0.1 * step) * (ratios / rate - 1))
        weight = np.maximum(weight / weight.sum(), 1e-6 / k)
    return kept, best * (1 + 1e-10)


def _discrete(model: Any) -> None:
    if model.dt is None:
        raise ValueError("certify: expected a discrete-time model; received dt=None (continuous time). "
                         "Sample it first: sysid.discretize(model, dt).")


