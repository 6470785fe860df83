# %% [markdown]
# # Reservoirs as state-space models
# One object is an echo-state network to the reservoir user and a state-space model to the control user. Here it is designed from the memory it is to
# have, checked, trained, forecast, and asked how much it remembers.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(0)

# %% [markdown]
# ## From a memory to a reservoir
# `design` turns a half-life into poles, tiles the spectrum, whitens the input, and says what it did. The poles are exact, not a rule of thumb: W is normal
# with the eigenvalues that the leak and the slope ask for.

# %%
u = rng.standard_normal((1200, 1)) * 3 + 10
data = sysid.Data(np.zeros(1200), u)
made = sysid.reservoirs.design(80, half_life=25, leak=0.8, data=data, level=0.05, rng=rng)
print(made)
slowest = np.abs(np.linalg.eigvals(sysid.linearize(made.esn, x=np.zeros(80), u=u.mean(0)).A)).max()
assert abs(slowest - 2 ** (-1 / 25)) < 1e-6 and made.certificate.holds

# %% [markdown]
# ## What it remembers
# The linear capacity of a linear reservoir is its order, whatever its poles; sampling recovers it once chance correlations are thresholded away. The tanh
# network trades linear memory for products of past inputs.

# %%
linear = sysid.ESN(0.9 * sysid.reservoirs.orthogonal(12, rng=rng), rng.standard_normal((12, 1)), activation="identity")
exact = sysid.memory_capacity(sysid.linearize(linear, u=np.zeros(1)))
sampled = sysid.reservoirs.sampled_memory(linear, 80, n_steps=10_000, rng=rng)
print(f"exact {exact:.4f}, sampled {sampled.total:.2f}")
bent = sysid.ESN.random(30, leak=1.0, spectral_radius=0.6, bias_scale=0.5, rng=rng)
print(sysid.reservoirs.information_processing(bent, {1: 20, 2: 8, 3: 5}, n_steps=10_000, rng=rng))
assert abs(exact - 12) < 1e-6 and abs(sampled.total - 12) < 0.3

# %% [markdown]
# ## Does the linear view hold?
# One report, one sentence, one remedy.

# %%
calm = sysid.Data(np.roll(u, 1, axis=0), u)
report = sysid.reservoirs.fidelity(made.esn, calm)
print(report.verdict)
loud = sysid.ESN(made.esn.W, 200 * made.esn.W_in, 200 * made.esn.bias, made.esn.leak)
saturated = sysid.reservoirs.fidelity(loud, calm)
print(saturated.verdict, saturated.remedy)
assert report.linear_share > 0.9 and "saturate" in saturated.verdict

# %% [markdown]
# ## Training and forecasting in closed loop
# Outputs are fed back: measured while they are known, the network's own afterwards. The penalty comes from the exact leave-one-out error of the whole path.
# The series is squashed by tanh(y - 1) before, and `Data` remembers the way back.

# %%
series = sysid.datasets.mackey_glass(2600).map(lambda y: np.tanh(y - 1), lambda z: np.arctanh(z) + 1)
train, future = series.split(2000)
esn = sysid.ESN.random(300, n_inputs=0, n_feedback=1, leak=0.6, spectral_radius=0.95, bias_scale=0.3, rng=rng)
fit = sysid.fit(train, sysid.Readout(ridge=np.logspace(-10, -2, 9), washout=200), start=esn)
ahead = sysid.forecast(fit.model, train, horizon=300)
error = np.abs(train.to_original(ahead.mean) - future.original[:300])[:, 0]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
left.plot(future.y[:300], color="0.7", linewidth=4, label="series")
left.plot(ahead.mean, color="#0b6bcb", linewidth=1, label="forecast")
left.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
left.set(xlabel="steps ahead", ylabel="tanh(y - 1)")
right.loglog(fit.history["ridge"], fit.history["loss"], "o-")
right.set(xlabel="ridge", ylabel="leave-one-out error")
assert error[:84].max() < 0.02

# %% [markdown]
# ## Bands
# A Bayesian readout finds noise and penalty by evidence, and its bands know that the weights are uncertain.

# %%
v = rng.standard_normal((900, 1))
y = np.tanh(np.roll(v, 1, axis=0)) + 0.2 * rng.standard_normal((900, 1))
noisy = sysid.Data(y, v)
bayes = sysid.fit(noisy[:600], sysid.BayesianReadout(), start=sysid.ESN.random(60, leak=0.9, rng=rng))
low, high = bayes.predict(noisy[600:]).interval(0.9)
inside = ((low <= y[600:]) & (y[600:] <= high))[50:].mean()
print(f"noise {1 / np.sqrt(bayes.beta[0]):.3f} (truth .2), 90 % band holds {100 * inside:.0f} %")
assert 0.84 < inside < 0.96

# %% [markdown]
# ## A stack with several clocks
# The linearisation of a deep network is block triangular: its poles are the layers' own.

# %%
leaks = [1.0, 0.3, 0.05]
deep = sysid.DeepESN.random([30, 30, 30], leaks=leaks, rng=rng)
layers = deep.layer_poles()
fig, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for i, poles in enumerate(layers):
    ax.plot(poles.real, poles.imag, ".", label=f"layer {i + 1}, leak {leaks[i]:g}")
ax.add_patch(plt.Circle((0, 0), 1, fill=False))
ax.set(xlabel="real part", ylabel="imaginary part", title="poles of the layers", aspect="equal")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
whole = np.linalg.eigvals(sysid.linearize(deep, x=np.zeros(90), u=np.zeros(1)).A)
assert abs(np.abs(whole).max() - max(np.abs(p).max() for p in layers)) < 1e-9
plt.close("all")
