"""Nonlinear models from the user's own functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..kernels._jit import compiled
from .equilibrium import find_equilibrium
from .names import Named, shown_names
from .protocol import Functions, Plain, returning, uncompiled


@dataclass(frozen=True, eq=False, repr=False)
class Nonlinear(Named, Shown):
    """A nonlinear state-space model.

        x[t+1] = f(x[t], u[t], p, t dt),    y[t] = g(x[t], u[t], p, t dt)         (dx/dt = f where dt is None)   [ESN-SSM, Eq. 7]

    f: returns (n,). g: returns (p,). Both take x (n,), u (m,), a flat parameter vector p and the time.
    Functions under numba.njit run at compiled speed; plain Python functions are accepted and run as they are.
    jacobians: dict with any of "fx" (n, n), "fu" (n, m), "gx" (p, n), "gu" (p, m), each a function (x, u, p, t);
    what is not given is taken by central differences.
    hold: "zoh" (u constant over a step) or "foh": f then receives [u[t], u[t+1]], as `discretize` sets it up.
    in_place: all functions are (x, u, p, t, out) and fill `out`, which comes as NaN for f and g and as zeros for Jacobians,
    and return nothing. Compiled, this spares filters of a few states most of what a call costs.
    Raises TypeError where a compiled function does not take float64 arrays or returns anything but one.
    """

    f: Callable
    g: Callable
    n_states: int
    n_inputs: int
    n_outputs: int
    p: Any = ()
    dt: float | None = 1.0
    jacobians: Mapping[str, Callable] = _check.UNSET
    hold: str = "zoh"
    in_place: bool = False

    def __post_init__(self) -> None:
        for name, least in (("n_states", 0), ("n_inputs", 0), ("n_outputs", 1)):
            object.__setattr__(self, name, _check.count(getattr(self, name), name, "Nonlinear", least=least))
        for name in ("f", "g"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"Nonlinear: expected {name} as a function (x, u, p, t); received {getattr(self, name)!r}."
                )
        if not isinstance(self.jacobians, Mapping | None):
            raise TypeError(f'Nonlinear: expected jacobians as a dict such as {{"fx": ..., "gx": ...}}; received {_check.received(self.jacobians)}.')
        jacobians = dict(self.jacobians or {})
        unknown = set(jacobians) - {"fx", "fu", "gx", "gu"}
        if unknown:
            raise ValueError(
                f"Nonlinear: expected jacobians named fx, fu, gx, gu; received {', '.join(sorted(unknown))}."
            )
        object.__setattr__(self, "jacobians", jacobians)
        object.__setattr__(self, "p", _check.frozen(np.atleast_1d(_check.real_array(self.p, "p", "Nonlinear")).ravel()))
        object.__setattr__(self, "dt", _check.time_step(self.dt, "Nonlinear"))
        _check.choice(self.hold, "hold", "Nonlinear", ("zoh", "foh"))
        super().__post_init__()
        self.functions()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_functions"}  # made again when first needed

    @property
    def n_feedback(self) -> int:
        """Outputs fed back from measurements: none."""
        return 0

    @property
    def is_compiled(self) -> bool:
        """Whether f, g and every given Jacobian are Numba functions."""
        how = " in place" if self.in_place else ""
        vectors = [compiled(f, "vector" + how) for f in (self.f, self.g)]
        return all(vectors + [compiled(j, "matrix" + how) for j in self.jacobians.values()])

    def functions(self) -> Functions:
        """The functions and Jacobians that kernels take: all compiled, or all plain with their results checked."""
        cached = self.__dict__.get("_functions")
        if cached is not None:
            return cached
        n, q, k = self.n_states, self.n_outputs, self.n_inputs * (2 if self.hold == "foh" else 1)
        shapes = {"f": (n,), "g": (q,), "fx": (n, n), "fu": (n, k), "gx": (q, n), "gu": (q, k)}
        fast, given = self.is_compiled, {"f": self.f, "g": self.g, **self.jacobians}
        in_place = dict(given) if fast and self.in_place else {}
        if not fast:
            given = {key: uncompiled(function) for key, function in given.items()}
        if self.in_place:
            given = {key: returning(function, shapes[key]) for key, function in given.items()}
        if not fast:
            given = {key: Plain(function, key, shapes[key]) for key, function in given.items()}
        else:
            self._probe(given, shapes)
        functions = Functions(given.pop("f"), given.pop("g"), self.p, fast, given, in_place)
        object.__setattr__(self, "_functions", functions)
        return functions

    def _probe(self, given: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
        """Refuse compiled functions whose result has another shape, which compiled code would spread or cut without a word."""
        x, u, p = np.zeros(self.n_states), np.zeros(shapes["fu"][1]), self.p
        for array in (x, u):
            array.setflags(write=False)
        for key, function in given.items():
            try:
                got = np.shape(function(x, u, p, 0.0))
            except Exception:  # not defined at zero, which says nothing of its shape
                continue
            if got != shapes[key]:
                raise ValueError(f"Nonlinear: expected {key}(x, u, p, t) to return shape {shapes[key]}; received {got} at x = 0, u = 0.")

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """The input (T, m), or [u[t], u[t+1]] (T, 2m) under first-order hold, the last sample held."""
        if self.hold == "zoh":
            return u
        return np.ascontiguousarray(np.hstack([u, np.vstack([u[1:], u[-1:]])]))

    def equilibrium(self, u: Any = None, x0: Any = None) -> np.ndarray:
        """The state (n,) that stays under a constant input u (m,), by Newton from x0 (zero if None).

        Raises ValueError for shapes that do not fit, or where Newton's method finds none.
        """
        u = _check.vector(np.zeros(self.n_inputs) if u is None else u, "u", "Nonlinear.equilibrium", self.n_inputs)
        x0 = _check.vector(np.zeros(self.n_states) if x0 is None else x0, "x0", "Nonlinear.equilibrium", self.n_states)
        wide = np.ascontiguousarray(np.tile(u, 2 if self.hold == "foh" else 1))
        return find_equilibrium(self.functions(), wide, x0, self.dt is None, "Nonlinear.equilibrium")

    def summary(self) -> dict[str, Any]:
        given = ", ".join(sorted(self.jacobians)) or "none, by differences"
        return {"states": self.n_states, "inputs": self.n_inputs, "outputs": self.n_outputs, "parameters": self.p,
                "dt": "continuous time" if self.dt is None else self.dt, "Jacobians given": given,
                "speed": "compiled" if self.is_compiled else "plain Python; put @numba.njit above f and g for about 20 x"} | shown_names(self)  # fmt: skip
