"""Does an attribution point to what made a virtual patient's label? Through a kinetic fit, and through QTMnet."""
