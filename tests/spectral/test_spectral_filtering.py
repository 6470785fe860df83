"""Fitting by spectral filtering: recovery, output-error against one-step loss, streaming, missing outputs, choice of K."""

from __future__ import annotations

import numpy as np
import pytest

import sysid
from sysid.spectral.spectral_filtering import SpectralStatistics


def records(count, seed=0, noise=0.0, n_steps=256, poles=None, n=6):
    rng = np.random.default_rng(seed)
    poles = 0.9999 * rng.choice([-1.0, 1.0], n) if poles is None else poles
    n = len(poles)
    system = sysid.LTI.from_undelayed(np.diag(poles), rng.normal(size=(n, 2)), rng.normal(size=(2, n)), np.diag(rng.normal(size=2)))
    out = []
    for _ in range(count):
        u = rng.normal(size=(n_steps, 2))
        y = sysid.simulate(system, u).y
        out.append(sysid.Data(y + noise * y.std() * rng.normal(size=y.shape), u))
    return out


def free_run_nmse(model, data):
    residual = sum(((sysid.simulate(model, d.u).y - d.y) ** 2).sum() for d in data)
    return residual / sum((d.y**2).sum() for d in data)


@pytest.fixture(scope="module")
def clean():
    data = records(24)
    return data[:18], data[18:]


def test_free_run_error_falls_with_filters(clean):
    train, test = clean
    errors = [free_run_nmse(sysid.fit(train, sysid.SpectralFiltering(n_filters=K)).model, test) for K in (4, 8, 16, 24)]
    assert errors[0] < 1e-2 and errors[1] < 1e-4 and errors[2] < 1e-9 and errors[3] < 1e-14


def test_the_alternating_form_with_twice_the_filters_is_as_accurate(clean):
    train, test = clean
    standard = free_run_nmse(sysid.fit(train, sysid.SpectralFiltering(n_filters=12)).model, test)
    alternating = free_run_nmse(sysid.fit(train, sysid.SpectralFiltering(n_filters=24, form="alternating")).model, test)
    assert alternating < 5 * standard


def test_the_positive_form_fits_positive_poles():
    data = records(24, poles=np.array([0.9999, 0.99, 0.9, 0.3]))
    fit = sysid.fit(data[:18], sysid.SpectralFiltering(n_filters=20, form="positive"))
    assert fit.model.feedback.shape == (1, 2, 2) and free_run_nmse(fit.model, data[18:]) < 1e-11


def test_output_error_beats_one_step_tenfold_at_ten_percent_noise():
    data, clean_data = records(40, noise=0.1), records(40)
    method = sysid.SpectralFiltering(n_filters=12)
    one_step = free_run_nmse(sysid.fit(data[:30], method).model, clean_data[30:])
    output_error = free_run_nmse(
        sysid.fit(data[:30], sysid.SpectralFiltering(n_filters=12, loss="output_error")).model, clean_data[30:])
    assert output_error < one_step / 5


def test_both_losses_are_the_sums_of_squares_they_claim(clean):
    data = records(3, noise=0.1, n_steps=120)
    total = sum(d.n_steps for d in data)
    fit = sysid.fit(data, sysid.SpectralFiltering(n_filters=5))
    one_step = sum(((fit.model.predict(d) - d.y) ** 2).sum(axis=0) for d in data) / total
    assert np.allclose(fit.history["loss"], one_step, rtol=1e-8)
    fit = sysid.fit(data, sysid.SpectralFiltering(n_filters=5, loss="output_error"))
    free = sum(((sysid.simulate(fit.model, d.u).y - d.y) ** 2).sum(axis=0) for d in data) / total
    assert np.allclose(fit.history["loss"], free, rtol=1e-8)


def test_streaming_statistics_give_the_same_model(clean):
    train, _ = clean
    method = sysid.SpectralFiltering(n_filters=8)
    statistics = SpectralStatistics(method, 2, 2, 256)
    for d in train:
        statistics.update(d)
    whole = sysid.fit(train, method).model
    assert np.allclose(statistics.fit().model.plus, whole.plus, atol=1e-8)
    assert statistics.squares.factor.shape[0] <= statistics.layout.n_columns + 2


def test_a_batch_is_its_sequences(clean):
    train, _ = clean
    batch = sysid.Data(np.stack([d.y for d in train]), np.stack([d.u for d in train]))
    method = sysid.SpectralFiltering(n_filters=6)
    assert np.allclose(sysid.fit(batch, method).model.taps, sysid.fit(train, method).model.taps)


@pytest.mark.parametrize("loss", ["one_step", "output_error"])
def test_missing_outputs_are_left_out(clean, loss):
    train, test = clean
    rng = np.random.default_rng(0)
    gaps = []
    for d in train:
        y = d.y.copy()
        y[rng.random(len(y)) < 0.1] = np.nan
        gaps.append(sysid.Data(y, d.u))
    fit = sysid.fit(gaps, sysid.SpectralFiltering(n_filters=16, loss=loss))
    assert free_run_nmse(fit.model, test) < 1e-8
    assert "left out for missing outputs" in fit.notes[0]


@pytest.mark.parametrize("loss", ["one_step", "output_error"])
def test_a_free_initial_output_is_not_a_burden(clean, loss):
    train, test = clean
    offset = [sysid.Data(d.y + np.array([3.0, -2.0]), d.u) for d in train]
    free = sysid.fit(offset, sysid.SpectralFiltering(n_filters=16, loss=loss, initial="free"))
    assert free_run_nmse(free.model, test) < 1e-8


def test_ridge_is_the_minimiser_it_claims(clean):
    train, _ = clean
    method = sysid.SpectralFiltering(n_filters=4, ridge=7.0)
    statistics = SpectralStatistics(method, 2, 2, 256)
    for d in train:
        statistics.update(d)
    theta, _ = statistics.solve(4)

    def objective(theta):
        return statistics.squares.loss(theta).sum() + 7.0 * (theta**2).sum()

    rng = np.random.default_rng(0)
    best = objective(theta)
    for _ in range(20):
        assert objective(theta + 1e-3 * rng.normal(size=theta.shape)) > best


def test_the_number_of_filters_is_chosen_on_held_out_data():
    data, clean_data = records(20, noise=0.05), records(20)
    fit = sysid.fit(data, sysid.SpectralFiltering(n_filters=None, loss="output_error", candidates=(1, 2, 8, 12)))
    assert fit.n_filters in (8, 12) and fit.validation[fit.n_filters] == min(fit.validation.values())
    refit = sysid.fit(data, sysid.SpectralFiltering(n_filters=fit.n_filters, loss="output_error"))
    assert np.isclose(free_run_nmse(fit.model, clean_data), free_run_nmse(refit.model, clean_data), rtol=1e-3)


@pytest.mark.parametrize("loss", ["one_step", "output_error"])
@pytest.mark.parametrize("count", [1, 5])
def test_after_the_choice_the_model_is_that_of_all_data(loss, count):
    """Also of one record, whose held-out end does not begin at rest."""
    data = records(count, noise=0.05, n_steps=200)
    y = data[0].y.copy()
    y[[20, 190]] = np.nan
    data[0] = sysid.Data(y, data[0].u)
    chosen = sysid.fit(data, sysid.SpectralFiltering(n_filters=None, loss=loss, candidates=(2, 4)))
    given = sysid.fit(data, sysid.SpectralFiltering(n_filters=chosen.n_filters, loss=loss))
    assert np.allclose(chosen.history["loss"], given.history["loss"], rtol=1e-9) and chosen.notes == given.notes
    assert np.allclose(chosen.model.taps, given.model.taps, rtol=1e-6, atol=1e-7)
    assert np.allclose(chosen.model.plus, given.model.plus, rtol=1e-6, atol=1e-6)


def test_what_is_held_out_of_one_record_is_predicted_from_its_whole_past():
    data = records(1, poles=np.array([0.999, -0.9]))[0]
    fit = sysid.fit(data, sysid.SpectralFiltering(n_filters=None, candidates=(16,)))
    assert fit.validation[16] < 1e-10 * float((data.y**2).mean())


def test_a_learnt_autoregression_gives_an_ar_stu(clean):
    train, test = clean
    fit = sysid.fit(train, sysid.SpectralFiltering(n_filters=8, autoregression=2, n_taps=4))
    assert isinstance(fit.model, sysid.ARSTU) and fit.model.taps.shape[0] == 4
    assert free_run_nmse(fit.model, test) < free_run_nmse(sysid.fit(train, sysid.SpectralFiltering(n_filters=8)).model, test)


def test_bad_input_is_named(clean):
    train, _ = clean
    with pytest.raises(ValueError, match="linear only while the fed-back weight is fixed"):
        sysid.SpectralFiltering(loss="output_error", autoregression=2)
    with pytest.raises(ValueError, match="longer than the lag of 2 steps"):
        sysid.fit(sysid.Data([1.0, 2.0], [1.0, 2.0]), sysid.SpectralFiltering(n_filters=1))
    with pytest.raises(ValueError, match="n_filters <= n_steps"):
        sysid.fit(train, sysid.SpectralFiltering(n_filters=30, n_steps=20))
    with pytest.raises(ValueError, match="act on inputs"):
        sysid.fit(sysid.Data(np.ones(30)), sysid.SpectralFiltering())
    for candidates in (5, ()):
        with pytest.raises(TypeError, match="candidates as numbers of filters"):
            sysid.SpectralFiltering(n_filters=None, candidates=candidates)
    with pytest.raises(ValueError, match="one_step, output_error"):
        sysid.SpectralFiltering(loss="both")
    with pytest.raises(ValueError, match="ridge >= 0"):
        sysid.SpectralFiltering(ridge=-1.0)


def test_a_level_of_the_outputs_is_noted_because_a_spectral_filter_has_no_offset(clean):
    data = clean[0]
    spread = max(float(d.y.std()) for d in data)
    raised = [sysid.Data(d.y + 3 * spread, d.u) for d in data]
    said = [sysid.fit(records_, sysid.SpectralFiltering(n_filters=4)).notes for records_ in (data, raised, [d.detrend(0) for d in raised])]
    assert [any("has no offset" in note for note in notes) for notes in said] == [False, True, False]
