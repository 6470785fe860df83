# %% [markdown]
# # A reservoir's hyperparameters by EM
# Yearly sunspot numbers: leak, scale, measurement noise and readout from the years before 1921, under a contraction certificate.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

counts = sysid.datasets.sunspots()
root = counts.map(np.sqrt, inverse=np.square)
train, scaling = root[:221].standardize()
series = scaling.apply(root)

# %%
start = sysid.reservoirs.autonomous_start(train, np.random.default_rng(0), n_states=30)
method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), readout_prior=1e-2, contraction=0.99, max_iterations=25)
fit = sysid.fit(train, method, start=start)
fit

# %% [markdown]
# The objective never falls, and the fitted reservoir is certified.

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(fit.history["objective"])
ax.set_xlabel("accepted step")
ax.set_ylabel("log posterior")
certificate = sysid.certify(fit.model)
certificate

# %% [markdown]
# ## One step ahead on unseen years

# %%
seen = sysid.filter(fit.process, series)
low, high = seen.interval(0.95)
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
years = 1700 + np.arange(len(counts.y))
ax.plot(years[221:], counts.y[221:, 0], "k.", markersize=3)
ax.fill_between(years[221:], low[221:, 0], high[221:, 0], alpha=0.3)
ax.set_ylabel("sunspots")
inside = np.mean((counts.y[221:] >= low[221:]) & (counts.y[221:] <= high[221:]))
print(f"95 % band covers {100 * inside:.0f} % of the unseen years")

# %%
assert np.all(np.diff(fit.history["objective"]) >= -1e-9 * np.abs(fit.history["objective"][:-1]))
assert certificate.verified and certificate.rate < 1
assert 0.85 < inside <= 1.0
