"""Dictionaries of observables and the linear model in them: z = phi(x), z[t+1] = A z + B u + sum_i u_i N_i z + c.

A dictionary never holds a constant: that would be an eigenfunction with eigenvalue 1, so no lift of it could be stable
(corrections #34). The constant is the offset c. The state itself comes first, so that C = [I, 0] reads it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import _check
from .monomials import exponents, monomials


def _median_distance(x: np.ndarray) -> float:
    """Median distance between different points of x (k, n); 1 where all are one point."""
    from scipy.spatial.distance import pdist

    gaps = pdist(x)
    return float(np.median(gaps[gaps > 0])) if np.any(gaps > 0) else 1.0


@dataclass(frozen=True)
class Polynomial:
    """Observe all monomials of the state of degree 1..degree around `center` (zero if None); N = C(n + degree, n) - 1.

    Raises TypeError or ValueError for options of another kind or out of range.
    """

    degree: int = 2
    center: Any = None
    memory = 0

    def __post_init__(self) -> None:
        _check.options(self, degree="count")

    def prepare(self, x: np.ndarray) -> Polynomial:
        """Nothing depends on the data but the size of `center`. Raises TypeError or ValueError for one of another."""
        return self if self.center is None else replace(self, center=_check.vector(self.center, "center", "Polynomial", x.shape[1]))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, N) of states x (T, n)."""
        shifted = x if self.center is None else x - np.asarray(self.center)
        return monomials(shifted, exponents(x.shape[1], self.degree))


@dataclass(frozen=True, eq=False)
class Preactivation:
    """Observe the state and elementwise powers 2..degree of W (x - x0), the preactivation's deviation.

    esn : the reservoir. x0 : operating state (n,), zero if None; a constant input leaves the deviation as it is. N = n degree.
    Raises TypeError or ValueError for what is no reservoir, or a degree that is not a whole number from 1.
    """

    esn: Any
    degree: int = 3
    x0: Any = None
    memory = 0

    def __post_init__(self) -> None:
        _check.options(self, degree="count")
        _check.kind(self.esn, hasattr(self.esn, "W"), "a reservoir such as sysid.ESN", "Preactivation")

    def prepare(self, x: np.ndarray) -> Preactivation:
        """Nothing depends on the data but the size of x0. Raises ValueError for states of another size than the reservoir's."""
        n = self.esn.W.shape[1]
        if x.shape[1] != n:
            raise ValueError(f"Preactivation: expected the {n} states of its reservoir; received {x.shape[1]} columns.")
        return self if self.x0 is None else replace(self, x0=_check.vector(self.x0, "x0", "Preactivation", n))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, n degree) of states x (T, n)."""
        origin = np.zeros(x.shape[1]) if self.x0 is None else np.asarray(self.x0, dtype=float)
        eta = (self.esn.W @ (x - origin).T).T
        return np.hstack([x, *(eta ** k for k in range(2, self.degree + 1))])


@dataclass(frozen=True, eq=False)
class RadialBasis:
    """Observe the state and Gaussian bumps exp(-|x - c|^2/(2 width^2)) at centres drawn from the data.

    n_centers : bumps drawn. width : in units of the state, by default the median distance between centres.
    centers : (k, n) points of the state space, drawn from the data if None; n_centers is then not used
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_centers: int = 50
    width: float | None = None
    rng: np.random.Generator | None = None
    centers: np.ndarray | None = None
    memory = 0

    def __post_init__(self) -> None:
        _check.options(self, n_centers="count", width="positive", rng="generator")

    def prepare(self, x: np.ndarray) -> RadialBasis:
        """Draw the centres from states x (T, n) without replacement, where none are given, and settle the width.

        Raises TypeError or ValueError for more centres than states, a missing rng, or centres of another size than the states.
        """
        if self.centers is not None:
            centers = _check.matrix(self.centers, "centers", "RadialBasis", (None, x.shape[1]), "the states have that many columns")
        else:
            if self.n_centers > len(x):
                raise ValueError(f"RadialBasis: expected at most {len(x)} centres, as there are states; received {self.n_centers}.")
            centers = x[_check.generator(self.rng, "RadialBasis").choice(len(x), self.n_centers, replace=False)]
        return RadialBasis(len(centers), self.width or _median_distance(centers), self.rng, centers)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, n + n_centers) of states x (T, n)."""
        if self.centers is None or self.width is None:
            raise ValueError("RadialBasis: expected centres from the data; fit(data, EDMD(RadialBasis(...))) draws them.")
        from scipy.spatial.distance import cdist

        square = cdist(x, self.centers, "sqeuclidean")
        return np.hstack([x, np.exp(-square / (2 * self.width ** 2))])


@dataclass(frozen=True)
class Fourier:
    """Observe the state and the sines and cosines of its first harmonics, coordinate by coordinate.

    harmonics : H. period : one number or (n,), in units of the state. N = n (1 + 2 H).
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    harmonics: int = 3
    period: Any = 2 * np.pi
    memory = 0

    def __post_init__(self) -> None:
        _check.options(self, harmonics="count")
        if not np.all(_check.real_array(self.period, "period", "Fourier") > 0):
            raise ValueError(f"Fourier: expected period > 0; received {self.period!r}.")

    def prepare(self, x: np.ndarray) -> Fourier:
        """Nothing depends on the data but the number of periods. Raises ValueError for another number of them than states."""
        if np.shape(self.period) not in ((), (1,), (x.shape[1],)):
            raise ValueError(f"Fourier: expected one period, or {x.shape[1]} for the states; received shape {np.shape(self.period)}.")
        return self

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, n (1 + 2 harmonics)) of states x (T, n)."""
        angle = 2 * np.pi * x / np.asarray(self.period, dtype=float)
        waves = [w(k * angle) for k in range(1, self.harmonics + 1) for w in (np.sin, np.cos)]
        return np.hstack([x, *waves])


@dataclass(frozen=True, eq=False)
class RandomFourier:
    """Observe the state and random Fourier features sqrt(2/N) cos(w'x + b) of a Gaussian kernel [Rahimi & Recht 2007].

    n_features : N. width : of the kernel, in units of the state, by default the median distance between states.
    weights : (n, N) and phases : (N,), drawn from the kernel's density if None; N is then theirs
    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_features: int = 100
    width: float | None = None
    rng: np.random.Generator | None = None
    weights: np.ndarray | None = None
    phases: np.ndarray | None = None
    memory = 0

    def __post_init__(self) -> None:
        _check.options(self, n_features="count", width="positive", rng="generator")
        if (self.weights is None) != (self.phases is None):
            raise ValueError("RandomFourier: expected weights and phases together, or neither; received one of them.")

    def prepare(self, x: np.ndarray) -> RandomFourier:
        """Draw frequencies and phases for states x (T, n), where none are given.

        Raises TypeError or ValueError for a missing rng, or weights and phases that do not fit the states or each other.
        """
        call, n = "RandomFourier", x.shape[1]
        if self.weights is not None:
            weights = _check.matrix(self.weights, "weights", call, (n, None), f"there are {n} states")
            count = weights.shape[1]
            return replace(self, n_features=count, weights=weights, phases=_check.vector(self.phases, "phases", call, count, "weights has as many columns"))
        rng, count = _check.generator(self.rng, call), self.n_features
        width = self.width or _median_distance(x[:: max(1, len(x) // 200)])
        weights = rng.standard_normal((n, count)) / width
        return RandomFourier(count, width, self.rng, weights, rng.uniform(0, 2 * np.pi, count))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, n + n_features) of states x (T, n)."""
        if self.weights is None or self.phases is None:
            raise ValueError("RandomFourier: expected drawn frequencies; fit(data, EDMD(RandomFourier(...))) draws them.")
        return np.hstack([x, np.sqrt(2 / self.n_features) * np.cos(x @ self.weights + self.phases)])


@dataclass(frozen=True)
class DelayEmbedding:
    """Observe the state and its n_delays past values; N = n (n_delays + 1). `inner` maps the whole window further.

    Raises TypeError or ValueError for options of another kind or out of range.
    """

    n_delays: int = 5
    inner: Any = None

    def __post_init__(self) -> None:
        _check.options(self, n_delays="whole")
        _check.kind(self.inner, self.inner is None or hasattr(self.inner, "prepare"), "inner as a dictionary such as Polynomial(2)", "DelayEmbedding")

    @property
    def memory(self) -> int:
        """Past samples needed."""
        return self.n_delays

    def prepare(self, x: np.ndarray) -> DelayEmbedding:
        """Prepare the inner dictionary on the windows.

        Raises ValueError for no more samples than delays, and what the inner dictionary refuses.
        """
        if self.inner is None:
            return self
        return DelayEmbedding(self.n_delays, self.inner.prepare(self._windows(x)))

    def _windows(self, x: np.ndarray) -> np.ndarray:
        k, T = self.n_delays, len(x)
        if T <= k:
            raise ValueError(f"DelayEmbedding: expected more than {k} samples for {k} delays; received {T}.")
        return np.hstack([x[k - j : T - j] for j in range(k + 1)])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T - n_delays, N) of a stretch of states x (T, n); the first row belongs to sample n_delays."""
        windows = self._windows(x)
        return windows if self.inner is None else self.inner(windows)


@dataclass(frozen=True)
class Observables:
    """Observe what the user's function of states (T, n) returns, (T, N); the state is put first unless include_state=False.

    Raises TypeError for what is not a function.
    """

    function: Callable
    include_state: bool = True
    memory = 0

    def __post_init__(self) -> None:
        _check.kind(self.function, callable(self.function), "a function of states (T, n)", "Observables")

    def prepare(self, x: np.ndarray) -> Observables:
        """Refuse a function of the wrong shape, and constants.

        Raises TypeError or ValueError where the function returns no finite numbers, another shape or a constant.
        """
        values = _check.real_array(self.function(x), "function(x)", "Observables")
        if values.ndim != 2 or len(values) != len(x):
            raise ValueError(f"Observables: expected function(x) with shape ({len(x)}, N); received {values.shape}.")
        flat = np.ptp(values, axis=0) <= 1e-13 * np.abs(values).max(axis=0, initial=0)
        if len(x) > 1 and flat.any():
            raise ValueError(f"Observables: expected no constant observable; column {int(np.argmax(flat))} is one. It "
                             "belongs in the offset, where the lift has it anyway.")
        return self

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, n + N) of states x (T, n)."""
        values = np.asarray(self.function(x), dtype=float)
        return np.hstack([x, values]) if self.include_state else values


@dataclass(frozen=True)
class Union:
    """Observe what several dictionaries without delays observe; the state is kept once.

    parts : the dictionaries to be joined
    """

    parts: tuple = field(default_factory=tuple)
    memory = 0

    def prepare(self, x: np.ndarray) -> Union:
        """Prepare every part. Raises TypeError for what is no dictionary, ValueError for one with delays among them."""
        for part in self.parts:
            _check.kind(part, hasattr(part, "prepare"), "dictionaries such as Polynomial(2)", "Union")
        if not self.parts or any(part.memory for part in self.parts):
            raise ValueError("Union: expected dictionaries without delays; wrap the union in DelayEmbedding(inner=...).")
        return Union(tuple(part.prepare(x) for part in self.parts))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (T, N) of states x (T, n)."""
        n = x.shape[1]
        return np.hstack([x, *(part(x)[:, n:] for part in self.parts)])
