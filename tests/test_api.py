"""The public interface: the calls users were promised, as written."""

import dataclasses

import numba
import numpy as np
import pytest

import sysid


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def linear():
    A = np.array([[0.9, 0.2, 0.0], [-0.2, 0.8, 0.1], [0.0, 0.0, 0.5]])
    B, C, D = np.array([[1.0], [0.5], [1.0]]), np.array([[1.0, 0.0, 1.0]]), np.zeros((1, 1))
    return A, B, C, D


@pytest.fixture(scope="module")
def measured(linear):
    A, B, C, D = linear
    rng = np.random.default_rng(1)
    process = sysid.Process(sysid.LTI(A, B, C, D, dt=4.0), Q=1e-4, R=1e-2, initial=sysid.Gaussian(np.zeros(3), np.eye(3)))
    u = rng.standard_normal((600, 1))
    return sysid.Data(sysid.simulate(process, u, rng=rng).y, u, dt=4.0)


def test_data(tmp_path, rng):
    y, u = rng.uniform(1, 2, (200, 1)), rng.standard_normal(200)
    data = sysid.Data(y, u, dt=4.0)
    (tmp_path / "tanks.csv").write_text("level,pump\n" + "\n".join(f"{a},{b}" for a, b in zip(y[:, 0], u)))
    read = sysid.Data.from_csv(tmp_path / "tanks.csv", outputs=["level"], inputs=["pump"], dt=4.0)
    assert np.allclose(read.y, y)
    train, test = data.split(0.5)
    assert len(train) == len(test) == 100 and len(data[100:200]) == 100 and len(data.detrend()) == 200
    mapped = data.map(np.sqrt, inverse=np.square)
    scaled, scaling = data.standardize()
    assert np.allclose(scaling.inverse_y(scaled.y), y) and np.allclose(mapped.original, y)
    assert sysid.datasets.sunspots().y.shape == (309, 1) and sysid.datasets.nile().y.shape == (100, 1)
    for made in (sysid.datasets.narma(10, 300, rng), sysid.datasets.mackey_glass(300, tau=17, dt=1.0),
                 sysid.datasets.lorenz(300, dt=0.02)):  # fmt: skip
        assert isinstance(made, sysid.Data) and len(made) == 300


def test_linear_models_and_their_analysis(linear, rng):
    A, B, C, D = linear
    model = sysid.LTI(A, B, C, D, dt=0.1)
    assert isinstance(sysid.LTI.from_undelayed(A, B, C, D), sysid.LTI) and len(model.to_undelayed()) == 4
    bilinear = sysid.Bilinear(A, B, 0.1 * np.ones((1, 3, 3)), C, D, dt=1.0)
    assert sysid.simulate(bilinear, np.ones((5, 1))).y.shape == (5, 1)
    assert model.poles().shape == (3,) and model.zeros().ndim == 1 and model.is_stable()
    assert model.dc_gain() == pytest.approx(C @ np.linalg.solve(np.eye(3) - A, B) + D)
    assert model.markov_parameters(20).shape == (20, 1, 1)
    assert model.impulse_response(50).shape == model.step_response(50).shape == (50, 1, 1)
    omega = np.linspace(0.1, 10, 7)
    H = model.frequency_response(omega)
    assert H.shape == (7, 1, 1)
    num, den = model.transfer_function()
    assert num.shape == (1, 1, 4) and den.shape == (4,)
    z = np.exp(1j * omega * 0.1)
    assert np.allclose(np.polyval(num[0, 0], z) / np.polyval(den, z), H[:, 0, 0])
    assert np.allclose(np.sort(model.transform(rng.standard_normal((3, 3))).poles()), np.sort(model.poles()))
    Wc, Wo = sysid.controllability_gramian(model), sysid.observability_gramian(model)
    assert np.allclose(A @ Wc @ A.T + B @ B.T, Wc) and np.allclose(A.T @ Wo @ A + C.T @ C, Wo)
    assert sysid.hankel_singular_values(model) == pytest.approx(np.sort(np.sqrt(np.linalg.eigvals(Wc @ Wo).real))[::-1])
    assert sysid.controllability_matrix(model).shape == (3, 3) and sysid.observability_matrix(model).shape == (3, 3)
    assert sysid.h2_norm(model) == pytest.approx(np.sqrt(np.trace(C @ Wc @ C.T + D @ D.T)))
    value, peak = sysid.hinf_norm(model)
    assert value >= np.abs(H).max() - 1e-9 and 0 <= peak <= np.pi / 0.1
    continuous = sysid.to_continuous(model)
    assert continuous.dt is None
    for method in ("zoh", "foh", "tustin", "euler"):
        assert sysid.discretize(continuous, dt=0.1, method=method).dt == 0.1
    assert np.allclose(sysid.discretize(continuous, dt=0.1, method="zoh").A, A)
    noisy = sysid.discretize(sysid.Process(continuous, Q=1.0, R=1.0), dt=0.1)
    assert isinstance(noisy, sysid.Process) and noisy.model.dt == 0.1
    red = sysid.reduce(model, n_states=2)
    assert red.model.n_states == 2 and red.error_bound >= 0
    for axes in (model.plot.bode(), model.plot.pole_zero(), model.plot.impulse()):
        assert axes is not None
    assert np.allclose(sysid.LTI.from_scipy(model.to_scipy()).A, A)
    pytest.importorskip("control")
    assert np.allclose(sysid.LTI.from_control(model.to_control()).A, A)


def test_processes_filters_and_smoothers(linear, measured):
    A, B, C, D = linear
    model = sysid.LTI(A, B, C, D, dt=4.0)
    data = measured
    for initial in (sysid.Gaussian(np.zeros(3), np.eye(3)), sysid.Stationary(), sysid.Diffuse()):
        process = sysid.Process(model, Q=1e-4, R=1e-2, initial=initial)
        f = sysid.filter(process, data)
        assert f.filtered.mean.shape == (600, 3) and f.filtered.cov.shape == (600, 3, 3)
        assert f.predicted.mean.shape == (600, 3) and f.innovations.shape == (600, 1) and np.isfinite(f.log_likelihood)
        s = sysid.smooth(process, data)
        assert s.smoothed.mean.shape == (600, 3) and s.smoothed.cov.shape == (600, 3, 3)
        assert s.cross_cov.shape == (599, 3, 3) and s.log_likelihood == pytest.approx(f.log_likelihood)
    process = dataclasses.replace(process, initial=sysid.Gaussian(np.zeros(3), np.eye(3)))
    reference = sysid.filter(process, data).log_likelihood
    for method in (sysid.UnscentedKalman(alpha=1e-3), sysid.ExtendedKalman(), sysid.Kalman(form="sqrt")):
        assert sysid.filter(process, data, method).log_likelihood == pytest.approx(reference, rel=1e-6)
    pred = sysid.forecast(process, data, horizon=20, u=np.ones((20, 1)))
    low, high = pred.interval(0.95)
    assert pred.mean.shape == (20, 1) and pred.cov.shape == (20, 1, 1) and (low < high).all()
    sim = sysid.simulate(model, measured.u, x0=None)
    assert sim.y.shape == (600, 1) and sim.x.shape == (600, 3) and sim.final.shape == (3,)
    assert sysid.predict(process, data, steps=1).shape == (600, 1)


def test_nonlinear_models():
    def f(x, u, p, t):
        return np.array([x[0] + 0.01 * x[1], x[1] - 0.01 * (p[0] * np.sin(x[0]) - u[0])])

    def g(x, u, p, t):
        return x[:1].copy()

    def rate(x, u, p, t):
        return np.array([x[1], u[0] - p[0] * np.sin(x[0])])

    for wrap in (lambda h: h, numba.njit):
        nl = sysid.Nonlinear(wrap(f), wrap(g), n_states=2, n_inputs=1, n_outputs=1, p=np.array([9.81]), dt=0.01)
        assert sysid.simulate(nl, np.zeros((5, 1)), x0=[1.0, 0.0]).y.shape == (5, 1)
        ct = sysid.Nonlinear(wrap(rate), wrap(g), n_states=2, n_inputs=1, n_outputs=1, p=np.array([9.81]), dt=None)
        for hold in ("zoh", "foh"):
            dt = sysid.discretize(ct, dt=0.01, method="rk4", hold=hold, substeps=4)
            assert sysid.simulate(dt, np.zeros((5, 1)), x0=[1.0, 0.0]).y.shape == (5, 1)


def test_identification(measured):
    train, test = measured.split(0.5)
    fit = sysid.fit(train, sysid.Subspace(n_states=3, weighting="cva"))
    for method in (sysid.PredictionError(), sysid.EM(max_iterations=20)):
        better = sysid.fit(train, method, start=fit.process)
        assert better.model.n_states == 3 and better.log_likelihood > -np.inf and better.status is not None
        assert "log_likelihood" in better.history or "loss" in better.history
    val = sysid.validate(fit.process, test)
    assert val.fit_simulation.shape == (1,) and val.fit_prediction[0] > 50
    assert val.whiteness is not None and val.cross_correlation is not None and val.plot() is not None
    for name in ("ARX", "ARMAX", "OutputError", "BoxJenkins", "ERA", "BilinearSubspace", "EDMD"):
        assert hasattr(sysid, name)


def test_reservoirs(rng):
    esn = sysid.ESN.random(n_states=60, n_inputs=1, n_feedback=0, spectral_radius=0.9, leak=0.3, input_scale=1.0,
                           bias_scale=0.0, density=1.0, topology="gaussian", rng=rng)  # fmt: skip
    assert sysid.simulate(esn, np.ones((9, 1))).x.shape == (9, 60)
    W = sysid.reservoirs.orthogonal(50, rng=rng)
    assert np.allclose(W @ W.T, np.eye(50))
    data = sysid.datasets.narma(10, 600, rng)
    train = data[:400]
    fit = sysid.fit(train, sysid.Readout(ridge=1e-6, washout=100), start=esn)
    lti = sysid.linearize(fit.model, x=np.zeros(60), u=np.zeros(1))
    assert sysid.linearize(fit.model, u=np.zeros(1)).n_states == 60
    x, u = rng.standard_normal((5, 60)), rng.standard_normal((5, 1))
    assert isinstance(sysid.linearize(fit.model, x=x, u=u), sysid.LTV)
    assert 0 < sysid.memory_capacity(lti) <= 60 + 1e-6
    small = sysid.ESN.random(n_states=8, n_inputs=1, leak=0.5, rng=rng).with_readout(rng.standard_normal((1, 8)))
    truth = sysid.Process(small, Q=1e-3, R=1e-2)
    u = rng.standard_normal((150, 1))
    record = sysid.Data(sysid.simulate(truth, u, rng=rng).y, u)
    em = sysid.ReservoirEM(estimate=("leak", "scale", "Q", "R"), max_iterations=5)
    fit = sysid.fit(record, em, start=sysid.Process(small, Q=1e-3, R=1e-2, initial=sysid.Gaussian(np.zeros(8), np.eye(8))))
    assert 0 < fit.model.leak <= 1 and fit.scale > 0 and np.allclose(fit.model.W, fit.scale * small.W)


def test_certificates(rng):
    esn = sysid.ESN.random(n_states=20, n_inputs=1, spectral_radius=0.5, leak=0.3, rng=rng)
    cert = sysid.certify(esn)
    assert cert.holds and cert.verified and cert.rate < 1 and cert.P.shape == (20, 20) and cert.overshoot >= 1
    assert cert.rate_floor <= cert.rate + 1e-9 and cert.method_floor <= cert.rate + 1e-9 and cert.method
    for method in (sysid.NormBound(), sysid.CircleCriterion(multiplier="optimal"),
                   sysid.CircleCriterion(multiplier="identity"), sysid.CircleCriterion(multiplier="balanced")):  # fmt: skip
        assert sysid.certify(esn, sysid.Contraction(), method).rate < 1.2
    safe = sysid.scale_to_certified(esn, rate=0.95)
    assert sysid.certify(safe).rate <= 0.95 + 1e-3
    assert sysid.memory_horizon(cert, input_bound=1.0, tolerance=1e-3) > 0
    assert sysid.certify(sysid.project_to_certified(sysid.ESN.random(20, 1, spectral_radius=1.5, rng=rng), rate=0.95)).holds


def test_spectral_filtering_and_learning(rng, measured):
    bank = sysid.spectral_filters(n_steps=1024, n_filters=24, kind="standard")
    assert bank.eigenvalues.shape == (24,) and bank.filters.shape == (24, 1024)
    assert (np.diff(bank.eigenvalues) < 0).all() and np.allclose(np.linalg.norm(bank.filters, axis=1), 1)
    sysid.spectral_filters(n_steps=256, n_filters=8, kind="alternating")
    fit = sysid.fit(measured, sysid.SpectralFiltering(n_filters=8, loss="output_error"))
    assert sysid.simulate(fit.model, measured.u).y.shape == (600, 1)
    symmetric = sysid.LTI.from_undelayed(np.diag([0.9, -0.5]), np.ones((2, 1)), np.ones((1, 2)))
    stu = sysid.STU.from_lti(symmetric, n_filters=24, n_steps=512)
    u = rng.standard_normal((200, 1))
    assert np.allclose(sysid.simulate(stu, u).y, sysid.simulate(symmetric, u).y, atol=1e-5)
    t = np.linspace(0, 5, 11)
    S = sysid.learning.mode_gain(t, sigma=1.0, eta=0.5, b0=np.array([0.1]), c0=np.array([0.1]), tau=1.0)
    assert S.shape == (11,) and S[0] == pytest.approx(0.01)


def test_lifts_and_mappings(rng):
    states = rng.standard_normal((200, 2)).cumsum(0) * 0.01
    u = rng.standard_normal((200, 1))
    state_data = sysid.Data(y=states, u=u)
    fit = sysid.fit(state_data, sysid.EDMD(sysid.Polynomial(degree=2), bilinear=False))
    assert isinstance(fit.model.lti, sysid.LTI) and fit.model.dictionary is not None
    assert len(fit.model.eigenvalues()) == fit.model.lti.n_states
    sysid.EDMD(sysid.RandomFourier(n_features=100, rng=rng)); sysid.DelayEmbedding(n_delays=5)
    assert hasattr(sysid, "RadialBasis")
    esn = sysid.ESN.random(n_states=4, n_inputs=1, bias_scale=0.3, rng=rng).with_readout(np.ones((1, 4)))
    x0, u0 = np.zeros(4), np.zeros(1)
    lift = sysid.lift(esn, sysid.Carleman(degree=3), x=x0, u=u0)
    assert isinstance(lift.lti, sysid.LTI)
    lure = sysid.lift(esn, sysid.RandomFeatures(n_features=50, rng=rng))
    assert len(lure.slope_range) == 2
    assert isinstance(sysid.linearize(esn, x=x0, u=u0, order="bilinear"), sysid.Bilinear)
    history = sysid.datasets.mackey_glass(500, tau=17, dt=1.0)
    auto = sysid.ESN.random(n_states=60, n_inputs=0, n_feedback=1, bias_scale=0.3, rng=rng)
    fit = sysid.fit(history, sysid.Readout(ridge=1e-6, washout=50), start=auto)
    forecast = sysid.forecast(fit.model, history, horizon=50)
    assert forecast.mean.shape == (50, 1) and np.isfinite(forecast.mean).all()


@pytest.mark.parametrize("name", [
    "DeepESN", "GatedESN", "ConvolutionalESN", "GraphESN", "ContinuousESN", "Kalman", "ExtendedKalman", "IteratedKalman",
    "UnscentedKalman", "CubatureKalman", "GaussHermiteKalman", "RTS", "BrysonFrazier", "FixedLag", "sample_posterior", "ARX",
    "ARMAX", "OutputError", "BoxJenkins", "ERA", "Subspace", "PredictionError", "EM", "BilinearSubspace", "EDMD", "Readout",
    "BayesianReadout", "StreamingReadout", "RecursiveReadout", "ReservoirEM", "ReservoirLikelihood", "SubspaceShaping",
    "ESNRegressor", "Contraction", "Stability", "Gain", "NormBound", "PerronBound", "DiagonalScaling", "CircleCriterion",
    "LMI", "VertexLMI", "project_to_certified", "STU", "ARSTU", "LRU", "SpectralFiltering", "LRUTraining", "lift", "reduce",
    "certify", "fit", "validate", "forecast", "predict", "smooth", "filter", "linearize", "discretize", "simulate",
])  # fmt: skip
def test_the_name_is_public(name):
    assert getattr(sysid, name).__doc__ and name in sysid.__all__
