"""Many small least-squares problems at once: bounded Levenberg-Marquardt, blocks, standard errors."""
