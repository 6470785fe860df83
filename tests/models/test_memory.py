"""Memory: capacities are exact, horizons are sufficient and the printed ones are not."""

import numpy as np
import pytest

import sysid


def linear_reservoir(W, seed=0, m=1):
    n = len(W)
    return sysid.LTI(W, np.random.default_rng(seed).standard_normal((n, m)), np.eye(n))


@pytest.mark.parametrize("make", [sysid.reservoirs.orthogonal, sysid.reservoirs.cycle])
@pytest.mark.parametrize("n", [5, 40])
def test_capacity_of_orthogonal_and_cyclic_reservoirs_is_n(make, n):
    kwargs = {} if make is sysid.reservoirs.cycle else {"rng": np.random.default_rng(1)}
    W = make(n, **kwargs)
    W = W.toarray() if hasattr(W, "toarray") else np.asarray(W)
    W = W * 0.9 / np.abs(np.linalg.eigvals(W)).max()
    assert sysid.memory_capacity(linear_reservoir(W)) == pytest.approx(n, abs=1e-8)


@pytest.mark.parametrize("a", [0.1, 0.5, 0.9, 0.99])
def test_capacity_of_a_scalar_is_one_whatever_its_pole(a):
    model = sysid.LTI([[a]], [[1.0]], [[1.0]])  # corrections #21
    assert sysid.memory_capacity(model) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(sysid.memory_spectrum(model, 30).ravel(), (1 - a * a) * a ** (2 * np.arange(30)))


def test_memory_function_is_the_squared_correlation_of_the_best_reconstruction():
    rng = np.random.default_rng(2)
    W = rng.standard_normal((4, 4))
    model = linear_reservoir(W * 0.8 / np.abs(np.linalg.eigvals(W)).max())
    u = rng.standard_normal((200_000, 1))
    x = sysid.simulate(model, u).x[100:]
    for noise in (0.0, 0.3):
        seen = x + np.sqrt(noise) * rng.standard_normal(x.shape)
        spectrum = sysid.memory_spectrum(model, 8, noise).ravel()
        for k in (1, 4, 8):
            target = u[100 - k: len(u) - k, 0]
            best = seen @ np.linalg.lstsq(seen, target, rcond=None)[0]
            assert spectrum[k - 1] == pytest.approx(1 - np.mean((target - best) ** 2) / np.mean(target**2), abs=0.01)
    long = sysid.memory_spectrum(model, 400, 0.3).sum()
    assert sysid.memory_capacity(model, 0.3) == pytest.approx(long, rel=1e-9)
    assert sysid.memory_capacity(model, 0.3) < sysid.memory_capacity(model) == pytest.approx(4)


class Certified:
    rate, overshoot = 0.5, 1.0


def test_pulse_horizon_of_a_certificate():
    assert sysid.memory_horizon(Certified, input_bound=1.0, tolerance=0.25) == 3  # corrections #8
    assert sysid.memory_horizon(Certified, 1.0, 0.25, persistent=True) == 4
    assert sysid.memory_horizon(Certified, 1.0, 2.0) == 0


def test_horizons_of_a_linear_model_are_sufficient_for_defective_A():
    model = sysid.LTI([[0.9, 1.0], [0.0, 0.9]], [[0.0], [1.0]], [[1.0, 0.0]])
    h = np.abs(model.markov_parameters(4000)).ravel()
    pulse, persistent = (sysid.memory_horizon(model, 1.0, 1e-3, persistent=p) for p in (False, True))
    assert h[pulse:].max() <= 1e-3 and h[persistent:].sum() <= 1e-3 and persistent > pulse
    assert pulse < 1.5 * np.flatnonzero(h > 1e-3)[-1]


def test_persistent_horizon_where_the_printed_one_fails():
    model = sysid.LTI([[0.99]], [[1.0]], [[1.0]])  # corrections #7: printed 461, needed 916
    horizon = sysid.memory_horizon(model, 1.0, 0.01, persistent=True)
    assert 916 <= horizon <= 918
    tail = np.abs(model.markov_parameters(6000)).ravel()
    assert tail[horizon:].sum() <= 0.01 < tail[461 + 1:].sum()


def test_half_life_and_e_folding_are_kept_apart():
    assert 0.5 ** (1 / sysid.half_life(0.9)) == pytest.approx(0.9)
    assert np.exp(-1 / sysid.e_folding_time(0.9)) == pytest.approx(0.9)
    assert sysid.rate_for_half_life(10) == pytest.approx(0.933, abs=5e-4)  # corrections #9
    assert sysid.half_life(0.5, dt=4.0) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        sysid.e_folding_time(1.0)


def test_resonances_of_known_modes():
    A = np.array([[0.9 * np.cos(0.5), 0.9 * np.sin(0.5), 0], [-0.9 * np.sin(0.5), 0.9 * np.cos(0.5), 0], [0, 0, 0.5]])
    table = sysid.resonances(sysid.LTI(A, [[1.0], [0], [1]], [[1.0, 0, 0.1]], dt=0.5))
    assert np.allclose(table.radius, [0.9, 0.5]) and np.allclose(table.frequency, [1.0, 0.0])
    assert np.allclose(table.half_life, 0.5 * np.log(2) / -np.log([0.9, 0.5]))
    assert np.allclose(table.weight[1], 0.01 / 0.75) and table.condition < 10
    assert "radius" in repr(table)


def test_refusals_of_memory():
    with pytest.raises(ValueError, match="diagonalisable"):
        sysid.resonances(sysid.LTI(np.diag(np.ones(4), -1), np.eye(5)[:, :1], np.eye(5)[4:]))
    with pytest.raises(ValueError, match="Gramian does not exist"):
        sysid.memory_capacity(sysid.LTI([[1.1]], [[1.0]], [[1.0]]))
    with pytest.raises(ValueError, match="Discretise"):
        sysid.memory_capacity(sysid.LTI([[-1.0]], [[1.0]], [[1.0]], dt=None))
    with pytest.raises(ValueError, match="noise"):
        sysid.memory_capacity(sysid.LTI([[0.5]], [[1.0]], [[1.0]]), noise=-1.0)
    with pytest.raises(TypeError, match="certificate"):
        sysid.memory_horizon(3.0)

    class Refused:
        rate, overshoot = 1.2, None

    with pytest.raises(ValueError, match="below 1"):
        sysid.memory_horizon(Refused)
