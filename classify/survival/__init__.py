"""Times to an event under right censoring: curves, hazards, labels at a horizon, and scores of predictions."""
