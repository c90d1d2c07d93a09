"""Tracer kinetics: what tissue makes of its arterial input."""
