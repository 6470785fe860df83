"""The M-step: the process that maximises the expected log density given the moments [Shumway & Stoffer 1982; Holmes 2013]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.gaussian import Gaussian
from ..models.bilinear import Bilinear
from ..models.process import Process
from .constraints import NoiseShape, Tied, noise_shape, tie
from .moments import Moments, solve_psd

_NAMES = ("A", "N", "B", "c", "C", "D", "d", "Q", "R", "m0", "P0")


@dataclass(frozen=True)
class Maximiser:
    """The constraints of a process and its M-step.

    state, output: ties of [A N B c] and [C D d]. Q, R, P0: shapes of the covariances. initial: "mean", "both" or
    "fixed": what of the initial law moves. prior_A: (mean, precision) of a matrix-normal prior, or None.
    """

    state: Tied
    output: Tied
    Q: NoiseShape
    R: NoiseShape
    P0: NoiseShape
    initial: str
    prior_A: tuple[np.ndarray, float] | None = None

    @classmethod
    def of(cls, process: Process, structure: Mapping[str, Any], fixed: Sequence[str], initial: str, prior: Mapping[str, Any],
           ) -> Maximiser:
        """Read the user's constraints against the start."""
        unknown = (set(structure) | set(fixed) | set(prior)) - set(_NAMES)
        if unknown:
            raise ValueError(f"EM: expected names among {', '.join(_NAMES)}; received {', '.join(sorted(unknown))}.")
        model = process.model
        structure = dict(structure)
        blocks = [("A", model.A)]
        if isinstance(model, Bilinear):
            for i, N in enumerate(model.N):
                blocks.append((f"N{i}", N))
                if "N" in structure:
                    structure[f"N{i}"] = np.asarray(structure["N"], dtype=object)[i] if np.ndim(structure["N"]) else structure["N"]
            if "N" in fixed:
                fixed = [*fixed, *(f"N{i}" for i in range(len(model.N)))]
        blocks += [("B", model.B), ("c", model.c[:, None])]
        shapes = {key: noise_shape("fixed" if key in fixed else structure.get(key, "full"), start, prior.get(key), key)
                  for key, start in (("Q", process.Q), ("R", process.R), ("P0", process.initial.cov))}  # fmt: skip
        A0 = None
        if "A" in prior:
            mean, precision = prior["A"]
            A0 = (np.broadcast_to(np.asarray(mean, dtype=float), model.A.shape) * (np.eye(len(model.A)) if np.ndim(mean) == 0 else 1.0),
                  float(precision))
        return cls(tie(blocks, structure, fixed), tie([("C", model.C), ("D", model.D), ("d", model.d[:, None])], structure, fixed),
                   shapes["Q"], shapes["R"], shapes["P0"], initial, A0)  # fmt: skip

    def __call__(self, process: Process, s: Moments) -> Process:
        """One M-step; a conditional one where ties need the current Q or R, so the likelihood rises all the same."""
        s = self.with_prior(s)
        xx, xz, zz, count = s.xx, s.xz, s.zz, float(s.transitions)
        before = stacked(process.model)
        theta = _tied_regression(self.state, xz, zz, process.Q, before[0])
        Q = self.Q.estimate(_scatter(xx, xz, zz, theta), count)
        psi = _tied_regression(self.output, s.yh, s.hh, process.R, before[1])
        R = self.R.estimate(_scatter(s.yy, s.yh, s.hh, psi), float(s.samples))
        m0, P0 = process.initial.mean, process.initial.cov
        if self.initial != "fixed":
            m0 = s.first / s.sequences
        if self.initial == "both":
            P0 = self.P0.estimate(s.second - s.sequences * np.outer(m0, m0), float(s.sequences))
        return Process(rebuilt(process.model, theta, psi), _psd(Q), _psd(R), None, Gaussian(m0, _psd(P0)))

    def with_prior(self, s: Moments) -> Moments:
        """The moments with those of the prior of A, which counts as n transitions, added."""
        if self.prior_A is None:
            return s
        mean, precision = self.prior_A
        n = len(mean)
        xz, zz = s.xz.copy(), s.zz.copy()
        xz[:, :n] += precision * mean
        zz[:n, :n] += precision * np.eye(n)
        return replace(s, transitions=s.transitions + n, xx=s.xx + precision * mean @ mean.T, xz=xz, zz=zz)

    def project(self, process: Process) -> Process:
        """The process nearest to a start that obeys the constraints."""
        theta, psi = stacked(process.model)
        model = rebuilt(process.model, self.state.nearest(theta), self.output.nearest(psi))
        Q, R, P0 = (replace(shape, prior=None).estimate(np.array(cov), 1.0) for shape, cov in
                    ((self.Q, process.Q), (self.R, process.R), (self.P0, process.initial.cov)))  # fmt: skip
        return Process(model, Q, R, None, Gaussian(process.initial.mean, P0))

    def log_prior(self, process: Process) -> float:
        """Log density of the priors up to a constant, zero without any."""
        value = 0.0
        for shape, cov in ((self.Q, process.Q), (self.R, process.R), (self.P0, process.initial.cov)):
            if shape.prior is not None:
                scale, degrees = shape.prior
                value -= 0.5 * ((degrees + len(cov) + 1) * np.linalg.slogdet(cov)[1] + np.trace(np.linalg.solve(cov, scale)))
        if self.prior_A is not None:
            mean, precision = self.prior_A
            gap = process.model.A - mean
            value -= 0.5 * (precision * np.trace(gap.T @ np.linalg.solve(process.Q, gap)) + len(gap) * np.linalg.slogdet(process.Q)[1])
        return float(value)


def stacked(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """[A N B c] and [C D d]."""
    products = list(model.N) if isinstance(model, Bilinear) else []
    return np.hstack([model.A, *products, model.B, model.c[:, None]]), np.hstack([model.C, model.D, model.d[:, None]])


def rebuilt(model: Any, theta: np.ndarray, psi: np.ndarray) -> Any:
    """The model with [A N B c] = theta and [C D d] = psi."""
    n, m = model.n_states, model.n_inputs
    k = n * (1 + m) if isinstance(model, Bilinear) else n
    parts = {"A": theta[:, :n], "B": theta[:, k : k + m], "c": theta[:, k + m],
             "C": psi[:, :n], "D": psi[:, n : n + m], "d": psi[:, n + m]}  # fmt: skip
    if isinstance(model, Bilinear):
        parts["N"] = theta[:, n:k].reshape(n, m, n).transpose(1, 0, 2)
    return replace(model, **{key: np.ascontiguousarray(value) for key, value in parts.items()})


def _tied_regression(tied: Tied, xz: np.ndarray, zz: np.ndarray, cov: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The coefficients theta of x on z that maximise the expected log density under their ties.

    A row without noise holds exactly under `before` (n, q) and can only stay: what the weights do not determine keeps its value.
    """
    n, q = xz.shape
    if tied.is_free:
        return solve_psd(zz, xz.T).T
    if tied.G.shape[1] == 0:
        return tied.base.reshape(q, n).T
    W = _weights(cov)
    start = tied.parameters(before) if (np.diag(cov) <= 0).any() else np.zeros(tied.G.shape[1])
    xz = xz - tied.matrix(start, n) @ zz
    # vec(W theta zz) = (zz kron W) vec theta, formed column block by column block of G.
    G = tied.G.reshape(q, n, -1)
    weighted = np.einsum("ab,bik->aik", zz, np.einsum("ij,bjk->bik", W, G, optimize=True), optimize=True).reshape(q * n, -1)
    step = solve_psd(tied.G.T @ weighted, (tied.G.T @ (W @ xz).T.reshape(-1))[:, None])[:, 0]
    return tied.matrix(start + step, n)


def _weights(cov: np.ndarray) -> np.ndarray:
    """The inverse of a covariance (n, n) where it is regular, exact zeros in rows without noise."""
    noisy = np.flatnonzero(np.diag(cov) > 0)
    out = np.zeros(cov.shape)
    scale = np.sqrt(np.diag(cov)[noisy])
    out[np.ix_(noisy, noisy)] = np.linalg.pinv(cov[np.ix_(noisy, noisy)] / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
    return out


def _scatter(xx: np.ndarray, xz: np.ndarray, zz: np.ndarray, theta: np.ndarray) -> np.ndarray:
    cross = theta @ xz.T
    return xx - cross - cross.T + theta @ zz @ theta.T


def _psd(cov: np.ndarray) -> np.ndarray:
    """Symmetric, with eigenvalues that rounding made negative put to zero; zero rows stay zero."""
    out, noisy = np.zeros(cov.shape), np.flatnonzero(np.diag(cov) > 0)
    block = np.ix_(noisy, noisy)
    out[block] = (cov[block] + cov[block].T) / 2
    values, vectors = np.linalg.eigh(out[block]) if len(noisy) else (np.zeros(0), out)
    if len(noisy) and values[0] < 0:
        out[block] = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return out
