"""How kernels are compiled: lazily, once, for read-only arrays too, with or without a cache folder, and from any thread."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import sysid
from sysid.inference.threads import in_parts
from sysid.kernels import _jit
from sysid.kernels._jit import Kernel, helper, mat, out_vec, real, vec
from tests.data import ROOT


def scaled(x, A, out):
    for i in range(len(out)):
        out[i] = 0.0
        for j in range(len(x)):
            out[i] += A[i, j] * x[j]


def test_nothing_is_compiled_before_the_first_call_and_read_only_arrays_are_taken():
    run = Kernel(scaled, (vec, mat, out_vec))
    assert run._compiled is None
    x, A, out = np.arange(3.0), np.arange(6.0).reshape(2, 3), np.empty(2)
    x.flags.writeable = A.flags.writeable = False
    run(x, A, out)
    np.testing.assert_array_equal(out, A @ x)
    run(x.copy(), A.copy(), out)
    assert len(run.compile().signatures) == 1


def test_a_kernel_without_a_cache_folder_still_runs_and_says_so_once(monkeypatch):
    njit = numba.njit

    def no_folder(*args, cache=False, **options):
        if cache:
            def refuse(function):
                raise RuntimeError(f"cannot cache function {function.__name__}: no locator available for file")
            return refuse
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", no_folder)
    monkeypatch.setattr(_jit, "_warned_uncached", False)
    out = np.empty(2)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as caught:
        for _ in range(2):
            Kernel(scaled, (vec, mat, out_vec))(np.ones(3), np.ones((2, 3)), out)
    np.testing.assert_array_equal(out, [3.0, 3.0])
    assert len(caught) == 1


@pytest.mark.parametrize("watched", [True, False])
def test_a_long_compilation_is_announced_once_to_somebody_who_watches(monkeypatch, capsys, watched):
    started = []

    class Timer:
        def __init__(self, seconds, call):
            started.append(call)

        start = cancel = lambda self: None

    monkeypatch.setattr(_jit.threading, "Timer", Timer)
    monkeypatch.setattr(_jit, "_noticed", False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched, raising=False)
    for _ in range(2):
        Kernel(scaled, (vec, mat, out_vec)).compile()
    for call in started:
        call()
    assert len(started) == 2 and capsys.readouterr().err.count("this happens once") == watched


def test_filters_of_four_threads_do_not_disturb_each_other():
    rng = np.random.default_rng(0)
    model = sysid.LTI(0.5 * rng.standard_normal((3, 3)), None, rng.standard_normal((2, 3)))
    process = sysid.Process(model, np.eye(3), np.eye(2))
    records = [sysid.Data(rng.standard_normal((4, 200, 2))) for _ in range(8)]
    alone = [sysid.smooth(process, record) for record in records]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda record: sysid.smooth(process, record), records))
    for a, b in zip(alone, together):
        np.testing.assert_array_equal(a.smoothed.mean, b.smoothed.mean)
        np.testing.assert_array_equal(a.filter.log_likelihoods, b.filter.log_likelihoods)


@pytest.mark.parametrize(("count", "least"), [(0, 1), (1, 1), (7, 3), (64, 16), (5, 100)])
def test_parts_cover_the_range_once_and_are_not_too_small(count, least):
    seen, sizes = np.zeros(count, int), []

    def run(a, b):
        seen[a:b] += 1
        sizes.append(b - a)

    in_parts(count, run, least)
    assert (seen == 1).all()
    assert len(sizes) == 1 or min(sizes) >= least


def test_what_a_part_raises_reaches_the_caller():
    def run(a, b):
        raise FloatingPointError(f"part {a}")

    with pytest.raises(FloatingPointError, match="part 0"):
        in_parts(8, run)


def test_an_edited_helper_in_another_file_is_noticed(tmp_path):
    """Two helpers deep: the cache of a kernel holds only as long as every file it was compiled from."""
    (tmp_path / "deep.py").write_text("from sysid.kernels._jit import helper\n@helper\ndef deep(x):\n    return 1.0 * x\n")
    (tmp_path / "near.py").write_text("from deep import deep\nfrom sysid.kernels._jit import helper\n"
                                      "@helper\ndef near(x):\n    return deep(x)\n")
    (tmp_path / "kernels.py").write_text(
        "import numpy as np\nfrom near import near\nfrom sysid.kernels._jit import kernel, out_vec, vec\n"
        "@kernel(vec, out_vec)\ndef run(x, out):\n    for i in range(len(x)):\n        out[i] = near(x[i])\n"
        "out = np.empty(1)\nrun(np.ones(1), out)\nprint(out[0], sum(run.compile().stats.cache_hits.values()))\n")

    def printed():
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        run = subprocess.run([sys.executable, "kernels.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.split()

    assert printed() == ["1.0", "0"]
    assert printed() == ["1.0", "1"]  # from the cache
    (tmp_path / "deep.py").write_text("from sysid.kernels._jit import helper\n@helper\ndef deep(x):\n    return 20.0 * x\n")
    assert printed() == ["20.0", "0"]


def test_a_kernel_from_the_cache_needs_none_of_numbas_tables_and_others_compile_after_it():
    """A first filter then takes half the time; its process has loaded no compiler tables and no scipy.linalg."""
    filtered = ("import sys\nimport numpy as np\nimport sysid\nprocess = sysid.Process(sysid.LTI(0.5, None, 1.0), 1.0, 1.0)\n"
                "print(sysid.filter(process, sysid.Data(np.ones(30))).log_likelihood)\n")  # fmt: skip
    loaded = "print([m for m in ('numba.typed.typeddict', 'scipy.linalg') if m in sys.modules])\n"
    compiled = "import numba\nprint(numba.njit(lambda x: np.dot(x, x) + len({1: x}))(np.ones(3)))\n"
    runs = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
            for code in (filtered, filtered + loaded + compiled)]  # fmt: skip
    assert runs[1] == [*runs[0], "[]", "4.0"]


@helper
def ratio(a, b):
    return a / b


def test_a_helper_has_no_machine_code_of_its_own_and_what_it_raises_reaches_the_caller():
    """Optimised twice, and loaded for nobody, helpers would double the time to compile a kernel."""

    def ratios(a, b, out):
        for i in range(len(a)):
            out[i] = ratio(a[i], b[i])

    run, out = Kernel(ratios, (vec, vec, out_vec)), np.empty(2)
    run(np.array([1.0, 2.0]), np.array([4.0, 8.0]), out)
    assert (out == 0.25).all()
    with pytest.raises(ZeroDivisionError):
        run(np.ones(2), np.zeros(2), out)
    ratio.compile((real, real))
    (result,) = ratio.overloads.values()
    assert not result.target_context.codegen()._engine.is_symbol_defined(result.fndesc.llvm_func_name)
    assert ratio(1.0, 2.0) == 0.5  # from Python


def test_operations_side_by_side_become_vector_instructions_and_others_compile_as_before():
    """Numba's own switch is back where it was afterwards, for the user's functions."""
    import numba

    def four(a, b, out):
        out[0], out[1], out[2], out[3] = a[0] * b[0] + a[0], a[1] * b[1] + a[1], a[2] * b[2] + a[2], a[3] * b[3] + a[3]

    before = numba.config.SLP_VECTORIZE
    run = Kernel(four, (vec, vec, out_vec), side_by_side=True)
    a, b, out = np.arange(4.0), np.arange(4.0) / 3, np.empty(4)
    run(a, b, out)
    assert (out == a * b + a).all() and numba.config.SLP_VECTORIZE == before
