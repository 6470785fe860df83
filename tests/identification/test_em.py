"""EM: moments against the dense joint law, monotone under every constraint, exact ties, gaps, batches, clusters, outliers."""

import dataclasses

import numpy as np
import pytest

import sysid
from sysid.identification.constraints import _expression, noise_shape
from sysid.identification.moments import expect
from tests.identification.systems import pole_distance, record, third_order


def process_of(model, q=0.1, r=0.2):
    n, p = model.n_states, model.n_outputs
    return sysid.Process(model, q * np.eye(n), r * np.eye(p), initial=sysid.Gaussian(np.zeros(n), np.eye(n)))


def dense_moments(process, data):
    """Joint conditioning of all states and all outputs, missing ones among them, on what was measured."""
    m, T, n = process.model, data.n_steps, process.n_states
    size = n * T
    mean, cov = np.zeros(size), np.zeros((size, size))
    x, P = process.initial.mean, process.initial.cov
    A = m.A if not isinstance(m, sysid.Bilinear) else None
    steps = []
    for t in range(T):
        At = A if A is not None else m.A + np.tensordot(data.inputs[t], m.N, 1)
        steps.append(At)
        mean[t * n : t * n + n] = x
        cov[t * n : t * n + n, t * n : t * n + n] = P
        x, P = At @ x + m.B @ data.inputs[t] + m.c, At @ P @ At.T + process.Q
    for t in range(T):
        carry = cov[t * n : t * n + n, t * n : t * n + n]
        for s in range(t + 1, T):
            carry = steps[s - 1] @ carry
            cov[s * n : s * n + n, t * n : t * n + n] = carry
            cov[t * n : t * n + n, s * n : s * n + n] = carry.T
    H = np.kron(np.eye(T), m.C)
    level = (data.inputs @ m.D.T + m.d).ravel()
    full_mean = np.concatenate([mean, H @ mean + level])
    full = np.block([[cov, cov @ H.T], [H @ cov, H @ cov @ H.T + np.kron(np.eye(T), process.R)]])
    seen = np.concatenate([np.zeros(size, bool), ~data.missing.ravel()])
    gain = np.linalg.solve(full[np.ix_(seen, seen)], full[seen]).T
    post_mean = full_mean + gain @ (data.y.ravel()[~data.missing.ravel()] - full_mean[seen])
    post_cov = full - gain @ full[seen]
    return post_mean, post_cov


@pytest.mark.parametrize("bilinear", [False, True])
def test_moments_are_those_of_the_dense_joint_law_with_gaps(bilinear):
    rng = np.random.default_rng(0)
    T, n, p, m = 7, 2, 3, 1
    model = sysid.LTI(0.5 * rng.standard_normal((n, n)), rng.standard_normal((n, m)), rng.standard_normal((p, n)),
                      rng.standard_normal((p, m)), c=rng.standard_normal(n), d=rng.standard_normal(p))  # fmt: skip
    if bilinear:
        model = sysid.Bilinear(model.A, model.B, 0.3 * rng.standard_normal((m, n, n)), model.C, model.D, c=model.c, d=model.d)
    root = rng.standard_normal((p, p))
    process = sysid.Process(model, 0.3 * np.eye(n), root @ root.T + 0.1 * np.eye(p), initial=sysid.Gaussian(rng.standard_normal(n), np.eye(n)))
    y = rng.standard_normal((T, p))
    y[2, 1] = y[4, 0] = y[4, 2] = np.nan
    y[5] = np.nan
    data = sysid.Data(y, rng.standard_normal((T, m)))
    got = expect(process, data).moments
    mean, cov = dense_moments(process, data)
    second = cov + np.outer(mean, mean)
    u = data.inputs

    def state(t):
        return slice(t * n, t * n + n)

    def output(t):
        return slice(T * n + t * p, T * n + t * p + p)

    xx = sum(second[state(t), state(t)] for t in range(1, T))
    assert np.allclose(got.xx, xx)
    wide = [np.concatenate([[1.0], u[t]]) if bilinear else np.ones(1) for t in range(T)]
    zz = sum(np.kron(np.outer(wide[t], wide[t]), second[state(t), state(t)]) for t in range(T - 1))
    k = zz.shape[0]
    assert np.allclose(got.zz[:k, :k], zz)
    xz = sum(np.kron(wide[t], second[state(t + 1), state(t)]) for t in range(T - 1))
    assert np.allclose(got.xz[:, :k], xz)
    assert np.allclose(got.xz[:, k:-1], sum(np.outer(mean[state(t + 1)], u[t]) for t in range(T - 1)))
    some = [t for t in range(T) if not np.isnan(y[t]).all()]
    assert got.samples == len(some) and got.transitions == T - 1
    assert np.allclose(got.yy, sum(second[output(t), output(t)] for t in some))
    assert np.allclose(got.yh[:, :n], sum(second[output(t), state(t)] for t in some))
    assert np.allclose(got.yh[:, -1], sum(mean[output(t)] for t in some))
    assert np.allclose(got.hh[:n, :n], sum(second[state(t), state(t)] for t in some))


TIED = {"A": [["a", "b", 0.1], ["-b", "a", -0.2], [0, 0, "0.3 + c"]], "D": False, "Q": ["q", "q", 0.09], "R": "diagonal"}


@pytest.mark.parametrize("options", [
    {}, {"accelerate": False}, {"structure": {"Q": "diagonal", "R": "scalar"}}, {"structure": TIED},
    {"noise": "student"}, {"prior": {"Q": (0.5, 4.0), "A": (0.0, 5.0)}}, {"fixed": ("c", "Q", "C")},
    {"structure": {"Q": [[1, 1, 0], [1, 1, 0], [0, 0, 1]]}},
])  # fmt: skip
def test_the_objective_never_falls_and_constraints_hold(options):
    rng = np.random.default_rng(1)
    model = third_order()
    data = record(model, 250, rng, noise=0.5, process_noise=0.3)
    y = data.y.copy()
    y[rng.random(y.shape) < 0.15] = np.nan
    start = process_of(dataclasses.replace(model, A=0.8 * model.A))
    fit = sysid.fit([sysid.Data(y[:80], data.u[:80]), sysid.Data(y[80:], data.u[80:])], sysid.EM(max_iterations=12, **options), start=start)
    steps = np.diff(fit.history["log_likelihood"])
    assert len(steps) and (steps > -1e-7).all()
    A, Q = fit.model.A, fit.process.Q
    structure = options.get("structure", {})
    if structure is TIED:
        assert A[0, 0] == A[1, 1] and A[0, 1] == -A[1, 0] and A[0, 2] == 0.1 and not A[2, :2].any()
        assert np.allclose(Q, np.diag([Q[0, 0], Q[0, 0], 0.09])) and fit.model.D.any() is not None
    if structure.get("R") == "scalar":
        assert np.allclose(fit.process.R, fit.process.R[0, 0] * np.eye(2))
    if options.get("fixed"):
        assert np.allclose(Q, 0.1 * np.eye(3)) and np.array_equal(fit.model.C, model.C)
    if np.ndim(structure.get("Q", "full")) == 2:
        assert not Q[2, :2].any() and Q[0, 1] != 0


def test_em_and_direct_maximisation_agree_at_the_optimum():
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    truth = sysid.LTI([[0.8]], [[1.0]], [[1.0]])
    data = record(truth, 200, rng, noise=0.6, process_noise=0.6)
    start = process_of(truth, 0.3, 0.3)
    fit = sysid.fit(data, sysid.EM(max_iterations=3000, tolerance=1e-12, fixed=("c", "C", "D", "d")), start=start)

    def negative(v):
        model = sysid.LTI([[v[0]]], [[v[1]]], [[1.0]])
        process = sysid.Process(model, np.exp(v[2]), np.exp(v[3]), initial=sysid.Gaussian([v[4]], 1.0))
        return -sysid.filter(process, data).log_likelihood

    best = minimize(negative, [0.7, 0.8, -1.0, -1.0, 0.0], method="BFGS", options={"gtol": 1e-7})
    best = minimize(negative, best.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000})
    assert abs(fit.log_likelihood + best.fun) < 1e-6
    assert np.allclose([fit.model.A[0, 0], fit.model.B[0, 0]], best.x[:2], atol=1e-4)


def test_squarem_reaches_a_higher_likelihood_in_the_same_number_of_steps():
    data = record(third_order(), 300, np.random.default_rng(3), noise=0.5, process_noise=0.3)
    start = process_of(third_order(), 1.0, 1.0)
    plain, fast = (sysid.fit(data, sysid.EM(max_iterations=40, accelerate=a), start=start).log_likelihood for a in (False, True))
    assert fast > plain


def test_a_batch_equals_a_list_and_joblib_equals_one_process():
    import joblib

    rng = np.random.default_rng(4)
    model = third_order()
    pieces = [record(model, 60, rng, noise=0.3, process_noise=0.3) for _ in range(6)]
    start = process_of(model)
    one = sysid.fit(pieces, sysid.EM(max_iterations=5), start=start)
    with joblib.parallel_config("threading"):
        many = sysid.fit(pieces, sysid.EM(max_iterations=5, n_jobs=2), start=start)
    batch = sysid.Data(np.stack([d.y for d in pieces]), np.stack([d.u for d in pieces]))
    whole = sysid.fit(batch, sysid.EM(max_iterations=5), start=start)
    assert np.allclose(one.model.A, many.model.A, atol=1e-9) and np.allclose(one.model.A, whole.model.A, atol=1e-9)
    assert one.initial_states.shape == (6, 3)
    assert not np.allclose(one.process.initial.cov, np.eye(3))  # estimated from six experiments


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_carries_the_e_step():
    distributed = pytest.importorskip("dask.distributed")
    import joblib

    rng = np.random.default_rng(5)
    pieces = [record(third_order(), 40 + 10 * k, rng, noise=0.3, process_noise=0.3) for k in range(4)]
    start = process_of(third_order())
    here = sysid.fit(pieces, sysid.EM(max_iterations=3, n_jobs=1), start=start)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster, \
            distributed.Client(cluster), joblib.parallel_config("dask"):  # fmt: skip
        there = sysid.fit(pieces, sysid.EM(max_iterations=3, n_jobs=-1), start=start)
    assert np.allclose(here.process.Q, there.process.Q, atol=1e-9)


def test_student_noise_sees_through_outliers():
    rng = np.random.default_rng(6)
    model = third_order()
    data = record(model, 500, rng, noise=0.2, process_noise=0.1)
    y = data.y.copy()
    y[::50] += 30.0
    start = process_of(model, 0.05, 0.2)
    fits = {noise: sysid.fit(sysid.Data(y, data.u), sysid.EM(noise=noise, max_iterations=30), start=start) for noise in ("gaussian", "student")}
    assert pole_distance(fits["student"].model, model.poles()) < 0.05
    assert fits["gaussian"].process.R[0, 0] > 10 > 0.1 > fits["student"].process.R[0, 0]
    weights = fits["student"].precisions[0]
    assert weights[::50].max() < 0.01 < np.median(weights)


def test_bilinear_processes_are_found_by_the_same_em():
    rng = np.random.default_rng(7)
    truth = sysid.Bilinear([[0.7]], [[1.0]], [[[0.2]]], [[1.0]])
    u = rng.uniform(-1, 1, (3000, 1))
    y = sysid.simulate(sysid.Process(truth, 0.01, 0.04, initial=sysid.Gaussian([0.0], 1.0)), u, rng=rng).y
    start = sysid.Process(sysid.Bilinear([[0.5]], [[0.8]], [[[0.0]]], [[1.0]]), 0.1, 0.1, initial=sysid.Gaussian([0.0], 1.0))
    fit = sysid.fit(sysid.Data(y, u), sysid.EM(fixed=("c", "C")), start=start)
    assert fit.converged
    assert np.allclose([fit.model.A[0, 0], fit.model.N[0, 0, 0], fit.model.B[0, 0]], [0.7, 0.2, 1.0], atol=0.02)


def noise_free_state():
    """A chain whose second state has no noise of its own, a record with a gap, and a start away from the truth."""
    rng = np.random.default_rng(3)
    A, C = np.array([[0.9, 0.2, 0.0], [0.0, 0.7, 0.1], [0.0, 0.0, 0.5]]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    truth = sysid.Process(sysid.LTI(A, np.ones((3, 1)), C), [0.1, 0.0, 0.2], [0.05, 0.1], initial=sysid.Gaussian(np.zeros(3), 1.0))
    u = rng.standard_normal((300, 1))
    y = sysid.simulate(truth, u, rng=rng).y
    y[100:110] = np.nan
    start = sysid.Process(sysid.LTI(0.8 * A, np.ones((3, 1)), C), [1.0, 0.0, 1.0], 1.0, initial=truth.initial)
    return sysid.Data(y, u), start


@pytest.mark.parametrize("structure", [{}, {"C": "fixed"}, {"C": "fixed", "Q": "diagonal"}, {"Q": ["a", 0, "b"]}], ids=str)
def test_a_state_without_process_noise_stays_so_and_the_likelihood_rises(structure):
    data, start = noise_free_state()
    fit = sysid.fit(data, sysid.EM(structure=structure, max_iterations=20), start=start)
    gains = np.diff(fit.history["log_likelihood"])
    assert len(gains) == 20 and (gains > -1e-9).all() and gains.sum() > 450
    assert not fit.process.Q[1].any() and not fit.process.Q[:, 1].any()
    assert np.array_equal(fit.model.A[1], start.model.A[1]) and np.linalg.eigvalsh(fit.process.Q)[0] > -1e-15
    assert "states [1] start without process noise" in fit.notes[0]


def test_the_likelihood_leaves_a_start_without_process_noise():
    data, start = noise_free_state()
    fit = sysid.fit(data, sysid.PredictionError(focus="likelihood", max_iterations=40), start=start)
    em = sysid.fit(data, sysid.EM(max_iterations=40), start=start)
    assert fit.log_likelihood > em.log_likelihood - 0.1 and "small variance" in fit.notes[0]


def test_a_word_holds_or_frees_a_whole_matrix():
    data, start = noise_free_state()
    held, free = (sysid.fit(data, sysid.EM(structure={"C": word, "B": "fixed"}, max_iterations=2), start=start).model for word in ("fixed", "full"))
    assert np.array_equal(held.C, start.model.C) and np.array_equal(held.B, start.model.B) and not np.allclose(free.C, start.model.C)
    with pytest.raises(ValueError, match="would make all its entries equal"):
        sysid.fit(data, sysid.EM(structure={"C": "held"}), start=start)


def test_what_cannot_be_estimated_is_refused():
    data = record(third_order(), 60, np.random.default_rng(0), noise=0.1)
    start = process_of(third_order())
    for method, says in [(sysid.EM(initial="both"), "seen once"), (sysid.EM(structure={"G": True}), "names among"),
                         (sysid.EM(structure={"Q": [[1, 1, 0], [1, 1, 1], [0, 1, 1]]}), "block-diagonal"),
                         (sysid.EM(structure={"A": [["a"]]}), r"structure of A with shape \(3, 3\)"),
                         (sysid.EM(structure={"R": "band"}), "full, diagonal")]:  # fmt: skip
        with pytest.raises(ValueError, match=says):
            sysid.fit(data, method, start=start)
    with pytest.raises(TypeError, match="Give Q and R"):
        sysid.fit(data, sysid.EM(), start=third_order())
    with pytest.raises(ValueError, match="1 \\+ a"):
        _expression("a b")
    assert _expression("1 + 2*a - 0.5 b") == (1.0, {"a": 2.0, "b": -0.5})
    assert noise_shape("scalar", np.eye(2), None, "Q").estimate(np.diag([1.0, 3.0]), 1.0)[0, 0] == 2.0
