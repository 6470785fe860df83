"""Spectra of matrices and operators: radius, norm, real normal forms.

    spectral radius  rho(W) = max_i |lambda_i(W)|,      norm  ||W|| = sigma_max(W)

Sparse matrices and operators stay as they are: only products with them are taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from .. import _check

_DENSE_LIMIT = 600  # below it LAPACK on the dense matrix is faster than a restarted Arnoldi iteration


def is_sparse(W: Any) -> bool:
    """Tell whether W is a SciPy sparse matrix or array."""
    return hasattr(W, "tocsr") and hasattr(W, "nnz")


def dense(W: Any) -> np.ndarray:
    """W as an ndarray: from an ndarray, a sparse array or an operator with `toarray`."""
    return np.asarray(W.toarray() if hasattr(W, "toarray") else W, dtype=np.float64)


def spectral_radius(W: Any) -> float:
    """Return the largest modulus of an eigenvalue of W.

    W : (n, n) ndarray, sparse array, or operator with `shape` and `@`; its own `eigenvalues()` is used if there.

    Deterministic: the Arnoldi iteration starts from a fixed vector. Cost O(n^3) dense, else a few hundred
    products.
    Raises ValueError where a large sparse W defeats the iteration.
    """
    n = W.shape[0]
    if n == 0:
        return 0.0
    if hasattr(W, "eigenvalues"):
        return float(np.abs(W.eigenvalues()).max())
    if n <= _DENSE_LIMIT or (isinstance(W, np.ndarray) and n <= 1000):
        return float(np.abs(scipy.linalg.eigvals(dense(W), check_finite=False)).max())
    return _arnoldi_radius(W)


def _arnoldi_radius(W: Any) -> float:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs
    n = W.shape[0]
    plain = isinstance(W, np.ndarray) or is_sparse(W)
    operator = W if plain else LinearOperator((n, n), matvec=lambda v: W @ v)
    start = np.random.default_rng(0).standard_normal(n)
    try:
        values = eigs(operator, k=4, ncv=min(n - 1, 80), which="LM", v0=start, tol=1e-10, maxiter=3000,
                      return_eigenvectors=False)
        return float(np.abs(values).max())
    except ArpackNoConvergence as error:
        if n <= 4000:
            return float(np.abs(scipy.linalg.eigvals(dense(W), check_finite=False)).max())
        raise ValueError(f"spectral_radius: the Arnoldi iteration did not settle for W of shape {W.shape}. "
                         "Give spectral_radius=None and scale W by its norm instead.") from error


def spectral_norm(W: Any) -> float:
    """Return ||W||, the largest singular value; sparse matrices and operators are not made dense."""
    n = min(W.shape)
    if n == 0:
        return 0.0
    if isinstance(W, np.ndarray) or n <= _DENSE_LIMIT:
        return float(np.linalg.norm(dense(W), 2))
    if hasattr(W, "eigenvalues") and getattr(W, "is_normal", False):
        return float(np.abs(W.eigenvalues()).max())
    from scipy.sparse.linalg import LinearOperator, svds
    operator = W if is_sparse(W) else LinearOperator(
        W.shape, matvec=lambda v: W @ v, rmatvec=lambda v: W.T @ v)
    start = np.random.default_rng(0).standard_normal(n)
    return float(svds(operator, k=1, v0=start, tol=1e-10, return_singular_vectors=False)[0])


def scale_to_radius(W: Any, radius: float, call: str) -> Any:
    """Return W times the factor that gives it the wanted spectral radius; refuse a zero or nilpotent W."""
    if radius == 0.0:
        return W * 0.0
    current = 0.0 if is_nilpotent_by_structure(W) else spectral_radius(W)
    n = W.shape[0]
    # Eigenvalues of a nilpotent matrix come out of rounding as large as (n eps)^(1/n) ||W||.
    blur = (n * np.finfo(float).eps) ** (1.0 / n) * spectral_norm(W) if n <= 10 else 0.0
    if current <= blur or current < 1e-300:
        raise ValueError(f"{call}: expected W with a nonzero eigenvalue, to be scaled to spectral radius "
                         f"{radius:g}; received a zero or nilpotent W (n = {n}). "
                         "More edges (density) or a cycle help.")
    return W * (radius / current)


def is_nilpotent_by_structure(W: Any) -> bool:
    """Tell whether the graph of W has no cycle at all, so that W^n = 0 exactly."""
    if not (isinstance(W, np.ndarray) or is_sparse(W)):
        return False
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components
    graph = csr_array(W)
    graph.eliminate_zeros()
    if graph.nnz == 0:
        return True
    if graph.diagonal().any():
        return False
    parts = connected_components(graph, directed=True, connection="strong", return_labels=False)
    return bool(parts == graph.shape[0])


def conjugate_blocks(poles: Any, call: str) -> list[np.ndarray]:
    """Return real 1x1 and 2x2 rotation-scaling blocks whose joint spectrum is `poles`.

    A pair r exp(+-i theta) gives r [[cos, -sin], [sin, cos]], which is normal. Raises ValueError where `poles` is not
    closed under conjugation.
    """
    values = _check.complex_vector(poles, "poles", call)
    scale = np.abs(values).max(initial=1.0)
    real = np.abs(values.imag) <= 1e-12 * scale
    upper = sorted(values[~real & (values.imag > 0)], key=lambda z: (z.real, z.imag))
    lower = sorted(values[~real & (values.imag < 0)].conj(), key=lambda z: (z.real, z.imag))
    if len(upper) != len(lower) or any(abs(a - b) > 1e-9 * scale for a, b in zip(upper, lower)):
        lonely = next((a for a in [*upper, *lower]
                       if sum(abs(a - b) <= 1e-9 * scale for b in upper)
                       != sum(abs(a - b) <= 1e-9 * scale for b in lower)), upper[0] if upper else 0)
        raise ValueError(f"{call}: expected poles closed under conjugation, because the matrix is real; received "
                         f"{lonely:.6g} or its conjugate without the other.")
    pairs = [np.array([[z.real, -z.imag], [z.imag, z.real]]) for z in upper]
    return [np.array([[z.real]]) for z in values[real]] + pairs
