"""One realisation of given order, weighting and horizon, and the search for the best of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..linear.riccati import filter_riccati
from .innovations import Noise, noise_model
from .joint_regression import Record, Regression, joint_regression
from .realization import Decomposition, noise_covariances, predictor_form, shift_invariance, state_rows
from .records import excerpt
from .stable_shift import stable_shift
from .windows import Windows

_MAX_ORDER = 12
UNSTABLE = 1.0 + 1e-3  # beyond it a simulation over the record is dominated by rounding


@dataclass(frozen=True)
class Candidate:
    """A realisation on the common scale: matrices, regression of the rest, noise, second moment of the states, error."""

    part: Decomposition
    A: np.ndarray
    C: np.ndarray
    rest: Regression
    noise: Noise | None
    state_cov: np.ndarray
    loss: float
    stabilised: bool

    def with_noise(self, windows: Windows, records: Sequence[Record]) -> Candidate:
        """The same with the noise estimated."""
        return replace(self, noise=noise_model(windows, self.part, self.A, self.C, self.rest, records))

    @property
    def radius(self) -> float:
        """Spectral radius of A."""
        return float(np.abs(np.linalg.eigvals(self.A)).max(initial=0.0))

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: a stable model is preferred to an unstable one whatever their errors over the record."""
        return self.radius > UNSTABLE, self.loss


Decomposed = Callable[[int, int, str], Decomposition]  # of the windows by past, future and weighting


@dataclass(frozen=True)
class Search:
    """What to try: the order, the focus of the regression, whether D is free, whether A must be stable."""

    n_states: int
    focus: str
    feedthrough: bool
    stable: bool

    def best(self, windows: Windows, records: Sequence[Record], pairs: Sequence[tuple[int, int]], weightings: Sequence[str],
             decomposed: Decomposed) -> tuple[Candidate, list[tuple[str, int, float]]]:  # fmt: skip
        """The candidate with the smallest error on (an excerpt of) the records, and the table of all errors."""
        parts = self._carried([decomposed(*pair, w) for w in weightings for pair in pairs])
        if len(parts) == 1:
            only = self.realise(windows, records, parts[0])
            return only, [(only.part.weighting, only.part.past, only.loss)]
        stretch = excerpt(records)
        ranked = [self.realise(windows, stretch, part) for part in parts]
        chosen = min(ranked, key=lambda c: c.rank)
        return self.realise(windows, records, chosen.part), [(c.part.weighting, c.part.past, c.loss) for c in ranked]

    def _carried(self, parts: list[Decomposition]) -> list[Decomposition]:
        """Those with at least as many independent directions as states are asked for."""
        ranks = [len(part.singular_values) for part in parts]
        if max(ranks) < self.n_states:
            raise ValueError(f"fit(Subspace): expected n_states at most {max(ranks)}, the number of independent directions in these windows; "
                             f"received {self.n_states}. Does one output repeat others? Leave it out, lower n_states or raise horizon.")  # fmt: skip
        return [part for part, rank in zip(parts, ranks) if rank >= self.n_states]

    def order(self, windows: Windows, records: Sequence[Record], pairs_for: Callable[[int], Sequence[tuple[int, int]]],
              weightings: Sequence[str], most: int, decomposed: Decomposed) -> int:  # fmt: skip
        """The order up to `most` of the smallest p N log(error) + n (2 p + m) log N, stable models before unstable ones.

        The error of an order is the smallest over its horizons, as that of the estimate will be: at one horizon for all,
        an order would pay for what only that horizon costs it.
        """
        stretch = excerpt(records)
        N, p, m = sum(len(y) for y, _ in stretch), windows.n_outputs, windows.n_inputs
        scores = []
        for n in range(1, min(most, _MAX_ORDER) + 1):
            parts = [decomposed(*pair, w) for w in weightings for pair in pairs_for(n)]
            tries = [replace(self, n_states=n).realise(windows, stretch, part) for part in parts if len(part.singular_values) >= n]
            if not tries:
                break
            unstable, loss = min(c.rank for c in tries)
            scores.append((unstable, p * N * np.log(loss) + n * (2 * p + m) * np.log(N), n))
        return min(scores)[2]

    def realise(self, windows: Windows, records: Sequence[Record], part: Decomposition) -> Candidate:
        """A, C from the projection; B, D, offset and initial states by regression; the noise is left open."""
        n, p = self.n_states, windows.n_outputs
        gain, stabilised = None, False
        if part.weighting == "ssarx":
            A, C, gain = predictor_form(windows, part, n)
        else:
            A, C = shift_invariance(part.gamma[:, :n], p)
            if self.stable and np.abs(np.linalg.eigvals(A)).max() >= 0.999:
                A, stabilised = stable_shift(part.gamma[:, :n], p), True
        unstable = np.abs(np.linalg.eigvals(A)).max() > UNSTABLE
        of_states = regression_of_states(windows, part, A, C, self.feedthrough)
        if (self.focus == "prediction" or unstable) and gain is None:
            solution = filter_riccati(A, C, *noise_covariances(windows, part, A, of_states.B, C, of_states.D))
            gain = solution.gain if solution.converged else None
        if unstable and gain is None:
            # Neither simulation nor prediction is bounded: what the states say is all there is.
            rest = replace(of_states, initial_states=np.zeros((len(records), n)))
        else:
            rest = joint_regression(A, C, records, gain, self.feedthrough)
        states = state_rows(windows, part, n)[0]
        state_cov = states.T @ states / windows.count
        # The geometric mean over the outputs weighs relative errors alike, whatever their units.
        loss = float(np.exp(np.log(np.maximum(rest.mean_square, 1e-300)).mean()))
        return Candidate(part, A, C, rest, None, state_cov, loss, stabilised)


def regression_of_states(windows: Windows, part: Decomposition, A, C, feedthrough: bool) -> Regression:
    """B and D by regressing x[t+1] - A x[t] and y - C x on u, without offset; the error is left open (infinite)."""
    x, x_next, u, y = state_rows(windows, part, len(A))
    B = np.linalg.lstsq(u, x_next - x @ A.T, rcond=1e-12)[0].T
    D = np.linalg.lstsq(u, y - x @ C.T, rcond=1e-12)[0].T if feedthrough else np.zeros((len(C), u.shape[1]))
    return Regression(B, D, np.zeros(len(C)), np.zeros((1, len(A))), np.full(len(C), np.inf))
