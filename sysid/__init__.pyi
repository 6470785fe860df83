# Written by `python -m tests.house.stub` from the list in __init__.py.

from . import datasets as datasets
from . import learning as learning
from . import reservoirs as reservoirs
from .core.data import Data as Data
from .core.data import Scaling as Scaling
from .core.gaussian import Diffuse as Diffuse
from .core.gaussian import Gaussian as Gaussian
from .core.gaussian import Stationary as Stationary
from .core.status import Status as Status
from .core.storage import load as load
from .core.storage import save as save
from .models.activation import Activation as Activation
from .models.bilinear import Bilinear as Bilinear
from .models.esn import ESN as ESN
from .models.lti import LTI as LTI
from .models.ltv import LTV as LTV
from .models.nonlinear import Nonlinear as Nonlinear
from .models.process import Process as Process
from .transforms.linearize import linearize as linearize
from .inference.simulate import Simulation as Simulation
from .inference.simulate import simulate as simulate
from .identification.excitation import Excitation as Excitation
from .identification.excitation import excitation as excitation
from .identification.fit import Fit as Fit
from .identification.fit import fit as fit
from .identification.subspace import Subspace as Subspace
from .identification.subspace import SubspaceFit as SubspaceFit
from .reservoirs.readout import Readout as Readout
from .spectral.ar_stu import ARSTU as ARSTU
from .spectral.filters import FilterBank as FilterBank
from .spectral.filters import spectral_filters as spectral_filters
from .spectral.spectral_filtering import SpectralFiltering as SpectralFiltering
from .spectral.stu import STU as STU

__version__: str
