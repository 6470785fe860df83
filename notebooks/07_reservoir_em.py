# %% [markdown]
# # A reservoir's hyperparameters by EM
# Yearly sunspot numbers: leak, scale, measurement noise and readout from the years before 1921, under a contraction certificate.
# Then the cascaded tanks, where there is an input, and the profile likelihood of the leak.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import sysid

counts = sysid.datasets.sunspots()
root = counts.map(np.sqrt, inverse=np.square)
train, scaling = root[:221].standardize()
series = scaling.apply(root)

# %%
start = sysid.reservoirs.autonomous_start(train, np.random.default_rng(0), n_states=30)
method = sysid.ReservoirEM(("leak", "scale", "R", "readout"), readout_prior=1e-2, contraction=0.99, leak_scan=6,
                           max_iterations=60)
fit = sysid.fit(train, method, start=start)
fit

# %% [markdown]
# The log posterior never falls: most is won by the first look over leaks, where the readout is taught anew, the rest by EM and its
# polish. The fitted reservoir is certified.

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
below = fit.objective - fit.history["objective"]
ax.semilogy(below[below > 1e-6], marker="o", markersize=3)
ax.set_xlabel("accepted step")
ax.set_ylabel("nats below the end")
certificate = sysid.certify(fit.model)
certificate

# %% [markdown]
# ## One step ahead on unseen years
# `fit.predict` adds what is left open about readout, leak and scale to the filter's bands.

# %%
seen = fit.predict(series)
low, high = seen.interval(0.95)
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
years = 1700 + np.arange(len(counts.y))
ax.plot(years[221:], counts.y[221:, 0], "k.", markersize=3, label="measured")
ax.plot(years[221:], seen.median[221:, 0], linewidth=1, label="one year ahead")
ax.fill_between(years[221:], low[221:, 0], high[221:, 0], alpha=0.3, label="95 % band")
ax.set_xlabel("year")
ax.set_ylabel("sunspots")
ax.legend()
inside = np.mean((counts.y[221:] >= low[221:]) & (counts.y[221:] <= high[221:]))
print(f"95 % band covers {100 * inside:.0f} % of the unseen years")

# %% [markdown]
# ## Which leaks the data allow
# One leak held at a time, everything else maximised. The fit ends at the top.

# %%
profile = sysid.profile_likelihood(train, method, fit, "leak", [0.5, 0.65, 0.8, 0.9, 1.0])
profile.plot()
profile

# %% [markdown]
# ## Cascaded tanks
# Pump voltage in, level of the lower tank out, 1024 samples of 4 s to learn from and as many to predict. The record is not shipped;
# the section is left out where it is not found (environment variable SYSID_DATA, or shared/data beside the project).

# %%
places = [Path(os.environ.get("SYSID_DATA", "none")), *(up / "shared" / "data" for up in Path(sysid.__file__).parents)]
record = next((place / "cascaded_tanks.npz" for place in places if (place / "cascaded_tanks.npz").is_file()), None)
tanks = None
if record is None:
    print("cascaded_tanks.npz was not found: section left out")
else:
    arrays = np.load(record)
    learn, scaling = sysid.Data(arrays["y_train"].ravel(), arrays["u_train"].ravel(), dt=4.0).standardize()
    unseen = scaling.apply(sysid.Data(arrays["y_test"].ravel(), arrays["u_test"].ravel(), dt=4.0))
    esn = sysid.ESN.random(40, 1, 1, topology="orthogonal", spectral_radius=0.9, leak=0.5, input_scale=0.3, bias_scale=0.3, dt=4.0,
                           rng=np.random.default_rng(0))
    first = sysid.fit(learn, sysid.BayesianReadout(washout=20), start=esn)
    start = sysid.Process(first.model, Q=1e-6, R=first.process.R, initial=sysid.Gaussian(np.zeros(40), 1e-6))
    method = sysid.ReservoirEM(("tau", "scale", "R", "readout"), readout_prior=float(first.alpha[0]), contraction=0.99,
                               covariance_rank=16, max_iterations=80)
    tanks = sysid.fit(learn, method, start=start)
    ahead = tanks.predict(unseen)
    low, high = ahead.interval(0.95)
    covered = np.mean(((unseen.y >= low) & (unseen.y <= high))[20:])
    error = np.std((unseen.y - ahead.y_mean)[20:])
    print(f"one step ahead: error {error:.4f} of the spread, 95 % band covers {100 * covered:.0f} %, "
          f"time constant {tanks.estimates['tau']:.1f} s")
    print(tanks.information)
    part = slice(300, 420)
    fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
    t = 4.0 * np.arange(unseen.n_steps)[part]
    volts = lambda y: 1e3 * scaling.inverse_y(y)[part, 0]  # noqa: E731
    ax.plot(t, volts(unseen.y) - volts(ahead.y_mean), "k.", markersize=3, label="measured less predicted 4 s ahead")
    ax.fill_between(t, *(volts(band) - volts(ahead.y_mean) for band in (low, high)), alpha=0.3, label="95 % band")
    ax.set_xlabel("time (s)")
    ax.set_ylabel("lower tank (mV)")
    ax.set_ylim(-140, 120)
    ax.legend(loc="lower left", ncols=2)

# %%
assert np.all(np.diff(fit.history["objective"]) >= -1e-9 * np.abs(fit.history["objective"][:-1]))
assert certificate.verified and certificate.rate < 1
assert 0.85 < inside <= 1.0
assert profile.objective.max() <= fit.objective + 1.0
if tanks is not None:
    assert error < 0.05 and 0.85 < covered <= 1.0
