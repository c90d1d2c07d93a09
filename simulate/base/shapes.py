"""Sizes that many inputs are padded to, so that one compiled program serves them."""

FRAMES = 256
"""Frames are padded to a multiple of this: series of any length share one program."""
