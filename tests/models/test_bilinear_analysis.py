"""Bilinear models: Gramians satisfy their equation or say why not; Volterra kernels are what a simulation shows."""

import numpy as np
import pytest

import sysid
from sysid.linear.equations import discrete_lyapunov


def random_bilinear(strength=0.2, n=5, m=2, dt=1.0, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A *= 0.7 / np.abs(np.linalg.eigvals(A)).max()
    if dt is None:
        A = A - np.eye(n)
    return sysid.Bilinear(A, rng.standard_normal((n, m)), strength * rng.standard_normal((m, n, n)),
                          rng.standard_normal((2, n)), dt=dt)


@pytest.mark.parametrize("dt", [1.0, None])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_generalised_gramians_satisfy_their_equation(dt, share):
    model = random_bilinear(dt=dt)
    model = sysid.Bilinear(model.A, model.B, model.N * np.sqrt(share / sysid.gramian_rate(model)), model.C, dt=dt)
    assert sysid.gramian_rate(model) == pytest.approx(share, rel=1e-6)
    for W, A, N, Q in ((sysid.controllability_gramian(model), model.A, model.N, model.B @ model.B.T),
                       (sysid.observability_gramian(model), model.A.T, model.N.transpose(0, 2, 1), model.C.T @ model.C)):
        driven = np.einsum("iab,bc,idc->ad", N, W, N) + Q
        residual = A @ W @ A.T + driven - W if dt else A @ W + W @ A.T + driven
        assert np.linalg.norm(residual) < 1e-10 * np.linalg.norm(W)
        assert np.linalg.eigvalsh(W).min() > -1e-12 * np.linalg.norm(W)


def test_rate_is_the_spectral_radius_of_the_operator():
    model = random_bilinear(n=3)
    columns = [discrete_lyapunov(model.A, np.einsum("iab,bc,idc->ad", model.N, E.reshape(3, 3), model.N)).ravel()
               for E in np.eye(9)]
    columns = [(c.reshape(3, 3) + c.reshape(3, 3).T).ravel() / 2 for c in columns]
    assert sysid.gramian_rate(model) == pytest.approx(np.abs(np.linalg.eigvals(np.array(columns).T)).max(), rel=1e-6)


def test_gramian_that_does_not_exist_names_the_scaling_that_helps():
    model = random_bilinear(strength=2.0)
    with pytest.raises(ValueError, match="does not exist") as caught:
        sysid.controllability_gramian(model)
    limit = float(str(caught.value).split("with s < ")[1].split(")")[0])
    scaled = sysid.Bilinear(model.A, model.B * 0.95 * limit, model.N * 0.95 * limit, model.C)
    assert np.isfinite(sysid.controllability_gramian(scaled)).all()


def test_without_the_bilinear_term_everything_is_the_linear_result():
    model = random_bilinear(strength=0.0)
    assert np.allclose(sysid.controllability_gramian(model), sysid.controllability_gramian(model.linear), rtol=1e-13)
    assert np.allclose(sysid.hankel_singular_values(model), sysid.hankel_singular_values(model.linear), rtol=1e-6)
    assert sysid.h2_norm(model) == pytest.approx(sysid.h2_norm(model.linear))
    assert sysid.gramian_rate(model) == 0.0


def test_volterra_kernels_sum_to_the_simulation():
    model = random_bilinear(strength=0.3, n=3)
    model = sysid.Bilinear(np.triu(model.A, 1), model.B, np.triu(model.N, 1), model.C)  # nilpotent: order 3 is all
    L = 8
    h1, h2, h3 = (sysid.volterra_kernel(model, order, L) for order in (1, 2, 3))
    assert np.allclose(h1, model.linear.markov_parameters(L))
    u = np.random.default_rng(1).standard_normal((L, 2))
    want = sysid.simulate(model, u).y

    def past(t, k):
        return u[t - k] if t - k >= 0 else np.zeros(2)

    y = np.zeros_like(want)
    for t in range(L):
        for k in range(1, t + 1):
            y[t] += h1[k] @ past(t, k)
            for q in range(1, t - k + 1):
                y[t] += np.einsum("pij,i,j", h2[k, q], past(t, k), past(t, k + q))
                for r in range(1, t - k - q + 1):
                    y[t] += np.einsum("pijh,i,j,h", h3[k, q, r], past(t, k), past(t, k + q), past(t, k + q + r))
    assert np.allclose(y, want, atol=1e-12)


def test_refusals_of_bilinear_analysis():
    with pytest.raises(ValueError, match="order 1, 2 or 3"):
        sysid.volterra_kernel(random_bilinear(), 4, 3)
    with pytest.raises(ValueError, match="linear part must be stable"):
        sysid.controllability_gramian(sysid.Bilinear([[1.1]], [[1.0]], [[[0.1]]], [[1.0]]))
    with pytest.raises(ValueError, match="no horizon"):
        sysid.controllability_gramian(random_bilinear(), horizon=5)
    with pytest.raises(TypeError, match=r"model\.linear"):
        sysid.hinf_norm(random_bilinear())
