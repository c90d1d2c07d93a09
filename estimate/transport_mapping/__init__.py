"""Quantitative transport mapping: a velocity field from how concentration moves between voxels, without an input."""
