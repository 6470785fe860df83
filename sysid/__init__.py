"""sysid: classical systems identification in which reservoirs are state-space models.

    x[t+1] = f(x[t], u[t]) + w[t],    y[t] = g(x[t], u[t]) + v[t]

Nouns (Data, LTI, ESN, Process, ...) and verbs (simulate, filter, fit, certify, ...); a method is an object.
"""

from . import datasets, learning, reservoirs
from .core.data import Data, Scaling
from .core.gaussian import Diffuse, Gaussian, Stationary
from .core.status import Status
from .core.storage import load, save
from .identification.fit import Fit, fit
from .inference.simulate import Simulation, simulate
from .models.activation import Activation
from .models.bilinear import Bilinear
from .models.esn import ESN
from .models.lti import LTI
from .models.ltv import LTV
from .models.nonlinear import Nonlinear
from .models.process import Process
from .reservoirs.readout import Readout
from .spectral.filters import FilterBank, spectral_filters
from .transforms.linearize import linearize

__version__ = "0.1.0"

__all__ = [
    "ESN",
    "LTI",
    "LTV",
    "Activation",
    "Bilinear",
    "Data",
    "Diffuse",
    "FilterBank",
    "Fit",
    "Gaussian",
    "Nonlinear",
    "Process",
    "Readout",
    "Scaling",
    "Simulation",
    "Stationary",
    "Status",
    "datasets",
    "fit",
    "learning",
    "linearize",
    "load",
    "reservoirs",
    "save",
    "simulate",
    "spectral_filters",
]
