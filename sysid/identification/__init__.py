"""Models from measured data: the verb fit, its methods, and validation."""
