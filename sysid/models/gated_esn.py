"""Gated echo-state networks: the input multiplies part of the recurrence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown, counted
from ..kernels import gated as kernels
from ..kernels._jit import compiled
from .activation import activation
from .family import LeakyUnits
from .names import shown_names
from .protocol import Functions
from .topology import gaussian


@dataclass(frozen=True, eq=False, repr=False)
class GatedESN(LeakyUnits, Shown):
    r"""A leaky reservoir whose input gates part of the recurrence.

        x[t+1] = (1 - leak) x + leak s(W x + Gamma(u) W_gate x + W_in u + bias),    Gamma(u) = P diag(G u),    y = C x + d

    [ESN-SSM, Eq. 86]. W : (n, n). W_gate : (r, n). G : (r, m). P : (n, r), the identity if None (then r = n and the gate
    is diagonal); with r < n the gate has low rank. The map is bilinear in (x, u) under the activation.
    leak : in (0, 1], one number or (n,). C : (p, n), d : (p,). activation : a built-in name.
    Raises ValueError for shapes that do not fit.
    """

    W: Any
    W_gate: Any
    G: Any
    W_in: Any = None
    bias: Any = None
    leak: Any = 1.0
    P: Any = None
    C: Any = None
    d: Any = None
    activation: str = "tanh"
    dt: float = 1.0

    def __post_init__(self) -> None:
        call = "GatedESN"
        W = _check.square(self.W.toarray() if hasattr(self.W, "toarray") else self.W, "W", call)
        n = len(W)
        here = f"W is {n} x {n}"
        W_gate = _check.matrix(self.W_gate, "W_gate", call, (None, n), here)
        r = len(W_gate)
        G = _check.matrix(self.G, "G", call, (r, None), f"W_gate has {r} rows")
        m = G.shape[1]
        W_in = _check.matrix(np.zeros((n, m)) if self.W_in is None else self.W_in, "W_in", call, (n, m),
                             f"G has {m} columns")
        if self.P is None and r != n:
            raise ValueError(f"{call}: expected P with shape ({n}, {r}) for a gate of rank {r}; received none. "
                             "Without P the gate is diagonal and W_gate has n rows.")
        P = _check.matrix(np.eye(n) if self.P is None else self.P, "P", call, (n, r), f"W_gate has {r} rows")
        bias = _check.vector(np.zeros(n) if self.bias is None else self.bias, "bias", call, n, here)
        leak = _check.real_array(self.leak, "leak", call)
        if leak.ndim > 1 or (leak.ndim == 1 and len(leak) != n) or (leak <= 0).any() or (leak > 1).any():
            raise ValueError(f"{call}: expected leak in (0, 1], one number or ({n},); received {self.leak!r}.")
        if activation(self.activation, call).code < 0:
            raise ValueError(f"{call}: expected a built-in activation by name; received {self.activation!r}.")
        dt = _check.time_step(self.dt, call)
        if dt is None:
            raise ValueError(f"{call}: expected dt > 0; received None. The continuous-time network is sysid.ContinuousESN.")
        C = d = None
        if self.C is None and self.d is not None:
            raise ValueError(f"{call}: expected C with d; received an offset d without a readout C.")
        if self.C is not None:
            C = _check.matrix(self.C, "C", call, (None, n), here)
            d = _check.vector(np.zeros(len(C)) if self.d is None else self.d, "d", call, len(C), f"C has {len(C)} rows")
        values = {"W": W, "W_gate": W_gate, "G": G, "W_in": W_in, "P": P, "bias": bias, "C": C, "d": d,
                  "leak": float(leak) if leak.ndim == 0 else _check.frozen(leak), "dt": dt}
        for key, value in values.items():
            object.__setattr__(self, key, value)
        super().__post_init__()

    @classmethod
    def random(cls, n_states: int, n_inputs: int = 1, *, rank: int | None = None, spectral_radius: float = 0.9,
               gate_radius: float = 0.3, leak: Any = 0.3, input_scale: float = 1.0, gate_scale: float = 1.0,
               rng: np.random.Generator, dt: float = 1.0) -> GatedESN:  # fmt: skip
        """Draw a gated reservoir; rank None gives a diagonal gate, else P and W_gate of that rank with norm gate_radius.

        Raises TypeError or ValueError for counts that are not whole numbers, or a missing rng.
        """
        n, m = _check.count(n_states, "n_states", "GatedESN.random"), _check.count(n_inputs, "n_inputs", "GatedESN.random")
        W = gaussian(n, spectral_radius=spectral_radius, rng=rng)
        P = None
        if rank is None:
            W_gate = gaussian(n, spectral_radius=gate_radius, rng=rng)
        else:
            r = _check.count(rank, "rank", "GatedESN.random")
            P = np.linalg.qr(rng.standard_normal((n, r)))[0]
            W_gate = gate_radius * np.linalg.qr(rng.standard_normal((n, r)))[0].T
        G = gate_scale * rng.uniform(-1.0, 1.0, (len(W_gate), m))
        return cls(W, W_gate, G, input_scale * rng.uniform(-1.0, 1.0, (n, m)), None, leak, P, dt=dt)

    @property
    def features(self) -> None:
        """The readout sees the state itself."""
        return None

    def effective_W(self, u: Any) -> np.ndarray:
        """The recurrent matrix W + P diag(G u) W_gate (n, n) under a constant input u (m,).

        Raises ValueError for u of another size.
        """
        u = _check.vector(u, "u", "GatedESN.effective_W", self.n_inputs)
        return self.W + (self.P * (self.G @ u)) @ self.W_gate

    def functions(self) -> Functions:
        """The functions f, g and analytic Jacobians that kernels take, compiled."""
        C = np.zeros((0, self.n_states)) if self.C is None else self.C
        d = np.zeros(0) if self.d is None else self.d
        header = [self.n_states, self.n_inputs, len(C), self.act.code, len(self.W_gate)]
        blocks = [self.leaks, self.bias, d, self.W, self.P, self.G, self.W_gate, self.W_in, C]
        p = np.concatenate([np.asarray(header, dtype=float), *(np.ravel(b) for b in blocks)])
        jacobians = {"fx": kernels.fx, "fu": kernels.fu, "gx": kernels.gx, "gu": kernels.gu}
        compiled(kernels.f)
        compiled(kernels.g)
        for function in jacobians.values():
            compiled(function, "matrix")
        return Functions(kernels.f, kernels.g, p, True, jacobians)

    def summary(self) -> dict[str, Any]:
        return {"units": self.n_states, "inputs": self.n_inputs, "rank of the gate": len(self.W_gate), "leak": self.leak,
                "activation": self.activation, "readout": counted(len(self.C), "output") if self.C is not None else "none yet"} | shown_names(self)
