"""The demonstration end to end, with a small reservoir."""

import re

import numpy as np
import pytest

import sysid
from sysid.report import demo, study


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo.run(folder, n_states=25)


def test_it_writes_one_page_and_one_model(written):
    folder, said = written
    assert sorted(p.name for p in folder.iterdir()) == ["index.html", "sunspots.npz"]
    text = (folder / "index.html").read_text()
    assert text.count("<figure>") == 9 and not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "contraction certified" in said and "AR(9)" in said


def test_the_saved_fit_forecasts_as_printed_on_the_page(written):
    fit = sysid.load(written[0] / "sunspots.npz")
    series = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
    low, high = sysid.forecast(fit.process, series, horizon=20).interval(0.95)
    assert low.shape == (20, 1) and (low >= 0).all() and (high > low).all()


def test_the_autoregression_is_that_of_statsmodels():
    from statsmodels.tsa.ar_model import AutoReg

    y = np.sqrt(sysid.datasets.sunspots().y[:, 0])
    split = study.FIRST_UNSEEN - 1700
    peer = AutoReg(y[:split], lags=9).fit()
    median, low, high = study.autoregression(y, 9, split)
    weights = peer.params
    expected = [weights[0] + weights[1:] @ y[t - 9:t][::-1] for t in range(split, len(y))]
    np.testing.assert_allclose(median, np.square(expected), rtol=1e-8)
    assert ((low < median) & (median < high)).all()
