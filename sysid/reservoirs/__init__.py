"""Reservoirs as state-space models: topologies, recipes, readouts, inference of hyperparameters."""
