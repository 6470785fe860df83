"""Spectral filtering and linear recurrent units."""
