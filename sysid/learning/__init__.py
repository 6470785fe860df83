"""Learning dynamics of linear state-space models: losses, gradient flow and its closed forms."""

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

__all__ = [
    "balanced_gain",
    "conserved_quantity",
    "mode_gain",
    "mode_parameters",
    "mode_rate",
    "mode_time",
    "output_only_gain",
    "tied_gain",
]
