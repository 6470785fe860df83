"""Standard systems that tests, notebooks and designs share."""

from __future__ import annotations

import numpy as np

from .. import _check
from .lti import LTI


def hippo_legs(n_states: int) -> LTI:
    r"""Return the HiPPO-LegS system in continuous time, the usual target of long-memory models.

    .. math:: A_{ij} = -\begin{cases} \sqrt{(2i+1)(2j+1)} & i > j \\ i + 1 & i = j \\ 0 & i < j \end{cases}, \qquad B_i = \sqrt{2i+1}

    n_states: n. A: (n, n) lower triangular with poles -1, ..., -n; B: (n, 1); C: (n, n) identity, so that states are seen.
    A + (1/2) B B' + (1/2) I is skew-symmetric: normal plus rank one. [Gu, Dao, Ermon, Rudra & Re 2020]
    Raises TypeError or ValueError for n_states that is not a whole number from 1.
    """
    n = _check.count(n_states, "n_states", "hippo_legs")
    root = np.sqrt(2.0 * np.arange(n) + 1.0)
    A = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(1.0, n + 1))
    return LTI(A, root[:, None], np.eye(n), dt=None)


def s4d(n_states: int, kind: str = "lin") -> LTI:
    r"""Return the diagonal S4D system in continuous time, in real coordinates (one 2 x 2 block a pole pair).

    .. math:: \lambda_k = -\tfrac12 + i \pi k \;\text{(lin)}, \qquad \lambda_k = -\tfrac12 + i \tfrac{n}{\pi}\Big(\tfrac{n}{2k+1} - 1\Big) \;\text{(inv)}

    n_states: n, even; k = 0 .. n/2 - 1. kind: "lin" or "inv". B drives every real part by 1; C is the identity (n, n).
    Blocks [[a, -b], [b, a]] are normal, so ||exp(A t)|| = exp(-t/2). [Gu, Gupta, Goel & Re 2022]
    Raises TypeError or ValueError for an odd n_states or another kind.
    """
    n = _check.count(n_states, "n_states", "s4d", least=2)
    if n % 2:
        raise ValueError(f"s4d: expected an even n_states, one pair a pole; received {n}.")
    _check.choice(kind, "kind", "s4d", ("lin", "inv"))
    k = np.arange(n // 2)
    frequency = np.pi * k if kind == "lin" else n / np.pi * (n / (2 * k + 1) - 1)
    A = -0.5 * np.eye(n)
    even = 2 * k
    A[even, even + 1], A[even + 1, even] = -frequency, frequency
    B = np.zeros((n, 1))
    B[even] = 1.0
    return LTI(A, B, np.eye(n), dt=None)
