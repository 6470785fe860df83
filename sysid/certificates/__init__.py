"""Properties proved of a model: contraction, stability, gain."""
