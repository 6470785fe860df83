# Written by `python -m tests.house.stub` from the list in __init__.py.

from . import datasets as datasets
from . import learning as learning
from . import reservoirs as reservoirs
from .certificates.certificate import Certificate as Certificate, Contraction as Contraction
from .certificates.certify import certify as certify
from .certificates.contraction import CircleCriterion as CircleCriterion, DiagonalScaling as DiagonalScaling, NormBound as NormBound, PerronBound as PerronBound
from .certificates.ladder import Ladder as Ladder
from .certificates.lmi import LMI as LMI
from .certificates.network import LeakyNetwork as LeakyNetwork
from .certificates.scaling import largest_certified_scale as largest_certified_scale, scale_to_certified as scale_to_certified
from .core.data import Data as Data
from .core.data import Scaling as Scaling
from .core.gaussian import Diffuse as Diffuse
from .core.gaussian import Gaussian as Gaussian
from .core.gaussian import Stationary as Stationary
from .core.status import Status as Status
from .core.storage import load as load
from .core.storage import save as save
from .models.activation import Activation as Activation
from .models.analysis import controllability_gramian as controllability_gramian
from .models.analysis import controllability_matrix as controllability_matrix
from .models.analysis import controllability_rank as controllability_rank
from .models.analysis import gramian_horizon as gramian_horizon
from .models.analysis import h2_norm as h2_norm
from .models.analysis import hankel_singular_values as hankel_singular_values
from .models.analysis import hinf_norm as hinf_norm
from .models.analysis import input_energy as input_energy
from .models.analysis import is_bibo_stable as is_bibo_stable
from .models.analysis import l1_gain as l1_gain
from .models.analysis import minimal as minimal
from .models.analysis import modal_form as modal_form
from .models.analysis import observability_gramian as observability_gramian
from .models.analysis import observability_matrix as observability_matrix
from .models.analysis import observability_rank as observability_rank
from .models.analysis import output_spectrum as output_spectrum
from .models.analysis import stable_part as stable_part
from .models.bilinear import Bilinear as Bilinear
from .models.bilinear_analysis import gramian_rate as gramian_rate
from .models.bilinear_analysis import volterra_kernel as volterra_kernel
from .models.esn import ESN as ESN
from .models.lti import LTI as LTI
from .models.ltv import LTV as LTV
from .models.memory import Resonances as Resonances
from .models.memory import e_folding_time as e_folding_time
from .models.memory import half_life as half_life
from .models.memory import memory_capacity as memory_capacity
from .models.memory import memory_horizon as memory_horizon
from .models.memory import memory_spectrum as memory_spectrum
from .models.memory import rate_for_half_life as rate_for_half_life
from .models.memory import resonances as resonances
from .models.nonlinear import Nonlinear as Nonlinear
from .models.process import Process as Process
from .models.deep_esn import DeepESN as DeepESN
from .models.gated_esn import GatedESN as GatedESN
from .models.field_esn import ConvolutionalESN as ConvolutionalESN
from .models.field_esn import GraphESN as GraphESN
from .models.continuous_esn import ContinuousESN as ContinuousESN
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
