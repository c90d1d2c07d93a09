"""The kinetic fitter: a model with its bounds, where to begin, the fit, its derivatives, and a slow reference."""
