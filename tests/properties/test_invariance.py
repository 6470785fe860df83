"""Properties that hold for every model: coordinates, units and time shifts change nothing that is measured."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import sysid

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def random_process(seed, n=None, radius=0.95):
    rng = np.random.default_rng(seed)
    n, m, p = n or int(rng.integers(1, 6)), int(rng.integers(0, 3)), int(rng.integers(1, 4))
    A = rng.standard_normal((n, n))
    A *= radius * rng.uniform(0.2, 1) / max(np.abs(np.linalg.eigvals(A)).max(), 1e-3)
    model = sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m)),
                      c=rng.standard_normal(n), d=rng.standard_normal(p))  # fmt: skip
    L, M = rng.standard_normal((n, n)), rng.standard_normal((p, p))
    P = rng.standard_normal((n, n))
    process = sysid.Process(model, L @ L.T, M @ M.T + 0.1 * np.eye(p), initial=sysid.Gaussian(rng.standard_normal(n), P @ P.T))
    u = rng.standard_normal((40, m)) if m else None
    y = sysid.simulate(process, u, n_steps=40, rng=rng).y
    y[rng.uniform(size=y.shape) < 0.15] = np.nan
    return process, sysid.Data(y, u), rng


@few
@given(SEEDS)
def test_a_similarity_transform_leaves_likelihood_predictions_and_invariants(seed):
    process, data, rng = random_process(seed)
    n = process.n_states
    T = np.linalg.qr(rng.standard_normal((n, n)))[0] @ np.diag(rng.uniform(0.5, 2, n))
    Ti = np.linalg.inv(T)
    sym = lambda M: (M + M.T) / 2  # noqa: E731
    other = sysid.Process(process.model.transform(T), sym(Ti @ process.Q @ Ti.T), process.R, initial=sysid.Gaussian(
        Ti @ process.initial.mean, sym(Ti @ process.initial.cov @ Ti.T)))  # fmt: skip
    a, b = sysid.smooth(process, data), sysid.smooth(other, data)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(b.smoothed.mean @ T.T, a.smoothed.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(sysid.hankel_singular_values(other.model), sysid.hankel_singular_values(process.model),
                               rtol=1e-6, atol=1e-9 * max(sysid.hankel_singular_values(process.model), default=1))  # fmt: skip


@few
@given(SEEDS, st.floats(-12, 12))
def test_a_change_of_units_shifts_the_likelihood_by_the_jacobian_alone(seed, exponent):
    process, data, _ = random_process(seed)
    s = 10.0**exponent
    m = process.model
    scaled = sysid.Process(sysid.LTI(m.A, m.B * s, m.C, m.D * s, c=m.c * s, d=m.d * s), process.Q * s**2, process.R * s**2,
                           initial=sysid.Gaussian(process.initial.mean * s, process.initial.cov * s**2))  # fmt: skip
    seen = (~np.isnan(data.y)).sum()
    a = sysid.filter(process, data).log_likelihood
    b = sysid.filter(scaled, dataclasses.replace(data, y=data.y * s)).log_likelihood
    assert b == pytest.approx(a - seen * np.log(s), rel=1e-9, abs=1e-7)


@few
@given(SEEDS)
def test_covariances_are_bitwise_symmetric_psd_and_smoothing_never_adds_doubt(seed):
    process, data, _ = random_process(seed)
    s, f = sysid.smooth(process, data), sysid.filter(process, data)
    for cov in (s.smoothed.cov, f.filtered.cov, f.predicted.cov):
        assert np.array_equal(cov, np.swapaxes(cov, 1, 2))
        assert (np.linalg.eigvalsh(cov) >= -1e-12 * np.abs(cov).max()).all()
    gain = np.linalg.eigvalsh(f.filtered.cov - s.smoothed.cov)
    assert (gain >= -1e-9 * np.abs(f.filtered.cov).max()).all()


@few
@given(SEEDS)
def test_extended_and_linear_filters_agree_on_linear_models(seed):
    process, data, _ = random_process(seed)
    a, b = sysid.filter(process, data), sysid.filter(process, data, sysid.ExtendedKalman())
    assert b.log_likelihood == pytest.approx(a.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(b.filtered.mean, a.filtered.mean, rtol=1e-8, atol=1e-8)


@few
@given(SEEDS, st.floats(0.05, 1.0), st.floats(0.1, 1.3))
def test_a_verified_rate_bounds_every_pair_of_trajectories(seed, leak, radius):
    rng = np.random.default_rng(seed)
    esn = sysid.ESN.random(8, 1, spectral_radius=radius, leak=leak, rng=rng)
    cert = sysid.certify(esn)
    assert cert.verified or not cert.holds
    assert cert.rate_floor <= cert.rate * (1 + 1e-9)
    if not cert.holds:
        return
    u = 3 * rng.standard_normal((30, 1))
    a, b = (sysid.simulate(esn, u, x0=rng.standard_normal(8)).x for _ in range(2))
    e = a - b
    distance = np.sqrt(np.einsum("ti,ij,tj->t", e, cert.P, e))
    assert (distance[1:] <= cert.rate * distance[:-1] * (1 + 1e-9) + 1e-12).all()


@few
@given(SEEDS)
def test_a_filter_restarted_from_its_own_prediction_continues_exactly(seed):
    process, data, _ = random_process(seed)
    whole = sysid.filter(process, data)
    k = 17
    law = sysid.Gaussian(whole.predicted.mean[k], whole.predicted.cov[k])
    rest = sysid.filter(dataclasses.replace(process, initial=law), data[k:])
    np.testing.assert_allclose(rest.filtered.mean, whole.filtered.mean[k:], rtol=1e-9, atol=1e-9)
    first = sysid.filter(process, data[:k])
    assert first.log_likelihood + rest.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-10)
