"""Matrix algebra that knows no model: equations, Gramians, norms, realisations."""
