"""What an array holds decides, not how it lies in memory; what cannot be an array is refused in one sentence."""

import dataclasses

import numpy as np
import pytest

import sysid

RNG = np.random.default_rng(0)
A, B, C = np.array([[0.75, 0.25], [-0.25, 0.5]]), np.array([[1.0], [0.5]]), np.array([[1.0, 0.0], [0.0, 1.0]])
MODEL, U = sysid.LTI(A, B, C), RNG.standard_normal((12, 1))
RESERVOIR = sysid.ESN.random(5, 1, rng=np.random.default_rng(1))
PROCESS = sysid.Process(MODEL, 0.25, 0.5)
DATA = sysid.Data(RNG.standard_normal((12, 2)), U)

CALLS = {
    "LTI": (sysid.LTI, dict(A=A, B=B, C=C, D=np.zeros((2, 1)), c=np.zeros(2), d=np.zeros(2))),
    "LTV": (sysid.LTV, dict(A=np.stack([A] * 3), B=np.stack([B] * 3), C=np.stack([C] * 3))),
    "Bilinear": (sysid.Bilinear, dict(A=A, B=B, N=A[None], C=C)),
    "ESN": (sysid.ESN, dict(W=0.5 * np.eye(4), W_in=np.ones((4, 2)), bias=np.zeros(4), C=np.ones((2, 4)), W_fb=np.ones((4, 2)))),
    "GraphESN": (sysid.GraphESN, dict(laplacian=np.array([[1.0, -1], [-1, 1]]), coefficients=np.array([0.5, 0.25]), W_in=np.ones((2, 1)))),
    "Gaussian": (sysid.Gaussian, dict(mean=np.zeros(2), cov=np.eye(2))),
    "Process": (lambda **k: sysid.Process(MODEL, **k), dict(Q=np.eye(2), R=np.eye(2), S=np.zeros((2, 2)))),
    "Data": (sysid.Data, dict(y=U, u=U)),
    "simulate": (lambda **k: sysid.simulate(MODEL, **k), dict(u=U, x0=np.zeros(2))),
    "simulate, reservoir": (lambda **k: sysid.simulate(RESERVOIR, **k), dict(u=U, x0=np.zeros(5))),
    "forecast": (lambda **k: sysid.forecast(PROCESS, DATA, 12, **k), dict(u=U)),
    "linearize": (lambda **k: sysid.linearize(RESERVOIR, **k), dict(x=np.zeros(5), u=np.zeros(1))),
    "normal": (sysid.reservoirs.normal, dict(poles=np.array([0.5, 0.25]))),
    "modal_esn": (sysid.reservoirs.modal_esn, dict(poles=np.array([0.5, 0.25]), residues=np.array([1.0, 1.0]))),
}
CASES = [pytest.param(call, given, name, id=f"{label}-{name}") for label, (call, given) in CALLS.items() for name in given]


class Table:
    """Stands for a data frame: no ndarray, but one can be made of it; it also multiplies."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)

    def __matmul__(self, other):
        return Table(self.values @ other)


def layouts(a):
    yield np.asfortranarray(a)
    locked = a.copy()
    locked.setflags(write=False)
    yield locked
    wide = np.zeros(tuple(2 * s for s in a.shape))
    view = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    yield view
    yield a[::-1].copy()[::-1]
    yield a.tolist()
    yield a.astype(object)
    yield Table(a)
    if np.array_equal(a, a.astype(np.float32)):
        yield a.astype(np.float32)
    if np.array_equal(a, a.astype(int)):
        yield a.astype(int)


def leaves(thing, depth=0):
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from leaves(part, depth + 1)
    elif dataclasses.is_dataclass(thing) and depth < 4:
        for field in dataclasses.fields(thing):
            yield from leaves(getattr(thing, field.name), depth + 1)


@pytest.mark.parametrize("call, given, name", CASES)
def test_results_do_not_depend_on_how_an_array_lies_and_inputs_stay_as_they_were(call, given, name):
    wanted = list(leaves(call(**given)))
    for array in layouts(given[name]):
        before = np.array(array, dtype=float)
        got = list(leaves(call(**{**given, name: array})))
        assert len(got) == len(wanted)
        assert all(g.shape == w.shape and np.array_equal(g, w, equal_nan=g.dtype.kind == "f") for g, w in zip(got, wanted))
        assert np.array_equal(np.array(array, dtype=float), before)


@pytest.mark.parametrize("call, given, name", CASES)
@pytest.mark.parametrize("value", ["abc", {"a": 1}, [[1.0], [1.0, 2.0]], np.array([None, 1.0]), np.array([[np.nan, 1.0]]), np.array([np.inf]),
                                   np.zeros((0, 0, 0))], ids=["text", "dict", "ragged", "None", "nan", "infinity", "empty"])
def test_what_is_no_such_array_is_refused_in_a_sentence(call, given, name, value):
    with pytest.raises((ValueError, TypeError), match=": expected"):
        call(**{**given, name: value})
