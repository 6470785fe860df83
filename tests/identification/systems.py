"""Systems and records that the tests of identification share."""

import numpy as np

import sysid


def third_order(dt=1.0):
    """Two inputs, two outputs, poles 0.5 and 0.8 exp(+-0.6i)."""
    A = np.array([[0.8 * np.cos(0.6), 0.8 * np.sin(0.6), 0.1], [-0.8 * np.sin(0.6), 0.8 * np.cos(0.6), -0.2], [0.0, 0.0, 0.5]])
    B = np.array([[1.0, 0.2], [0.3, -0.5], [0.5, 1.0]])
    C = np.array([[1.0, 0.0, 0.5], [0.2, 1.0, -0.3]])
    return sysid.LTI(A, B, C, [[0.3, 0.0], [0.0, -0.2]], dt=dt)


def record(model, T, rng, noise=0.0, process_noise=0.0, u=None, dt=1.0):
    """A record of a model under white noise inputs, starting at rest."""
    u = rng.standard_normal((T, model.n_inputs)) if u is None else u
    Q, R = process_noise**2 * np.eye(model.n_states), noise**2 * np.eye(model.n_outputs)
    start = sysid.Gaussian(np.zeros(model.n_states), 0.0)
    path = sysid.simulate(sysid.Process(model, Q, R, initial=start), u, n_steps=None if model.n_inputs else T, rng=rng)
    return sysid.Data(path.y, u if model.n_inputs else None, dt)


def pole_distance(model, poles):
    """Largest distance between matched poles."""
    found = list(model.poles())
    worst = 0.0
    for pole in poles:
        i = int(np.argmin(np.abs(np.array(found) - pole)))
        worst = max(worst, abs(found.pop(i) - pole))
    return worst
