"""Whatever the record, a method fits or refuses in one sentence; no warning of the arithmetic, no NaN."""

import warnings

import numpy as np
import pytest

import sysid
from tests.identification.hard import outcome
from tests.identification.systems import record, third_order


@pytest.mark.parametrize("block", range(4))
def test_hard_records_are_fitted_or_refused(block):
    found = [outcome(seed, T_max=300) for seed in range(15 * block, 15 * block + 15)]
    assert "fitted" in found


def repeated_output(T=200):
    data = record(third_order(), T, np.random.default_rng(3), noise=0.1)
    return sysid.Data(np.column_stack([data.y, 2 * data.y[:, 0]]), data.u)


@pytest.mark.parametrize("focus", ["prediction", "simulation"])
def test_an_output_that_repeats_another_has_no_likelihood_and_is_named_as_the_slip(focus):
    with pytest.raises(ValueError, match="one output repeat others"):
        sysid.fit(repeated_output(), sysid.PredictionError(focus=focus, n_states=3))


def test_more_states_than_the_windows_have_directions_are_refused_with_the_number():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(60)
    with pytest.raises(ValueError, match="n_states at most 3, the number of independent directions"):
        sysid.fit(sysid.Data(np.column_stack([y, y])), sysid.Subspace(4, "cva", horizon=3))


def test_a_plant_with_integrators_is_fitted_across_gaps():
    rng = np.random.default_rng(1)
    u = rng.standard_normal((400, 1))
    rate = sysid.simulate(sysid.LTI([[0.7]], [[1.0]], [[1.0]]), u).y
    y = np.cumsum(rate, axis=0) + 0.01 * rng.standard_normal((400, 1))
    whole = sysid.fit(sysid.Data(y, u), sysid.Subspace(2, integrators=1)).model
    y[rng.random(400) < 0.05] = np.nan
    model = sysid.fit(sysid.Data(y, u), sysid.Subspace(2, integrators=1)).model
    np.testing.assert_allclose(np.sort(model.poles().real), np.sort(whole.poles().real), atol=0.02)
    assert abs(model.poles()).max() == pytest.approx(1.0, abs=1e-9)


def test_a_simulation_fit_without_a_start_begins_at_a_stable_model():
    """Twenty-five samples, of which the plain subspace estimate is unstable."""
    plant = sysid.LTI([[0.98]], [[1.0]], [[1.0]])
    for seed in range(200):
        data = record(plant, 25, np.random.default_rng(seed), noise=3.0, process_noise=1.0)
        if not sysid.fit(data, sysid.Subspace(2)).model.is_stable():
            break
    else:
        raise AssertionError("no record whose subspace estimate is unstable")
    fit = sysid.fit(data, sysid.PredictionError("simulation", n_states=2))
    assert fit.model.is_stable() and np.isfinite(fit.log_likelihood)


def test_innovations_noise_stays_semidefinite_where_outputs_repeat():
    from sysid.linear.covariances import innovations_noise
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-12, 1e9):
        K = 1e6 * rng.standard_normal((3, 2)) @ np.array([[1.0, 0.0], [-1.0, 0.0]])
        Q, R, S = innovations_noise(K, scale * np.ones((2, 2)))
        sysid.Process(sysid.LTI(0.5 * np.eye(3), None, np.ones((2, 3))), Q, R, S, sysid.Gaussian(np.zeros(3), 1.0))


def test_states_that_never_move_leave_a_bayesian_readout_at_its_mean():
    rng = np.random.default_rng(0)
    esn = sysid.ESN.random(n_states=5, n_inputs=0, rng=rng)
    y = 2.0 + rng.standard_normal((80, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = sysid.fit(sysid.Data(y), sysid.BayesianReadout(washout=0), start=esn)
    np.testing.assert_allclose(fit.model.d, y.mean(), rtol=1e-6)
    assert not fit.model.C.any() and np.isfinite(fit.log_likelihood)
