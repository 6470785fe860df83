"""Sigma-point filters (unscented, cubature, Gauss-Hermite) as statistical linear regression of f and g.

    x_i = m + L xi_i,  P = L L':   f ~ f^ + A (x - m) + r,  f^ = sum w_i f(x_i),  A L = sum w_i (f(x_i) - f^) xi_i',
    Omega = sum w_i r_i r_i',  r_i = f(x_i) - f^ - A L xi_i                        [Lefebvre et al. 2002; Sarkka 2013]

which gives the usual gain and covariances, P_xy S^-1 and A P A' + Omega + Q, as sums of positive semidefinite terms.
The points are drawn anew after each prediction, so g sees the process noise.
"""

from __future__ import annotations

import numpy as np

from ._jit import (
    Kernel,
    absorb_step,
    condition_step,
    cube,
    family,
    flag,
    helper,
    kernel,
    mat,
    out_cube,
    out_mat,
    out_vec,
    propagate_step,
    real,
    state_function,
    types,
    values_step,
    vec,
)
from .handful import few
from .innovations import squared
from .sigma_steps import add_square, drawn, linearised

mask_type = types.Array(types.boolean, 2, "C", readonly=True)


@helper(_nrt=False)
def update(condition, P, C, R, seen, K, W, M, S, V, work, root, info, e, Yp, x, out):
    """The update at any size and condition. Returns the log-density of e and the share left."""
    share = condition(P, C, R, seen, K, W, out, M, S, work, V, root, info)
    for i in range(len(x)):
        for j in range(len(e)):
            x[i] += K[i, j] * e[j]
    return info[1] - 0.5 * squared(W, e, int(info[0]), Yp), share


@family
def sigma_filter(states: int) -> Kernel:
    """The filter for so many states and points on axes; for 0 of any number and any points."""

    @kernel(mat, absorb_step, condition_step, propagate_step, values_step, values_step, state_function, state_function, mat, vec, real, flag, real, vec, real,
            real, cube, cube, mat, mask_type, out_mat, out_cube, out_cube, out_mat, out_mat, *[out_cube] * 4, out_vec, out_vec, out_mat,
            *[out_mat] * 12, *[out_vec] * 3, nogil=True, _nrt=False)  # counting the references of views would cost as much as a step  # fmt: skip
    def run(U, absorb, condition, propagate, values_f, values_g, f, g, xi, w, arm, about_first, excess, p, t0, dt, Q, R, Y, seen, Yp, Ct, Rt, Xp, Xf,
            Pp, Pf, AT, Qt, L, x, P, points, G, F, slope, LT, K, W, M, S, V, work, root, info, e, inverse):  # fmt: skip
        """The filter with points xi (k, n), weights w (k,), the length of their arms where they lie on axes, and the centre's part in covariances.

        values_f, values_g: `evaluation.values` for f and for g. Other arguments as `extended.extended`; Rt: (T, q, q) and Qt: (T, n, n)
        leave as R and Q with what f and g add. From `points` on: scratch, as `workspace` gives it.
        Returns the step where a function was not finite (-1: none), which one (0: g, 1: f), and the smallest share left.
        """
        n, q, share = len(x) if states == 0 else states, len(e), 1.0
        for t in range(len(Y)):
            time, ut = t0 + t * dt, U[t]
            s, k = t if len(Xp) > 1 else 0, t if len(Pp) > 1 else 0
            for i in range(n):
                Xp[s, i] = x[i]
                Xf[s, i] = x[i]
                for j in range(n):
                    Pp[k, i, j] = P[i, j]
            drawn(n, x, P, xi, arm, LT, inverse, points)
            values_g(g, points, ut, p, time, G)
            noise = R[t if len(R) > 1 else 0]
            if not linearised(q, n, G, xi, w, arm, about_first, excess, noise, LT, inverse, slope, Yp[t], Ct[k].T, Rt[k]):
                return t, 0, share
            for j in range(q):
                e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
            L[t] = absorb(P, Ct[k], Rt[k], seen[t], e, M, S, Xf[s], Pf[k]) if few(n) else np.nan
            if not L[t] == L[t]:
                for i in range(n):
                    Xf[s, i] = x[i]
                for j in range(q):
                    e[j] = Y[t, j] - Yp[t, j] if seen[t, j] else 0.0
                L[t], left = update(condition, P, Ct[k], Rt[k], seen[t], K, W, M, S, V, work, root, info, e, Yp[t], Xf[s], Pf[k])
                share = min(share, left)
            drawn(n, Xf[s], Pf[k], xi, arm, LT, inverse, points)
            values_f(f, points, ut, p, time, F)
            noise = Q[t if len(Q) > 1 else 0]
            if not linearised(n, n, F, xi, w, arm, about_first, excess, noise, LT, inverse, slope, x, AT[k], Qt[k]):
                return t, 1, share
            if few(n):
                add_square(n, slope, Qt[k], P)
            else:
                share = min(share, propagate(AT[k], Pf[k], Qt[k], work, root, P))
        return -1, 0, share

    return run


def workspace(n, q, k):
    """Scratch for n states, q outputs and k points."""
    shapes = ((k, n), (k, q), (k, n), (n, max(n, q)), (n, n), (n, q), (q, q), (q, n), (q, q), (n, q), (n, n), (2, max(n, q)), (2,), (q,), (n,))
    return [np.empty(shape) for shape in shapes]
