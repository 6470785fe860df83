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
from .classify import SequenceClassifier
from .recipes import Design, design, modal_esn, pole_radius, scale_for_radius, spectrum_tile, whitened_input
from .saturation import Saturation, saturation

__all__ = [
    "ChebyshevGraph",
    "Circulant",
    "Design",
    "GridConvolution",
    "Saturation",
    "SequenceClassifier",
    "circulant",
    "cycle",
    "design",
    "gaussian",
    "modal_esn",
    "normal",
    "orthogonal",
    "permutation",
    "pole_radius",
    "saturation",
    "scale_for_radius",
    "sparse",
    "spectrum_tile",
    "uniform",
    "whitened_input",
]
