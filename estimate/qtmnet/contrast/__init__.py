"""QTMnet for contrast: what it sees of a scan, what it is asked for, and how its prediction becomes maps."""
