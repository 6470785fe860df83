"""Reservoir matrices W: random, sparse, orthogonal, cyclic, circulant, and normal with placed poles.

Every function returns W with the spectral radius asked for (1 unless told), as an ndarray where W is full, as
a `csr_array` where it is sparse, and as a `Circulant` operator where a product costs O(n log n). Randomness comes
from `rng` alone. `sysid.reservoirs` shows these functions to users; `ESN.random` calls them from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy

from .. import _check
from ..linear.spectrum import conjugate_blocks, scale_to_radius


def gaussian(n_states: int, *, spectral_radius: float | None = 1.0, density: float = 1.0,
             rng: np.random.Generator) -> Any:
    r"""Draw independent Gaussian weights.

    .. math:: W_{ij} \sim N(0, 1/(\rho n)), \qquad W \leftarrow W r / \rho(W)

    n_states : n. spectral_radius : r, or None to leave the draw as it is. density : share of nonzero entries;
    below 1 the result is a `csr_array`. Returns (n, n). Raises ValueError for a density that leaves no edge or
    no cycle. Cost O(n^3) for the eigenvalues of a full W.
    """
    n, rng = _sizes("gaussian", n_states, rng)
    if density != 1.0:
        W = _sparse(n, density, rng, lambda k: rng.standard_normal(k) / np.sqrt(density * n), "gaussian")
        return _scaled(W, spectral_radius, "gaussian")
    return _scaled(rng.standard_normal((n, n)) / np.sqrt(n), spectral_radius, "gaussian")


def uniform(n_states: int, *, spectral_radius: float | None = 1.0, density: float = 1.0,
            rng: np.random.Generator) -> Any:
    """Draw independent weights uniform on [-1, 1]; arguments as in `gaussian`."""
    n, rng = _sizes("uniform", n_states, rng)
    if density != 1.0:
        W = _sparse(n, density, rng, lambda k: rng.uniform(-1, 1, k), "uniform")
        return _scaled(W, spectral_radius, "uniform")
    return _scaled(rng.uniform(-1, 1, (n, n)), spectral_radius, "uniform")


def sparse(n_states: int, *, density: float = 0.1, spectral_radius: float | None = 1.0,
           rng: np.random.Generator) -> Any:
    """Draw a sparse Gaussian W with exactly round(density n^2) edges, as a `csr_array`.

    spectral_radius : wanted of the result
    """
    n, rng = _sizes("sparse", n_states, rng)
    return _scaled(_sparse(n, density, rng, rng.standard_normal, "sparse"), spectral_radius, "sparse")


def orthogonal(n_states: int, *, spectral_radius: float = 1.0, rng: np.random.Generator) -> np.ndarray:
    """Draw W = r Q with Q Haar-distributed orthogonal: all eigenvalues and singular values have modulus r.

    spectral_radius : the factor of the orthogonal matrix
    """
    n, rng = _sizes("orthogonal", n_states, rng)
    return _radius(spectral_radius, "orthogonal") * random_orthogonal(n, rng)


def permutation(n_states: int, *, spectral_radius: float = 1.0, rng: np.random.Generator) -> Any:
    """Draw W = r P with P a random permutation, as a `csr_array`; a product costs O(n).

    spectral_radius : the factor of the permutation
    """
    n, rng = _sizes("permutation", n_states, rng)
    from scipy.sparse import csr_array
    weights = np.full(n, _radius(spectral_radius, "permutation"))
    return csr_array((weights, (np.arange(n), rng.permutation(n))), shape=(n, n))


def cycle(n_states: int, *, spectral_radius: float = 1.0, jump: int = 0, jump_weight: float = 0.5) -> Any:
    """Build the cycle reservoir, with two-way jumps of length `jump` if that is positive, as a `csr_array`.

    State i feeds state i + 1; with jumps the states 0, l, 2l, ... are also joined both ways with the weight
    `jump_weight` relative to the cycle's, and W is scaled afterwards [Rodan & Tino 2012]. No randomness.
    spectral_radius : wanted of the result
    Raises TypeError or ValueError for counts that are not whole numbers, or a jump beyond n_states.
    """
    n = _check.count(n_states, "n_states", "cycle")
    r = _radius(spectral_radius, "cycle")
    jump = _check.count(jump, "jump", "cycle", least=0)
    from scipy.sparse import csr_array
    source = np.arange(n)
    rows, columns, values = [(source + 1) % n], [source], [np.ones(n)]
    if jump:
        if jump >= n:
            raise ValueError(f"cycle: expected jump < n_states = {n}; received {jump}.")
        a = np.arange(0, n - n % jump if n % jump else n, jump)
        b = (a + jump) % n
        rows += [b, a]; columns += [a, b]; values += [np.full(len(a), float(jump_weight))] * 2
    W = csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    return scale_to_radius(W, r, "cycle") if jump else W * r


@dataclass(frozen=True, eq=False)
class Circulant:
    r"""Real circulant matrix held by its first column, with O(n log n) products by the FFT.

    .. math:: W = F^* \operatorname{diag}(\hat c) F, \qquad W v = c \circledast v

    column : (n,) first column c. The eigenvalues are the DFT of c, and W is normal: ||W|| = rho(W).
    Raises ValueError for a column that is no vector.
    """

    column: np.ndarray
    is_normal = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "column", _check.vector(self.column, "column", "Circulant"))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.column), len(self.column)

    @cached_property
    def _symbol(self) -> np.ndarray:
        return np.fft.rfft(self.column)

    def __matmul__(self, v: np.ndarray) -> np.ndarray:
        """W v for v of shape (n,) or (n, k)."""
        from scipy import fft
        v = np.asarray(v, dtype=np.float64)
        if v.shape[0] != len(self.column):
            raise ValueError(f"Circulant @ v: expected v with {len(self.column)} rows; received {v.shape}.")
        symbol = self._symbol if v.ndim == 1 else self._symbol[:, None]
        return fft.irfft(symbol * fft.rfft(v, axis=0), n=len(self.column), axis=0)

    def __mul__(self, factor: float) -> Circulant:
        return Circulant(self.column * float(factor))

    __rmul__ = __mul__

    @property
    def T(self) -> Circulant:
        """The transpose, circulant with the column reversed."""
        return Circulant(np.roll(self.column[::-1], 1))

    def eigenvalues(self) -> np.ndarray:
        """(n,) eigenvalues: the DFT of the column."""
        return np.fft.fft(self.column)

    def toarray(self) -> np.ndarray:
        """(n, n) dense copy."""
        return scipy.linalg.circulant(self.column)

    def __repr__(self) -> str:
        return f"Circulant(n = {len(self.column)}, spectral radius = {np.abs(self.eigenvalues()).max():.4g})"


def circulant(n_states: int | None = None, *, poles: Any = None, spectral_radius: float | None = None,
              rng: np.random.Generator | None = None) -> Circulant:
    """Build a circulant W, drawn at random or with placed poles; products cost O(n log n).

    poles : (n,) eigenvalues closed under conjugation. A real circulant matrix holds its complex eigenvalues in
        pairs and one real eigenvalue (n odd) or two (n even); further real poles must come in equal pairs.
    Without poles the column is Gaussian and W has the spectral radius 1 unless told.
    Raises ValueError where no real circulant matrix has these poles: `normal` takes any closed set.
    spectral_radius : wanted of the result
    """
    if poles is None:
        n, rng = _sizes("circulant", 1 if n_states is None else n_states, rng)
        radius = _radius(1.0 if spectral_radius is None else spectral_radius, "circulant")
        return scale_to_radius(Circulant(rng.standard_normal(n)), radius, "circulant")
    blocks = conjugate_blocks(poles, "circulant")
    values = [complex(b[0, 0], b[1, 0]) for b in blocks if b.shape == (2, 2)]
    real = sorted((float(b[0, 0]) for b in blocks if b.shape == (1, 1)), reverse=True)
    n = len(real) + 2 * len(values)
    if n_states is not None and n_states != n:
        raise ValueError(f"circulant: expected {n_states} poles; received {n}.")
    single, equal = _single_and_pairs(real)
    if len(single) > 2 or (len(single) == 1) != (n % 2 == 1):
        raise ValueError(f"circulant: expected at most {1 if n % 2 else 2} unpaired real pole(s) for n = {n}; "
                         f"received {len(single)}. Use reservoirs.normal(poles=...), which takes any "
                         "conjugate-closed set.")
    if n % 2 == 0 and not single:
        single, equal = [equal[0], equal[0]] if equal else single, equal[1:]
        if not single:
            raise ValueError("circulant: expected two real poles for an even n, because the mean and the "
                             "alternating mode of a real circulant matrix are real; received none.")
    half = np.array([single[0], *sorted([*values, *map(complex, equal)], key=np.angle), *single[1:]])
    W = Circulant(np.fft.irfft(half, n))
    return W if spectral_radius is None else scale_to_radius(W, spectral_radius, "circulant")


def normal(*, poles: Any, rng: np.random.Generator | None = None) -> Any:
    r"""Build a real normal W with the given eigenvalues.

    .. math:: W = Q \operatorname{blkdiag}(r_i R(\theta_i))\, Q^\top

    poles : (n,) real or complex, closed under conjugation. rng : draws the orthogonal Q; without it Q = I and W
        is the block-diagonal `csr_array`, whose product costs O(n).
    Returns (n, n). W W' = W' W, so ||W|| = max |poles|. "Orthogonal times diagonal radii" is not normal and
    does not have these eigenvalues (corrections #11).
    Raises TypeError or ValueError for no pole, poles that are not in conjugate pairs, or a missing rng.
    """
    blocks = conjugate_blocks(poles, "normal")
    if not blocks:
        raise ValueError("normal: expected at least one pole; received none.")
    if rng is None:
        from scipy.sparse import block_diag, coo_array, csr_array
        return csr_array(block_diag([coo_array(block) for block in blocks]))
    D = scipy.linalg.block_diag(*blocks)
    Q = random_orthogonal(len(D), _check.generator(rng, "normal"))
    return Q @ D @ Q.T  # [ESN-SSM, Sec. 7.1 corrected]


def random_orthogonal(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an orthogonal matrix from the Haar measure [Mezzadri 2007]."""
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return np.ascontiguousarray(Q * np.sign(np.diag(R)))


def _full(make: Callable) -> Callable:
    """Wrap a topology that has no density of its own."""
    def build(n: int, spectral_radius: float, density: float, rng: np.random.Generator) -> Any:
        if density != 1.0:
            raise ValueError("ESN.random: expected density = 1 for this topology, because it fixes the edges; "
                             f"received {density:g}.")
        return make(n, spectral_radius, rng)
    return build


TOPOLOGIES: dict[str, Callable] = {
    "gaussian": lambda n, radius, density, rng: gaussian(n, spectral_radius=radius, density=density, rng=rng),
    "uniform": lambda n, radius, density, rng: uniform(n, spectral_radius=radius, density=density, rng=rng),
    "sparse": lambda n, radius, density, rng: sparse(
        n, spectral_radius=radius, density=density if density < 1.0 else min(1.0, max(0.1, 4.0 / n)),
        rng=rng),
    "orthogonal": _full(lambda n, radius, rng: orthogonal(n, spectral_radius=radius, rng=rng)),
    "permutation": _full(lambda n, radius, rng: permutation(n, spectral_radius=radius, rng=rng)),
    "cycle": _full(lambda n, radius, rng: cycle(n, spectral_radius=radius)),
    "circulant": _full(lambda n, radius, rng: circulant(n, spectral_radius=radius, rng=rng)),
}


def build(name: str, n_states: int, *, spectral_radius: float, density: float = 1.0, rng: np.random.Generator,
          call: str = "topology") -> Any:
    """Return the named topology's matrix with the wanted size, spectral radius and density."""
    _check.choice(name, "topology", call, tuple(TOPOLOGIES))
    return TOPOLOGIES[name](n_states, spectral_radius, density, rng)


def _sizes(call: str, n_states: Any, rng: Any) -> tuple[int, np.random.Generator]:
    return _check.count(n_states, "n_states", call), _check.generator(rng, call)


def _radius(value: Any, call: str) -> float:
    return _check.positive(value, "spectral_radius", call, zero=True)


def _scaled(W: Any, spectral_radius: float | None, call: str) -> Any:
    return W if spectral_radius is None else scale_to_radius(W, _radius(spectral_radius, call), call)


def _sparse(n: int, density: float, rng: np.random.Generator, draw: Callable[[int], np.ndarray],
            call: str) -> Any:
    if not 0.0 < _check.number(density, "density", call) <= 1.0:
        raise ValueError(f"{call}: expected density in (0, 1]; received {density!r}.")
    edges = round(density * n * n)
    if edges == 0:
        raise ValueError(f"{call}: expected a density that leaves at least one edge among {n * n} places; "
                         f"received {density:g}.")
    from scipy.sparse import csr_array
    place = rng.choice(n * n, size=edges, replace=False, shuffle=False)
    W = csr_array((draw(edges), (place // n, place % n)), shape=(n, n))
    W.sort_indices()
    return W


def _single_and_pairs(values: list[float]) -> tuple[list[float], list[float]]:
    """Split sorted real numbers into those left alone and one of each pair of equal ones."""
    single: list[float] = []
    equal: list[float] = []
    for value in values:
        if single and abs(single[-1] - value) <= 1e-12 * max(1.0, abs(value)):
            equal.append(single.pop())
        else:
            single.append(value)
    return single, equal
