"""The verb smooth: the law of the state given all measurements."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from ..core.data import Data
from ..models.process import Process
from .filter import chosen_method, run, wrap
from .laws import States
from .results import Smoothed, gather
from .rts import RTS, Backward
from .trace import Trace


@overload
def smooth(process: Process, data: Data, method: Any = None) -> Smoothed: ...
@overload
def smooth(process: Process, data: list[Data], method: Any = None) -> list[Smoothed]: ...
def smooth(process: Process, data: Data | list[Data], method: Any = None) -> Smoothed | list[Smoothed]:
    """Smooth measurements through a process.

        x(t|T) = E[x[t] | y[0..T-1]],    P(t|T) = Cov(x[t] | y),    cross_cov[t] = Cov(x[t+1], x[t] | y)

    For a linear process the means minimise sum |w|^2 in Q^-1 plus sum |v|^2 in R^-1 [ESN-SSM, Eq. 80].
    process, data: as for `filter`; a list of Data gives a list of results.
    method: RTS(), BrysonFrazier(), FixedLag(...), or a filter such as UnscentedKalman() that RTS then follows; None for
    RTS after the model's default filter.
    Returns a Smoothed with states (T, n), covariances (T, n, n). Raises as `filter`. Cost O(T n^3).
    """
    if isinstance(data, list):
        return [smooth(process, d, method) for d in data]
    if method is not None and not (hasattr(method, "backward") or hasattr(method, "refine")):
        method = RTS(chosen_method(process, method, "smooth"))
    method = method or RTS()
    forward = chosen_method(process, method.filtering, "smooth")
    traces = run(process, data, forward, "all")
    passes = [method.backward(t) for t in traces] if hasattr(method, "backward") else _refined(process, data, method, traces)
    x = np.concatenate([b.x for b in passes])
    batch = data.is_batch
    states = States(x if batch else x[0], lambda: gather([b.cov() for b in passes], traces, batch))
    return Smoothed(states, wrap(process, data, forward, traces),
                    lambda: gather([b.cross_cov() for b in passes], traces, batch), method, passes)  # fmt: skip


def _refined(process: Process, data: Data, method: Any, traces: list[Trace]) -> list[Backward]:
    """The passes of a method that iterates from a first smoothed path, sequence by sequence."""
    return [method.refine(process, d, RTS().backward(t)) for d, t in zip(data.sequences(), traces)]
