"""Learning dynamics of linear state-space models."""
