"""What every verb relies on: x[t+1] = f(x, u, p, t), y[t] = g(x, u, p, t), sizes and dt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np

from ..kernels import evaluation
from ..kernels._jit import argument, as_float, compiled


@runtime_checkable
class Model(Protocol):
    """A dynamical model: sizes, time base, and the functions that kernels call.

    `n_inputs` counts the user's inputs. A model that feeds outputs back (`n_feedback > 0`), or that holds its input
    to first order, takes a wider one: `extended_input` builds it.
    """

    n_states: int
    n_inputs: int
    n_outputs: int
    n_feedback: int
    dt: float | None

    def functions(self) -> Functions: ...

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray: ...


_MEMBERS = (*Model.__annotations__, "functions", "extended_input")


def is_model(value: Any) -> TypeGuard[Model]:
    """Whether a value has what `Model` lists; isinstance says the same, and takes as long as a filter of a hundred steps."""
    return all(hasattr(value, name) for name in _MEMBERS)


@dataclass(frozen=True)
class Functions:
    """The model as kernels take it; each is called as (x, u, p, t) with u the extended input (k,), p flat, t = step * dt.

    f: (n,) next state. g: (p,) output. fx: (n, n), fu: (n, k), gx: (p, n), gu: (p, k) Jacobians, by central
    differences where `given` has none, built when first asked for.
    compiled: whether all are Numba functions; otherwise all are plain Python and kernels run as plain Python too.
    in_place: those of f, g and the Jacobians that the user gave as functions (x, u, p, t, out) which fill an array, compiled;
    filters call these, everything else the versions that return.
    """

    f: Callable
    g: Callable
    p: np.ndarray
    compiled: bool
    given: dict[str, Callable] = field(default_factory=dict)
    in_place: dict[str, Callable] = field(default_factory=dict)

    def arguments(self, *keys: str) -> list[Callable]:
        """Some of f, g, fx, fu, gx, gu as kernels take them fastest."""
        kinds = {key: "matrix" if key[1:] else "vector" for key in keys}
        return [argument(getattr(self, key), kinds[key]) if self.compiled else getattr(self, key) for key in keys]

    def values(self, key: str) -> list[Callable]:
        """f or g at many points, `evaluation.values`, and the function it is to be given."""
        if key in self.in_place:
            return [_kept(self.in_place, key + " at points", lambda: _at_points(self.in_place[key]), "values"), evaluation.no_value.as_argument()]
        run = evaluation.values
        return [run.as_argument() if self.compiled else run.py_func, *self.arguments(key)]

    def linearised(self, key: str) -> list[Callable]:
        """f or g with its Jacobian in x, `evaluation.linearised`, and the two functions it is to be given."""
        slope = key + "x"
        if key in self.in_place and slope in self.in_place:
            run = _kept(self.in_place, key + " linearised", lambda: _linearised(self.in_place[key], self.in_place[slope]), "linearised")
            return [run, evaluation.no_value.as_argument(), evaluation.no_slope.as_argument()]
        run = evaluation.linearised
        return [run.as_argument() if self.compiled else run.py_func, *self.arguments(key, slope)]

    def _jacobian(self, key: str) -> Callable:
        if key not in self.given:
            self.given[key] = differences(self.f if key[0] == "f" else self.g, 0 if key[1] == "x" else 1)
        return self.given[key]

    @property
    def fx(self) -> Callable:
        """df/dx (n, n)."""
        return self._jacobian("fx")

    @property
    def fu(self) -> Callable:
        """df/du (n, k), u the extended input."""
        return self._jacobian("fu")

    @property
    def gx(self) -> Callable:
        """dg/dx (p, n)."""
        return self._jacobian("gx")

    @property
    def gu(self) -> Callable:
        """dg/du (p, k)."""
        return self._jacobian("gu")


def _kept(store: dict[str, Callable], name: str, build: Callable[[], Callable], kind: str) -> Callable:
    """What was built before under this name, as an argument of kernels."""
    if name not in store:
        store[name] = build()
    return argument(store[name], kind)


def _at_points(function: Callable) -> Callable:
    """out[i] = f(X[i], u, p, t) from an f that fills an array: compiled into the loop, without a call or an allocation a point."""
    import numba

    @numba.njit
    def run(_, X, u, p, t, out):
        out[:] = np.nan
        for i in range(len(X)):
            function(X[i], u, p, t, out[i])

    return run


def _linearised(function: Callable, jacobian: Callable) -> Callable:
    """f and its Jacobian from functions that fill arrays, as one."""
    import numba

    @numba.njit
    def run(_f, _fx, x, u, p, t, value, slope):
        value[:] = np.nan
        slope[:] = 0.0
        function(x, u, p, t, value)
        jacobian(x, u, p, t, slope)

    return run


def returning(function: Callable, shape: tuple[int, ...]) -> Callable:
    """f(x, u, p, t) that returns an array, from one that fills it: NaN where a vector is left unfilled, zero in a Jacobian."""
    start = 0.0 if len(shape) == 2 else np.nan

    def run(x, u, p, t):
        out = np.full(shape, start)
        function(x, u, p, t, out)
        return out

    if not hasattr(function, "py_func"):
        return run
    import numba

    return numba.njit(run)


class Plain:
    """A user's uncompiled function with its result checked: float64, the right shape, finite."""

    def __init__(self, function: Callable, name: str, shape: tuple[int, ...]):
        self.function, self.name, self.shape = function, name, shape

    def __call__(self, x: np.ndarray, u: np.ndarray, p: np.ndarray, t: float) -> np.ndarray:
        x = x.view()
        x.flags.writeable = False  # a function that changes its state in place would change the path behind it
        try:
            value = np.asarray(self.function(x, u, p, t))
            if value.dtype == object and value.ndim == 0 and value[()] is None:
                raise TypeError("expected an array; received None. Is there a return?")
            if value.dtype.kind == "c":
                raise TypeError("expected real numbers; received complex ones")
            value = value.astype(np.float64, copy=False)
        except Exception as error:
            slip = ". The model has no parameters: give it p=[...]." if isinstance(error, IndexError) and not len(p) else ""
            raise type(error)(f"{self._where(x, u, t)} raised {type(error).__name__}: {error}{slip}") from error
        if value.shape != self.shape:
            slip = " Put the number into an array: np.array([value])." if value.ndim == 0 and self.shape == (1,) else ""
            raise ValueError(f"{self._where(x, u, t)}: expected shape {self.shape}; received {value.shape}.{slip}")
        if not np.isfinite(value).all():
            raise FloatingPointError(f"{self._where(x, u, t)} returned {value}: not finite.")
        return value

    def _where(self, x: np.ndarray, u: np.ndarray, t: float) -> str:
        return f"{self.name}(x={np.array2string(x, precision=4)}, u={np.array2string(u, precision=4)}, p, t={t:g})"


def differences(function: Callable, argument: int) -> Callable:
    """The Jacobian of f(x, u, p, t) in x (argument 0) or u (1) by central differences, h = 6e-6 max(1, |v|).

    Compiled where the function is (a second or so at first use), else plain. Error about 1e-10 relative.
    """

    def jacobian(x, u, p, t):
        v = x.copy() if argument == 0 else u.copy()
        k = len(v)
        n = len(function(x, u, p, t))
        out = np.empty((n, k))
        for j in range(k):
            h = 6e-6 * max(1.0, abs(v[j]))
            keep = v[j]
            v[j] = keep + h
            high = function(v, u, p, t) if argument == 0 else function(x, v, p, t)
            v[j] = keep - h
            low = function(v, u, p, t) if argument == 0 else function(x, v, p, t)
            v[j] = keep
            for i in range(n):
                out[i, j] = (high[i] - low[i]) / (2.0 * h)
        return out

    if compiled(function):
        import numba

        jacobian = numba.njit(jacobian)
        compiled(jacobian, "matrix")
    return jacobian


def uncompiled(function: Callable) -> Callable:
    """The Python source of a Numba function, or the function itself."""
    return getattr(function, "py_func", function)


def wide_input(u: np.ndarray | None, n_steps: int, n_inputs: int, call: str) -> np.ndarray:
    """Inputs as (T, m): zero columns for None where the model has no inputs, an error where it has."""
    if u is None:
        if n_inputs:
            raise ValueError(f"{call}: expected inputs u with {n_inputs} columns as in the model; received none.")
        return np.zeros((n_steps, 0))
    if u.shape[-1] != n_inputs:
        raise ValueError(
            f"{call}: expected u with shape ({n_steps}, {n_inputs}) as in the model; received {u.shape}."
            + (" Time is the first axis: did you pass the transpose?" if u.shape[0] == n_inputs else "")
        )
    return as_float(u)
