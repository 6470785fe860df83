# %% [markdown]
# # Lifts: nonlinear systems in coordinates where they are linear
# Linearisation, bilinear surrogate, Carleman monomials, learnt dictionaries (EDMD) and random features, each with what it errs and where it holds.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(0)

# %% [markdown]
# ## An exact lift
# The slow manifold x1' = mu x1, x2' = lambda (x2 - x1^2) is linear in (x1, x2, x1^2). EDMD finds the generator from samples.

# %%
runs = [sysid.datasets.slow_manifold(40, 0.1, x0=x0) for x0 in ((1.0, -1.0), (-0.7, 0.5), (0.4, 1.2))]
fit = sysid.fit(runs, sysid.EDMD(sysid.Observables(lambda x: x[:, :1] ** 2)))
rates = np.sort(np.log(fit.model.eigenvalues().real) / 0.1)
print("rates", rates)
assert np.abs(rates - [-1.0, -0.1, -0.05]).max() < 1e-12

# %% [markdown]
# Under forcing, squaring the state brings u x and u^2 along: a lift linear in the input cannot be exact, and a bilinear one is not either.

# %%
forced = sysid.datasets.forced_slow_manifold(rng.standard_normal(500))
squares = sysid.Observables(lambda x: x[:, :1] ** 2)
residual = {}
for name, options in {"linear": {}, "bilinear": {"bilinear": True},
                      "bilinear and u^2": {"bilinear": True, "input_map": lambda v: np.hstack([v, v ** 2])}}.items():
    residual[name] = float(np.sqrt(np.trace(sysid.fit(forced, sysid.EDMD(squares, **options)).model.residual)))
print(residual)
assert residual["bilinear"] > 0.1 and residual["bilinear and u^2"] < 1e-12

# %% [markdown]
# ## A reservoir around its equilibrium
# The linearisation errs quadratically and below its bound; the Carleman lift gains with its degree inside the radius of convergence.

# %%
esn = sysid.ESN(0.8 * sysid.reservoirs.orthogonal(3, rng=rng), bias=0.3 * rng.standard_normal(3), leak=0.6, C=np.eye(3))
x0 = esn.equilibrium(np.zeros(0))
radii, degrees = np.geomspace(0.02, 0.6, 8), (1, 2, 3, 4, 5)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for degree in degrees:
    lift = sysid.lift(esn, sysid.Carleman(degree))
    measured, bound = [], []
    for r in radii:
        x = x0 + rng.uniform(-r, r, (500, 3))
        image = 0.4 * x + 0.6 * np.tanh(x @ esn.W.T + esn.bias)
        measured.append(np.linalg.norm(lift.observe(image) - lift.observe(x) @ lift.lti.A.T - lift.lti.c, axis=1).max())
        bound.append(lift.residual_bound(r))
    line, = ax.loglog(radii, measured, "o-", label=f"degree {degree}")
    ax.loglog(radii, bound, "--", color=line.get_color())
    assert np.all(np.array(measured) <= np.array(bound))
ax.set(xlabel="|x - x0|", ylabel="one-step residual (dashed: bound)", xticks=[0.02, 0.05, 0.1, 0.2, 0.5])
ax.xaxis.set_major_formatter("{x:g}")
ax.xaxis.set_minor_formatter("")
_ = ax.legend(frameon=False)

# %% [markdown]
# ## A dictionary chosen on held-out forecasts
# The error grows with the horizon as the bound beside it allows.

# %%
force = np.convolve(rng.standard_normal(1009), np.full(10, 0.3), mode="valid")
data = sysid.datasets.duffing(force, dt=0.1, stiffness=1.0, cubic=0.5)
train, test = data.split(700)
chosen = sysid.fit(train, sysid.EDMD([sysid.Polynomial(1), sysid.Polynomial(3), sysid.DelayEmbedding(1, sysid.Polynomial(3))]))
print(type(chosen.model.dictionary).__name__, chosen.history["loss"])
error = sysid.surrogate_error(chosen.model, test.y, test.u, steps=(1, 5, 20))
print(error)
assert np.all(error.measured <= error.bound) and np.argmin(chosen.history["loss"]) > 0

# %% [markdown]
# The lift is a linear model: its poles, Gramians, Bode diagram and filters are those of any other.

# %%
values, _, quality = chosen.model.eigenpairs()
fig, ax = plt.subplots(figsize=(4.4, 4), layout="constrained")
points = ax.scatter(values.real, values.imag, c=np.log10(quality), cmap="viridis_r")
fig.colorbar(points, label="log10 residual of the eigenfunction")
ax.set(xlabel="real part", ylabel="imaginary part", title="eigenvalues of the lift")
_ = ax.locator_params(axis="x", nbins=4)

# %% [markdown]
# ## Random features
# In Lur'e form the activation is a sum of N random waves. Its composite slope range is close to that of tanh, the product of norms is not.

# %%
lure = sysid.lift(esn, sysid.RandomFeatures(n_features=50, rng=rng))
print(lure)
assert lure.slope_range[1] < 1.2 < 3 < lure.norm_product
plt.close("all")
