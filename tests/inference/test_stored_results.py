"""Results of estimation travel: through pickle, copies and files, with their covariances, and stay read-only."""

import copy
import pickle

import numpy as np
import pytest

import sysid

RNG = np.random.default_rng(0)
PROCESS = sysid.Process(sysid.LTI([[0.9, 0.2], [-0.1, 0.7]], [[1.0], [0.5]], [[1.0, 0.3]]), 0.1, 0.2)
WALK = sysid.Process(sysid.LTI(1.0, None, 1.0), 0.1, 0.2, initial=sysid.Diffuse())
DATA = sysid.Data(np.where(np.arange(40) % 7 == 3, np.nan, RNG.standard_normal(40)), RNG.standard_normal(40))
BATCH = sysid.Data(RNG.standard_normal((3, 20, 1)), RNG.standard_normal((3, 20, 1)))
RESULTS = {
    "filter": lambda: sysid.filter(PROCESS, DATA),
    "filter on factors": lambda: sysid.filter(PROCESS, DATA, sysid.Kalman(form="sqrt")),
    "filter, diffuse": lambda: sysid.filter(WALK, sysid.Data(DATA.y)),
    "filter, batch": lambda: sysid.filter(PROCESS, BATCH),
    "filter, robust": lambda: sysid.filter(PROCESS, DATA, sysid.RobustKalman(sysid.Huber())),
    "filter, extended": lambda: sysid.filter(PROCESS, DATA, sysid.ExtendedKalman()),
    "filter, means": lambda: sysid.filter(PROCESS, DATA, store="mean"),
    "smooth": lambda: sysid.smooth(PROCESS, DATA),
    "smooth, batch": lambda: sysid.smooth(PROCESS, BATCH),
    "smooth, adjoint": lambda: sysid.smooth(PROCESS, DATA, sysid.BrysonFrazier()),
    "smooth, lag": lambda: sysid.smooth(PROCESS, DATA, sysid.FixedLag(3)),
    "smooth, robust": lambda: sysid.smooth(PROCESS, DATA, sysid.RobustSmoother(sysid.StudentT(4.0))),
    "forecast": lambda: sysid.forecast(PROCESS, DATA, 5, u=np.zeros(5)),
}


@pytest.mark.parametrize("label", RESULTS)
@pytest.mark.parametrize("way", ["pickle", "deepcopy", "file"])
def test_a_result_comes_back_whole(label, way, tmp_path):
    result = RESULTS[label]()
    back = {"pickle": lambda: pickle.loads(pickle.dumps(result)), "deepcopy": lambda: copy.deepcopy(result),
            "file": lambda: sysid.load(sysid.save(result, tmp_path / "result"))}[way]()
    assert repr(back) == repr(result)
    for laws in ("predicted", "filtered", "smoothed", "states"):
        if hasattr(result, laws):
            np.testing.assert_array_equal(getattr(back, laws).mean, getattr(result, laws).mean)
            if "means" not in label:
                np.testing.assert_array_equal(getattr(back, laws).cov, getattr(result, laws).cov)
    if hasattr(result, "cross_cov"):
        np.testing.assert_array_equal(back.cross_cov, result.cross_cov)
    if "means" in label:
        with pytest.raises(ValueError, match="store="):
            back.filtered.cov


@pytest.mark.parametrize("noun", [PROCESS.model, DATA, sysid.ESN.random(5, 1, rng=np.random.default_rng(0))])
def test_copies_of_nouns_stay_read_only(noun):
    for back in (pickle.loads(pickle.dumps(noun)), copy.deepcopy(noun)):
        arrays = [value for value in vars(back).values() if isinstance(value, np.ndarray)]
        assert arrays and not any(a.flags.writeable for a in arrays)
