"""Nouns without dynamics: data, Gaussians, the status of an iteration."""
