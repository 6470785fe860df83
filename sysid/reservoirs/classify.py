"""Classification of sequences by a reservoir: states pooled over segments, ridge onto class indicators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import _check
from .._show import Shown
from ..inference.simulate import simulate
from ..models.esn_functions import readout_features
from .least_squares import Triangle, penalties


@dataclass(repr=False)
class SequenceClassifier(Shown):
    r"""Tell the class of whole sequences of any lengths.

    Each sequence drives the reservoir from rest; its features (states, and squares where it has them) and inputs are averaged over `segments` equal stretches of time
    and joined to one vector, on which ridge regression to class indicators is trained [Jaeger et al. 2007].
    reservoir : an ESN without feedback. ridge : a penalty, or several to choose among by the number of training sequences
    told wrongly when left out (`mistakes`, exact), then by their squared error (`losses`).
    segments : stretches of time. Sequences are (T_i, m) arrays.
    Raises TypeError or ValueError for what is no reservoir, one with output feedback, or options out of range.
    """

    reservoir: Any
    ridge: Any = 1e-2
    segments: int = 3
    classes: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0))
    C: np.ndarray = field(init=False, default_factory=lambda: np.zeros((0, 0)))
    d: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0))
    losses: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0))
    mistakes: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        call = "SequenceClassifier"
        _check.kind(self.reservoir, hasattr(self.reservoir, "with_readout"), "a reservoir such as sysid.ESN", call)
        if self.reservoir.n_feedback:
            raise ValueError(f"{call}: expected a reservoir without output feedback; received one with, whose own outputs would drive it.")
        penalties(self.ridge, call)
        _check.count(self.segments, "segments", call)

    def summary(self) -> dict[str, Any]:
        return {"reservoir": f"{type(self.reservoir).__name__} with {self.reservoir.n_states} states, {self.reservoir.n_inputs} inputs",
                "ridge": self.ridge, "segments": self.segments, "classes": len(self.classes) or "not trained yet"}  # fmt: skip

    def fit(self, sequences: list[np.ndarray], labels: Any) -> SequenceClassifier:
        """Train on sequences (T_i, m) and their labels (S,). Returns itself.

        Raises ValueError for other than one label a sequence, or one class only.
        """
        y = np.asarray(labels)
        if y.ndim != 1 or len(y) != len(sequences):
            raise ValueError(f"SequenceClassifier.fit: expected one label a sequence; received {len(sequences)} sequences "
                             f"and labels {y.shape}.")
        self.classes = np.unique(y)
        if len(self.classes) < 2:
            raise ValueError("SequenceClassifier.fit: expected at least two classes; received one.")
        X = self.pooled(sequences)
        Y = (y[:, None] == self.classes[None]).astype(float)
        path, ridges = Triangle(X.shape[1], Y.shape[1]).add(X, Y).path(), penalties(self.ridge, "SequenceClassifier")
        deleted = [path.deleted_residuals(float(r), X, Y) for r in ridges]
        self.losses = np.array([float((e ** 2).mean()) for e in deleted])
        self.mistakes = np.array([int((np.argmax(Y - e, 1) != np.argmax(Y, 1)).sum()) for e in deleted])
        self.C, self.d = path.solve(float(ridges[np.lexsort((self.losses, self.mistakes))[0]]))
        return self

    def pooled(self, sequences: list[np.ndarray]) -> np.ndarray:
        """The vectors (S, segments (k + m)) that the readout sees, k features.

        Raises TypeError or ValueError for sequences shorter than the segments or with other inputs.
        """
        if not len(sequences):
            raise ValueError("SequenceClassifier: expected at least one sequence; received none.")
        out, phi = [], readout_features(self.reservoir)
        for i, u in enumerate(sequences):
            u = _check.real_array(u, f"sequence {i}", "SequenceClassifier")
            if u.ndim != 2 or u.shape[1] != self.reservoir.n_inputs or len(u) < self.segments:
                raise ValueError(f"SequenceClassifier: expected sequences (T >= {self.segments}, {self.reservoir.n_inputs}); "
                                 f"sequence {i} has shape {u.shape}.")
            run = simulate(self.reservoir, u)
            # x[t+1] is the first state that knows u[t].
            whole = np.hstack([phi(np.vstack([run.x[1:], run.final])), u])
            out.append(np.concatenate([part.mean(0) for part in np.array_split(whole, self.segments)]))
        return np.array(out)

    def decision(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Evidence for every class (S, classes). Raises ValueError before `fit`."""
        if not len(self.classes):
            raise ValueError("SequenceClassifier: expected a trained classifier; call fit(sequences, labels) first.")
        return self.pooled(sequences) @ self.C.T + self.d

    def predict(self, sequences: list[np.ndarray]) -> np.ndarray:
        """Labels (S,) of sequences."""
        return self.classes[np.argmax(self.decision(sequences), axis=1)]

    def score(self, sequences: list[np.ndarray], labels: Any) -> float:
        """Share of sequences told rightly. Raises ValueError for other than one label a sequence."""
        if np.shape(labels) != (len(sequences),):
            raise ValueError(f"SequenceClassifier.score: expected one label a sequence; received {len(sequences)} sequences and labels {np.shape(labels)}.")
        return float(np.mean(self.predict(sequences) == np.asarray(labels)))
