"""Learning dynamics of linear state-space models: losses, gradient flow and its closed forms."""

from .curves import GainCurves, data_covariance_curves, initialisation_curves, latent_size_curves
from .descent import LearningCurve, gradient_descent, gradient_flow
from .loss import PopulationLoss, SampleLoss, frequency_loss
from .modes import (
    balanced_gain,
    conserved_quantity,
    mode_gain,
    mode_parameters,
    mode_rate,
    mode_time,
    output_only_gain,
    tied_gain,
)
from .multimode import aligned_gain, aligned_modes, lotka_volterra, pole_flow
from .series import SeriesCurve, series_gain, series_time, train_series
from .statistics import population_statistics, sample_statistics

__all__ = [
    "GainCurves",
    "LearningCurve",
    "PopulationLoss",
    "SampleLoss",
    "SeriesCurve",
    "aligned_gain",
    "aligned_modes",
    "balanced_gain",
    "conserved_quantity",
    "data_covariance_curves",
    "frequency_loss",
    "gradient_descent",
    "gradient_flow",
    "initialisation_curves",
    "latent_size_curves",
    "lotka_volterra",
    "mode_gain",
    "mode_parameters",
    "mode_rate",
    "mode_time",
    "output_only_gain",
    "pole_flow",
    "population_statistics",
    "sample_statistics",
    "series_gain",
    "series_time",
    "tied_gain",
    "train_series",
]
