"""How classifiers are trained: examples, augmentation, losses, the training itself."""
