"""What sysid takes from inside Numba: faster compilation, loading and calls, for the versions that `_numba.py` names.

`_plain.py` holds the same names by Numba's public interface. Nothing here changes what a kernel computes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numba
from numba import types
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.core.runtime import rtsys
from numba.experimental import function_type
from numba.extending import NativeValue, register_model, unbox

# --- Helpers -----------------------------------------------------------------------------------------------------------
# Numba compiles a function that another one calls as if it were to run by itself: optimised, and turned into machine code. Its
# callers take the optimised code in and optimise all of it again, a helper of helpers once a level. Here a helper stays as it
# was first written for LLVM until a kernel has taken it in, which halves the time to compile a kernel and changes nothing in it.


class _Ingredient(JITCodeLibrary):
    """LLVM's code of one helper, to be linked into kernels: neither optimised nor loaded by itself."""

    def _optimize_final_module(self) -> None:
        """Left to the kernel."""

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Nowhere in memory."""
        return 0

    @property
    def codegen(self) -> _Ingredient:
        """Where Numba leaves the environment of a loaded function, which holds its Python objects: a helper has none."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Not needed."""


class _Compiler(Compiler):
    """Numba's compiler with an `_Ingredient` as its product."""

    def __init__(self, typing: Any, target: Any, library: Any, *rest: Any):
        super().__init__(typing, target, library or _Ingredient(target.codegen(), "helper"), *rest)


class Helper(CPUDispatcher):
    """A function for compiled code. Called from Python it is `alone()`, compiled by itself."""

    def __init__(self, function: Callable, options: dict, alone: Callable[[], Callable]):
        wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # the entries for Python and C
        super().__init__(function, targetoptions={"nopython": True, **options, **wrappers}, pipeline_class=_Compiler)
        self._alone = functools.cache(alone)

    def __call__(self, *args: Any) -> Any:
        return self._alone()(*args)


# --- Functions as arguments --------------------------------------------------------------------------------------------


class FunctionArgument(types.FunctionType):
    """Numba's first-class function type, unpacked from an `Argument`: its own unpacking looks everything up at every call."""


register_model(FunctionArgument)(function_type.FunctionModel)


@unbox(FunctionArgument)
def _unpack(typ: Any, argument: Any, c: Any) -> Any:
    function = cgutils.create_struct_proxy(typ)(c.context, c.builder)
    for name in ("c_addr", "jit_addr"):  # the second one raises what the function raises
        address = c.pyapi.object_getattr_string(argument, name)
        setattr(function, name, c.pyapi.long_as_voidptr(address))
        c.pyapi.decref(address)
    function.py_addr = c.builder.ptrtoint(argument, c.context.get_value_type(types.voidptr))
    return NativeValue(function._getvalue())


class Argument:
    """A compiled function with its type and addresses looked up once, as kernels take it."""

    def __init__(self, function: Any, numba_type: FunctionArgument):
        self.function, self._numba_type_ = function, numba_type  # where Numba's dispatch looks before it asks Python
        self.c_addr = function_type._get_wrapper_address(function, numba_type.signature)
        self.jit_addr = function_type._get_jit_address(function, numba_type.signature)

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


# --- Compiling and loading ---------------------------------------------------------------------------------------------


def options(given: dict) -> dict:
    """The options of a kernel as Numba takes them."""
    return given


@contextlib.contextmanager
def vectors_of_lines(wanted: bool) -> Iterator[None]:
    """Let LLVM turn like operations that stand side by side into vector instructions, which Numba leaves out to compile faster."""
    with global_compiler_lock:
        before = numba.config.SLP_VECTORIZE
        numba.config.SLP_VECTORIZE = int(wanted or before)
        try:
            yield
        finally:
            numba.config.SLP_VECTORIZE = before


def prepare(run: Any, stamps: tuple) -> None:
    """Add `stamps` to what a dispatcher's cache entries must agree with, and load them without Numba's tables."""
    cache = run._cache
    if stamps:
        cache._cache_file._source_stamp = (cache._cache_file._source_stamp, *stamps)
    cache.load_overload = functools.partial(_load, cache._load_overload, cache._guard_against_spurious_io_errors)


def _load(load: Callable, guard: Callable, signature: Any, context: Any) -> Any:
    """What a cache holds for a signature, or None.

    Numba would first set up its tables of all that it can compile, which takes as long as importing it. Machine code needs
    none of them, only what counts references; where there is none yet, the compiler sets up the tables itself.
    """
    rtsys.initialize(context)
    with guard():
        return load(signature, context)
    return None  # the guard took an error of the file system
