"""Bilinear subspace identification: exact in the limit, better than any linear model, a start for EM."""

import numpy as np
import pytest

import sysid


def plant():
    return sysid.Bilinear([[0.7, 0.2], [-0.2, 0.6]], [[1.0], [0.5]], [[[0.2, 0.1], [0.0, -0.2]]], [[1.0, 0.3]])


def kernels(model):
    """Volterra kernels C A^i B and C A^i N A^j B."""
    A, B, N, C = model.A, model.B[:, 0], model.N[0], model.C[0]
    power = [np.linalg.matrix_power(A, i) for i in range(8)]
    return np.array([C @ P @ B for P in power] + [C @ P @ N @ R @ B for P in power for R in power[:6]])


def data(rng, T, noise, model=None):
    u = rng.uniform(-1, 1, (T, 1))
    y = sysid.simulate(model or plant(), u).y
    return sysid.Data(3e2 * (y + noise * rng.standard_normal(y.shape)) - 7, 0.5 * u)


def test_kernels_are_recovered_and_linear_models_beaten():
    rng = np.random.default_rng(0)
    train, test = data(rng, 4000, 0.03), data(rng, 1500, 0.0)
    fit = sysid.fit(train, sysid.BilinearSubspace(2, lags=6))
    truth = kernels(plant())
    truth[:8] *= 600
    truth[8:] *= 1200
    refined = sysid.fit(train, sysid.EM(max_iterations=10), start=fit)
    assert np.linalg.norm(kernels(fit.model) - truth) < 0.08 * np.linalg.norm(truth)
    assert np.linalg.norm(kernels(refined.model) - truth) < 0.03 * np.linalg.norm(truth)
    assert not fit.model.c.any()
    bilinear = sysid.validate(fit.model, test).fit_simulation[0]
    linear = max(sysid.validate(sysid.fit(train, sysid.Subspace(n)).model, test).fit_simulation[0] for n in (1, 2, 3))
    assert bilinear > 95 > 90 > linear


def test_the_order_is_seen_and_em_raises_the_likelihood():
    rng = np.random.default_rng(1)
    train = data(rng, 2500, 0.1)
    fit = sysid.fit(train, sysid.BilinearSubspace(lags=5))
    assert fit.model.n_states == 2 and fit.singular_values[1] > 3 * fit.singular_values[2]
    better = sysid.fit(train, sysid.EM(max_iterations=5), start=fit)
    assert (np.diff(better.history["log_likelihood"]) > -1e-6).all()


@pytest.mark.parametrize("noise", [0.02, 0.2])
def test_the_criterion_finds_one_state_where_the_singular_values_drop_most_behind_two(noise):
    best = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        model = sysid.Bilinear([[rng.uniform(0.5, 0.9)]], [[1.0]], [[[rng.uniform(-0.3, 0.3)]]], [[1.0]])
        fit = sysid.fit(data(rng, 1200, noise, model), sysid.BilinearSubspace())
        best.append(int(np.nanargmin(fit.order_criterion)))
        assert np.isnan(fit.order_criterion[0]) and (best[-1] == fit.model.n_states) != any("criterion is smallest at" in note for note in fit.notes)
    assert best.count(1) >= 4
    left, right = fit.plot()
    assert right.get_ylabel() == "information criterion"
    assert sysid.fit(data(rng, 600, noise), sysid.BilinearSubspace(2)).plot().get_xlabel() == "order"


def test_what_cannot_be_done_is_refused():
    rng = np.random.default_rng(2)
    with pytest.raises(ValueError, match="data with inputs"):
        sysid.fit(sysid.Data(rng.standard_normal(100)), sysid.BilinearSubspace(1))
    with pytest.raises(ValueError, match="Lower lags"):
        sysid.fit(data(rng, 100, 0.1), sysid.BilinearSubspace(1, lags=6))
    with pytest.raises(ValueError, match="Refine with sysid.EM"):
        sysid.fit(data(rng, 100, 0.1), sysid.BilinearSubspace(1), start=plant())


def test_a_bilinear_fit_that_explains_hardly_anything_says_so():
    rng = np.random.default_rng(3)
    u = np.repeat(rng.uniform(-1, 1, (40, 1)), 30, axis=0)
    slow = sysid.LTI([[0.98, 0.05], [-0.05, 0.98]], [[0.1], [0.0]], [[0.0, 1.0]])
    fit = sysid.fit(sysid.Data(sysid.simulate(slow, u).y + 5.0 * rng.standard_normal(u.shape), u), sysid.BilinearSubspace(1))
    assert any("one step ahead the model explains" in note and "resample" in note for note in fit.notes)
    v = rng.uniform(-1, 1, (2000, 1))
    assert not sysid.fit(sysid.Data(sysid.simulate(plant(), v).y, v), sysid.BilinearSubspace(2)).notes
