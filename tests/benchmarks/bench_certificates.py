"""Times of the certificates, beside the same inequality solved by cvxpy."""

from __future__ import annotations

import resource
import time

import numpy as np

import sysid
from tests.certificates.zoo import reservoir


def seconds(task) -> tuple[float, object]:
    """Wall time and result."""
    start = time.perf_counter()
    result = task()
    return time.perf_counter() - start, result


def network(n: int, scale: float = 0.7, leak: float = 0.3) -> sysid.LeakyNetwork:
    """A Gaussian reservoir."""
    W = np.random.default_rng(0).normal(size=(n, n)) / np.sqrt(n)
    return sysid.LeakyNetwork(scale * W, leak, 0.0, 1.0)


def row(name: str, ours: float, bar: str, peer: float | None = None, note: str = "") -> dict:
    """One line of the table."""
    return {"name": name, "ours": ours, "peer": peer, "ratio": None if peer is None else peer / ours, "bar": bar,
            "note": note}


def rows() -> list[dict]:
    """Measure; each line has our seconds, the peer's where one can do it, and the bar."""
    table = []
    optimal, balanced = sysid.CircleCriterion("optimal"), sysid.CircleCriterion("balanced")
    optimal.certify(network(10))
    net = sysid.LeakyNetwork(0.8 * reservoir("gaussian", 16, np.random.default_rng(0)), 0.3, 0.0, 1.0)
    ours, cert = seconds(lambda: optimal.certify(net))
    peer, sdp = seconds(lambda: sysid.LMI(tolerance=1e-3).certify(net))
    table.append(row("optimal multiplier, n = 16, against cvxpy/Clarabel bisection", ours, "", peer,
                     f"rates {cert.rate:.5f} and {sdp.rate:.5f}"))
    for method, n, bar in ((optimal, 50, "<= 1 s"), (optimal, 200, "<= 10 s"), (balanced, 500, "<= 5 s"),
                           (balanced, 1000, "<= 25 s"), (balanced, 2000, "<= 240 s")):
        ours, cert = seconds(lambda method=method, n=n: method.certify(network(n)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        table.append(row(f"{method.multiplier} multiplier, n = {n}", ours, bar,
                         note=f"rate {cert.rate:.5f}, verified {cert.verified}, peak memory {memory:.2f} GB"))
    region = sysid.CertifiedSet.of(network(200), 0.98, "balanced")
    ours, _ = seconds(lambda: [region.project(0.2, 2.0 + 0.01 * i) for i in range(50)])
    table.append(row("projection of (leak, scale), n = 200", ours / 50, "<= 0.01 s"))
    return table


def clarabel_at_50() -> dict:
    """One feasibility solve of the full inequality at n = 50; minutes and 1.6 GB. A bisection takes 14."""
    from sysid.certificates.lmi import Program, _circle

    net = network(50)
    program = Program(50, {"T": 50}, lambda P, m, square: _circle(net.endpoints(), P, m["T"], square), "CLARABEL")
    ours, cert = seconds(lambda: sysid.CircleCriterion("optimal").certify(net))
    peer, _ = seconds(lambda: program.solve(cert.rate * 1.01))
    return row("optimal multiplier, n = 50, against 14 solves by cvxpy/Clarabel", ours, ">= 500 x", 14 * peer)


if __name__ == "__main__":
    for line in rows():
        print(line)
