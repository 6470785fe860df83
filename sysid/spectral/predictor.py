"""What the spectral predictors share: one causal kernel on the inputs and a short feedback of outputs.

    y[t] = sum_i F_i y[t-i] + sum_j G_j u[t-j],     G = taps + learnt combination of the filters
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..core.data import Data
from ..inference.simulate import Drive, Path, default_run
from ..kernels import recurrence
from ..kernels._jit import as_float
from ..models.lti import LTI
from ..models.names import Named, check_names, shown_names
from ..models.protocol import wide_input
from . import forms
from .features import alternating_signs, matrix_convolution
from .filters import FilterBank
from .realization import realize


class SpectralPredictor(Named, Shown):
    """Behaviour of STU and ARSTU, which give bank, taps, plus, minus, form, dt and feedback.

    The predictor's state is the outputs fed back, x[t] = (y[t-1], ..., y[t-k]); inputs before the first are zero.
    """

    bank: FilterBank
    taps: np.ndarray
    plus: np.ndarray
    minus: np.ndarray | None
    form: str
    dt: float

    @property
    def feedback(self) -> np.ndarray:
        """F (k, p, p): F[i] multiplies y[t-1-i]."""
        raise NotImplementedError

    @property
    def shift(self) -> int:
        """Steps by which the features are delayed: 2, and 1 for the positive form."""
        return forms.shift(self.form)

    @property
    def n_filters(self) -> int:
        return self.bank.n_filters

    @property
    def n_steps(self) -> int:
        """Length L of the input window."""
        return self.bank.n_steps

    @property
    def n_inputs(self) -> int:
        return self.taps.shape[2]

    @property
    def n_outputs(self) -> int:
        return self.taps.shape[1]

    @property
    def n_feedback(self) -> int:
        return self.n_outputs

    @property
    def n_states(self) -> int:
        return self.feedback.shape[0] * self.n_outputs

    def input_kernel(self) -> np.ndarray:
        """G (L + shift, p, m), the weights of u[t], u[t-1], ... on y[t] given the outputs fed back."""
        length = max(self.n_steps + self.shift, len(self.taps))
        out = np.zeros((length, self.n_outputs, self.n_inputs))
        out[:len(self.taps)] = self.taps
        scaled = self.bank.filters * self.bank.scale[:, None]
        spectral = np.tensordot(scaled, self.plus, axes=(0, 0))
        if self.minus is not None:
            spectral += np.tensordot(scaled * alternating_signs(self.n_steps), self.minus, axes=(0, 0))
        out[self.shift:self.shift + self.n_steps] += spectral
        return out

    def markov_parameters(self, n_steps: int) -> np.ndarray:
        """Impulse response (n_steps, p, m) of the predictor fed by its own outputs."""
        n = _check.count(n_steps, "n_steps", f"{type(self).__name__}.markov_parameters")
        drive = np.zeros((n, self.n_outputs, self.n_inputs))
        kernel = self.input_kernel()[:n]
        drive[:len(kernel)] = kernel
        return np.stack([self._respond(as_float(drive[:, :, i]))[0] for i in range(self.n_inputs)], axis=2) \
            if self.n_inputs else drive

    def predict(self, data: Data) -> np.ndarray:
        """Predict every y[t] from u up to t and the measured y before t; (T, p), for a batch (S, T, p).

        Missing outputs are replaced by the predictor's own. Raises TypeError for what is no Data, ValueError for other inputs.
        """
        _check.kind(data, isinstance(data, Data), "data as sysid.Data(y, u)", f"{type(self).__name__}.predict")
        out = [self._respond(matrix_convolution(self.input_kernel(), self._inputs(d)), known=d.y)[0]
               for d in data.sequences()]
        return np.stack(out) if data.is_batch else out[0]

    def stream(self) -> PredictorStream:
        """Start online use: alternate `predict(u)` and `observe(y)`."""
        return PredictorStream(self)

    def functions(self) -> Any:
        raise TypeError(f"{type(self).__name__} keeps a window of {self.n_steps} inputs and has no small state. "
                        f"Realise it first: .to_lti() gives an LTI for filters, Gramians and certificates.")

    def extended_input(self, u: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        return u

    def to_lti(self, n_states: int | None = None, tolerance: float = 1e-8) -> LTI:
        """Realise the predictor's impulse response as a small LTI; see `sysid.spectral.realization.realize`."""
        return realize(self, n_states=n_states, tolerance=tolerance).model

    def summary(self) -> dict[str, Any]:
        return {"form": self.form, "filters": self.n_filters, "window": self.n_steps, "inputs": self.n_inputs,
                "outputs": self.n_outputs, "dt": self.dt} | shown_names(self)

    def _inputs(self, data: Data) -> np.ndarray:
        check_names(self, data, type(self).__name__)
        return wide_input(data.u, data.n_steps, self.n_inputs, type(self).__name__)

    def _respond(self, drive: np.ndarray, start: np.ndarray | None = None, known: np.ndarray | None = None,
                 ) -> tuple[np.ndarray, int]:
        k, p = self.feedback.shape[:2]
        start = np.zeros((k, p)) if start is None else as_float(start)
        known = np.full(drive.shape, np.nan) if known is None else as_float(known)
        Y = np.zeros(drive.shape)
        diverged = recurrence.feedback_response(as_float(self.feedback), as_float(drive), start, known, Y)
        return Y, diverged


def check_weights(model: Any, call: str) -> None:
    """Check the fields that STU and ARSTU share and store them read-only."""
    _check.choice(model.form, "form", call, forms.FORMS)
    kind = forms.kind(model.form)
    if not isinstance(model.bank, FilterBank) or model.bank.kind != kind:
        raise ValueError(f"{call}: expected bank=sysid.spectral_filters(n_steps, n_filters, kind={kind!r}) for the "
                         f"{model.form} form; received {getattr(model.bank, 'kind', type(model.bank).__name__)}.")
    taps = _weights(model.taps, "taps", call, (None, None, None))
    shape = (model.bank.n_filters, *taps.shape[1:])
    plus = _weights(model.plus, "plus", call, shape)
    if (model.minus is None) == (model.form == "standard"):
        raise ValueError(f"{call}: expected minus weights for the standard form and None for the others; "
                         f"received form={model.form!r} with minus {'None' if model.minus is None else 'given'}.")
    minus = None if model.minus is None else _weights(model.minus, "minus", call, shape)
    dt = _check.time_step(model.dt, call)
    if dt is None:
        raise ValueError(f"{call}: expected dt > 0; received None. A spectral predictor speaks of samples.")
    for name, value in {"taps": taps, "plus": plus, "minus": minus, "dt": dt}.items():
        object.__setattr__(model, name, value)


def _weights(value: Any, name: str, call: str, shape: tuple) -> np.ndarray:
    array = _check.real_array(value, name, call)
    if array.ndim != 3 or any(want is not None and want != got for want, got in zip(shape, array.shape)):
        wanted = "(taps, p, m)" if shape[0] is None else f"{shape}"
        raise ValueError(f"{call}: expected {name} with shape {wanted}; received {array.shape}.")
    return _check.frozen(array)


class PredictorStream:
    """Predict one step at a time; each step costs one (p, L m) product."""

    def __init__(self, model: SpectralPredictor):
        self.model = model
        kernel = model.input_kernel()
        self._length = len(kernel)
        self._kernel = np.ascontiguousarray(kernel[::-1].transpose(1, 0, 2).reshape(model.n_outputs, -1))
        self._inputs = np.zeros((2 * self._length, model.n_inputs))
        self._end = self._length
        self._outputs = np.zeros((model.feedback.shape[0], model.n_outputs))
        self._waiting = False

    def predict(self, u: Any) -> np.ndarray:
        """Take u[t] (m,) and predict y[t] (p,) from it, the inputs before and the outputs observed so far."""
        u = _check.vector(u, "u", "PredictorStream.predict", self.model.n_inputs)
        if self._waiting:
            self.observe(np.full(self.model.n_outputs, np.nan))
        if self._end == len(self._inputs):
            self._inputs[:self._length] = self._inputs[self._length:]
            self._end = self._length
        self._inputs[self._end] = u
        self._end += 1
        window = self._inputs[self._end - self._length:self._end].reshape(-1)
        self._prediction = self._kernel @ window + np.einsum("kpq,kq->p", self.model.feedback, self._outputs)
        self._waiting = True
        return self._prediction.copy()

    def observe(self, y: Any) -> None:
        """Take the measured y[t] (p,); NaN entries, or leaving the call out, keep the prediction instead."""
        call = "PredictorStream.observe"
        if not self._waiting:
            raise ValueError(f"{call}: expected predict(u) before each observe(y); received a second observation.")
        y = np.atleast_1d(_check.real_array(y, "y", call, nan=True))
        if y.shape != (self.model.n_outputs,):
            raise ValueError(f"{call}: expected y with shape ({self.model.n_outputs},); received {y.shape}.")
        if len(self._outputs):
            self._outputs[1:] = self._outputs[:-1]
            self._outputs[0] = np.where(np.isnan(y), self._prediction, y)
        self._waiting = False


def run_predictor(model: SpectralPredictor, drive: Drive) -> Path:
    """The recursion that `simulate` uses; x0 holds the outputs before the first, newest first."""
    k, p = model.feedback.shape[:2]
    drive_y = matrix_convolution(model.input_kernel(), drive.u)
    Y, diverged = model._respond(drive_y, drive.x0.reshape(k, p), drive.feedback)
    fed = Y if drive.feedback is None else np.where(np.isnan(drive.feedback), Y, drive.feedback)
    extended = np.concatenate([drive.x0.reshape(k, p)[::-1], fed])
    # Row t is (y[t-1], ..., y[t-k]).
    states = np.concatenate([extended[k - 1 - i:len(extended) - i] for i in range(k)], axis=1) if k else \
        np.zeros((len(Y) + 1, 0))
    return states[:-1], states[-1], Y, diverged


@default_run.register(SpectralPredictor)
def _(model: SpectralPredictor) -> Any:
    return run_predictor
