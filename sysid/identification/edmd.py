"""Extended dynamic mode decomposition: the linear model of a dictionary of observables that predicts them best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from .. import _check
from ..core.data import Data
from ..core.gaussian import Gaussian
from ..models.bilinear import Bilinear
from ..models.lti import LTI
from ..models.process import Process
from ..transforms.lift import surrogate_error
from ..transforms.lifted import LiftedModel
from .fit import Fit

STRUCTURES = ("full", "banded", "symmetric", "normal")


@dataclass(frozen=True, eq=False)
class EDMD:
    r"""Fit z = phi(x) by z[t+1] = A z[t] + B u[t] + sum_i u_i N_i z[t] + c from measured states.

    .. math:: \min_{A,B,N,c} \sum_t \| \varphi(x_{t+1}) - A\varphi(x_t) - B u_t - \sum_i u_{t,i} N_i \varphi(x_t) - c \|^2
              + \text{ridge}\,\|[A\ B\ N]\|_F^2

    [Williams, Kevrekidis & Rowley 2015; ESN-SSM, Sec. 3.3]. Data hold the states in y (T, n) and inputs in u (T, m).
    dictionary : observables such as `Polynomial(degree=2)`, or a list of them to choose among by the error of k-step
        forecasts on the last quarter of each sequence; `fit.history` then holds "loss" and "radius".
    bilinear : add N. input_map : widens the inputs, such as lambda u: np.hstack([u, u**2]).
    ridge : 0 refuses a regression with fewer rows than unknowns; a positive one is added to the sum of centred squares.
    max_radius : the largest modulus allowed of A's eigenvalues; larger ones are pulled in and B, N, c are fitted again.
    structure : "full"; "banded" (entries within `bandwidth` of the diagonal); "symmetric"; "normal" (1 x 1 and 2 x 2
        rotation-scaling blocks in an orthogonal basis taken from the full solution's Schur form).
    steps : k of the choice among dictionaries.
    Pairs never cross the ends of sequences. Rows with a missing state are left out. `fit.process` holds Q from the
    residuals. O(T N^2 + N^3).
    Raises TypeError or ValueError for what is not a dictionary, and options out of range.
    """

    dictionary: Any
    bilinear: bool = False
    input_map: Callable | None = None
    ridge: float = 0.0
    max_radius: float | None = None
    structure: str = "full"
    bandwidth: int = 1
    steps: int = 10

    def __post_init__(self) -> None:
        several = self.dictionary if isinstance(self.dictionary, list | tuple) else [self.dictionary]
        wrong = [d for d in several if isinstance(d, type) or not hasattr(d, "prepare")]
        if wrong or not several:
            raise TypeError("EDMD: expected a dictionary such as sysid.Polynomial(degree=2), or a list of them; "
                            f"received {_check.received(wrong[0]) if wrong else 'an empty list'}.")
        _check.options(self, bilinear="flag", ridge="nonnegative", max_radius="positive")
        _check.choice(self.structure, "structure", "EDMD", STRUCTURES)
        _check.count(self.bandwidth, "bandwidth", "EDMD", least=0)
        _check.count(self.steps, "steps", "EDMD")

    def fit(self, data: list[Data], start: Any) -> Fit:
        """Estimate from single sequences; `start` plays no part."""
        if isinstance(self.dictionary, list | tuple):
            return self._choose(data)
        prepared = self.dictionary.prepare(np.vstack([d.y[~d.missing.any(1)] for d in data]))
        pairs = [self._pairs(prepared, d) for d in data]
        Z, V, Znext, x = (np.vstack([p[i] for p in pairs]) for i in range(4))
        core, notes = self._solve(Z, V, Znext, x, data[0].dt)
        residual = Znext - _image(core, Z, V)
        scatter = residual.T @ residual / len(Z)
        model = LiftedModel(prepared, core, self.input_map, scatter, Z.T @ Z / len(Z))
        spread = np.cov(Z, rowvar=False).reshape(core.n_states, core.n_states)
        process = Process(model, Q=scatter, R=np.zeros((core.n_outputs, core.n_outputs)), initial=Gaussian(Z.mean(0), spread))
        return Fit(model=model, process=process, notes=tuple(notes),
                   history={"loss": np.array([np.trace(scatter)]), "radius": np.abs(model.eigenvalues()[:1])})

    def _pairs(self, dictionary: Any, data: Data) -> tuple[np.ndarray, ...]:
        """Observables, inputs, next observables and states of the pairs within one sequence."""
        z, k = dictionary(data.y), dictionary.memory
        u = data.inputs if self.input_map is None or data.u is None else np.asarray(self.input_map(data.u), dtype=float)
        z0, v, z1 = z[:-1], u[k:-1], z[1:]
        whole = np.isfinite(z0).all(1) & np.isfinite(z1).all(1)
        return z0[whole], v[whole], z1[whole], data.y[k:-1][whole]

    def _solve(self, Z: np.ndarray, V: np.ndarray, Znext: np.ndarray, x: np.ndarray, dt: float) -> tuple[Any, list[str]]:
        N, m, n = Z.shape[1], V.shape[1], x.shape[1]
        cross = np.hstack([V[:, [i]] * Z for i in range(m)]) if self.bilinear and m else np.zeros((len(Z), 0))
        X = np.hstack([Z, V, cross])
        if len(X) <= X.shape[1] and self.ridge == 0.0:
            raise ValueError(f"fit(EDMD): expected more pairs of samples than the {X.shape[1]} unknowns a row; received "
                             f"{len(X)}. Take a smaller dictionary, more data, or say ridge > 0.")
        coefficients, c, rank = _regress(X, Znext, self.ridge)
        notes = [f"the observables are dependent on the data (rank {rank} of {X.shape[1]}); the solution of least norm "
                 "was taken"] if rank < X.shape[1] and self.ridge == 0.0 else []
        free = coefficients[:, :N]
        A = self._structured(free, X, Znext, N)
        if self.max_radius is not None:
            A = _within(A, self.max_radius, notes)
        if A is not free:
            rest, c, _ = _regress(X[:, N:], Znext - Z @ A.T, self.ridge)
            coefficients = np.hstack([A, rest])
        B, stack = coefficients[:, N : N + m], coefficients[:, N + m :]
        C, d = np.hstack([np.eye(n), np.zeros((n, N - n))]) if N >= n else None, np.zeros(n)
        if C is None or not np.array_equal(Z[:, :n], x):
            C, d, _ = _regress(Z, x, 0.0)
        if not self.bilinear or not m:
            return LTI(A, B, C, None, dt, c, d), notes
        return Bilinear(A, B, stack.reshape(N, m, N).transpose(1, 0, 2), C, None, dt, c, d), notes

    def _structured(self, A: np.ndarray, X: np.ndarray, Znext: np.ndarray, N: int) -> np.ndarray:
        if self.structure == "full":
            return A
        Xc, Yc = X - X.mean(0), Znext - Znext.mean(0)
        others = Xc[:, N:]
        if others.shape[1]:  # what inputs explain is taken out of both sides
            Q = linalg.qr(others, mode="economic")[0]
            Xc, Yc = Xc[:, :N] - Q @ (Q.T @ Xc[:, :N]), Yc - Q @ (Q.T @ Yc)
        Xc = Xc[:, :N]
        if self.structure == "banded":
            return _banded(Xc, Yc, self.bandwidth, self.ridge)
        if self.structure == "symmetric":
            return _symmetric(Xc, Yc, self.ridge)
        return _normal(A, Xc, Yc)

    def _choose(self, data: list[Data]) -> Fit:
        """Fit every dictionary on the first three quarters and keep the one with the least forecast error on the rest."""
        cut = [d.split(0.75) for d in data]
        losses, radii = [], []
        for dictionary in self.dictionary:
            trial = EDMD(dictionary, self.bilinear, self.input_map, self.ridge, self.max_radius, self.structure,
                         self.bandwidth, self.steps)
            try:
                model = trial.fit([a for a, _ in cut], None).model
                errors = [surrogate_error(model, b.y, b.u, self.steps).typical[0] for _, b in cut]
                losses.append(float(np.sqrt(np.mean(np.square(errors)))))
                radii.append(float(np.abs(model.eigenvalues()[0])))
            except (ValueError, np.linalg.LinAlgError):
                losses.append(np.inf)
                radii.append(np.nan)
        if not np.isfinite(losses).any():
            raise ValueError("fit(EDMD): none of the dictionaries could be fitted; try one alone to see why.")
        best = EDMD(self.dictionary[int(np.argmin(losses))], self.bilinear, self.input_map, self.ridge, self.max_radius,
                    self.structure, self.bandwidth, self.steps).fit(data, None)
        return Fit(model=best.model, process=best.process, notes=best.notes,
                   history={"loss": np.array(losses), "radius": np.array(radii)})


def _image(core: Any, Z: np.ndarray, V: np.ndarray) -> np.ndarray:
    out = Z @ core.A.T + V @ core.B.T + core.c
    for i, N in enumerate(getattr(core, "N", ())):
        out += V[:, [i]] * (Z @ N.T)
    return out


def _regress(X: np.ndarray, Y: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Ridge with a free intercept on columns of unit scale by singular values: coefficients (p, k), offset (p,), rank."""
    x, y = X.mean(0), Y.mean(0)
    if X.shape[1] == 0:
        return np.zeros((Y.shape[1], 0)), y, 0
    Xc = X - x
    scale = np.linalg.norm(Xc, axis=0) if ridge == 0.0 else np.ones(X.shape[1])
    scale = np.where(scale > 0, scale, 1.0)
    U, s, Vt = linalg.svd(Xc / scale, full_matrices=False, check_finite=False)
    floor = s.max(initial=0.0) * max(X.shape) * np.finfo(float).eps
    rank = int((s > floor).sum())
    shrink = np.where(s > floor, s / np.where(s > floor, s ** 2 + ridge, 1.0), 0.0)
    coefficients = ((Y - y).T @ U * shrink) @ Vt / scale
    return coefficients, y - coefficients @ x, rank


def _within(A: np.ndarray, radius: float, notes: list[str]) -> np.ndarray:
    """Pull eigenvalues beyond the radius onto it, eigenvectors kept."""
    values, vectors = np.linalg.eig(A)
    if (np.abs(values) <= radius).all():
        return A
    notes.append(f"{int((np.abs(values) > radius).sum())} eigenvalues up to {np.abs(values).max():.6g} were pulled to {radius:g}")
    pulled = values * np.minimum(1.0, radius / np.maximum(np.abs(values), 1e-300))
    return np.real(vectors * pulled @ np.linalg.inv(vectors))


def _banded(X: np.ndarray, Y: np.ndarray, bandwidth: int, ridge: float) -> np.ndarray:
    """Row by row on the entries near the diagonal; exact least squares under the pattern."""
    N = X.shape[1]
    A = np.zeros((N, N))
    for i in range(N):
        near = np.arange(max(0, i - bandwidth), min(N, i + bandwidth + 1))
        A[i, near] = _regress(X[:, near], Y[:, [i]], ridge)[0][0]
    return A


def _symmetric(X: np.ndarray, Y: np.ndarray, ridge: float) -> np.ndarray:
    """min |Y - X A|, A = A': the Lyapunov equation G A + A G = X'Y + Y'X [Higham 1988]."""
    G = X.T @ X + ridge * np.eye(X.shape[1])
    values, vectors = np.linalg.eigh(G)
    right = vectors.T @ (X.T @ Y + Y.T @ X) @ vectors
    pairs = np.maximum(values[:, None] + values[None], 1e-14 * values.max(initial=1e-300))
    return vectors @ (right / pairs) @ vectors.T


def _normal(A: np.ndarray, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Rotation-scaling blocks in the Schur basis of A, each fitted by least squares: A is normal, not the nearest one."""
    T, Q = linalg.schur(A, output="real")
    P, R, D, i = X @ Q, Y @ Q, np.zeros_like(A), 0
    while i < len(A):
        if i + 1 < len(A) and T[i + 1, i] != 0.0:
            p, q, r, s = P[:, i], P[:, i + 1], R[:, i], R[:, i + 1]
            size = max(p @ p + q @ q, 1e-300)
            a, b = (p @ r + q @ s) / size, (p @ s - q @ r) / size
            D[i : i + 2, i : i + 2] = [[a, -b], [b, a]]
            i += 2
        else:
            D[i, i] = P[:, i] @ R[:, i] / max(P[:, i] @ P[:, i], 1e-300)
            i += 1
    return Q @ D @ Q.T
