"""The mean pass: spans of one gain, stacked or written out for two states, are the steps one by one."""

import numpy as np
import pytest

from sysid.kernels.means import linear_means


@pytest.mark.parametrize("driven", [False, True], ids=["constant offsets", "driven by inputs"])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (2, 2), (3, 1), (4, 2), (9, 3)])
def test_spans_of_one_gain_equal_the_steps_one_by_one(n, p, driven):
    rng, T, gap = np.random.default_rng([n, p]), 80, slice(30, 55)
    A, C = rng.standard_normal((n, n)), rng.standard_normal((p, n))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    y = rng.standard_normal((2, T, p))
    y[:, gap] = np.nan
    K, W = np.zeros((2, n, p)), np.zeros((2, p, p))
    K[0], W[0] = 0.1 * rng.standard_normal((n, p)), np.tril(rng.standard_normal((p, p)))
    index = np.zeros((1, T), np.int64)
    index[:, gap] = 1
    bx, by = (rng.standard_normal((1, T if driven else 1, k)) for k in (n, p))
    start = rng.standard_normal((2, n))

    def run(steps, kept):
        out = [np.empty((2, kept, k)) for k in (n, n, p)] + [np.empty((2, T)), np.empty((2, n))]
        linear_means(np.repeat(np.ascontiguousarray(A.T)[None], steps, 0), C[None], bx, by, K, W, np.array([-1.0, 0.0]),
                     np.array([p, p]), index, y, start, *out)  # fmt: skip
        return out

    one_by_one = run(T, T)  # a model given step by step has no spans
    for spans, steps in zip(run(1, T), one_by_one):
        np.testing.assert_allclose(spans, steps, rtol=1e-11, atol=1e-11)
    *_, log_density, final = run(1, 1)
    np.testing.assert_allclose(log_density, one_by_one[3], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(final, one_by_one[4], rtol=1e-11, atol=1e-11)
