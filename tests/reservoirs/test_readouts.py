"""Streaming, recursive, Bayesian and classifying readouts, and the scikit-learn estimator."""

import numpy as np
import pytest

import sysid


def small(n=25, seed=0, **options):
    return sysid.ESN.random(n, rng=np.random.default_rng(seed), **options)


def experiment(T=600, seed=1, noise=0.1):
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((T, 1))
    y = np.tanh(np.roll(u, 1, axis=0)) + 0.5 * np.roll(u, 2, axis=0)
    return sysid.Data(y + noise * rng.standard_normal((T, 1)), u)


def test_streaming_readout_equals_the_one_pass_readout():
    esn, one, two = small(), experiment(), experiment(400, seed=2)
    a = sysid.fit([one, two], sysid.Readout(ridge=1e-3), start=esn)
    b = sysid.fit([one, two], sysid.StreamingReadout(ridge=1e-3, chunk=77), start=esn)
    assert np.abs(a.model.C - b.model.C).max() < 1e-10
    assert np.abs(a.process.R - b.process.R).max() < 1e-12
    assert np.abs(a.process.initial.mean - b.process.initial.mean).max() < 1e-12
    assert np.abs(a.process.initial.cov - b.process.initial.cov).max() < 1e-12


def test_a_stream_goes_on_where_it_stopped_and_merges():
    esn, one, two = small(), experiment(), experiment(400, seed=2)
    method = sysid.StreamingReadout(ridge=1e-3)
    stream = method.begin(esn, 1).extend(one[:130]).extend(one[130:131]).extend(one[131:])
    other = method.begin(esn, 1).extend(two)
    merged = stream.merge(other).solve(1e-3)
    assert np.abs(merged.model.C - sysid.fit([one, two], method, start=esn).model.C).max() < 1e-10
    y = one.y.copy()
    y[300:320] = np.nan
    gap = sysid.Data(y, one.u)
    a, b = (sysid.fit(gap, m(ridge=1e-3), start=esn).model.C for m in (sysid.Readout, sysid.StreamingReadout))
    assert np.abs(a - b).max() < 1e-10


def test_recursive_readout_without_forgetting_is_the_ridge_readout():
    esn, data = small(), experiment()
    a = sysid.fit(data, sysid.Readout(ridge=1e-2), start=esn).model
    b = sysid.fit(data, sysid.RecursiveReadout(forgetting=1.0, ridge=1e-2), start=esn)
    assert np.abs(a.C - b.model.C).max() < 1e-8 and np.abs(a.d - b.model.d).max() < 1e-8


def test_recursive_readout_equals_the_weighted_regression_and_predicts_before_it_sees():
    esn, data, beta = small(8), experiment(200), 0.97
    fit = sysid.fit(data, sysid.RecursiveReadout(forgetting=beta, ridge=1e-3, washout=20), start=esn)
    x = np.hstack([sysid.simulate(esn, data.u).x[20:], np.ones((180, 1))])
    y = data.y[20:]

    def solve(T):
        w = beta ** (T - 1.0 - np.arange(T))
        G = (x[:T] * w[:, None]).T @ x[:T] + beta ** T * 1e-3 * np.diag([*np.ones(8), 1e-12])
        return np.linalg.solve(G, (x[:T] * w[:, None]).T @ y[:T]).T

    C = solve(180)
    assert np.abs(np.hstack([fit.model.C, fit.model.d[:, None]]) - C).max() < 1e-6
    for t in (50, 120, 179):
        assert np.abs(fit.predicted[0][t] - solve(t) @ x[t]).max() < 1e-6


def test_recursive_readout_follows_a_change_and_stays_finite_over_long_runs():
    esn = small(15, leak=0.9)
    data = experiment(6000, noise=0.01)
    y = data.y.copy()
    y[3000:] *= -1
    changed = sysid.Data(y, data.u)
    adaptive = sysid.fit(changed, sysid.RecursiveReadout(forgetting=0.99), start=esn)
    fixed = sysid.fit(changed, sysid.Readout(), start=esn)
    late = slice(-500, None)
    assert np.abs(adaptive.predicted[0][late] - y[late]).mean() < 0.2 * np.abs(
        sysid.simulate(fixed.model, data.u).y[late] - y[late]).mean()
    still = sysid.Data(np.zeros((4000, 1)), np.zeros((4000, 1)))
    assert np.isfinite(sysid.fit(still, sysid.RecursiveReadout(forgetting=0.9), start=esn).model.C).all()


def test_bayesian_readout_finds_the_noise_and_its_bands_cover():
    esn = small(40, leak=0.9)
    train, test = experiment(1000, noise=0.2), experiment(3000, seed=9, noise=0.2)
    fit = sysid.fit(train, sysid.BayesianReadout(), start=esn)
    assert fit.converged and 1 / np.sqrt(fit.beta[0]) == pytest.approx(0.2, rel=0.15)
    band = fit.predict(test)
    low, high = band.interval(0.9)
    cover = ((low <= test.y) & (test.y <= high))[100:].mean()
    assert 0.87 < cover < 0.93
    assert (band.readout_std < band.std).all()
    same = sysid.fit(train, sysid.Readout(ridge=fit.ridge[0]), start=esn)
    assert np.abs(same.model.C - fit.model.C).max() < 1e-9


def test_bayesian_evidence_prefers_the_larger_penalty_for_the_noisier_output():
    esn = small(60)
    clean, noisy = experiment(400, noise=0.001), experiment(400, noise=1.0)
    both = sysid.Data(np.hstack([clean.y, noisy.y]), clean.u)
    fit = sysid.fit(both, sysid.BayesianReadout(), start=esn)
    assert fit.ridge[1] > 10 * fit.ridge[0]


def test_posterior_covariance_is_the_textbook_one():
    esn, data = small(6), experiment(150)
    fit = sysid.fit(data, sysid.BayesianReadout(washout=10), start=esn)
    x = sysid.simulate(esn, data.u).x[10:]
    xc = x - x.mean(0)
    cov = np.linalg.inv(fit.beta[0] * xc.T @ xc + fit.alpha[0] * np.eye(6))
    at = x[70] - x.mean(0)
    expected = at @ cov @ at + 1 / (fit.beta[0] * 140)
    assert fit.predict(data).readout_std[80, 0] ** 2 == pytest.approx(expected, rel=1e-8)


def test_bands_of_outputs_with_different_gaps_are_those_of_each_alone():
    esn, data = small(12), experiment(300)
    y = np.column_stack([data.y[:, 0], np.roll(data.y[:, 0], 3)])
    y[120:, 0] = np.nan
    method = sysid.BayesianReadout(washout=10)
    both = sysid.fit(sysid.Data(y, data.u), method, start=esn).predict(sysid.Data(y, data.u))
    for j in range(2):
        alone = sysid.Data(y[:, [j]], data.u)
        band = sysid.fit(alone, method, start=esn).predict(alone)
        assert np.allclose(both.readout_std[:, j], band.readout_std[:, 0], rtol=1e-10) and np.allclose(both.mean[:, j], band.mean[:, 0], rtol=1e-10)
    with pytest.raises(ValueError, match="level in"):
        both.interval(95)


def test_classifier_tells_two_kinds_of_oscillation():
    rng = np.random.default_rng(3)

    def draw(k, count):
        t = [np.arange(rng.integers(20, 40)) for _ in range(count)]
        return [np.sin((0.3 + 0.25 * k) * s + rng.uniform(0, 6))[:, None] + 0.1 * rng.standard_normal((len(s), 1)) for s in t]

    train, test = draw(0, 40) + draw(1, 40), draw(0, 40) + draw(1, 40)
    labels = np.repeat(["slow", "fast"], 40)
    model = sysid.reservoirs.SequenceClassifier(small(50, leak=0.5, features="squares"), ridge=np.logspace(-6, 2, 5)).fit(train, labels)
    assert model.score(test, labels) > 0.95
    assert set(model.predict(test)) == {"slow", "fast"} and model.losses.shape == (5,)
    with pytest.raises(ValueError, match="one label a sequence"):
        model.fit(train, labels[:-1])
    with pytest.raises(ValueError, match="without output feedback"):
        sysid.reservoirs.SequenceClassifier(sysid.ESN.random(5, 1, 1, rng=rng))
    with pytest.raises(TypeError, match="a reservoir such as"):
        sysid.reservoirs.SequenceClassifier(3)
    with pytest.raises(ValueError, match="two classes"):
        model.fit(train, np.zeros(80))


def test_estimator_keeps_scikit_learns_conventions():
    sklearn = pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    assert sklearn
    data = experiment(500)
    X, y = data.u, np.roll(data.y[:, 0], -1)
    base = sysid.ESNRegressor(n_states=40, leak=0.9, washout=20)
    copy = clone(base)
    assert copy is not base and copy.get_params() == base.get_params()
    search = GridSearchCV(make_pipeline(StandardScaler(), base), {"esnregressor__ridge": [1e-6, 1e-2, 1e4]},
                          cv=TimeSeriesSplit(3)).fit(X, y)
    assert search.best_params_["esnregressor__ridge"] < 1e4 and search.best_score_ > 0.9
    fitted = base.fit(X[:400], y[:400])
    assert fitted.predict(X[400:]).shape == (100,)
    whole = sysid.simulate(fitted.esn_, X)
    going_on = fitted.set_params(carry_state=True).predict(X[400:])
    expected = np.vstack([whole.x[1:], whole.final])[400:] @ fitted.esn_.C.T + fitted.esn_.d
    assert np.abs(going_on - expected[:, 0]).max() < 1e-12
    with pytest.raises(ValueError, match="radius"):
        base.set_params(radius=1)


def test_the_estimators_score_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    data = experiment(200)
    fitted = sysid.ESNRegressor(n_states=10).fit(data.u, np.hstack([data.y, data.y**2]))
    y = np.column_stack([data.y[:, 0], np.ones(200)])
    assert fitted.score(data.u, y) == pytest.approx(metrics.r2_score(y, fitted.predict(data.u)))
    y[:20, 0] = np.nan  # the spread is that of the rows that count
    assert fitted.score(data.u, y) == pytest.approx(metrics.r2_score(y[20:], fitted.predict(data.u)[20:]))
    with pytest.raises(ValueError, match="NaN in every row"):
        fitted.score(data.u, np.full((200, 2), np.nan))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="forgetting"):
        sysid.RecursiveReadout(forgetting=1.5)
    with pytest.raises(ValueError, match="1 outputs"):
        sysid.StreamingReadout().begin(small(), 1).extend(sysid.Data(np.ones((5, 2)), np.ones((5, 1))))
    with pytest.raises(ValueError, match="trained"):
        sysid.ESNRegressor().predict(np.ones((4, 1)))
