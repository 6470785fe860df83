# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Filtering, smoothing, forecasting
# A level that wanders, seen through noise: the Nile at Aswan, 1871 to 1970. Then gaps, a nonlinear pendulum, and the
# question whether a filter tells the truth about itself.

# %%
from dataclasses import replace

import numba
import numpy as np

import sysid

nile = sysid.datasets.nile()
level = sysid.LTI([[1.0]], None, [[1.0]])
process = sysid.Process(level, Q=1469.1, R=15099.0, initial=sysid.Diffuse())
s = sysid.smooth(process, nile)
s

# %%
_ = s.plot()

# %% [markdown]
# ## Gaps
# Forty years are hidden. The smoother bridges them, and its band widens in the middle.

# %%
y = nile.y.copy()
y[20:40] = y[60:80] = np.nan
gaps = sysid.smooth(process, replace(nile, y=y))
_ = gaps.plot()

# %% [markdown]
# ## Does the filter tell the truth?
# A measurement noise ten times too small is found out by its innovations.

# %%
honest = sysid.consistency(sysid.filter(process, nile))
sure = sysid.consistency(sysid.filter(sysid.Process(level, Q=1469.1, R=1509.9, initial=sysid.Diffuse()), nile))
honest

# %%
sure

# %% [markdown]
# ## A slip of the pen
# One year is entered as 5000. The Gaussian smoother follows it; a robust one gives it next to no weight.

# %%
y = nile.y.copy()
y[60] = 5000.0
followed = sysid.smooth(process, replace(nile, y=y))
robust = sysid.smooth(process, replace(nile, y=y), sysid.RobustSmoother(sysid.StudentT(4.0)))
robust

# %%
_ = robust.plot()

# %% [markdown]
# ## Noise with a memory
# A gauge whose error wanders: with white noise assumed, the innovations give it away; with the error's own state, nothing does.

# %%
gauge = sysid.Process(sysid.LTI([[0.9]], None, [[1.0]]), Q=0.19 * 4.0, R=0.0)
signal = sysid.Process(sysid.LTI([[0.5]], None, [[1.0]]), Q=1.0, R=0.01)
true = sysid.with_coloured_noise(signal, measurement_noise=gauge)
recorded = sysid.simulate(true, n_steps=2000, rng=np.random.default_rng(0))
white = sysid.Process(signal.model, Q=1.0, R=4.01)
taken_for_white = sysid.consistency(sysid.filter(white, sysid.Data(recorded.y)))
with_memory = sysid.consistency(sysid.filter(true, sysid.Data(recorded.y)))
taken_for_white

# %% [markdown]
# ## A pendulum
# The sine of the angle is measured, with gross noise.


# %%
@numba.njit
def f(x, u, p, t):
    return np.array([x[0] + 0.01 * x[1], x[1] - 0.01 * p[0] * np.sin(x[0])])


@numba.njit
def g(x, u, p, t):
    return np.array([np.sin(x[0])])


pendulum = sysid.Nonlinear(f, g, n_states=2, n_inputs=0, n_outputs=1, p=[9.81], dt=0.01)
swing = sysid.Process(pendulum, Q=np.diag([1e-8, 1e-4]), R=0.1, initial=sysid.Gaussian([1.6, 0.0], [0.1, 0.1]))
path = sysid.simulate(swing, n_steps=500, rng=np.random.default_rng(1))
data = sysid.Data(path.y, dt=0.01)
errors = {}
for method in (sysid.ExtendedKalman(), sysid.UnscentedKalman(), sysid.GaussHermiteKalman(3)):
    run = sysid.smooth(swing, data, method)
    errors[type(method).__name__] = [np.sqrt(np.mean((law.mean - path.x)[:, 0] ** 2)) for law in (run.filter.filtered, run.smoothed)]
errors

# %% [markdown]
# ## Forecast

# %%
ahead = sysid.forecast(process, nile, horizon=10)
_ = ahead.plot()

# %%
assert abs(s.log_likelihood + 633.4645636488787) < 1e-9
assert abs(gaps.smoothed.mean[30, 0] - 893.7919448454977) < 1e-8
middle, edge = gaps.smoothed.cov[30, 0, 0], gaps.smoothed.cov[20, 0, 0]
assert middle > edge
assert abs(followed.smoothed.mean[60, 0] - s.smoothed.mean[60, 0]) > 500 > 20 * robust.weights[60, 0]
assert abs(robust.smoothed.mean[60, 0] - s.smoothed.mean[60, 0]) < 50 and robust.status.converged
assert taken_for_white.findings != [] and with_memory.findings == []
assert honest.findings == [] and sure.findings != []
assert all(smoothed < filtered < 0.3 for filtered, smoothed in errors.values())
width = np.diff(ahead.interval(0.95), axis=0)[0, :, 0]
assert (np.diff(width) > 0).all()
