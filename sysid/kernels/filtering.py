"""The covariance pass of the Kalman filter.

Covariances depend on the pattern of missing entries and not on the data, so this pass writes each distinct set of
gains into a slot and `index[t]` names the slot of step t; a converged recursion stays in one slot until the next gap.
"""

from __future__ import annotations

import numpy as np

from ._jit import condition_step, cube, flag, helper, kernel, mat, out_cube, out_vec, propagate_step, types
from .matrices import copy, indefinite, unchanged

mask_type = types.Array(types.boolean, 3, "C", readonly=True)
out_counts = types.Array(types.int64, 1, "C")
out_index = types.Array(types.int64, 2, "C")

STRIDE = 4  # steps between the covariances compared, which may differ by a rounding a step
BLOCK = 64  # entries looked at together
DOUBTFUL = 1e-3  # once cancellation has left less than this of a variance, signs are looked at


@helper
def stay(seen, t, slot, index):
    """Leave the steps from t on in one slot up to the next missing entry, whose step is returned."""
    T, p = seen.shape
    entries, count = seen.reshape(T * p)[t * p :], 0
    for block in range(len(entries) // BLOCK):  # whole blocks first: a loop without an exit is one of vectors
        whole = True
        for k in range(BLOCK):
            whole &= entries[block * BLOCK + k]
        if not whole:
            break
        count += BLOCK
    while count < len(entries) and entries[count]:
        count += 1
    steps = index[t : t + count // p]
    for k in range(len(steps)):
        steps[k] = slot
    return t + len(steps)


@helper(_nrt=False)  # counting the references of its views would cost as much as a step of two states
def recursion(condition, propagate, AT, C, Q, R, seen, s, may_stop, Pp, Pf, K, W, const, rank, index, P, M, S, V, root, info, work, before):
    """`covariances` of sequence s from P[s] = P0, its workspace given: slots from s T on."""
    T, p = seen.shape[1], C.shape[1]
    slot, streak, t, share = s * T - 1, 0, 0, 1.0
    while t < T:
        complete = True
        for j in range(p):
            complete &= seen[s, t, j]
        slot += 1
        a, c = t if len(AT) > 1 else 0, t if len(C) > 1 else 0
        q, r = t if len(Q) > 1 else 0, t if len(R) > 1 else 0
        keep, kept = slot if len(Pp) > 1 else 0, slot if len(Pf) > 1 else 0
        index[s, t] = slot
        if slot == s * T or len(Pp) == 1:
            copy(P[s], Pp[keep])
        following = Pp[keep + 1] if len(Pp) > 1 and slot + 1 < (s + 1) * T else P[s]
        left = condition(Pp[keep], C[c], R[r], seen[s, t], K[slot], W[slot], Pf[kept], M, S, work, V, root, info)
        rank[slot], const[slot] = int(info[0]), info[1]
        share = min(share, left, propagate(AT[a], Pf[kept], Q[q], work, root, following))
        if 0.0 < share < DOUBTFUL and (indefinite(Pf[kept], work) or indefinite(following, work)):
            share = -1.0
        streak = streak + 1 if complete and may_stop else 0
        t += 1
        if streak % STRIDE == 1:
            if streak > 1 and unchanged(following, before, STRIDE):
                t = stay(seen[s], t, slot, index[s])
            copy(following, before)
    copy(following, P[s])
    return slot + 1 - s * T, share


@kernel(condition_step, propagate_step, cube, cube, cube, cube, mask_type, mat, flag, out_cube, out_cube, out_cube, out_cube, out_vec, out_counts,
        out_index, out_cube, out_counts, out_vec, nogil=True)  # fmt: skip
def covariances(condition, propagate, AT, C, Q, R, seen, P0, may_stop, Pp, Pf, K, W, const, rank, index, P, slots, share):
    """Covariances and gains of T steps along S patterns of gaps: slots s T, s T + 1, ... of each array are those of pattern s.

    AT (A transposed), C, Q, R: one matrix, or one a step. seen: (S, T, p). P0: (n, n) at the first step.
    Pp, Pf: (S T, n, n), or a single slot where they are not to be kept. K: (S T, n, p), W: (S T, p, p), const, rank: (S T,).
    index: (S, T) slots of the steps. P: (S, n, n) leaves as the covariances of step T, slots: (S,) as how many each took,
    share: (S,) as the smallest share that cancellation left of any variance, -1 where a covariance lost its sign:
    cancellation of several steps adds up. May stop (a time-invariant model): the recursion is frozen once STRIDE steps
    leave it unchanged to rounding.
    """
    n, p = P.shape[1], C.shape[1]
    M, S, V, root, info = np.empty((p, n)), np.empty((p, p)), np.empty((n, p)), np.empty((2, max(n, p))), np.empty(2)
    work, before = np.empty((n, n)), np.empty((n, n))
    for s in range(len(seen)):
        copy(P0, P[s])
        slots[s], share[s] = recursion(condition, propagate, AT, C, Q, R, seen, s, may_stop, Pp, Pf, K, W, const, rank, index, P, M, S, V, root,
                                       info, work, before)  # fmt: skip
