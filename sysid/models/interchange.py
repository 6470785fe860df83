"""LTI models to and from scipy.signal and python-control. Both are imported only here, and only when asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from .lti import LTI


def to_scipy(model: LTI) -> Any:
    """Return scipy.signal.StateSpace (continuous) or its discrete form with dt. Offsets have no place there: refused."""
    from scipy.signal import StateSpace

    _refuse_offsets(model, "to_scipy")
    matrices = (model.A, model.B, model.C, model.D)
    return StateSpace(*matrices) if model.dt is None else StateSpace(*matrices, dt=model.dt)


def from_scipy(system: Any) -> LTI:
    """Build an LTI from a scipy.signal system: state space, transfer function or zeros-poles-gain."""
    convert = getattr(system, "to_ss", None)
    if convert is None:
        raise TypeError(f"LTI.from_scipy: expected a scipy.signal system; received {type(system).__name__}.")
    dt = _interval(getattr(system, "dt", None))
    if hasattr(system, "gain") and hasattr(system, "poles") and not hasattr(system, "num"):
        from .rational import from_zpk

        return from_zpk(system.zeros, system.poles, system.gain, dt)
    system = convert()
    return LTI(system.A, system.B, system.C, system.D, dt=dt)


def _interval(dt: Any) -> float | None:
    """None is continuous in scipy; `True` is discrete without a sampling interval, which must be named."""
    if dt is True:
        raise ValueError("LTI.from_scipy: expected a sampling interval; received dt=True (unspecified). Set dt there.")
    return None if dt is None else float(dt)


def to_control(model: LTI) -> Any:
    """Return control.StateSpace under the same names. Needs python-control; offsets have no place there: refused."""
    _refuse_offsets(model, "to_control")
    if not model.n_inputs:
        raise ValueError("LTI.to_control: expected a model with inputs because python-control has no others; received none.")
    control = _control("LTI.to_control")
    labels = {key: list(given) for key, given in (("outputs", model.output_names), ("inputs", model.input_names)) if given is not None}
    return control.ss(model.A, model.B, model.C, model.D, 0 if model.dt is None else model.dt, **labels)


def from_control(system: Any) -> LTI:
    """Build an LTI from a python-control system, state space or transfer function, with its labels where they are not the default ones."""
    if not hasattr(system, "A"):
        if not hasattr(system, "num"):
            raise TypeError(f"LTI.from_control: expected a python-control system; received {type(system).__name__}.")
        system = _control("LTI.from_control").ss(system)
    dt = system.dt
    if dt is None or dt is True:
        raise ValueError(f"LTI.from_control: expected a time base; received dt={dt}. Set dt there: 0 for continuous time, "
                         "a number for a sampling interval.")  # fmt: skip
    return LTI(np.asarray(system.A), np.asarray(system.B), np.asarray(system.C), np.asarray(system.D), dt=None if dt == 0 else float(dt),
               output_names=_labels(system, "output"), input_names=_labels(system, "input"))  # fmt: skip


def _labels(system: Any, kind: str) -> list[str] | None:
    """The names of a system's outputs or inputs, None where they are those that python-control gives by itself: y[0], u[0], ..."""
    found = list(getattr(system, f"{kind}_labels", None) or [])
    return found if found and found != [f"{'y' if kind == 'output' else 'u'}[{i}]" for i in range(len(found))] else None


def _control(call: str) -> Any:
    try:
        import control
    except ImportError:
        raise ImportError(f"{call}: python-control is not installed; pip install sysid[control].") from None
    return control


def _refuse_offsets(model: LTI, call: str) -> None:
    if model.c.any() or model.d.any():
        raise ValueError(f"LTI.{call}: expected a model without offsets because the other package has none; received "
                         "c or d. Pass sysid.LTI(model.A, model.B, model.C, model.D, model.dt) to drop them.")  # fmt: skip
