"""Steps that the reduced filter and its backward passes share."""

from __future__ import annotations

from ._jit import helper
from .matrices import dot, dot_t, symmetrise, t_dot


@helper
def transition(leak, slope, F0, dual, WV, Y, F):
    """F = F0 + T diag(leak slope) scale W V, with WV scaled already and Y as workspace."""
    for i in range(Y.shape[0]):
        g = leak[i] * slope[i]
        for a in range(Y.shape[1]):
            Y[i, a] = g * WV[i, a]
    t_dot(dual, Y, F)
    for a in range(F.shape[0]):
        for b in range(F.shape[1]):
            F[a, b] += F0[a, b]


@helper
def condition(Z, H, inverse, G, K, Zf):
    """G = Z H', K = G S^-1, Zf = Z - K G'."""
    dot_t(Z, H, G)
    dot(G, inverse, K)
    dot_t(K, G, Zf)
    for a in range(Z.shape[0]):
        for b in range(Z.shape[0]):
            Zf[a, b] = Z[a, b] - Zf[a, b]
    symmetrise(Zf)
