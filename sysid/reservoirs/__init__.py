"""Reservoirs as state-space models: topologies, recipes, readouts, inference of hyperparameters."""

from ..models.operators import ChebyshevGraph, GridConvolution
from ..models.topology import (
    Circulant,
    circulant,
    cycle,
    gaussian,
    normal,
    orthogonal,
    permutation,
    sparse,
    uniform,
)
from .autonomous import autonomous_start
from .classify import SequenceClassifier
from .evidence_start import EvidenceStart, evidence_start
from .fidelity import Fidelity, fidelity
from .long_runs import EnsembleForecast, chunked_states, ensemble_forecast, kernel_outputs
from .memory import (
    Capacity,
    conditional_lyapunov,
    effective_dimension,
    information_processing,
    restart_spread,
    sampled_memory,
    separation,
)
from .recipes import Design, design, modal_esn, pole_radius, scale_for_radius, spectrum_tile, whitened_input
from .saturation import Saturation, saturation

__all__ = [
    "Capacity",
    "ChebyshevGraph",
    "Circulant",
    "Design",
    "EnsembleForecast",
    "EvidenceStart",
    "Fidelity",
    "GridConvolution",
    "Saturation",
    "SequenceClassifier",
    "autonomous_start",
    "chunked_states",
    "circulant",
    "conditional_lyapunov",
    "cycle",
    "design",
    "effective_dimension",
    "ensemble_forecast",
    "evidence_start",
    "fidelity",
    "gaussian",
    "information_processing",
    "kernel_outputs",
    "modal_esn",
    "normal",
    "orthogonal",
    "permutation",
    "pole_radius",
    "restart_spread",
    "sampled_memory",
    "saturation",
    "scale_for_radius",
    "separation",
    "sparse",
    "spectrum_tile",
    "uniform",
    "whitened_input",
]
