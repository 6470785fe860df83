"""The bars of reservoirs at full size: recipes on benchmark tasks, bounds on random states, emulation of kernels."""

import numpy as np
import pytest

import sysid
from sysid.datasets import forced_slow_manifold, slow_manifold
from tests.evidence import reservoir_tasks as tasks

pytestmark = pytest.mark.evidence


def test_mackey_glass(record):
    error, best = tasks.mackey_glass_one_step()
    record("issue 7: Mackey-Glass 17, one step, 100 units: RMSE (median of 5 seeds)", error, bar="<= 0.0006", note=str(best))
    median, rms, best = tasks.mackey_glass_84()
    record("issue 7: Mackey-Glass 17, 84 steps, 1000 units: log10 NRMSE, median of 20 starts", median, bar="<= -4.2", note=str(best))
    record("issue 7: Mackey-Glass 17, 84 steps, 1000 units: log10 NRMSE, root mean square of 20 starts", rms)


def test_narma(record):
    error, best = tasks.narma10()
    record("issue 7: NARMA10, 200 units: NRMSE (median of 5 seeds)", error, bar="<= 0.16", note=str(best))


def test_lorenz(record):
    time, best = tasks.lorenz()
    record("issue 7: Lorenz, 300 units: valid time in Lyapunov times (median of 30 starts, of 3 seeds)", time, bar=">= 9", note=str(best))


def test_santa_fe(record):
    error, best = tasks.santa_fe()
    record("issue 7: Santa Fe laser, 300 units: one-step NMSE (median of 5 seeds)", error, bar="<= 0.002", note=str(best))


def test_japanese_vowels(record):
    errors, best = tasks.japanese_vowels()
    record("issue 7: Japanese vowels: errors of 370 (median of 5 seeds)", errors, bar="<= 4", note=str(best))


def test_cascaded_tanks(record):
    error, best = tasks.cascaded_tanks()
    record("issue 7: Cascaded tanks, free run: RMSE in V (median of 5 seeds)", error, bar="<= 0.50", note=str(best))


def test_silverbox(record):
    errors, best = tasks.silverbox()
    record("issue 7: Silverbox multisine, linear model and reservoirs on its residual: RMSE in mV", errors["test_multisine"],
           bar="< 6.96", note=str(best))
    for name in ("arrow_full", "arrow_no_extrap"):
        record(f"issue 7: Silverbox {name}: RMSE in mV", errors[name])


def test_slow_manifold(record):
    runs = [slow_manifold(40, 0.1, x0=x0) for x0 in ((1.0, -1.0), (-0.7, 0.5), (0.4, 1.2))]
    model = sysid.fit(runs, sysid.EDMD(sysid.Observables(lambda x: x[:, :1] ** 2))).model
    rates = np.sort(np.log(model.eigenvalues().astype(complex)).real / 0.1)
    record("issue 7: slow manifold: error of the generator's eigenvalues", np.abs(rates - [-1.0, -0.1, -0.05]).max(), bar="<= 1e-12")
    data = forced_slow_manifold(np.random.default_rng(0).standard_normal(2000))
    squares = sysid.Observables(lambda x: x[:, :1] ** 2)
    for name, options in {"linear": {}, "bilinear": {"bilinear": True},
                          "bilinear and u^2": {"bilinear": True, "input_map": lambda v: np.hstack([v, v ** 2])}}.items():
        rms = np.sqrt(np.trace(sysid.fit(data, sysid.EDMD(squares, **options)).model.residual))
        record(f"issue 7: forced slow manifold, one-step residual, {name} lift", rms, bar="<= 1e-12" if "u^2" in name else None)


def test_linearisation_bound(record):
    rng = np.random.default_rng(1)
    esn = sysid.ESN.random(50, 2, leak=0.6, spectral_radius=1.2, bias_scale=0.3, rng=rng)
    u0 = rng.standard_normal(2)
    x0 = esn.equilibrium(u0)
    lti = sysid.linearize(esn, u=u0)
    size = rng.uniform(0, 1, (10_000, 1))
    x, u = x0 + size * rng.standard_normal((10_000, 50)), u0 + size * rng.standard_normal((10_000, 2))
    truth = 0.4 * x + 0.6 * np.tanh(x @ esn.W.T + u @ esn.W_in.T + esn.bias)
    error = np.linalg.norm(truth - x @ lti.A.T - u @ lti.B.T - lti.c, axis=1)
    ratio = error / sysid.remainder_bound(esn, x, u, x0=x0, u0=u0)
    record("issue 7: linearisation error over its bound, largest of 10,000 random deviations", ratio.max(), bar="<= 1")


def test_emulation(record):
    tau, omega = np.geomspace(2, 500, 12), np.linspace(0.1, 3.0, 12)
    upper = np.exp(-1 / tau + 1j * omega)
    rng = np.random.default_rng(2)
    rho = rng.standard_normal(12) + 1j * rng.standard_normal(12)
    poles, residues = np.concatenate([upper, upper.conj()]), np.concatenate([rho, rho.conj()])
    esn = sysid.reservoirs.modal_esn(poles, residues, leak=0.5, rng=rng)
    k = np.arange(2000)
    target = (residues[None] * poles[None] ** k[:, None]).sum(1).real
    got = sysid.linearize(esn, u=np.zeros(1)).markov_parameters(2001)[1:, 0, 0]
    record("issue 7: kernel of a diagonal model by a designed reservoir, largest error over 2000 lags", np.abs(got - target).max(), bar="<= 1e-10")


def test_carleman(record):
    rng = np.random.default_rng(3)
    esn = sysid.ESN(0.8 * sysid.reservoirs.orthogonal(3, rng=rng), bias=0.3 * rng.standard_normal(3), leak=0.6, C=np.eye(3))
    x0, radius = esn.equilibrium(np.zeros(0)), 0.35
    x = x0 + rng.uniform(-radius, radius, (20_000, 3))
    images = 0.4 * x + 0.6 * np.tanh(x @ esn.W.T + esn.bias)
    for degree in (1, 2, 3, 4, 5, 6):
        lift = sysid.lift(esn, sysid.Carleman(degree))
        residual = np.linalg.norm(lift.observe(images) - lift.observe(x) @ lift.lti.A.T - lift.lti.c, axis=1).max()
        record(f"issue 7: Carleman degree {degree}: one-step residual over its bound", residual / lift.residual_bound(radius), bar="<= 1",
               note=f"residual {residual:.3g}")
