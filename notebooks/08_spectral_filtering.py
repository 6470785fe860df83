# %% [markdown]
# # Spectral filtering
# A system that hardly forgets, learnt by least squares on fixed filters. The figures follow the spectral state-space paper: the filters, the
# error against their number, and the spectral unit beside a linear recurrent unit on a marginally stable system.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(0)

# %% [markdown]
# ## The filters
# They are the leading eigenvectors of one Hankel matrix, the same for every system. The eigenvalues fall so fast that a dense eigensolver loses them after a dozen.

# %%
standard = sysid.spectral_filters(n_steps=1024, n_filters=24)
alternating = sysid.spectral_filters(n_steps=1024, n_filters=48, kind="alternating")
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5), layout="constrained")
standard.truncate(8).plot(left)
index = np.arange(1, 25)
right.semilogy(index, standard.eigenvalues, "o-", label="standard")
right.semilogy(index, alternating.eigenvalues[:24], "s-", label="alternating")
n = np.arange(1, 1025)[:, None] + np.arange(1, 1025)[None, :]
dense = np.linalg.eigvalsh(2.0 / (n.astype(float) ** 3 - n))[::-1][:24]
right.semilogy(index, np.abs(dense), "x", label="standard, dense eigensolver")
right.set(xlabel="number", ylabel="eigenvalue")
_ = right.legend(frameon=False)

# %% [markdown]
# ## Error against the number of filters
# Poles at 1, -1, 0.3, -0.7 and four at -0.9999; the model runs on its own outputs for the whole window. Each filter gains most of a digit, and the computable bound follows.

# %%
window = 256
poles = np.array([1, -1, 0.3, -0.7, -0.9999, -0.9999, -0.9999, -0.9999])
system = sysid.LTI.from_undelayed(np.diag(poles), rng.normal(size=(8, 2)), rng.normal(size=(2, 8)), rng.normal(size=(2, 2)))
u = rng.uniform(-1, 1, size=(window, 2))
y = sysid.simulate(system, u).y
counts = np.arange(1, 31)
errors = {form: [np.abs(sysid.simulate(sysid.STU.from_lti(system, k * times, window, form), u).y - y).max() for k in counts]
          for form, times in (("standard", 1), ("alternating", 2))}
bounds = [sysid.error_bound(system, int(k), window, np.sqrt(2.0))[-1] for k in counts]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogy(counts, errors["standard"], "o-", label="standard, K filters a branch")
ax.semilogy(counts, errors["alternating"], "s-", label="alternating, 2 K filters")
ax.semilogy(counts, bounds, "--", label="computed bound, standard")
ax.set(xlabel="K", ylabel="largest error over the window")
_ = ax.legend(frameon=False)

# %% [markdown]
# ## Learning a marginally stable system
# Ten poles at +-0.9999, sequences of 256 steps. The spectral unit is trained by Adam one sequence at a time, as is the linear recurrent unit;
# least squares needs a handful of sequences and no training at all. (The full experiment, with a validated learning rate and five seeds each, is in the evidence.)

# %%
A = np.diag(0.9999 * rng.choice([-1.0, 1.0], 10))
marginal = sysid.LTI.from_undelayed(A, rng.normal(size=(10, 3)), rng.normal(size=(3, 10)), np.diag(rng.normal(size=3)))


def sequences(count, noise=0.0):
    out = []
    for _ in range(count):
        u = rng.normal(size=(256, 3))
        y = sysid.simulate(marginal, u).y
        out.append(sysid.Data(y + noise * y.std() * rng.normal(size=y.shape), u))
    return out


def error(model, data):
    return sum(((sysid.simulate(model, d.u).y - d.y) ** 2).sum() for d in data) / sum((d.y**2).sum() for d in data)


train, test = sequences(200), sequences(5)
stu = sysid.fit(train, sysid.STUTraining(np.random.default_rng(1), learning_rate=0.1, n_iterations=600, snapshot_every=25))
lru = sysid.fit(train, sysid.LRUTraining(np.random.default_rng(1), learning_rate=1e-3, n_iterations=2000, snapshot_every=100))
convex = sysid.fit(train[:4], sysid.SpectralFiltering(n_filters=24))
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for label, fit in (("STU by Adam", stu), ("LRU by Adam", lru)):
    ax.loglog(list(fit.snapshots), [error(m, test) for m in fit.snapshots.values()], "o-", markersize=3, label=label)
ax.axhline(error(convex.model, test), color="k", linestyle=":", label="STU by least squares, 4 sequences")
ax.set(xlabel="sequences seen", ylabel="error on its own outputs, relative")
_ = ax.legend(frameon=False, loc="center left", bbox_to_anchor=(0.0, 0.3))

# %% [markdown]
# ## Noise on the outputs
# The output-error problem is linear as well, because the fed-back output has the fixed weight one. It uses noise an order of magnitude better.

# %%
noisy = sequences(40, noise=0.1)
one_step, output_error = (error(sysid.fit(noisy, sysid.SpectralFiltering(n_filters=16, loss=loss)).model, test)
                          for loss in ("one_step", "output_error"))
print(f"10 % noise: one-step {one_step:.2e}, output error {output_error:.2e}, {one_step / output_error:.0f} times better")

# %% [markdown]
# ## From the learnt kernel to a small state-space model
# Ho-Kalman on the impulse response gives an LTI, with poles, Gramians and everything else.

# %%
small = sysid.realize(convex.model, n_states=6)
print(small)
print("poles", np.round(np.sort(small.model.poles().real), 5))

# %% [markdown]
# ## Online, with regret
# Predictions are made before the output is seen; regret is against the best fixed unit in hindsight.

# %%
u = rng.normal(size=(6000, 3))
y = sysid.simulate(marginal, u).y
stream = sysid.Data(y + 0.1 * y.std() * rng.normal(size=y.shape), u)
fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
online = {update: sysid.fit(stream, sysid.OnlineSpectralFiltering(n_steps=256, n_filters=8, update=update)) for update in ("newton", "gradient")}
for update, fit in online.items():
    ax.plot(fit.regret / np.arange(1, 6001), label=update)
ax.set(xlabel="step", ylabel="regret a step", yscale="log")
_ = ax.legend(frameon=False)

# %% [markdown]
# What the figures show:

# %%
assert errors["standard"][7] < 1 and errors["standard"][23] < 1e-6
assert all(bound >= e for bound, e in zip(bounds, errors["standard"]) if e > 1e-10)
assert error(convex.model, test) < 1e-10
assert min(error(m, test) for m in stu.snapshots.values()) < 1e-4
assert min(error(m, test) for m in lru.snapshots.values()) > 1e-2
assert output_error < one_step / 5
assert all(fit.regret[-1] / 6000 < 0.5 * fit.regret[999] / 1000 for fit in online.values())
