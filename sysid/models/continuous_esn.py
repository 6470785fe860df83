"""The continuous-time echo-state network, and its ways into discrete time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown, counted
from ..kernels import reservoir as kernels
from ..kernels._jit import compiled
from .activation import Activation
from .esn import ESN
from .esn_functions import pack
from .family import UnitNetwork
from .names import names, shown_names
from .process import Process
from .protocol import Functions

RULES = ("exact", "euler", "tustin")


@dataclass(frozen=True, eq=False, repr=False)
class ContinuousESN(UnitNetwork, Shown):
    r"""A first-order lag driven by a static nonlinearity.

        tau dx/dt = -x + s(W x + W_in u + bias),    y = C x + d                                         [ESN-SSM, Eqs. 35, 36]

    W : (n, n). W_in : (n, m). bias : (n,). tau : time constants in the user's unit of time, one number or (n,).
    C : (p, n), d : (p,). activation : a built-in name. dt is None.
    `discretize(dt)` gives an ESN; `sysid.linearize` the linear model A_c = (-I + J W)/tau, B_c = J W_in/tau
    [ESN-SSM, Eq. 39], whose exact discretisation is `sysid.discretize(lti, dt)` [ESN-SSM, Eq. 40].
    Raises ValueError or TypeError for shapes that do not fit, tau not above 0, or an activation that is not built
    in.
    """

    W: Any
    W_in: Any = None
    bias: Any = None
    tau: Any = 1.0
    C: Any = None
    d: Any = None
    activation: str | Activation = "tanh"

    def __post_init__(self) -> None:
        network = ESN(self.W, self.W_in, self.bias, 1.0, self.C, self.d, self.activation)
        if network.act.code < 0:
            raise ValueError("ContinuousESN: expected a built-in activation by name; received a user's.")
        tau = _check.real_array(self.tau, "tau", "ContinuousESN")
        if tau.ndim > 1 or (tau.ndim == 1 and len(tau) != network.n_states) or (tau <= 0).any():
            raise ValueError(f"ContinuousESN: expected tau > 0, one number or ({network.n_states},); received {self.tau!r}.")
        for key in ("W", "W_in", "bias", "C", "d"):
            object.__setattr__(self, key, getattr(network, key))
        object.__setattr__(self, "tau", float(tau) if tau.ndim == 0 else _check.frozen(tau))
        super().__post_init__()

    @property
    def dt(self) -> None:
        """None: continuous time."""
        return None

    @property
    def taus(self) -> np.ndarray:
        """Time constant of every unit (n,)."""
        return np.broadcast_to(self.tau, (self.n_states,))

    def functions(self) -> Functions:
        """f = dx/dt, g and their Jacobians, compiled; f is x + leak (s - x) with leak = 1/tau, less x."""
        network = self._esn(1.0, 1.0)
        p = pack(network).copy()
        p[kernels.HEADER : kernels.HEADER + self.n_states] = 1.0 / self.taus
        given = {"fx": kernels.flow_fx, "fu": kernels.esn_fu, "gx": kernels.esn_gx, "gu": kernels.esn_gu}
        for function in (kernels.flow_f, kernels.esn_g):
            compiled(function)
        for function in given.values():
            compiled(function, "matrix")
        return Functions(kernels.flow_f, kernels.esn_g, p, True, given)

    def leaks(self, dt: float, rule: str = "exact") -> np.ndarray:
        r"""Leak of every unit (n,) for a sampling interval.

        exact : 1 - exp(-dt/tau), the lag solved exactly with the activation held over the step.
        euler : dt/tau, refused above tau, where it oscillates or diverges        [ESN-SSM, Eq. 38]
        tustin : dt/(tau + dt/2), the lag by the trapezoid with the activation held, first order like the others; it
            lies between the exact leak and Euler's                               [ESN-SSM, Eq. 42]
        Raises ValueError for dt not above 0, another rule, or dt beyond tau under Euler's rule.
        """
        step = _check.time_step(dt, "ContinuousESN.leaks")
        if step is None:
            raise ValueError("ContinuousESN.leaks: expected dt > 0; received None.")
        _check.choice(rule, "rule", "ContinuousESN.leaks", RULES)
        ratio = step / self.taus
        if rule == "exact":
            return -np.expm1(-ratio)
        if rule == "tustin":
            return ratio / (1 + ratio / 2)  # [ESN-SSM, Eq. 42]
        if (ratio > 1).any():
            raise ValueError(f"ContinuousESN.discretize: expected dt <= tau = {self.taus.min():g} for Euler's rule; "
                             f"received dt = {step:g}. The exact rule takes any step.")
        return ratio  # [ESN-SSM, Eq. 38]

    def discretize(self, dt: float, rule: str = "exact") -> ESN:
        """Return the ESN of a sampling interval dt, the input held over each step; rules as in `leaks`.

        All three agree to first order in dt and share their equilibria with the network itself.
        """
        leak = self.leaks(dt, rule)
        return self._esn(float(leak[0]) if np.ndim(self.tau) == 0 else leak, float(dt))

    def process(self, dt: float, intensity: Any, R: Any, rule: str = "exact", initial: Any = None) -> Process:
        r"""Return the sampled network with the noise of dx = (-x + s)/tau dt + Sigma dB.

        .. math:: Q_{ij} = (\Sigma\Sigma^\top)_{ij}\,\frac{1 - e^{-(1/\tau_i + 1/\tau_j) dt}}{1/\tau_i + 1/\tau_j}

        intensity : Sigma Sigma' (n, n), (n,) or a number, per unit of time. R : measurement noise covariance.
        Exact for the lag with the activation held; to first order in dt this is dt Sigma Sigma' [ESN-SSM, Eq. 40].
        The linearised network's own integral is that of `sysid.discretize` on a linear process.
        Raises ValueError for an intensity that is not a covariance of the states.
        """
        call = "ContinuousESN.process"
        cov = _check.covariance(intensity, "intensity", call, self.n_states)
        rate = 1 / self.taus[:, None] + 1 / self.taus[None]
        Q = cov * -np.expm1(-rate * float(dt)) / rate if rule == "exact" else cov * float(dt)
        return Process(self.discretize(dt, rule), Q=Q, R=R, initial=initial)

    def _esn(self, leak: Any, dt: float) -> ESN:
        return ESN(self.W, self.W_in, self.bias, leak, self.C, self.d, self.activation, dt=dt, **names(self))

    def summary(self) -> dict[str, Any]:
        return {"units": self.n_states, "inputs": self.n_inputs, "tau": self.tau, "activation": self.act.name,
                "readout": counted(self.n_outputs, "output") if self.C is not None else "none yet"} | shown_names(self)
