import numpy as np
import pytest

import sysid
from sysid.reservoirs.least_squares import Triangle
from sysid.reservoirs.states import driven_states


def small(n=20, seed=0, **options):
    return sysid.ESN.random(n, rng=np.random.default_rng(seed), **options)


def experiment(T=300, seed=1):
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((T, 1))
    return sysid.Data(np.column_stack([np.roll(u[:, 0], 1), np.roll(u[:, 0], 2) ** 2]), u)


def textbook(X, Y, ridge):
    x, y = X.mean(0), Y.mean(0)
    C = np.linalg.solve((X - x).T @ (X - x) + ridge * np.eye(X.shape[1]), (X - x).T @ (Y - y)).T
    return C, y - C @ x


def test_readout_equals_the_textbook_ridge():
    esn, data = small(), experiment()
    fit = sysid.fit(data, sysid.Readout(ridge=1e-3, washout=50), start=esn)
    x = sysid.simulate(esn, data.u).x[50:]
    C, d = textbook(x, data.y[50:], 1e-3)
    assert np.abs(fit.model.C - C).max() < 1e-9 and np.abs(fit.model.d - d).max() < 1e-9
    error = data.y[50:] - x @ C.T - d
    assert np.diag(fit.process.R) == pytest.approx((error ** 2).sum(0) / (250 - 21), rel=0.05)


def test_constant_shift_of_targets_moves_only_the_intercept():
    esn, data = small(), experiment()
    moved = sysid.Data(data.y + 100.0, data.u)
    a, b = (sysid.fit(d, sysid.Readout(ridge=10.0), start=esn).model for d in (data, moved))
    assert np.abs(a.C - b.C).max() < 1e-11 and np.abs(b.d - a.d - 100.0).max() < 1e-10


def test_sequences_are_never_paired_across_their_ends():
    esn, one, two = small(), experiment(seed=1), experiment(seed=2)
    fit = sysid.fit([one, two], sysid.Readout(ridge=1e-4, washout=30), start=esn)
    X = np.vstack([sysid.simulate(esn, d.u).x[30:] for d in (one, two)])
    C, d = textbook(X, np.vstack([one.y[30:], two.y[30:]]), 1e-4)
    assert np.abs(fit.model.C - C).max() < 1e-8
    batch = sysid.Data(np.stack([one.y, two.y]), np.stack([one.u, two.u]))
    assert np.abs(sysid.fit(batch, sysid.Readout(ridge=1e-4, washout=30), start=esn).model.C - fit.model.C).max() < 1e-12


def test_missing_targets_are_left_out_output_by_output():
    esn, data = small(), experiment()
    y = data.y.copy()
    y[100:150, 0] = np.nan
    fit = sysid.fit(sysid.Data(y, data.u), sysid.Readout(ridge=1e-4, washout=20), start=esn)
    x = sysid.simulate(esn, data.u).x[20:]
    keep = ~np.isnan(y[20:, 0])
    assert np.abs(fit.model.C[0] - textbook(x[keep], y[20:, :1][keep], 1e-4)[0]).max() < 1e-8
    assert np.abs(fit.model.C[1] - textbook(x, y[20:, 1:], 1e-4)[0]).max() < 1e-8


def test_outputs_fed_back_are_teacher_forced():
    y = sysid.datasets.mackey_glass(600).y
    esn = small(40, n_inputs=0, n_feedback=1)
    fit = sysid.fit(sysid.Data(y), sysid.Readout(ridge=1e-8), start=esn)
    x = np.zeros((600, 40))
    for t in range(599):
        x[t + 1] = 0.7 * x[t] + 0.3 * np.tanh(esn.W @ x[t] + esn.W_fb @ y[t])
    C, d = textbook(x[100:], y[100:], 1e-8)
    assert np.abs(x[100:] @ (fit.model.C - C).T + fit.model.d - d).max() < 1e-6
    assert np.sqrt(fit.process.R[0, 0]) < 0.01


def test_leave_one_out_equals_deleting_each_row():
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((25, 4)), rng.standard_normal((25, 2))
    path = Triangle(4, 2).add(X, Y).path()
    for ridge in (0.0, 0.3, 5.0):
        brute = 0.0
        for t in range(25):
            keep = np.arange(25) != t
            x, y = X[keep].mean(0), Y[keep].mean(0)
            # The penalty stays, the mean is that of the kept rows.
            C, d = textbook(X[keep], Y[keep], ridge)
            brute += ((Y[t] - C @ X[t] - d) ** 2).sum()
            assert x.shape == (4,) and y.shape == (2,)
        assert path.leave_one_out(np.array([ridge]), [(X, Y)])[0] == pytest.approx(brute / 50, rel=1e-9)


def test_the_path_picks_the_penalty_with_the_least_loss():
    esn, data = small(150), experiment(260)
    noisy = sysid.Data(data.y + np.random.default_rng(5).standard_normal(data.y.shape), data.u)
    grid = np.logspace(-8, 4, 13)
    for choose in ("loo", "gcv"):
        fit = sysid.fit(noisy, sysid.Readout(ridge=grid, choose=choose), start=esn)
        best = grid[np.argmin(fit.history["loss"])]
        same = sysid.fit(noisy, sysid.Readout(ridge=best), start=esn)
        assert np.abs(fit.model.C - same.model.C).max() < 1e-10
        assert 1e-8 < best < 1e4


def test_streamed_triangle_equals_one_pass_whatever_the_chunks():
    rng = np.random.default_rng(7)
    X, Y = 1e3 + rng.standard_normal((500, 6)), rng.standard_normal((500, 1))
    whole = Triangle(6, 1).add(X, Y)
    parts = Triangle(6, 1)
    for a, b in ((0, 1), (1, 4), (4, 90), (90, 500)):
        parts.add(X[a:b], Y[a:b])
    merged = Triangle(6, 1).add(X[:200], Y[:200]).merge(Triangle(6, 1).add(X[200:], Y[200:]))
    for other in (parts, merged):
        assert np.abs(other.factor.T @ other.factor - whole.factor.T @ whole.factor).max() < 1e-8
        assert np.abs(other.path().solve(1e-3)[0] - whole.path().solve(1e-3)[0]).max() < 1e-10


def test_an_ill_conditioned_design_keeps_its_digits():
    # Condition 1e10: the normal equations lose all of them.
    rng = np.random.default_rng(8)
    U, V = np.linalg.qr(rng.standard_normal((400, 8)))[0], np.linalg.qr(rng.standard_normal((8, 8)))[0]
    X = (U - U.mean(0)) * np.logspace(0, -10, 8) @ V.T
    C = V @ np.ones((8, 1))
    Y = X @ C
    solved, d = Triangle(8, 1).add(X, Y).path().solve(0.0)
    assert np.abs(X @ solved.T + d - Y).max() < 1e-14
    assert np.abs(solved.T - C).max() < 1e-4


def test_forecast_process_reports_its_uncertainty():
    fit = sysid.fit(experiment(), sysid.Readout(), start=small())
    assert fit.process.model is fit.model
    assert np.linalg.eigvalsh(fit.process.R).min() >= 0
    assert fit.process.initial.mean.shape == (20,)
    assert "ESN with 20 states" in repr(fit)


def test_bad_input_is_refused_with_the_reason():
    esn, data = small(), experiment()
    with pytest.raises(TypeError, match="start=esn"):
        sysid.fit(data, sysid.Readout(), start=None)
    with pytest.raises(ValueError, match="washout = 300"):
        sysid.fit(data, sysid.Readout(washout=300), start=esn)
    with pytest.raises(ValueError, match="expected data with 1 inputs"):
        sysid.fit(sysid.Data(data.y), sysid.Readout(), start=esn)
    with pytest.raises(ValueError, match="dt = 1"):
        sysid.fit(sysid.Data(data.y, data.u, dt=0.5), sysid.Readout(), start=esn)
    with pytest.raises(ValueError, match="ridge"):
        sysid.Readout(ridge=-1.0)
    with pytest.raises(ValueError, match="choose"):
        sysid.Readout(choose="aic")
    loud = sysid.ESN(np.eye(3) * 2.0, np.ones((3, 1)), activation="identity")
    with pytest.raises(ValueError, match="left every bound"):
        driven_states(loud, sysid.Data(np.ones((2000, 1)), np.ones((2000, 1))))
