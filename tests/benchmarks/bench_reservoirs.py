"""States of reservoirs against bare matrix-vector products and reservoirpy; lifts against PyDMD; memory of a stream.

Times are the least CPU times of interleaved repeats on one thread, so that a busy machine moves them little.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numba
import numpy as np

import sysid


def least(calls, repeats=5, clock=time.process_time):
    """Least time of each call, interleaved: CPU time, or another clock's."""
    best = [np.inf] * len(calls)
    for call in calls:
        call()
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = clock()
            call()
            best[i] = min(best[i], clock() - start)
    return best


@numba.njit
def products(W, X, v):
    for t in range(len(X)):
        np.dot(W, X[t], v)


def reservoir(n, **options):
    return sysid.ESN.random(n, 1, leak=0.3, rng=np.random.default_rng(0), **options)


def single(out):
    for n, T in ((100, 20_000), (500, 2000), (1000, 800)):
        esn, u = reservoir(n), np.random.default_rng(1).standard_normal((T, 1))
        X = np.random.default_rng(2).standard_normal((T, n))
        ours, bare = least([lambda esn=esn, u=u: sysid.simulate(esn, u), lambda esn=esn, X=X: products(esn.W, X, np.empty(len(X[0])))])
        out.append({"name": f"states, n = {n}, us a step; bare W x", "ours": 1e6 * ours / T, "peer": 1e6 * bare / T,
                    "ratio": ours / bare, "bar": "<= 1.1" if n >= 500 else ""})


def against_reservoirpy(out):
    import reservoirpy
    from reservoirpy.nodes import Reservoir

    getattr(reservoirpy, "verbosity", lambda *_: None)(0)
    for n, T in ((100, 10_000), (500, 1500)):
        esn, u = reservoir(n), np.random.default_rng(1).standard_normal((T, 1))
        node = Reservoir(units=n, lr=0.3, W=np.array(esn.W), Win=np.array(esn.W_in), bias=np.zeros(n))
        ours, peer = least([lambda esn=esn, u=u: sysid.simulate(esn, u), lambda node=node, u=u: node.run(u)], repeats=7)
        out.append({"name": f"states, n = {n}, us a step; reservoirpy", "ours": 1e6 * ours / T, "peer": 1e6 * peer / T,
                    "ratio": peer / ours, "bar": ">= 4" if n == 100 else ""})


def structured(out):
    n, T, rng = 1000, 400, np.random.default_rng(1)
    dense, thin = reservoir(n), reservoir(n, density=0.01)
    u, many = rng.standard_normal((T, 1)), rng.standard_normal((64, 40, 1))
    calls = [lambda: sysid.simulate(dense, u), lambda: sysid.simulate(dense, many)]
    threads = numba.get_num_threads()
    for used in sorted({1, threads}):
        numba.set_num_threads(used)
        alone, batch = least(calls, repeats=5, clock=time.perf_counter)
        per = batch / (64 * 40)
        out.append({"name": f"batch of 64 in {used} thread(s), n = 1000, us a step and sequence, wall clock; one sequence",
                    "ours": 1e6 * per, "peer": 1e6 * alone / T, "ratio": alone / T / per, "bar": ">= 6" if used == threads else ""})
    numba.set_num_threads(threads)
    sparse, full = least([lambda: sysid.simulate(thin, u), lambda: sysid.simulate(dense, u)])
    out.append({"name": "1 % of edges, n = 1000, us a step; dense", "ours": 1e6 * sparse / T, "peer": 1e6 * full / T,
                "ratio": full / sparse, "bar": ">= 8"})
    for n in (500, 1000, 2000):
        ring, dense, u = reservoir(n, topology="circulant"), reservoir(n, topology="orthogonal"), rng.standard_normal((300, 1))
        fast, full = least([lambda ring=ring, u=u: sysid.simulate(ring, u), lambda dense=dense, u=u: sysid.simulate(dense, u)])
        out.append({"name": f"circulant by FFT, n = {n}, us a step; dense", "ours": 1e6 * fast / 300, "peer": 1e6 * full / 300,
                    "ratio": full / fast, "bar": "> 1"})


def against_pydmd(out):
    import warnings

    from pydmd import DMDc

    rng = np.random.default_rng(0)
    A = sysid.reservoirs.normal(poles=[0.99, 0.9 + 0.3j, 0.9 - 0.3j, 0.5], rng=rng)
    u = rng.standard_normal((5000, 1))
    x = sysid.simulate(sysid.LTI(A, rng.standard_normal((4, 1)), np.eye(4)), u).y

    def peer():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return DMDc(svd_rank=-1).fit(x.T, u[:-1].T)

    def ours():
        return sysid.fit(sysid.Data(x, u), sysid.EDMD(sysid.Polynomial(1)))

    a, b = least([ours, peer], repeats=3)
    out.append({"name": "linear model with input from states, n = 4, T = 5000, ms; PyDMD DMDc", "ours": 1e3 * a, "peer": 1e3 * b,
                "ratio": b / a})
    truth = np.sort(np.abs(np.linalg.eigvals(A)))
    errors = [np.abs(np.sort(np.abs(v)) - truth).max() for v in (ours().model.eigenvalues(), peer().eigs)]
    out.append({"name": "the same, error of the eigenvalues' moduli; PyDMD DMDc", "ours": errors[0], "peer": errors[1]})


STREAM = """
import numpy as np, resource, sysid, sys
esn = sysid.ESN.random(500, 1, leak=0.3, rng=np.random.default_rng(0))
rng, stream = np.random.default_rng(1), sysid.StreamingReadout(ridge=1e-6).begin(esn, 1)
u = rng.standard_normal((2000, 1)); stream.extend(sysid.Data(np.roll(u, 1, 0), u)); stream.solve()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(int(sys.argv[1]) // 10_000):
    u = rng.standard_normal((10_000, 1)); stream.extend(sysid.Data(np.roll(u, 1, 0), u))
stream.solve()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, before / 1024)
"""


def stream(out, T=1_000_000):
    start = time.perf_counter()
    run = subprocess.run([sys.executable, "-c", STREAM, str(T)], capture_output=True, text=True, check=True)
    growth, before = map(float, run.stdout.split())
    out.append({"name": f"streaming readout, n = 500, T = {T:.0e}, MB beyond a run of 2000 steps", "ours": growth, "bar": "<= 200"})
    out.append({"name": "the same, seconds", "ours": time.perf_counter() - start})


def rows():
    out = []
    for part in (single, structured, against_reservoirpy, against_pydmd, stream):
        part(out)
    return out


if __name__ == "__main__":
    for row in rows():
        print(row)
