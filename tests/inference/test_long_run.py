"""Long runs equal the recursion, wherever they are cut."""

import numpy as np
import pytest

import sysid


def reservoir(n=12, m=2, p=2, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    return sysid.LTI(A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m)),
                     c=rng.standard_normal(n), d=rng.standard_normal(p))


@pytest.mark.parametrize("method", ["blocked", "fft"])
@pytest.mark.parametrize("T", [1, 7, 3001])
def test_outputs_and_final_state_equal_simulate(method, T):
    model, rng = reservoir(), np.random.default_rng(1)
    u, x0 = rng.standard_normal((T, 2)), rng.standard_normal(12)
    want, run = sysid.simulate(model, u, x0=x0), sysid.simulate_outputs(model, u, x0, method=method)
    assert np.allclose(run.y, want.y, atol=1e-10) and np.allclose(run.final, want.final, atol=1e-10)


@pytest.mark.parametrize("method", ["blocked", "fft"])
def test_chunks_carry_the_state(method):
    model, rng = reservoir(), np.random.default_rng(2)
    u = rng.standard_normal((2000, 2))
    whole = sysid.simulate_outputs(model, u, method=method)
    x, parts = None, []
    for piece in np.split(u, [33, 900, 901]):
        run = sysid.simulate_outputs(model, piece, x, method=method)
        parts.append(run.y)
        x = run.final
    assert np.allclose(np.vstack(parts), whole.y, atol=1e-10) and np.allclose(x, whole.final, atol=1e-10)


def test_blocks_of_any_size_and_unstable_models():
    model, u = reservoir(4), np.random.default_rng(3).standard_normal((100, 2))
    for block in (1, 3, 64, 500):
        assert np.allclose(sysid.simulate_outputs(model, u, block=block).y, sysid.simulate(model, u).y, atol=1e-10)
    growing = sysid.LTI([[1.01]], [[1.0]], [[1.0]])
    assert np.allclose(sysid.simulate_outputs(growing, u[:, :1]).y, sysid.simulate(growing, u[:, :1]).y)
    with pytest.raises(ValueError, match="spectral radius"):
        sysid.simulate_outputs(growing, u[:, :1], method="fft")
    with pytest.raises(ValueError, match="Discretise"):
        sysid.simulate_outputs(sysid.LTI([[-1.0]], [[1.0]], [[1.0]], dt=None), u[:, :1])
