"""From a phantom to a measured series with its complete truth: DCE, ASL, and a digital reference object."""
