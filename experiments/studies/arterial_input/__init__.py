"""How right is an arterial input found in the images? Scenes with their truth: learnt from some, scored on others."""
