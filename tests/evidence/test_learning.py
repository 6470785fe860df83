"""Learning dynamics: closed forms against an ODE solver, gradients, and the over-parameterisation table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import sysid
from sysid import learning

pytestmark = pytest.mark.evidence


def flow(times, sigma, eta, b0, c0):
    n = len(b0)
    z = solve_ivp(lambda t, z: np.concatenate([z[n:], z[:n]]) * (eta - sigma * z[:n] @ z[n:]), (0, times[-1]), np.concatenate([b0, c0]),
                  t_eval=times, method="DOP853", rtol=1e-12, atol=1e-14).y
    return z[:n].T, z[n:].T


def test_closed_forms(record):
    rng = np.random.default_rng(0)
    t = np.linspace(0, 5, 50)
    for n in (1, 2, 8, 64):
        gain = weights = kept = 0.0
        for _ in range(10):
            sigma, eta = rng.uniform(0.3, 2), rng.normal()
            b0, c0 = rng.normal(size=(2, n)) / np.sqrt(n)
            b, c = flow(t, sigma, eta, b0, c0)
            closed_b, closed_c = learning.mode_parameters(t, sigma, eta, b0, c0)
            gain = max(gain, np.abs(learning.mode_gain(t, sigma, eta, b0, c0) - (b * c).sum(axis=1)).max())
            weights = max(weights, np.abs(closed_b - b).max(), np.abs(closed_c - c).max())
            kept = max(kept, np.abs(learning.conserved_quantity(closed_b[-1], closed_c[-1]) - learning.conserved_quantity(b0, c0)).max())
        record(f"issue 9: closed-form gain against the ODE, N = {n}, 10 starts", gain, bar="<= 1e-8")
        record(f"issue 9: closed-form weights against the ODE, N = {n}", weights, bar="<= 1e-8")
        record(f"issue 9: b b' - c c' conserved, N = {n}", kept, bar="<= 1e-10")


def test_flow_of_the_population_loss(record):
    teacher = sysid.LTI.from_undelayed([[0.7]], [[1.0]], [[1.5]])
    G, h = learning.population_statistics([0.8], teacher)
    rng = np.random.default_rng(1)
    b0, c0 = 0.3 * rng.normal(size=(2, 4))
    start = (0.8 * np.eye(4), b0[:, None], c0[None])
    times = np.linspace(0, 3, 20)
    run = learning.gradient_flow(learning.PopulationLoss(teacher), start, times, train="BC")
    record("issue 9: gradient flow through Gramians against the closed form", np.abs(run.gain[:, 0, 0] - learning.mode_gain(times, G[0, 0], h[0], b0, c0)).max(), bar="<= 1e-8")
    poles = np.array([0.9, 0.5, -0.3])
    G, h = learning.population_statistics(poles, teacher)
    s0 = np.array([0.1, 0.2, 0.05])
    gains = learning.lotka_volterra(times[1:], G, h, s0**2)
    run = learning.gradient_flow(learning.PopulationLoss(teacher), (np.diag(poles), s0[:, None], s0[None]), times[1:], train="BC")
    record("issue 9: Lotka-Volterra against gradient flow of three poles", np.abs(run.B[:, :, 0] * run.C[:, 0] - gains).max(), bar="<= 1e-8")


def test_over_parameterisation(record):
    """The shift of 0.194 a factor four in the notes is ln 4 / (2 eta), so eta = 3.57."""
    eta = np.log(4) / (2 * 0.194)
    unit = [learning.mode_time(0.99 * eta / 2, 2.0, eta, np.full(n, 1e-3), np.full(n, 1e-3)) for n in (1, 4, 16, 64, 256, 1024)]
    record("issue 9: balanced, fixed per unit: time saved by each factor 4 over ln 4 / (2 eta), largest deviation",
           float(np.abs(-np.diff(unit) / (np.log(4) / (2 * eta)) - 1).max()), bar="<= 0.01")
    total = [learning.mode_time(0.9 * eta / 2, 2.0, eta, np.full(n, 0.1 / np.sqrt(n)), np.full(n, 0.1 / np.sqrt(n))) for n in (1, 16, 1024)]
    record("issue 9: balanced, fixed in total: spread of times over N", float(np.ptp(total)), bar="<= 1e-12")
    rng = np.random.default_rng(0)
    for n in (4, 64, 256):  # the notes give 1.048, 1.010, 1.000 without their sigma, eta and kind of average
        ratios = [2 * n / learning.mode_rate(1.0, 0.5, *rng.normal(size=(2, n))) for _ in range(4000)]
        record(f"issue 9: independent weights, 2 N sigma / lambda tends to 1, N = {n}, median", float(np.median(ratios)),
               bar=None if n == 4 else "0.95 .. 1.05")
    rates = [np.median([learning.mode_rate(1.0, 0.5, *(rng.normal(size=(2, n)) / np.sqrt(n))) for _ in range(500)]) for n in (64, 256, 1024)]
    record("issue 9: variance 1/N: rate at N = 1024 over that at 64", float(rates[-1] / rates[0]), bar="<= 1.05")


def test_one_layer_of_depth_two_is_a_linear_network(record):
    times = np.array([0.5, 1.0, 2.0, 4.0])
    record("issue 9: two scalar layers against one pole", np.abs(learning.series_gain(times, 1.0, 0.5, [0.2, 0.3]) - learning.mode_gain(times, 1.0, 0.5, 0.2, 0.3)).max(), bar="<= 1e-8")
    for layers in (4, 6):
        time = learning.series_time(0.4, 1.0, 0.5, 0.05, layers)
        record(f"issue 9: {layers} layers in series, quadrature against the flow", abs(learning.series_gain([time], 1.0, 0.5, np.full(layers, 0.05 ** (1 / layers)))[0] - 0.4), bar="<= 1e-8")
