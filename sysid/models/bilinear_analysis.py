"""Bilinear models: generalised Gramians with their existence test, and Volterra kernels.

    discrete     W = A W A' + sum_i N_i W N_i' + B B'
    continuous   A W + W A' + sum_i N_i W N_i' + B B' = 0

For N = 0 these are the Gramians of the linear part. They exist, unique and positive semidefinite, if and only if the
linear operator on the left is stable: in discrete time the spectral radius of W -> A W A' + sum N_i W N_i' is below 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import _check
from ..linear.equations import continuous_lyapunov, discrete_lyapunov, symmetric
from ..linear.stability import refuse_unstable
from .bilinear import Bilinear


def generalized_gramian(model: Bilinear, *, dual: bool = False) -> np.ndarray:
    """Compute the generalised controllability (dual: observability) Gramian W (n, n) of a bilinear model.

    By the series W = W_1 + W_2 + ..., each term one Lyapunov equation with sum_i N_i W_k N_i' on the right, or by GMRES
    on the same operator where the terms shrink slowly; the equation is checked at the end.
    Raises ValueError where it does not exist, naming the rate at which the terms grow and the largest input scaling
    for which it does exist. Cost O(n^3) a term. [Zhang & Lam 2002, Thm 2; Al-Baiyat & Bettayeb 1993]
    """
    call = "observability_gramian" if dual else "controllability_gramian"
    continuous = model.dt is None
    A, B = (model.A.T, model.C.T) if dual else (model.A, model.B)
    N = model.N.transpose(0, 2, 1) if dual else model.N
    refuse_unstable(model.A, call, "the generalised Gramian of a bilinear model", continuous=continuous,
                    cure="Its linear part must be stable.")  # fmt: skip
    solve = continuous_lyapunov if continuous else discrete_lyapunov
    rate = gramian_rate(model)
    if not rate < 1:
        raise ValueError(f"{call}: the generalised Gramian does not exist: the terms of its series grow by {rate:.6g}. "
                         f"Scale the inputs down (u = s v, so that N becomes s N, with s < {1 / np.sqrt(rate):.4g}), "
                         "or use the linear part.")  # fmt: skip

    def step(W: np.ndarray) -> np.ndarray:
        return solve(A, symmetric(np.einsum("iab,bc,idc->ad", N, W, N)))

    first = solve(A, B @ B.T)
    W = _sum_series(step, first, rate)
    residual = np.linalg.norm(first + step(W) - W) / max(float(np.linalg.norm(W)), np.finfo(float).tiny)
    if not residual < 1e-10:
        raise ValueError(f"{call}: the generalised Gramian could not be computed: the series grows by {rate:.8g} a term, "
                         f"too close to 1, and the equation is left with a relative residual of {residual:.2g}. "
                         "Scale the inputs down.")  # fmt: skip
    return symmetric(W)


def _sum_series(step: Callable, first: np.ndarray, rate: float) -> np.ndarray:
    """Solve W = first + step(W): term by term where the terms shrink fast, else by GMRES with refinement."""
    W = first
    if rate <= 0.7:
        term = first
        while np.linalg.norm(term) > 1e-17 * np.linalg.norm(W):
            term = step(term)
            W = W + term
        return W
    from scipy.sparse.linalg import LinearOperator, gmres

    n = len(first)
    operator = LinearOperator((n * n, n * n), dtype=float,
                              matvec=lambda v: v - step(v.reshape(n, n)).ravel())  # fmt: skip
    W = np.zeros_like(first)
    for _ in range(4):
        residual = first + step(W) - W
        if np.linalg.norm(residual) <= 1e-15 * np.linalg.norm(W):
            break
        change, _ = gmres(operator, residual.ravel(), rtol=1e-10, restart=100, maxiter=10)
        W = symmetric(W + change.reshape(n, n))
    return W


def gramian_rate(model: Bilinear) -> float:
    """Compute the rate at which the series of generalised Gramians grows: they exist if and only if it is below 1.

    model: Bilinear with a stable A. The spectral radius of W -> L^-1(sum N_i W N_i'), L the Lyapunov operator of the stable A, by the power method from
    the identity: the map keeps positive semidefinite matrices, so its leading eigenvalue is positive and is found.
    Cost O(n^3) an iteration. [Damm 2008, Thm 3.1]
    Raises TypeError for other models.
    """
    _check.kind(model, isinstance(model, Bilinear), "a Bilinear model", "gramian_rate")
    if model.n_states == 0 or not model.N.any():
        return 0.0
    solve = continuous_lyapunov if model.dt is None else discrete_lyapunov
    X = np.eye(model.n_states) / np.sqrt(model.n_states)
    sizes: list[float] = []
    for _ in range(600):
        X = solve(model.A, symmetric(np.einsum("iab,bc,idc->ad", model.N, X, model.N)))
        sizes.append(float(np.linalg.norm(X)))
        if sizes[-1] < 1e-150:
            return 0.0
        X = X / sizes[-1]
        if len(sizes) > 3 and np.ptp(sizes[-4:]) <= 1e-10 * sizes[-1]:
            return sizes[-1]
    return float(np.exp(np.mean(np.log(sizes[-200:]))))  # a cycle of factors: their geometric mean is the rate


def volterra_kernel(model: Bilinear, order: int, n_steps: int) -> np.ndarray:
    """Compute a Volterra kernel of a discrete bilinear model from rest.

        h_1[k] = C A^(k-1) B,      h_2[k, l] = C A^(k-1) N A^(l-1) B,      k, l >= 1,   and zero lags are zero

    so that y[t] = D u[t] + sum_k h_1[k] u[t-k] + sum_(k, l) h_2[k, l] u[t-k] u[t-k-l] + ...
    order: 1, 2 or 3. n_steps: L, lags 0..L-1 of each axis. Returns (L, p, m), (L, L, p, m, m) or (L, L, L, p, m, m, m):
    the input axes stand in the order of the lags, the most recent input first. Memory O((L m)^order p).
    [Rugh 1981, Sec. 6.3]
    Raises TypeError for other models, ValueError for an order beyond 3 or continuous time.
    """
    _check.kind(model, isinstance(model, Bilinear), "a Bilinear model", "volterra_kernel")
    order = _check.count(order, "order", "volterra_kernel")
    L = _check.count(n_steps, "n_steps", "volterra_kernel")
    if order > 3:
        raise ValueError(f"volterra_kernel: expected order 1, 2 or 3; received {order}.")
    if model.dt is None:
        raise ValueError("volterra_kernel: expected a discrete-time model; received dt=None. Discretise it first.")
    powers = np.zeros((L, model.n_states, model.n_states))  # A^(k-1) for k >= 1, zero at lag zero
    for k in range(1, L):
        powers[k] = model.A @ powers[k - 1] if k > 1 else np.eye(model.n_states)
    seen, reached = model.C @ powers, powers @ model.B  # (L, p, n), (L, n, m)
    if order == 1:
        return seen @ model.B
    driven = np.einsum("iab,lbj->liaj", model.N, reached)
    if order == 2:
        return np.einsum("kpa,liaj->klpij", seen, driven)  # [Rugh 1981, Eq. 6.52]
    inner = np.einsum("lab,qjbh->lqajh", powers, driven, optimize=True)
    return np.einsum("kpa,iab,lqbjh->klqpijh", seen, model.N, inner, optimize=True)
