# %% [markdown]
# # Certificates
# When does a reservoir forget how it was started? A proof, how far it is from the truth, and what follows from it.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

rng = np.random.default_rng(0)

# %% [markdown]
# ## The spectral radius proves nothing
# This reservoir has spectral radius 0.95 and three attractors without any input.

# %%
W = np.array([[0.1764, -5.9586], [0.1080, 1.4674]])
trap = sysid.ESN(W, leak=1.0)
ends = np.array([sysid.simulate(trap, n_steps=400, x0=x0).final for x0 in rng.uniform(-1, 1, (40, 2))])
refused = sysid.certify(trap)
print(refused)
fig, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot(*ends.T, "o", alpha=0.4)
ax.set(title="where 40 starts end", xlabel="$x_1$", ylabel="$x_2$")
assert np.abs(np.linalg.eigvals(W)).max() < 1 and not refused.holds
assert len(np.unique(ends.round(3), axis=0)) >= 2

# %% [markdown]
# ## The ladder
# The norm bound fails for this reservoir; the circle criterion proves that it contracts.

# %%
esn = sysid.ESN.random(n_states=60, n_inputs=1, spectral_radius=0.8, leak=0.3, rng=np.random.default_rng(0))
rungs = [sysid.NormBound(), sysid.NormBound(centred=True), sysid.DiagonalScaling(), sysid.CircleCriterion("identity"),
         sysid.CircleCriterion("balanced"), sysid.CircleCriterion("optimal")]
found = [sysid.certify(esn, sysid.Contraction(), rung) for rung in rungs]
for cert in found:
    print(f"{cert.method:45s} rate {cert.rate:.5f}  holds {cert.holds}")
best = found[-1]
print("no certificate of the family below", best.method_floor, "; true rate at least", best.rate_floor)
assert not found[0].holds and best.holds
assert best.rate <= min(c.rate for c in found) * (1 + 1e-4)
assert best.rate_floor <= best.method_floor <= best.rate

# %% [markdown]
# ## The picture behind it
# With one leak the rate is read off the numerical range of $D W D^{-1}$: the largest modulus of $1 - \lambda + \lambda h(\varphi)_+ e^{i\varphi}$.

# %%
angles = np.linspace(0, 2 * np.pi, 181)
fig, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
for cert, label in ((found[3], "identity"), (best, "optimal")):
    d = np.sqrt(cert.T)
    B = d[:, None] * esn.W / d
    h = np.array([np.linalg.eigvalsh((np.exp(-1j * a) * B + np.exp(1j * a) * B.T) / 2)[-1] for a in angles])
    curve = 1 - esn.leak + esn.leak * np.maximum(h, 0) * np.exp(1j * angles)
    ax.plot(curve.real, curve.imag, label=f"{label}: {np.abs(curve).max():.4f}")
    assert abs(np.abs(curve).max() - cert.rate) < 1e-3
ax.plot(np.cos(angles), np.sin(angles), "k", linewidth=0.7)
ax.set(xlabel="real part", ylabel="imaginary part", title="the rate is the largest modulus; the circle is 1", aspect="equal",
       xticks=[-1, -0.5, 0, 0.5, 1], yticks=[-1, -0.5, 0, 0.5, 1])
_ = ax.legend(frameon=False, loc="center left", bbox_to_anchor=(0.08, 0.5), title="multiplier: rate")

# %% [markdown]
# ## What it promises, and what happens
# Pairs of trajectories under the same input, in the norm of P, below the proved envelope.

# %%
u = rng.uniform(-1, 1, (150, 1))
root = np.linalg.cholesky(best.P).T
ax = best.plot(steps=150)
for _ in range(8):
    pair = [sysid.simulate(esn, u, x0=rng.uniform(-1, 1, 60)).x for _ in range(2)]
    distance = np.linalg.norm((pair[0] - pair[1]) @ root.T, axis=1)
    assert (distance <= best.rate ** np.arange(150) * distance[0] * (1 + 1e-9)).all()
    ax.semilogy(distance / distance[0], color="0.6", linewidth=0.8)

# %% [markdown]
# ## Making a reservoir safe
# Scale W; or move leak and scale together; or change W as little as possible.

# %%
wild = sysid.ESN.random(n_states=40, n_inputs=1, spectral_radius=1.2, leak=0.3, rng=np.random.default_rng(1))
scaled = sysid.scale_to_certified(wild, rate=0.98, method=sysid.CircleCriterion("balanced"))
moved = sysid.project_to_certified(wild, rate=0.98, multiplier="balanced")
nearest = sysid.nearest_certified(wild, rate=0.98)
for name, model in (("scaled", scaled), ("leak and scale", moved), ("nearest W", nearest)):
    cert = sysid.certify(model, sysid.Contraction(rate=0.9801))
    change = np.linalg.norm(model.W - wild.W) / np.linalg.norm(wild.W)
    print(f"{name:15s} rate {cert.rate:.4f}, leak {float(model.leak):.3f}, change of W {change:.3f}")
    assert cert.holds and cert.rate <= 0.9801
assert np.linalg.norm(nearest.W - wild.W) < np.linalg.norm(scaled.W - wild.W)

# %% [markdown]
# ## Other shapes
# A deep stack, a gated reservoir, a ring, and a neighbourhood of an equilibrium where no global certificate can exist.

# %%
deep = sysid.DeepESN.random([15, 15, 15], leaks=[0.9, 0.6, 0.4], spectral_radius=0.5, rng=np.random.default_rng(2))
stack = sysid.certify(deep)
gated = sysid.certify(sysid.GatedESN.random(10, 1, spectral_radius=0.5, gate_radius=0.2, rng=np.random.default_rng(3)),
                      sysid.Contraction(input_bound=1.0))
ring = sysid.certify(sysid.ConvolutionalESN.random((12, 12), spectral_radius=0.7, rng=np.random.default_rng(4)))
bistable = sysid.ESN(2.5 * np.eye(2), np.ones((2, 1)), bias=[2.0, 2.0], leak=0.5)
tube = sysid.certify(bistable, sysid.Contraction(), sysid.Tube(x=bistable.equilibrium([0.0], x0=[1.0, 1.0])))
for cert in (stack, gated, ring, tube):
    print(cert, "\n")
    assert cert.holds
assert not sysid.certify(bistable).holds and sysid.certify(bistable).rate_floor > 1
