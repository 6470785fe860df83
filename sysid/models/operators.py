"""Structured matrices held by what defines them: convolutions on a grid, polynomials of a graph Laplacian.

Each has `shape`, `@` on (n,) and (n, k), `T`, `eigenvalues()`, `norm()`, and on demand `to_sparse()` and `toarray()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check


@dataclass(frozen=True, eq=False)
class GridConvolution:
    r"""Convolution of a field with periodic boundaries, block circulant with circulant blocks.

    .. math:: (K * x)_{ij} = \sum_{ab} K_{ab}\, x_{i-a, j-b}, \qquad
              \widehat{K * x}(\omega) = \hat K(\omega)\, \hat x(\omega)

    kernel : (height, width, k_out, k_in), centred at (height // 2, width // 2). grid : (H, W).
    A field (H, W, k) is held row by row with channels last: n = H W k entries. A product costs
    O(H W (log(H W) (k_in + k_out) + k_in k_out)) by the FFT.
    Raises TypeError or ValueError for shapes that do not fit, or a kernel larger than the grid.
    """

    kernel: np.ndarray
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        kernel = _check.real_array(self.kernel, "kernel", "GridConvolution")
        if kernel.ndim == 2:
            kernel = kernel[:, :, None, None]
        grid = tuple(_check.count(s, "grid", "GridConvolution") for s in self.grid) if np.ndim(self.grid) == 1 else ()
        if kernel.ndim != 4 or len(grid) != 2:
            raise ValueError("GridConvolution: expected kernel with shape (height, width, k_out, k_in) and grid (H, W); "
                             f"received {kernel.shape} and {self.grid}.")
        if kernel.shape[0] > grid[0] or kernel.shape[1] > grid[1]:
            raise ValueError(f"GridConvolution: expected a kernel within the grid {grid}; received {kernel.shape[:2]}.")
        object.__setattr__(self, "kernel", _check.frozen(kernel))
        object.__setattr__(self, "grid", grid)

    @classmethod
    def from_symbol(cls, symbol: np.ndarray) -> GridConvolution:
        """Build the convolution with a given real-valued response, symbol (H, W, k_out, k_in) as `symbol()` returns it.

        Raises ValueError where the symbol is not that of a real kernel, conj(symbol(-w)) = symbol(w).
        """
        symbol = np.asarray(symbol, dtype=complex)
        symbol = symbol[:, :, None, None] if symbol.ndim == 2 else symbol
        field = np.fft.ifft2(symbol, axes=(0, 1))
        if np.abs(field.imag).max() > 1e-9 * max(np.abs(field.real).max(), 1e-300):
            raise ValueError("GridConvolution.from_symbol: expected symbol(-w) = conj(symbol(w)), because the kernel is "
                             "real; received another.")
        H, W = symbol.shape[:2]
        return cls(np.roll(field.real, (H // 2, W // 2), axis=(0, 1)), (H, W))

    @property
    def shape(self) -> tuple[int, int]:
        cells = self.grid[0] * self.grid[1]
        return cells * self.kernel.shape[2], cells * self.kernel.shape[3]

    @cached_property
    def _half(self) -> np.ndarray:
        """The symbol on the half plane that the real FFT needs."""
        return np.fft.rfft2(self._spread(), axes=(0, 1))

    def _spread(self) -> np.ndarray:
        """The kernel on the whole grid, its centre moved to the origin."""
        height, width = self.kernel.shape[:2]
        whole = np.zeros((*self.grid, *self.kernel.shape[2:]))
        whole[:height, :width] = self.kernel
        return np.roll(whole, (-(height // 2), -(width // 2)), axis=(0, 1))

    def symbol(self) -> np.ndarray:
        """The DFT of the kernel (H, W, k_out, k_in), complex [ESN-SSM, Eq. 89]."""
        return np.fft.fft2(self._spread(), axes=(0, 1))

    def __matmul__(self, v: np.ndarray) -> np.ndarray:
        from scipy import fft

        v = np.asarray(v, dtype=np.float64)
        if v.shape[0] != self.shape[1]:
            raise ValueError(f"GridConvolution @ v: expected v with {self.shape[1]} rows; received {v.shape}.")
        field = v.reshape(*self.grid, self.kernel.shape[3], -1)
        out = fft.irfft2(self._half @ fft.rfft2(field, axes=(0, 1)), s=self.grid, axes=(0, 1))
        return out.reshape(self.shape[0], *v.shape[1:])

    def __mul__(self, factor: float) -> GridConvolution:
        return GridConvolution(self.kernel * float(factor), self.grid)

    __rmul__ = __mul__

    @property
    def T(self) -> GridConvolution:
        """The transpose: the kernel turned by half a turn, channels exchanged."""
        height, width = self.kernel.shape[:2]
        whole = self._spread()
        turned = np.roll(whole[::-1, ::-1], (1, 1), axis=(0, 1)).swapaxes(2, 3)
        cut = np.roll(turned, ((height - 1) // 2, (width - 1) // 2), axis=(0, 1))[:height, :width]
        if height % 2 and width % 2:
            return GridConvolution(cut, self.grid)
        return GridConvolution(np.roll(turned, (self.grid[0] // 2, self.grid[1] // 2), axis=(0, 1)), self.grid)

    def eigenvalues(self) -> np.ndarray:
        """(n,) eigenvalues: those of the symbol, frequency by frequency."""
        return np.linalg.eigvals(self.symbol()).ravel()

    def norm(self) -> float:
        """The largest singular value, max_w |K(w)|."""
        return float(np.linalg.norm(self.symbol(), 2, axis=(2, 3)).max())

    def to_sparse(self) -> Any:
        """The matrix as a `csr_array` with height width k_in entries a row."""
        from scipy.sparse import csr_array

        H, W = self.grid
        height, width, k_out, k_in = self.kernel.shape
        i, j, a, b, o, c = np.indices((H, W, height, width, k_out, k_in), sparse=True)
        target = (i * W + j) * k_out + o + 0 * (a + b + c)
        source = ((i - a + height // 2) % H * W + (j - b + width // 2) % W) * k_in + c + 0 * o
        values = np.broadcast_to(self.kernel, target.shape)
        return csr_array((values.ravel(), (target.ravel(), np.broadcast_to(source, target.shape).ravel())), shape=self.shape)

    def toarray(self) -> np.ndarray:
        """(n_out, n_in) dense copy."""
        return self.to_sparse().toarray()

    def __repr__(self) -> str:
        return f"GridConvolution(kernel {self.kernel.shape}, grid {self.grid})"


@dataclass(frozen=True, eq=False)
class ChebyshevGraph:
    r"""A Chebyshev polynomial of a graph Laplacian, on k channels a node.

    .. math:: \mathcal W = \sum_{j=0}^{K} T_j(\tilde L) \otimes \alpha_j, \qquad
              \tilde L = \frac{2}{\lambda_{\max}} L - I

    laplacian : (N, N) symmetric, ndarray or sparse. coefficients : (K + 1,) numbers, or (K + 1, k, k) channel matrices.
    A field (N, k) is held node by node: n = N k entries. A product costs K products with L.
    Raises ValueError for a Laplacian that is not symmetric or has a negative eigenvalue.
    """

    laplacian: Any
    coefficients: np.ndarray

    def __post_init__(self) -> None:
        from scipy.sparse import csr_array

        L = self.laplacian
        L = L.tocsr().astype(np.float64) if hasattr(L, "tocsr") else csr_array(_check.square(L, "laplacian", "ChebyshevGraph"))
        _check.real_array(L.data, "laplacian", "ChebyshevGraph")
        alpha = _check.real_array(self.coefficients, "coefficients", "ChebyshevGraph")
        alpha = alpha[:, None, None] if alpha.ndim == 1 else alpha
        if L.shape[0] != L.shape[1] or not L.shape[0] or abs(L - L.T).max() > 1e-10 * max(abs(L).max(), 1e-300):
            raise ValueError("ChebyshevGraph: expected a symmetric Laplacian (an undirected graph); received another.")
        if alpha.ndim != 3 or alpha.shape[1] != alpha.shape[2] or len(alpha) == 0:
            raise ValueError("ChebyshevGraph: expected coefficients with shape (K + 1,) or (K + 1, k, k); "
                             f"received {np.shape(self.coefficients)}.")
        object.__setattr__(self, "laplacian", L)
        object.__setattr__(self, "coefficients", _check.frozen(np.ascontiguousarray(alpha)))
        if self.top <= 0:
            raise ValueError("ChebyshevGraph: expected a Laplacian with a positive eigenvalue; received a graph "
                             "without edges, or an adjacency matrix with the wrong sign.")

    @classmethod
    def from_response(cls, laplacian: Any, response: Any, degree: int) -> ChebyshevGraph:
        """Fit the polynomial whose value at graph frequency l in [0, l_max] is `response(l)`, a number or a (k, k) matrix.

        The interpolant at Chebyshev nodes; exact for polynomial responses up to the degree.
        Raises TypeError or ValueError for a degree that is not a whole number from 0.
        """
        probe = cls(laplacian, np.ones(1))
        K = _check.count(degree, "degree", "ChebyshevGraph.from_response", least=0)
        angle = np.pi * (np.arange(K + 1) + 0.5) / (K + 1)
        values = np.array([np.atleast_2d(response(v)) for v in probe.top * (np.cos(angle) + 1) / 2])
        basis = np.cos(np.outer(np.arange(K + 1), angle)) * 2 / (K + 1)
        basis[0] /= 2
        return cls(laplacian, np.tensordot(basis, values, axes=1))

    @cached_property
    def top(self) -> float:
        """The largest eigenvalue of L."""
        N = self.laplacian.shape[0]
        if N <= 500:
            return float(np.linalg.eigvalsh(self.laplacian.toarray())[-1])
        from scipy.sparse.linalg import eigsh

        start = np.random.default_rng(0).standard_normal(N)
        return float(eigsh(self.laplacian, k=1, which="LA", v0=start, tol=1e-12, return_eigenvectors=False)[0])

    @property
    def shape(self) -> tuple[int, int]:
        n = self.laplacian.shape[0] * self.coefficients.shape[1]
        return n, n

    @cached_property
    def _scaled(self) -> Any:
        from scipy.sparse import eye_array

        return (self.laplacian * (2 / self.top) - eye_array(self.laplacian.shape[0])).tocsr()

    def __matmul__(self, v: np.ndarray) -> np.ndarray:
        v = np.asarray(v, dtype=np.float64)
        if v.shape[0] != self.shape[1]:
            raise ValueError(f"ChebyshevGraph @ v: expected v with {self.shape[1]} rows; received {v.shape}.")
        N, k = self.laplacian.shape[0], self.coefficients.shape[1]
        field = v.reshape(N, -1)
        older, newer = field, self._scaled @ field
        total = self._mix(0, older, k)
        for j in range(1, len(self.coefficients)):
            total += self._mix(j, newer, k)
            older, newer = newer, 2 * (self._scaled @ newer) - older
        return total.reshape(v.shape)

    def _mix(self, j: int, field: np.ndarray, k: int) -> np.ndarray:
        """alpha_j on the channels of every node."""
        shaped = field.reshape(len(field), k, -1)
        return np.einsum("oc,ncs->nos", self.coefficients[j], shaped).reshape(field.shape)

    def __mul__(self, factor: float) -> ChebyshevGraph:
        return ChebyshevGraph(self.laplacian, self.coefficients * float(factor))

    __rmul__ = __mul__

    @property
    def T(self) -> ChebyshevGraph:
        """The transpose: the channel matrices transposed."""
        return ChebyshevGraph(self.laplacian, self.coefficients.swapaxes(1, 2))

    def frequencies(self) -> np.ndarray:
        """(N,) eigenvalues of L, the graph's frequencies. O(N^3)."""
        return np.linalg.eigvalsh(self.laplacian.toarray())

    def response(self, frequencies: np.ndarray) -> np.ndarray:
        """The symbol sum_j alpha_j T_j at given graph frequencies: (..., k, k)."""
        angle = np.arccos(np.clip(2 * np.asarray(frequencies) / self.top - 1, -1.0, 1.0))
        return np.tensordot(np.cos(angle[..., None] * np.arange(len(self.coefficients))), self.coefficients, axes=1)

    def eigenvalues(self) -> np.ndarray:
        """(n,) eigenvalues: those of the response, frequency by frequency. O(N^3)."""
        return np.linalg.eigvals(self.response(self.frequencies())).ravel()

    def norm(self) -> float:
        """The largest singular value, over the graph's frequencies. O(N^3)."""
        return float(np.linalg.norm(self.response(self.frequencies()), 2, axis=(1, 2)).max())

    def toarray(self) -> np.ndarray:
        """(n, n) dense copy."""
        return self @ np.eye(self.shape[0])

    def __repr__(self) -> str:
        return f"ChebyshevGraph({self.laplacian.shape[0]} nodes, degree {len(self.coefficients) - 1})"
