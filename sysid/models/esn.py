"""Echo-state networks: a fixed leaky reservoir and a trained readout, as a state-space model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown, counted
from .activation import Activation, activation
from .equilibrium import find_equilibrium
from .esn_functions import esn_functions
from .family import LeakyUnits
from .names import shown_names
from .protocol import Functions
from .topology import build


@dataclass(frozen=True, eq=False, repr=False)
class ESN(LeakyUnits, Shown):
    """A leaky echo-state network, with optional output feedback.

        x[t+1] = (1 - leak) x[t] + leak s(W x[t] + W_in u[t] + W_fb y[t] + bias),    y[t] = C phi(x[t]) + d

    [ESN-SSM, Eqs. 2, 16, 17]. x[t] is the state when y[t] is measured and never contains u[t] or y[t].
    W: (n, n) array, scipy.sparse.csr_array, or an operator with `shape` and `@`. W_in: (n, m), None without inputs.
    bias: (n,), zero if None. leak: in (0, 1], one number or (n,).
    C: (p, k), d: (p,): the readout, None until trained; then `simulate(esn, u).x` works and outputs are refused.
    activation: "tanh", "relu", "identity", "sigmoid", or sysid.Activation(function, derivative, slope).
    W_fb: (n, p) output feedback: measured outputs while they are known, the model's own afterwards. A certificate of
    the driven map says nothing of the closed loop; `closed_loop()` is the map to certify then.
    features: phi, "squares" for [x, x^2] or a function (..., n) -> (..., k); None for the state itself.
    Raises ValueError for a leak outside (0, 1] and shapes that do not fit.
    """

    W: Any
    W_in: Any = None
    bias: Any = None
    leak: Any = 1.0
    C: Any = None
    d: Any = None
    activation: str | Activation = "tanh"
    W_fb: Any = None
    features: str | Callable | None = None
    dt: float = 1.0

    def __post_init__(self) -> None:
        W = _reservoir(self.W)
        n = W.shape[0]
        here = f"W is {n} x {n}"
        W_in = _check.matrix(np.zeros((n, 0)) if self.W_in is None else self.W_in, "W_in", "ESN", (n, None), here)
        bias = _check.vector(np.zeros(n) if self.bias is None else self.bias, "bias", "ESN", n, here)
        leak = _leak(self.leak, n)
        W_fb = None if self.W_fb is None else _check.matrix(self.W_fb, "W_fb", "ESN", (n, None), here)
        if W_fb is not None and W_fb.shape[1] == 0:
            W_fb = None
        activation(self.activation, "ESN")
        if not (self.features is None or self.features == "squares" or callable(self.features)):
            raise ValueError(f"ESN: expected features as None, 'squares' or a function; received {self.features!r}.")
        C = d = None
        if self.C is not None:
            width = {None: n, "squares": 2 * n}.get(self.features if isinstance(self.features, str) else None, n)
            width = None if callable(self.features) else width
            C = _check.matrix(self.C, "C", "ESN", (None, width), f"the readout sees {width or 'the'} features")
            d = _check.vector(
                np.zeros(len(C)) if self.d is None else self.d, "d", "ESN", len(C), f"C has {len(C)} rows"
            )
            if W_fb is not None and W_fb.shape[1] != len(C):
                raise ValueError(f"ESN: expected W_fb with {len(C)} columns as C has rows; received {W_fb.shape[1]}.")
        elif self.d is not None:
            raise ValueError("ESN: expected C with d; received an offset d without a readout C.")
        dt = _check.time_step(self.dt, "ESN")
        if dt is None:
            raise ValueError("ESN: expected dt > 0; received None. The continuous-time network is sysid.ContinuousESN.")
        for key, value in {"W": W, "W_in": W_in, "bias": bias, "leak": leak, "C": C, "d": d, "W_fb": W_fb,
                           "dt": dt}.items():  # fmt: skip
            object.__setattr__(self, key, value)
        super().__post_init__()

    @classmethod
    def random(cls, n_states: int, n_inputs: int = 1, n_feedback: int = 0, *, spectral_radius: float = 0.9,
               leak: Any = 0.3, input_scale: float = 1.0, bias_scale: float = 0.0, density: float = 1.0,
               topology: str = "gaussian", rng: np.random.Generator, activation: str | Activation = "tanh",
               features: str | Callable | None = None, dt: float = 1.0) -> ESN:  # fmt: skip
        """Draw a reservoir of the given topology and spectral radius, without a readout.

        Input, feedback and bias weights are uniform on [-scale, scale]; density < 1 keeps that share of W's edges, stored
        sparse. topology: gaussian, uniform, sparse, orthogonal, permutation, cycle or circulant, as `sysid.reservoirs`
        makes them; a W with placed poles goes to ESN(W, ...) itself.
        Raises TypeError or ValueError for counts that are not whole numbers, options out of range, or a missing
        rng.
        """
        rng = _check.generator(rng, "ESN.random")
        n = _check.count(n_states, "n_states", "ESN.random")
        W = build(topology, n, spectral_radius=spectral_radius, density=density, rng=rng, call="ESN.random")
        m = _check.count(n_inputs, "n_inputs", "ESN.random", least=0)
        r = _check.count(n_feedback, "n_feedback", "ESN.random", least=0)
        for name, scale in (("input_scale", input_scale), ("bias_scale", bias_scale)):
            _check.number(scale, name, "ESN.random")
        W_in, W_fb = (input_scale * rng.uniform(-1.0, 1.0, (n, k)) for k in (m, r))
        bias = bias_scale * rng.uniform(-1.0, 1.0, n)
        return cls(W, W_in, bias, leak, activation=activation, W_fb=W_fb, features=features, dt=dt)

    @property
    def dense_W(self) -> np.ndarray:
        """W as an array (n, n), made dense where it is sparse or an operator."""
        if isinstance(self.W, np.ndarray):
            return self.W
        return self.W.toarray() if hasattr(self.W, "toarray") else np.ascontiguousarray(self.W @ np.eye(self.n_states))

    def require_readout(self, call: str) -> None:
        """Raise ValueError where outputs are asked of a reservoir without a readout. Raises ValueError where there is none."""
        if self.C is None:
            raise ValueError(f"{call}: expected an ESN with a readout; received one without. "
                             "Train it first: sysid.fit(data, sysid.Readout(), start=esn).model")  # fmt: skip

    def closed_loop(self) -> ESN:
        """The autonomous map with the model's own outputs fed back: W + W_fb C, bias + W_fb d, no feedback left.

        This is the map whose certificate speaks of free-running forecasts. Needs a readout of the state itself.
        Raises ValueError without output feedback, or with a readout of features.
        """
        self.require_readout("ESN.closed_loop")
        if self.W_fb is None:
            raise ValueError("ESN.closed_loop: expected an ESN with output feedback W_fb; received one without.")
        if self.features is not None:
            raise ValueError("ESN.closed_loop: expected a readout of the state; received one of features, whose closed loop "
                             "is no ESN. Linearise it with sysid.linearize instead.")  # fmt: skip
        return replace(self, W=self.dense_W + self.W_fb @ self.C, bias=self.bias + self.W_fb @ self.d, W_fb=None)

    def functions(self) -> Functions:
        """The functions f, g and Jacobians that kernels take; the extended input is [u, y], NaN for an own output."""
        return esn_functions(self)

    def equilibrium(self, u: Any = None, x0: Any = None, feedback: Any = None) -> np.ndarray:
        """The state (n,) that stays under constant input u (m,), by Newton from x0 (zero if None).

        feedback: (r,) constant outputs fed back; None closes the loop on the model's own, which needs a readout.
        Raises ValueError for shapes that do not fit, or where Newton's method finds none.
        """
        u = _check.vector(np.zeros(self.n_inputs) if u is None else u, "u", "ESN.equilibrium", self.n_inputs)
        x0 = _check.vector(np.zeros(self.n_states) if x0 is None else x0, "x0", "ESN.equilibrium", self.n_states)
        if self.n_feedback:
            if feedback is None:
                self.require_readout("ESN.equilibrium")
                feedback = np.full(self.n_feedback, np.nan)
            else:
                feedback = _check.vector(feedback, "feedback", "ESN.equilibrium", self.n_feedback)
            u = np.concatenate([u, feedback])
        return find_equilibrium(self.functions(), u, x0, False, "ESN.equilibrium")

    def summary(self) -> dict[str, Any]:
        out = {"units": self.n_states, "inputs": self.n_inputs, "outputs fed back": self.n_feedback,
               "leak": self.leak, "activation": self.act.name}  # fmt: skip
        if isinstance(self.W, np.ndarray) and self.n_states <= 1000:
            out["spectral radius of W"] = np.abs(np.linalg.eigvals(self.W)).max(initial=0.0)
        elif hasattr(self.W, "nnz"):
            out["edges"] = self.W.nnz
        out["readout"] = counted(len(self.C), "output") if self.C is not None else "none yet"
        return out | shown_names(self)


def _reservoir(W: Any) -> Any:
    """A dense W read-only, a sparse one as float64 CSR, an operator as it is; each square and finite."""
    if hasattr(W, "tocsr"):
        W = W.tocsr().astype(np.float64)
        _check.real_array(W.data, "W", "ESN")
    elif not isinstance(W, list | tuple) and not hasattr(W, "__array__") and hasattr(W, "shape") and hasattr(W, "__matmul__"):
        pass
    else:
        return _check.square(W, "W", "ESN")
    if len(W.shape) != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"ESN: expected W square; received {W.shape}.")
    return W


def _leak(leak: Any, n: int) -> float | np.ndarray:
    array = _check.real_array(leak, "leak", "ESN")
    if array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise ValueError(f"ESN: expected leak as one number or with shape ({n},); received {array.shape}.")
    if (array <= 0).any() or (array > 1).any():
        raise ValueError(f"ESN: expected leak in (0, 1]; received {array[(array <= 0) | (array > 1)].flat[0]:g}. "
                         "A time constant tau gives leak = 1 - exp(-dt / tau).")  # fmt: skip
    return float(array) if array.ndim == 0 else _check.frozen(array)
