"""State recursions of reservoirs: whatever drives the units is summed beforehand, what is left runs at the speed of W x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import reservoir, reservoir_states
from ..kernels._jit import as_float
from ..models.deep_esn import DeepESN
from ..models.esn import ESN
from ..models.esn_functions import readout_features
from ..models.field_esn import ConvolutionalESN, GraphESN
from ..models.gated_esn import GatedESN
from .paths import Drive, Path, default_run, run_nonlinear
from .threads import in_parts

_STRETCH = 2**16  # numbers of drive made at once for one sequence
_CHUNK = 2**21  # numbers of drive held at once in a batch
_SHARE, _LARGE = 16, 200  # sequences a thread takes at least, and units from which threads pay
_SPARSE_KERNEL = 49  # entries of a convolution kernel up to which compressed rows beat the FFT


def rollout_chunks(W: Any, drive: Callable[[int, int], np.ndarray], T: int, model: Any, x0: np.ndarray) -> tuple:
    """`rollout` with the drive V[a:b] = drive(a, b) made a stretch at a time, small enough to stay in cache."""
    X, final = np.empty((T, len(x0))), np.array(x0)
    step = max(64, _STRETCH // max(len(x0), 1))
    for a in range(0, T, step):
        b = min(a + step, T)
        final = rollout(W, drive(a, b), model, final, X[a:b])[1]
    return X, final


def rollout(W: Any, V: np.ndarray, model: Any, x0: np.ndarray, X: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """x[t+1] = (1 - leak) x + leak s(W x + V[t]): states x (T, n) and x[T] (n,). W full, sparse, or an operator."""
    X, final = np.empty(V.shape) if X is None else X, np.empty(V.shape[1])
    leak, code = as_float(model.leaks), model.act.code
    if len(V) == 0:
        return X, np.array(x0)
    if code >= 0 and isinstance(W, np.ndarray):
        reservoir_states.dense(as_float(W), as_float(V), leak, code, as_float(x0), X, final)
    elif code >= 0 and hasattr(W, "indptr"):
        starts, columns = (np.asarray(a, dtype=np.uint32) for a in (W.indptr, W.indices))
        reservoir_states.sparse(starts, columns, as_float(W.data), as_float(V), leak, code, as_float(x0), X, final)
    else:  # an operator knows only its product, a user's activation only its function
        s, keep = np.tanh if model.act.name == "tanh" else model.act.function, 1.0 - leak
        final[:] = x0
        for t in range(len(V)):
            X[t] = final
            v = W @ final
            v += V[t]
            np.multiply(leak, s(v), out=v)
            np.multiply(keep, final, out=final)
            final += v
    return X, final


def rollout_batch(model: ESN, inputs: np.ndarray, x0: np.ndarray, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The same for S sequences at once, one matrix product a step: x (S, T, n) and x[T] (S, n).

    inputs (S, T, m), known (S, T, p) the measured outputs fed back. Parts of the batch run in threads, and only a
    stretch of the drive is held.
    """
    (S, n), T = x0.shape, inputs.shape[1]
    X, final = np.empty((S, T, n)), np.array(x0, order="C")
    W, leak, step = as_float(model.W), as_float(model.leaks), max(1, _CHUNK // max(S * n, 1))

    def run(first: int, last: int) -> None:
        for a in range(0, T, step):
            V = inputs[first:last, a:a + step] @ model.W_in.T
            V += model.bias
            if model.n_feedback and known is not None:
                V += known[first:last, a:a + step] @ model.W_fb.T
            reservoir_states.batch(W, as_float(V), a, leak, model.act.code, final[first:last], X[first:last])

    in_parts(S, run, least=_SHARE if n >= _LARGE else S)
    return X, final


def runs_together(model: Any, known: np.ndarray | None) -> bool:
    """Tell whether a batch of this model runs as one matrix product a step: a full W, and no output of its own fed back."""
    taught = not getattr(model, "n_feedback", 0) or (known is not None and not np.isnan(known).any())
    return taught and isinstance(model, ESN) and isinstance(model.W, np.ndarray) and model.act.code >= 0


def run_together(model: ESN, inputs: np.ndarray, starts: np.ndarray, known: np.ndarray | None) -> tuple:
    """States (S, T, n), x[T] (S, n) and outputs (S, T, p) or None, for inputs (S, T, m) from starts (S, n)."""
    X, final = rollout_batch(model, inputs, starts, known)
    with np.errstate(all="ignore"):
        return X, final, _outputs(model, X)


@default_run.register
def _(model: ESN) -> Callable[[Any, Drive], Path]:
    return _run_reservoir


@default_run.register
def _(model: DeepESN) -> Callable[[Any, Drive], Path]:
    return _run_deep


@default_run.register
def _(model: ConvolutionalESN) -> Callable[[Any, Drive], Path]:
    return _run_field


@default_run.register
def _(model: GraphESN) -> Callable[[Any, Drive], Path]:
    return lambda model, drive: _run_reservoir(model.flat, drive)


@default_run.register
def _(model: GatedESN) -> Callable[[Any, Drive], Path]:
    return _run_gated


def _run_reservoir(model: ESN, drive: Drive) -> Path:
    if drive.w is not None or drive.v is not None:
        return _run_feedback(model, drive) if model.act.code >= 0 and not callable(model.features) \
            else run_nonlinear(model, drive)
    def summed(a: int, b: int) -> np.ndarray:
        V = drive.u[a:b] @ model.W_in.T
        V += model.bias
        if model.n_feedback and drive.feedback is not None:
            V += drive.feedback[a:b] @ model.W_fb.T
        return V

    if not model.n_feedback:
        return _finished(model, *rollout_chunks(model.W, summed, len(drive.u), model, drive.x0))
    own = np.ones(len(drive.u), bool) if drive.feedback is None else np.isnan(drive.feedback).any(1)
    if own.any():
        model.require_readout("simulate with outputs fed back")
    taught = int(np.argmax(own)) if own.any() else len(own)
    x, final = rollout_chunks(model.W, summed, taught, model, drive.x0)
    if taught == len(own):
        return _finished(model, x, final)
    rest = Drive(drive.u[taught:], final, None if drive.feedback is None else drive.feedback[taught:], None, None)
    if own[taught:].all() and (drive.feedback is None or np.isnan(drive.feedback[taught:]).all()) and model.features is None:
        loop = model.closed_loop()
        x2, final = rollout(loop.W, rest.u @ loop.W_in.T + loop.bias, loop, final)
    else:
        compiled = model.act.code >= 0 and not callable(model.features)
        x2, final, _, _ = _run_feedback(model, rest) if compiled else run_nonlinear(model, rest)
    return _finished(model, np.vstack([x, x2]), final)


def _run_feedback(model: ESN, drive: Drive) -> Path:
    fun = model.functions()
    T, n, q = len(drive.u), model.n_states, model.n_outputs
    if model.n_feedback and model.C is None and (drive.feedback is None or np.isnan(drive.feedback).any()):
        model.require_readout("simulate with outputs fed back")
    X, Y, final = np.empty((T, n)), np.empty((T, q)), np.empty(n)
    V = np.zeros((T, n)) if drive.w is None else drive.w
    E = np.zeros((T, q)) if drive.v is None else drive.v
    U = as_float(model.extended_input(drive.u, drive.feedback))
    diverged = reservoir.packed(fun.p, U, V, E, as_float(drive.x0), X, Y, final)
    return X, final, None if model.C is None else Y, diverged


def _run_deep(model: DeepESN, drive: Drive) -> Path:
    """Layer after layer over the whole time: a layer hears the one below through one matrix product."""
    own = model.n_feedback and (drive.feedback is None or np.isnan(drive.feedback).any())
    if own or drive.w is not None or drive.v is not None:
        return _run_reservoir(model.flat, drive)
    starts = model.split(drive.x0)
    states: list[np.ndarray] = []
    finals: list[np.ndarray] = []
    for i, layer in enumerate(model.layers):
        V = np.broadcast_to(layer.bias, (len(drive.u), layer.n_states)).copy()
        if layer.n_inputs:
            V += drive.u @ layer.W_in.T
        if layer.n_feedback and drive.feedback is not None:
            V += drive.feedback @ layer.W_fb.T
        for source, joint in model.joints(i):
            V += states[source] @ joint.T
        x, final = rollout(layer.W, V, layer, starts[i])
        states.append(x)
        finals.append(final)
    return _finished(model, np.hstack(states), np.concatenate(finals))


def _run_field(model: ConvolutionalESN, drive: Drive) -> Path:
    if drive.w is not None or drive.v is not None:
        return run_nonlinear(model, drive)
    W, U = (k.to_sparse() if k.kernel.shape[0] * k.kernel.shape[1] <= _SPARSE_KERNEL else k for k in (model.W, model.U))
    return _finished(model, *rollout(W, (U @ drive.u.T).T + model.biases, model, drive.x0))


def _run_gated(model: GatedESN, drive: Drive) -> Path:
    x, final, y, diverged = run_nonlinear(model, drive)
    return x, final, None if model.C is None else y, diverged


def _finished(model: Any, x: np.ndarray, final: np.ndarray) -> Path:
    diverged = -1
    if not np.isfinite(final).all():  # what has left every bound never comes back
        bad = ~np.isfinite(x).all(1)
        diverged = int(np.argmax(bad)) - 1 if bad.any() else len(x) - 1
    with np.errstate(all="ignore"):
        return x, final, _outputs(model, x), diverged


def _outputs(model: Any, x: np.ndarray) -> np.ndarray | None:
    return None if model.C is None else readout_features(model)(x) @ model.C.T + model.d
