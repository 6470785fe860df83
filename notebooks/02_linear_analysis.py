# %% [markdown]
# # Linear analysis of a reservoir and of an identified model
# A fitted echo state network is linearised at its equilibrium and read as an `LTI` model: poles, Gramians, transfer function,
# memory, Bode diagram. The same calls then serve a model identified from a record. Offsets keep the models in original
# units; everything below is about the deviations.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(0)

# %% [markdown]
# ## A reservoir that learned a resonant system
# The plant is continuous: a lightly damped mode and a slow lag, sampled at dt = 0.2 with a held input.

# %%
plant = sysid.LTI([[0, 1, 0], [-1, -0.15, 0], [0, 0, -0.3]], [[0], [1], [1]], [[1, 0, 0.5]], dt=None)
truth = sysid.discretize(plant, dt=0.2)
u = 0.3 * rng.standard_normal((4000, 1))
y = sysid.simulate(truth, u).y + 0.01 * rng.standard_normal((4000, 1))
data = sysid.Data(y, u, dt=0.2)

esn = sysid.ESN.random(n_states=100, n_inputs=1, spectral_radius=0.98, leak=0.3, input_scale=0.3, dt=0.2, rng=rng)
esn = sysid.fit(data, sysid.Readout(ridge=1e-6, washout=200), start=esn).model
lti = sysid.linearize(esn, u=[0.0])
lti

# %% [markdown]
# The reservoir has 100 states; the input-output map needs far fewer. The Hankel singular values say how many, and balanced
# truncation gives a small model with a bound on its error at every frequency.

# %%
reduced = sysid.reduce(lti, n_states=8)
reduced

# %%
ax = reduced.plot()
_ = ax.set_title("Hankel singular values of the linearised reservoir")

# %% [markdown]
# Bode diagrams of the true plant, the 100-state reservoir and the 8-state reduction, drawn into the same axes.

# %%
omega = np.geomspace(0.05, 0.98 * np.pi / 0.2, 300)
axes = truth.plot.bode(omega, label="plant")
lti.plot.bode(omega, ax=axes, label="reservoir")
_ = reduced.model.plot.bode(omega, ax=axes, label="reduced")

# %% [markdown]
# ## Gramians and norms
# The controllability Gramian says where white input drives the state, the observability Gramian what the output sees of it.
# Truncating after T steps is safe only when T is tested on the tail itself; `gramian_horizon` does that.

# %%
W = sysid.controllability_gramian(lti)
horizon = sysid.gramian_horizon(lti, tolerance=1e-6)
truncated = sysid.controllability_gramian(lti, horizon=int(horizon))
peak, at = sysid.hinf_norm(lti)
print(f"H2 {sysid.h2_norm(lti):.4f}, H-infinity {peak:.4f} at {at:.4f} rad/s, peak gain {sysid.l1_gain(lti):.4f}, horizon {horizon:.0f}")

# %% [markdown]
# ## Memory
# Total linear memory capacity is the number of states the input can reach, whatever their poles; read with noise, less of
# it can be used, and the memory function shows at which delays.

# %%
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for noise in (0.0, 1e-6, 1e-3):
    ax.plot(np.arange(1, 81), sysid.memory_spectrum(lti, 80, noise)[:, 0], label=f"noise variance {noise:g}")
ax.set(xlabel="delay, steps", ylabel="squared correlation")
ax.legend(frameon=False)
capacities = [sysid.memory_capacity(lti, noise) for noise in (0.0, 1e-6, 1e-3)]
print("capacities:", np.round(capacities, 2))

# %%
sysid.resonances(lti)

# %%
_ = lti.plot.pole_zero()

# %% [markdown]
# ## An identified model
# The same record through subspace identification; the continuous model behind it comes back with `to_continuous`.

# %%
identified = sysid.fit(data.split(0.5)[0], sysid.Subspace(n_states=3)).model
continuous = sysid.to_continuous(identified)
print("poles of the plant     ", np.sort_complex(plant.poles()))
print("poles of the identified", np.sort_complex(continuous.poles()))
_ = identified.plot.step(60)

# %% [markdown]
# ## What the figures show

# %%
def relative(model):
    H = truth.frequency_response(omega)
    return np.abs(model.frequency_response(omega) - H).max() / np.abs(H).max()


gap = np.abs(lti.frequency_response(omega) - reduced.model.frequency_response(omega)).max()
assert gap <= reduced.error_bound
assert relative(identified) < 0.05 and relative(lti) < 0.3
assert np.linalg.norm(W - truncated) <= 1.0001e-6 * np.linalg.norm(W)
assert capacities[0] > capacities[1] > capacities[2]
assert abs(np.abs(lti.frequency_response([at])[0, 0, 0]) - peak) < 1e-9 * peak
assert np.allclose(np.sort(continuous.poles().imag), np.sort(plant.poles().imag), atol=0.02)
