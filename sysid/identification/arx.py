"""Autoregression with inputs by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..kernels.sensitivity import predict_linear
from ..linear.covariances import innovations_noise, mean_and_covariance
from ..models.lti import LTI
from ..models.process import Process
from .excitation import check_excitation
from .fit import Fit
from .records import DIVERGED, common_scales


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PolynomialFit(Fit):
    """An estimate in polynomials of the delay: Fit (model, process, status, ...) with its coefficients.

    polynomials: arrays by name, A (na, p, p), B (nb, p, m), and for one output C (nc,), D (nd,), F (m, nf); the leading
    ones are left out. gain: K (n, p). innovation_cov: (p, p). `standard_errors` has the arrays' names and shapes.
    """

    polynomials: Mapping[str, np.ndarray]
    gain: np.ndarray
    innovation_cov: np.ndarray

    def summary(self) -> dict[str, Any]:
        errors = self.standard_errors or {}
        return super().summary() | {name: _written(values, errors.get(name)) for name, values in self.polynomials.items() if np.size(values)}


@dataclass(frozen=True)
class ARX:
    """Regress each output on past outputs and inputs [Ljung 1999, sec. 4.2].

        y[t] + A_1 y[t-1] + ... + A_na y[t-na] = B_0 u[t-nk] + ... + B_{nb-1} u[t-nk-nb+1] + d + e[t]

    na: past outputs. nb: inputs' terms. nk: their delay, 0 for feedthrough. ridge: added to the sum of squares of the
    coefficients on standardised channels. Samples whose regressors are missing are left out; experiments are pooled.
    The model is in observer form with max(na, nk + nb - 1) block states, the process its innovations form.
    Raises ValueError where there are fewer samples than coefficients. Cost O(T (na p + nb m)^2).
    """

    na: int = 2
    nb: int = 2
    nk: int = 1
    ridge: float = 0.0

    def __post_init__(self) -> None:
        _check.options(self, ridge="nonnegative")
        for name, least in (("na", 0), ("nb", 0), ("nk", 0)):
            _check.count(getattr(self, name), name, "ARX", least=least)

    def fit(self, data: list[Data], start: Any = None) -> PolynomialFit:
        """Solve the regression; `start` must be None. Raises ValueError for a start, or records too short for the orders."""
        if start is not None:
            raise ValueError("fit(ARX): expected no start, because the regression has a closed form; received one.")
        scales = common_scales(data, "fit(ARX)")
        p, m = data[0].n_outputs, data[0].n_inputs
        nb = self.nb if m else 0
        check_excitation(data, nb, "fit(ARX)")
        X, Y, length = _regression(scales.apply(data), self.na, nb, self.nk)
        if len(X) <= X.shape[1]:
            raise ValueError(f"fit(ARX): expected more than {X.shape[1]} samples with all of their {length} predecessors for as many "
                             f"coefficients an output; received {len(X)}. Lower na or nb, or record longer.")  # fmt: skip
        penalty = np.sqrt(self.ridge) * np.eye(X.shape[1])
        penalty[-1] = 0.0
        theta = np.linalg.lstsq(np.vstack([X, penalty]), np.vstack([Y, np.zeros((X.shape[1], p))]), rcond=1e-12)[0]
        e = Y - X @ theta
        cov = e.T @ e / (len(X) - X.shape[1])
        ys, us = scales.y_scale, scales.u_scale
        A = -theta[: self.na * p].T.reshape(p, self.na, p).transpose(1, 0, 2) * ys[:, None] / ys
        B = theta[self.na * p : self.na * p + nb * m].T.reshape(p, nb, m).transpose(1, 0, 2) * ys[:, None] / us
        level = theta[-1] * ys + scales.y_mean + A.sum(0) @ scales.y_mean - B.sum(0) @ scales.u_mean
        spread = np.sqrt(np.maximum(np.einsum("i,j->ij", np.diag(np.linalg.pinv(X.T @ X + penalty**2)), np.diag(cov)), 0.0))
        errors = {"A": spread[: self.na * p].T.reshape(p, self.na, p).transpose(1, 0, 2) * ys[:, None] / ys,
                  "B": spread[self.na * p : -1].T.reshape(p, nb, m).transpose(1, 0, 2) * ys[:, None] / us}  # fmt: skip
        model, gain = observer_form(A, B, self.nk, level, data[0].dt)
        cov = cov * np.outer(ys, ys)
        value = -0.5 * len(X) * (np.linalg.slogdet(cov)[1] + p * np.log(2 * np.pi) + p)
        return PolynomialFit(model=model, process=innovations_process(model, gain, cov, data), polynomials={"A": A, "B": B}, gain=gain,
                             n_parameters=X.shape[1] * p + p * (p + 1) // 2 if self.ridge == 0 else None, n_samples=len(X),
                             innovation_cov=cov, standard_errors=errors, log_likelihood=float(value))  # fmt: skip


def _written(values: np.ndarray, errors: np.ndarray | None) -> str:
    """Up to eight coefficients with their deviations, in the order of the array; the shape of more."""
    if np.size(values) > 8:
        return f"array {np.shape(values)}"
    spread = np.full(np.size(values), np.nan) if errors is None else np.ravel(errors)
    return ", ".join(f"{v:.4g}" + (f" +- {s:.2g}" if np.isfinite(s) else "") for v, s in zip(np.ravel(values), spread))


def _regression(records: list, na: int, nb: int, nk: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Regressors [past y, u, 1] and targets of the samples that have both."""
    length = max(na, nk + nb - 1 if nb else 0)
    rows, targets = [], []
    for y, u in records:
        T = len(y) - length
        if T <= 0:
            continue
        lagged = [y[length - i : length - i + T] for i in range(1, na + 1)]
        lagged += [u[length - nk - j : length - nk - j + T] for j in range(nb)]
        block = np.hstack([*lagged, np.ones((T, 1))])
        target = y[length:]
        use = ~(np.isnan(block).any(1) | np.isnan(target).any(1))
        rows.append(block[use])
        targets.append(target[use])
    if not rows:
        raise ValueError(f"fit(ARX): expected experiments longer than {length} samples, the largest lag; received none.")
    return np.concatenate(rows), np.concatenate(targets), length


def observer_form(A: np.ndarray, B: np.ndarray, nk: int, level: np.ndarray, dt: float) -> tuple[LTI, np.ndarray]:
    """The state-space model of y + sum A_i y[t-i] = sum B_j u[t-nk-j] + level + e and its gain K_i = -A_i."""
    na, p = len(A), len(level)
    nb, m = len(B), B.shape[2] if B.size else B.shape[-1]
    r = max(na, nk + nb - 1 if nb else 0)
    a, b = np.zeros((r, p, p)), np.zeros((r + 1, p, m))
    a[:na] = A
    b[nk : nk + nb] = B
    D = b[0]
    F, G, K = np.zeros((r * p, r * p)), np.zeros((r * p, m)), np.zeros((r * p, p))
    c = np.zeros(r * p)
    for i in range(r):
        rows = slice(i * p, (i + 1) * p)
        F[rows, :p] = -a[i]
        if i + 1 < r:
            F[rows, (i + 1) * p : (i + 2) * p] = np.eye(p)
        G[rows], K[rows] = b[i + 1] - a[i] @ D, -a[i]
        # A constant input acts like level on the output and -A_i level in the state.
        c[rows] = -a[i] @ level
    C = np.hstack([np.eye(p), np.zeros((p, (r - 1) * p))]) if r else np.zeros((p, 0))
    return LTI(F, G, C, D, dt, c, level), K


def innovations_process(model: LTI, gain: np.ndarray, cov: np.ndarray, data: list[Data]) -> Process:
    """The process with Q = K R K', S = K R, and the spread that the states of the data have as its prior."""
    wide = np.hstack([model.B, model.c[:, None]]), np.hstack([model.D, model.d[:, None]])
    records = [(d.y, np.hstack([d.inputs, np.ones((len(d), 1))])) for d in data]
    n = model.n_states
    states = []
    for y, u in records:
        X, E = np.empty((len(y), n)), np.empty(y.shape)
        predict_linear(*(np.ascontiguousarray(M) for M in (model.A, wide[0], model.C, wide[1], gain, u, y)), np.zeros(n), X, E)
        states.append(X)
    joined = np.concatenate(states)
    mean, spread = mean_and_covariance(joined[np.abs(joined).max(1, initial=0.0) < DIVERGED])
    Q, R, S = innovations_noise(gain, cov)
    return Process(model, Q, R, S, Gaussian(mean, spread + Q))
