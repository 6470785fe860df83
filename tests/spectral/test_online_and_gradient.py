"""Online spectral filtering and its regret; the STU trained by gradient; STU against LRU in miniature."""

from __future__ import annotations

import numpy as np
import pytest

import sysid
from sysid.spectral.online import OnlineSpectralFiltering
from sysid.spectral.stu_training import STUTraining


@pytest.fixture(scope="module")
def stream():
    rng = np.random.default_rng(0)
    system = sysid.LTI.from_undelayed(np.diag(0.999 * rng.choice([-1.0, 1.0], 6)), rng.normal(size=(6, 1)), rng.normal(size=(1, 6)))
    u = rng.normal(size=(4000, 1))
    y = sysid.simulate(system, u).y
    return sysid.Data(y + 0.1 * y.std() * rng.normal(size=y.shape), u)


@pytest.mark.parametrize("update", ["newton", "gradient"])
def test_regret_is_sublinear(stream, update):
    fit = sysid.fit(stream, OnlineSpectralFiltering(n_steps=256, n_filters=8, update=update))
    assert fit.regret[-1] / 4000 < 0.5 * fit.regret[999] / 1000
    assert fit.regret[-1] >= -1e-6


def test_newton_regret_grows_like_a_logarithm(stream):
    regret = sysid.fit(stream, OnlineSpectralFiltering(n_steps=256, n_filters=8)).regret
    late, early = regret[3999] - regret[1999], regret[1999] - regret[999]
    assert late < 2 * early


def test_newton_steps_are_recursive_least_squares(stream):
    """After the last step the weights are the ridge solution over the whole stream."""
    record = stream[:400]
    fit = sysid.fit(record, OnlineSpectralFiltering(n_steps=64, n_filters=4, ridge=0.5))
    batch = sysid.fit(record, sysid.SpectralFiltering(n_filters=4, n_steps=64, ridge=0.5))
    assert np.allclose(fit.model.taps, batch.model.taps, atol=1e-8) and np.allclose(fit.model.plus, batch.model.plus, atol=1e-7)


def test_predictions_use_the_past_only(stream):
    whole = sysid.fit(stream[:500], OnlineSpectralFiltering(n_steps=64, n_filters=4)).predictions
    y = stream.y[:500].copy()
    y[300:] += 100.0
    changed = sysid.fit(sysid.Data(y, stream.u[:500]), OnlineSpectralFiltering(n_steps=64, n_filters=4)).predictions
    assert np.array_equal(whole[:301], changed[:301]) and not np.allclose(whole[301:], changed[301:])


def test_a_good_start_has_little_regret(stream):
    method = OnlineSpectralFiltering(n_steps=256, n_filters=8, update="gradient", learning_rate=0.1)
    cold = sysid.fit(stream, method)
    warm = sysid.fit(stream, method, start=cold.best)
    assert warm.regret[-1] < 0.5 * cold.regret[-1]


def marginal_records(count, rng):
    system = sysid.LTI.from_undelayed(np.diag(0.9999 * rng.choice([-1.0, 1.0], 6)), rng.normal(size=(6, 2)), rng.normal(size=(2, 6)),
                                      np.diag(rng.normal(size=2)))
    out = []
    for _ in range(count):
        u = rng.normal(size=(200, 2))
        out.append(sysid.Data(sysid.simulate(system, u).y, u))
    return out


def nmse(model, data):
    return sum(((sysid.simulate(model, d.u).y - d.y) ** 2).sum() for d in data) / sum((d.y**2).sum() for d in data)


def test_the_stu_learns_a_marginally_stable_system_where_the_lru_has_not():
    data = marginal_records(40, np.random.default_rng(1))
    train, test = data[:30], data[30:]
    stu = sysid.fit(train, STUTraining(np.random.default_rng(0), n_filters=16, learning_rate=0.1, n_iterations=400))
    lru = sysid.fit(train, sysid.LRUTraining(np.random.default_rng(0), n_states=16, learning_rate=1e-2, n_iterations=400))
    assert nmse(stu.model, test) < 1e-3 < 1e-1 < nmse(lru.model, test)


def test_plain_gradient_decreases_and_its_limit_is_reported_beforehand():
    data = marginal_records(10, np.random.default_rng(2))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="stability limit") as caught:
        sysid.fit(data, STUTraining(rng, n_filters=8, optimizer="sgd", learning_rate=1e3))
    limit = float(str(caught.value).split("lambda_max = ")[1].split()[0])
    fit = sysid.fit(data, STUTraining(rng, n_filters=8, optimizer="sgd", learning_rate=0.3 * limit, n_iterations=300))
    losses = fit.history["loss"]
    assert losses[-30:].mean() < 0.5 * losses[:30].mean()


def test_training_says_that_it_diverged_and_takes_an_input_that_never_moves(stream):
    short = stream[:60]
    fit = sysid.fit(short, STUTraining(np.random.default_rng(0), n_filters=3, learning_rate=1e200, n_iterations=50))
    assert "not finite" in fit.status.reason
    still = sysid.Data(short.y, np.zeros((60, 1)))
    fit = sysid.fit(still, STUTraining(np.random.default_rng(0), n_filters=3, optimizer="sgd", n_iterations=5))
    assert not fit.model.taps.any() and np.isfinite(fit.history["loss"]).all()


def test_bad_input_is_named(stream):
    with pytest.raises(ValueError, match=r"learning_rate in \(0, 2\)"):
        OnlineSpectralFiltering(n_steps=10, update="gradient", learning_rate=2.5)
    with pytest.raises(ValueError, match="one record without missing"):
        sysid.fit([stream, stream], OnlineSpectralFiltering(n_steps=64, n_filters=4))
    with pytest.raises(ValueError, match="start as an STU"):
        sysid.fit(stream, OnlineSpectralFiltering(n_steps=64, n_filters=4), start=sysid.STU.from_lti(
            sysid.LTI([[0.5]], [[1.0]], [[1.0]]), 5, 64))
    one = sysid.STU.from_lti(sysid.LTI([[0.5]], [[1.0]], [[1.0]]), 4, 64)
    longer = sysid.STU(one.bank, np.concatenate([one.taps, one.taps]), one.plus, one.minus)
    with pytest.raises(ValueError, match=r"taps \(3, 1, 1\); received STU with taps \(6, 1, 1\)"):
        sysid.fit(stream, OnlineSpectralFiltering(n_steps=64, n_filters=4), start=longer)
    with pytest.raises(ValueError, match="data with inputs"):
        sysid.fit(sysid.Data(stream.y[:50]), STUTraining(np.random.default_rng(0)))
    with pytest.raises(ValueError, match="sgd, adam"):
        STUTraining(np.random.default_rng(0), optimizer="rmsprop")
