"""Covariances on few directions: exact at full rank, close at low rank, gradients of what is computed."""

from dataclasses import replace

import numpy as np
import pytest

import sysid
from sysid.reservoirs.forced import ForcedReservoir, Parameters
from sysid.reservoirs.m_step import smoothed_moments
from sysid.reservoirs.reduced import ReducedReservoir
from tests.reservoirs.problems import moved, simulated

KINDS = [dict(), dict(missing=0.2), dict(feedback=True, p=1), dict(p=3, activation="sigmoid"), dict(leak=np.linspace(0.2, 0.9, 8))]


def pair(rank, **kind):
    process, data = simulated(T=60, seed=1, **kind)
    full, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    return full, ReducedReservoir.about(full, p, rank), p


@pytest.mark.parametrize("kind", KINDS)
def test_full_rank_is_the_extended_filter(kind):
    full, reduced, p = pair(8, **kind)
    expected, g = full.gradient(p)
    value, h = reduced.gradient(p)
    assert abs(value - expected) < 1e-9 * abs(expected)
    for name in ("leak", "scale", "gains", "C", "d", "R", "Q", "m0"):
        assert np.allclose(h[name], g[name], rtol=1e-7, atol=1e-8 * np.abs(g[name]).max()), name
    a, b = smoothed_moments(full, p), smoothed_moments(reduced, p)
    for name in ("rows", "states", "cross", "squares", "first"):
        assert np.allclose(getattr(b, name), getattr(a, name), rtol=1e-8, atol=1e-10), name


def test_gradient_equals_differences_at_low_rank():
    _, reduced, p = pair(3, p=2, missing=0.1)
    _, g = reduced.gradient(p)
    rng = np.random.default_rng(0)
    for name in ("leak", "scale", "gains", "C", "d", "R", "Q", "m0"):
        value = np.asarray(getattr(p, name), float)
        direction = rng.standard_normal(value.shape)
        direction = direction + direction.T if name in ("R", "Q") else direction
        h = 1e-5 * max(np.abs(value).max(), 1e-3)
        like = float if value.ndim == 0 else np.asarray
        up, down = (reduced.log_likelihood(replace(p, **{name: like(value + s * h * direction)})) for s in (1, -1))
        numeric = (up - down) / (2 * h)
        assert abs(np.sum(g[name] * direction) - numeric) < 1e-5 * (1 + abs(numeric)), name


def test_few_directions_are_close_and_more_are_closer():
    process, data = simulated(n=40, p=1, T=400, seed=3, q=1e-3)
    full, p = ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")
    exact = full.log_likelihood(p)
    errors = [abs(ReducedReservoir.about(full, p, r).log_likelihood(p) - exact) for r in (2, 10, 30)]
    assert errors[2] < 1e-2 and errors[1] < 0.5 and errors[2] <= errors[0]


def test_fit_with_reduced_covariances_ends_where_the_exact_one_does():
    process, data = simulated(n=20, p=2, T=400, seed=5)
    start = moved(process, leak=0.7, scale=0.8)
    exact = sysid.fit(data, sysid.ReservoirEM(), start=start)
    fit = sysid.fit(data, sysid.ReservoirEM(covariance_rank=12), start=start)
    for name in ("leak", "scale"):
        assert abs(fit.estimates[name] - exact.estimates[name]) < 0.1 * float(exact.standard_errors[name])
    assert any("12 of 20" in note for note in fit.notes)


def test_refusals():
    process, data = simulated(n=6, T=60, seed=6, feedback=True, missing=0.1)
    with pytest.raises(ValueError, match="measured"):
        sysid.fit(data, sysid.ReservoirEM(covariance_rank=3), start=process)
    with pytest.raises(ValueError, match="covariance_rank"):
        sysid.ReservoirEM(covariance_rank=0)
