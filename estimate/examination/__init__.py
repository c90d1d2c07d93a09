"""A DCE-MRI examination, checked once: what every later step may trust, for the command line and Python alike."""
