"""The linear recurrent unit: a diagonal complex recurrence [Orvieto et al. 2023].

    h[t] = lambda h[t-1] + gamma B u[t],     y[t] = Re(C h[t]) + D u[t]          (elementwise lambda, gamma; undelayed input)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..inference.simulate import Drive, Path, default_run
from ..kernels.recurrence import diagonal_scan
from ..models.lti import LTI
from ..models.names import Named, names, shown_names
from ..models.protocol import Functions


@dataclass(frozen=True, eq=False, repr=False)
class LRU(Named, Shown):
    """Hold a diagonal complex state-space model.

    eigenvalues (n,) complex; gamma (n,) real, the normalisation of the input; B (n, m) and C (p, n) complex; D (p, m) real.
    As a model it has 2 n real states, x[t] = (Re h[t-1], Im h[t-1]).
    Raises ValueError or TypeError for shapes that do not fit or dt not above 0.
    """

    eigenvalues: np.ndarray
    gamma: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray
    dt: float = 1.0

    def __post_init__(self) -> None:
        lam = _complex(self.eigenvalues, "eigenvalues", (None,))
        n = len(lam)
        B = _complex(self.B, "B", (n, None))
        C = _complex(self.C, "C", (None, n))
        D = _check.matrix(self.D, "D", "LRU", (len(C), B.shape[1]), f"C has {len(C)} rows and B {B.shape[1]} columns")
        gamma = _check.vector(self.gamma, "gamma", "LRU", n, "there are as many eigenvalues")
        dt = _check.time_step(self.dt, "LRU")
        if dt is None:
            raise ValueError("LRU: expected dt > 0; received None. A recurrence speaks of samples.")
        for name, value in {"eigenvalues": lam, "gamma": gamma, "B": B, "C": C, "D": D, "dt": dt}.items():
            object.__setattr__(self, name, value)
        super().__post_init__()

    @classmethod
    def random(cls, n_states: int, n_inputs: int, n_outputs: int, rng: np.random.Generator, *, r_min: float = 0.0,
               r_max: float = 1.0, max_phase: float = 6.28, normalize: bool = True, dt: float = 1.0) -> LRU:
        """Draw a unit by ring initialisation: |lambda|^2 uniform on [r_min^2, r_max^2], phases uniform on [0, max_phase].

        With `normalize`, gamma = sqrt(1 - |lambda|^2), so that white input gives E|h_i|^2 = |B_i|^2 per unit variance; else 1.
        Raises TypeError or ValueError for counts that are not whole numbers, radii out of order, or a missing
        rng.
        """
        call = "LRU.random"
        rng = _check.generator(rng, call)
        n, m, p = (_check.count(v, k, call) for v, k in ((n_states, "n_states"), (n_inputs, "n_inputs"), (n_outputs, "n_outputs")))
        r_min, r_max = _check.positive(r_min, "r_min", call, zero=True), _check.positive(r_max, "r_max", call)
        max_phase = _check.positive(max_phase, "max_phase", call, zero=True)
        if not r_min < r_max <= 1:
            raise ValueError(f"{call}: expected 0 <= r_min < r_max <= 1; received {r_min!r} and {r_max!r}.")
        # 1 - U lies in (0, 1]; keep the radius below one so that it has a logarithm.
        square = np.minimum((1 - rng.random(n)) * (r_max**2 - r_min**2) + r_min**2, 1 - 1e-12)
        lam = np.sqrt(square) * np.exp(1j * max_phase * rng.random(n))
        gamma = np.sqrt(1 - square) if normalize else np.ones(n)
        B = (rng.normal(size=(n, m)) + 1j * rng.normal(size=(n, m))) / np.sqrt(2 * m)
        C = (rng.normal(size=(p, n)) + 1j * rng.normal(size=(p, n))) / np.sqrt(n)
        D = np.eye(p, m) * rng.normal(size=(p, 1))
        return cls(lam, gamma, B, C, D, dt)

    @property
    def n_states(self) -> int:
        return 2 * len(self.eigenvalues)

    @property
    def n_inputs(self) -> int:
        return self.B.shape[1]

    @property
    def n_outputs(self) -> int:
        return self.C.shape[0]

    @property
    def n_feedback(self) -> int:
        return 0

    def hidden(self, u: np.ndarray, h0: np.ndarray | None = None) -> np.ndarray:
        """Compute h[t] (T, n) complex along u (T, m), from h[-1] = h0 (zero if None). Cost O(T n m)."""
        V = np.asarray(u, dtype=float) @ (self.gamma[:, None] * self.B).T
        if h0 is not None and len(V):
            V[0] += self.eigenvalues * h0
        H = np.empty_like(V)
        if len(V):
            diagonal_scan(self.eigenvalues, V, H)
        return H

    def to_lti(self) -> LTI:
        """Convert to an LTI with real 2 x 2 blocks, in the delayed convention."""
        lam, B, C = self.eigenvalues, self.gamma[:, None] * self.B, self.C
        A = np.block([[np.diag(lam.real), -np.diag(lam.imag)], [np.diag(lam.imag), np.diag(lam.real)]])
        plain = LTI.from_undelayed(A, np.concatenate([B.real, B.imag]), np.concatenate([C.real, -C.imag], axis=1), self.D, self.dt)
        return plain.with_names(**names(self))

    def functions(self) -> Functions:
        """The functions of the LTI form, for verbs that need them."""
        return self.to_lti().functions()

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        return u

    def summary(self) -> dict[str, Any]:
        radius = np.abs(self.eigenvalues)
        return {"complex states": len(radius), "inputs": self.n_inputs, "outputs": self.n_outputs,
                "largest |lambda|": float(radius.max(initial=0.0)), "smallest |lambda|": float(radius.min(initial=1.0))} | shown_names(self)


def _complex(value: Any, name: str, shape: tuple) -> np.ndarray:
    try:
        array = np.array(value, dtype=complex, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"LRU: expected {name} as a rectangular array of real or complex numbers; received {_check.received(value)}.") from None
    if array.ndim != len(shape) or any(w is not None and w != g for w, g in zip(shape, array.shape)):
        raise ValueError(f"LRU: expected {name} with shape {tuple('n' if s is None else s for s in shape)}; "
                         f"received {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"LRU: expected finite {name}; received NaN or infinity.")
    return _check.frozen(array)


@default_run.register(LRU)
def _(model: LRU) -> Any:
    return _run


def _run(model: LRU, drive: Drive) -> Path:
    n = len(model.eigenvalues)
    start = drive.x0[:n] + 1j * drive.x0[n:]
    with np.errstate(over="ignore", invalid="ignore"):  # the step at which it diverges is returned
        H = model.hidden(drive.u, start)
        Y = (H @ model.C.T).real + drive.u @ model.D.T
    past = np.concatenate([start[None], H])
    X = np.concatenate([past.real, past.imag], axis=1)
    bad = ~np.isfinite(Y).all(axis=1)
    return X[:-1], X[-1], Y, int(np.argmax(bad)) if bad.any() else -1
