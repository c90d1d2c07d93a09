"""How QTMnet is taught and judged: examinations drawn at random, losses, calibration. Imported by training alone."""
