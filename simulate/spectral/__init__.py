"""Tracer through a vascular bed: the spectral engine, exact in space and in s."""
