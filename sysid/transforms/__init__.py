"""Model in, model out: linearise, discretise, reduce, lift."""
