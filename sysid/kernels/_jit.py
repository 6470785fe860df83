"""How a kernel is compiled: once, at its first call, into the disk cache, for one fixed signature.

Read-only and mutable arrays both match an argument declared with `vec`, `mat` or `cube`; outputs and
workspace are declared with `out_vec`, `out_mat` or `out_cube`. `kernel.py_func` is the same source uncompiled.
"""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import is_jitted

from ._cache import cached
from ._numba import parts

__all__ = [
    "absorb_step",
    "argument",
    "as_float",
    "compiled",
    "condition_step",
    "cube",
    "family",
    "flag",
    "helper",
    "integer",
    "kernel",
    "linear_step",
    "mask_row",
    "mat",
    "out_cube",
    "out_mat",
    "out_vec",
    "propagate_step",
    "real",
    "state_function",
    "state_jacobian",
    "triangular_step",
    "update_step",
    "values_step",
    "vec",
]

real, integer, flag = types.float64, types.int64, types.boolean


def _array(ndim: int, readonly: bool) -> types.Array:
    return types.Array(types.float64, ndim, "C", readonly=readonly)


vec, mat, cube = (_array(d, True) for d in (1, 2, 3))
out_vec, out_mat, out_cube = (_array(d, False) for d in (1, 2, 3))


FunctionArgument = parts.FunctionArgument
# f(x, u, p, t) -> (n,) and its Jacobians (x, u, p, t) -> (n, k), as first-class function types: a kernel that
# takes them compiles once for every user function.
state_function = FunctionArgument(out_vec(vec, vec, vec, real))
state_jacobian = FunctionArgument(out_mat(vec, vec, vec, real))
# The two steps every Gaussian filter shares, `conditioning.condition` and `propagation.propagate`, as arguments of other kernels.
mask_row = types.Array(types.boolean, 1, "C", readonly=True)
condition_step = FunctionArgument(real(mat, mat, mat, mask_row, *[out_mat] * 8, out_vec))
absorb_step = FunctionArgument(real(mat, mat, mat, mask_row, out_vec, out_mat, out_mat, out_vec, out_mat))  # `handful.absorb`
propagate_step = FunctionArgument(real(mat, mat, mat, out_mat, out_mat, out_mat))
# The two steps on square-root factors, `factors.update` and `factors.triangularise`.
update_step = FunctionArgument(flag(out_mat, mat, mat, mask_row, *[out_mat] * 6, out_vec))
triangular_step = FunctionArgument(real(out_mat, integer))
# f at many points, or f and its Jacobian at one, into given arrays: `evaluation.values` and `evaluation.linearised`.
values_step = FunctionArgument(types.void(state_function, mat, vec, vec, real, out_mat))
linear_step = FunctionArgument(types.void(state_function, state_jacobian, vec, vec, vec, real, out_vec, out_mat))
# What a user's function may be: f, g and Jacobians that return an array, or that fill the one they are given.
_FUNCTION_SIGNATURES = {"vector": state_function.signature, "matrix": state_jacobian.signature,
                        "vector in place": types.void(vec, vec, vec, real, out_vec),
                        "matrix in place": types.void(vec, vec, vec, real, out_mat),
                        "values": values_step.signature, "linearised": linear_step.signature}  # fmt: skip

UNROLLED = 4  # up to so many states a `family` has a kernel for their number
_compile_lock = threading.RLock()
_warned_uncached = False
_NOTICE_AFTER = 2.0  # seconds
_noticed = False


def _notice() -> None:
    """Say, once a process and only to somebody who watches, why the first call takes long."""
    global _noticed
    if not _noticed and (sys.stderr.isatty() or "ipykernel" in sys.modules):
        _noticed = True
        print("sysid: compiling for this machine; the result is kept on disk, so this happens once.", file=sys.stderr)


def _njit(signature: tuple | None, function: Callable, **options: Any) -> Callable:
    """Compile with the disk cache, for one signature or for any; without one where no cache folder can be written."""
    global _warned_uncached
    if numba.config.DISABLE_JIT:
        return function
    options = parts.options(options)
    try:
        run = cached(function, options)
    except RuntimeError as error:
        if "cache" not in str(error) and "locator" not in str(error):
            raise
        if not _warned_uncached:
            _warned_uncached = True
            warnings.warn(
                "sysid found no folder for Numba's cache and compiles anew in every process; "
                "set NUMBA_CACHE_DIR to a writable folder.",
                RuntimeWarning,
                stacklevel=2,
            )
        run = numba.njit(**options)(function)
    if signature is not None:
        run.compile(signature)
        run.disable_compile()
    return run


@functools.lru_cache(maxsize=256)
def argument(function: Any, kind: str) -> Any:
    """A user's compiled function as an argument of kernels, looked up once: Numba would do so at every call."""
    return parts.Argument(function, FunctionArgument(_FUNCTION_SIGNATURES[kind])) if compiled(function, kind) else function


class Kernel:
    """One recursion, compiled at its first call for the signature it was declared with."""

    def __init__(self, function: Callable, signature: tuple | None, **options: Any):
        self.py_func = function
        self.signature = signature
        self._returns = options.pop("returns", None)
        self._side_by_side = options.pop("side_by_side", False)
        self._options = options
        self.declared = None if self._returns is None else self._returns(*(signature or ()))
        self._argument: Any = None
        self._compiled: Callable | None = None
        functools.update_wrapper(self, function)

    def as_argument(self) -> Any:
        """This kernel as an argument of another one, which then holds no copy of its code. Declare it with `returns`."""
        if self._argument is None:
            self._argument = parts.Argument(self.compile(), FunctionArgument(self.declared))
        return self._argument

    def compile(self) -> Callable:
        """Compile now (or load from the disk cache) and return the compiled function."""
        with _compile_lock:
            if self._compiled is None:
                notice = threading.Timer(_NOTICE_AFTER, _notice)
                notice.daemon = True
                notice.start()
                try:
                    with parts.vectors_of_lines(self._side_by_side):
                        self._compiled = _njit(self.signature, self.py_func, **self._options)
                finally:
                    notice.cancel()
        return self._compiled

    def __call__(self, *args: Any) -> Any:
        return (self._compiled or self.compile())(*args)


def kernel(*signature: Any, **options: Any) -> Callable[[Callable], Kernel]:
    """Declare a kernel: `@kernel(vec, mat, out_mat)` above a plain function.

    No `fastmath` in filters, and no `parallel`: Numba's default threading layer ends the process when two threads start
    such kernels at once. `nogil=True` lets the caller run parts of a batch in threads (inference/threads.py). `side_by_side=True`
    makes vectors of like operations in one line, with the same rounding. Without arguments the kernel is specialised at each call's types.
    """
    return lambda function: Kernel(function, signature or None, **options)


class Family:
    """A recursion as one kernel for each small number of states, whose loops are then unrolled, and one for any number."""

    def __init__(self, build: Callable[[int], Kernel]):
        self._build = functools.cache(build)
        functools.update_wrapper(self, build)

    def __call__(self, n: int) -> Kernel:
        """The kernel for n states; 0: the one for any number."""
        return self._build(n if n <= UNROLLED else 0)

    def kernels(self) -> list[Kernel]:
        """All of them, the one for any number first."""
        return [self._build(n) for n in range(UNROLLED + 1)]


def family(build: Callable[[int], Kernel]) -> Family:
    """Declare kernels that differ in the number of states they are compiled for: `@family` above a function of it, 0 for any."""
    return Family(build)


def compiled(function: Any, kind: str = "vector") -> bool:
    """Tell whether a user function is a Numba function; if so make sure the kernels' signature exists.

    kind: "vector" for f and g, "matrix" for Jacobians; with " in place" where they fill an array. Raises TypeError with
    Numba's own reason where the function does not compile for (x, u, p, t) or returns another type.
    """
    return is_jitted(function) and _has_signature(function, kind)


@functools.lru_cache(maxsize=256)
def _has_signature(function: Any, kind: str) -> bool:
    """Whether a Numba function compiles for the kernels' signature; True or an error."""
    signature = _FUNCTION_SIGNATURES[kind]
    call = f"{function.__name__}(x, u, p, t{', out' if kind.endswith('in place') else ''})"
    try:
        function.compile(signature.args)
    except (numba.core.errors.NumbaError, TypeError) as error:  # the latter where it takes another number of arguments
        raise TypeError(f"{call} does not compile for float64 arrays x, u, p and a float t: {error}") from error
    returned = function.overloads[signature.args].signature.return_type
    if signature.return_type == types.void:
        if returned != types.none:
            raise TypeError(
                f"{call}: expected nothing returned, as in_place=True says; received {returned}. Fill `out` instead."
            )
        return True
    if (
        not isinstance(returned, types.Array)
        or returned.ndim != signature.return_type.ndim
        or returned.dtype != types.float64
    ):
        raise TypeError(
            f"{call}: expected a float64 array with {signature.return_type.ndim} "
            f"dimension(s) returned; received {returned}. Did you return a scalar, a list or integers?"
        )
    return True


def as_float(array: Any) -> np.ndarray:
    """C-contiguous float64, as every kernel takes it."""
    return np.ascontiguousarray(array, dtype=np.float64)


def helper(function: Callable | None = None, *, inner: bool = True, **options: Any) -> Any:
    """Declare what kernels share, in their file or another: compiled with each kernel that calls it.

    inner: False for what kernels take as an argument, which is compiled by itself, per argument types, with the disk cache.
    """
    if function is None:
        return lambda function: helper(function, inner=inner, **options)
    alone = functools.partial(_njit, None, function, **options)
    return parts.Helper(function, options, alone) if inner else alone()
