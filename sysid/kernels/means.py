"""The mean pass of a linear filter: states and log-densities of any number of sequences along given gains.

    e = y - C x(t|t-1) - D u - d,   x(t|t) = x(t|t-1) + K e,   x(t+1|t) = A x(t|t) + B u + c
    log p(y[t] | past) = const - |W e|^2 / 2,   W S W' = I                    [Anderson & Moore 1979, Sec. 3.1]

While the gain stays the same, all that a step computes is one matrix times the measurement and the state:

    [x(t+1|t) - B u - c;  C x(t|t-1);  x(t|t)] = [A K, A (I - K C);  0, C;  K, I - K C] [y - D u - d;  x(t|t-1)]
"""

from __future__ import annotations

import numpy as np

from ._jit import cube, helper, kernel, mat, out_cube, out_mat, types, vec

rank_type, index_type = (types.Array(types.int64, d, "C", readonly=True) for d in (1, 2))
ROWS = 8  # of the stacked matrix side by side in memory: two vector registers of sums
LEAST = 16  # steps for which stacking the matrix pays
DIAGONAL = 12  # states from which O(n p) for a diagonal A is less than a product with a matrix


@helper(_nrt=False)
def is_diagonal(A):
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            if i != j and A[i, j] != 0.0:
                return False
    return True


@helper(_nrt=False)
def stack(AT, C, K, G):
    """G[r // ROWS, k, r % ROWS] = the matrix above, row r: (2n + p) rows, or (n + p) without x(t|t), and p + n columns."""
    n, p = K.shape
    for i in range(n):
        for j in range(p):
            total = 0.0
            for k in range(n):
                total += AT[k, i] * K[k, j]
            G[i // ROWS, j, i % ROWS] = total
        for k in range(n):
            total = AT[k, i]
            for j in range(p):
                total -= G[i // ROWS, j, i % ROWS] * C[j, k]
            G[i // ROWS, p + k, i % ROWS] = total
    for j in range(p):
        for k in range(p):
            G[(n + j) // ROWS, k, (n + j) % ROWS] = 0.0
        for k in range(n):
            G[(n + j) // ROWS, p + k, (n + j) % ROWS] = C[j, k]
    for i in range(n if len(G) * ROWS >= 2 * n + p else 0):
        r = n + p + i
        for j in range(p):
            G[r // ROWS, j, r % ROWS] = K[i, j]
        for k in range(n):
            total = 1.0 if i == k else 0.0
            for j in range(p):
                total -= K[i, j] * C[j, k]
            G[r // ROWS, p + k, r % ROWS] = total


@helper(_nrt=False)
def multiply(G, v, z):
    """z = G v, ROWS rows at a time: what stands in one line here is one instruction."""
    for b in range(len(G)):
        a0, a1, a2, a3, a4, a5, a6, a7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(G.shape[1]):
            c = v[k]
            a0, a1, a2, a3 = a0 + G[b, k, 0] * c, a1 + G[b, k, 1] * c, a2 + G[b, k, 2] * c, a3 + G[b, k, 3] * c
            a4, a5, a6, a7 = a4 + G[b, k, 4] * c, a5 + G[b, k, 5] * c, a6 + G[b, k, 6] * c, a7 + G[b, k, 7] * c
        z[b, 0], z[b, 1], z[b, 2], z[b, 3] = a0, a1, a2, a3
        z[b, 4], z[b, 5], z[b, 6], z[b, 7] = a4, a5, a6, a7


@helper(inline="always", _nrt=False)  # so that p is a constant where it is given as one, and its loops are none
def settled(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v, zs, e, p):
    """Steps start..stop-1 of one sequence under one gain. v: (p + n,) with the state after p measurements, zs: G v, e: (p,)."""
    n, z, keep = len(v) - p, zs.reshape(-1), len(Xp) > 1
    for t in range(start, stop):
        b, d = t if len(bx) > 1 else 0, t if len(by) > 1 else 0
        for j in range(p):
            v[j] = Y[t, j] - by[d, j] if Y[t, j] == Y[t, j] else 0.0
        multiply(G, v, zs)
        square = 0.0
        for j in range(p):
            e[j] = v[j] - z[n + j]
        for k in range(p):
            total = 0.0
            for j in range(p):
                total += W[k, j] * e[j]
            square += total * total
        L[t] = const - 0.5 * square
        if keep:
            for j in range(p):
                Yp[t, j] = z[n + j] + by[d, j]
            for i in range(n):
                Xp[t, i] = v[p + i]
                Xf[t, i] = z[n + p + i]
        for i in range(n):
            v[p + i] = z[i] + bx[b, i]


@helper(_nrt=False)
def settled_pair(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v):
    """`settled` for two states and one output, written out: what stays in registers waits for nothing but the recursion."""
    keep, g, white = len(Xp) > 1, G[0], W[0, 0]
    k0, a00, a01 = g[0, 0], g[1, 0], g[2, 0]  # x(t+1|t) from the measurement and x(t|t-1)
    k1, a10, a11 = g[0, 1], g[1, 1], g[2, 1]
    c0, c1 = g[1, 2], g[2, 2]  # C x(t|t-1)
    l0, m00, m01 = g[0, 3], g[1, 3], g[2, 3]  # x(t|t), where it is kept
    l1, m10, m11 = g[0, 4], g[1, 4], g[2, 4]
    x0, x1 = v[1], v[2]
    for t in range(start, stop):
        b, d = t if len(bx) > 1 else 0, t if len(by) > 1 else 0
        y = Y[t, 0] - by[d, 0] if Y[t, 0] == Y[t, 0] else 0.0
        y_hat = c0 * x0 + c1 * x1
        part = white * (y - y_hat)
        L[t] = const - 0.5 * (part * part)
        if keep:
            Yp[t, 0] = y_hat + by[d, 0]
            Xp[t, 0], Xp[t, 1] = x0, x1
            Xf[t, 0], Xf[t, 1] = l0 * y + m00 * x0 + m01 * x1, l1 * y + m10 * x0 + m11 * x1
        x0, x1 = k0 * y + a00 * x0 + a01 * x1 + bx[b, 0], k1 * y + a10 * x0 + a11 * x1 + bx[b, 1]
    v[1], v[2] = x0, x1


@helper(_nrt=False)
def stretch(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v, zs, e):
    """`settled` with one or two outputs, or any number."""
    if len(e) == 1 and len(v) == 3:
        settled_pair(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v)
    elif len(e) == 1:
        settled(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v, zs, e, 1)
    elif len(e) == 2:
        settled(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v, zs, e, 2)
    else:
        settled(G, W, const, bx, by, Y, Xp, Xf, Yp, L, start, stop, v, zs, e, len(e))


@helper(_nrt=False)
def log_density(C, W, const, rank, y, by, x, e):
    """The log-density of innovations e, -inf where they have a part in the null space of a singular covariance."""
    p, square = len(e), 0.0
    for k in range(p):
        total, gross = 0.0, 0.0
        for j in range(p):
            total += W[k, j] * e[j]
        if k < rank:
            square += total * total
            continue
        for j in range(p):
            if y[j] == y[j]:
                size = abs(y[j]) + abs(by[j])
                for i in range(len(x)):
                    size += abs(C[j, i] * x[i])
                gross += abs(W[k, j]) * size
        if abs(total) > 1e-8 * gross:
            square = np.inf
    return const - 0.5 * square


@helper(_nrt=False)
def correct(C, K, by, y, x, y_hat, e, xf):
    """y_hat = C x + by, e = y - y_hat, zero where y is missing, xf = x + K e."""
    for j in range(len(e)):
        total = by[j]
        for i in range(len(x)):
            total += C[j, i] * x[i]
        y_hat[j] = total
        e[j] = y[j] - total if y[j] == y[j] else 0.0
    for i in range(len(x)):
        total = x[i]
        for j in range(len(e)):
            total += K[i, j] * e[j]
        xf[i] = total


@helper(_nrt=False)
def advance(AT, bx, diagonal, xf, x):
    """x = A xf + bx."""
    for i in range(len(x)):
        x[i] = bx[i] + AT[i, i] * xf[i] if diagonal else bx[i]
    for k in range(0 if diagonal else len(x)):
        for i in range(len(x)):
            x[i] += AT[k, i] * xf[k]


@helper(_nrt=False)
def run_length(index, t, rank, p):
    """The end of the steps from t on that share its slot, t itself where its innovation covariance is singular."""
    slot, stop = index[t], t
    while rank[slot] == p and stop < len(index) and index[stop] == slot:
        stop += 1
    return stop


@helper(_nrt=False)  # counting the references of its views would cost as much as a step of two states
def step(AT, C, bx, by, K, W, const, rank, slot, Y, Xp, Xf, Yp, L, diagonal, t, x, e):
    """Step t of one sequence under the gain in `slot`; x moves from x(t|t-1) to x(t+1|t)."""
    kept, a, c = t if len(Xp) > 1 else 0, t if len(AT) > 1 else 0, t if len(C) > 1 else 0
    b, d = t if len(bx) > 1 else 0, t if len(by) > 1 else 0
    correct(C[c], K[slot], by[d], Y[t], x, Yp[kept], e, Xf[kept])
    L[t] = log_density(C[c], W[slot], const[slot], rank[slot], Y[t], by[d], x, e)
    for i in range(len(x)):
        Xp[kept, i] = x[i]
    advance(AT[a], bx[b], diagonal, Xf[kept], x)


@kernel(cube, cube, cube, cube, cube, cube, vec, rank_type, index_type, cube, mat, out_cube, out_cube, out_cube,
        out_mat, out_mat, nogil=True, side_by_side=True)  # fmt: skip
def linear_means(AT, C, bx, by, K, W, const, rank, index, Y, M0, Xp, Xf, Yp, L, final):
    """Means and log-densities of S sequences along gains in slots: index (1, T) where they share them, else (S, T).

    bx: (S or 1, T or 1, n), by: (S or 1, T or 1, p): what inputs and offsets add to states and outputs. Y: (S, T, p), NaN where missing.
    M0: (S, n). Xp, Xf: (S, T, n) means before and after the measurement, Yp: (S, T, p) of the outputs; or the last step alone where they
    are not to be kept. A constant diagonal A of many states costs O(n) a step, so that all of it is O(n p).
    L: (S, T) log-density of each measurement given the past, -inf where it is impossible. final: (S, n), the mean at T.
    """
    T, p, n, keep = Y.shape[1], Y.shape[2], final.shape[1], Xp.shape[1] > 1
    diagonal, stacked = len(AT) == 1 and is_diagonal(AT[0]), -1
    constant = len(AT) == 1 and len(C) == 1 and not (diagonal and n > DIAGONAL)
    G = np.zeros((((2 * n if keep else n) + p + ROWS - 1) // ROWS, p + n, ROWS))
    zs, e, v = np.zeros((len(G), ROWS)), np.empty(p), np.empty(p + n)
    x = v[p:]
    for s in range(len(Y)):
        for i in range(n):
            x[i] = M0[s, i]
        shift, offset, slots = bx[s if len(bx) > 1 else 0], by[s if len(by) > 1 else 0], index[s if len(index) > 1 else 0]
        y, xp, xf, yp, density = Y[s], Xp[s], Xf[s], Yp[s], L[s]  # here, since counting their references costs as much as a step
        t, same = np.int64(0), 0  # a plain 0 would be a type of its own, and what takes t compiled twice
        while t < T:
            slot = slots[t]
            if constant and t >= same:
                same = run_length(slots, t, rank, p)
                stop = same if keep or same < T else T - 1  # the last step writes what is kept
                if stop - t >= LEAST:
                    if slot != stacked:
                        stack(AT[0], C[0], K[slot], G)
                        stacked = slot
                    stretch(G, W[slot], const[slot], shift, offset, y, xp, xf, yp, density, t, stop, v, zs, e)
                    t = stop
                    continue
            step(AT, C, shift, offset, K, W, const, rank, slot, y, xp, xf, yp, density, diagonal, t, x, e)
            t += 1
        for i in range(n):
            final[s, i] = x[i]
