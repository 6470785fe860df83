"""The exact likelihood of a process as a function of its free parameters, with its gradient by Fisher's identity.

    d log p(y; theta) / d theta = d E[log p(x, y; theta) | y, theta'] / d theta   at theta' = theta   [Fisher 1925; Louis 1982]

so the moments of one smoother pass give the gradient in all parameters, gaps included. Covariances are parametrised
by Cholesky factors with logarithms on the diagonal: every point is a process.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.gaussian import Gaussian
from ..models.process import Process
from .constraints import NoiseShape
from .em_step import Maximiser, rebuilt, stacked
from .moments import Moments


@dataclass(frozen=True)
class CovarianceCoordinates:
    """A covariance of given shape (n, n) as a vector: tied log variances where it is diagonal, else a Cholesky factor.

    group: (n,) index of each diagonal entry's log variance, -1 where held; None for a factor.
    place: rows and columns of the factor's free entries.
    """

    start: np.ndarray
    group: np.ndarray | None
    place: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, shape: NoiseShape, cov: np.ndarray) -> CovarianceCoordinates:
        """Read the shape of `cov`."""
        n, spec = len(cov), shape.spec
        none = (np.zeros(0, int), np.zeros(0, int))
        if isinstance(spec, str) and spec == "fixed":
            return cls(cov, np.full(n, -1), none)
        if isinstance(spec, str) and spec in ("diagonal", "scalar"):
            return cls(cov, np.arange(n) if spec == "diagonal" else np.zeros(n, int), none)
        if isinstance(spec, str) or isinstance(spec, np.ndarray):
            mask = np.ones((n, n), bool) if isinstance(spec, str) else spec
            rows, columns = np.nonzero(np.tril(mask))
            return cls(cov, None, (rows, columns))
        names = list(dict.fromkeys(entry for entry in spec if isinstance(entry, str)))
        return cls(cov, np.array([names.index(entry) if isinstance(entry, str) else -1 for entry in spec]), none)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.place[0]) if self.group is None else int(self.group.max(initial=-1)) + 1

    def vector(self, cov: np.ndarray) -> np.ndarray:
        """Coordinates of a positive definite covariance."""
        if self.group is not None:
            variance = np.maximum(np.diag(cov), 1e-300)
            return np.array([np.log(variance[self.group == k].mean()) for k in range(self.size)])
        scale = np.sqrt(np.maximum(np.diag(cov), 1e-300))
        L = np.linalg.cholesky(cov / np.outer(scale, scale) + 1e-13 * np.eye(len(cov))) * scale[:, None]
        L[np.diag_indices_from(L)] = np.log(np.diag(L))
        return L[self.place]

    def factor(self, vector: np.ndarray) -> np.ndarray:
        """The lower triangular factor with positive diagonal."""
        L = np.zeros(self.start.shape)
        L[self.place] = vector
        L[np.diag_indices_from(L)] = np.exp(np.clip(np.diag(L), -300.0, 300.0))
        return L

    def covariance(self, vector: np.ndarray) -> np.ndarray:
        """The covariance at a vector."""
        if self.group is None:
            L = self.factor(vector)
            return L @ L.T
        free = self.group >= 0
        if not free.any():
            return np.array(self.start)
        return np.diag(np.where(free, np.exp(np.clip(vector, -600.0, 600.0))[self.group], np.diag(self.start)))

    def jacobian(self, vector: np.ndarray) -> np.ndarray:
        """Derivatives (size, n, n) of the covariance."""
        n = len(self.start)
        out = np.zeros((self.size, n, n))
        if self.group is not None:
            cov = self.covariance(vector)
            for i in np.flatnonzero(self.group >= 0):
                out[self.group[i], i, i] = cov[i, i]
            return out
        L = self.factor(vector)
        for k, (i, j) in enumerate(zip(*self.place)):
            out[k, i] = L[:, j] * (L[i, i] if i == j else 1.0)
            out[k] += out[k].T
        return out


@dataclass(frozen=True)
class Coordinates:
    """Free parameters of a process under the constraints of EM, as one vector: [A N B c], [C D d], Q, R, initial mean, P0.

    anchor: (n p, n) a factor of the spread that a held P0 gives to the first n outputs, which is then held in place of P0
    itself: whoever changes the state's coordinates changes nothing that way. None: P0 is held entry by entry.
    """

    maximise: Maximiser
    template: Process
    Q: CovarianceCoordinates
    R: CovarianceCoordinates
    P0: CovarianceCoordinates
    anchor: np.ndarray | None = None

    @classmethod
    def of(cls, maximise: Maximiser, process: Process, anchored: bool = False) -> Coordinates:
        """The coordinates around a process that obeys the constraints; anchored: hold P0 by what it does to the outputs."""
        held = CovarianceCoordinates(process.initial.cov, np.full(process.n_states, -1), (np.zeros(0, int), np.zeros(0, int)))
        P0 = CovarianceCoordinates.of(maximise.P0, process.initial.cov) if maximise.initial == "both" else held
        return cls(maximise, process, CovarianceCoordinates.of(maximise.Q, process.Q), CovarianceCoordinates.of(maximise.R, process.R), P0,
                   _first_outputs(process.model.A, process.model.C) @ np.linalg.cholesky(process.initial.cov) if anchored and not P0.size else None)

    def parts(self) -> dict[str, slice]:
        """Where each group stands in the vector."""
        mean = 0 if self.maximise.initial == "fixed" else self.template.n_states
        sizes = {"state": self.maximise.state.G.shape[1], "output": self.maximise.output.G.shape[1], "Q": self.Q.size,
                 "R": self.R.size, "m0": mean, "P0": self.P0.size}  # fmt: skip
        ends = np.cumsum(list(sizes.values()))
        return {key: slice(int(end) - size, int(end)) for (key, size), end in zip(sizes.items(), ends)}

    def vector(self, process: Process) -> np.ndarray:
        """The coordinates of a process."""
        theta, psi = stacked(process.model)
        ties = [self.maximise.state.parameters(theta), self.maximise.output.parameters(psi)]
        mean = np.zeros(0) if self.maximise.initial == "fixed" else process.initial.mean
        return np.concatenate([*ties, self.Q.vector(process.Q), self.R.vector(process.R), mean, self.P0.vector(process.initial.cov)])

    def process(self, vector: np.ndarray) -> Process:
        """The process at a vector."""
        at, model = self.parts(), rebuilt(self.template.model, *self._stacked(vector))
        mean = self.template.initial.mean if self.maximise.initial == "fixed" else vector[at["m0"]]
        P0 = self.P0.covariance(vector[at["P0"]]) if self.anchor is None else _anchored(model.A, model.C, self.anchor)
        return Process(model, self.Q.covariance(vector[at["Q"]]), self.R.covariance(vector[at["R"]]), None, Gaussian(mean, P0))

    def score(self, vector: np.ndarray, process: Process, moments: Moments) -> np.ndarray:
        """Gradient of the log likelihood (plus log prior) from the moments under the same process."""
        at, s = self.parts(), self.maximise.with_prior(moments)
        theta, psi = stacked(process.model)
        state, Q = _regression_score(s.xx, s.xz, s.zz, float(s.transitions), theta, process.Q, self.maximise.Q, bool(self.Q.size))
        output, R = _regression_score(s.yy, s.yh, s.hh, float(s.samples), psi, process.R, self.maximise.R, bool(self.R.size))
        out = np.zeros(len(vector))
        out[at["state"]] = self.maximise.state.G.T @ state.T.ravel()
        out[at["output"]] = self.maximise.output.G.T @ output.T.ravel()
        out[at["Q"]] = np.einsum("kij,ij->k", self.Q.jacobian(vector[at["Q"]]), Q)
        out[at["R"]] = np.einsum("kij,ij->k", self.R.jacobian(vector[at["R"]]), R)
        if self.maximise.initial != "fixed" or self.anchor is not None:
            m0, P0 = process.initial.mean, process.initial.cov
            # Directions in which P0 is singular have no density; the mean cannot be told there.
            inverse = np.linalg.pinv(P0, hermitian=True)
            if self.maximise.initial != "fixed":
                out[at["m0"]] = inverse @ (s.first - s.sequences * m0)
            spread = s.second - np.outer(m0, s.first) - np.outer(s.first, m0) + s.sequences * np.outer(m0, m0)
            by_P0 = _scatter_score(spread, float(s.sequences), P0, self.maximise.P0)
            out[at["P0"]] = np.einsum("kij,ij->k", self.P0.jacobian(vector[at["P0"]]), by_P0)
            if self.anchor is not None:
                out += self._through_anchor(vector, by_P0)
        return out

    def _through_anchor(self, vector: np.ndarray, by_P0: np.ndarray) -> np.ndarray:
        """What A and C do to the likelihood by moving an anchored P0 (central differences of algebra alone)."""
        assert self.anchor is not None
        out, at, n, p = np.zeros(len(vector)), self.parts(), self.template.n_states, self.template.n_outputs
        # Columns are stacked, so those of A and of C come first.
        moving = [at[key].start + np.flatnonzero(tie.G[: n * rows].any(0))
                  for key, tie, rows in (("state", self.maximise.state, n), ("output", self.maximise.output, p))]  # fmt: skip
        for i in np.concatenate(moving):
            step = np.zeros(len(vector))
            step[i] = 1e-6 * max(1.0, abs(vector[i]))
            above, below = (_anchored(*self._matrices(vector + sign * step), self.anchor) for sign in (1, -1))
            out[i] = np.sum(by_P0 * (above - below)) / (2 * step[i])
        return out

    def _matrices(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A (n, n) and C (p, n)."""
        theta, psi = self._stacked(vector)
        return theta[:, : len(theta)], psi[:, : len(theta)]

    def _stacked(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at, ties = self.parts(), self.maximise
        return (ties.state.matrix(vector[at["state"]], self.template.n_states),
                ties.output.matrix(vector[at["output"]], self.template.n_outputs))  # fmt: skip


def _first_outputs(A: np.ndarray, C: np.ndarray) -> np.ndarray:
    """C, C A, ... (n p, n): what the state does to the first n outputs."""
    rows = [C]
    for _ in range(len(A) - 1):
        rows.append(rows[-1] @ A)
    return np.concatenate(rows)


def _anchored(A: np.ndarray, C: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """P0 (n, n) whose factor gives the first outputs the anchored one."""
    X = np.linalg.lstsq(_first_outputs(A, C), anchor, rcond=1e-12)[0]
    return X @ X.T


def _regression_score(xx, xz, zz, count: float, theta: np.ndarray, cov: np.ndarray, shape: NoiseShape, cov_free: bool,
                      ) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the expected log density of x = theta z + noise by theta and by its covariance."""
    weighted = np.linalg.pinv(cov, hermitian=True) @ (xz - theta @ zz)
    cross = theta @ xz.T
    scatter = xx - cross - cross.T + theta @ zz @ theta.T
    return weighted, _scatter_score(scatter, count, cov, shape) if cov_free else np.zeros(cov.shape)


def _scatter_score(scatter: np.ndarray, count: float, cov: np.ndarray, shape: NoiseShape) -> np.ndarray:
    """Derivative of -(count log |cov| + tr cov^-1 scatter) / 2, the inverse-Wishart prior included."""
    if shape.prior is not None:
        scale, degrees = shape.prior
        scatter, count = scatter + scale, count + degrees + len(cov) + 1
    inverse = np.linalg.pinv(cov, hermitian=True)
    return 0.5 * (inverse @ ((scatter + scatter.T) / 2) @ inverse - count * inverse)
