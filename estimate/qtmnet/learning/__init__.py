"""How QTMnet is trained and evaluated: random examinations, losses, calibration. Imported by training alone."""
