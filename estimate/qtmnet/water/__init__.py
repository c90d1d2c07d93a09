"""QTMnet for labelled water: what it sees of a series, and what it is asked for."""
