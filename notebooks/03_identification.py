# %% [markdown]
# # Identification: from a record to a validated model
# A plant is excited, a model is found, refined, judged on data it has not seen, and given error bars. Then the same calls
# meet outliers, gaps and a plant whose response depends on its state.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(3)

# %% [markdown]
# ## The experiment
# A resonant plant with a slow lag, a held pseudo-random input, process noise, measurement noise, offsets.

# %%
plant = sysid.LTI([[0.85, 0.4, 0.0], [-0.4, 0.85, 0.0], [0.0, 0.1, 0.7]], [[0.5], [1.0], [0.3]], [[1.0, 0.0, 0.6]], dt=0.1, d=[20.0])
noisy = sysid.Process(plant, 0.003 * np.eye(3), 0.3, initial=sysid.Gaussian(np.zeros(3), 0.1))
u = sysid.datasets.prbs(1600, hold=2)[:, None] + 1.0
data = sysid.Data(sysid.simulate(noisy, u, rng=rng).y, u, dt=0.1)
train, test = data.split(0.5)
sysid.excitation(train)

# %% [markdown]
# ## First look, without a model

# %%
response = sysid.spectral_response(train, segment=100)
response.plot()
print("delay in samples:", sysid.estimated_delay(train, 30))

# %% [markdown]
# ## Subspace, then prediction error
# Order, horizon and weighting are chosen on the estimation data; the refinement has analytic gradients.

# %%
first = sysid.fit(train, sysid.Subspace(n_states=3))
best = sysid.fit(train, sysid.PredictionError(), start=first)
automatic = sysid.fit(train, sysid.Subspace())
print(first)
print(best.uncertainty)
val = sysid.validate(best, test)
val.plot()
val

# %% [markdown]
# The band holds frequency by frequency; neighbouring frequencies err together, so one record may leave it over a stretch.

# %%
omega = np.geomspace(0.3, 25, 80)
band = best.uncertainty.frequency_response(omega)
truth = np.abs(plant.frequency_response(omega))
axes = band.plot()
axes.loglog(omega, truth[:, 0, 0], "k--", linewidth=0.8)
inside = np.mean((truth > band.low) & (truth < band.high))
print(f"true magnitude inside the 95 % band at {100 * inside:.0f} % of the frequencies")

# %% [markdown]
# ## Outliers and gaps
# One sample in forty is wrong by thirty units, one in ten is missing.

# %%
y = train.y.copy()
y[::40] += 30.0
y[rng.random(len(y)) < 0.1] = np.nan
spoiled = sysid.Data(y, train.u, dt=0.1)
rows = {}
for name, method in {"Gaussian": sysid.PredictionError(n_states=3), "Student": sysid.PredictionError(n_states=3, loss="student")}.items():
    fit = sysid.fit(spoiled, method, start=None if name == "Student" else first)
    rows[name] = sysid.validate(fit.model, test).fit_simulation[0]
em = sysid.fit(spoiled, sysid.EM(noise="student", max_iterations=25), start=first)
rows["EM, Student"] = sysid.validate(em.model, test).fit_simulation[0]
rows["clean data"] = val.fit_simulation[0]
for name, value in rows.items():
    print(f"{name:12s} {value:6.1f} %")

# %% [markdown]
# ## Structure
# EM holds, shares and ties elements. Here the resonance is a rotation, so four entries have two parameters.

# %%
tied = {"A": [["a", "b", 0], ["-b", "a", 0], [0, "c", "e"]], "C": [[1, 0, "g"]], "D": False, "Q": "scalar"}
start = sysid.Process(plant.transform(np.eye(3)), 0.01 * np.eye(3), 0.5, initial=sysid.Gaussian(np.zeros(3), 0.1))
structured = sysid.fit(train, sysid.EM(structure=tied, max_iterations=60), start=start)
print(structured.model.A.round(3))

# %% [markdown]
# ## A plant that is bilinear
# The gain depends on the state. No linear model can follow; a bilinear one does.

# %%
bilinear = sysid.Bilinear([[0.7, 0.2], [-0.2, 0.6]], [[1.0], [0.5]], [[[0.2, 0.1], [0.0, -0.2]]], [[1.0, 0.3]])
v = rng.uniform(-1, 1, (4000, 1))
z = sysid.simulate(bilinear, v).y
record = sysid.Data(z + 0.03 * rng.standard_normal(z.shape), v)
learn, hold = record.split(0.75)
linear = sysid.validate(sysid.fit(learn, sysid.Subspace(2)).model, hold).fit_simulation[0]
better = sysid.validate(sysid.fit(learn, sysid.BilinearSubspace(2, lags=6)).model, hold).fit_simulation[0]
print(f"linear {linear:.1f} %, bilinear {better:.1f} %")

# %%
plt.close("all")
assert automatic.model.n_states in (2, 3, 4) and val.fit_simulation[0] > 70
assert inside > 0.5
assert rows["Student"] > rows["Gaussian"] - 1 and rows["Student"] > rows["clean data"] - 5
assert structured.model.A[0, 0] == structured.model.A[1, 1] and (np.diff(structured.history["log_likelihood"]) > -1e-6).all()
assert better > 90 > linear
