"""What kernels share: functions whose code goes into the kernels that call them, and is compiled there alone.

Numba compiles a function that another one calls as if it were to run by itself: optimised, and turned into machine code. Its
callers take the optimised code in and optimise all of it again, a helper of helpers once a level. Here a helper stays as it
was first written for LLVM until a kernel has taken it in, which halves the time to compile a kernel and changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher

from ._cache import cached


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
    """A function for compiled code. Called from Python it is compiled by itself, into the disk cache."""

    def __init__(self, function: Callable, options: dict):
        wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # the entries for Python and C
        super().__init__(function, targetoptions={"nopython": True, **options, **wrappers}, pipeline_class=_Compiler)
        self._options = options

    @cached_property
    def _alone(self) -> Any:
        return cached(self.py_func, self._options)

    def __call__(self, *args: Any) -> Any:
        return self._alone(*args)
