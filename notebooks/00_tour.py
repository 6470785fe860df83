# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A tour
#
# One real series goes in; a fitted, certified and analysed reservoir comes out. The series is the yearly sunspot number:
# short, noisy, nonlinear, and with a cycle of about eleven years that everybody can check by eye.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sysid

# %% [markdown]
# ## Data
# The spread of the counts grows with their level; a square root makes it even. `map` remembers the way back, so that every
# error, band and figure later comes in counts again. We learn from 1700-1920 and keep 1921-2008 unseen.

# %%
data = sysid.datasets.sunspots().map(np.sqrt, inverse=np.square)
train, test = data.split(221)
data.plot()
data

# %% [markdown]
# ## A reservoir
# `x[t+1] = (1 - leak) x[t] + leak tanh(W x[t] + W_fb y[t] + bias)`, `y[t] = C x[t] + d`. Nothing drives it but its own output:
# measured values while they are known (teacher forcing), its own predictions afterwards. W is orthogonal times 0.9, which keeps
# the past of some ten years and, as we shall see, can be certified.

# %%
rng = np.random.default_rng(0)
esn = sysid.ESN.random(60, n_inputs=0, n_feedback=1, topology="orthogonal", spectral_radius=0.9, leak=0.7, input_scale=0.25,
                       bias_scale=0.5, rng=rng)
ridge = sysid.fit(train, sysid.Readout(ridge=np.logspace(-2, 2, 9), washout=12), start=esn)
ridge

# %% [markdown]
# ## Hyperparameters by expectation maximisation
# The readout was trained at the leak we happened to choose. EM treats the states as unknown, smooths them, and moves the leak, the
# noise and the readout up the objective: the log likelihood plus the log prior that keeps the readout small. The figure never falls.
# The last line of the status says what ended the climb; thirty iterations are enough for the eye, not for the last digit.

# %%
start = sysid.Process(ridge.model, Q=1e-6, R=ridge.process.R, initial=ridge.process.initial)
fit = sysid.fit(train, sysid.ReservoirEM(estimate=("leak", "R", "readout"), max_iterations=30, standard_errors=False), start=start)
fit.plot()
fit

# %% [markdown]
# ## One year ahead
# The filter runs over all years; each prediction uses the measured past only.

# %%
one = sysid.filter(fit.process, data)
low, high = one.interval(0.95)
seen, unseen = slice(0, 221), slice(221, None)
y = data.original[unseen, 0]
coverage = np.mean((y >= low[unseen, 0]) & (y <= high[unseen, 0]))
error = np.sqrt(np.mean((one.median[unseen, 0] - y) ** 2)) / y.std()
ax = one.plot()
ax.set_xlim(1921, 2008)
print(f"error {error:.3f} of the spread, {100 * coverage:.0f} % of the unseen years inside the 95 % band")

# %% [markdown]
# ## A certificate
# Does the reservoir forget where it started, whatever it is fed? The proof is checked with a bound on every rounding error; a
# certificate that cannot be shown is refused with the best bound found.

# %%
certificate = sysid.certify(fit.model)
certificate

# %% [markdown]
# ## The system inside
# On its own the model feeds back its own output. Around its equilibrium that closed loop is a linear system. Its slowest mode is the
# solar cycle; a radius above one means that the equilibrium does not hold and the cycle sustains itself, bounded by the tanh.

# %%
closed = fit.model.closed_loop()
linear = sysid.linearize(closed, x=closed.equilibrium(x0=fit.model.equilibrium(feedback=train.y.mean(0))))
poles = linear.poles()
leading = poles[np.argmax(np.abs(poles))]
period = 2 * np.pi / abs(np.angle(leading))
print(f"slowest mode: period {period:.1f} years, radius {abs(leading):.3f}")

driven = sysid.linearize(fit.model, x=fit.model.equilibrium(feedback=train.y.mean(0)), feedback=train.y.mean(0))
print(f"H2 norm {sysid.h2_norm(driven):.3f}")
values = sysid.hankel_singular_values(driven)
figure = driven.plot.bode()

# %% [markdown]
# ## A free forecast
# From the end of the data on, nothing is measured. The band carries the noise of everything the model feeds itself.

# %%
ahead = sysid.forecast(fit.process, data, horizon=22)
ahead.plot()
ahead

# %% [markdown]
# ## What the figures show
# A tour that asserts nothing proves nothing.

# %%
assert error < 0.40
assert 0.88 <= coverage <= 0.99
assert certificate.holds and certificate.rate < 1
assert 9 < period < 12.5 and abs(leading) < 1.05
assert values[5] < 0.1 * values[0]
assert (np.diff(fit.history["objective"]) >= -1e-6).all()
low, high = ahead.interval(0.95)
assert (low >= 0).all() and (high[10:] - low[10:]).mean() > (high[0] - low[0]).item()
plt.close("all")
