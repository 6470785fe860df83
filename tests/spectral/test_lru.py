"""LRU: the recurrence against its LTI, adjoints against finite differences, initialisation, training."""

from __future__ import annotations

import numpy as np
import pytest

import sysid
from sysid.spectral.lru_training import PARAMETRIZATIONS, _Parameters, loss_and_gradient


@pytest.fixture
def unit():
    return sysid.LRU.random(5, 2, 3, np.random.default_rng(0), r_max=0.99)


def test_the_recurrence_is_that_of_its_lti(unit):
    rng = np.random.default_rng(1)
    u, x0 = rng.normal(size=(60, 2)), rng.normal(size=10)
    ours, lti = sysid.simulate(unit, u, x0=x0), sysid.simulate(unit.to_lti(), u, x0=x0)
    assert np.allclose(ours.y, lti.y, atol=1e-13) and np.allclose(ours.x, lti.x, atol=1e-13)
    assert np.allclose(ours.final, lti.final, atol=1e-13)
    assert np.allclose(np.sort_complex(unit.to_lti().poles()),
                       np.sort_complex(np.concatenate([unit.eigenvalues, unit.eigenvalues.conj()])))


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_hand_derived_adjoints_agree_with_finite_differences(unit, parametrization):
    rng = np.random.default_rng(2)
    u, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    y[3:5, 1] = np.nan
    parameters = _Parameters(unit, parametrization, True)
    vector = parameters.pack(unit)
    if parametrization == "stable_exponential":
        vector[5] = np.log(2 * np.pi + 0.3)  # a phase beyond a full turn
    elif parametrization == "exponential":
        vector[5] += 2 * np.pi
    unit = parameters.unpack(vector)
    _, gradient = loss_and_gradient(unit, u, y)
    exact = parameters.chain(vector, unit, gradient)
    step = 1e-6

    def loss(v):
        return loss_and_gradient(parameters.unpack(v), u, y)[0]

    numeric = np.array([(loss(vector + step * e) - loss(vector - step * e)) / (2 * step) for e in np.eye(len(vector))])
    assert np.abs(numeric - exact).max() < 1e-7 * max(1.0, np.abs(exact).max())


def test_the_loss_is_the_mean_square_over_measured_entries(unit):
    rng = np.random.default_rng(3)
    u, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 3))
    y[4] = np.nan
    assert loss_and_gradient(unit, u, y)[0] == pytest.approx(np.nanmean((sysid.simulate(unit, u).y - y) ** 2))


def test_normalisation_gives_unit_state_power_and_the_ring_is_uniform_in_area():
    rng = np.random.default_rng(4)
    unit = sysid.LRU.random(4, 3, 1, rng, r_min=0.3, r_max=0.9)
    H = unit.hidden(rng.normal(size=(200_000, 3)))[1000:]
    assert np.allclose((np.abs(H) ** 2).mean(axis=0), (np.abs(unit.B) ** 2).sum(axis=1), rtol=0.05)
    many = sysid.LRU.random(20_000, 1, 1, rng, r_min=0.4, r_max=0.9)
    square = (np.abs(many.eigenvalues) ** 2 - 0.16) / (0.81 - 0.16)
    assert np.allclose(np.quantile(square, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02)


def stable_records():
    rng = np.random.default_rng(5)
    system = sysid.LTI.from_undelayed([[0.8, 0.3], [-0.3, 0.8]], rng.normal(size=(2, 1)), rng.normal(size=(1, 2)), [[0.5]])
    out = []
    for _ in range(30):
        u = rng.normal(size=(100, 1))
        out.append(sysid.Data(sysid.simulate(system, u).y, u))
    return out


def test_training_learns_a_stable_system():
    data = stable_records()
    fit = sysid.fit(data, sysid.LRUTraining(np.random.default_rng(0), n_states=8, learning_rate=1e-2, n_iterations=1500))
    losses = fit.history["loss"]
    assert len(losses) == 1500 and losses[-100:].mean() < 1e-2 * losses[:20].mean()
    assert (np.abs(fit.model.eigenvalues) < 1).all() and not fit.converged
    again = sysid.fit(data, sysid.LRUTraining(np.random.default_rng(0), n_states=8, learning_rate=1e-2, n_iterations=50))
    assert np.array_equal(again.history["loss"], losses[:50])


def test_training_continues_from_a_start_and_takes_a_schedule():
    data = stable_records()
    first = sysid.fit(data, sysid.LRUTraining(np.random.default_rng(0), n_states=6, learning_rate=1e-2, n_iterations=300))
    method = sysid.LRUTraining(np.random.default_rng(1), learning_rate=3e-3, n_iterations=300, schedule="cosine", weight_decay=1e-4)
    second = sysid.fit(data, method, start=first)
    assert second.history["loss"][-50:].mean() < first.history["loss"][:50].mean()


def test_training_ends_converged_on_a_plateau_of_the_loss():
    data = stable_records()
    options = {"n_states": 6, "learning_rate": 1e-2, "n_iterations": 4000}
    constant = sysid.fit(data, sysid.LRUTraining(np.random.default_rng(0), **options))
    plateau = sysid.fit(data, sysid.LRUTraining(np.random.default_rng(0), schedule="plateau", patience=150, **options))
    losses = plateau.history["loss"]
    assert plateau.converged and "stopped falling" in plateau.status.reason and not constant.converged
    assert 7 * 150 <= len(losses) < 4000
    np.testing.assert_array_equal(losses[:300], constant.history["loss"][:300])
    assert np.median(losses[-150:]) < 1.05 * np.median(losses[-450:-300])


def test_an_unstable_direct_parametrisation_is_stopped_and_said():
    data = stable_records()
    method = sysid.LRUTraining(np.random.default_rng(0), n_states=4, learning_rate=5.0, n_iterations=200, parametrization="direct")
    long = [sysid.Data(np.tile(d.y, (20, 1)), np.tile(d.u, (20, 1))) for d in data[:3]]
    fit = sysid.fit(long, method)
    assert "not finite" in fit.status.reason and np.isfinite(fit.history["loss"]).all()


def test_bad_input_is_named(unit):
    with pytest.raises(ValueError, match="0 <= r_min < r_max <= 1"):
        sysid.LRU.random(3, 1, 1, np.random.default_rng(0), r_min=1.0)
    with pytest.raises(TypeError, match="explicit generator"):
        sysid.LRU.random(3, 1, 1, 0)
    with pytest.raises(ValueError, match="B with shape"):
        sysid.LRU(unit.eigenvalues, unit.gamma, unit.B[:3], unit.C, unit.D)
    with pytest.raises(ValueError, match="learning_rate > 0"):
        sysid.LRUTraining(np.random.default_rng(0), learning_rate=0.0)
    with pytest.raises(ValueError, match="dt > 0; received None"):
        sysid.LRU(unit.eigenvalues, unit.gamma, unit.B, unit.C, unit.D, None)
    with pytest.raises(TypeError, match="eigenvalues as a rectangular array"):
        sysid.LRU("a", unit.gamma, unit.B, unit.C, unit.D)
    with pytest.raises(ValueError, match="2 inputs and 3 outputs as the start; received 1 and 1"):
        sysid.fit(stable_records(), sysid.LRUTraining(np.random.default_rng(0)), start=unit)
    turned = sysid.LRU([0.5], [-1.0], [[1.0]], [[1.0]], [[0.0]])
    with pytest.raises(ValueError, match="gamma > 0, whose logarithm"):
        sysid.fit(stable_records(), sysid.LRUTraining(np.random.default_rng(0)), start=turned)
    assert sysid.simulate(sysid.LRU([3.0], [1.0], [[1.0]], [[1.0]], [[0.0]]), np.ones((5000, 1))).diverged is not None
    with pytest.raises(TypeError, match="start as an LRU"):
        sysid.fit(stable_records(), sysid.LRUTraining(np.random.default_rng(0)), start=unit.to_lti())
