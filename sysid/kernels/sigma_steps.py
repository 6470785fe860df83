"""The two halves of a sigma-point filter's step: points of a Gaussian, and linear regression of a function on its values there.

    P = L L',  x_i = m + L xi_i;    f^ = sum w_i f(x_i),  A L = sum w_i (f(x_i) - f^) xi_i',  Omega = sum w_i r_i r_i'

Matrices lie transposed, LT = L' and slope = (A L)', so that inner loops run along memory. The parts that take the numbers of
states n and of values m are compiled into their caller: where it knows a number no loop over it is left.
"""

from __future__ import annotations

import numpy as np

from ._jit import helper
from .matrices import t_dot

EPS = 2.220446049250313e-16
BLAS = 20  # values from which a library call sums their spread faster


@helper(forceinline=True, _nrt=False)
def factor(n, P, LT, inverse):
    """LT (n, n) = L' with P = L L', and inverse (n,), 1 / L_jj; by P = U D U', so that no pivot waits for a square root.

    A direction that has vanished to rounding has a row of zeros, and zero for its inverse.
    """
    for i in range(n):
        for j in range(i):
            LT[i, j] = 0.0
        for j in range(i, n):
            LT[i, j] = P[i, j]
    for j in range(n):
        pivot = LT[j, j]
        left = pivot > 8.0 * n * EPS * P[j, j]
        share, root = 0.0, 0.0
        if left:
            share, root = 1.0 / pivot, np.sqrt(pivot)
        for i in range(j + 1, n):
            along = LT[j, i] * share
            for k in range(i, n):
                LT[i, k] -= along * LT[j, k]
        inverse[j] = share * root
        LT[j, j] = root
        for i in range(j + 1, n):
            LT[j, i] *= inverse[j]


@helper(forceinline=True, _nrt=False)
def place_on_axes(n, x, LT, arm, arms):
    """The points x + arm L e_j, then all x - arm L e_j; arms: (2n, n)."""
    for j in range(n):
        for i in range(n):
            step = arm * LT[j, i]
            arms[j, i] = x[i] + step
            arms[n + j, i] = x[i] - step


@helper(_nrt=False)
def place(x, LT, xi, points):
    """points[r] = x + L xi[r]."""
    n = len(x)
    for r in range(len(xi)):
        for i in range(n):
            points[r, i] = x[i]
        for k in range(n):
            for i in range(k, n):
                points[r, i] += xi[r, k] * LT[k, i]


@helper(forceinline=True, _nrt=False)
def regress_on_axes(m, n, centre, arms, w, arm, about_first, excess, noise, mean, slope, spread):
    """Mean (m,), slope (n, m) = (A L)' and spread (m, m) = noise + Omega from values arms (2n, m) at the points of `place_on_axes`.

    w: the weight of each. about_first: residuals are taken about the value `centre` (m,) at x, else about the mean; excess: as for `regress`.
    The linear part passes through both ends of an axis: the residual there is their mean's distance from the centre.
    """
    for a in range(m):
        about = centre[a] if about_first else 0.0
        for r in range(0 if about_first else 2 * n):
            about += w * arms[r, a]
        bend = 0.0
        for j in range(n):
            up, down = arms[j, a] - about, arms[n + j, a] - about
            slope[j, a] = (up - down) * (0.5 / arm)
            arms[j, a] = 0.5 * (up + down)
            bend += arms[j, a]
        mean[a] = about + (2.0 * w * bend if about_first else 0.0)
    if m > BLAS:
        t_dot(arms[:n], arms[:n], spread)
    for a in range(m):
        for b in range(a + 1):
            total = spread[a, b] if m > BLAS else 0.0
            for j in range(0 if m > BLAS else n):
                total += arms[j, a] * arms[j, b]
            total = noise[a, b] + 2.0 * w * total
            if about_first:
                total += excess * (mean[a] - centre[a]) * (mean[b] - centre[b])
            spread[a, b] = total
            spread[b, a] = total


@helper(_nrt=False)
def regress(F, xi, w, about_first, excess, noise, mean, slope, spread):
    """Mean (m,), slope (n, m) = (A L)' and spread (m, m) = noise + Omega from values F (k, m) at any points xi (k, n), weights w (k,).

    about_first: residuals are taken about the first point, the centre, whose weight may be negative; `excess` is what its weight
    for covariances exceeds the one for means by, less one.
    """
    (k, m), n = F.shape, xi.shape[1]
    for a in range(m):
        mean[a] = 0.0
        for i in range(k):
            mean[a] += w[i] * F[i, a]
        for j in range(n):
            total = 0.0
            for i in range(k):
                total += w[i] * (F[i, a] - F[0, a]) * xi[i, j]
            slope[j, a] = total
        for b in range(a + 1):
            spread[a, b] = noise[a, b]
            if about_first:
                spread[a, b] += excess * (mean[a] - F[0, a]) * (mean[b] - F[0, b])
    for i in range(1 if about_first else 0, k):
        for a in range(m):  # F is no longer needed: it becomes the residuals
            F[i, a] -= F[0, a] if about_first else mean[a]
            for j in range(n):
                F[i, a] -= slope[j, a] * xi[i, j]
        for a in range(m):
            for b in range(a + 1):
                spread[a, b] += w[i] * F[i, a] * F[i, b]
    for a in range(m):
        for b in range(a):
            spread[b, a] = spread[a, b]


@helper(forceinline=True, _nrt=False)
def divide(m, n, slope, LT, inverse, AT):
    """AT (n, m) = A' from slope = L' A'; zero along directions that have vanished."""
    for j in range(n - 1, -1, -1):
        for a in range(m):
            AT[j, a] = slope[j, a]
        for i in range(j + 1, n):
            for a in range(m):
                AT[j, a] -= LT[j, i] * AT[i, a]
        for a in range(m):
            AT[j, a] *= inverse[j]


@helper(inline="always", _nrt=False)
def drawn(n, x, P, xi, arm, LT, inverse, points):
    """The points of N(x, P), and the factor of P."""
    factor(n, P, LT, inverse)
    if arm > 0.0:
        for i in range(n):
            points[0, i] = x[i]
        place_on_axes(n, x, LT, arm, points[len(xi) % 2 :])
    else:
        place(x, LT, xi, points)


@helper(inline="always", _nrt=False)
def linearised(m, n, F, xi, w, arm, about_first, excess, noise, LT, inverse, slope, mean, AT, spread):
    """The regression from values F (k, m) at points drawn: mean (m,), slope (n, m) = (A L)', AT (n, m) = A', spread (m, m) = noise + Omega.

    The other arguments are those of the helpers above. Returns whether the values were finite.
    """
    if arm > 0.0:
        regress_on_axes(m, n, F[0], F[len(w) % 2 :], w[len(w) - 1], arm, about_first, excess, noise, mean, slope, spread)
    else:
        regress(F, xi, w, about_first, excess, noise, mean, slope, spread)
    divide(m, n, slope, LT, inverse, AT)
    total = 0.0
    for a in range(m):
        total += abs(mean[a])  # every value went into it
    return total <= 1.7e308


@helper(forceinline=True, _nrt=False)
def add_square(n, slope, Q, P):
    """P = A P A' + Q as the square of A L: a sum of squares loses nothing."""
    for a in range(n):
        for b in range(a + 1):
            total = Q[a, b]
            for j in range(n):
                total += slope[j, a] * slope[j, b]
            P[a, b] = total
            P[b, a] = total
