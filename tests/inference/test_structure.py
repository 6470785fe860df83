"""Structure that helps, and structure that does not: decoupled parts, diagonal mean passes, and the covariance that fills in."""

import numpy as np
import pytest

import sysid


def decoupled(seed, sizes, singular=False):
    """Blocks tied to no other, shuffled so that no order gives them away; offsets and inputs too."""
    rng = np.random.default_rng(seed)
    n, p = sum(k for k, _ in sizes), sum(q for _, q in sizes)
    A, C, Q, R, P = np.zeros((n, n)), np.zeros((p, n)), np.zeros((n, n)), np.zeros((p, p)), np.zeros((n, n))
    i = j = 0
    for k, q in sizes:
        s, o = slice(i, i + k), slice(j, j + q)
        A[s, s] = 0.9 * np.linalg.qr(rng.standard_normal((k, k)))[0]
        C[o, s] = rng.standard_normal((q, k))
        for M, at, size in ((Q, s, k), (R, o, q), (P, s, k)):
            root = rng.standard_normal((size, size))
            M[at, at] = root @ root.T
        if singular and k > 1:
            Q[s, s] = 0.0
        i, j = i + k, j + q
    x, y = rng.permutation(n), rng.permutation(p)
    model = sysid.LTI(A[np.ix_(x, x)], rng.standard_normal((n, 1)), C[np.ix_(y, x)], c=rng.standard_normal(n))
    return sysid.Process(model, Q[np.ix_(x, x)], R[np.ix_(y, y)], initial=sysid.Gaussian(rng.standard_normal(n), P[np.ix_(x, x)]))


SIZES = [(3, 2), (1, 1), (4, 1), (2, 5), (5, 2)]


@pytest.mark.parametrize("case", ["complete", "missing", "batch", "diffuse", "singular", "unseen state"])
def test_parts_filtered_apart_are_the_whole(case):
    process = decoupled(0, [*SIZES, (2, 0)] if case == "unseen state" else SIZES, singular=case == "singular")
    if case == "diffuse":
        process = sysid.Process(process.model, process.Q, process.R, initial=sysid.Diffuse())
    rng = np.random.default_rng(1)
    T, lead = 40, (3,) if case == "batch" else ()
    y, u = rng.standard_normal((*lead, T, process.n_outputs)), rng.standard_normal((*lead, T, 1))
    if case != "complete":
        y[rng.random(y.shape) < 0.3] = np.nan
    data = sysid.Data(y, u)
    one, two = sysid.smooth(process, data, sysid.Kalman()), sysid.smooth(process, data, sysid.Kalman("covariance"))
    if case != "diffuse":
        assert one.filter.form.endswith(" parts") and not two.filter.form.endswith("parts")
    np.testing.assert_allclose(one.log_likelihood, two.log_likelihood, rtol=1e-10)
    for a, b in ((one.filter.predicted, two.filter.predicted), (one.filter.filtered, two.filter.filtered), (one.smoothed, two.smoothed)):
        np.testing.assert_allclose(a.mean, b.mean, atol=1e-8)
        np.testing.assert_allclose(a.cov, b.cov, atol=1e-8)
    np.testing.assert_allclose(one.cross_cov, two.cross_cov, atol=1e-8)
    np.testing.assert_allclose(one.filter.y_cov, two.filter.y_cov, atol=1e-8)
    for store in ("mean", "last"):
        np.testing.assert_allclose(sysid.filter(process, data, store=store).log_likelihood, two.log_likelihood, rtol=1e-10)
    if case in ("missing", "unseen state"):
        lag = [sysid.smooth(process, data, sysid.FixedLag(3, m)).smoothed for m in (sysid.Kalman(), sysid.Kalman("covariance"))]
        np.testing.assert_allclose(lag[0].cov, lag[1].cov, atol=1e-8)
        ahead = [sysid.forecast(process, data, 3, u=np.ones((3, 1)), method=m) for m in (sysid.Kalman(), sysid.Kalman("covariance"))]
        np.testing.assert_allclose(ahead[0].cov, ahead[1].cov, atol=1e-8)


def test_a_shared_output_or_a_correlated_noise_ties_parts():
    process = decoupled(0, SIZES)
    Q = process.Q.copy()
    i, j = np.argwhere(Q == 0)[0]
    Q[i, j] = Q[j, i] = 1e-3 * np.sqrt(Q[i, i] * Q[j, j])
    data = sysid.Data(np.random.default_rng(0).standard_normal((5, process.n_outputs)), np.ones((5, 1)))
    count = int(sysid.filter(process, data).form.split(", ")[-1].split()[0])
    assert count == len(SIZES)
    tied = sysid.filter(sysid.Process(process.model, Q, process.R, initial=process.initial), data)
    assert int(tied.form.split(", ")[-1].split()[0]) == count - 1


def test_the_covariance_of_a_diagonal_model_fills_in():
    """The claim of an O(n) Kalman step for diagonal A and Q holds only where no output sees two states.

    Two uncorrelated states with A, Q, R diagonal and C = [1, 1]: after one measurement P(t|t) has the off-diagonal -p1 p2 / s,
    and a filter that keeps the diagonal alone says less than is true of one state and is wrong of their sum.
    """
    p1, p2, r = 2.0, 3.0, 0.5
    process = sysid.Process(sysid.LTI(np.diag([0.9, 0.5]), None, [[1.0, 1.0]]), Q=[0.1, 0.1], R=r,
                            initial=sysid.Gaussian(np.zeros(2), np.diag([p1, p2])))  # fmt: skip
    cov = sysid.filter(process, sysid.Data(np.zeros(30))).filtered.cov
    s = p1 + p2 + r
    assert cov[0, 0, 1] == pytest.approx(-p1 * p2 / s)
    of_sum = np.ones(2) @ cov[0] @ np.ones(2)
    assert of_sum == pytest.approx((p1 + p2) * r / s) and np.trace(cov[0]) > 4 * of_sum
    settled = cov[-1, 0, 1] / np.sqrt(cov[-1, 0, 0] * cov[-1, 1, 1])
    assert settled < -0.1  # and it stays


@pytest.mark.parametrize("diagonal", [True, False])
def test_the_mean_pass_of_a_diagonal_model_gives_the_same_numbers(diagonal):
    rng = np.random.default_rng(3)
    A = np.diag(rng.uniform(-0.9, 0.9, 6))
    if not diagonal:
        A[1, 4] = 0.3
    process = sysid.Process(sysid.LTI(A, None, rng.standard_normal((2, 6))), Q=0.1, R=0.2)
    y = rng.standard_normal((300, 2))
    f = sysid.filter(process, sysid.Data(y))
    x = f.predicted.mean[0]
    for t in range(300):
        np.testing.assert_allclose(f.predicted.mean[t], x, atol=1e-12)
        x = A @ f.filtered.mean[t]
