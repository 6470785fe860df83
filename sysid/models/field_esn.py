"""Reservoirs on a field: convolutional on a periodic grid, polynomial in a graph Laplacian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown, counted
from .esn import ESN
from .flat import Flat
from .names import shown_names
from .operators import ChebyshevGraph, GridConvolution


@dataclass(frozen=True, eq=False, repr=False)
class ConvolutionalESN(Flat, Shown):
    r"""A leaky reservoir on a periodic grid with weights shared over space.

        x[t+1] = (1 - leak) x + leak s(W * x[t] + U * u[t] + bias),    y[t] = C phi(x[t]) + d          [ESN-SSM, Eq. 88]

    grid : (H, W). kernel : (height, width, k, k). input_kernel : (height, width, k, c). bias : (k,), one a channel.
    leak : in (0, 1], one number or (k,). Fields (H, W, k) are held row by row with channels last: n = H W k states and
    m = H W c inputs. C : (p, n).

    `poles(slope)` is the spectrum of (1 - leak) I + leak slope W, frequency by frequency; it is that of the small-signal
    model only where all slopes are equal. Slopes that vary in space couple the frequencies, and the test
    max_w rho < 1 then says nothing (corrections #31): max_w |W(w)| = `W.norm()` is what a certificate may use.
    activation : a built-in name or an Activation. features : what the readout sees, as in `ESN`
    Raises ValueError for kernels, bias or leak of shapes that do not fit.
    """

    grid: tuple[int, int]
    kernel: Any
    input_kernel: Any
    bias: Any = None
    leak: Any = 1.0
    C: Any = None
    d: Any = None
    activation: Any = "tanh"
    features: Any = None
    dt: float = 1.0

    def __post_init__(self) -> None:
        W = GridConvolution(self.kernel, self.grid)
        U = GridConvolution(self.input_kernel, self.grid)
        k = W.kernel.shape[2]
        if W.kernel.shape[3] != k or U.kernel.shape[2] != k:
            raise ValueError(f"ConvolutionalESN: expected kernel (., ., {k}, {k}) and input_kernel (., ., {k}, c); "
                             f"received {W.kernel.shape} and {U.kernel.shape}.")
        bias = _check.vector(np.zeros(k) if self.bias is None else self.bias, "bias", "ConvolutionalESN", k)
        leak = np.asarray(self.leak, dtype=float)
        if leak.ndim and leak.shape != (k,):
            raise ValueError(f"ConvolutionalESN: expected leak as one number or ({k},); received {leak.shape}.")
        for key, value in {"grid": W.grid, "kernel": W.kernel, "input_kernel": U.kernel, "bias": bias,
                           "leak": float(leak) if leak.ndim == 0 else _check.frozen(leak.copy())}.items():
            object.__setattr__(self, key, value)
        network = self._network()
        for key in ("C", "d", "dt"):
            object.__setattr__(self, key, getattr(network, key))
        super().__post_init__()

    @classmethod
    def random(cls, grid: tuple[int, int], n_channels: int = 1, n_inputs: int = 1, *, size: int = 3,
               spectral_radius: float = 0.9, leak: Any = 0.3, input_scale: float = 1.0, bias_scale: float = 0.0,
               rng: np.random.Generator, **options: Any) -> ConvolutionalESN:  # fmt: skip
        """Draw Gaussian kernels size x size; the whole operator has the given spectral radius. Raises TypeError without an rng."""
        rng = _check.generator(rng, "ConvolutionalESN.random")
        kernel = rng.standard_normal((size, size, n_channels, n_channels))
        kernel *= spectral_radius / np.abs(GridConvolution(kernel, grid).eigenvalues()).max()
        U = input_scale * rng.uniform(-1.0, 1.0, (size, size, n_channels, n_inputs))
        return cls(grid, kernel, U, bias_scale * rng.uniform(-1.0, 1.0, n_channels), leak, **options)

    @cached_property
    def W(self) -> GridConvolution:
        """The recurrent operator."""
        return GridConvolution(self.kernel, self.grid)

    @cached_property
    def U(self) -> GridConvolution:
        """The input operator."""
        return GridConvolution(self.input_kernel, self.grid)

    @property
    def n_states(self) -> int:
        """States n = H W k."""
        return self.W.shape[0]

    @property
    def n_inputs(self) -> int:
        """Inputs m = H W c."""
        return self.U.shape[1]

    @property
    def leaks(self) -> np.ndarray:
        """Leak of every unit (n,)."""
        return np.tile(np.broadcast_to(self.leak, self.bias.shape), self.grid[0] * self.grid[1])

    @property
    def biases(self) -> np.ndarray:
        """Bias of every unit (n,)."""
        return np.tile(self.bias, self.grid[0] * self.grid[1])

    def _network(self, W_in: Any = None) -> ESN:
        return ESN(self.W, W_in, self.biases, self.leaks, self.C, self.d, self.activation, None, self.features, self.dt)

    @cached_property
    def flat(self) -> ESN:
        """The network written out; its input matrix (n, m) is dense, its W stays an operator."""
        return self._network(self.U.toarray())

    @property
    def act(self) -> Any:
        """The activation with its derivative and slope range."""
        return self._network().act

    @property
    def n_feedback(self) -> int:
        """Outputs fed back from measurements: none."""
        return 0

    @property
    def n_outputs(self) -> int:
        """Outputs p of the readout, 0 before it is trained."""
        return 0 if self.C is None else len(self.C)

    def small_signal_symbol(self, slope: float = 1.0) -> np.ndarray:
        """(1 - leak) I + leak slope W(w) at every frequency: (H, W, k, k), complex [ESN-SSM, Eq. 89]."""
        leak = np.broadcast_to(self.leak, self.bias.shape)
        return np.diag(1 - leak) + leak[:, None] * slope * self.W.symbol()

    def poles(self, slope: float = 1.0) -> np.ndarray:
        """Poles (H, W, k) of the small-signal model with one slope everywhere, frequency by frequency."""
        return np.linalg.eigvals(self.small_signal_symbol(slope))

    def summary(self) -> dict[str, Any]:
        return {"grid": list(self.grid), "channels": len(self.bias), "kernel": list(self.kernel.shape[:2]),
                "inputs a cell": self.input_kernel.shape[3], "leak": self.leak, "activation": self.act.name,
                "readout": counted(self.n_outputs, "output") if self.C is not None else "none yet"} | shown_names(self)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class GraphESN(Flat, Shown):
    r"""A leaky reservoir on the nodes of a graph, its recurrence a Chebyshev polynomial of the Laplacian.

        x[t+1] = (1 - leak) x + leak s(sum_j alpha_j T_j(L~) x[t] + W_in u[t] + bias),    y[t] = C phi(x[t]) + d

    laplacian : (N, N) symmetric. coefficients : (K + 1,), or (K + 1, k, k) for k channels a node: n = N k states.
    W_in : (n, m); bias : (n,); leak : one number or (n,). `ChebyshevGraph.from_response` designs the coefficients by
    graph frequency. `poles(slope)` holds for one slope everywhere, as in `ConvolutionalESN`.
    """

    laplacian: Any
    coefficients: Any
    W_in: Any = None
    bias: Any = None
    leak: Any = 1.0
    C: Any = None
    d: Any = None
    activation: Any = "tanh"
    features: Any = None
    dt: float = 1.0

    def __post_init__(self) -> None:
        W = ChebyshevGraph(self.laplacian, self.coefficients)
        network = ESN(W, self.W_in, self.bias, self.leak, self.C, self.d, self.activation, None, self.features, self.dt)
        for key in ("W_in", "bias", "leak", "C", "d", "dt"):
            object.__setattr__(self, key, getattr(network, key))
        for key, value in {"laplacian": W.laplacian, "coefficients": W.coefficients}.items():
            object.__setattr__(self, key, value)
        super().__post_init__()

    @cached_property
    def W(self) -> ChebyshevGraph:
        """The recurrent operator."""
        return ChebyshevGraph(self.laplacian, self.coefficients)

    @cached_property
    def flat(self) -> ESN:
        """The network written out; its W stays an operator."""
        return ESN(self.W, self.W_in, self.bias, self.leak, self.C, self.d, self.activation, None, self.features, self.dt)

    def poles(self, slope: float = 1.0) -> np.ndarray:
        """Poles (N, k) of the small-signal model with one slope and one leak everywhere, by graph frequency. O(N^3).

        Raises ValueError for unequal leaks.
        """
        if np.ndim(self.leak):
            raise ValueError("GraphESN.poles: expected one leak for all units; received several, which couple the "
                             "frequencies. Use sysid.linearize(model).poles().")
        response = self.W.response(self.W.frequencies())
        return np.linalg.eigvals((1 - self.leak) * np.eye(response.shape[-1]) + self.leak * slope * response)

    def summary(self) -> dict[str, Any]:
        return {"nodes": self.laplacian.shape[0], "channels": self.coefficients.shape[1],
                "degree": len(self.coefficients) - 1, "inputs": self.n_inputs, "leak": self.leak,
                "readout": counted(len(self.C), "output") if self.C is not None else "none yet"} | shown_names(self)  # fmt: skip
