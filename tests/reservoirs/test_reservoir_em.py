"""Fitting reservoirs by inference: kernels against textbook passes, EM against the direct likelihood, recovery."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import sysid
from sysid.kernels.rank_revealing import pivoted_cholesky
from sysid.reservoirs.forced import GAINS, ForcedReservoir, Parameters
from sysid.reservoirs.likelihood import objective
from sysid.reservoirs.m_step import maximize, smoothed_moments
from tests.reference.reservoir_filter import disturbances, ekf, rts, turned
from tests.reservoirs.problems import gradient_equals_differences, moved, simulated

KINDS = [dict(), dict(feedback=True), dict(feedback=True, missing=0.2), dict(missing=0.3), dict(activation="identity"),
         dict(activation="sigmoid", p=3), dict(leak=np.linspace(0.2, 0.9, 8), p=1), dict(activation="relu", p=1)]


def arrays(process, data):
    return ForcedReservoir.of(process.model, [data]), Parameters.of(process, "test")


@pytest.mark.parametrize("kind", KINDS)
def test_log_likelihood_equals_textbook_filter(kind):
    process, data = simulated(T=60, seed=1, **kind)
    reservoir, p = arrays(process, data)
    expected, _ = ekf(process.model, process.Q, process.R, p.m0, p.P0, data.y, data.inputs)
    assert abs(reservoir.log_likelihood(p) - expected) < 1e-9 * abs(expected)


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_gradient_equals_differences(kind):
    process, data = simulated(n=5, T=25, seed=2, **{**kind, **({"leak": np.linspace(0.2, 0.9, 5)} if "leak" in kind else {})})
    reservoir, p = arrays(process, data)
    gradient_equals_differences(reservoir, p)


def textbook_moments(process, p, data, joint):
    """Row-wise second moments (n, 3, 3) of (w, f0, f1) and sums of x x' (p, n, n), from the covariances of (w[t], x[t])."""
    esn, T = process.model, data.n_steps
    _, run = ekf(esn, process.Q, process.R, p.m0, p.P0, data.y, data.inputs)
    x, P, _ = rts(run)
    J, n, leak, W = joint(run), esn.n_states, esn.leaks, esn.W
    rows, states = np.zeros((n, 3, 3)), np.zeros((esn.n_outputs, n, n))
    for t in range(T):
        for j in np.flatnonzero(~np.isnan(data.y[t])):
            states[j] += (J[t][n:, n:] if t < T - 1 else P[t]) + np.outer(x[t], x[t])
        if t == T - 1 or (esn.n_feedback and np.isnan(data.y[t]).any()):
            continue
        xi = W @ x[t] + esn.W_in @ data.inputs[t] + esn.bias + (esn.W_fb @ data.y[t] if esn.n_feedback else 0)
        s, D = esn.act.function(xi), esn.act.derivative(xi)
        shift = run["A"][t] - np.diag(1 - leak) - (leak * D)[:, None] * W
        for i in range(n):
            L = np.zeros((3, 2 * n))
            L[0, i] = 1
            L[0, n:] = shift[i]
            L[1, n + i] = -1
            L[2, n:] = D[i] * W[i]
            mean = [x[t + 1, i] - (1 - leak[i]) * x[t, i] - leak[i] * s[i], s[i] - x[t, i] - D[i] * xi[i], D[i] * W[i] @ x[t]]
            rows[i] += L @ J[t] @ L.T + np.outer(mean, mean)
    return rows, states


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_moments_equal_textbook_smoother(kind):
    process, data = simulated(T=40, seed=3, **kind)
    reservoir, p = arrays(process, data)
    m, (rows, states) = smoothed_moments(reservoir, p), textbook_moments(process, p, data, turned)
    assert np.allclose(m.rows[:, :3, :3], rows, rtol=1e-9, atol=1e-11)
    assert np.allclose(m.states[:, :-1, :-1], states, rtol=1e-9)


LARGE = {"one output": dict(p=1), "long memory": dict(p=1, leak=0.05), "exact output": dict(p=1, r=1e-9), "saturated": dict(p=2, leak=1.0, radius=1.3),
         "gaps": dict(p=3, missing=0.4), "feedback and gaps": dict(p=3, feedback=True, missing=0.2), "many outputs": dict(p=12)}


@pytest.mark.parametrize("kind", LARGE)
def test_few_rows_hold_the_information_of_the_future(kind):
    """50 units: the factor of N holds as many rows as rounding sees, and the moments are the textbook's, also where the states' scales
    lie eight decades apart."""
    for Q in (1e-3, np.logspace(-9, -1, 50)[np.random.default_rng(0).permutation(50)]):
        process, data = simulated(n=50, T=60, seed=14, **LARGE[kind])
        process = replace(process, Q=Q)
        reservoir, p = arrays(process, data)
        m = smoothed_moments(reservoir, p)
        rows, states = textbook_moments(process, p, data, partial(disturbances, Q=process.Q))
        sizes = np.sqrt(np.einsum("naa->na", rows))
        assert np.abs((m.rows[:, :3, :3] - rows) / sizes[:, :, None] / sizes[:, None, :]).max() < 1e-10
        sizes = np.sqrt(np.einsum("pii->pi", states))
        assert np.abs((m.states[:, :-1, :-1] - states) / sizes[:, :, None] / sizes[:, None, :]).max() < 1e-10


def test_a_pivoted_cholesky_factor_has_the_rows_that_rounding_sees():
    rng = np.random.default_rng(0)
    for n, rank in ((30, 7), (30, 30), (5, 0)):
        units = 10.0 ** rng.uniform(-6, 6, n)
        root = rng.standard_normal((rank, n)) * units
        N, V = root.T @ root, np.full((n, n), np.nan)
        r = pivoted_cholesky(N, units**-2, np.empty(n), V)
        assert r == max(rank, 1)
        assert np.abs((V[:r].T @ V[:r] - N) / np.outer(units, units)).max() < 1e-13 * n


def test_stretches_give_the_same_sums(monkeypatch):
    """Covariances kept for one stretch at a time: the same gradient and moments as when all are kept."""
    process, data = simulated(n=6, T=100, seed=4, feedback=True, missing=0.1)
    reservoir, p = arrays(process, data)
    whole, sums = reservoir.gradient(p)[1], smoothed_moments(reservoir, p)
    monkeypatch.setattr("sysid.reservoirs.forced.STORED", 17 * 36)
    parts, pieces = reservoir.gradient(p)[1], smoothed_moments(reservoir, p)
    for name, g in whole.items():
        assert np.allclose(parts[name], g, rtol=1e-9, atol=1e-10), name
    assert np.allclose(pieces.rows, sums.rows, rtol=1e-9, atol=1e-12)
    assert np.allclose(pieces.states, sums.states, rtol=1e-9)


def test_em_never_lowers_the_likelihood_on_twenty_problems():
    for seed in range(20):
        kind = KINDS[seed % 5]
        process, data = simulated(n=6, T=80, seed=seed, **{**kind, "p": 1 + seed % 3})
        names = ("leak", "scale", "Q", "R", *(("readout",) if seed % 2 else ()), *(("input_scale",) if seed % 3 else ()))
        method = sysid.ReservoirEM(names, max_iterations=25, polish=False, standard_errors=False)
        fit = sysid.fit(data, method, start=moved(process, noise=3.0))
        path = fit.history["objective"]
        assert len(path) > 3 and np.all(np.diff(path) >= -1e-9 * np.abs(path[:-1]))


def test_exact_m_step_without_damping_is_monotone_for_identity_activation():
    """A linear reservoir makes EM exact: every plain M-step raises the likelihood."""
    process, data = simulated(n=6, T=150, seed=5, activation="identity", p=2)
    names = ("leak", "scale", "Q", "R", "readout")
    target, p = objective(moved(process, noise=2.0), [data], names, readout_prior=1.0, noise_floor=1e-8, Q="scaled",
                          R="diagonal", leak_groups=None, call="test")
    c, last = target.coordinates, -np.inf
    for _ in range(40):
        m = smoothed_moments(target.reservoir, p)
        value = m.log_likelihood + target.log_prior(p)
        assert value >= last - 1e-9 * abs(last)
        last = value
        p = maximize(m, p, c, target.prior)


def test_em_and_direct_maximisation_meet():
    for activation, gap in (("identity", 1e-5), ("tanh", 0.5)):
        process, data = simulated(n=8, p=3, T=400, seed=6, activation=activation)
        start = moved(process, scale=0.7, noise=2.0)
        em = sysid.fit(data, sysid.ReservoirEM(polish=False, tolerance=1e-13, max_iterations=1500), start=start)
        direct = sysid.fit(data, sysid.ReservoirEM(), start=start)
        assert -1e-6 <= direct.log_likelihood - em.log_likelihood <= gap
        assert direct.converged


def test_leak_and_scale_are_recovered():
    for seed in (7, 8):
        process, data = simulated(n=8, p=2, T=1500, seed=seed, leak=0.4)
        fit = sysid.fit(data, sysid.ReservoirEM(), start=moved(process))
        for name, truth in (("leak", 0.4), ("scale", 2.0)):
            assert abs(fit.estimates[name] - truth) < 3 * fit.standard_errors[name]
        assert fit.converged and fit.information.condition < 1e4
        assert np.allclose(fit.model.W, fit.scale * 0.5 * process.model.W)


def test_block_leaks_readout_and_gains_are_recovered():
    leak = np.repeat([0.3, 0.8], 4)
    process, data = simulated(n=8, p=4, T=2000, seed=9, leak=leak, bias_scale=0.5)
    start = moved(process, leak=np.repeat([0.5, 0.6], 4), scale=0.8)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "input_scale", "bias_scale", "Q", "R")), start=start)
    truth = {"leak[0]": 0.3, "leak[1]": 0.8, "scale": 1.25, "input_scale": 1.0, "bias_scale": 1.0, "Q": 1e-3}
    for name, value in truth.items():
        assert abs(fit.estimates[name] - value) < 4 * fit.standard_errors[name], name


def test_ragged_sequences_with_gaps_and_feedback():
    process, a = simulated(n=6, T=300, seed=10, feedback=True, missing=0.05)
    b = replace(a, y=np.array(a.y[:97]), u=np.array(a.u[:97]))
    fit = sysid.fit([a, b], sysid.ReservoirEM(("leak", "scale", "feedback_scale", "Q", "R")), start=moved(process, scale=0.7))
    single = sysid.fit(a, sysid.ReservoirEM(("leak", "scale", "feedback_scale", "Q", "R")), start=moved(process, scale=0.7))
    assert fit.log_likelihood > single.log_likelihood
    assert abs(fit.model.leak - 0.6) < 0.1


def test_on_a_linear_toy_the_exact_m_step_climbs_where_the_printed_projection_does_not():
    """A = theta_1 I + theta_2 Wbar as in Eq. 71: least squares weighted by Q^-1 against the projection as printed and with
    the lag-one covariances added. All three run 60 steps; only the first is monotone, and it ends highest."""
    rng = np.random.default_rng(0)
    n, T = 4, 300
    Wbar = rng.standard_normal((n, n))
    Wbar *= 0.8 / np.abs(np.linalg.eigvals(Wbar)).max()
    esn = sysid.ESN(Wbar, leak=0.4, C=np.eye(n), activation="identity")
    process = sysid.Process(esn, Q=[0.0028, 0.0174, 0.0573, 0.1384], R=0.1, initial=sysid.Gaussian(np.zeros(n), 1.0))
    data = sysid.Data(sysid.simulate(process, n_steps=T, rng=rng).y)
    start = moved(process, leak=0.9, scale=0.5)
    target, p = objective(start, [data], ("leak", "scale"), readout_prior=0.0, noise_floor=1e-8, Q="scaled", R="diagonal",
                          leak_groups=None, call="test")
    reservoir, c = target.reservoir, target.coordinates

    def projected(p, lag_one):
        run = sysid.smooth(p.process(start), data)
        x, P, lag = run.smoothed.mean, run.smoothed.cov, run.cross_cov
        A = (x[1:].T @ x[:-1] + lag_one * lag.sum(0)) @ np.linalg.inv(P[:-1].sum(0) + x[:-1].T @ x[:-1])
        a, b = np.linalg.lstsq(np.column_stack([np.eye(n).ravel(), start.model.W.ravel()]), A.ravel(), rcond=None)[0]
        leak = np.clip(1 - a, 1e-3, 1.0)
        return replace(p, leak=np.full(n, leak), scale=max(b / leak, 1e-3))

    def weighted(p, _):
        return maximize(smoothed_moments(reservoir, p), p, c, np.zeros(n))

    def climb(step, lag_one):
        path, q = [], p
        for _ in range(60):
            q = step(q, lag_one)
            path.append(reservoir.log_likelihood(q))
        return np.array(path)

    printed, with_lag_one, exact = climb(projected, 0), climb(projected, 1), climb(weighted, 1)
    assert np.all(np.diff(exact) >= -1e-9 * np.abs(exact[:-1]))
    assert printed[-1] < with_lag_one[-1] < exact[-1]
    best = sysid.fit(data, sysid.ReservoirEM(("leak", "scale")), start=start).log_likelihood
    assert best - 1.0 < exact[-1] <= best + 1e-6


def test_interruption_returns_the_best_so_far(monkeypatch):
    process, data = simulated(n=6, T=150, seed=11)
    calls = [0]

    def interrupting(*args, **kwargs):
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return smoothed_moments(*args, **kwargs)

    monkeypatch.setattr("sysid.reservoirs.likelihood.smoothed_moments", interrupting)
    fit = sysid.fit(data, sysid.ReservoirEM(), start=moved(process))
    assert not fit.converged and "interrupted" in fit.status.reason
    assert fit.log_likelihood == fit.history["log_likelihood"].max()
    assert "ReservoirFit" in repr(fit) and fit.plot() is not None


def test_noise_that_vanishes_stops_at_its_floor_and_is_reported():
    process, data = simulated(n=5, T=200, seed=12, q=1e-9, r=1e-2, p=1)
    fit = sysid.fit(data, sysid.ReservoirEM(("leak", "scale", "Q", "R"), noise_floor=1e-3, max_iterations=400),
                    start=sysid.Process(process.model, Q=1e-4, R=1e-2, initial=process.initial))
    assert any("Q ended on its floor" in note for note in fit.notes)


def test_bad_starts_and_names_are_refused():
    process, data = simulated(n=5, T=50, seed=13)
    fit = lambda method, start=process: sysid.fit(data, method, start=start)  # noqa: E731
    with pytest.raises(ValueError, match="estimate to be one of leak"):
        sysid.ReservoirEM(("leek",))
    with pytest.raises(ValueError, match="different names among"):
        fit(sysid.ReservoirEM(("leak", "leak")))
    with pytest.raises(TypeError, match="around an ESN"):
        fit(sysid.ReservoirEM(), None)
    with pytest.raises(ValueError, match="feedback_scale"):
        fit(sysid.ReservoirEM(("feedback_scale",)))
    blind = sysid.Process(process.model.with_readout(np.zeros((2, 5))), Q=1e-3, R=1e-2, initial=process.initial)
    with pytest.raises(ValueError, match="unobservable"):
        fit(sysid.ReservoirEM(), blind)
    full = sysid.Process(process.model, Q=1e-3 * (np.eye(5) + 0.1), R=1e-2, initial=process.initial)
    with pytest.raises(ValueError, match="diagonal Q"):
        fit(sysid.ReservoirEM(covariance_rank=2), full)
    with pytest.raises(ValueError, match="positive variances in all directions"):
        fit(sysid.ReservoirEM(("leak",)), sysid.Process(process.model, Q=1e-3 * np.ones((5, 5)), R=1e-2, initial=process.initial))
    with pytest.raises(ValueError, match="small positive Q"):
        fit(sysid.ReservoirEM(("leak",)), sysid.Process(process.model, Q=0.0, R=1e-2, initial=process.initial))
    still = sysid.Process(replace(process.model, bias=np.zeros(5)), Q=1e-3, R=1e-2, initial=process.initial)
    with pytest.raises(ValueError, match="excite"):
        sysid.fit(sysid.Data(data.y, np.zeros((50, 1))), sysid.ReservoirEM(), start=still)
    with pytest.raises(ValueError, match="readout"):
        fit(sysid.ReservoirEM(), sysid.Process(replace(process.model, C=None, d=None), Q=1e-3, R=1e-2))
    with pytest.raises(TypeError, match="Gaussian"):
        fit(sysid.ReservoirEM(), sysid.Process(process.model, Q=1e-3, R=1e-2, initial=sysid.Diffuse()))
    assert GAINS[0] == "input_scale"


def test_short_series_are_refused_and_an_uncertified_start_is_moved_and_said():
    process, data = simulated(n=6, T=60, seed=14)
    with pytest.raises(ValueError, match="too short"):
        sysid.fit(data[:2], sysid.ReservoirEM(), start=process)
    quick = sysid.ReservoirEM(("leak", "scale"), contraction=0.9, max_iterations=2, standard_errors=False)
    wild = sysid.fit(data, quick, start=moved(process, leak=0.5, scale=3.0))
    assert any("first moved to leak" in note for note in wild.notes)
    tame = sysid.fit(data, quick, start=moved(process, leak=0.5, scale=0.2))
    assert not any("first moved" in note for note in tame.notes)
