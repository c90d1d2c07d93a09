"""Tissue whose every property is known: random tumours in brain-like surroundings."""
