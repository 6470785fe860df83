"""Certificates broken on purpose: each case must be refused, or the claim it makes must be true.

The judge of truth shares nothing with the package's proofs: an eigenvalue of some reachable product of Jacobians at or
above the claimed rate, or the exact rational elimination.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

import sysid
from sysid.certificates.proof import proved, repaired
from tests.certificates.zoo import KINDS, reservoir

LEAKS = (1.0, 0.3, 0.05)


def base(seed: int) -> tuple:
    """A small network and its certificate by the circle criterion, balanced or optimal in turn."""
    rng = np.random.default_rng(seed)
    kind, leak = KINDS[seed % len(KINDS)], LEAKS[seed // len(KINDS) % 3]
    n = int(rng.integers(2, 8))
    low = 0.0 if seed % 2 else float(rng.uniform(0, 0.4))
    W = rng.uniform(0.3, 1.3) * reservoir(kind, max(n, 2), rng)
    net = sysid.LeakyNetwork(W, leak, low, 1.0)
    cert = sysid.CircleCriterion("optimal" if seed % 3 == 0 else "balanced").certify(net)
    return rng, net, cert


def exactly_true(net, P, T, rate) -> bool:
    """The circle inequality decided in rational arithmetic, written without the package."""
    n = len(P)
    F = lambda M: np.array([[Fraction(float(x)) for x in row] for row in np.atleast_2d(M)], dtype=object)   # noqa: E731
    W, l, k = F(net.coupling), [Fraction(float(x)) for x in net.leak], Fraction(float(rate))
    ends = []
    for slope in (net.lower, net.upper):
        A = np.array([[l[i] * Fraction(float(slope[i])) * W[i, j] for j in range(n)] for i in range(n)], dtype=object)
        for i in range(n):
            A[i, i] += 1 - l[i]
        ends.append(A)
    D = np.array([[Fraction(float(T[i])) if i == j else Fraction(0) for j in range(n)] for i in range(n)], dtype=object)
    P = F(P)
    cross = ends[0].T.dot(D).dot(ends[1])
    corner = D.dot(ends[0] + ends[1])
    M = np.block([[k * k * P + cross + cross.T, -corner.T], [-corner, 2 * D - P]])
    return _positive(P) and _positive(M)


def _positive(M) -> bool:
    M = M.copy()
    for k in range(len(M)):
        if M[k, k] <= 0:
            return False
        for i in range(k + 1, len(M)):
            M[i, k:] = M[i, k:] - M[i, k] / M[k, k] * M[k, k:]
    return True


def lower_bound(net, rng, tries: int = 30) -> float:
    """Spectral radius of products of Jacobians at random vertices: the true rate is not below it."""
    best = 0.0
    for t in range(tries):
        J = np.eye(net.n_states)
        length = 1 + t % 3
        for _ in range(length):
            J = net.jacobian(np.where(rng.random(net.n_states) < rng.random(), net.upper, net.lower)) @ J
        best = max(best, np.abs(np.linalg.eigvals(J)).max() ** (1 / length))
    for s in (net.lower, net.upper):
        best = max(best, np.abs(np.linalg.eigvals(net.jacobian(s))).max())
    return best


def cases(seed: int):
    """(name, network, P, T, rate) to judge: `proved` on them must never be a lie."""
    rng, net, cert = base(seed)
    n, W = net.n_states, net.coupling
    if not cert.verified:
        yield "unproved", net, np.eye(n), np.ones(n), cert.rate
        return
    P, T, k = np.array(cert.P), np.array(cert.T), cert.rate
    yield "honest", net, P, T, k
    for size in (1e-9, 1e-6, 1e-3, 1e-1, 1.0):
        moved = sysid.LeakyNetwork(W + size * rng.normal(size=W.shape), net.leak, net.lower, net.upper)
        yield f"W moved by {size:g}", moved, P, T, k
    yield "W doubled", sysid.LeakyNetwork(2 * W, net.leak, net.lower, net.upper), P, T, k
    yield "W transposed", sysid.LeakyNetwork(W.T, net.leak, net.lower, net.upper), P, T, k
    yield "slopes of both signs", sysid.LeakyNetwork(W, net.leak, -net.upper, net.upper), P, T, k
    yield "steeper slopes", sysid.LeakyNetwork(W, net.leak, net.lower, 1.5 * net.upper), P, T, k
    yield "another leak", sysid.LeakyNetwork(W, np.minimum(1.0, 1.7 * net.leak), net.lower, net.upper), P, T, k
    for size in (1e-12, 1e-9, 1e-6, 1e-3, 1e-1):
        E = rng.normal(size=(n, n)) * size * np.abs(P).max()
        yield f"P with noise {size:g}", net, P + E + E.T, T, k
        yield f"T with noise {size:g}", net, P, T * (1 + size * rng.normal(size=n)), k
    for drop in (1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.2):
        yield f"rate lowered by {drop:g}", net, P, T, k * (1 - drop)
    yield "eq. 34: P alone", net, 1e-9 * np.eye(n), 1e-9 * np.ones(n), min(k, 0.99)
    yield "singular P", net, P - np.linalg.eigvalsh(P)[0] * np.eye(n), T, k
    yield "P of rank one", net, np.outer(P[0], P[0]), T, k
    yield "negative P", net, -P, T, k
    yield "zero", net, np.zeros((n, n)), np.zeros(n), k
    yield "NaN in P", net, np.where(np.eye(n) > 0, np.nan, P), T, k
    yield "NaN in T", net, P, np.full(n, np.nan), k
    yield "infinite T", net, P, np.full(n, np.inf), k
    yield "negative T", net, P, -T, k
    yield "asymmetric P", net, P + np.triu(np.ones((n, n)), 1) * 1e-3 * np.abs(P).max(), T, k
    yield "rate NaN", net, P, T, np.nan
    yield "rate zero", net, P, T, 0.0
    yield "rate negative", net, P, T, -k
    yield "tiny scale", net, P * 1e-170, T * 1e-170, k
    yield "huge scale", net, P * 1e170, T * 1e170, k
    yield "P of another network", net, np.array(base(seed + 1000)[2].P[:n, :n]) if _wide(seed, n) else np.eye(n), T, k
    yield "identity", net, np.eye(n), np.ones(n), k


def _wide(seed: int, n: int) -> bool:
    other = base(seed + 1000)[2]
    return other.P is not None and len(other.P) >= n


def run(seeds, tally: dict) -> None:
    """Judge every case and count: tally gets cases, accepted, false (must stay 0), repaired, repairs that are false."""
    for seed in seeds:
        for name, net, P, T, k in cases(seed):
            tally["cases"] = tally.get("cases", 0) + 1
            said = proved(net, P, T, k)
            if said:
                tally["accepted"] = tally.get("accepted", 0) + 1
                if not exactly_true(net, P, T, k) or lower_bound(net, np.random.default_rng(0)) > k * (1 + 1e-9):
                    tally.setdefault("false", []).append((seed, name))
            elif name == "honest":
                tally.setdefault("honest refused", []).append(seed)
            if not said and name.startswith(("P with noise 0.001", "NaN in P", "singular P")):
                found = repaired(net, P, T, k)
                if found is not None:
                    tally["repaired"] = tally.get("repaired", 0) + 1
                    if not exactly_true(net, *found):
                        tally.setdefault("false", []).append((seed, "repair of " + name))
