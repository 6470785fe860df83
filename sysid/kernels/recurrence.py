"""Linear recursions: outputs fed back through matrices, diagonal complex states, and their adjoints."""

from __future__ import annotations

from numba import types

from ._jit import cube, kernel, mat, out_mat

_complex_vec = types.Array(types.complex128, 1, "C", readonly=True)
_complex_mat = types.Array(types.complex128, 2, "C", readonly=True)
_out_complex_vec = types.Array(types.complex128, 1, "C")
_out_complex_mat = types.Array(types.complex128, 2, "C")


@kernel(cube, mat, mat, mat, out_mat)
def feedback_response(F, drive, start, known, Y):
    """Y[t] = drive[t] + sum_i F[i] y[t-1-i], y being known where measured and Y itself elsewhere.

    F: (k, p, p). drive, known, Y: (T, p), known NaN where the recursion's own output is to be fed back.
    start: (k, p), start[i] = y[-1-i]. Returns the first step that is not finite, or -1.
    """
    k, p = F.shape[0], F.shape[1]
    for t in range(len(Y)):
        for r in range(p):
            Y[t, r] = drive[t, r]
        for i in range(k):
            past = t - 1 - i
            for c in range(p):
                if past < 0:
                    value = start[-1 - past, c]
                else:
                    value = known[past, c]
                    if value != value:
                        value = Y[past, c]
                if value != 0.0:
                    for r in range(p):
                        Y[t, r] += F[i, r, c] * value
        for r in range(p):
            if not abs(Y[t, r]) <= 1.7e308:
                return t
    return -1


@kernel(_complex_vec, _complex_mat, _out_complex_mat)
def diagonal_scan(lam, V, H):
    """H[t] = lam H[t-1] + V[t], H[-1] = 0.  lam: (n,) complex. V, H: (T, n) complex."""
    T, n = V.shape
    for j in range(n):
        H[0, j] = V[0, j]
    for t in range(1, T):
        for j in range(n):
            H[t, j] = lam[j] * H[t - 1, j] + V[t, j]


@kernel(_complex_vec, _complex_mat, _complex_mat, _out_complex_mat, _out_complex_vec)
def diagonal_scan_adjoint(lam, H, E, G, grad_lam):
    """Adjoint of `diagonal_scan` for a real loss with dL = Re sum conj(E[t]) dH[t] at fixed later states.

    G[t] = E[t] + conj(lam) G[t+1] is the gradient to V[t], and grad_lam = sum_t conj(H[t-1]) G[t] the one to lam.
    """
    T, n = H.shape
    for j in range(n):
        G[T - 1, j] = E[T - 1, j]
        grad_lam[j] = 0.0
    for t in range(T - 1, 0, -1):
        for j in range(n):
            grad_lam[j] += H[t - 1, j].conjugate() * G[t, j]
            G[t - 1, j] = E[t - 1, j] + lam[j].conjugate() * G[t, j]
