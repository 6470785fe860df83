"""With a Numba that sysid was not tested with, or that compiles nothing, the same numbers come by the public interface alone."""

import os
import subprocess
import sys

import pytest

from tests.data import ROOT

SMALL = """
import numpy as np
from sysid.kernels import _plain
from sysid.kernels._jit import argument, helper, integer, kernel, out_vec, parts, state_function, vec
import numba

@helper
def near(x):
    return 2.0 * x

@helper(inline="always", _nrt=False)
def far(x):
    return near(x) + 1.0

@kernel(state_function, vec, vec, integer, out_vec, nogil=True, side_by_side=True, _nrt=True)
def run(f, x, p, steps, out):
    for i in range(len(x)):
        out[i] = far(x[i])
    for _ in range(steps):
        out[:] = f(out, p, p, 0.0)

@kernel(vec, returns=numba.types.float64)
def total(x):
    return x[0] + x[1]

def f(x, u, p, t):
    if x[0] > 6.0:
        raise ValueError("left the road")
    return x + 1.0

f, out, x = numba.njit(f), np.empty(2), np.arange(2.0)
x.flags.writeable = False
run(argument(f, "vector"), x, x, 2, out)
try:
    run(argument(f, "vector"), x, x, 9, np.empty(2))
except ValueError as error:
    print(error, "|", *out, far(1.0), total.as_argument()(x), parts is _plain, *run.compile().stats.cache_hits.values())
"""

FILTERS = """
import numba
import numpy as np
import sysid

def f(x, u, p, t):
    return np.array([0.9 * x[0] + 0.2 * x[1], 0.7 * x[1] + 0.1 * np.sin(x[0])])

def g(x, u, p, t):
    return np.array([x[0] + 0.05 * x[0] ** 3])

y = np.cumsum(np.random.default_rng(0).standard_normal((40, 1)), axis=0)
y[7] = np.nan
data, start = sysid.Data(y), sysid.Gaussian(np.zeros(2), np.eye(2))
models = [sysid.LTI([[0.9, 0.2], [0.0, 0.7]], None, [[1.0, 0.5]]), sysid.Nonlinear(numba.njit(f), numba.njit(g), n_states=2, n_inputs=0, n_outputs=1)]
for model in models:
    process = sysid.Process(model, 0.3 * np.eye(2), np.eye(1), initial=start)
    result = sysid.smooth(process, data)
    print(repr(result.filter.log_likelihood), *map(repr, map(float, result.smoothed.mean[::9].ravel())))
"""

UNTESTED = "import numba\nnumba.__version__ = '99.1.0'\n"


def printed(code, **environment):
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return run.stdout


def test_with_another_numba_kernels_run_by_its_public_interface(tmp_path):
    """Helpers of helpers, functions as arguments, what these raise, and the cache."""
    (tmp_path / "small.py").write_text(SMALL)
    code = f"{UNTESTED}import sys\nsys.path.append({str(tmp_path)!r})\nimport small"
    for hits in ("", " 1"):
        assert printed(code, NUMBA_CACHE_DIR=str(tmp_path)) == f"left the road | 3.0 5.0 3.0 1.0 True{hits}\n"


def test_a_numba_whose_inner_parts_have_gone_is_not_asked_for_them():
    gone = ("import sys\n"
            "for name in ('codegen', 'compiler_lock', 'registry', 'runtime'):\n"
            "    __import__(f'numba.core.{name}'); sys.modules[f'numba.core.{name}'].__dict__.clear()\n")  # fmt: skip
    assert printed(UNTESTED + gone + "import sysid.kernels._jit, sysid\nprint(sysid.kernels._jit.parts.__name__)") == "sysid.kernels._plain\n"


def test_without_compilation_filters_give_the_same_numbers():
    """NUMBA_DISABLE_JIT, for a debugger's steps through a kernel."""
    apart = [[float(v) for v in printed(FILTERS, **environment).split()] for environment in ({}, {"NUMBA_DISABLE_JIT": "1"})]
    assert apart[1] == pytest.approx(apart[0], rel=1e-10)
