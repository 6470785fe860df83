# %% [markdown]
# # A tour
# In preparation.
# %%
import sysid

assert sysid.__version__
