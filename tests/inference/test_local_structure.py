"""Frozen time, local observability and reachability, empirical Gramians, equivalent forms of a process."""

import numpy as np
import pytest

import sysid


def random_lti(n=4, seed=0, m=2, p=2):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    return sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)))


def test_frozen_radii_below_one_with_a_growing_product():
    A = np.array([[0.5, 2.0], [0.0, 0.5]])  # corrections #16
    ltv = sysid.LTV(np.array([A, A.T] * 30), np.ones((2, 1)), np.ones((1, 2)))
    view = sysid.frozen_time(ltv, omega=[0.1, 1.0])
    assert np.allclose(view.radius, 0.5) and view.response.shape == (60, 2, 1, 1)
    assert view.growth[-1] == pytest.approx(np.sqrt(4.49), rel=0.02)
    assert "prove nothing" in repr(view)
    assert np.allclose(view.response[1], ltv.at(1).frequency_response([0.1, 1.0]))
    with pytest.raises(TypeError, match="linearize"):
        sysid.frozen_time(random_lti())


def test_local_structure_of_a_linear_model_is_its_rank():
    model = sysid.LTI(np.diag([0.5, 0.4, 0.3]), [[1.0], [1.0], [0.0]], [[1.0, 0.0, 1.0]])
    u = np.random.default_rng(0).standard_normal((9, 1))
    found = sysid.local_structure(model, sysid.simulate(model, u).x, u)
    assert found.observed.shape == (7, 3)
    assert (found.observability_rank == sysid.observability_rank(model)).all() and found.observability_rank[0] == 2
    assert (found.controllability_rank == sysid.controllability_rank(model)).all()
    with pytest.raises(ValueError, match="horizon <= 9"):
        sysid.local_structure(model, sysid.simulate(model, u).x, u, horizon=10)


def test_local_structure_of_a_reservoir_matches_differences():
    rng = np.random.default_rng(1)
    base = sysid.ESN.random(n_states=4, n_inputs=1, rng=rng)
    esn = sysid.ESN(base.W, base.W_in, base.bias, base.leak, C=rng.standard_normal((1, 4)), d=np.zeros(1))
    u = rng.standard_normal((8, 1))
    path = sysid.simulate(esn, u)
    found = sysid.local_structure(esn, path.x, u, horizon=5)

    def outputs(x):
        return sysid.simulate(esn, u[2:7], x0=x).y.ravel()

    h = 1e-6
    J = np.array([(outputs(path.x[2] + h * e) - outputs(path.x[2] - h * e)) / (2 * h) for e in np.eye(4)]).T
    assert np.allclose(found.observed[2], np.linalg.svd(J, compute_uv=False), rtol=1e-6, atol=1e-9)


def test_empirical_gramians_of_a_linear_model_are_its_own():
    model = random_lti()
    Wc, Wo = sysid.empirical_gramians(model, 12, scale_x=0.3, scale_u=2.0)
    assert np.allclose(Wc, sysid.controllability_gramian(model, horizon=12))
    assert np.allclose(Wo, sysid.observability_gramian(model, horizon=12))
    with pytest.raises(ValueError, match="scale_x > 0"):
        sysid.empirical_gramians(model, 5, scale_x=0.0)


def test_empirical_gramians_of_a_reservoir_tend_to_the_linearisation():
    rng = np.random.default_rng(2)
    base = sysid.ESN.random(n_states=5, n_inputs=1, spectral_radius=0.7, rng=rng)
    esn = sysid.ESN(base.W, base.W_in, base.bias, base.leak, C=rng.standard_normal((2, 5)), d=np.zeros(2))
    lti = sysid.linearize(esn, x=np.zeros(5), u=[0.0])
    Wc, Wo = sysid.empirical_gramians(esn, 20, scale_x=1e-3, scale_u=1e-3)
    assert np.allclose(Wc, sysid.controllability_gramian(lti, horizon=20), rtol=1e-4, atol=1e-6)
    assert np.allclose(Wo, sysid.observability_gramian(lti, horizon=20), rtol=1e-4, atol=1e-6)


def stationary_process(seed=3):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((6, 6))
    joint = root @ root.T + 0.1 * np.eye(6)
    model = random_lti()
    return sysid.Process(model, Q=joint[:4, :4], R=joint[4:, 4:], S=joint[:4, 4:], initial=sysid.Stationary())


def test_likelihood_stays_in_other_coordinates_and_in_innovation_form():
    process, rng = stationary_process(), np.random.default_rng(4)
    u = rng.standard_normal((60, 2))
    data = sysid.Data(sysid.simulate(process, u, x0=np.zeros(4), rng=rng).y, u)
    want = sysid.filter(process, data).log_likelihood
    for other in (sysid.transform_process(process, rng.standard_normal((4, 4))), sysid.innovation_form(process)[0]):
        assert sysid.filter(other, data).log_likelihood == pytest.approx(want, rel=1e-9)
    start = sysid.Gaussian(np.ones(4), np.diag([1.0, 2, 3, 4]))
    given = sysid.Process(process.model, process.Q, process.R, process.S, start)
    moved = sysid.transform_process(given, rng.standard_normal((4, 4)))
    assert sysid.filter(moved, data).log_likelihood == pytest.approx(sysid.filter(given, data).log_likelihood, rel=1e-9)


def test_refusals_of_forms():
    process = stationary_process()
    with pytest.raises(ValueError, match="Stationary"):
        sysid.innovation_form(sysid.Process(process.model, Q=1.0, R=1.0, initial=sysid.Diffuse()))
    with pytest.raises(TypeError, match="Process of an LTI"):
        sysid.transform_process(process.model, np.eye(4))
