"""Exact diffuse starts: the Nile series, Koopman's toy cases, and the limit of a growing prior."""

import numpy as np
import pytest

import sysid
from tests.reference.kalman import dense_posterior

NILE = sysid.datasets.nile().y


def local_level(q, r, s=1.0, initial=None):
    model = sysid.LTI([[1.0]], None, [[1.0]])
    return sysid.Process(model, Q=q * s**2, R=r * s**2, initial=initial or sysid.Diffuse())


def test_nile_reference_numbers():
    s = sysid.smooth(local_level(1469.1, 15099.0), sysid.Data(NILE))
    f = s.filter
    assert NILE.sum() == 91935
    assert f.log_likelihood == pytest.approx(-633.4645636488787, abs=1e-10)
    assert f.log_likelihood_without_diffuse_constant == pytest.approx(-632.5456251156739, abs=1e-10)
    np.testing.assert_allclose(f.log_likelihoods[:3], [-0.91893853, -6.12571813, -6.61843329], atol=1e-8)
    np.testing.assert_allclose(f.predicted.mean[1:3, 0], [1120.0, 1140.92783993], atol=1e-8)
    np.testing.assert_allclose(f.predicted.cov[1:3, 0, 0], [16568.1, 9368.8363794], atol=1e-7)
    assert f.predicted.cov[0, 0, 0] == np.inf
    np.testing.assert_allclose([f.filtered.mean[-1, 0], f.filtered.cov[-1, 0, 0]], [798.37029261, 4032.15794181], atol=1e-8)
    np.testing.assert_allclose([s.smoothed.mean[0, 0], s.smoothed.cov[0, 0, 0]], [1111.66831913, 4032.15794181], atol=1e-8)
    np.testing.assert_allclose([s.smoothed.mean[50, 0], s.smoothed.cov[50, 0, 0]], [829.55045118, 2326.75686981], atol=1e-8)
    assert f.predicted.cov[-1, 0, 0] == pytest.approx(5501.257941808476, abs=1e-9)


def test_nile_with_missing_spans():
    y = NILE.copy()
    y[20:40] = y[60:80] = np.nan
    s = sysid.smooth(local_level(1469.1, 15099.0), sysid.Data(y))
    assert s.log_likelihood == pytest.approx(-381.5060013085083, abs=1e-10)
    assert s.smoothed.mean[30, 0] == pytest.approx(893.7919448454977, abs=1e-9)
    assert s.smoothed.cov[30, 0, 0] == pytest.approx(9715.005549011363, abs=1e-8)


def test_nile_at_the_published_maximum_and_as_an_autoregression():
    best = sysid.filter(local_level(1469.18, 15098.52), sysid.Data(NILE)).log_likelihood
    assert best == pytest.approx(-633.4645636362458, abs=1e-7)
    model = sysid.LTI([[0.507590403]], None, [[1.0]], c=[452.766759])
    ar = sysid.Process(model, Q=21027.0217, R=0.0, initial=sysid.Stationary())
    assert sysid.filter(ar, sysid.Data(NILE)).log_likelihood == pytest.approx(-639.9528135, abs=1e-6)


@pytest.mark.parametrize("s", [1e-12, 1e-7, 1e-3, 1e5, 1e12])
def test_a_change_of_units_shifts_the_log_likelihood_exactly(s):
    data, scaled = sysid.Data(NILE), sysid.Data(NILE * s)
    exact = sysid.filter(local_level(1469.1, 15099.0), data).log_likelihood
    shifted = sysid.filter(local_level(1469.1, 15099.0, s), scaled).log_likelihood
    assert shifted == pytest.approx(exact - 99 * np.log(s), rel=1e-9)  # the diffuse measurement does not scale

    def proper(s):
        return local_level(1469.1, 15099.0, s, sysid.Gaussian([1000.0 * s], [[1e6 * s**2]]))

    exact = sysid.filter(proper(1.0), data).log_likelihood
    assert sysid.filter(proper(s), scaled).log_likelihood == pytest.approx(exact - 100 * np.log(s), rel=1e-9)


def test_koopmans_local_level():
    y = np.r_[10.2394, np.ones(9)]
    s = sysid.smooth(local_level(8.253, 1.993), sysid.Data(y))
    assert s.filter.predicted.cov[1, 0, 0] == pytest.approx(10.246)
    assert s.filter.y_cov[1, 0, 0] == pytest.approx(12.239)
    assert s.smoothed.mean[0, 0] == pytest.approx(8.69269189482201, abs=1e-12)
    assert s.smoothed.cov[0, 0, 0] == pytest.approx(1.65936477978876, abs=1e-12)
    assert s.filter.log_likelihood_without_diffuse_constant == pytest.approx(-23.0163218509366, abs=1e-11)


def random_process(seed, n=3, p=2, singular=False):
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((n, n)))[0] * rng.uniform(0.5, 1.05, n)
    Q = np.diag(rng.uniform(0, 1, n))
    if singular:
        Q[0, 0] = 0.0
    joint = rng.standard_normal((p, p))
    R = np.zeros((p, p)) if singular else joint @ joint.T
    return sysid.LTI(A, rng.standard_normal((n, 1)), rng.standard_normal((p, n)), c=rng.standard_normal(n)), Q, R


@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_diffuse_is_the_limit_of_a_growing_prior(seed, p, singular):
    model, Q, R = random_process(seed, p=p, singular=singular)
    rng = np.random.default_rng(seed + 100)
    y, u = rng.standard_normal((25, p)), rng.standard_normal((25, 1))
    y[rng.random(y.shape) < 0.3] = np.nan
    if singular:
        y = sysid.simulate(sysid.Process(model, Q, R, initial=sysid.Gaussian(np.ones(3), np.eye(3))), u, rng=rng).y
        y[1, 0] = y[4] = np.nan
    data = sysid.Data(y, u)
    exact = sysid.smooth(sysid.Process(model, Q, R, initial=sysid.Diffuse()), data)
    kappa = 1e6
    near = sysid.smooth(sysid.Process(model, Q, R, initial=sysid.Gaussian(np.zeros(3), kappa * np.eye(3))), data)
    np.testing.assert_allclose(exact.smoothed.mean, near.smoothed.mean, atol=2e-4 * np.abs(near.smoothed.mean).max())
    np.testing.assert_allclose(exact.smoothed.cov, near.smoothed.cov, atol=2e-4 * max(1, np.abs(near.smoothed.cov).max()))
    np.testing.assert_allclose(exact.cross_cov, near.cross_cov, atol=2e-4 * max(1, np.abs(near.cross_cov).max()))
    assert exact.log_likelihood == pytest.approx(near.log_likelihood + 1.5 * np.log(kappa), abs=2e-3)
    late = 12
    np.testing.assert_allclose(exact.filter.filtered.cov[late:], near.filter.filtered.cov[late:], atol=2e-4)


def test_blocks_mix_proper_stationary_and_diffuse_starts():
    A = np.diag([1.0, 0.8, 0.5])
    model = sysid.LTI(A, None, [[1.0, 1.0, 1.0]])
    law = sysid.Gaussian([2.0], [[3.0]])
    mix = sysid.Blocks(([0], sysid.Diffuse()), ([1], sysid.Stationary()), ([2], law))
    data = sysid.Data(np.random.default_rng(0).standard_normal(20))
    one = sysid.smooth(sysid.Process(model, 0.36, 1.0, initial=mix), data)
    prior = sysid.Gaussian([0.0, 0.0, 2.0], np.diag([1e7, 0.36 / (1 - 0.64), 3.0]))
    two = sysid.smooth(sysid.Process(model, 0.36, 1.0, initial=prior), data)
    np.testing.assert_allclose(one.smoothed.mean, two.smoothed.mean, atol=1e-5)
    np.testing.assert_allclose(one.smoothed.cov, two.smoothed.cov, atol=1e-5)
    with pytest.raises(ValueError, match="name each of the 3 states"):
        sysid.filter(sysid.Process(model, 0.36, 1.0, initial=sysid.Blocks(([0], sysid.Diffuse()))), data)


def test_an_estimated_start_maximises_the_likelihood():
    model, Q, R = random_process(3)
    data = sysid.Data(np.random.default_rng(1).standard_normal((20, 2)), np.ones((20, 1)))
    best = sysid.filter(sysid.Process(model, Q, R, initial=sysid.Estimated()), data)
    x0 = best.predicted.mean[0]
    for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]):
        other = sysid.Process(model, Q, R, initial=sysid.Gaussian(x0 + step, np.zeros((3, 3))))
        assert sysid.filter(other, data).log_likelihood < best.log_likelihood


def test_what_is_never_seen_stays_infinite_and_is_said():
    model = sysid.LTI(np.diag([0.9, 1.0]), None, [[1.0, 0.0]])
    data = sysid.Data(np.ones(10))
    s = sysid.smooth(sysid.Process(model, 0.1, 0.1, initial=sysid.Diffuse()), data)
    assert np.isinf(s.smoothed.cov[:, 1, 1]).all() and np.isfinite(s.smoothed.cov[:, 0, 0]).all()
    assert not np.isnan(s.smoothed.cov).any() and not np.isnan(s.smoothed.mean).any()
    assert "1 directions" in str(s.summary()["never determined"])
    ahead = sysid.forecast(s.process, data, 3)
    assert np.isfinite(ahead.mean).all() and np.isfinite(ahead.cov).all()


def test_a_batch_with_a_diffuse_start_equals_its_sequences():
    model, Q, R = random_process(5)
    process = sysid.Process(model, Q, R, initial=sysid.Diffuse())
    rng = np.random.default_rng(0)
    batch = sysid.Data(rng.standard_normal((3, 15, 2)), rng.standard_normal((3, 15, 1)))
    together, apart = sysid.smooth(process, batch), sysid.smooth(process, batch.sequences())
    for i, alone in enumerate(apart):
        np.testing.assert_allclose(together.smoothed.mean[i], alone.smoothed.mean, atol=1e-12)
        np.testing.assert_allclose(together.smoothed.cov[i], alone.smoothed.cov, atol=1e-12)


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("method", [None, sysid.Kalman("sqrt"), sysid.BrysonFrazier(), sysid.FixedLag(12)])
def test_a_diffuse_trend_beside_a_stationary_block_against_the_dense_joint_law(method, correlated):
    """The first output sees the level exactly: what rounding leaves of it in the second must not pass for an infinite variance.

    Correlated measurement noise, the first steps missing, offsets. A prior of 1e7 stands for the limit.
    """
    rng, large, T = np.random.default_rng(2), 1e7, 12
    A = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.8, 0.3], [0.0, 0.0, -0.2, 0.6]])
    C = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    c, d, joint = rng.standard_normal(4), rng.standard_normal(2), rng.standard_normal((6, 6))
    joint = joint @ joint.T
    Q, S, R = joint[:4, :4], joint[:4, 4:] if correlated else np.zeros((4, 2)), joint[4:, 4:]
    y = rng.standard_normal((T, 2)).cumsum(0)
    y[0] = y[1, 0] = y[5, 0] = y[8] = np.nan
    start = sysid.Blocks(([0, 1], sysid.Diffuse()), ([2, 3], sysid.Stationary()))
    process = sysid.Process(sysid.LTI(A, None, C, c=c, d=d), Q=Q, R=R, S=S, initial=start)
    s = sysid.smooth(process, sysid.Data(y), method)
    P0 = np.zeros((4, 4))
    P0[:2, :2], P0[2:, 2:] = large * np.eye(2), sysid.smooth(process, sysid.Data(y[:1])).filter.predicted.cov[0][2:, 2:]
    m0 = np.r_[0.0, 0.0, np.linalg.solve(np.eye(2) - A[2:, 2:], c[2:])]
    mean, cov, log_p = dense_posterior(A, C, Q, R, np.tile(c, (T, 1)), np.tile(d, (T, 1)), y, m0, P0, S)
    np.testing.assert_allclose(s.smoothed.mean, mean, atol=1e-4)
    np.testing.assert_allclose(s.smoothed.cov, [cov[t, :, t] for t in range(T)], atol=1e-3)
    np.testing.assert_allclose(s.cross_cov, [cov[t + 1, :, t] for t in range(T - 1)], atol=1e-3)
    assert s.log_likelihood == pytest.approx(log_p + np.log(large), abs=1e-4) and s.filter.n_diffuse == 2
