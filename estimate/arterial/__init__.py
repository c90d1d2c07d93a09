"""The arterial input: found in the images, drawn by hand, read from a table, or of a population."""
