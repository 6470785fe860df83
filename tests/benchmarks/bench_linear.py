"""Linear analysis beside SLICOT (slycot), SciPy and python-control: interleaved calls, equal outputs, seeded models."""

from __future__ import annotations

import time

import numpy as np
import scipy.linalg as sla
import slycot

import sysid
from sysid.linear import gramians, norms, response, riccati
from sysid.linear.equations import discrete_lyapunov


def stable(n, rng, radius=0.95):
    A = rng.standard_normal((n, n))
    return A * radius / np.abs(np.linalg.eigvals(A)).max()


def interleaved(ours, peer, repeats):
    """Median seconds of both after one warm call each, in turns, so that a busy machine touches both alike."""
    results = ours(), peer()
    times = ([], [])
    for _ in range(repeats):
        for call, spent in zip((ours, peer), times):
            start = time.perf_counter()
            call()
            spent.append(time.perf_counter() - start)
    return results, float(np.median(times[0])), float(np.median(times[1]))


def row(name, ours, peer, repeats, bar, gap):
    (mine, theirs), t, T = interleaved(ours, peer, repeats)
    return {"name": name, "ours": t, "peer": T, "ratio": T / t, "bar": bar, "difference": float(gap(mine, theirs))}


def relative(one, other):
    return np.abs(np.asarray(one) - other).max() / np.abs(other).max()


def frequency_response(n, rng, bar):
    A, B, C, D = stable(n, rng), rng.standard_normal((n, 1)), rng.standard_normal((1, n)), np.zeros((1, 1))
    points = np.exp(1j * np.linspace(0.01, 3.1, 1000))

    def peer():
        prepared = slycot.tb05ad(n, 1, 1, points[0], A, B, C, job="NG")
        At, Bt, Ct = prepared[:3]
        first = C @ np.linalg.solve(points[0] * np.eye(n) - A, B)
        rest = [slycot.tb05ad(n, 1, 1, s, At, Bt, Ct, job="NH")[0] for s in points[1:]]
        return np.array([first, *rest]).reshape(-1)

    return row(f"frequency response, n = {n}, 1000 points, against SLICOT TB05AD",
               lambda: response.transfer_at(A, B, C, D, points).reshape(-1), peer, 7 if n < 200 else 3, bar, relative)


def gramian(n, rng):
    A, B = stable(n, rng), rng.standard_normal((n, 2))
    return row(f"discrete Gramian, n = {n}, against SciPy (bilinear)", lambda: gramians.gramian(A, B),
               lambda: sla.solve_discrete_lyapunov(A, B @ B.T, method="bilinear"), 15 if n < 200 else 7, ">= 2.5", relative)


def lyapunov_near_the_circle(rng):
    A = stable(100, rng, 0.9999)
    return row("discrete Lyapunov near the unit circle, n = 100, radius .9999, against SciPy",
               lambda: discrete_lyapunov(A, np.eye(100)),
               lambda: sla.solve_discrete_lyapunov(A, np.eye(100), method="bilinear"), 9, None, relative)


def filter_riccati(n, rng):
    A, C = stable(n, rng), rng.standard_normal((n // 10, n))
    Q, R = np.eye(n), np.eye(n // 10)
    return row(f"filter Riccati by doubling, n = {n}, against SciPy", lambda: riccati.filter_riccati(A, C, Q, R).X,
               lambda: sla.solve_discrete_are(A.T, C.T, Q, R), 7, ">= 5", relative)


def hinf(n, rng, continuous):
    A = stable(n, rng) - (np.eye(n) if continuous else 0)
    B, C, D = rng.standard_normal((n, 2)), rng.standard_normal((2, n)), np.zeros((2, 2))
    kind = "C" if continuous else "D"
    return row(f"H-infinity norm, n = {n}, {'continuous' if continuous else 'discrete'}, against SLICOT AB13DD",
               lambda: norms.hinf_norm(A, B, C, D, continuous=continuous)[0],
               lambda: slycot.ab13dd(kind, "I", "N", "D", n, 2, 2, A, np.eye(n), B, C, D, tol=1e-10)[0], 5,
               ">= .5" if n == 100 else None, lambda a, b: abs(a / b - 1))


def reduction(rng):
    A, B, C = stable(100, rng) - np.eye(100), rng.standard_normal((100, 2)), rng.standard_normal((2, 100))
    model = sysid.LTI(A, B, C, dt=None)
    return row("balanced truncation, n = 100 to 10, continuous, against SLICOT AB09AD",
               lambda: sysid.reduce(model, 10).hankel_singular_values,
               lambda: slycot.ab09ad("C", "B", "N", 100, 2, 2, A, B, C, 10)[-1][:100], 3, None, relative)


def long_run(n, rng):
    model = sysid.LTI(stable(n, rng), rng.standard_normal((n, 1)), rng.standard_normal((1, n)))
    u = rng.standard_normal((1_000_000 if n <= 20 else 100_000, 1))
    return row(f"outputs over {len(u)} steps, n = {n}, blocks against the compiled recursion",
               lambda: sysid.simulate_outputs(model, u).y, lambda: sysid.simulate(model, u).y, 3, None, relative)


def rows():
    """Every comparison; a ratio above 1 means that this package is faster."""
    rng = np.random.default_rng(0)
    return [
        frequency_response(100, rng, ">= 1.3"), frequency_response(500, rng, ">= .95"),
        *(gramian(n, rng) for n in (30, 100, 200, 300)), lyapunov_near_the_circle(rng),
        *(filter_riccati(n, rng) for n in (50, 100)),
        *(hinf(n, rng, continuous) for n in (10, 50, 100) for continuous in (True, False)),
        reduction(rng), *(long_run(n, rng) for n in (4, 20, 100)),
    ]
