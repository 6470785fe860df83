"""Hard random problems: no exception, no NaN, symmetric and positive semidefinite covariances, forms that agree."""

import mpmath as mp
import numpy as np
import pytest

import sysid
from tests.inference.hard import audit, gap, hard_problem, innovation_condition, yardstick
from tests.reference.exact import DIGITS, exact_smoother


@pytest.mark.parametrize("block", range(4))
def test_hard_problems(block):
    """200 seeds; scales 1e-12 to 1e12, conditions to 1e14, roots to 1.02, singular Q, R, P0, 0-100 % missing."""
    compared = 0
    for seed in range(50 * block, 50 * (block + 1)):
        wrong, worst, rounding = audit(seed)
        assert not wrong, wrong
        if worst is not None:
            compared += 1
            assert worst < max(1e-6, rounding), f"seed {seed}: forms differ by {worst:g}, one rounding of the input by {rounding:g}"
    assert compared >= 20


def test_against_fifty_digits():
    compared = 0
    for seed in range(1000, 1015):
        process, data = hard_problem(seed, n_max=4, p_max=3, T_max=25)
        s = sysid.smooth(process, data)
        if innovation_condition(s.filter) < 1e10:
            compared += 1
            assert fifty_digits(process, data).gap(s) < 1e-6, f"seed {seed}"
    assert compared >= 10


@pytest.mark.parametrize("seed", [10114, 10157, 10165, 10183])
def test_a_covariance_singular_to_rounding_is_read_as_singular(seed):
    """R is singular by construction, and outputs outnumber states: a combination of them is free of noise.

    Rounded to double precision R has -4.9e-17, -1.2e-16, 2.6e-17 and 9.5e-17 in place of its eigenvalue of zero. Taken by the
    letter the first two are no covariances, the 50-digit filter gives a state a negative variance, and no answer could be
    right; what was meant has one.
    """
    process, data = hard_problem(seed, n_max=5, p_max=4, T_max=40)
    with mp.workdps(DIGITS):
        R = process.R / np.sqrt(np.outer(np.diag(process.R), np.diag(process.R)))
        assert abs(mp.eigsy(mp.matrix(R.tolist()), eigvals_only=True)[0]) < 1e-15
    assert fifty_digits(process, data).gap(sysid.smooth(process, data)) < 1e-8


@pytest.mark.parametrize("seed", [474, 2713, 3685])
def test_errors_multiply_along_gains_long_innovations_and_the_smoother(seed):
    """474: innovations 1,238 deviations long move the mean by as many times a gain's error. 2713: what the filter lost the
    smoother divided once more, to a variance of the wrong sign. 3685: an innovation's variance and the state's both small."""
    wrong, worst, _ = audit(seed)
    assert not wrong and (worst or 0.0) < 1e-7


def test_a_deterministic_system_is_known_after_n_noise_free_outputs():
    """Four states on scales from 1 to 1e-6, no noise anywhere: each output takes one from the rank, and nothing is left of four."""
    process, data = hard_problem(11264, n_max=5, p_max=4, T_max=40)
    done = np.cumsum(~data.missing[:, 0]) >= 4
    f = sysid.filter(process, data, sysid.Kalman("sqrt"))
    assert not f.filtered.cov[done].any() and f.filtered.cov[~done].any(axis=(1, 2)).all()
    assert abs(f.log_likelihood) < 100  # what a state known to rounding left was once taken for a variance: -5e104


def test_noise_that_elimination_makes_is_not_taken_for_a_variance():
    """R of rank two whose first two outputs are nearly the same: their elimination multiplies the last bit of the third."""
    process, data = hard_problem(11801, n_max=5, p_max=4, T_max=40)
    exact = fifty_digits(process, data)
    for form in ("auto", "sqrt", "sequential"):
        assert exact.gap(sysid.smooth(process, data, sysid.Kalman(form))) < 1e-8


class fifty_digits:
    """The 50-digit answer to one problem."""

    def __init__(self, process, data):
        self.process, self.data = process, data
        self.xf, self.Pf, self.xs, self.Ps, self.log_p, self.Pp = exact_smoother(
            process.model.A, process.model.C, process.Q, process.R, data.y, process.initial.mean, process.initial.cov)

    def gap(self, s):
        """The largest difference of a double-precision smoother run from it."""
        unit = yardstick(self.Pp, self.Pf)
        return max(*gap(s.filter.filtered, self.xf, self.Pf, unit), *gap(s.smoothed, self.xs, self.Ps, unit),
                   abs(s.log_likelihood - self.log_p) / max(1.0, abs(self.log_p)))  # fmt: skip


@pytest.mark.parametrize("form", ["auto", "covariance", "sqrt", "sequential"])
def test_impossible_data_are_named_and_the_mean_is_by_pseudo_inverse(form):
    """Two noise-free sensors of one state that contradict each other at step 3."""
    model = sysid.LTI([[0.9]], None, [[1.0], [1.0]])
    process = sysid.Process(model, Q=0.5, R=0.0, initial=sysid.Gaussian([0.0], [[1.0]]))
    y = np.repeat(np.array([[1.0], [0.5], [0.2], [0.4], [0.1]]), 2, axis=1)
    possible = sysid.filter(process, sysid.Data(y), sysid.Kalman(form))
    assert np.isfinite(possible.log_likelihood)
    np.testing.assert_allclose(possible.filtered.mean[:, 0], y[:, 0], atol=1e-14)
    y[3, 1] = 0.8
    f = sysid.filter(process, sysid.Data(y), sysid.Kalman(form))
    assert f.log_likelihood == -np.inf and f.impossible.tolist() == [3]
    assert "3" in f.summary()["impossible at steps"]
    assert f.filtered.mean[3, 0] == pytest.approx(0.6)  # the pseudo-inverse takes the mean of the two
    assert not np.isnan(f.filtered.mean).any()


def test_a_redundant_noise_free_sensor_adds_nothing():
    """Density on the line y1 = y2: the pseudo-determinant of [[s, s], [s, s]] is 2 s."""
    model = sysid.LTI([[0.9]], None, [[1.0], [1.0]])
    process = sysid.Process(model, Q=0.5, R=0.0, initial=sysid.Gaussian([0.0], [[1.0]]))
    f = sysid.filter(process, sysid.Data(np.array([[1.0, 1.0]])))
    assert f.log_likelihood == pytest.approx(-0.5 * (np.log(2 * np.pi) + np.log(2.0) + 1.0))


def test_a_large_prior_costs_no_digits():
    """A prior variance of 1e16 against noise of 1: the filtered variances are those of the exact diffuse limit."""
    A = np.array([[1.0, 1.0], [0.0, 1.0]])
    model = sysid.LTI(A, None, [[1.0, 0.0]])
    data = sysid.Data(np.random.default_rng(0).standard_normal(30))
    near = sysid.smooth(sysid.Process(model, 0.1, 1.0, initial=sysid.Gaussian(np.zeros(2), 1e16 * np.eye(2))), data)
    exact = sysid.smooth(sysid.Process(model, 0.1, 1.0, initial=sysid.Diffuse()), data)
    assert near.filter.form == "square root"
    np.testing.assert_allclose(near.filter.filtered.cov[2:], exact.filter.filtered.cov[2:], rtol=1e-7)
    np.testing.assert_allclose(near.smoothed.cov, exact.smoothed.cov, rtol=1e-6)
    np.testing.assert_allclose(near.smoothed.mean, exact.smoothed.mean, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_converged_covariances_keep_the_likelihood_to_ten_digits(seed):
    """Frozen recursions against the same model given as time-varying, which never freezes; spectral radius 0.9999."""
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((3, 3)))[0] * 0.9999
    C = rng.standard_normal((1, 3))
    T = 20000
    law = sysid.Gaussian(np.zeros(3), np.eye(3))
    data = sysid.Data(rng.standard_normal(T))
    q = 10.0 ** -(2 * seed)
    frozen = sysid.filter(sysid.Process(sysid.LTI(A, None, C), q, 1.0, initial=law), data, store="last")
    never = sysid.filter(sysid.Process(sysid.LTV(np.broadcast_to(A, (T, 3, 3)), None, C), q, 1.0, initial=law), data, store="last")
    assert frozen.log_likelihood == pytest.approx(never.log_likelihood, rel=1e-10)
    assert len(np.unique(frozen.traces[0].index)) < 0.6 * T


def overflowing():
    """Models whose outputs overflow from step 1 on while every state stays finite: x = 1e100, 1e200, ...; y = x^2."""
    import numba

    f, g = numba.njit(lambda x, u, p, t: 1e100 * x), numba.njit(lambda x, u, p, t: x * x)
    esn = sysid.ESN([[1e100]], None, activation="relu", features="squares").with_readout([[0.0, 1.0]])
    return {"lti": sysid.LTI(1e100, None, 1e150), "compiled": sysid.Nonlinear(f, g, 1, 0, 1), "esn": esn,
            "batch": esn, "bilinear": sysid.Bilinear([[1e100]], np.zeros((1, 0)), np.zeros((0, 1, 1)), [[1e150]])}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", overflowing())
def test_outputs_that_leave_the_numbers_while_states_do_not_are_said(kind):
    model = overflowing()[kind]
    start = np.full((2, 1), 1e100) if kind == "batch" else [1e100]
    path = sysid.simulate(model, x0=start, n_steps=2)
    assert path.diverged == 0 and np.isfinite(path.y).all() and path.y.shape[-2] == 1 and "diverged" in repr(path)
    from_the_first = sysid.simulate(model, x0=1e100 * np.asarray(start), n_steps=1)
    assert from_the_first.diverged == 0


@pytest.mark.filterwarnings("ignore")
def test_a_batch_that_leaves_the_numbers_in_its_last_step_says_so_as_one_sequence_does():
    esn = sysid.ESN([[1e200]], np.ones((1, 1)), activation="relu")
    one, two = sysid.simulate(esn, np.zeros((2, 1)), x0=[1.0]), sysid.simulate(esn, np.zeros((2, 2, 1)), x0=[1.0])
    assert one.diverged == two.diverged == 1
    np.testing.assert_array_equal(two.final, [one.final, one.final])
