"""Tracer through a vascular bed by finite volumes in time, with diffusion between the cells' interstitium."""
