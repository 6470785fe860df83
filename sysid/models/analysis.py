"""Model in, number or matrix out: Gramians, Hankel values, ranks, norms, spectra.

Everything here is about the deviations of an LTI model: offsets do not enter. Bilinear models have generalised Gramians
(`models/bilinear_analysis.py`), which `controllability_gramian` and `observability_gramian` return for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from ..linear import gramians, hankel, norms, realizations
from .bilinear import Bilinear
from .bilinear_analysis import generalized_gramian
from .lti import LTI
from .ltv import LTV
from .names import names


def require_lti(model: Any, call: str) -> LTI:
    """The model itself if it is LTI; else a TypeError that names the way to one."""
    if isinstance(model, LTI):
        return model
    name = type(model).__name__
    cure = {"Bilinear": "Its linear part is model.linear.",
            "LTV": "model.at(t) is the frozen model of one step."}.get(name, "Linearise it: sysid.linearize(model, x, u).")
    raise TypeError(f"{call}: expected an LTI model; received {name}.{_check.instead(model, 'model') or ' ' + cure}")


def controllability_gramian(model: LTI | Bilinear, horizon: float | None = None) -> np.ndarray:
    """Compute the controllability Gramian W (n, n): what unit white input does to the state.

        W = sum_k A^k B B' A'^k      (dt=None: W = int e^(At) B B' e^(A't) dt)

    horizon: None for all time, which needs a stable model; else a number of steps (time, where dt is None), for any
    model. Of a Bilinear model, the generalised Gramian. Raises ValueError for an unstable model without a horizon,
    naming its spectral radius. Cost O(n^3). [ESN-SSM, Eq. 13, 55; Zhou, Doyle & Glover 1996, Sec. 21.1]
    """
    return _gramian(model, horizon, "controllability_gramian", dual=False)


def observability_gramian(model: LTI | Bilinear, horizon: float | None = None) -> np.ndarray:
    """Compute the observability Gramian W (n, n): x' W x is the output energy that the state x releases.

        W = sum_k A'^k C' C A^k      (dt=None: W = int e^(A't) C' C e^(At) dt)

    horizon, Bilinear models, errors and cost as in `controllability_gramian`. [ESN-SSM, Eq. 15, 55]
    """
    return _gramian(model, horizon, "observability_gramian", dual=True)


def _gramian(model: Any, horizon: float | None, call: str, dual: bool) -> np.ndarray:
    if isinstance(model, Bilinear):
        if horizon is not None:
            raise ValueError(f"{call}: expected no horizon for a Bilinear model; received {horizon}.")
        return generalized_gramian(model, dual=dual)
    model = require_lti(model, call)
    A, B = (model.A.T, model.C.T) if dual else (model.A, model.B)
    continuous = model.dt is None
    if horizon is None:
        return gramians.gramian(A, B, continuous=continuous, call=call)
    length = _check.positive(horizon, "horizon", call) if continuous else _check.count(horizon, "horizon", call)
    return gramians.finite_gramian(A, B, length, continuous=continuous)


def gramian_horizon(model: LTI, tolerance: float = 1e-8) -> float:
    """Find the horizon after which the truncated controllability Gramian misses at most `tolerance` of the full one.

    Tested on the tail A^T W A'^T itself, so it holds for non-normal A too, where T = 5 / (1 - rho) is too short.
    Returns steps, or units of time where dt is None. Raises ValueError for an unstable model. Cost O(n^3 log T).
    """
    model = require_lti(model, "gramian_horizon")
    if not 0 < tolerance < 1:
        raise ValueError(f"gramian_horizon: expected 0 < tolerance < 1; received {tolerance}.")
    return gramians.gramian_horizon(model.A, model.B, tolerance, continuous=model.dt is None)


def hankel_singular_values(model: LTI | Bilinear) -> np.ndarray:
    """Compute the Hankel singular values (n,), descending: sigma_i^2 = eigenvalues of Wc Wo.

    They measure how much each balanced state carries from past inputs to future outputs. From the factors of both
    Gramians, so values far below the largest keep their digits. Raises ValueError for an unstable model. Cost O(n^3).
    [Laub, Heath, Paige & Ward 1987]
    """
    if isinstance(model, Bilinear):
        product = generalized_gramian(model, dual=False) @ generalized_gramian(model, dual=True)
        return np.sort(np.sqrt(np.maximum(np.linalg.eigvals(product).real, 0)))[::-1]
    model = require_lti(model, "hankel_singular_values")
    return hankel.hankel_singular_values(model.A, model.B, model.C, continuous=model.dt is None)


def controllability_matrix(model: LTI | LTV, n_steps: int | None = None) -> np.ndarray:
    """Stack what reaches the state, [B, A B, ..., A^(h-1) B] (n, h m).

    n_steps: h, the order n unless given. Of an LTV model over its last h steps (all, unless given), latest input first:
    [B_(T-1), A_(T-1) B_(T-2), ...]. Do not decide rank on it: `controllability_rank` does. [ESN-SSM, Eq. 12, 53]
    Raises TypeError or ValueError for n_steps that is not a whole number from 1, and for other models.
    """
    if isinstance(model, LTV):
        return _along(model, n_steps, "controllability_matrix", dual=False)
    model = require_lti(model, "controllability_matrix")
    steps = model.n_states if n_steps is None else _check.count(n_steps, "n_steps", "controllability_matrix")
    return realizations.controllability_matrix(model.A, model.B, steps)


def observability_matrix(model: LTI | LTV, n_steps: int | None = None) -> np.ndarray:
    """Stack what the outputs see of the first state, [C; C A; ...; C A^(h-1)] (h p, n).

    n_steps: h, the order n unless given. Of an LTV model over its first h steps (all, unless given):
    [C_0; C_1 A_0; C_2 A_1 A_0; ...]. Do not decide rank on it: `observability_rank` does. [ESN-SSM, Eq. 14, 54]
    Raises TypeError or ValueError for n_steps that is not a whole number from 1, and for other models.
    """
    if isinstance(model, LTV):
        return _along(model, n_steps, "observability_matrix", dual=True)
    model = require_lti(model, "observability_matrix")
    steps = model.n_states if n_steps is None else _check.count(n_steps, "n_steps", "observability_matrix")
    return realizations.controllability_matrix(model.A.T, model.C.T, steps).T


def _along(model: LTV, n_steps: int | None, call: str, dual: bool) -> np.ndarray:
    T = model.n_steps
    steps = T if n_steps is None else _check.count(n_steps, "n_steps", call)
    if steps > T:
        raise ValueError(f"{call}: expected n_steps <= {T}, the steps of the LTV model; received {steps}.")
    A, B, C = (np.broadcast_to(M, (T, *M.shape[1:])) for M in (model.A, model.B, model.C))
    product, blocks = np.eye(model.n_states), []
    for k in range(steps):
        if dual:
            blocks.append(C[k] @ product)
            product = A[k] @ product
        else:
            blocks.append(product @ B[T - 1 - k])
            product = product @ A[T - 1 - k]
    return np.vstack(blocks) if dual else np.hstack(blocks)


def controllability_rank(model: LTI, tolerance: float | None = None) -> int:
    """Count the controllable states by an orthogonal staircase.

    model: LTI with A (n, n), B (n, m). tolerance: relative, n eps unless given, free of the units of A or B. The textbook rank of
    [B, AB, ...] is wrong from n of about ten on. Cost O(n^3). [Van Dooren 1981]
    """
    model = require_lti(model, "controllability_rank")
    return realizations.controllable_basis(model.A, model.B, tolerance).shape[1]


def observability_rank(model: LTI, tolerance: float | None = None) -> int:
    """Count the observable states by an orthogonal staircase; tolerance and cost as in `controllability_rank`."""
    model = require_lti(model, "observability_rank")
    return realizations.controllable_basis(model.A.T, model.C.T, tolerance).shape[1]


def input_energy(model: LTI, x: Any, horizon: float | None = None) -> float:
    """Compute the least input energy sum |u|^2 that brings the state from 0 to x.

        E = x' W^-1 x,   W the controllability Gramian over the horizon (all time unless given)

    model: a stable LTI, or any with a horizon (steps, or time). x: (n,). Returns inf where x is not reachable. Cost O(n^3). [Kailath 1980, Sec. 9.2]
    Raises ValueError for x of another size, TypeError for other models.
    """
    model = require_lti(model, "input_energy")
    x = _check.vector(x, "x", "input_energy", model.n_states, "the model has as many states")
    W = _gramian(model, horizon, "input_energy", dual=False)
    values, vectors = np.linalg.eigh(W)
    seen = values > len(W) * np.finfo(float).eps * max(values[-1], 0) if len(W) else np.zeros(0, dtype=bool)
    coordinates = vectors.T @ x
    if np.linalg.norm(coordinates[~seen]) > 1e-8 * np.linalg.norm(x):
        return float("inf")
    return float(np.sum(coordinates[seen] ** 2 / values[seen]))


def h2_norm(model: LTI | Bilinear) -> float:
    """Compute the H2 norm: root mean square of the output under unit white input, root energy of the impulse response.

        discrete  sqrt(tr(C W C' + D D')),   continuous  sqrt(tr(C W C')), inf unless D = 0

    Returns a number that depends on dt: sampling a continuous model by dt multiplies it by about sqrt(dt).
    Of a Bilinear model, with its generalised Gramian. Raises ValueError for an unstable model. Cost O(n^3).
    [Zhou, Doyle & Glover 1996, Lemma 4.4; corrections #5, #36]
    """
    if isinstance(model, Bilinear):
        if model.dt is None and model.D.any():
            return float("inf")
        return float(np.sqrt(np.sum((model.C @ generalized_gramian(model, dual=False)) * model.C) + np.sum(model.D**2)))
    model = require_lti(model, "h2_norm")
    return norms.h2_norm(model.A, model.B, model.C, model.D, continuous=model.dt is None)


def hinf_norm(model: LTI, tolerance: float = 1e-10) -> tuple[float, float]:
    """Compute the H-infinity norm, the largest gain over frequency, and the frequency where it is reached.

    tolerance: relative. Returns (value, omega), omega in rad per unit of time; inf where the feed-through is the peak.
    Raises ValueError for an unstable model. Cost O(n^3), Hamiltonian eigenproblems of size 2n.
    [Bruinsma & Steinbuch 1990]
    """
    model = require_lti(model, "hinf_norm")
    value, omega = norms.hinf_norm(model.A, model.B, model.C, model.D, continuous=model.dt is None, tolerance=tolerance)
    return value, omega / (model.dt or 1.0)


def l1_gain(model: LTI, tolerance: float = 1e-8) -> float:
    """Compute the peak gain: the largest output amplitude over inputs of amplitude at most 1.

        max_i sum_j sum_k |h_k[i, j]|

    tolerance: relative, with a proven tail in discrete time. The model is BIBO stable if and only if this is finite.
    Raises ValueError for an unstable model. Cost O(n^2 T). [Dahleh & Diaz-Bobillo 1995, Sec. 2.3]
    """
    model = require_lti(model, "l1_gain")
    return norms.l1_gain(model.A, model.B, model.C, model.D, continuous=model.dt is None, tolerance=tolerance)


def is_bibo_stable(model: LTI, tolerance: float | None = None) -> bool:
    """Tell whether bounded inputs give bounded outputs: whether the minimal part is stable.

    Weaker than `model.is_stable()`: A = diag(.5, 2), B = (1, 0)', C = (1, 1) is BIBO stable with spectral radius 2, and
    its hidden state still grows from any initial value (corrections #2). tolerance: of the rank decisions, relative.
    Cost O(n^3). [Kailath 1980, Sec. 2.6]
    """
    model = require_lti(model, "is_bibo_stable")
    return minimal(model, tolerance).is_stable()


def minimal(model: LTI, tolerance: float | None = None) -> LTI:
    """Remove the states that no input reaches or no output sees; the transfer function stays.

    model: LTI. tolerance: relative rank tolerance, n eps unless given. Offsets are kept through the equilibrium they define, where
    there is one. Cost O(n^3). [Kalman 1963; Van Dooren 1981]
    """
    model = require_lti(model, "minimal")
    V = realizations.controllable_basis(model.A, model.B, tolerance)
    A, B, C = V.T @ model.A @ V, V.T @ model.B, model.C @ V
    W = realizations.controllable_basis(A.T, C.T, tolerance)
    c, d = model.c, model.d
    if c.any():
        # A state that only the offset reaches still lifts the output: move the offset to the output.
        c, d = np.zeros(model.n_states), d + model.C @ model.equilibrium()
    return LTI(W.T @ A @ W, W.T @ B, C @ W, model.D, model.dt, W.T @ (V.T @ c), d, **names(model))


def modal_form(model: LTI) -> LTI:
    """Transform to real modal form: A block diagonal, [[s, w], [-w, s]] for a pair of poles s +- iw.

    model: LTI. Raises ValueError for a defective A. Cost O(n^3). [Kailath 1980, Sec. 1.2]
    """
    model = require_lti(model, "modal_form")
    T = realizations.modal(model.A, model.B, model.C)[3]
    return model.transform(T) if model.n_states else model


def stable_part(model: LTI) -> tuple[LTI, LTI]:
    """Split into a stable and a remaining model whose outputs add up to those of the given one (D and d go with the first).

    Offsets go where their states go. Cost O(n^3). [Safonov, Jonckheere, Verma & Limebeer 1987]
    """
    model = require_lti(model, "stable_part")
    inputs = np.column_stack((model.B, model.c))
    (A, B, C), (Ar, Br, Cr) = realizations.split(model.A, inputs, model.C, continuous=model.dt is None)
    return (LTI(A, B[:, :-1], C, model.D, model.dt, B[:, -1], model.d, **names(model)),
            LTI(Ar, Br[:, :-1], Cr, None, model.dt, Br[:, -1], **names(model)))  # fmt: skip


def output_spectrum(model: LTI, omega: Any, input_spectrum: Any = None) -> np.ndarray:
    """Compute the power spectrum of the output for a given input spectrum.

        S_y(w) = H(w) S_u(w) H(w)^*

    model: LTI. omega: (F,) in rad per unit of time. input_spectrum: (F, m, m) Hermitian, or (m, m), or None for unit white noise.
    Returns (F, p, p), complex Hermitian. [ESN-SSM, Eq. 61; Kailath, Sayed & Hassibi 2000, Sec. 6.4]
    Raises ValueError for input_spectrum of another shape, TypeError for other models.
    """
    model = require_lti(model, "output_spectrum")
    H = model.frequency_response(omega)
    m = model.n_inputs
    S = np.eye(m) if input_spectrum is None else np.asarray(input_spectrum)
    if S.shape not in ((m, m), (len(H), m, m)):
        raise ValueError(f"output_spectrum: expected input_spectrum with shape ({len(H)}, {m}, {m}) or ({m}, {m}); "
                         f"received {S.shape}.")  # fmt: skip
    return H @ S @ H.conj().transpose(0, 2, 1)
