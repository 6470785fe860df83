"""An echo-state network with scikit-learn's conventions: clone, pipelines, GridSearchCV."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..core.data import Data
from ..inference.simulate import simulate
from ..models.esn import ESN
from .least_squares import Triangle, penalties
from .states import patterns


class ESNRegressor:
    """Regress y on the past and present of X by a random reservoir and a ridge readout.

    X : (T, m) in time order; y : (T,) or (T, p), NaN where missing. Row t of y may depend on row t of X, as scikit-learn
    users expect; within sysid that is the state x[t+1]. Parameters are those of `ESN.random` and `Readout`;
    random_state is a whole number. After `fit`: `esn_` (trained; its y is delayed by one step), `final_state_`.
    `predict` starts from rest, or goes on from the end of the training data where `carry_state` is set.
    Needs scikit-learn only where scikit-learn itself calls it.
    spectral_radius, leak, input_scale, bias_scale, density, topology, activation : as in `ESN.random`
    washout : steps left out at the start of a sequence when the readout is trained
    """

    def __init__(self, n_states: int = 100, spectral_radius: float = 0.9, leak: float = 0.3, input_scale: float = 1.0,
                 bias_scale: float = 0.0, density: float = 1.0, topology: str = "gaussian", activation: str = "tanh",
                 ridge: float = 1e-6, washout: int = 0, carry_state: bool = False, random_state: int = 0):  # fmt: skip
        self.n_states, self.spectral_radius, self.leak = n_states, spectral_radius, leak
        self.input_scale, self.bias_scale, self.density = input_scale, bias_scale, density
        self.topology, self.activation, self.ridge = topology, activation, ridge
        self.washout, self.carry_state, self.random_state = washout, carry_state, random_state

    def fit(self, X: Any, y: Any) -> ESNRegressor:
        """Train on one sequence. Returns itself. Raises ValueError for records no longer than the washout."""
        y = np.asarray(y, dtype=float)
        self._flat = y.ndim == 1
        data = Data(y, X)
        if data.n_steps <= self.washout:
            raise ValueError(f"ESNRegressor.fit: expected more than washout = {self.washout} samples; received {data.n_steps}.")
        esn = ESN.random(self.n_states, data.n_inputs, spectral_radius=self.spectral_radius, leak=self.leak,
                         input_scale=self.input_scale, bias_scale=self.bias_scale, density=self.density,
                         topology=self.topology, activation=self.activation, rng=np.random.default_rng(self.random_state))
        run = simulate(esn, data.u)
        x = np.vstack([run.x[1:], run.final])[self.washout :]
        C, d = np.zeros((data.n_outputs, self.n_states)), np.zeros(data.n_outputs)
        for columns, keep in patterns(data.y[self.washout :]):
            path = Triangle(self.n_states, len(columns)).add(x[keep], data.y[self.washout :][keep][:, columns]).path()
            ridges = penalties(self.ridge, "ESNRegressor")
            C[columns], d[columns] = path.solve(float(ridges[np.argmin([path.gcv(float(r)) for r in ridges])]))
        self.esn_, self.final_state_, self.n_features_in_ = esn.with_readout(C, d), run.final, data.n_inputs
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict y (T,) or (T, p) along X (T, m). Raises ValueError before `fit`."""
        if not hasattr(self, "esn_"):
            raise ValueError("ESNRegressor.predict: expected a trained regressor; call fit(X, y) first.")
        run = simulate(self.esn_, X, self.final_state_ if self.carry_state else None)
        y = np.vstack([run.x[1:], run.final]) @ self.esn_.C.T + self.esn_.d
        return y[:, 0] if self._flat else y

    def score(self, X: Any, y: Any) -> float:
        """Return the coefficient of determination R^2 on rows whose targets are known, averaged over outputs.

        Raises ValueError where no row's are.
        """
        y, p = np.asarray(y, dtype=float), self.predict(X)
        y, p = y.reshape(len(y), -1), p.reshape(len(y), -1)
        seen = ~np.isnan(y).any(1)
        if not seen.any():
            raise ValueError("ESNRegressor.score: expected rows whose targets are known; received NaN in every row.")
        y, p = y[seen], p[seen]
        error, spread = ((y - p) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
        # Of a target that never moves it is 1 where that is predicted exactly and else 0, as in scikit-learn.
        return float(np.mean(np.where(spread > 0, 1 - error / np.where(spread > 0, spread, 1.0), (error == 0) * 1.0)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> ESNRegressor:
        """Set constructor arguments by name. Returns itself. Raises ValueError for a name that is not one of them."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"ESNRegressor.set_params: expected one of {', '.join(known)}; received {name!r}.")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks an estimator."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(estimator_type="regressor", target_tags=TargetTags(required=True, multi_output=True),
                    regressor_tags=RegressorTags(), input_tags=InputTags(), transformer_tags=None, classifier_tags=None)

    def __repr__(self) -> str:
        return f"ESNRegressor(n_states={self.n_states}, spectral_radius={self.spectral_radius}, leak={self.leak}, ridge={self.ridge})"
