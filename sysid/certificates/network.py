"""What the certificates see of a leaky network: its coupling, its leaks and the range of its slopes.

$$ x_{t+1} = (1-\\lambda) x_t + \\lambda\\, \\sigma(W x_t + v_t), \\qquad \\underline{s}_i \\le \\sigma_i' \\le \\overline{s}_i $$

Two trajectories under the same input differ by a product of matrices J whose row i lies on the segment between row i
of `lower` and row i of `upper`:
$$ \\underline{A} = (1-\\lambda) I + \\lambda \\underline{s} W, \\qquad \\overline{A} = (1-\\lambda) I + \\lambda \\overline{s} W. $$
The input v_t does not appear: it cancels in the difference, so a certificate holds for every input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import _check
from .enclosure import Number

DENSE_LIMIT = 3000                                        # a proof at n = 3000 factorises a 6000 x 6000 matrix (0.3 GB)


@dataclass(frozen=True)
class LeakyNetwork:
    """Coupling, leak and slope range of a leaky network.

    Parameters
    ----------
    W : (n, n) ndarray, sparse array or linear operator, coupling
    leak : scalar or (n,), in (0, 1]
    lower, upper : scalar or (n,), bounds of the activation's slope; lower <= upper, both finite
    Raises ValueError for shapes that do not fit, numbers that are not finite, leaks outside (0, 1], or slopes out
    of order.
    """

    W: Any
    leak: Any
    lower: Any
    upper: Any

    def __post_init__(self) -> None:
        call = "certify"
        W = self.W
        if _is_array(W):
            W = _check.square(W, "W", call)
        elif W.shape[0] != W.shape[1]:
            raise ValueError(f"{call}: expected W square; received {W.shape}.")
        elif hasattr(W, "data") and not np.isfinite(W.data).all():
            raise ValueError(f"{call}: expected W without NaN or infinities; received some in the sparse entries.")
        n = W.shape[0]
        if n == 0:
            raise ValueError(f"{call}: expected at least one unit; received W with shape (0, 0).")
        leak, lower, upper = (_per_unit(getattr(self, name), name, n) for name in ("leak", "lower", "upper"))
        if leak.min() <= 0 or leak.max() > 1:
            raise ValueError(f"{call}: expected leak in (0, 1]; received values from {leak.min():g} to {leak.max():g}. "
                             "A unit with leak 0 never forgets, so nothing can be certified.")
        if (lower > upper).any():
            i = int(np.argmax(lower > upper))
            raise ValueError(f"{call}: expected slope bounds with lower <= upper; received {lower[i]:g} > {upper[i]:g} "
                             f"at unit {i}. Were the two swapped?")
        for name, value in (("W", W), ("leak", leak), ("lower", lower), ("upper", upper)):
            object.__setattr__(self, name, value)

    @property
    def n_states(self) -> int:
        """Number of units."""
        return int(self.W.shape[0])

    @cached_property
    def coupling(self) -> np.ndarray:
        """W as a dense (n, n) array; beyond `DENSE_LIMIT` a ValueError says what to use instead."""
        if _is_array(self.W):
            return self.W
        if self.n_states > DENSE_LIMIT:
            raise ValueError(f"certify: expected n <= {DENSE_LIMIT} for a method that needs W dense; received n = "
                             f"{self.n_states}. Use NormBound() or PerronBound(), which work on the sparse entries.")
        if hasattr(self.W, "toarray"):
            return _check.frozen(np.ascontiguousarray(self.W.toarray(), dtype=np.float64))
        dense = np.asarray(self.W @ np.eye(self.n_states), dtype=np.float64)
        if not np.isfinite(dense).all():
            raise ValueError("certify: expected the operator W to give finite numbers; received NaN or infinities.")
        return _check.frozen(dense)

    def endpoints(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrices `lower` and `upper` between which every Jacobian lies row by row, (n, n) each."""
        return self.jacobian(self.lower), self.jacobian(self.upper)

    def jacobian(self, slopes: np.ndarray) -> np.ndarray:
        """(1 - leak) I + leak diag(slopes) W, (n, n)."""
        J = (self.leak * slopes)[:, None] * self.coupling
        J[np.diag_indices(self.n_states)] += 1.0 - self.leak
        return J

    def endpoints_in(self, number: Number) -> tuple[Any, Any]:
        """The endpoints in an arithmetic that proves (`Enclosure` or `Exact`)."""
        eye, leak, W = number.of(np.eye(self.n_states)), number.of(self.leak[:, None]), number.of(self.coupling)
        decay = eye * (number.of(1.0) - leak)
        ends = [decay + (leak * number.of(s[:, None])) * W for s in (self.lower, self.upper)]
        return ends[0], ends[1]

    def scaled(self, factor: float) -> LeakyNetwork:
        """The same network with factor * W."""
        return LeakyNetwork(self.W * factor, self.leak, self.lower, self.upper)


def _is_array(W: Any) -> bool:
    return isinstance(W, np.ndarray | list | tuple)


def _per_unit(value: Any, name: str, n: int) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    label = {"leak": "leak", "lower": "the lower slope bound", "upper": "the upper slope bound"}[name]
    if not np.isfinite(array).all():
        raise ValueError(f"certify: expected {label} finite; received {value!r}. "
                         "A contraction certificate needs a bounded slope (relu: 0 to 1).")
    if array.ndim > 1 or (array.ndim == 1 and array.shape != (n,)):
        raise ValueError(f"certify: expected {label} as a scalar or with shape ({n},); received {array.shape}.")
    return _check.frozen(np.array(np.broadcast_to(array, (n,))))
