"""The smoother on square-root factors, without any inverse.

    With L(t|t) = L(t|t-1) Gamma and [A L(t|t), E] Theta' = [L(t+1|t), 0], E E' = Q, [Theta1, Theta2] the upper rows of Theta,
    the smoothed law x(t|T) = x(t|t) + L rho, P(t|T) = L N N' L' obeys
        rho = Theta1 (zeta+ + Gamma+ rho+),   N = [Theta2, Theta1 Gamma+ N+] Theta'
    zeta = kappa e the step of the measurement's mean in the basis L(t|t-1); from the square-root form of [Park & Kailath 1995].
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, kernel, out_cube, triangular_step, types
from .matrices import copy, product, square, unchanged

index_type = types.Array(types.int64, 1, "C", readonly=True)
out_index = types.Array(types.int64, 1, "C")
ROUNDINGS = 64.0  # by which a covariance that has settled may still move


@kernel(triangular_step, cube, cube, out_cube, out_cube, nogil=True)
def rotations(triangularise, AL, E, Theta, ahead):
    """Theta (slots, n, 2n) = [Theta1, Theta2] and L(t+1|t), ahead (slots, n, n), from A L(t|t) and E, each (slots or 1, n, n)."""
    n = AL.shape[1]
    wide = np.empty((2 * n, 2 * n))
    for j in range(len(Theta)):
        q = j if len(E) > 1 else 0
        for i in range(n):
            for k in range(n):
                wide[i, k] = AL[j, i, k]
                wide[i, n + k] = E[q, i, k]
                wide[n + i, k] = 1.0 if i == k else 0.0
                wide[n + i, n + k] = 0.0
        triangularise(wide, n)
        for i in range(n):
            for k in range(n):
                ahead[j, i, k] = wide[i, k]
                Theta[j, i, k] = wide[n + i, k]
                Theta[j, i, n + k] = wide[n + i, n + k]


@kernel(triangular_step, cube, cube, cube, cube, index_type, out_cube, out_cube, out_index, nogil=True)
def covariances(triangularise, Theta, ahead, Lf, turn, index, Ps, cross, place):
    """Smoothed covariances backward from the filter's factors.

    Theta, ahead: as `rotations` leaves them. Lf: (slots, n, n) filtered factors, turn: (slots, n, n) Gamma, index: (T,).
    Ps: (T, n, n) and cross: (T, n, n), Cov(x[t+1], x[t]), in slots place (T,). Returns the slots used.
    """
    T, n = len(index), Lf.shape[1]
    N, Z, array = np.eye(n), np.empty((n, n)), np.empty((n, 2 * n))
    X, Y, before = np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    square(Lf[index[T - 1]], Ps[0])
    place[T - 1] = 0
    slot, streak, frozen = 0, 0, False
    for t in range(T - 2, -1, -1):
        j = index[t]
        same = j == index[t + 1]
        if frozen and same:
            place[t] = slot
            continue
        if not same or t == T - 2:
            frozen, streak = False, 0
        slot += 1
        # x(t+1) - its prediction = L+ Z z, x(t) = L (Theta1 Z z + Theta2 z'), z and z' of unit covariance
        product(turn[index[t + 1]], N, Z)
        product(Theta[j, :, :n], Z, array)
        product(Lf[j], array[:, :n], X)
        product(ahead[j], Z, Y)
        for r in range(n):
            for k in range(n):
                array[r, n + k] = Theta[j, r, n + k]
                cross[slot, r, k] = 0.0
                for i in range(n):
                    cross[slot, r, k] += Y[r, i] * X[k, i]
        triangularise(array, n)
        copy(array[:, :n], N)
        product(Lf[j], N, X)
        square(X, Ps[slot])
        place[t] = slot
        streak += 1
        if streak % 16 == 1:
            square(N, before)
        elif streak > 16 and streak % 16 == 0:
            square(N, Z)
            frozen = unchanged(Z, before, ROUNDINGS)
    return slot + 1


@kernel(cube, cube, cube, cube, index_type, cube, out_cube, nogil=True)
def means(Theta, Lf, turn, zeta, index, Xf, Xs):
    """Smoothed means of S sequences. zeta: (S, T, n), the step of each measurement in the basis L(t|t-1). Xf, Xs: (S, T, n)."""
    T, n = Xf.shape[1], Xf.shape[2]
    rho, after = np.empty(n), np.empty(n)
    for s in range(len(Xf)):
        for i in range(n):
            rho[i] = 0.0
            Xs[s, T - 1, i] = Xf[s, T - 1, i]
        for t in range(T - 2, -1, -1):
            j, k = index[t], index[t + 1]
            for i in range(n):
                after[i] = zeta[s, t + 1, i]
                for r in range(n):
                    after[i] += turn[k, i, r] * rho[r]
            for i in range(n):
                rho[i] = 0.0
                for r in range(n):
                    rho[i] += Theta[j, i, r] * after[r]
            for i in range(n):
                Xs[s, t, i] = Xf[s, t, i]
                for r in range(n):
                    Xs[s, t, i] += Lf[j, i, r] * rho[r]
