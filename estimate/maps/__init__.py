"""From an examination to maps: by a kinetic model, or by a method without an arterial input."""
