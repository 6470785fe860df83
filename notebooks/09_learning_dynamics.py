# %% [markdown]
# # Learning dynamics
# How gradient descent learns a linear state-space model: closed forms against descent, and what the data, the latent size and the start change.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid
from sysid import learning

rng = np.random.default_rng(0)
teacher = sysid.LTI.from_undelayed([[0.7]], [[1.0]], [[1.5]])

# %% [markdown]
# ## One pole: closed form against descent
# The student has the fixed pole 0.8 and N latent copies of it. Two statistics of the data decide everything: sigma and eta.

# %%
G, h = learning.population_statistics([0.8], teacher)
sigma, eta = G[0, 0], h[0]
loss = learning.PopulationLoss(teacher)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
gaps = []
for n, colour in ((1, "C0"), (4, "C1"), (16, "C2")):
    b0, c0 = 0.15 * rng.normal(size=(2, n))
    run = learning.gradient_descent(loss, (0.8 * np.eye(n), b0[:, None], c0[None]), 2e-3, 1000, train="BC", every=20)
    closed = learning.mode_gain(run.times, sigma, eta, b0, c0)
    gaps.append(np.abs(run.gain[:, 0, 0] - closed).max())
    ax.plot(run.times, closed, color=colour, label=f"closed form, N = {n}")
    ax.plot(run.times, run.gain[:, 0, 0], "o", color=colour, markersize=3)
ax.set(xlabel="training time", ylabel="gain b'c")
_ = ax.legend(frameon=False)

# %% [markdown]
# ## What over-parameterisation does
# Balanced with a fixed start for each copy: a shift by log N / (2 eta). Balanced with a fixed total: nothing. Independent weights: a rate proportional to N.

# %%
t = np.linspace(0, 3, 400)
sizes = (1, 4, 16, 64)
fig, axes = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained", sharey=True)
latent = {start: learning.latent_size_curves(t, sigma, eta, sizes, start=start, s0=1e-3, rng=rng)
          for start in ("unit", "total", "independent")}
for ax, (start, curves) in zip(axes, latent.items()):
    curves.plot(ax)
    ax.set(title=f"{start} start", ylim=(-0.1, 1.1))
axes[2].set_xlim(0, 0.1)  # independent weights start anywhere, some far below zero, and are there at once

# %% [markdown]
# ## Data covariance and start
# Input power at frequencies that the pole amplifies is learnt from sooner. A small balanced start waits, then jumps; an unbalanced one relaxes exponentially.

# %%
low = sysid.LTI([[0.6]], [[1.0]], [[0.6]], [[1.0]])
high = sysid.LTI([[-0.6]], [[1.0]], [[-0.6]], [[1.0]])
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5), layout="constrained")
covariance = learning.data_covariance_curves(t, 0.7, teacher, {"white": None, "low frequencies": low, "high frequencies": high})
covariance.plot(left)
starts = learning.initialisation_curves(t, sigma, eta, {"balanced, 0.01": ([0.1], [0.1]), "balanced, 0.0001": ([0.01], [0.01]), "unbalanced": ([2.0], [0.0])})
_ = starts.plot(right)

# %% [markdown]
# ## Several poles compete
# Balanced gains follow a Lotka-Volterra system: the poles nearest to the teacher's win, the others first grow and then recede.

# %%
poles = np.array([0.9, 0.65, 0.2])
G3, h3 = learning.population_statistics(poles, teacher)
times = np.linspace(0.01, 20, 300)
gains = learning.lotka_volterra(times, G3, h3, np.full(3, 1e-3))
fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.semilogx(times, gains, label=[f"pole {a}" for a in poles])
ax.set(xlabel="training time", ylabel="gain")
_ = ax.legend(frameon=False)

# %% [markdown]
# ## The link to linear networks, and a nonlinear connection
# D one-pole models in series are a linear network of 2 D layers: a longer plateau, a sharper rise. With tanh between two stages, small signals learn
# as the linear network does and large ones do not.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5), layout="constrained")
grid = np.linspace(0.01, 6, 300)
for depth in (1, 2, 3):
    left.plot(grid, learning.series_gain(grid, 1.0, 0.9, np.full(2 * depth, 0.05 ** (1 / (2 * depth)))), label=f"{depth} in series")
left.set(xlabel="training time", ylabel="gain", xlim=(0, 6))
left.legend(frameon=False)

u = rng.normal(size=300)
target = sysid.simulate(sysid.LTI.from_undelayed([[0.5]], [[1.0]], [[1.0]]), sysid.simulate(
    sysid.LTI.from_undelayed([[0.8]], [[1.0]], [[0.9]]), u).y).y[:, 0]
weights = np.array([[0.5, 0.6], [0.55, 0.5]])
series = {}
for scale in (1.0, 0.3, 0.1):
    series[scale] = learning.train_series([0.8, 0.5], scale * u, scale * target, weights, 2e-4 / scale**2, 2000, activation="tanh")
    right.plot(2e-4 * np.arange(2001), series[scale].gain, label=f"tanh, signals x {scale}")
linear = learning.train_series([0.8, 0.5], u, target, weights, 2e-4, 2000)
right.plot(linear.times, linear.gain, "k--", label="linear")
right.set(xlabel="training time x signal power", ylabel="gain")
_ = right.legend(frameon=False)

# %% [markdown]
# What the figures show:

# %%
assert max(gaps) < 0.02
assert np.allclose(latent["unit"].rates, 2 * eta) and np.allclose(latent["total"].gains[0], latent["total"].gains[-1])
assert latent["independent"].rates[-1] > 4 * latent["independent"].rates[0]
assert covariance.times_to_fit[1] < covariance.times_to_fit[0] < covariance.times_to_fit[2]
run = learning.gradient_flow(loss, (np.diag(poles), np.full((3, 1), 1e-3**0.5), np.full((1, 3), 1e-3**0.5)), [1.0], train="BC", tolerance=1e-8)
assert np.abs(run.B[0, :, 0] * run.C[0, 0] - learning.lotka_volterra([1.0], G3, h3, np.full(3, 1e-3))[0]).max() < 1e-6
apart = {scale: np.abs(run.gain - linear.gain).max() for scale, run in series.items()}
assert apart[0.1] < 0.1 * apart[1.0]
