"""Subspace identification against nfoursid and SIPPY, EM against pykalman, likelihood against statsmodels: same data, same order, same horizon."""

from __future__ import annotations

import contextlib
import io
import time
import warnings

import numpy as np

import sysid


def seconds(call, repeats=3):
    call()
    out = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        out.append(time.perf_counter() - start)
    return float(np.median(out))


def once(call):
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = call()
    return time.perf_counter() - start, result


def interleaved(ours, peer, repeats):
    """Median seconds of both and the median of their ratios, one call after the other; first calls are not counted."""
    once(ours), once(peer)
    pairs = np.array([(once(ours)[0], once(peer)[0]) for _ in range(repeats)])
    return float(np.median(pairs[:, 0])), float(np.median(pairs[:, 1])), float(np.median(pairs[:, 1] / pairs[:, 0]))


def record(T, rng):
    A = np.array([[0.8, 0.4, 0.0, 0.1], [-0.4, 0.8, 0.1, 0.0], [0.0, 0.0, 0.5, 0.2], [0.0, 0.1, -0.2, 0.6]])
    model = sysid.LTI(A, rng.standard_normal((4, 1)), rng.standard_normal((1, 4)))
    u = rng.standard_normal((T, 1))
    return u, sysid.simulate(model, u).y + 0.1 * rng.standard_normal((T, 1)), model


def subspace_rows(rng):
    T, n, horizon = 10_000, 4, 15
    u, y, model = record(T, rng)
    data = sysid.Data(y, u)
    method = sysid.Subspace(n, "n4sid", horizon=horizon)
    gap = np.abs(sysid.fit(data, method).model.markov_parameters(30) - model.markov_parameters(30)).max()
    out = []

    def nfoursid():
        import pandas as pd
        from nfoursid.nfoursid import NFourSID
        frame = pd.DataFrame({"u": u[:, 0], "y": y[:, 0]})
        found = NFourSID(frame, output_columns=["y"], input_columns=["u"], num_block_rows=horizon)
        found.subspace_identification()
        return found.system_identification(rank=n)

    def sippy():
        from sippy_unipi import system_identification
        return system_identification(y.T, u.T, "N4SID", SS_fixed_order=n, SS_f=horizon, SS_p=horizon)

    for name, call, repeats in (("nfoursid", nfoursid, 1), ("SIPPY", sippy, 9)):
        row = {"name": f"N4SID with noise model, T = 10,000, n = 4, 15 block rows; {name}"}
        try:
            ours, peer, ratio = interleaved(lambda: sysid.fit(data, method), call, repeats)
        except Exception as error:
            out.append(row | {"note": f"peer failed: {error}"[:80]})
            continue
        out.append(row | {"ours": ours, "peer": peer, "ratio": ratio, "bar": ">= 5", "note": f"our largest error of 30 Markov parameters {gap:.2g}"})
    every = seconds(lambda: sysid.fit(data, sysid.Subspace(n)))
    out.append({"name": "the same with every default: 2 weightings, 6 horizons tried, noise model", "ours": every})
    return out


def em_rows(rng):
    n, p, T = 10, 2, 5000
    A = rng.standard_normal((n, n))
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    C = rng.standard_normal((p, n))
    process = sysid.Process(sysid.LTI(A, None, C), np.eye(n), np.eye(p), initial=sysid.Gaussian(np.zeros(n), np.eye(n)))
    y = sysid.simulate(process, n_steps=T, rng=rng).y
    data = sysid.Data(y)

    def run(iterations):
        return sysid.fit(data, sysid.EM(max_iterations=iterations, tolerance=0.0, accelerate=False, fixed=("c", "d")), start=process)

    run(1)
    short, long = seconds(lambda: run(2)), seconds(lambda: run(12))
    ours = (long - short) / 10
    from pykalman import KalmanFilter

    def peer(iterations):
        kalman = KalmanFilter(A, C, np.eye(n), np.eye(p), np.zeros(p * 0 + n), np.zeros(p), np.zeros(n), np.eye(n),
                              em_vars=["transition_matrices", "observation_matrices", "transition_covariance",
                                       "observation_covariance", "initial_state_mean"])  # fmt: skip
        return kalman.em(y, n_iter=iterations)

    first, _ = once(lambda: peer(1))
    second, _ = once(lambda: peer(2))
    theirs = second - first
    return [{"name": "EM, one iteration, n = 10, p = 2, T = 5,000; pykalman", "ours": ours, "peer": theirs, "ratio": theirs / ours, "bar": ">= 40"}]


def likelihood_rows(rng):
    """The exact likelihood of an autoregression of order one in white noise, three parameters."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents
    T = 2000
    model = sysid.LTI([[0.9]], None, [[1.0]])
    y = sysid.simulate(sysid.Process(model, 0.3, 0.5, initial=sysid.Stationary()), n_steps=T, rng=rng).y
    data = sysid.Data(y)
    start = sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), 0.5, 0.5, initial=sysid.Gaussian([0.0], 0.3 / 0.19))
    method = sysid.PredictionError(focus="likelihood", free={"A": True, "Q": True, "R": True}, estimate_initial_states=False)
    ours, found = seconds(lambda: sysid.fit(data, method, start=start)), sysid.fit(data, method, start=start)

    def peer():
        return UnobservedComponents(y[:, 0], irregular=True, autoregressive=1).fit(disp=False)

    once(peer)
    theirs, other = once(peer)
    return [{"name": "maximum of the exact likelihood with standard errors, AR(1) in noise, T = 2,000; statsmodels", "ours": ours, "peer": theirs,
             "ratio": theirs / ours, "note": f"log likelihoods {found.log_likelihood:.3f} and {other.llf:.3f}"}]  # fmt: skip


def rows():
    return subspace_rows(np.random.default_rng(0)) + em_rows(np.random.default_rng(1)) + likelihood_rows(np.random.default_rng(2))
