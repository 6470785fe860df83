"""Spectral filters against a dense eigensolver, features by FFT against direct convolution, STU simulation."""

from __future__ import annotations

import time

import numpy as np

import sysid
from sysid.spectral.features import spectral_features
from sysid.spectral.filters import hankel_matrix
from sysid.spectral.hankel_spectrum import hankel_eigenpairs


def seconds(call, repeats=3):
    call()
    out = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        out.append(time.perf_counter() - start)
    return float(np.median(out))


def rows():
    out = []
    for size in (1024, 4096):
        ours = seconds(lambda size=size: hankel_eigenpairs(size, 24))
        Z = hankel_matrix(size)
        start = time.perf_counter()
        np.linalg.eigh(Z)
        peer = time.perf_counter() - start
        out.append({"name": f"filters L = {size}, K = 24; numpy.linalg.eigh", "ours": ours, "peer": peer, "ratio": peer / ours,
                    "bar": ">= 100" if size == 4096 else ""})
    from scipy.linalg import eigh
    Z = hankel_matrix(4096)
    start = time.perf_counter()
    eigh(Z, subset_by_index=(4096 - 24, 4095))
    peer = time.perf_counter() - start
    out.append({"name": "the same; scipy.linalg.eigh of the 24 leading pairs only", "ours": ours, "peer": peer, "ratio": peer / ours})
    out.append({"name": "filters L = 16384, K = 24, seconds", "ours": seconds(lambda: hankel_eigenpairs(16_384, 24)), "bar": "<= 2"})
    rng = np.random.default_rng(0)
    u = rng.normal(size=(100_000, 4))
    for length in (1024, 4096, 16_384):
        bank = sysid.spectral_filters(length, 24)
        ours = seconds(lambda bank=bank: spectral_features(bank, u))
        start = time.perf_counter()
        direct = np.convolve(u[:, 0], bank.filters[0])[:len(u)]
        peer = (time.perf_counter() - start) * 24 * 4
        assert np.allclose(direct, spectral_features(bank, u)[:, 0, 0], atol=1e-11)
        out.append({"name": f"features T = 1e5, m = 4, K = 24, L = {length}; numpy.convolve (one of 96 timed)", "ours": ours, "peer": peer,
                    "ratio": peer / ours, "bar": ">= 20" if length == 16_384 else ""})
    stu = sysid.STU.from_lti(sysid.LTI.from_undelayed(np.diag(np.linspace(-0.99, 0.99, 8)), rng.normal(size=(8, 4)), rng.normal(size=(3, 8))), 24, 1024)
    out.append({"name": "simulate an STU, T = 1e5, L = 1024, 4 inputs, 3 outputs, seconds", "ours": seconds(lambda: sysid.simulate(stu, u))})
    return out


if __name__ == "__main__":
    for row in rows():
        print(row)
