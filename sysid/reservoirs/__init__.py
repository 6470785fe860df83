"""Reservoirs as state-space models: topologies, recipes, readouts, inference of hyperparameters."""

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

__all__ = ["Circulant", "circulant", "cycle", "gaussian", "normal", "orthogonal", "permutation", "sparse",
           "uniform"]
