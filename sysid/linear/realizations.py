"""Realisations: from Markov parameters, minimal, modal, split; ranks by orthogonal staircase.

The textbook rank test on [B, AB, A^2 B, ...] fails for n of ten or more because its columns align; the staircase
decides rank by rank on orthogonally transformed blocks [Van Dooren 1981].
"""

from __future__ import annotations

import numpy as np
import scipy

from .equations import continuous_sylvester
from .hankel import hankel_matrix

__all__ = ["controllability_matrix", "controllable_basis", "eigensystem_realization", "minimal", "modal", "split"]


def controllability_matrix(A: np.ndarray, B: np.ndarray, steps: int) -> np.ndarray:
    """Stack [B, AB, ..., A^(steps-1) B].

    A: (n, n). B: (n, m). Returns (n, steps m). The observability matrix of (A, C) is the transpose of this for
    (A', C'). Cost O(steps n^2 m). [Kailath 1980, Sec. 2.3]
    """
    blocks = [B]
    for _ in range(steps - 1):
        blocks.append(A @ blocks[-1])
    return np.hstack(blocks[:steps]) if steps else np.zeros((len(A), 0))


def controllable_basis(A: np.ndarray, B: np.ndarray, tolerance: float | None = None) -> np.ndarray:
    """Find an orthonormal basis of the controllable subspace, the smallest A-invariant one that contains B.

    A: (n, n). B: (n, m). tolerance: relative rank tolerance, n eps unless given; it does not depend on the units of
    A or B. Returns (n, r). Cost O(n^3). [Van Dooren 1981]
    """
    n = len(A)
    relative = n * np.finfo(float).eps if tolerance is None else tolerance
    size_A = float(np.linalg.norm(A)) if n else 0.0
    lengths = np.linalg.norm(B, axis=0)
    new = B[:, lengths > 0] / lengths[lengths > 0]
    basis = np.zeros((n, 0))
    limit = relative * np.sqrt(max(n, 1))
    while new.shape[1] and basis.shape[1] < n:
        for _ in range(2):  # twice is enough
            new = new - basis @ (basis.T @ new)
        U, values, _ = np.linalg.svd(new, full_matrices=False)
        fresh = U[:, values > limit]
        basis = np.hstack((basis, fresh))
        new = A @ fresh / size_A if size_A else np.zeros((n, 0))
    return basis[:, :n]


def minimal(A: np.ndarray, B: np.ndarray, C: np.ndarray, tolerance: float | None = None,
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Remove uncontrollable and unobservable states by two orthogonal projections.

    A: (n, n). B: (n, m). C: (p, n). tolerance: relative, n eps unless given. Returns (A, B, C) with r <= n states and
    the same transfer function. For states that are nearly but not exactly redundant use balanced truncation.
    Cost O(n^3). [Kalman 1963; Van Dooren 1981]
    """
    V = controllable_basis(A, B, tolerance)
    A, B, C = V.T @ A @ V, V.T @ B, C @ V
    W = controllable_basis(A.T, C.T, tolerance)
    return W.T @ A @ W, W.T @ B, C @ W


def modal(A: np.ndarray, B: np.ndarray, C: np.ndarray, *, max_condition: float = 1e8,
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Transform to real modal form: A block diagonal, [[s, w], [-w, s]] for a pair s +- iw.

    A: (n, n) diagonalisable. B: (n, m). C: (p, n). Returns (A, B, C, T) with x_modal = T^-1 x. Raises ValueError
    where the eigenvectors are conditioned worse than `max_condition` (A defective or nearly so). Cost O(n^3).
    [Kailath 1980, Sec. 1.2]
    """
    poles, V = np.linalg.eig(A)
    columns, order = [], []
    for i in np.argsort(-np.abs(poles), kind="stable"):
        if poles[i].imag > 0:
            columns += [V[:, i].real, V[:, i].imag]
            order.append(i)
        elif poles[i].imag == 0:
            columns.append(V[:, i].real)
            order.append(i)
    T = np.array(columns).T.reshape(A.shape)
    condition = np.linalg.cond(T) if len(A) else 1.0
    if not condition < max_condition:
        raise ValueError(f"modal form: expected a diagonalisable A; received eigenvectors of condition {condition:.3g} "
                         f"(limit {max_condition:.3g}). Use the Schur or balanced form for a defective A.")
    blocks = [np.array([[poles[i].real, poles[i].imag], [-poles[i].imag, poles[i].real]]) if poles[i].imag
              else np.array([[poles[i].real]]) for i in order]
    solved = np.linalg.solve(T, B)
    return (scipy.linalg.block_diag(*blocks) if blocks else A), solved, C @ T, T


def split(A: np.ndarray, B: np.ndarray, C: np.ndarray, *, continuous: bool = False, margin: float = 0.0) -> tuple:
    """Split a model into its stable part and the rest, H = H_stable + H_rest (D stays with neither).

    A: (n, n). B: (n, m). C: (p, n). margin: poles closer than this to the boundary count as not stable. An ordered
    Schur form and one Sylvester equation decouple the two. Returns ((A, B, C) stable, (A, B, C) rest). Cost O(n^3).
    [Safonov, Jonckheere, Verma & Limebeer 1987]
    """
    if len(A) == 0:
        return (A, B, C), (A, B, C)

    def inside(real: float, imag: float) -> bool:
        return real < -margin if continuous else np.hypot(real, imag) < 1 - margin

    T, U, k = scipy.linalg.schur(A, output="real", sort=inside)
    B, C = U.T @ B, C @ U
    # [[I, X], [0, I]] block-diagonalises T: T11 X - X T22 = -T12.
    X = continuous_sylvester(T[:k, :k], -T[k:, k:], -T[:k, k:])
    stable = (T[:k, :k], B[:k] - X @ B[k:], C[:, :k])
    rest = (T[k:, k:], B[k:], C[:, k:] + C[:, :k] @ X)
    return stable, rest


def eigensystem_realization(markov: np.ndarray, order: int | None = None, rows: int | None = None,
                            columns: int | None = None) -> tuple:
    """Realise Markov parameters by the eigensystem realisation algorithm (Ho-Kalman by SVD).

        H = U S V',   A = S^(-1/2) U' H_shifted V S^(-1/2),   B = S^(1/2) V' E,   C = E' U S^(1/2),   D = h_0

    markov: (L, p, m) with h_0 = D first. order: None takes the numerical rank of H. rows, columns: block sizes of H,
    rows + columns <= L - 1, by default as square as L allows. Returns (A, B, C, D, singular values of H).
    Noiseless data of a minimal model of that order are reproduced to rounding. Cost O(L^3 p m min(p, m)).
    [Juang & Pappa 1985, Eq. 16; Ho & Kalman 1966]
    """
    length, p, m = markov.shape
    rows = length // 2 if rows is None else rows
    columns = length - 1 - rows if columns is None else columns
    if rows < 1 or columns < 1 or rows + columns > length - 1:
        raise ValueError(f"eigensystem_realization: expected rows + columns <= {length - 1} because {length} Markov "
                         f"parameters were given; received rows = {rows}, columns = {columns}.")
    H = hankel_matrix(markov, rows, columns)
    U, values, Vt = np.linalg.svd(H, full_matrices=False)
    rank = int(np.sum(values > max(H.shape) * np.finfo(float).eps * values[0])) if values[0] > 0 else 0
    order = rank if order is None else order
    if order > rank:
        raise ValueError(f"eigensystem_realization: expected order <= {rank}, the numerical rank of the Hankel matrix; "
                         f"received {order}. Give more Markov parameters or ask for fewer states.")
    root = np.sqrt(values[:order])
    left, right = U[:, :order] / root, Vt[:order].T / root
    A = left.T @ hankel_matrix(markov, rows, columns, shift=2) @ right  # [Juang & Pappa 1985, Eq. 16]
    B = (root[:, None] * Vt[:order])[:, :m]
    C = (U[:, :order] * root)[:p]
    return A, B, C, markov[0].copy(), values
