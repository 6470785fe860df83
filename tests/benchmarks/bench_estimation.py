"""Filters and smoothers on one thread, interleaved with their peers, equal outputs; microseconds per step.

Means and covariances at every step unless said; the peer's convergence detection is on. A call of ours costs about .1 ms before its
first step, so series are long enough for a time per step: at 10,000 steps of two states that call is a quarter of the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import sysid

SIZES = [(2, 1, 20000, 20, 15), (4, 2, 20000, 10, 8), (10, 2, 5000, 3, 3), (20, 5, 3000, 2, 2), (50, 10, 1000, 1.5, 1.5),
         (100, 10, 300, 1.2, 1.2), (200, 20, 150, 1.2, 1.2)]  # fmt: skip


def interleaved(ours, peer, repeats=5):
    """Seconds of process time, the best of interleaved repeats."""
    best = [np.inf, np.inf]
    for function in (ours, peer):
        function()
    for _ in range(repeats):
        for i, function in enumerate((ours, peer)):
            start = time.process_time()
            function()
            best[i] = min(best[i], time.process_time() - start)
    return best


def system(n, p, T, seed=0, radius=0.95, missing=0.0):
    """A random stable process and data."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    C = rng.standard_normal((p, n))
    process = sysid.Process(sysid.LTI(A, None, C), 0.1, 1.0, initial=sysid.Gaussian(np.zeros(n), np.eye(n)))
    y = sysid.simulate(process, n_steps=T, rng=rng).y.copy()
    y[rng.random(y.shape) < missing] = np.nan
    return process, sysid.Data(y)


def statsmodels_model(process, data, smoother=False):
    from statsmodels.tsa.statespace.kalman_filter import KalmanFilter
    from statsmodels.tsa.statespace.kalman_smoother import SMOOTHER_STATE, SMOOTHER_STATE_COV, KalmanSmoother

    n, p = process.n_states, process.n_outputs
    model = (KalmanSmoother if smoother else KalmanFilter)(k_endog=p, k_states=n)
    model.bind(np.array(data.y))
    model["transition"], model["design"] = process.model.A, process.model.C
    model["state_cov"], model["obs_cov"], model["selection"] = process.Q, process.R, np.eye(n)
    model.initialize_known(process.initial.mean, process.initial.cov)
    if smoother:
        model.smoother_output = SMOOTHER_STATE | SMOOTHER_STATE_COV
    return model


def row(name, times, T, bar, error=None):
    ours, peer = (1e6 * t / T for t in times)
    out = {"name": name, "ours": round(ours, 4), "peer": round(peer, 4), "ratio": round(peer / ours, 2), "bar": f">= {bar}"}
    return out if error is None else out | {"difference": f"{error:.1e}"}


def filters_and_smoothers():
    for n, p, T, bar_filter, bar_smoother in SIZES:
        process, data = system(n, p, T)
        peer = statsmodels_model(process, data)

        def ours(process=process, data=data):
            f = sysid.filter(process, data)
            return f.predicted.cov, f.filtered.cov, f.filtered.mean

        error = np.abs(ours()[2] - peer.filter().filtered_state.T).max()
        yield row(f"filter, statsmodels, n = {n}, p = {p}", interleaved(ours, peer.filter), T, bar_filter, error)
        peer = statsmodels_model(process, data, smoother=True)

        def both(process=process, data=data):
            s = sysid.smooth(process, data)
            return s.smoothed.cov, s.smoothed.mean

        error = np.abs(both()[0] - peer.smooth().smoothed_state_cov.transpose(2, 0, 1)).max()
        yield row(f"filter and smoother, statsmodels, n = {n}, p = {p}", interleaved(both, peer.smooth, 3), T, bar_smoother, error)


def likelihoods():
    for n, p, T, bar in ((2, 1, 100000, 15), (4, 2, 50000, 15), (10, 2, 20000, 15), (20, 5, 20000, 10), (50, 10, 20000, 10),
                         (100, 10, 20000, 6)):  # fmt: skip
        for radius in (0.95, 0.9999) if n == 4 else (0.95,):
            process, data = system(n, p, T, radius=radius)
            peer = statsmodels_model(process, data)

            def ours(process=process, data=data):
                return sysid.filter(process, data, store="last").log_likelihood

            error = abs(ours() / peer.loglike() - 1)
            name = f"log-likelihood, statsmodels, n = {n}, p = {p}, radius {radius}"
            yield row(name, interleaved(ours, peer.loglike, 3), T, bar, error)


def missing():
    for n, p, bar in ((4, 2, 8), (10, 2, 3)):
        process, data = system(n, p, 5000, missing=0.2)
        peer = statsmodels_model(process, data)
        ours = lambda process=process, data=data: sysid.filter(process, data).filtered.cov  # noqa: E731
        error = np.abs(ours() - peer.filter().filtered_state_cov.transpose(2, 0, 1)).max()
        yield row(f"filter, 20 % missing, statsmodels, n = {n}, p = {p}", interleaved(ours, peer.filter), 5000, bar, error)


def batches():
    import simdkalman

    process, _ = system(4, 2, 10)
    rng = np.random.default_rng(0)
    y = rng.standard_normal((256, 500, 2))
    filter_ = simdkalman.KalmanFilter(process.model.A, process.Q, process.model.C, process.R)
    shared, gaps = sysid.Data(y), y.copy()
    gaps[np.arange(256), np.arange(256)] = np.nan  # each sequence at a step of its own: no two share their covariances
    apart = sysid.Data(gaps)

    def peer(y=y):
        return filter_.compute(y, 0, initial_value=np.zeros(4), initial_covariance=np.eye(4), filtered=True, smoothed=False)

    f = lambda data: sysid.filter(process, data).filtered.mean  # noqa: E731
    # wall-clock here: two threads are allowed
    for name, data, bar in (("shared covariances", shared, 60), ("own covariances", apart, 15)):
        best, run = [np.inf, np.inf], lambda data=data: peer(data.y)
        error = np.abs(f(data) - run().filtered.states.mean).max()
        for _ in range(3):
            for i, function in enumerate((lambda data=data: f(data), run)):
                start = time.perf_counter()
                function()
                best[i] = min(best[i], time.perf_counter() - start)
        yield row(f"batch of 256 x 500, simdkalman, {name}, wall clock", best, 256 * 500, bar, error)


def nonlinear():
    import numba
    from filterpy.kalman import ExtendedKalmanFilter, MerweScaledSigmaPoints, UnscentedKalmanFilter

    process, data = system(4, 2, 5000)
    A, C = np.ascontiguousarray(process.model.A), np.ascontiguousarray(process.model.C)
    packed = np.r_[A.ravel(), C.ravel()]

    @numba.njit
    def f(x, u, p, t, out):
        for i in range(4):
            out[i] = p[4 * i] * x[0] + p[4 * i + 1] * x[1] + p[4 * i + 2] * x[2] + p[4 * i + 3] * x[3]

    @numba.njit
    def g(x, u, p, t, out):
        for i in range(2):
            out[i] = p[16 + 4 * i] * x[0] + p[17 + 4 * i] * x[1] + p[18 + 4 * i] * x[2] + p[19 + 4 * i] * x[3]

    @numba.njit
    def fx(x, u, p, t, out):
        for i in range(16):
            out[i // 4, i % 4] = p[i]

    @numba.njit
    def gx(x, u, p, t, out):
        for i in range(8):
            out[i // 4, i % 4] = p[16 + i]

    model = sysid.Nonlinear(f, g, 4, 0, 2, p=packed, jacobians={"fx": fx, "gx": gx}, in_place=True)
    ours = sysid.Process(model, process.Q, process.R, initial=process.initial)

    def extended():
        kf = ExtendedKalmanFilter(dim_x=4, dim_z=2)
        kf.x, kf.P, kf.Q, kf.R, kf.F = np.zeros(4), np.eye(4), process.Q, process.R, A
        out = []
        for z in data.y:
            kf.update(z, lambda x: C, lambda x: C @ x)
            out.append(kf.x.copy())
            kf.predict()
        return np.array(out)

    def unscented():
        points = MerweScaledSigmaPoints(4, alpha=0.5, beta=2.0, kappa=0.0)
        kf = UnscentedKalmanFilter(4, 2, 1.0, lambda x: C @ x, lambda x, dt: A @ x, points)
        kf.x, kf.P, kf.Q, kf.R = np.zeros(4), np.eye(4), process.Q, process.R
        kf.sigmas_f = points.sigma_points(kf.x, kf.P)
        out = []
        for z in data.y:
            kf.update(z)
            out.append(kf.x.copy())
            kf.predict()
        return np.array(out)

    for name, method, peer, bar in (("extended", sysid.ExtendedKalman(), extended, 100),
                                    ("unscented", sysid.UnscentedKalman(alpha=0.5), unscented, 200)):  # fmt: skip
        run = lambda method=method: sysid.filter(ours, data, method).filtered.mean  # noqa: E731
        yield row(f"{name} filter, FilterPy, n = 4, p = 2", interleaved(run, peer, 4), data.n_steps, bar, np.abs(run() - peer()).max())


def reservoirs():
    """Not a ratio: error of smoothed against teacher-forced states on simulated reservoirs, and time per step.

    n / 10 sensors, each with 30 times more variance from the state's noise than of its own: what they can tell is a tenth of the
    directions of the state at each step, and by the dynamics some of those before.
    """
    rng = np.random.default_rng(0)
    for n, T in ((100, 200), (500, 50)):
        esn = sysid.ESN.random(n, 1, leak=0.5, input_scale=0.5, rng=rng).with_readout(rng.standard_normal((n // 10, n)) / np.sqrt(n))
        process = sysid.Process(esn, Q=1e-3, R=1e-4, initial=sysid.Gaussian(np.zeros(n), 1e-2 * np.eye(n)))
        u = rng.uniform(-1, 1, (T, 1))
        path = sysid.simulate(process, u, rng=rng)
        open_loop = np.sqrt(np.mean((sysid.simulate(esn, u).x - path.x) ** 2))
        for method in (sysid.ExtendedKalman(), sysid.UnscentedKalman(), sysid.IteratedSmoother(max_iterations=2)):
            sysid.smooth(process, sysid.Data(path.y[:2], u[:2]), method)  # compile
            start = time.perf_counter()
            s = sysid.smooth(process, sysid.Data(path.y, u), method)
            seconds = time.perf_counter() - start
            error = np.sqrt(np.mean((s.smoothed.mean - path.x) ** 2))
            yield {"name": f"reservoir n = {n}, {type(method).__name__}: error of states / open loop", "ours": round(1e6 * seconds / T, 1),
                   "peer": None, "ratio": round(open_loop / error, 3), "bar": "> 1", "difference": f"{error:.3g} / {open_loop:.3g}"}  # fmt: skip


def cached_start():
    """As of an installed package: kernels in Numba's cache, and bytecode written, whatever this process was told of it."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    code = ("import time; t = time.perf_counter(); import numpy as np, sysid; "
            "p = sysid.Process(sysid.LTI([[0.9]], None, [[1.0]]), 1.0, 1.0); "
            "sysid.filter(p, sysid.Data(np.ones(100))); print(time.perf_counter() - t)")
    root = Path(__file__).resolve().parents[2]
    seconds = [float(subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True).stdout)
               for _ in range(4)]  # fmt: skip
    return {"name": "import to first filter result, second process, s", "ours": round(min(seconds), 2), "bar": "<= 1.5"}


def rows():
    """All rows of the page."""
    found = [*filters_and_smoothers(), *likelihoods(), *missing()]
    for group in (batches, nonlinear, reservoirs):
        try:
            found += list(group())
        except ImportError as error:
            found.append({"name": f"{group.__name__}: not run, {error}"})
    return [*found, cached_start()]
