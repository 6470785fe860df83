"""The verb fit: what it refuses, what it passes on, and what an interruption leaves."""

from dataclasses import dataclass

import numpy as np
import pytest

import sysid
from sysid.identification.progress import Progress


@dataclass(frozen=True)
class Mean:
    """The simplest method: a static model of the mean."""

    def fit(self, data, start):
        level = np.nanmean(np.concatenate([d.y for d in data]), 0)
        return sysid.Fit(model=sysid.LTI(np.zeros((0, 0)), None, np.zeros((len(level), 0)), d=level), initial_states=start)


def test_a_method_is_any_object_with_a_fit():
    batch = sysid.Data(np.ones((3, 5, 2)))
    fit = sysid.fit([batch, sysid.Data(np.zeros((15, 2)))], Mean())
    assert np.allclose(fit.model.d, 0.5)
    assert fit.converged and fit.process is None and "closed form" in fit.status.reason
    assert "LTI" in repr(fit) and "<table" in fit._repr_html_()


def test_an_earlier_fit_starts_from_its_process_or_else_its_model():
    data = sysid.Data(np.ones((5, 1)))
    first = sysid.fit(data, Mean())
    assert sysid.fit(data, Mean(), start=first).initial_states is first.model


@pytest.mark.parametrize("data, says", [
    (sysid.Data(np.ones((1, 3))), "transpose"),
    (sysid.Data(np.column_stack([np.ones(9), np.full(9, np.nan)])), "y2 is NaN throughout"),
    ([sysid.Data(np.ones((9, 2))), sysid.Data(np.ones((9, 1)))], "experiment 1"),
    ([], "at least one"),
])  # fmt: skip
def test_data_that_cannot_be_fitted_are_refused(data, says):
    with pytest.raises(ValueError, match=says):
        sysid.fit(data, Mean())


def test_a_class_or_a_string_is_not_a_method():
    data = sysid.Data(np.ones(9))
    with pytest.raises(TypeError, match=r"Mean\(\)"):
        sysid.fit(data, Mean)
    with pytest.raises(TypeError, match="received str"):
        sysid.fit(data, "subspace")
    with pytest.raises(TypeError, match=r"sysid\.Data"):
        sysid.fit(np.ones(9), Mean())


def test_an_interrupted_iteration_keeps_its_best_and_says_so():
    best = 0
    with Progress("counting", 10) as progress:
        for i in progress:
            if i == 4:
                raise KeyboardInterrupt
            best = i
            progress.show(loss=float(i))
    assert best == 3
    assert not progress.interrupted.converged and "interrupted by the user in iteration 4" in progress.interrupted.reason


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError), Progress("counting", 10) as progress:
        for _ in progress:
            raise ZeroDivisionError


def test_more_channels_than_samples_is_said_to_be_a_transpose():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2, 500))
    with pytest.warns(UserWarning, match=r"500 outputs and only 2 samples.*sysid.Data\(y.T, u.T\)"), pytest.raises(ValueError):
        sysid.fit(sysid.Data(y, rng.standard_normal((2, 1))), sysid.Subspace(2))
    with pytest.warns(UserWarning, match="500 inputs and only 3 samples"):
        sysid.excitation(sysid.Data(np.ones((3, 1)), rng.standard_normal((3, 500))))
