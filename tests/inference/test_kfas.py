"""Koopman's toy cases of exact diffuse starts: the closed forms of 1997, and the numbers of KFAS in tests/reference/kfas.json."""

import json
from pathlib import Path

import numpy as np
import pytest

import sysid

TABLE = json.loads((Path(__file__).parents[1] / "reference" / "kfas.json").read_text())
TREND = np.r_[10.2394, 4.2039, 6.123123, np.ones(7)]
PAIR = np.column_stack([np.r_[10.2394, np.ones(9)], np.r_[8.2304, np.ones(9)]])
# Steps of two diffuse measurements where the table's smoothed state is wrong: a prior of 1e9 gives ours, and of the factor model
# the table itself says 2.519 a step later, where the second state is the first one of the step before.
SLIPS = {"common level restricted": (0, 0), "dfm": (1, 0)}
GROWTH = np.array(TABLE["growth of GDP and consumption"])
VAR = [[0.5, 0.3], [0.2, 0.4]]


def gaps(y, *missing):
    y = y.copy()
    for rows, columns in missing:
        y[rows, columns] = np.nan
    return y


def case(name):
    """Process, measurements, and the states whose disturbances KFAS lists."""
    A, C, Q, R, y, moved = {
        "local level": ([[1.0]], [[1.0]], 8.253, 1.993, np.r_[10.2394, np.ones(9)], [0]),
        "local linear trend": ([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0]], [8.253, 2.334], 1.993, TREND, [0, 1]),
        "local linear trend missing": ([[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0]], [8.253, 2.334], 1.993,
                                       np.r_[TREND[0], np.nan, TREND[2:]], [0, 1]),
        "common level": (np.eye(2), [[1.0, 0.0], [0.1111, 1.0]], [3.2324, 0.0], 1.0, PAIR, [0]),
        "common level restricted": ([[1.0]], [[1.0], [0.1111]], 3.2324, 1.0, PAIR, [0]),
        "var1": (VAR, np.eye(2), [2.0, 3.0], 0.0, GROWTH, [0, 1]),
        "var1 measurement error": (VAR, np.eye(2), [2.0, 3.0], [4.0, 5.0], GROWTH, [0, 1]),
        "var1 missing": (VAR, np.eye(2), [2.0, 3.0], 0.0, gaps(GROWTH, (slice(0, 5), 0), (slice(8, 12), slice(None))), [0, 1]),
        "dfm": ([[0.9, 0.1], [1.0, 0.0]], [[0.5, 0.0], [1.0, 0.0]], [1.0, 0.0], [1.5, 2.0], GROWTH, [0]),
    }[name]  # fmt: skip
    return sysid.Process(sysid.LTI(A, None, C), Q, R, initial=sysid.Diffuse()), sysid.Data(y), moved


def columns(table, name, count):
    return np.array([table[f"{name}_{i + 1}"] for i in range(count)]).T


@pytest.mark.parametrize("form", ["auto", "sqrt"])
@pytest.mark.parametrize("name", [n for n in TABLE if not n.startswith("growth")])
def test_the_numbers_of_kfas(name, form):
    process, data, moved = case(name)
    table, n, p = TABLE[name], process.n_states, process.n_outputs
    s = sysid.smooth(process, data, sysid.Kalman(form))
    f = s.filter
    proper = np.isfinite(f.predicted.cov).all((1, 2))
    assert proper.sum() >= len(data.y) - 6
    np.testing.assert_allclose(f.predicted.mean[proper], columns(table, "a", n)[:-1][proper], rtol=1e-9, atol=1e-9)
    if "sumP" in table:
        np.testing.assert_allclose(f.predicted.cov.sum((1, 2))[proper], np.array(table["sumP"])[:-1][proper], rtol=1e-9)
        np.testing.assert_allclose(s.smoothed.cov.sum((1, 2)), table["sumV"], rtol=1e-9)
        drift = s.state_disturbance_cov[:, moved][:, :, moved].sum((1, 2))
        np.testing.assert_allclose(drift, table["sumVeta"][:-1], rtol=1e-9)
    alphahat = columns(table, "alphahat", n)
    if name in SLIPS:
        alphahat[SLIPS[name]] = s.smoothed.mean[SLIPS[name]]
        near = sysid.smooth(sysid.Process(process.model, process.Q, process.R, initial=sysid.Gaussian(np.zeros(n), 1e9 * np.eye(n))), data)
        assert s.smoothed.mean[SLIPS[name]] == pytest.approx(near.smoothed.mean[SLIPS[name]], abs=1e-5)
    np.testing.assert_allclose(s.smoothed.mean, alphahat, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(s.state_disturbances[:, moved], columns(table, "etahat", len(moved))[:-1], rtol=1e-8, atol=1e-9)
    seen = ~data.missing
    np.testing.assert_allclose(s.output_disturbances[seen], columns(table, "epshat", p)[seen], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(s.output_disturbance_cov, axis1=1, axis2=2)[seen], columns(table, "Veps", p)[seen], rtol=1e-8, atol=1e-9)
    assert f.log_likelihood_without_diffuse_constant == pytest.approx(table["llf"], abs=1e-9)


def test_koopmans_closed_form_of_the_trend():
    """[Koopman 1997, Sec. 4]: a_3 = (2 y2 - y1, y2 - y1), and with the second measurement missing a_4 = (1.5 y3 - .5 y1, .5 y3 - .5 y1)."""
    process, data, _ = case("local linear trend")
    f = sysid.filter(process, data)
    y1, y2, y3 = data.y[:3, 0]
    q, b, s2 = 8.253 / 1.993, 2.334 / 1.993, 1.993
    np.testing.assert_allclose(f.predicted.mean[2], [2 * y2 - y1, y2 - y1], rtol=1e-12)
    np.testing.assert_allclose(f.predicted.cov[2], s2 * np.array([[5 + 2 * q + b, 3 + q + b], [3 + q + b, 2 + q + 2 * b]]), rtol=1e-12)
    gap = sysid.filter(*case("local linear trend missing")[:2])
    np.testing.assert_allclose(gap.predicted.mean[3], [1.5 * y3 - 0.5 * y1, 0.5 * y3 - 0.5 * y1], rtol=1e-12)
    assert f.n_diffuse == gap.n_diffuse == 2
