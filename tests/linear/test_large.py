"""Large and long: low-rank Gramians, structured kernels, convolution by FFT."""

import numpy as np
import pytest
import scipy.sparse as sp

import sysid
from sysid.linear.gramians import gramian
from sysid.linear.structured import overlap_add


def heat(k):
    e = np.ones(k)
    T = sp.diags_array([e[:-1], -2 * e, e[:-1]], offsets=[-1, 0, 1]) * (k + 1) ** 2
    eye = sp.eye_array(k)
    return sp.csc_array(sp.kron(T, eye) + sp.kron(eye, T))


def test_low_rank_gramian_of_a_heat_equation():
    A = heat(20)
    B = np.zeros((400, 1))
    B[:60] = 1
    low = sysid.low_rank_gramian(A, B, dt=None)
    X = low.Z @ low.Z.T
    assert low.converged and low.Z.shape[1] < 40
    residual = A @ X + (A @ X).T + B @ B.T
    assert np.linalg.norm(residual, 2) <= 1e-8 * np.linalg.norm(B) ** 2
    assert low.residual == pytest.approx(np.linalg.norm(residual, 2) / np.linalg.norm(B) ** 2, rel=0.1, abs=1e-12)
    assert np.linalg.norm(X - gramian(A.toarray(), B, continuous=True)) < 1e-7 * np.linalg.norm(X)


def test_low_rank_gramian_of_a_sparse_reservoir_in_discrete_time():
    rng = np.random.default_rng(0)
    A = sp.csc_array((rng.standard_normal(720), rng.integers(0, 120, (2, 720))), shape=(120, 120))
    A = A * (0.8 / np.abs(np.linalg.eigvals(A.toarray())).max())
    B = rng.standard_normal((120, 2))
    low = sysid.low_rank_gramian(A, B)
    X = gramian(A.toarray(), B)
    assert low.converged and np.linalg.norm(low.Z @ low.Z.T - X) < 1e-7 * np.linalg.norm(X)


def test_lightly_damped_modes_in_blocks_converge():
    rng = np.random.default_rng(1)
    w = np.sort(rng.uniform(1, 50, 40))
    A = sp.csc_array(sp.block_diag([sp.coo_array([[0, 1], [-v * v, -0.01 * v]]) for v in w]))
    B = rng.standard_normal((80, 1))
    low = sysid.low_rank_gramian(A, B, dt=None)
    X = gramian(A.toarray(), B, continuous=True)
    assert low.converged and np.linalg.norm(low.Z @ low.Z.T - X) < 1e-6 * np.linalg.norm(X)


def test_sparse_reduction_is_close_to_the_dense_one():
    A = heat(12)
    B, C = np.ones((144, 1)), np.eye(144)[:2]
    sparse = sysid.reduce_sparse(A, B, C, 4, dt=None)
    dense = sysid.reduce(sysid.LTI(A.toarray(), B, C, dt=None), 4)
    w = np.array([0.0, 1.0, 30.0])
    assert np.allclose(sparse.model.frequency_response(w), dense.model.frequency_response(w), rtol=1e-5)
    assert sparse.error_bound == pytest.approx(dense.error_bound, rel=1e-3)


def test_refusals_of_low_rank():
    with pytest.raises(ValueError, match="unstable"):
        sysid.low_rank_gramian(-heat(6), np.ones((36, 1)), dt=None)
    with pytest.raises(ValueError, match="square"):
        sysid.low_rank_gramian(np.ones((2, 3)), np.ones((2, 1)))
    assert not sysid.low_rank_gramian(heat(8), np.ones((64, 1)), dt=None, max_solves=1).converged


def test_structured_kernels_equal_powers():
    rng = np.random.default_rng(2)
    poles = 0.99 * np.exp(1j * rng.uniform(0, 3, 6))
    B, C = rng.standard_normal((6, 2)), rng.standard_normal((3, 6))
    P, Q = 0.05 * rng.standard_normal((6, 2)), 0.05 * rng.standard_normal((6, 2))
    for h, A in ((sysid.diagonal_kernel(poles, B, C, 300), np.diag(poles)),
                 (sysid.low_rank_kernel(poles, P, Q, B, C, 300), np.diag(poles) + P @ Q.T)):
        assert h.shape == (300, 3, 2)
        for k in (0, 1, 17, 299):
            assert np.allclose(h[k], C @ np.linalg.matrix_power(A, k) @ B, atol=1e-11)


def test_overlap_add_is_the_convolution():
    rng = np.random.default_rng(3)
    h, u = rng.standard_normal((37, 2, 3)), rng.standard_normal((5000, 3))
    want = sum(np.convolve(u[:, j], h[:, 1, j]) for j in range(3))
    assert np.allclose(overlap_add(h, u)[:, 1], want, atol=1e-10)
