"""The Kalman filter and smoother are conditioning of the joint Gaussian, in every variation of the model."""

import numpy as np
import pytest

import sysid
from tests.reference.kalman import dense_posterior, kalman_filter


def problem(seed, n=3, p=2, m=1, T=12, missing=0.3, varying=False, cross=False):
    rng = np.random.default_rng(seed)
    k = (T,) if varying else ()
    A = 0.8 * rng.standard_normal((*k, n, n)) / np.sqrt(n)
    B, C, D = rng.standard_normal((n, m)), rng.standard_normal((*k, p, n)), rng.standard_normal((p, m))
    c, d = rng.standard_normal(n), rng.standard_normal(p)
    joint = rng.standard_normal((n + p, n + p))
    joint = joint @ joint.T
    Q, R, S = joint[:n, :n], joint[n:, n:], joint[:n, n:] if cross else None
    y, u = rng.standard_normal((T, p)), rng.standard_normal((T, m))
    y[rng.random(y.shape) < missing] = np.nan
    model = (sysid.LTV if varying else sysid.LTI)(A, B, C, D, c=c, d=d)
    P0 = rng.standard_normal((n, n))
    process = sysid.Process(model, Q=Q, R=R, S=S, initial=sysid.Gaussian(rng.standard_normal(n), P0 @ P0.T))
    return process, sysid.Data(y, u)


def arrays(process, data):
    model, u = process.model, data.inputs
    c, d = (np.broadcast_to(v, (data.n_steps, v.shape[-1])) for v in (model.c, model.d))
    A, B, C, D = (a[0] if a.ndim == 3 and len(a) == 1 else a for a in (model.A, model.B, model.C, model.D))
    return A, C, process.Q, process.R, u @ B.T + c, u @ D.T + d, data.y, process.initial.mean, process.initial.cov


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_smoother_equals_dense_conditioning(varying, cross, missing):
    process, data = problem(1, varying=varying, cross=cross, missing=missing)
    s = sysid.smooth(process, data)
    mean, cov, log_p = dense_posterior(*arrays(process, data), S=process.S)
    T = data.n_steps
    assert s.log_likelihood == pytest.approx(log_p, rel=1e-12)
    np.testing.assert_allclose(s.smoothed.mean, mean, atol=1e-10)
    np.testing.assert_allclose(s.smoothed.cov, np.stack([cov[t, :, t] for t in range(T)]), atol=1e-10)
    np.testing.assert_allclose(s.cross_cov, np.stack([cov[t + 1, :, t] for t in range(T - 1)]), atol=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("n", "p", "T"), [(1, 1, 200), (2, 1, 400), (4, 6, 300), (20, 3, 200)])
def test_filter_equals_the_textbook_recursion_through_convergence_and_gaps(n, p, T, missing):
    process, data = problem(2, n=n, p=p, T=T, missing=missing)
    if missing == 0.0:
        y = data.y.copy()
        y[150, 0] = np.nan  # one gap after convergence
        data = sysid.Data(y, data.u)
    f = sysid.filter(process, data)
    xp, Pp, xf, Pf, log_p = kalman_filter(*arrays(process, data))
    for ours, theirs in ((f.predicted.mean, xp), (f.predicted.cov, Pp), (f.filtered.mean, xf), (f.filtered.cov, Pf)):
        np.testing.assert_allclose(ours, theirs, atol=1e-10 * np.abs(theirs).max())
    assert f.log_likelihood == pytest.approx(log_p, rel=1e-12)
    assert np.array_equal(f.filtered.cov, f.filtered.cov.swapaxes(1, 2))


def test_extended_filter_and_smoother_equal_the_linear_ones_on_a_linear_model():
    process, data = problem(3, missing=0.2)
    linear, extended = sysid.smooth(process, data), sysid.smooth(process, data, sysid.ExtendedKalman())
    iterated = sysid.smooth(process, data, sysid.IteratedKalman())
    for other in (extended, iterated):
        np.testing.assert_allclose(other.smoothed.mean, linear.smoothed.mean, atol=1e-11)
        np.testing.assert_allclose(other.smoothed.cov, linear.smoothed.cov, atol=1e-11)
        assert other.log_likelihood == pytest.approx(linear.log_likelihood, rel=1e-12)


def test_a_batch_equals_its_sequences_shared_or_not():
    process, _ = problem(4)
    rng = np.random.default_rng(5)
    y, u = rng.standard_normal((5, 30, 2)), rng.standard_normal((5, 30, 1))
    for gaps in (False, True):
        if gaps:
            y[rng.random(y.shape) < 0.2] = np.nan
        batch = sysid.Data(y, u)
        together, apart = sysid.smooth(process, batch), sysid.smooth(process, batch.sequences())
        assert together.smoothed.mean.shape == (5, 30, 3) and together.smoothed.cov.shape == (5, 30, 3, 3)
        for s, alone in enumerate(apart):
            np.testing.assert_allclose(together.smoothed.mean[s], alone.smoothed.mean, atol=1e-13)
            np.testing.assert_allclose(together.smoothed.cov[s], alone.smoothed.cov, atol=1e-13)
            assert together.log_likelihood[s] == pytest.approx(alone.log_likelihood, rel=1e-13)


def test_bilinear_is_linear_along_its_input():
    rng = np.random.default_rng(6)
    model = sysid.Bilinear(0.5 * np.eye(2), np.ones((2, 1)), 0.3 * rng.standard_normal((1, 2, 2)), [[1.0, 0.0]])
    u, y = rng.standard_normal((40, 1)), rng.standard_normal((40, 1))
    law = sysid.Gaussian(np.zeros(2), np.eye(2))
    one = sysid.filter(sysid.Process(model, 0.1, 0.2, initial=law), sysid.Data(y, u))
    two = sysid.filter(sysid.Process(model.along(u), 0.1, 0.2, initial=law), sysid.Data(y, u))
    three = sysid.filter(sysid.Process(model, 0.1, 0.2, initial=law), sysid.Data(y, u), sysid.ExtendedKalman())
    assert one.log_likelihood == two.log_likelihood == pytest.approx(three.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 3])
def test_prediction_steps_ahead_is_a_filter_that_sees_less(steps):
    process, data = problem(7, T=15)
    ahead = sysid.predict(process, data, steps=steps)
    extended = sysid.predict(process, data, steps=steps, method=sysid.ExtendedKalman())
    for t in range(data.n_steps):
        y = data.y.copy()
        y[max(t - steps + 1, 0) :] = np.nan
        blind = sysid.filter(process, sysid.Data(y, data.u)).y_mean[t]
        np.testing.assert_allclose(ahead[t], blind, atol=1e-12)
    np.testing.assert_allclose(extended, ahead, atol=1e-12)


def test_forecast_is_the_filter_over_missing_outputs():
    process, data = problem(8, T=30)
    y = data.y.copy()
    y[20:] = np.nan
    blind = sysid.filter(process, sysid.Data(y, data.u))
    ahead = sysid.forecast(process, data[:20], horizon=10, u=data.u[20:])
    np.testing.assert_allclose(ahead.mean, blind.y_mean[20:], atol=1e-12)
    np.testing.assert_allclose(ahead.cov, blind.y_cov[20:], atol=1e-12)
    low, high = ahead.interval(0.95)
    np.testing.assert_allclose((high - low) / 2, 1.959963984540054 * np.sqrt(np.diagonal(ahead.cov, axis1=1, axis2=2)))


def test_sampled_forecast_agrees_with_the_gaussian_one():
    process, data = problem(9, T=30)
    ahead = sysid.forecast(process, data, 5, u=np.zeros((5, 1)))
    drawn = sysid.forecast(process, data, 5, u=np.zeros((5, 1)), n_samples=4000, rng=np.random.default_rng(0))
    error = np.abs(drawn.samples.mean(0) - ahead.mean) / np.sqrt(np.diagonal(ahead.cov, axis1=1, axis2=2) / 4000)
    assert error.max() < 4.5


def test_store_drops_what_is_not_wanted():
    process, data = problem(10)
    whole, means, last = (sysid.filter(process, data, store=s) for s in ("all", "mean", "last"))
    assert whole.log_likelihood == means.log_likelihood == last.log_likelihood
    np.testing.assert_array_equal(means.filtered.mean, whole.filtered.mean)
    np.testing.assert_array_equal(last.final.cov, whole.final.cov)
    with pytest.raises(ValueError, match='store="all"'):
        _ = means.filtered.cov


def test_bands_come_in_original_units():
    process, _ = problem(11, p=1, m=0)
    rng = np.random.default_rng(0)
    data = sysid.Data(np.exp(rng.standard_normal(30))).map(np.log, np.exp)
    low, high = sysid.filter(process, data).interval(0.9)
    plain = sysid.filter(process, sysid.Data(data.y)).interval(0.9)
    np.testing.assert_allclose(low, np.exp(plain[0]))
    np.testing.assert_allclose(high, np.exp(plain[1]))


@pytest.mark.parametrize("small", [1.0, 1e-7, 1e-9])
def test_correlated_noises_whatever_the_units_of_the_sensors(small):
    """A sensor in volts beside one in nanovolts, both noises correlated with the state's, against the dense joint law."""
    rng = np.random.default_rng(0)
    unit, joint = np.diag([1.0, small]), rng.standard_normal((4, 4))
    joint = joint @ joint.T
    A, C, Q, S, R = np.array([[0.9, 0.2], [0.0, 0.7]]), unit, joint[:2, :2], joint[:2, 2:] @ unit, unit @ joint[2:, 2:] @ unit
    y = rng.standard_normal((6, 2)) @ unit
    y[2, 1] = y[4, 0] = np.nan
    s = sysid.smooth(sysid.Process(sysid.LTI(A, None, C), Q=Q, R=R, S=S, initial=sysid.Gaussian(np.zeros(2), np.eye(2))), sysid.Data(y))
    none = np.zeros((6, 2))
    mean, cov, log_p = dense_posterior(A, C, Q, R, none, none, y, np.zeros(2), np.eye(2), S)
    np.testing.assert_allclose(s.smoothed.mean, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(s.smoothed.cov, [cov[t, :, t] for t in range(6)], rtol=1e-9, atol=1e-12)
    assert s.log_likelihood == pytest.approx(log_p, rel=1e-10)
