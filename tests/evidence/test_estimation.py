"""Estimation at full size: 2,000 hard problems, 200 of them against 50 digits, a million steps."""

import time

import numba
import numpy as np
import pytest

import sysid
from tests.inference.hard import audit, hard_problem, innovation_condition
from tests.inference.test_nonlinear import pendulum_process
from tests.inference.test_reliability import fifty_digits

pytestmark = pytest.mark.evidence


def test_two_thousand_hard_problems(record):
    wrong, worst, excused = [], [], []
    for seed in range(2000):
        try:
            said, gap, rounding = audit(seed)
        except Exception as error:
            said, gap, rounding = [f"seed {seed}: {type(error).__name__} {error}"], None, 0.0
        wrong += said
        if gap is not None:
            (excused if 1e-6 < gap <= rounding else worst).append((gap, seed))
    record("issue 3: hard problems of 2000 with an exception, NaN, asymmetry or a negative eigenvalue", len(wrong), bar="<= 0",
           note="; ".join(wrong[:3]))
    record("issue 3: hard problems compared between forms", len(worst) + len(excused),
           note="innovation covariances of condition below 1e10, variances within double precision")
    record("issue 3: of these, forms differ by more than 1e-6 but by less than one rounding of the input", len(excused))
    record("issue 3: of the others, forms differ by more than 1e-6", sum(g > 1e-6 for g, _ in worst), bar="<= 0",
           note=", ".join(f"seed {s}" for g, s in worst if g > 1e-6))
    record("issue 3: largest difference between forms", max(worst)[0], bar="<= 1e-6")


def test_two_hundred_against_fifty_digits(record):
    gaps, seed = [], 10000
    while len(gaps) < 200:
        process, data = hard_problem(seed, n_max=5, p_max=4, T_max=40)
        s = sysid.smooth(process, data)
        if innovation_condition(s.filter) < 1e10:
            gaps.append((fifty_digits(process, data).gap(s), seed))
        seed += 1
    record("issue 3: of 200 problems, differ from the 50-digit reference by more than 1e-6", sum(g > 1e-6 for g, _ in gaps), bar="<= 0",
           note=", ".join(f"seed {s}" for g, s in gaps if g > 1e-6))
    record("issue 3: largest difference from the 50-digit reference", max(gaps)[0], bar="<= 1e-6")


@numba.njit
def damped(x, u, p, t):
    return np.array([x[0] + 0.01 * x[1], 0.995 * x[1] - 9.81 * 0.01 * np.sin(x[0])])


@pytest.mark.parametrize("method", [sysid.ExtendedKalman(), sysid.UnscentedKalman(), sysid.UnscentedKalman(form="sqrt")],
                         ids=["extended", "unscented", "unscented on factors"])  # fmt: skip
def test_a_million_steps(record, request, method):
    """A damped pendulum, so that its law is stationary: the mean log-density of the last tenth beside that of the first."""
    name = request.node.callspec.id
    process = pendulum_process(damped)
    path = sysid.simulate(process, n_steps=1_000_000, rng=np.random.default_rng(1))
    data = sysid.Data(path.y, dt=0.01)
    started = time.process_time()
    f = sysid.filter(process, data, method, store="mean" if name == "extended" else "last")
    seconds = time.process_time() - started
    L = f.log_likelihoods
    record(f"issue 3: {name}, 1e6 steps, log-densities that are not finite", int((~np.isfinite(L)).sum()), bar="<= 0",
           note=f"{1e6 * seconds / len(L):.2g} us a step")
    record(f"issue 3: {name}, 1e6 steps, mean log-density of the last tenth less that of the first, in standard errors",
           abs(L[-100_000:].mean() - L[:100_000].mean()) / (L.std() * np.sqrt(2 / 100_000)), bar="<= 4")
    record(f"issue 3: {name}, smallest eigenvalue of the last covariance over the largest",
           float(np.divide(*np.linalg.eigvalsh(f.final.cov)[[0, -1]])), bar="> 0")


@pytest.mark.parametrize("name", ["extended", "unscented", "iterated smoother"])
@pytest.mark.parametrize(("n", "T"), [(100, 100), (500, 50)])
def test_reservoirs_with_process_noise(record, n, T, name):
    """Smoothed states against those of the reservoir run open loop from its mean start; the path has process noise; three reservoirs.

    n / 10 sensors, each with 30 times more variance from the state's noise than of its own: what they can tell is a tenth of the
    directions of the state at each step, and by the dynamics some of those before. (With R = 1e-2 that factor is .3 and the
    ratio at n = 500 was .98: no method can do more with sensors that say little.)
    """
    method = {"extended": sysid.ExtendedKalman(), "unscented": sysid.UnscentedKalman(), "iterated smoother": sysid.IteratedSmoother(max_iterations=3)}[name]
    ratios, inside, seconds = [], [], 0.0
    for seed in range(3):
        rng = np.random.default_rng([n, seed])
        esn = sysid.ESN.random(n, 1, spectral_radius=0.9, leak=0.5, input_scale=0.5, rng=rng).with_readout(rng.standard_normal((n // 10, n)) / np.sqrt(n))
        process = sysid.Process(esn, Q=1e-3, R=1e-4, initial=sysid.Gaussian(np.zeros(n), 1e-2 * np.eye(n)))
        u = rng.uniform(-1, 1, (T, 1))
        path = sysid.simulate(process, u, rng=rng)
        data = sysid.Data(path.y, u)
        sysid.smooth(process, data[:2], method)  # compile
        started = time.process_time()
        s = sysid.smooth(process, data, method)
        seconds += time.process_time() - started
        error, free = (np.sqrt(np.mean((x - path.x) ** 2)) for x in (s.smoothed.mean, sysid.simulate(esn, u, np.zeros(n)).x))
        ratios.append(error / free)
        inside.append(np.mean(np.abs(s.smoothed.mean - path.x) < 1.96 * s.smoothed.std))
    record(f"issue 3: ESN n = {n}, {name}: error of smoothed states over that of open-loop states, worst of 3 reservoirs", max(ratios), bar="< 1",
           note=f"T = {T}, {n // 10} outputs, filter and smoother {1e3 * seconds / (3 * T):.3g} ms a step; {min(ratios):.3f} the best")
    record(f"issue 3: ESN n = {n}, {name}: share of true states within the 95 % band", float(np.mean(inside)), bar="0.9 .. 0.99")


def test_structure_costs_what_it_should(record):
    """Decoupled models by the step, and the mean pass of a diagonal model along converged gains."""
    rng = np.random.default_rng(0)

    def cost(process, y, method=None):
        data, best = sysid.Data(y), np.inf
        for _ in range(4):
            started = time.process_time()
            sysid.filter(process, data, method, store="last")
            best = min(best, time.process_time() - started)
        return best

    def apart(n):
        A = np.diag(rng.uniform(0.3, 0.9, n))
        y = rng.standard_normal((1000, n))
        y[rng.random(y.shape) < 0.1] = np.nan
        process = sysid.Process(sysid.LTI(A, None, np.eye(n)), Q=0.1, R=1.0, initial=sysid.Gaussian(np.zeros(n), np.ones(n)))
        return cost(process, y) / 1000, cost(process, y[:50], sysid.Kalman("covariance")) / 50

    (small, _), (large, dense) = apart(100), apart(400)
    record("issue 3: decoupled model, time a step at n = 400 over n = 100 (n p log-linear: 4)", large / small, bar="<= 6",
           note=f"{1e6 * large:.3g} us at n = 400")
    record("issue 3: decoupled model, dense filter over filter in parts, n = 400", dense / large, bar=">= 20")
    n, T = 200, 40_000
    C, y = rng.standard_normal((2, n)), rng.standard_normal((T, 2))
    A = np.diag(rng.uniform(0.3, 0.9, n))
    full = A.copy()
    full[0, 1] = 1e-6
    times = [cost(sysid.Process(sysid.LTI(M, None, C), Q=0.1, R=1.0), y) for M in (A, full)]
    record("issue 3: filter of 4e4 steps, n = 200, p = 2, dense A over diagonal A", times[1] / times[0], bar=">= 2")
