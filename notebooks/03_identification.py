# %% [markdown]
# # Identification: from a record to a validated model
# First a measured record: a flexible robot arm [DaISy], on which common subspace routines fail with their defaults. Then
# a simulated plant, where the truth is known: error bars, outliers, gaps, structure, and a response that depends on the state.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(3)

# %% [markdown]
# ## A measured record
# The file is read from the folder named by SYSID_DATA, or from shared/data beside the project; without it a simulated arm
# with two resonances stands in, and the figures are its own.

# %%
root = Path(sysid.__file__).resolve().parents[1]
places = [Path(os.environ["SYSID_DATA"])] if "SYSID_DATA" in os.environ else [up / "shared" / "data" for up in (root.parent, root.parent.parent)]
file = next((place / "daisy_robot_arm.npz" for place in places if (place / "daisy_robot_arm.npz").is_file()), None)
if file is not None:
    with np.load(file) as stored:
        arm = sysid.Data(stored["y"], stored["u"])
else:
    print("record absent: a simulated arm stands in")
    poles = np.exp(np.array([-0.005 + 0.25j, -0.01 + 0.9j]))
    A = np.kron(np.diag(poles.real), np.eye(2)) + np.kron(np.diag(poles.imag), [[0, 1], [-1, 0]])
    force = np.sign(np.convolve(rng.standard_normal(1028), np.ones(5), mode="valid"))[:, None]
    stand_in = sysid.LTI(A, np.array([[1.0], [0.0], [1.0], [0.0]]), np.array([[0.0, 0.01, 0.0, 0.02]]))
    arm = sysid.Data(sysid.simulate(stand_in, force).y + 0.002 * rng.standard_normal((1024, 1)), force)
learn, hold = arm.split(0.5)
scan = sysid.order_scan(learn, orders=range(1, 8))
scan.plot()
scan

# %% [markdown]
# Weighting and horizon are chosen on the estimation half. The verdict distinguishes what the model explains from what it leaves.

# %%
model = sysid.fit(learn, sysid.Subspace(4))
arm_validation = sysid.validate(model, hold)
arm_validation.plot()
arm_validation

# %% [markdown]
# ## The experiment
# A resonant plant with a slow lag, a held pseudo-random input, process noise, measurement noise, offsets.

# %%
plant = sysid.LTI([[0.85, 0.4, 0.0], [-0.4, 0.85, 0.0], [0.0, 0.1, 0.7]], [[0.5], [1.0], [0.3]], [[1.0, 0.0, 0.6]], dt=0.1, d=[20.0])
noisy = sysid.Process(plant, 0.003 * np.eye(3), 0.3, initial=sysid.Gaussian(np.zeros(3), 0.1))
u = sysid.datasets.prbs(3200, hold=2)[:, None] + 1.0
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
# The band holds frequency by frequency; neighbouring frequencies err together, so one record leaves it over a stretch or not
# at all. Over several records the share of points inside is what it says, a little less where records are short.

# %%
omega = np.geomspace(0.3, 25, 80)
truth = np.abs(plant.frequency_response(omega))
shares = []
for seed in range(10):
    other, _ = sysid.Data(sysid.simulate(noisy, u, rng=np.random.default_rng(seed)).y, u, dt=0.1).split(0.5)
    band = sysid.fit(other, sysid.PredictionError(), start=sysid.fit(other, sysid.Subspace(n_states=3))).uncertainty.frequency_response(omega)
    shares.append(np.mean((truth > band.low) & (truth < band.high)))
inside = np.mean(shares)
axes = band.plot()
axes.loglog(omega, truth[:, 0, 0], "k--", linewidth=0.8)
print(f"true magnitude inside the 95 % band at {100 * inside:.0f} % of the points of ten records")

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
first_bilinear = sysid.fit(learn, sysid.BilinearSubspace(2, lags=6))
start_fit = sysid.validate(first_bilinear.model, hold).fit_simulation[0]
better = sysid.validate(sysid.fit(learn, sysid.EM(max_iterations=10), start=first_bilinear).model, hold).fit_simulation[0]
print(f"linear {linear:.1f} %, bilinear subspace {start_fit:.1f} %, refined by EM {better:.1f} %")

# %%
plt.close("all")
assert automatic.model.n_states in (2, 3, 4) and val.fit_simulation[0] > 70
assert inside > 0.8
assert arm_validation.fit_simulation[0] > 90 and scan.best in (4, 5, 6, 7)
assert rows["Student"] > rows["Gaussian"] - 1 and rows["Student"] > rows["clean data"] - 5
assert structured.model.A[0, 0] == structured.model.A[1, 1] and (np.diff(structured.history["log_likelihood"]) > -1e-6).all()
assert better > 95 > 90 > linear
